//! Objects of a body: the fields that a type declares, each read once, with every error kept. Must never know what a field
//! means.

use finance::rejection::Rejection;

use crate::edge::contract::Named;
use crate::edge::json::Json;
use crate::edge::problem::pointer_to;

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

/// A field error of the wrong JSON type.
pub fn wrong_type(value: &Json, pointer: &str, wanted: &str) -> Rejection {
    Rejection::new(pointer, "wrong_type", format!("must be {wanted}, not {}", value.kind()))
}
