//! The e-mail address that a user is known by: the one place that normalises it. Must never accept two spellings of one
//! address as two addresses.

use shared::edge::Rejection;
use shared::edge::body::{FieldValue, Value, parse_text};
use shared::edge::json::Json;

/// An e-mail address, trimmed and lower-case: what accounts are unique by.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Email(pub String);

impl Email {
    /// One `@`, something on both sides, a dot in the domain, no white space or control characters, 254 bytes at most
    /// (RFC 5321, 4.5.3.1.3). More is only known by sending to it.
    pub fn parse(text: &str) -> Option<Self> {
        let email = text.trim().to_lowercase();
        let (local, domain) = email.split_once('@')?;
        let clean =
            !email.chars().any(|c| c.is_whitespace() || c.is_control() || "<>()[]\\,;:\"".contains(c));
        let labels = domain.contains('.') && domain.split('.').all(|label| !label.is_empty());
        let fits = !local.is_empty() && local.len() <= 64 && email.len() <= 254;
        (clean && labels && fits && !domain.contains('@')).then_some(Self(email))
    }
}

impl FieldValue for Email {
    fn read(value: &Json, pointer: &str) -> Result<Self, Vec<Rejection>> {
        parse_text(value, pointer, "invalid_email", "an e-mail address", Self::parse)
    }
    fn schema() -> Value {
        serde_json::json!({"type": "string", "format": "email", "maxLength": 254})
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_trimmed_and_lower_case() {
        assert_eq!(Email::parse(" Ada@Example.COM ").unwrap().0, "ada@example.com");
        for bad in ["", "a", "a@b", "@b.c", "a@b..c", "a b@c.d", "a@b@c.d", "a@.c", "<a@b.c>", "a\n@b.c"] {
            assert!(Email::parse(bad).is_none(), "{bad}");
        }
    }
}
