//! The values that fields of every function's bodies hold: texts, dates, amounts, ids, closed sets of words. Must never
//! change a value beyond what its type says.

use finance::calendar::{Date, DateError, read_date};
use finance::rejection::Rejection;
use finance::words::Word;
use unicode_normalization::UnicodeNormalization;

use super::object::{FieldValue, Value, wrong_type};
use crate::edge::contract::Named;
use crate::edge::json::Json;
use crate::text::shows_nothing;

/// Text of the API: trimmed, NFC, without control characters, of `MIN` to `MAX` code points. One that must have any also
/// shows something.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Text<const MIN: usize, const MAX: usize>(pub String);

/// Notes: as [`Text`], but TAB and LF are allowed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Notes(pub String);

/// The most code points of notes.
const NOTES_LENGTH_MAX: usize = 4000;

/// Why a text is not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TextError {
    ControlCharacter,
    /// Only white space and default-ignorable code points.
    ShowsNothing,
    TooShort {
        min: usize,
    },
    TooLong {
        max: usize,
    },
}

impl TextError {
    /// The refusal of the value at `pointer`.
    pub fn at(self, pointer: &str) -> Rejection {
        let (code, detail) = match self {
            Self::ControlCharacter => ("invalid_text", "must not hold control characters".to_owned()),
            Self::ShowsNothing => ("invalid_text", "must show something".to_owned()),
            Self::TooShort { min } => ("too_short", format!("must have at least {min} characters")),
            Self::TooLong { max } => ("too_long", format!("must have at most {max} characters")),
        };
        Rejection::new(pointer, code, detail)
    }
}

fn parse_plain(text: &str, min: usize, max: usize, multiline: bool) -> Result<String, TextError> {
    // Before trimming, which would take some of them away.
    let refused = |c: char| c.is_control() && !(multiline && matches!(c, '\t' | '\n'));
    if text.chars().any(refused) {
        return Err(TextError::ControlCharacter);
    }
    if min > 0 && !text.is_empty() && shows_nothing(text) {
        return Err(TextError::ShowsNothing);
    }
    let text: String = text.trim().nfc().collect();
    match text.chars().count() {
        length if length < min => Err(TextError::TooShort { min }),
        length if length > max => Err(TextError::TooLong { max }),
        _ => Ok(text),
    }
}

/// Reads a string field with a text's parser.
fn read_text<T>(
    value: &Json,
    pointer: &str,
    parser: impl FnOnce(&str) -> Result<T, TextError>,
) -> Result<T, Vec<Rejection>> {
    let Json::Text(text) = value else { return Err(vec![wrong_type(value, pointer, "a string")]) };
    parser(text).map_err(|error| vec![error.at(pointer)])
}

impl<const MIN: usize, const MAX: usize> Text<MIN, MAX> {
    /// # Errors
    /// See [`TextError`].
    pub fn parse(text: &str) -> Result<Self, TextError> {
        parse_plain(text, MIN, MAX, false).map(Self)
    }
}

/// Text without control characters, for schemas; with something in it that is not white space; with TAB and LF allowed.
const LINE: &str = r"^[^\x00-\x1f\x7f-\x9f]*$";
const SHOWN_LINE: &str = r"^[^\x00-\x1f\x7f-\x9f]*[^\s\x00-\x1f\x7f-\x9f][^\x00-\x1f\x7f-\x9f]*$";
const LINES: &str = r"^[^\x00-\x08\x0b-\x1f\x7f-\x9f]*$";
/// The pattern of a text's schema is one of these.
pub const TEXT_PATTERNS: [&str; 3] = [LINE, SHOWN_LINE, LINES];

impl<const MIN: usize, const MAX: usize> FieldValue for Text<MIN, MAX> {
    fn read(value: &Json, pointer: &str) -> Result<Self, Vec<Rejection>> {
        read_text(value, pointer, Self::parse)
    }
    fn schema() -> Value {
        let pattern = if MIN > 0 { SHOWN_LINE } else { LINE };
        serde_json::json!({"type": "string", "minLength": MIN, "maxLength": MAX, "pattern": pattern})
    }
}

