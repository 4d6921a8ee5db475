//! The headers that every answer carries: security, CORS, rate limits, request id. Must never depend on what the answer
//! says, but for `Allow`.

use axum::response::{IntoResponse, Response};
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header};

use super::admit::RequestOutcome;
use super::scope::Scope;

/// The headers that every answer carries, whatever it is.
const SECURITY_HEADERS: &[(&str, &str)] = &[
    (
        "content-security-policy",
        "default-src 'none'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'",
    ),
    ("strict-transport-security", "max-age=31536000; includeSubDomains"),
    ("x-content-type-options", "nosniff"),
    ("x-frame-options", "DENY"),
    ("x-xss-protection", "0"),
    ("referrer-policy", "no-referrer"),
    ("cross-origin-opener-policy", "same-origin"),
    ("cross-origin-resource-policy", "same-origin"),
    ("origin-agent-cluster", "?1"),
    ("x-dns-prefetch-control", "off"),
    ("x-download-options", "noopen"),
    ("x-permitted-cross-domain-policies", "none"),
    (
        "permissions-policy",
        "accelerometer=(), ambient-light-sensor=(), autoplay=(), bluetooth=(), browsing-topics=(), camera=(), \
         clipboard-read=(), clipboard-write=(), compute-pressure=(), cross-origin-isolated=(), display-capture=(), \
         encrypted-media=(), fullscreen=(), gamepad=(), geolocation=(), gyroscope=(), hid=(), \
         identity-credentials-get=(), idle-detection=(), keyboard-map=(), local-fonts=(), magnetometer=(), \
         microphone=(), midi=(), otp-credentials=(), payment=(), picture-in-picture=(), \
         publickey-credentials-create=(), publickey-credentials-get=(), screen-wake-lock=(), serial=(), \
         speaker-selection=(), storage-access=(), sync-xhr=(), usb=(), web-share=(), window-management=(), \
         xr-spatial-tracking=()",
    ),
    ("cache-control", "no-store"),
];

const EXPOSED_HEADERS: &str = "RateLimit, RateLimit-Policy, Retry-After, X-Request-Id, Idempotency-Replayed, ETag, \
                               Location, Link, Content-Disposition";

pub(super) fn set(headers: &mut HeaderMap, name: &'static str, value: &str) {
    if let Ok(value) = HeaderValue::try_from(value) {
        headers.insert(HeaderName::from_static(name), value);
    }
}

/// Whether a request is a CORS preflight.
pub(super) fn is_preflight(method: &Method, headers: &HeaderMap) -> bool {
    method == Method::OPTIONS
        && headers.contains_key(header::ORIGIN)
        && headers.contains_key(header::ACCESS_CONTROL_REQUEST_METHOD)
}

/// Adds the headers of a function's answers.
pub(super) struct ResponseHeaders {
    pub(super) cors_origins: Vec<String>,
}

impl ResponseHeaders {
    /// Adds every header that an answer owes its client.
    pub(super) fn apply(
        &self,
        mut response: Response,
        scope: &Scope,
        outcome: &RequestOutcome,
        origin: Option<&HeaderValue>,
    ) -> Response {
        let not_allowed = response.status() == StatusCode::METHOD_NOT_ALLOWED;
        let headers = response.headers_mut();
        for (name, value) in SECURITY_HEADERS {
            headers.insert(HeaderName::from_static(name), HeaderValue::from_static(value));
        }
        set(headers, "x-request-id", &scope.request_id);
        if !not_allowed {
            // axum adds one wherever its own method filter did not match, as on a preflight.
            headers.remove(header::ALLOW);
        }
        if let Some(verdict) = &outcome.verdict {
            set(headers, "ratelimit-policy", &verdict.policy_header());
            set(headers, "ratelimit", &verdict.limit_header());
        }
        headers.insert(header::VARY, HeaderValue::from_static("Origin, Sec-Fetch-Site"));
        if let Some(origin) = self.allowed_origin(origin) {
            headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, origin.clone());
            headers.insert(header::ACCESS_CONTROL_ALLOW_CREDENTIALS, HeaderValue::from_static("true"));
            headers.insert(header::ACCESS_CONTROL_EXPOSE_HEADERS, HeaderValue::from_static(EXPOSED_HEADERS));
        }
        response
    }

    fn allowed_origin<'a>(&self, origin: Option<&'a HeaderValue>) -> Option<&'a HeaderValue> {
        let text = origin?.to_str().ok()?;
        self.cors_origins.iter().any(|allowed| allowed == text).then_some(origin?)
    }

    pub(super) fn preflight(&self, headers: &HeaderMap) -> Response {
        let mut response = StatusCode::NO_CONTENT.into_response();
        if self.allowed_origin(headers.get(header::ORIGIN)).is_some() {
            let answer = response.headers_mut();
            answer.insert(
                header::ACCESS_CONTROL_ALLOW_METHODS,
                HeaderValue::from_static("GET, HEAD, POST, PUT, PATCH, DELETE"),
            );
            answer.insert(
                header::ACCESS_CONTROL_ALLOW_HEADERS,
                HeaderValue::from_static(
                    "authorization, content-type, idempotency-key, if-match, x-request-id",
                ),
            );
            answer.insert(header::ACCESS_CONTROL_MAX_AGE, HeaderValue::from_static("7200"));
        }
        response
    }
}
