//! The query string, read raw: API Gateway joins repeated parameters with commas, so the parsed map cannot be trusted.
//! Must never let an unknown or a repeated parameter pass.

use std::collections::BTreeSet;
use std::sync::Arc;

use axum::extract::FromRequestParts;
use finance::calendar::{Date, DateError, read_date};
use finance::rejection::Rejection;
use finance::words::Word;
use http::request::Parts;

use super::problem::{Problem, ProblemType, pointer_to};

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
        let mut refused = BTreeSet::new();
        let mut refuse = |name: &str, code, detail| {
            if refused.insert((name.to_owned(), code)) {
                errors.push(Rejection::new(pointer_to("/query", name), code, detail));
            }
        };
        for part in raw.split('&').filter(|part| !part.is_empty()) {
            let (name, value) = part.split_once('=').unwrap_or((part, ""));
            let (Some(name), Some(value)) = (decode(name), decode(value)) else {
                return Err(
                    Problem::new(ProblemType::InvalidQuery).detail("the query is not percent-encoded UTF-8")
                );
            };
            if !known.contains(&name.as_str()) {
                refuse(&name, "unknown_parameter", "is not a parameter of this route");
            } else if pairs.iter().any(|(seen, _)| *seen == name) {
                refuse(&name, "repeated_parameter", "is given more than once");
            } else {
                pairs.push((name, value));
            }
        }
        if errors.is_empty() {
            return Ok(Self(Arc::new(pairs)));
        }
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
            errors.push(bad(name, wanted));
        }
        parsed
    }

    /// A civil date; a bad one adds an error (`date_out_of_range` where only its year is wrong) and counts as absent.
    pub fn date(&self, errors: &mut Vec<Rejection>, name: &str) -> Option<Date> {
        match read_date(self.get(name)?) {
            Ok(date) => return Some(date),
            Err(DateError::OutOfRange) => errors.push(Rejection::date_out_of_range(format!("/query/{name}"))),
            Err(DateError::Malformed) => errors.push(bad(name, "a date YYYY-MM-DD")),
        }
        None
    }

    /// `from` and `to`, each a date; a `from` after its `to` adds an error.
    pub fn date_range(&self, errors: &mut Vec<Rejection>) -> (Option<Date>, Option<Date>) {
        let (from, to) = (self.date(errors, "from"), self.date(errors, "to"));
        if let (Some(first), Some(last)) = (from, to) {
            errors.extend(check_range(first, last).err());
        }
        (from, to)
    }

    /// A parameter of a closed set of words; a bad one adds an error and counts as absent.
    pub fn word<T: Word>(&self, errors: &mut Vec<Rejection>, name: &str) -> Option<T> {
        self.parsed(errors, name, &T::list(), T::parse)
    }

    /// `limit`, from 1 to [`PAGE_SIZE_MAX`].
    pub fn page_size(&self, errors: &mut Vec<Rejection>) -> i64 {
        self.parsed(errors, "limit", "from 1 to 200", |text| {
            whole_number(text).filter(|size| (1..=PAGE_SIZE_MAX).contains(size))
        })
        .unwrap_or(PAGE_SIZE_DEFAULT)
    }

    /// What a cursor is bound to: every parameter but the paging ones, in order of name. The length before each name and
    /// value keeps two sets of filters from being the same text.
    pub fn filters(&self) -> String {
        let mut pairs: Vec<_> =
            self.0.iter().filter(|(name, _)| name != "cursor" && name != "limit").collect();
        pairs.sort();
        let bound = |text: &str| format!("{}:{text}", text.len());
        pairs.iter().map(|(name, value)| bound(name) + &bound(value)).collect()
    }
}

/// The error of a parameter that is not what it must be.
fn bad(name: &str, wanted: &str) -> Rejection {
    Rejection::new(format!("/query/{name}"), "invalid_parameter", format!("must be {wanted}"))
}

/// A number of decimal digits alone, in its one spelling: no sign, no leading zero.
pub fn whole_number(text: &str) -> Option<i64> {
    let digits = text.bytes().all(|byte| byte.is_ascii_digit());
    let leading_zero = text.len() > 1 && text.starts_with('0');
    (digits && !leading_zero).then(|| text.parse().ok())?
}

/// # Errors
/// `out_of_range` at `from` where it is after `to`.
pub fn check_range(from: Date, to: Date) -> Result<(), Rejection> {
    if from > to {
        return Err(Rejection::new("/query/from", "out_of_range", "must not be after to"));
    }
    Ok(())
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
    fn two_sets_of_filters_are_never_one_text() {
        let known = ["q", "type", "tag", "limit", "cursor"];
        let filters = |raw: &str| Query::parse(raw, &known).unwrap().filters();
        assert_ne!(filters("q=alpha%0Atype%3Dexpense"), filters("q=alpha&type=expense"));
        assert_ne!(filters("q=a3:tag1:b"), filters("q=a&tag=b"));
        assert_ne!(filters("q="), filters(""));
        assert_eq!(filters("type=x&q=a&limit=5&cursor=y"), filters("q=%61&type=x"));
    }

    #[test]
    fn a_whole_number_has_one_spelling() {
        assert_eq!(whole_number("0"), Some(0));
        assert_eq!(whole_number("200"), Some(200));
        for text in ["", "+5", "-5", "007", "00", " 5", "5 ", "1e1", "0x5", "٥", "99999999999999999999"] {
            assert_eq!(whole_number(text), None, "{text:?}");
        }
    }

    #[test]
    fn values_are_percent_decoded_once() {
        let query = Query::parse("q=caf%C3%A9+noir%2525", &["q"]).unwrap();
        assert_eq!(query.get("q"), Some("café noir%25"));
        assert!(Query::parse("q=%ff", &["q"]).is_err());
        assert!(Query::parse("q=%f", &["q"]).is_err());
    }
}