impl Notes {
    /// # Errors
    /// See [`TextError`].
    pub fn parse(text: &str) -> Result<Self, TextError> {
        parse_plain(text, 0, NOTES_LENGTH_MAX, true).map(Self)
    }
}

impl FieldValue for Notes {
    fn read(value: &Json, pointer: &str) -> Result<Self, Vec<Rejection>> {
        read_text(value, pointer, Self::parse)
    }
    fn schema() -> Value {
        serde_json::json!({"type": "string", "maxLength": NOTES_LENGTH_MAX, "pattern": LINES})
    }
}

/// A list of at most 1,000 values.
impl<T: FieldValue> FieldValue for Vec<T> {
    fn read(value: &Json, pointer: &str) -> Result<Self, Vec<Rejection>> {
        let Json::List(items) = value else { return Err(vec![wrong_type(value, pointer, "an array")]) };
        if items.len() > 1000 {
            return Err(vec![Rejection::new(pointer, "too_many", "must have at most 1000 items")]);
        }
        let mut errors = Vec::new();
        let mut read = Vec::with_capacity(items.len());
        for (index, item) in items.iter().enumerate() {
            match T::read(item, &format!("{pointer}/{index}")) {
                Ok(value) => read.push(value),
                Err(more) => errors.extend(more),
            }
        }
        if errors.is_empty() { Ok(read) } else { Err(errors) }
    }
    fn unknown(value: &Json, pointer: &str) -> Vec<Rejection> {
        let Json::List(items) = value else { return Vec::new() };
        let below = items.iter().enumerate();
        below.flat_map(|(index, item)| T::unknown(item, &format!("{pointer}/{index}"))).collect()
    }
    fn schema() -> Value {
        serde_json::json!({"type": "array", "items": T::schema(), "maxItems": 1000})
    }
    fn named(named: &mut Vec<Named>) {
        T::named(named);
    }
}

impl FieldValue for bool {
    fn read(value: &Json, pointer: &str) -> Result<Self, Vec<Rejection>> {
        match value {
            Json::Bool(value) => Ok(*value),
            other => Err(vec![wrong_type(other, pointer, "a boolean")]),
        }
    }
    fn schema() -> Value {
        serde_json::json!({"type": "boolean"})
    }
}

impl FieldValue for i64 {
    fn read(value: &Json, pointer: &str) -> Result<Self, Vec<Rejection>> {
        match value {
            Json::Integer(value) => Ok(*value),
            other => Err(vec![wrong_type(other, pointer, "an integer")]),
        }
    }
    /// Minor units: the only integer of a body that has no type of its own.
    fn schema() -> Value {
        let most = finance::money::AMOUNT_MINOR_MAX;
        serde_json::json!({"type": "integer", "format": "int64", "minimum": -most, "maximum": most})
    }
}

/// Reads a string field with a parser that answers `None` for a bad one.
pub fn parse_text<T>(
    value: &Json,
    pointer: &str,
    code: &'static str,
    wanted: &str,
    parser: impl FnOnce(&str) -> Option<T>,
) -> Result<T, Vec<Rejection>> {
    match value {
        Json::Text(text) => {
            parser(text).ok_or_else(|| vec![Rejection::new(pointer, code, format!("must be {wanted}"))])
        }
        other => Err(vec![wrong_type(other, pointer, "a string")]),
    }
}

/// The one form of an id, for schemas.
pub const ID_PATTERN: &str = "^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$";

/// A [`FieldValue`] of a type that `finance` parses from text.
macro_rules! parsed_field {
    ($($type:ty, $code:literal, $wanted:literal, $schema:tt, $parser:expr;)*) => {
        $(impl FieldValue for $type {
            fn read(value: &Json, pointer: &str) -> Result<Self, Vec<Rejection>> {
                parse_text(value, pointer, $code, $wanted, $parser)
            }
            fn schema() -> Value {
                serde_json::json!($schema)
            }
        })*
    };
}

