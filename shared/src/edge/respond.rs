//! The shapes of successful answers. Must never be used for an error: [`super::problem`] is the door for those.

use axum::body::Body;
use axum::response::{IntoResponse, Response};
use http::{HeaderValue, StatusCode, header};
use serde::Serialize;

use crate::store::Replay;

/// An answer as it goes out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    pub status: u16,
    /// Lower-case names.
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
}

impl Answer {
    /// A JSON body. The views are plain data, so that writing them cannot fail; if it did, the edge answers 500.
    pub fn json(status: StatusCode, view: &impl Serialize) -> Self {
        match serde_json::to_vec(view) {
            Ok(body) => Self {
                status: status.as_u16(),
                headers: vec![("content-type".into(), "application/json; charset=utf-8".into())],
                body,
            },
            Err(_) => Self { status: 500, headers: Vec::new(), body: Vec::new() },
        }
    }

    pub fn ok(view: &impl Serialize) -> Self {
        Self::json(StatusCode::OK, view)
    }

    /// 201 with where the new resource is.
    pub fn created(location: String, view: &impl Serialize) -> Self {
        Self::json(StatusCode::CREATED, view).header("location", location)
    }

    pub fn no_content() -> Self {
        Self { status: 204, headers: Vec::new(), body: Vec::new() }
    }

    pub fn header(mut self, name: &str, value: impl Into<String>) -> Self {
        self.headers.push((name.to_owned(), value.into()));
        self
    }

    /// A strong entity tag.
    pub fn etag(self, tag: &str) -> Self {
        let value = format!("\"{tag}\"");
        self.header("etag", value)
    }
}

impl From<Answer> for Replay {
    fn from(answer: Answer) -> Self {
        let Answer { status, headers, body } = answer;
        Self { status, headers, body, replayed: false }
    }
}

impl From<Replay> for Answer {
    fn from(replay: Replay) -> Self {
        let Replay { status, headers, body, replayed } = replay;
        let answer = Self { status, headers, body };
        if replayed { answer.header("idempotency-replayed", "true") } else { answer }
    }
}

impl IntoResponse for Answer {
    fn into_response(self) -> Response {
        let mut response = Response::new(Body::from(self.body));
        *response.status_mut() =
            StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        for (name, value) in self.headers {
            if let (Ok(name), Ok(value)) = (header::HeaderName::try_from(name), HeaderValue::try_from(value))
            {
                response.headers_mut().append(name, value);
            }
        }
        response
    }
}

/// One page of a list.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Page<T> {
    pub items: Vec<T>,
    pub next_cursor: Option<String>,
}

/// The decimal string of an amount in minor units.
pub fn decimal(minor: i64, currency: finance::currency::Currency) -> String {
    finance::money::Money::new(minor, currency).to_decimal()
}
