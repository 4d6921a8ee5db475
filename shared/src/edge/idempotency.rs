//! The `Idempotency-Key` header, and the operation that it is for: the request's own method and path. Must never take two
//! keys for one: a gateway joins a header that is given twice by a comma.

use axum::extract::FromRequestParts;
use finance::id::UserId;
use http::HeaderMap;
use http::request::Parts;

use super::caller::Principal;
use super::problem::{Problem, ProblemType};
use crate::store::Claim;

/// The longest key, in characters.
const KEY_LENGTH_MAX: usize = 255;

/// The key of a request, if it has one, with the caller and the operation that it counts for.
pub struct IdempotencyKey {
    user: UserId,
    operation: String,
    key: Option<String>,
}

impl IdempotencyKey {
    /// The claim of a request with this body; none where the request has no key.
    pub fn claim(&self, body: &[u8]) -> Option<Claim> {
        self.key.as_deref().map(|key| Claim::new(self.user, &self.operation, key, body))
    }
}

impl<S: Send + Sync> FromRequestParts<S> for IdempotencyKey {
    type Rejection = Problem;
    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let user = Principal::from_request_parts(parts, state).await?.user;
        Ok(Self { user, operation: operation(parts), key: parse_key(&parts.headers)? })
    }
}

/// The method and the path below the base path, which has two spellings; the query too, where there is one.
fn operation(parts: &Parts) -> String {
    let path = parts.uri.path();
    let below = path.strip_prefix("/api/v1").or_else(|| path.strip_prefix("/api")).unwrap_or(path);
    match parts.uri.query().filter(|query| !query.is_empty()) {
        Some(query) => format!("{} {below}?{query}", parts.method),
        None => format!("{} {below}", parts.method),
    }
}

/// The key of a request, if it has one: bare, or a quoted string (RFC 9651, 3.3.3), which may also hold a comma. Both forms
/// of one text are one key.
///
/// # Errors
/// 400 for a header that is given twice, a bare key with a comma, a quoted string that is none, and a key that is empty or
/// longer than 255 characters.
pub fn parse_key(headers: &HeaderMap) -> Result<Option<String>, Problem> {
    let mut values = headers.get_all("idempotency-key").iter();
    let Some(value) = values.next() else { return Ok(None) };
    let text = value.to_str().ok().map(|text| text.trim_matches([' ', '\t']));
    let key = text.filter(|_| values.next().is_none()).and_then(|text| match text.strip_prefix('"') {
        Some(rest) => unquoted(rest),
        None => Some(text.to_owned()).filter(|text| !text.contains(',')),
    });
    match key.filter(|key| (1..=KEY_LENGTH_MAX).contains(&key.len())) {
        Some(key) => Ok(Some(key)),
        None => Err(Problem::new(ProblemType::InvalidHeader).detail(
            "Idempotency-Key must be given once, with 1 to 255 visible characters; in quotes if one is a comma",
        )),
    }
}

/// The text of a quoted string after its first quote. Only a quote and a backslash are escaped in it.
fn unquoted(rest: &str) -> Option<String> {
    let mut text = String::with_capacity(rest.len());
    let mut chars = rest.chars();
    loop {
        match chars.next()? {
            '"' => return chars.as_str().is_empty().then_some(text),
            '\\' => text.push(chars.next().filter(|c| matches!(c, '"' | '\\'))?),
            c => text.push(c),
        }
    }
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    fn key(lines: &[&str]) -> Result<Option<String>, ProblemType> {
        let mut headers = HeaderMap::new();
        for line in lines {
            headers.append("idempotency-key", HeaderValue::from_str(line).unwrap());
        }
        parse_key(&headers).map_err(|problem| problem.kind)
    }

    #[test]
    fn a_bare_key_and_the_same_text_in_quotes_are_one_key() {
        assert_eq!(key(&[]), Ok(None));
        for (line, text) in [
            ("one", "one"),
            ("\"one\"", "one"),
            (" \t\"one\" ", "one"),
            ("\"one,two\"", "one,two"),
            ("\"a\\\"b\\\\\"", "a\"b\\"),
            ("a\"b\\", "a\"b\\"),
            ("\" \"", " "),
        ] {
            assert_eq!(key(&[line]), Ok(Some(text.to_owned())), "{line}");
        }
        assert_eq!(key(&[&"k".repeat(255)]), Ok(Some("k".repeat(255))));
    }

    #[test]
    fn what_may_be_two_keys_or_none_is_refused() {
        let long = "k".repeat(256);
        for lines in [
            &["one", "two"][..],
            &["one", "one"],
            &["one,two"],
            &["one, two"],
            &[","],
            &["\"a\",\"b\""],
            &["\"a\"b\""],
            &["\"a"],
            &["\"a\\\""],
            &["\"a\\b\""],
            &["\""],
            &["\"\""],
            &[""],
            &[" "],
            &[&long],
        ] {
            assert_eq!(key(lines), Err(ProblemType::InvalidHeader), "{lines:?}");
        }
    }
}
