//! Parses a JSON body into a type, in the order that the contract names: content type and coding 415, syntax and unknown fields
//! 400, then every wrong, missing or bad value at once, 422. Must never leave a partial effect: parsing comes first.

use axum::body::{Bytes, HttpBody};
use axum::extract::{FromRequest, Request};
use finance::calendar::{Date, DateError, read_date};
use finance::rejection::Rejection;
use finance::words::Word;
use http::header;
use http_body_util::{BodyExt, LengthLimitError, Limited};
use unicode_normalization::UnicodeNormalization;

use super::contract::Named;
use super::json::{Json, JsonError};
use super::problem::{Problem, ProblemType, pointer_to};
use super::scope::Scope;
use crate::text::shows_nothing;

/// A value that one field of a body can hold.
pub trait FieldValue: Sized {
    /// # Errors
    /// The stable code and a text that is safe to show, or several with pointers below `pointer`.
    fn read(value: &Json, pointer: &str) -> Result<Self, Vec<Rejection>>;
    /// Its JSON schema.
    fn schema() -> Value;
    /// Adds the schemas that its own refers to by name.
    fn named(_: &mut Vec<Named>) {}
    /// Fields in it that are not known. Only objects have any.
    fn unknown(_: &Json, _: &str) -> Vec<Rejection> {
        Vec::new()
    }
}

/// A body type, made by [`json_body!`](crate::json_body).
pub trait JsonBody: Sized {
    /// Its schema's name.
    const NAME: &'static str;
    const FIELDS: &'static [&'static str];
    fn read_fields(reader: FieldReader) -> Result<Self, Vec<Rejection>>;
    /// Unknown fields of the value of the field `name`.
    fn unknown_in(name: &str, value: &Json, pointer: &str) -> Vec<Rejection>;
    fn schema() -> Value;
    /// Adds the schemas that its own refers to by name.
    fn named(named: &mut Vec<Named>);
}

/// What a merge patch (RFC 7396) says of one field.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Patch<T> {
    /// Absent: leave it.
    #[default]
    Keep,
    /// `null`: remove it.
    Clear,
    Set(T),
}

impl<T> Patch<T> {
    /// The value after the patch.
    pub fn apply(self, current: Option<T>) -> Option<T> {
        match self {
            Patch::Keep => current,
            Patch::Clear => None,
            Patch::Set(value) => Some(value),
        }
    }

    /// The text after the patch; an empty one counts as none.
    pub fn apply_text(self, current: Option<String>, text: impl FnOnce(T) -> String) -> Option<String> {
        match self {
            Patch::Keep => current,
            Patch::Clear => None,
            Patch::Set(value) => Some(text(value)).filter(|text| !text.is_empty()),
        }
    }

    /// The new value, where one is given.
    pub fn value(&self) -> Option<&T> {
        match self {
            Patch::Set(value) => Some(value),
            Patch::Keep | Patch::Clear => None,
        }
    }

    /// The new value, where one is given, by value.
    pub fn set(self) -> Option<T> {
        match self {
            Patch::Set(value) => Some(value),
            Patch::Keep | Patch::Clear => None,
        }
    }
}

/// Reads an object's fields and keeps every error.
pub struct FieldReader {
    fields: Vec<(String, Json)>,
    prefix: String,
    pub errors: Vec<Rejection>,
}

impl FieldReader {
    pub fn new(fields: Vec<(String, Json)>, prefix: impl Into<String>) -> Self {
        Self { fields, prefix: prefix.into(), errors: Vec::new() }
    }

    fn get(&self, name: &str) -> Option<&Json> {
        self.fields.iter().find(|(field, _)| field == name).map(|(_, value)| value)
    }

    fn value<T: FieldValue>(&mut self, name: &str, json: &Json) -> Option<T> {
        T::read(json, &format!("{}/{name}", self.prefix)).map_err(|errors| self.errors.extend(errors)).ok()
    }

