//! The scope of one request: its ids, the client's address, and the time it may still spend. Opened before anything else
//! and carried by every log line. Must never be built from a header but `X-Request-Id`.

use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::extract::{FromRequestParts, Request};
use http::request::Parts;
use lambda_http::RequestExt;
use lambda_http::request::RequestContext;

use super::problem::{Problem, ProblemType};
use crate::boot::Boot;
use crate::clock::Clock;
use crate::ids;

/// The longest that a request may take where no Lambda context says otherwise.
const REQUEST_TIME_MAX: Duration = Duration::from_secs(10);

/// What a request may still spend, and what it is called.
#[derive(Clone, Debug)]
pub struct Scope {
    pub request_id: Arc<str>,
    pub source_ip: Arc<str>,
    pub user_agent: Arc<str>,
    /// The answer must be out by then.
    pub deadline: Instant,
    /// All MongoDB work must be done by then.
    pub mongo_until: Instant,
    pub(crate) body_max: usize,
}

impl<S: Send + Sync> FromRequestParts<S> for Scope {
    type Rejection = Problem;
    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        parts.extensions.get::<Scope>().cloned().ok_or_else(|| Problem::new(ProblemType::Internal))
    }
}

/// Opens the scopes of a function's requests.
pub(super) struct Scopes {
    clock: Clock,
    pub(super) deadline_margin: Duration,
    mongo_budget: Duration,
    pub(super) body_max: usize,
}

impl Scopes {
    pub(super) fn new(boot: &Boot) -> Self {
        let mongo = boot.config.mongo.as_ref();
        Self {
            clock: boot.clock.clone(),
            deadline_margin: boot.config.deadline_margin,
            mongo_budget: mongo.map_or(REQUEST_TIME_MAX, |mongo| mongo.operation_timeout),
            body_max: boot.config.max_body_bytes,
        }
    }

    pub(super) fn open(&self, request: &Request, started: Instant) -> Scope {
        let (source_ip, user_agent) = match request.request_context_ref() {
            Some(RequestContext::ApiGatewayV2(context)) => (
                context.http.source_ip.clone().unwrap_or_default(),
                context.http.user_agent.clone().unwrap_or_default(),
            ),
            _ => (String::new(), String::new()),
        };
        let inbound = request.headers().get("x-request-id").and_then(|value| value.to_str().ok());
        let request_id = match inbound.filter(|id| is_request_id(id)) {
            Some(id) => id.to_owned(),
            None => ids::new_id(&self.clock).to_string(),
        };
        let deadline = started + self.time_left(request);
        Scope {
            request_id: request_id.into(),
            source_ip: source_ip.into(),
            user_agent: user_agent.chars().take(300).collect::<String>().into(),
            deadline,
            mongo_until: deadline.min(started + self.mongo_budget),
            body_max: self.body_max,
        }
    }

    /// From the Lambda context minus the margin, so that our answer is out before Lambda ends the invocation.
    fn time_left(&self, request: &Request) -> Duration {
        let Some(context) = request.lambda_context_ref().filter(|context| context.deadline > 0) else {
            return REQUEST_TIME_MAX;
        };
        let left = context.deadline.saturating_sub(self.clock.now_ms().unsigned_abs());
        Duration::from_millis(left).saturating_sub(self.deadline_margin).min(REQUEST_TIME_MAX)
    }
}

impl Scope {
    /// The span of the request: of the severest level, so that a line of any level keeps its request's ids.
    pub(super) fn span(&self, service: &str, request: &Request, cold_start: bool) -> tracing::Span {
        let context = request.lambda_context_ref();
        let gateway_id = match request.request_context_ref() {
            Some(RequestContext::ApiGatewayV2(context)) => context.request_id.as_deref(),
            _ => None,
        };
        tracing::error_span!(
            "request",
            service,
            cold_start,
            function_name =
                context.map(|c| c.env_config.function_name.as_str()).filter(|name| !name.is_empty()),
            function_request_id = context.map(|c| c.request_id.as_str()),
            correlation_id = &*self.request_id,
            apigw_request_id = gateway_id,
            xray_trace_id = context.and_then(|c| c.xray_trace_id.as_deref()).and_then(trace_root),
        )
    }
}

/// The trace's own id of an X-Ray header, `Root=1-...;Parent=...;Sampled=1;...`.
fn trace_root(header: &str) -> Option<&str> {
    header.split(';').find_map(|part| part.trim().strip_prefix("Root="))
}

fn is_request_id(text: &str) -> bool {
    (8..=64).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_inbound_request_id_must_match_the_contract() {
        assert!(is_request_id("0190-abcdEF"));
        for bad in ["short", "with space", "with_underscore", "line\nbreak", &"a".repeat(65)] {
            assert!(!is_request_id(bad), "{bad}");
        }
    }
}