parsed_field! {
    finance::currency::Currency, "unknown_currency", "an ISO 4217 code", {"type": "string", "pattern": "^[A-Z]{3}$"},
        finance::currency::Currency::parse;
    finance::id::AccountId, "invalid_id", "an id", {"type": "string", "format": "uuid", "pattern": ID_PATTERN}, finance::id::AccountId::parse;
    finance::id::CategoryId, "invalid_id", "an id", {"type": "string", "format": "uuid", "pattern": ID_PATTERN},
        finance::id::CategoryId::parse;
}

/// A [`FieldValue`] of a closed set of words: its message and its schema come from the set. (No blanket implementation:
/// `Word` is of another crate, which could implement it for `bool`.)
macro_rules! word_field {
    ($($type:ty),* $(,)?) => {
        $(impl FieldValue for $type {
            fn read(value: &Json, pointer: &str) -> Result<Self, Vec<Rejection>> {
                parse_text(value, pointer, "invalid_value", &<$type>::list(), <$type>::parse)
            }
            fn schema() -> Value {
                serde_json::json!({"type": "string", "enum": <$type>::NAMES})
            }
        })*
    };
}

word_field! {
    finance::account::AccountKind,
    finance::category::CategoryKind,
    finance::transaction::TransactionStatus,
    finance::transaction::TransactionType,
}

impl FieldValue for Date {
    fn read(value: &Json, pointer: &str) -> Result<Self, Vec<Rejection>> {
        let Json::Text(text) = value else { return Err(vec![wrong_type(value, pointer, "a string")]) };
        read_date(text).map_err(|error| {
            vec![match error {
                DateError::OutOfRange => Rejection::date_out_of_range(pointer),
                DateError::Malformed => Rejection::new(pointer, "invalid_date", "must be a date YYYY-MM-DD"),
            }]
        })
    }
    fn schema() -> Value {
        let years = "^(19|20|21)[0-9]{2}-[0-9]{2}-[0-9]{2}$";
        serde_json::json!({"type": "string", "format": "date", "pattern": years})
    }
}

/// A decimal amount as text. Whether its decimals fit is only known with its currency.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Decimal(pub String);

impl FieldValue for Decimal {
    fn read(value: &Json, pointer: &str) -> Result<Self, Vec<Rejection>> {
        parse_text(value, pointer, "invalid_amount", "a decimal such as \"12.34\"", |text| {
            let decimal = finance::money::DecimalText::parse(text)?;
            (decimal.whole.len() <= 20 && decimal.fraction.len() <= 4).then(|| Self(text.to_owned()))
        })
    }
    fn schema() -> Value {
        // Below zero, and not `-0.00`: the first branch; else the second.
        let pattern = concat!(
            r"^(-([1-9][0-9]{0,19}(\.[0-9]{1,4})?|0\.([1-9][0-9]{0,3}|0[1-9][0-9]{0,2}|00[1-9][0-9]?|000[1-9]))",
            r"|(0|[1-9][0-9]{0,19})(\.[0-9]{1,4})?)$"
        );
        serde_json::json!({"type": "string", "pattern": pattern})
    }
}

/// An IANA time zone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TimeZoneName(pub String);

impl TimeZoneName {
    /// Files of a zone database that are no zone of a place or an offset: `Factory` stands for "not set yet", and the
    /// others for a machine's own setting.
    const NO_ZONES: [&str; 3] = ["factory", "localtime", "posixrules"];

    /// A zone of the IANA database, in any case, by the database's spelling.
    pub fn parse(text: &str) -> Option<Self> {
        let lower = text.to_ascii_lowercase();
        let copy = lower.starts_with("posix/") || lower.starts_with("right/");
        if copy || Self::NO_ZONES.contains(&lower.as_str()) {
            return None;
        }
        let zone = jiff::tz::TimeZone::get(text).ok()?;
        zone.iana_name().map(|name| Self(name.to_owned()))
    }
}

impl FieldValue for TimeZoneName {
    fn read(value: &Json, pointer: &str) -> Result<Self, Vec<Rejection>> {
        parse_text(value, pointer, "unknown_time_zone", "an IANA time zone", Self::parse)
    }
    fn schema() -> Value {
        serde_json::json!({"type": "string"})
    }
}
