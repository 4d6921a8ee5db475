//! `If-Match`: the entity tags under which a change may be made (RFC 9110, 13.1.1). Must never compare weakly.

use axum::extract::FromRequestParts;
use http::request::Parts;

use super::problem::{Problem, ProblemType};

/// The tags of `If-Match`, or none where the request has no condition.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IfMatch(Option<Vec<String>>);

impl IfMatch {
    /// Whether a resource with this tag may be changed.
    pub fn allows(&self, tag: &str) -> bool {
        match &self.0 {
            None => true,
            Some(tags) => tags.iter().any(|known| known == tag || known == "*"),
        }
    }

    fn parse(text: &str) -> Option<Vec<String>> {
        if text.trim() == "*" {
            return Some(vec!["*".to_owned()]);
        }
        text.split(',')
            .map(|tag| {
                let tag = tag.trim();
                // A weak tag is well-formed and never matches: it keeps its prefix.
                let quoted = tag.strip_prefix("W/").unwrap_or(tag);
                let inside = quoted.strip_prefix('"')?.strip_suffix('"')?;
                let valid = !inside.contains('"');
                valid.then(|| if tag.starts_with("W/") { tag.to_owned() } else { inside.to_owned() })
            })
            .collect()
    }
}

impl<S: Send + Sync> FromRequestParts<S> for IfMatch {
    type Rejection = Problem;
    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        let values: Vec<_> = parts.headers.get_all(http::header::IF_MATCH).iter().collect();
        if values.is_empty() {
            return Ok(Self(None));
        }
        let mut tags = Vec::new();
        for value in values {
            let parsed = value.to_str().ok().and_then(Self::parse);
            tags.extend(parsed.ok_or_else(|| {
                Problem::new(ProblemType::InvalidHeader).detail("If-Match must hold quoted entity tags")
            })?);
        }
        Ok(Self(Some(tags)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_same_strong_tag_or_a_star_allows() {
        let condition = |text: &str| IfMatch(IfMatch::parse(text));
        assert!(IfMatch(None).allows("3"));
        assert!(condition("\"2\", \"3\"").allows("3"));
        assert!(condition("*").allows("3"));
        assert!(!condition("\"2\"").allows("3"));
        assert!(!condition("W/\"3\"").allows("3"));
        assert_eq!(IfMatch::parse("3"), None);
    }
}
