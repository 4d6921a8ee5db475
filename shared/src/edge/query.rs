//! The query string, read raw: API Gateway joins repeated parameters with commas, so the parsed map cannot be trusted.
//! Must never let an unknown or a repeated parameter pass.

use std::sync::Arc;

use axum::extract::FromRequestParts;
use http::request::Parts;

use finance::rejection::Rejection;

use super::problem::{Problem, ProblemType};

/// The most items that one page holds, and the default.
pub const PAGE_SIZE_MAX: i64 = 200;
pub const PAGE_SIZE_DEFAULT: i64 = 50;

/// The query's parameters, each known and given once.
#[derive(Clone, Debug, Default)]
pub struct Query(Arc<Vec<(String, String)>>);

impl Query {
    /// # Errors
    /// 400 naming every unknown and every repeated parameter.
    pub fn parse(raw: &str, known: &[&str]) -> Result<Self, Problem> {
        let mut pairs: Vec<(String, String)> = Vec::new();
        let mut errors = Vec::new();
        for part in raw.split('&').filter(|part| !part.is_empty()) {
            let (name, value) = part.split_once('=').unwrap_or((part, ""));
            let (Some(name), Some(value)) = (decode(name), decode(value)) else {
                return Err(
                    Problem::new(ProblemType::InvalidQuery).detail("the query is not percent-encoded UTF-8")
                );
            };
            let pointer = format!("/query/{name}");
            if !known.contains(&name.as_str()) {
                errors.push(Rejection::new(pointer, "unknown_parameter", "is not a parameter of this route"));
            } else if pairs.iter().any(|(seen, _)| *seen == name) {
                errors.push(Rejection::new(pointer, "repeated_parameter", "is given more than once"));
            }
            pairs.push((name, value));
        }
        if errors.is_empty() {
            return Ok(Self(Arc::new(pairs)));
        }
        errors.dedup();
        Err(Problem { errors, ..Problem::new(ProblemType::InvalidQuery) })
    }

    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    /// A parameter through its parser; a bad one adds an error and counts as absent.
    pub fn parsed<T>(
        &self,
        errors: &mut Vec<Rejection>,
        name: &str,
        wanted: &str,
        parser: impl FnOnce(&str) -> Option<T>,
    ) -> Option<T> {
        let value = self.get(name)?;
        let parsed = parser(value);
        if parsed.is_none() {
            errors.push(Rejection::new(
                format!("/query/{name}"),
                "invalid_parameter",
                format!("must be {wanted}"),
            ));
        }
        parsed
    }

    /// `limit`, from 1 to [`PAGE_SIZE_MAX`].
    pub fn page_size(&self, errors: &mut Vec<Rejection>) -> i64 {
        self.parsed(errors, "limit", "from 1 to 200", |text| {
            text.parse().ok().filter(|size| (1..=PAGE_SIZE_MAX).contains(size))
        })
        .unwrap_or(PAGE_SIZE_DEFAULT)
    }

    /// What a cursor is bound to: every parameter but the paging ones, in order of name.
    pub fn filters(&self) -> String {
        let mut pairs: Vec<_> =
            self.0.iter().filter(|(name, _)| name != "cursor" && name != "limit").collect();
        pairs.sort();
        pairs.iter().map(|(name, value)| format!("{name}={value}\n")).collect()
    }
}

/// 422 with every bad parameter, or nothing.
pub fn finish(errors: Vec<Rejection>) -> Result<(), Problem> {
    if errors.is_empty() { Ok(()) } else { Err(Problem::fields(errors)) }
}

fn decode(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        match byte {
            b'+' => bytes.push(b' '),
            b'%' => {
                let pair = [rest.next()?, rest.next()?];
                let hex = std::str::from_utf8(&pair).ok()?;
                bytes.push(u8::from_str_radix(hex, 16).ok().filter(|_| pair[0] != b'+')?);
            }
            other => bytes.push(other),
        }
    }
    String::from_utf8(bytes).ok()
}

impl<S: Send + Sync> FromRequestParts<S> for Query {
    type Rejection = std::convert::Infallible;
    /// The edge has parsed it against the route's list before any handler runs.
    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Self::Rejection> {
        Ok(parts.extensions.get::<Query>().cloned().unwrap_or_default())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_unknown_and_repeated_parameter_is_named() {
        let Err(problem) = Query::parse("limit=1&x=1&limit=2&a[$ne]=1", &["limit"]) else {
            panic!("must be refused");
        };
        let codes: Vec<_> = problem.errors.iter().map(|error| (error.pointer.as_str(), error.code)).collect();
        assert_eq!(
            codes,
            [
                ("/query/x", "unknown_parameter"),
                ("/query/limit", "repeated_parameter"),
                ("/query/a[$ne]", "unknown_parameter")
            ]
        );
    }

    #[test]
    fn values_are_percent_decoded_once() {
        let query = Query::parse("q=caf%C3%A9+noir%2525", &["q"]).unwrap();
        assert_eq!(query.get("q"), Some("café noir%25"));
        assert!(Query::parse("q=%ff", &["q"]).is_err());
        assert!(Query::parse("q=%f", &["q"]).is_err());
    }
}