    pub fn required<T: FieldValue>(&mut self, name: &str) -> Option<T> {
        match self.get(name).cloned() {
            Some(json) => self.value(name, &json),
            None => {
                self.errors.push(Rejection::new(
                    format!("{}/{name}", self.prefix),
                    "required",
                    "is required",
                ));
                None
            }
        }
    }

    /// Absent and `null` are one.
    pub fn optional<T: FieldValue>(&mut self, name: &str) -> Option<T> {
        match self.get(name).cloned() {
            None | Some(Json::Null) => None,
            Some(json) => self.value(name, &json),
        }
    }

    /// Absent and `null` are `value`.
    pub fn default<T: FieldValue>(&mut self, name: &str, value: impl Into<Json>) -> Option<T> {
        match self.get(name).cloned() {
            None | Some(Json::Null) => self.value(name, &value.into()),
            Some(json) => self.value(name, &json),
        }
    }

    /// A field of a merge patch that `null` cannot remove.
    pub fn change<T: FieldValue>(&mut self, name: &str) -> Option<T> {
        match self.get(name).cloned() {
            None => None,
            Some(Json::Null) => {
                let pointer = format!("{}/{name}", self.prefix);
                self.errors.push(Rejection::new(pointer, "required", "cannot be removed"));
                None
            }
            Some(json) => self.value(name, &json),
        }
    }

    /// A field of a merge patch that `null` removes.
    pub fn patch<T: FieldValue>(&mut self, name: &str) -> Patch<T> {
        match self.get(name).cloned() {
            None => Patch::Keep,
            Some(Json::Null) => Patch::Clear,
            Some(json) => self.value(name, &json).map_or(Patch::Keep, Patch::Set),
        }
    }
}

