//! The stack around every handler, in this order: [`middleware`] opens the scope, [`with_telemetry`] exports traces and
//! reports where that is enabled, [`respond`] holds the deadline, the panic guard, the headers and the log line, and
//! [`dispatch`] admits the request and runs the handler.
//!
//! Must never decide what an operation does. It must always answer: an error of the service would become API Gateway's.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Instant;

use axum::Router;
use axum::extract::{MatchedPath, Request, State};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use futures_util::FutureExt;
use http::{StatusCode, header};
use lambda_http::RequestExt;
use opentelemetry::context::FutureExt as _;
use tracing::Instrument;

use super::admit::{Admission, RequestOutcome};
use super::headers::{ResponseHeaders, is_preflight};
use super::problem::{Problem, ProblemType};
use super::render::{ReportableFailure, render_problem};
use super::route::Routes;
use super::scope::{Scope, Scopes};
use crate::boot::{Boot, Environment, MissingPart};
use crate::clock::Clock;
use crate::metrics::{self, Metric};
use crate::observability::{Failure, Incoming, Watch, known_method};
use crate::telemetry;

struct Edge {
    service: &'static str,
    clock: Clock,
    scopes: Scopes,
    admission: Admission,
    headers: ResponseHeaders,
    environment: Arc<Environment>,
    /// Absent where neither traces nor error reports are enabled.
    watch: Option<Watch>,
}

/// Wraps a function's routes with everything that every answer owes its client, below `/api/v1` and `/api`.
///
/// # Errors
/// The configuration lacks a part that the routes need.
pub fn serve<S: Clone + Send + Sync + 'static>(
    boot: &Boot,
    service: &'static str,
    routes: Routes<S>,
    state: S,
) -> Result<Router, MissingPart> {
    let (router, table) = routes.into_parts();
    let edge = Arc::new(Edge {
        service,
        clock: boot.clock.clone(),
        scopes: Scopes::new(boot),
        admission: Admission::new(boot, service, table)?,
        headers: ResponseHeaders { cors_origins: boot.config.cors_origins.clone() },
        environment: boot.environment.clone(),
        watch: boot.watch(service),
    });
    let router = router.with_state(state);
    Ok(Router::new()
        .nest("/api/v1", router.clone())
        .nest("/api", router)
        .fallback(async || Problem::not_found())
        .layer(from_fn_with_state(edge, middleware)))
}

async fn middleware(State(edge): State<Arc<Edge>>, request: Request, next: Next) -> Response {
    let started = Instant::now();
    let scope = edge.scopes.open(&request, started);
    let cold_start = edge.environment.is_cold(edge.service);
    match &edge.watch {
        Some(watch) => with_telemetry(watch, &edge, request, next, &scope, started, cold_start).await,
        None => respond(&edge, request, next, &scope, started, cold_start).await,
    }
}

/// Responds, and exports the trace and the report of a failure before the answer goes out: Lambda freezes the process after
/// it. Half of the margin to Lambda's own deadline stays.
async fn with_telemetry(
    watch: &Watch,
    edge: &Edge,
    request: Request,
    next: Next,
    scope: &Scope,
    started: Instant,
    cold_start: bool,
) -> Response {
    let route = matched(&request);
    let method = request.method().clone();
    let lambda = request.lambda_context_ref();
    let request_span = watch.begin(&Incoming {
        method: &method,
        route: route.as_deref(),
        headers: request.headers(),
        lambda,
        cold_start,
    });
    let answer = respond(edge, request, next, scope, started, cold_start);
    let response = answer.with_context(request_span.context()).await;
    let status = response.status();
    let told = response.extensions().get::<ReportableFailure>();
    let failure = status.is_server_error().then(|| Failure {
        status: status.as_u16(),
        code: told.map_or("unhealthy", |told| told.kind.code()),
        cause: told.and_then(|told| told.cause),
        method: known_method(&method),
        route: route.as_deref().unwrap_or("unmatched"),
        request_id: &scope.request_id,
        panic: None,
    });
    watch.end(request_span, status.as_u16(), failure);
    watch.send(scope.deadline + edge.scopes.deadline_margin / 2).await;
    response
}

fn matched(request: &Request) -> Option<String> {
    request.extensions().get::<MatchedPath>().map(|path| path.as_str().to_owned())
}

async fn respond(
    edge: &Edge,
    mut request: Request,
    next: Next,
    scope: &Scope,
    started: Instant,
    cold_start: bool,
) -> Response {
    let origin = request.headers().get(header::ORIGIN).cloned();
    let method = request.method().clone();
    let route = matched(&request);
    let span = scope.span(edge.service, &request, cold_start);
    let lambda = request.lambda_context_ref().map(|context| context.env_config.clone());
    request.extensions_mut().insert(scope.clone());
    let mut outcome = RequestOutcome::default();

    let guarded = AssertUnwindSafe(dispatch(edge, request, next, scope, route.as_deref(), &mut outcome));
    let response = match tokio::time::timeout_at(scope.deadline.into(), guarded.catch_unwind())
        .instrument(span.clone())
        .await
    {
        Ok(Ok(response)) => response,
        // Logged where it happened, by the panic hook.
        Ok(Err(_)) => Problem::new(ProblemType::Internal).into_response(),
        Err(_) => Problem::new(ProblemType::DeadlineExceeded).into_response(),
    };
    // MongoDB's time ends with the request's at the latest: whichever clock rang first, it is the request's that is over.
    let response = match response.extensions().get::<Problem>() {
        Some(problem) if problem.is_timeout() && Instant::now() >= scope.deadline => {
            Problem { kind: ProblemType::DeadlineExceeded, ..problem.clone() }.into_response()
        }
        _ => response,
    };

    let response = span.in_scope(|| {
        let rendered = render_problem(response, scope);
        edge.headers.apply(rendered, scope, &outcome, origin.as_ref())
    });
    let duration_ms = telemetry::millis(started.elapsed());
    span.in_scope(|| {
        let status = u64::from(response.status().as_u16());
        let user = outcome.user.map(|user| user.to_string());
        tracing::info!(
            message = "request completed",
            http.method = method.as_str(),
            http.route = route.as_deref().unwrap_or("unmatched"),
            http.status = status,
            duration_ms,
            user.id = user.as_deref(),
        );
    });
    if response.status() == StatusCode::INTERNAL_SERVER_ERROR {
        metrics::count_in_version(Metric::ServerError, edge.service, version(lambda.as_deref()));
    }
    edge.environment.requests.count(edge.service, edge.clock.now_ms(), duration_ms, cold_start);
    response
}

async fn dispatch(
    edge: &Edge,
    request: Request,
    next: Next,
    scope: &Scope,
    route: Option<&str>,
    outcome: &mut RequestOutcome,
) -> Response {
    if is_preflight(request.method(), request.headers()) {
        return edge.headers.preflight(request.headers());
    }
    match edge.admission.admit(request, scope, route, outcome).await {
        Ok(request) => next.run(request).await,
        Err(problem) => problem.into_response(),
    }
}

/// The version of the function that runs, as Lambda numbers them.
fn version(lambda: Option<&lambda_runtime::Config>) -> &str {
    lambda.map(|config| config.version.as_str()).filter(|version| !version.is_empty()).unwrap_or("$LATEST")
}
