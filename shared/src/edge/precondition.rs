//! `If-Match`: the entity tags under which a change may be made (RFC 9110, 13.1.1). Must never compare weakly.

use axum::extract::FromRequestParts;
use http::request::Parts;

use super::problem::{Problem, ProblemType};
use crate::store::Expected;

/// One entity tag of the header.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Tag {
    Strong(String),
    /// It is well-formed and never matches.
    Weak,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Condition {
    /// `*`: whatever the tag is.
    Any,
    OneOf(Vec<Tag>),
}

/// The condition of `If-Match`, or none where the request has no such header.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IfMatch(Option<Condition>);

impl IfMatch {
    /// Whether a resource with this tag may be changed.
    pub fn allows(&self, tag: &str) -> bool {
        match &self.0 {
            None | Some(Condition::Any) => true,
            Some(Condition::OneOf(tags)) => {
                tags.iter().any(|known| matches!(known, Tag::Strong(known) if known == tag))
            }
        }
    }
}

impl From<IfMatch> for Expected {
    fn from(condition: IfMatch) -> Self {
        let Some(Condition::OneOf(tags)) = condition.0 else { return Self::Any };
        let strong = tags.into_iter().filter_map(|tag| match tag {
            Tag::Strong(tag) => Some(tag),
            Tag::Weak => None,
        });
        Self::OneOf(strong.collect())
    }
}

impl Condition {
    /// The header's lines. Each is a list of its own: no tag begins in one and ends in the next.
    fn parse(lines: &[&str]) -> Option<Self> {
        if matches!(lines, [line] if line.trim() == "*") {
            return Some(Self::Any);
        }
        let lists: Option<Vec<Vec<Tag>>> = lines.iter().map(|line| tags(line)).collect();
        Some(Self::OneOf(lists?.concat())).filter(|condition| *condition != Self::OneOf(Vec::new()))
    }
}

/// The tags of one list, which may be none.
fn tags(list: &str) -> Option<Vec<Tag>> {
    let mut tags = Vec::new();
    let mut rest = list;
    loop {
        // A list may have empty elements (RFC 9110, 5.6.1); a tag may hold a comma.
        rest = rest.trim_start_matches([' ', '\t', ',']);
        if rest.is_empty() {
            return Some(tags);
        }
        let (weak, quoted) = rest.strip_prefix("W/").map_or((false, rest), |quoted| (true, quoted));
        let (inside, after) = quoted.strip_prefix('"')?.split_once('"')?;
        if inside.contains([' ', '\t']) {
            return None;
        }
        tags.push(if weak { Tag::Weak } else { Tag::Strong(inside.to_owned()) });
        rest = after.trim_start_matches([' ', '\t']);
        if !rest.is_empty() && !rest.starts_with(',') {
            return None;
        }
    }
}

impl<S: Send + Sync> FromRequestParts<S> for IfMatch {
    type Rejection = Problem;
    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        let lines: Option<Vec<&str>> =
            parts.headers.get_all(http::header::IF_MATCH).iter().map(|value| value.to_str().ok()).collect();
        match lines {
            Some(lines) if lines.is_empty() => Ok(Self(None)),
            lines => match lines.and_then(|lines| Condition::parse(&lines)) {
                Some(condition) => Ok(Self(Some(condition))),
                None => Err(Problem::new(ProblemType::InvalidHeader)
                    .detail("If-Match must hold quoted entity tags, or one star")),
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn condition(text: &str) -> IfMatch {
        IfMatch(Some(Condition::parse(&[text]).unwrap_or_else(|| panic!("{text} is well-formed"))))
    }

    #[test]
    fn only_the_same_strong_tag_or_a_star_allows() {
        assert!(IfMatch(None).allows("3"));
        for allowing in ["\"3\"", "\"2\", \"3\"", "\"2\",\"3\"", "*", " * ", "W/\"3\", \"3\"", ",\"3\",,"] {
            assert!(condition(allowing).allows("3"), "{allowing}");
        }
        for refusing in ["\"2\"", "W/\"3\"", "\"\"", "\"2,3\"", "\"w/3\"", "\"-3\""] {
            assert!(!condition(refusing).allows("3"), "{refusing}");
        }
    }

    #[test]
    fn a_star_in_quotes_is_a_tag_like_any_other() {
        assert!(!condition("\"*\"").allows("3"));
        assert!(!condition("\"2\", \"*\"").allows("3"));
        assert!(!condition("W/\"*\"").allows("3"));
    }

    #[test]
    fn what_is_no_list_of_tags_is_no_condition() {
        let malformed = [
            "",
            " ",
            ",",
            "3",
            "\"",
            "\"3",
            "3\"",
            "\"3\" \"4\"",
            "\"3\"x",
            "*, \"3\"",
            "**",
            "w/\"3\"",
            "\"a b\"",
            "W/",
        ];
        for text in malformed {
            assert_eq!(Condition::parse(&[text]), None, "{text}");
        }
    }

    #[test]
    fn several_lines_are_several_lists() {
        let lines = |lines: &[&str]| Condition::parse(lines).map(|condition| IfMatch(Some(condition)));
        assert!(lines(&["\"2\"", "\"3\""]).is_some_and(|condition| condition.allows("3")));
        assert!(lines(&["\"3\"", ""]).is_some_and(|condition| condition.allows("3")));
        assert_eq!(lines(&["*", "\"3\""]), None);
        // The comma between two lines is no tag.
        assert_eq!(lines(&["\"", "\""]), None);
    }
}
