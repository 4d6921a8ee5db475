//! The structured headers: `If-Match` and `Idempotency-Key`. The input is the header's value, one line for each time that
//! it is given.

use axum::extract::FromRequestParts;
use futures_util::FutureExt;
use http::{HeaderMap, HeaderName, HeaderValue, Request};
use shared::edge::idempotency::parse_key;
use shared::edge::{IfMatch, ProblemType};

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

/// The text of a quoted string (RFC 9651, 3.3.3), by its escapes alone.
fn unquoted(quoted: &str) -> Option<String> {
    let inside = quoted.strip_prefix('"')?.strip_suffix('"')?;
    // No quote is left that no backslash escapes, and no backslash that escapes something else.
    let marked = inside.replace("\\\\", "\u{1}").replace("\\\"", "\u{2}");
    (!marked.contains(['"', '\\'])).then(|| marked.replace('\u{1}', "\\").replace('\u{2}', "\""))
}

pub(super) fn check_idempotency_key(input: &[u8]) {
    let Some(headers) = headers("idempotency-key", input) else { return };
    let text = super::text(input).map(|text| text.trim_matches([' ', '\t']));
    let wanted = text.and_then(|text| match text.starts_with('"') {
        true => unquoted(text),
        false => Some(text.to_owned()).filter(|text| !text.contains(',')),
    });
    // A header's value may hold what is no visible character, and then is no key.
    let visible = |key: &String| key.bytes().all(|byte| matches!(byte, b'\t' | b' '..=b'~'));
    let wanted = wanted.filter(|key| visible(key) && (1..=255).contains(&key.len()));
    match parse_key(&headers) {
        Ok(key) => {
            let key = key.expect("the header is there");
            assert_eq!(Some(&key), wanted.as_ref(), "{text:?}");
            let quoted = format!(" \"{}\" ", key.replace('\\', "\\\\").replace('"', "\\\""));
            let again = self::headers("idempotency-key", quoted.as_bytes()).expect("a header");
            assert_eq!(parse_key(&again).ok().flatten(), Some(key), "quoted, it is another key");
        }
        Err(problem) => {
            assert_eq!(problem.kind, ProblemType::InvalidHeader);
            assert_eq!(wanted, None, "{text:?} is a key");
        }
    }
}