/// Declares a body: its struct, its parser, the list of fields that it knows and its JSON schema, all from one text. The
/// doc comments are the schema's descriptions.
///
/// `required` must be there and not null; `optional` may be absent or null; `default` is `= value` then. Of a merge patch,
/// `patch` is a field that null removes and `change` one that null cannot.
#[macro_export]
macro_rules! json_body {
    ($(#[doc = $about:literal])* pub struct $name:ident { $(
        $(#[doc = $doc:literal])* $mode:ident $field:ident : $type:ty as $wire:literal $(= $default:literal)?,
    )* }) => {
        $(#[doc = $about])*
        #[derive(Clone, Debug)]
        pub struct $name { $($(#[doc = $doc])* pub $field: $crate::json_body!(@type $mode $type),)* }

        impl $crate::edge::body::JsonBody for $name {
            const NAME: &'static str = stringify!($name);
            const FIELDS: &'static [&'static str] = &[$($wire),*];
            #[allow(unused_mut, reason = "a body may have no field")]
            fn read_fields(
                mut reader: $crate::edge::body::FieldReader,
            ) -> Result<Self, Vec<$crate::edge::Rejection>> {
                $(let $field = reader.$mode::<$type>($wire $(, $default)?);)*
                if !reader.errors.is_empty() {
                    return Err(reader.errors);
                }
                Ok(Self { $($field: $crate::json_body!(@unwrap $mode $field reader),)* })
            }
            fn unknown_in(
                name: &str,
                _value: &$crate::edge::json::Json,
                _pointer: &str,
            ) -> Vec<$crate::edge::Rejection> {
                match name {
                    $($wire => <$type as $crate::edge::body::FieldValue>::unknown(_value, _pointer),)*
                    _ => Vec::new(),
                }
            }
            fn schema() -> $crate::edge::body::Value {
                let mut properties = $crate::edge::body::Map::new();
                let mut required: Vec<$crate::edge::body::Value> = Vec::new();
                $(
                    let schema = <$type as $crate::edge::body::FieldValue>::schema();
                    #[allow(unused_mut, reason = "a field may have no default")]
                    let mut schema = $crate::json_body!(@schema $mode schema);
                    $(schema["default"] = $default.into();)?
                    properties.insert(
                        $wire.to_owned(),
                        $crate::edge::body::described(schema, &[$($doc),*]),
                    );
                    if stringify!($mode) == "required" { required.push($wire.into()); }
                )*
                let schema = $crate::edge::body::object_schema(properties, required);
                $crate::edge::body::described(schema, &[$($about),*])
            }
            fn named(_named: &mut Vec<$crate::edge::contract::Named>) {
                $(<$type as $crate::edge::body::FieldValue>::named(_named);)*
            }
        }
    };
    (@type required $type:ty) => { $type };
    (@type optional $type:ty) => { Option<$type> };
    (@type default $type:ty) => { $type };
    (@type change $type:ty) => { Option<$type> };
    (@type patch $type:ty) => { $crate::edge::body::Patch<$type> };
    (@unwrap required $field:ident $reader:ident) => {
        match $field { Some(value) => value, None => return Err($reader.errors) }
    };
    (@unwrap default $field:ident $reader:ident) => { $crate::json_body!(@unwrap required $field $reader) };
    (@unwrap optional $field:ident $reader:ident) => { $field };
    (@unwrap change $field:ident $reader:ident) => { $field };
    (@unwrap patch $field:ident $reader:ident) => { $field };
    (@schema required $schema:ident) => { $schema };
    (@schema change $schema:ident) => { $schema };
    (@schema default $schema:ident) => { $crate::edge::body::nullable($schema) };
    (@schema optional $schema:ident) => { $crate::edge::body::nullable($schema) };
    (@schema patch $schema:ident) => { $crate::edge::body::nullable($schema) };
}

pub use serde_json::{Map, Value};

/// `{type: object, additionalProperties: false}` with these properties.
pub fn object_schema(properties: Map<String, Value>, required: Vec<Value>) -> Value {
    let mut schema =
        serde_json::json!({"type": "object", "additionalProperties": false, "properties": properties});
    if !required.is_empty() {
        schema["required"] = required.into();
    }
    schema
}

/// The schema, or null.
pub fn nullable(mut schema: Value) -> Value {
    let Some(kind) = schema["type"].as_str() else {
        return serde_json::json!({"anyOf": [schema, {"type": "null"}]});
    };
    schema["type"] = serde_json::json!([kind, "null"]);
    if let Some(words) = schema.get_mut("enum").and_then(Value::as_array_mut) {
        words.push(Value::Null);
    }
    schema
}

/// The schema with the lines of a doc comment as its description.
pub fn described(mut schema: Value, lines: &[&str]) -> Value {
    let lines: Vec<&str> = lines.iter().map(|line| line.trim()).collect();
    if !lines.is_empty() {
        schema["description"] = lines.join(" ").into();
    }
    schema
}

/// Parses an object of type `T` at `pointer`.
pub fn read_object<T: JsonBody>(value: &Json, pointer: &str) -> Result<T, Vec<Rejection>> {
    let Json::Object(fields) = value else {
        return Err(vec![wrong_type(value, pointer, "an object")]);
    };
    T::read_fields(FieldReader::new(fields.clone(), pointer))
}

/// Names every unknown field of an object of type `T`, and of the objects in it.
pub fn unknown_fields<T: JsonBody>(value: &Json, pointer: &str) -> Vec<Rejection> {
    let Json::Object(fields) = value else { return Vec::new() };
    let mut unknown = Vec::new();
    for (name, value) in fields {
        let below = pointer_to(pointer, name);
        if T::FIELDS.contains(&name.as_str()) {
            unknown.extend(T::unknown_in(name, value, &below));
        } else {
            unknown.push(Rejection::new(below, "unknown_field", "is not a field of this body"));
        }
    }
    unknown
}

/// Parses a whole body.
///
/// # Errors
/// 400 or 422, as the contract orders them.
pub fn parse<T: JsonBody>(bytes: &[u8]) -> Result<T, Problem> {
    let value = Json::parse(bytes).map_err(|error| match error {
        JsonError::Malformed(reason) => Problem::new(ProblemType::InvalidJson).detail(reason),
        JsonError::NumberOutOfRange => Problem::field("", "out_of_range", "a number is beyond every range"),
    })?;
    let unknown = unknown_fields::<T>(&value, "");
    if !unknown.is_empty() {
        return Err(Problem { errors: unknown, ..Problem::new(ProblemType::UnknownField) });
    }
    read_object(&value, "").map_err(Problem::fields)
}

/// A parsed JSON body, with its fingerprint for the idempotency record.
pub struct Body<T> {
    pub value: T,
    pub raw: Bytes,
}

impl<S: Send + Sync, T: JsonBody> FromRequest<S> for Body<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, _: &S) -> Result<Self, Problem> {
        let merge_patch = request.method() == http::Method::PATCH;
        // Nothing at all is of no type: what is wrong with it is that it is empty.
        let empty = request.body().is_end_stream() || request.body().size_hint().exact() == Some(0);
        if !empty && !is_json(request.headers(), merge_patch) {
            return Err(Problem::new(ProblemType::UnsupportedMediaType));
        }
        refuse_coding(request.headers())?;
        let raw = read_bytes(request).await?;
        Ok(Self { value: parse(&raw)?, raw })
    }
}

/// A JSON body that may be left out: no body counts as `{}`.
pub struct OptionalBody<T>(pub T);

impl<S: Send + Sync, T: JsonBody> FromRequest<S> for OptionalBody<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, _: &S) -> Result<Self, Problem> {
        let json = is_json(request.headers(), false);
        let coding = refuse_coding(request.headers());
        let raw = read_bytes(request).await;
        if raw.as_ref().is_ok_and(Bytes::is_empty) {
            return Ok(Self(parse(b"{}")?));
        }
        if !json {
            return Err(Problem::new(ProblemType::UnsupportedMediaType));
        }
        coding?;
        Ok(Self(parse(&raw?)?))
    }
}

