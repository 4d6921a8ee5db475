//! Renders a problem into its document (RFC 9457) and logs its cause. Must never put the cause into the answer.

use axum::response::Response;
use http::{StatusCode, header};

use super::headers::set;
use super::problem::{Problem, ProblemType};
use super::scope::Scope;

/// Attached to 5xx responses: what error reporting may see.
#[derive(Clone, Copy)]
pub(super) struct ReportableFailure {
    pub(super) kind: ProblemType,
    pub(super) cause: Option<&'static str>,
}

/// Writes the document of a problem that a handler, an extractor or the edge answered with. What axum itself refuses
/// (it knows no problem) is made one by its status.
pub(super) fn render_problem(response: Response, scope: &Scope) -> Response {
    let problem = match response.extensions().get::<Problem>() {
        Some(problem) => problem.clone(),
        None if response.headers().contains_key(header::CONTENT_TYPE) => return response,
        None if response.status().is_server_error() => Problem::new(ProblemType::Internal),
        None if response.status() == StatusCode::NOT_FOUND => Problem::not_found(),
        None => return response,
    };
    if let Some(cause) = problem.cause_chain() {
        if problem.status().is_server_error() {
            tracing::error!(message = "request failed", code = problem.kind.code(), cause);
        } else {
            tracing::warn!(message = "request refused", code = problem.kind.code(), cause);
        }
    }
    let mut headers = response.headers().clone();
    headers.remove(header::CONTENT_LENGTH);
    let mut rendered = Response::new(axum::body::Body::from(problem.document(&scope.request_id)));
    *rendered.status_mut() = problem.status();
    if problem.status().is_server_error() {
        rendered
            .extensions_mut()
            .insert(ReportableFailure { kind: problem.kind, cause: problem.safe_cause() });
    }
    *rendered.headers_mut() = headers;
    let headers = rendered.headers_mut();
    set(headers, "content-type", "application/problem+json");
    if let Some(seconds) = problem.retry_after {
        set(headers, "retry-after", &seconds.to_string());
    }
    if let Some(allow) = &problem.allow {
        set(headers, "allow", allow);
    }
    if problem.coding {
        // RFC 7694: it tells a refused coding from a refused type, and stands with no other 415.
        set(headers, "accept-encoding", "identity");
    }
    if problem.kind == ProblemType::Unauthenticated {
        set(headers, "www-authenticate", "Bearer");
    }
    rendered
}
