//! Reads one well-formed JSON text and refuses what serde_json lets pass: a key twice, and nesting deeper than 32.
//! Must never interpret a value: [`super::body`] does.

use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, Error as _, MapAccess, SeqAccess, Visitor};

/// The deepest nesting that a body may have.
pub const DEPTH_MAX: usize = 32;

/// A JSON value whose objects keep their order and have no key twice. A number that is no integer keeps no value: no
/// field of the API takes one.
#[derive(Clone, Debug, PartialEq)]
pub enum Json {
    Null,
    Bool(bool),
    Integer(i64),
    /// A fraction, an exponent, or an integer beyond 64 bits.
    OtherNumber,
    Text(String),
    List(Vec<Json>),
    Object(Vec<(String, Json)>),
}

impl From<bool> for Json {
    fn from(value: bool) -> Self {
        Self::Bool(value)
    }
}

impl From<&str> for Json {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}

/// Why a text was not read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum JsonError {
    /// It is not one well-formed text; the reason is safe to show.
    Malformed(String),
    /// It is, but a number in it is beyond what any field takes (`1e999`).
    NumberOutOfRange,
}

impl From<serde_json::Error> for JsonError {
    fn from(error: serde_json::Error) -> Self {
        let reason = error.to_string();
        // serde_json has no kind for it, only this text.
        if reason.starts_with("number out of range") {
            Self::NumberOutOfRange
        } else {
            Self::Malformed(reason)
        }
    }
}

impl Json {
    /// Parses one JSON text (RFC 8259) in UTF-8.
    ///
    /// # Errors
    /// See [`JsonError`].
    pub fn parse(bytes: &[u8]) -> Result<Json, JsonError> {
        let mut deserializer = serde_json::Deserializer::from_slice(bytes);
        let value = Depth(0).deserialize(&mut deserializer)?;
        deserializer.end()?;
        Ok(value)
    }

    /// What it is, for messages.
    pub fn kind(&self) -> &'static str {
        match self {
            Json::Null => "null",
            Json::Bool(_) => "a boolean",
            Json::Integer(_) | Json::OtherNumber => "a number",
            Json::Text(_) => "a string",
            Json::List(_) => "an array",
            Json::Object(_) => "an object",
        }
    }
}

struct Depth(usize);

impl<'de> DeserializeSeed<'de> for Depth {
    type Value = Json;
    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Json, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl Depth {
    fn deeper<E: serde::de::Error>(&self) -> Result<usize, E> {
        if self.0 >= DEPTH_MAX { Err(E::custom("nested deeper than 32")) } else { Ok(self.0 + 1) }
    }
}

impl<'de> Visitor<'de> for Depth {
    type Value = Json;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }
    fn visit_unit<E>(self) -> Result<Json, E> {
        Ok(Json::Null)
    }
    fn visit_bool<E>(self, value: bool) -> Result<Json, E> {
        Ok(Json::Bool(value))
    }
    fn visit_i64<E>(self, value: i64) -> Result<Json, E> {
        Ok(Json::Integer(value))
    }
    fn visit_u64<E>(self, value: u64) -> Result<Json, E> {
        Ok(i64::try_from(value).map_or(Json::OtherNumber, Json::Integer))
    }
    fn visit_f64<E>(self, _: f64) -> Result<Json, E> {
        Ok(Json::OtherNumber)
    }
    fn visit_str<E>(self, value: &str) -> Result<Json, E> {
        Ok(Json::Text(value.to_owned()))
    }
    fn visit_string<E>(self, value: String) -> Result<Json, E> {
        Ok(Json::Text(value))
    }
    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Json, A::Error> {
        let depth = self.deeper()?;
        let mut items = Vec::new();
        while let Some(item) = seq.next_element_seed(Depth(depth))? {
            items.push(item);
        }
        Ok(Json::List(items))
    }
    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Json, A::Error> {
        let depth = self.deeper()?;
        let mut fields: Vec<(String, Json)> = Vec::new();
        let mut seen = std::collections::HashSet::new();
        while let Some(name) = map.next_key::<String>()? {
            if !seen.insert(name.clone()) {
                return Err(A::Error::custom("an object has a key twice"));
            }
            fields.push((name, map.next_value_seed(Depth(depth))?));
        }
        Ok(Json::Object(fields))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_one_well_formed_text_is_refused() {
        let deep = "[".repeat(33) + &"]".repeat(33);
        for text in [
            "",
            " ",
            "{",
            "{}{}",
            "{\"a\":1,\"a\":2}",
            "[{\"a\":{\"b\":1,\"b\":1}}]",
            "nul",
            "\u{feff}{}",
            &deep,
        ] {
            assert!(Json::parse(text.as_bytes()).is_err(), "{text}");
        }
        assert!(Json::parse(b"{\"a\":\"\xff\"}").is_err(), "invalid UTF-8");
        let deepest = "[".repeat(32) + &"]".repeat(32);
        assert!(Json::parse(deepest.as_bytes()).is_ok());
    }

    #[test]
    fn a_number_that_is_no_integer_keeps_no_value() {
        assert_eq!(Json::parse(b"12.0").unwrap(), Json::OtherNumber);
        assert_eq!(Json::parse(b"1e3").unwrap(), Json::OtherNumber);
        assert_eq!(Json::parse(b"18446744073709551615").unwrap(), Json::OtherNumber);
        assert_eq!(Json::parse(b"-5").unwrap(), Json::Integer(-5));
        assert_eq!(Json::parse(b"[1e999]"), Err(JsonError::NumberOutOfRange));
    }
}
