//! The e-mail address that a user is known by, as a field of a body. Must never normalise one by itself:
//! [`shared::email`] does.

use shared::edge::Rejection;
use shared::edge::body::{FieldValue, Value, parse_text};
use shared::edge::json::Json;
use shared::email;

/// An e-mail address in the form that accounts are unique by.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Email(pub String);

impl Email {
    pub fn parse(text: &str) -> Option<Self> {
        email::normalize(text).map(Self)
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