async fn read_bytes(request: Request) -> Result<Bytes, Problem> {
    let max = request.extensions().get::<Scope>().map_or(64 * 1024, |scope| scope.body_max);
    match Limited::new(request.into_body(), max).collect().await {
        Ok(body) => Ok(body.to_bytes()),
        Err(error) if error.downcast_ref::<LengthLimitError>().is_some() => {
            Err(Problem::new(ProblemType::BodyTooLarge).detail(format!("at most {max} bytes")))
        }
        Err(_) => Err(Problem::new(ProblemType::InvalidJson).detail("the body could not be read")),
    }
}

/// A compressed body is never unpacked: a few bytes of it may stand for any number.
fn refuse_coding(headers: &http::HeaderMap) -> Result<(), Problem> {
    let plain = |coding: &str| matches!(coding.trim().to_ascii_lowercase().as_str(), "" | "identity");
    let mut values = headers.get_all(header::CONTENT_ENCODING).iter();
    if values.all(|value| value.to_str().is_ok_and(|list| list.split(',').all(plain))) {
        return Ok(());
    }
    let problem = Problem::new(ProblemType::UnsupportedMediaType);
    Err(Problem { coding: true, ..problem }.detail("the body must come without a content coding"))
}

fn is_json(headers: &http::HeaderMap, merge_patch: bool) -> bool {
    let mut types = headers.get_all(header::CONTENT_TYPE).iter();
    let (Some(value), None) = (types.next(), types.next()) else { return false };
    let text = value.to_str().unwrap_or_default();
    let mut parts = text.split(';').map(str::trim);
    let media = parts.next().unwrap_or_default().to_ascii_lowercase();
    let utf8 = parts.all(|parameter| {
        let parameter = parameter.to_ascii_lowercase();
        parameter
            .strip_prefix("charset=")
            .is_none_or(|charset| matches!(charset, "utf-8" | "\"utf-8\"" | "utf8" | "\"utf8\""))
    });
    utf8 && (media == "application/json" || (merge_patch && media == "application/merge-patch+json"))
}

/// A field error of the wrong JSON type.
pub fn wrong_type(value: &Json, pointer: &str, wanted: &str) -> Rejection {
    Rejection::new(pointer, "wrong_type", format!("must be {wanted}, not {}", value.kind()))
}

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
