//! Parses a JSON body into a type, in the order that the contract names: content type and coding 415, syntax and unknown fields
//! 400, then every wrong, missing or bad value at once, 422. Must never leave a partial effect: parsing comes first.

mod object;
mod values;

use axum::body::{Bytes, HttpBody};
use axum::extract::{FromRequest, Request};
use http::header;
use http_body_util::{BodyExt, LengthLimitError, Limited};

use super::json::{Json, JsonError};
use super::problem::{Problem, ProblemType};
use super::scope::Scope;

pub use object::{
    FieldReader, FieldValue, JsonBody, Map, Patch, Value, described, nullable, object_schema, read_object,
    unknown_fields, wrong_type,
};
pub use values::{Decimal, ID_PATTERN, Notes, TEXT_PATTERNS, Text, TextError, TimeZoneName, parse_text};

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
