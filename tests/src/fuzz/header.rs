//! The structured headers: `If-Match` and `Idempotency-Key`. The input is the header's value, one line for each time that
//! it is given.

use axum::extract::FromRequestParts;
use finance::id::UserId;
use futures_util::FutureExt;
use http::{HeaderMap, HeaderName, HeaderValue, Request};
use shared::edge::{IfMatch, Principal, ProblemType};
use shared::store::Claim;
use uuid::Uuid;

/// The header's lines; none where the bytes are no header.
fn headers(name: &'static str, input: &[u8]) -> Option<HeaderMap> {
    let mut headers = HeaderMap::new();
    for line in input.split(|byte| *byte == b'\n') {
        headers.append(HeaderName::from_static(name), HeaderValue::from_bytes(line).ok()?);
    }
    Some(headers)
}

pub(super) fn check_if_match(input: &[u8]) {
    let Some(headers) = headers("if-match", input) else { return };
    let (mut parts, ()) = Request::new(()).into_parts();
    parts.headers = headers;
    let read = IfMatch::from_request_parts(&mut parts, &()).now_or_never().expect("it waits for nothing");
    let condition = match read {
        Ok(condition) => condition,
        Err(problem) => return assert_eq!(problem.kind, ProblemType::InvalidHeader),
    };
    let text = super::text(input).expect("what was understood is text");
    let star = text.trim() == "*";
    // No comma or quote is in a tag of ours, so that each stands between two quotes.
    for tag in text.split('"') {
        let stands = text.match_indices(&format!("\"{tag}\"")).any(|(at, _)| !text[..at].ends_with("W/"));
        assert!(!condition.allows(tag) || star || stands, "{tag:?} is allowed by {text:?}");
    }
    assert_eq!(condition.allows("a tag that nobody wrote"), star, "{text:?}");
    assert!(star || text.contains('"'), "{text:?} is no condition");
}

pub(super) fn check_idempotency_key(input: &[u8]) {
    let Some(headers) = headers("idempotency-key", input) else { return };
    let principal = Principal { user: UserId::new(Uuid::from_u128(1)), session: Uuid::from_u128(2) };
    let of = |headers: &HeaderMap| Claim::from_headers(headers, &principal, "POST /x", b"{}");
    let claim = match of(&headers) {
        Ok(claim) => claim.expect("the header is there"),
        Err(problem) => return assert_eq!(problem.kind, ProblemType::InvalidHeader),
    };
    let key = super::text(input).expect("what was understood is text").trim_matches([' ', '\t']);
    assert!(!key.is_empty() && !key.contains('\n'), "{key:?}");
    let bare = key.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')).unwrap_or(key);
    assert!((1..=255).contains(&bare.len()), "{key:?}");
    let other = |value: &str| {
        let headers = self::headers("idempotency-key", value.as_bytes()).expect("a header");
        of(&headers).ok().flatten().map(|claim| format!("{claim:?}"))
    };
    let same = Some(format!("{claim:?}"));
    assert_eq!(other(&format!(" \"{bare}\" ")), same, "quoted, it is another key");
    if bare.len() < 255 {
        assert_ne!(other(&format!("\"{bare}x\"")), same, "two keys are one");
    }
}
