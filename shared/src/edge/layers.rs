//! What happens around every handler, in one function, top to bottom: request id and span, preflight, route look-up,
//! limiter and session in parallel, query, deadline and panic guard, then headers and one log line.
//!
//! Must never decide what an operation does. It must always answer: an error of the service would become API Gateway's.

use std::collections::HashMap;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::Router;
use axum::extract::{FromRequestParts, MatchedPath, Request, State};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use finance::id::UserId;
use futures_util::FutureExt;
use http::request::Parts;
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header};
use lambda_http::RequestExt;
use lambda_http::request::RequestContext;
use opentelemetry::context::FutureExt as _;
use tracing::Instrument;
use uuid::Uuid;

use super::problem::{Problem, ProblemType};
use super::query::Query;
use super::route::{Access, RouteInfo, Routes};
use crate::boot::{Boot, Environment};
use crate::clock::Clock;
use crate::identity::{self, AccessTokens, Credential};
use crate::ids;
use crate::metrics::{self, Metric};
use crate::observability::{Failure, Incoming, Watch, known_method};
use crate::rate_limit::{LimitClass, RateLimiter, Verdict, client_key};
use crate::store::Mongo;
use crate::store::sessions::Sessions;
use crate::telemetry;

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

/// Who is calling, before anyone has asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Caller {
    Anonymous,
    /// A token that does not verify, or whose session has ended.
    Invalid,
    /// A token that verifies, whose session could not be looked up.
    Unknown,
    User(Principal),
}

/// A caller whose token verified and whose session lives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Principal {
    pub user: UserId,
    pub session: Uuid,
}

impl<S: Send + Sync> FromRequestParts<S> for Principal {
    type Rejection = Problem;
    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        match parts.extensions.get::<Caller>() {
            Some(Caller::User(principal)) => Ok(*principal),
            _ => Err(Problem::new(ProblemType::Unauthenticated)),
        }
    }
}

impl<S: Send + Sync> FromRequestParts<S> for Caller {
    type Rejection = Problem;
    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        Ok(parts.extensions.get::<Caller>().copied().unwrap_or(Caller::Anonymous))
    }
}

struct Edge {
    service: &'static str,
    clock: Clock,
    cors_origins: Vec<String>,
    deadline_margin: Duration,
    mongo_budget: Duration,
    body_max: usize,
    routes: HashMap<(Method, String), RouteInfo>,
    limiter: RateLimiter,
    /// Absent where the function has no private route.
    identity: Option<(AccessTokens, Mongo)>,
    environment: Arc<Environment>,
    /// Absent where nobody is told of requests.
    watch: Option<Watch>,
}

/// Wraps a function's routes with everything that every answer owes its client, below `/api/v1` and `/api`.
pub fn serve<S: Clone + Send + Sync + 'static>(
    boot: &Boot,
    service: &'static str,
    routes: Routes<S>,
    state: S,
) -> Router {
    let (router, table) = routes.into_parts();
    let private = table.iter().any(|route| route.access == Access::Private);
    let identity = match (private, &boot.config.jwt) {
        (true, Some(jwt)) => boot.mongo().map(|mongo| (AccessTokens::new(jwt, boot.clock.clone()), mongo)),
        _ => None,
    };
    let mut by_path = HashMap::new();
    for route in table {
        for base in ["/api/v1", "/api"] {
            by_path.insert((route.method.clone(), format!("{base}{}", route.path)), route.clone());
        }
    }
    let edge = Arc::new(Edge {
        service,
        clock: boot.clock.clone(),
        cors_origins: boot.config.cors_origins.clone(),
        deadline_margin: boot.config.deadline_margin,
        mongo_budget: boot.config.mongo.as_ref().map_or(REQUEST_TIME_MAX, |mongo| mongo.operation_timeout),
        body_max: boot.config.max_body_bytes,
        routes: by_path,
        limiter: RateLimiter::new(boot.config.limits, boot.redis(), boot.environment.local_logs.clone()),
        identity,
        environment: boot.environment.clone(),
        watch: boot.watch(service),
    });
    let router = router.with_state(state);
    Router::new()
        .nest("/api/v1", router.clone())
        .nest("/api", router)
        .fallback(async || Problem::not_found())
        .layer(middleware::from_fn_with_state(edge, around))
}

/// On a request: the secrets have gone without a refresh for too long, so that it must be refused.
#[derive(Clone, Copy, Debug)]
pub(crate) struct SecretsTooOld;

/// Why every request is refused while [`SecretsTooOld`] holds.
#[derive(Debug, thiserror::Error)]
#[error("the secrets could not be refreshed for an hour")]
struct TooOld;

/// On an answer with 5xx: what others may be told of it.
#[derive(Clone, Copy)]
struct ReportableFailure {
    kind: ProblemType,
    cause: Option<&'static str>,
}

/// What the limiter and the identity have to say of one request, kept for its headers and its log line.
#[derive(Default)]
struct RequestOutcome {
    verdict: Option<Verdict>,
    user: Option<UserId>,
}

async fn around(State(edge): State<Arc<Edge>>, request: Request, next: Next) -> Response {
    let started = Instant::now();
    let scope = edge.scope(&request, started);
    let cold_start = edge.environment.is_cold(edge.service);
    match &edge.watch {
        Some(watch) => watched(watch, &edge, request, next, &scope, started, cold_start).await,
        None => answered(&edge, request, next, &scope, started, cold_start).await,
    }
}

/// The same, told to others: its trace and the report of its failure go out before the answer does, for Lambda freezes the
/// process after it. Half of the margin to Lambda's own deadline stays.
async fn watched(
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
    let answer = answered(edge, request, next, scope, started, cold_start);
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
    watch.send(scope.deadline + edge.deadline_margin / 2).await;
    response
}

fn matched(request: &Request) -> Option<String> {
    request.extensions().get::<MatchedPath>().map(|path| path.as_str().to_owned())
}

async fn answered(
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
    let span = edge.span(&request, scope, cold_start);
    let lambda = request.lambda_context_ref().map(|context| context.env_config.clone());
    request.extensions_mut().insert(scope.clone());
    let mut outcome = RequestOutcome::default();

    let guarded = AssertUnwindSafe(edge.answer(request, next, scope, route.as_deref(), &mut outcome));
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

    let response = span.in_scope(|| finish(edge, response, scope, &outcome, origin.as_ref()));
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

impl Edge {
    fn scope(&self, request: &Request, started: Instant) -> Scope {
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

    /// Of the severest level, so that a line of any level keeps its request's ids.
    fn span(&self, request: &Request, scope: &Scope, cold_start: bool) -> tracing::Span {
        let context = request.lambda_context_ref();
        let gateway_id = match request.request_context_ref() {
            Some(RequestContext::ApiGatewayV2(context)) => context.request_id.as_deref(),
            _ => None,
        };
        tracing::error_span!(
            "request",
            service = self.service,
            cold_start,
            function_name =
                context.map(|c| c.env_config.function_name.as_str()).filter(|name| !name.is_empty()),
            function_request_id = context.map(|c| c.request_id.as_str()),
            correlation_id = &*scope.request_id,
            apigw_request_id = gateway_id,
            xray_trace_id = context.and_then(|c| c.xray_trace_id.as_deref()).and_then(trace_root),
        )
    }

    async fn answer(
        &self,
        request: Request,
        next: Next,
        scope: &Scope,
        route: Option<&str>,
        outcome: &mut RequestOutcome,
    ) -> Response {
        if is_preflight(&request) {
            return self.preflight(request.headers());
        }
        match self.admit(request, scope, route, outcome).await {
            Ok(request) => next.run(request).await,
            Err(problem) => problem.into_response(),
        }
    }

    /// Limits first, so that a flood of bad tokens is counted; then the method, the token and the query.
    async fn admit(
        &self,
        mut request: Request,
        scope: &Scope,
        path: Option<&str>,
        outcome: &mut RequestOutcome,
    ) -> Result<Request, Problem> {
        let route = path.and_then(|path| self.route(request.method(), path)).cloned();
        let class = route.as_ref().map_or(LimitClass::General, |route| route.limit);
        let client = client_key(&scope.source_ip);
        let (verdict, caller) =
            tokio::join!(self.limiter.check(class, &client), self.identify(request.headers(), scope));
        let retry_after = verdict.retry_after;
        if verdict.degraded {
            metrics::count(Metric::LimiterDegraded, self.service);
        }
        outcome.verdict = Some(verdict);
        if let Some(seconds) = retry_after {
            return Err(Problem::new(ProblemType::RateLimited).retry_after(seconds));
        }
        if request.extensions().get::<SecretsTooOld>().is_some() {
            return Err(Problem::new(ProblemType::Unavailable).caused_by(TooOld));
        }
        let Some(path) = path else { return Err(Problem::not_found()) };
        let Some(route) = route else { return Err(self.method_not_allowed(path)) };
        // A session that could not be looked up fails a private route only.
        let caller = match (caller, route.access) {
            (Ok(Caller::User(principal)), _) => {
                outcome.user = Some(principal.user);
                Caller::User(principal)
            }
            (Ok(_), Access::Private) => return Err(Problem::new(ProblemType::Unauthenticated)),
            (Err(problem), Access::Private) => return Err(problem),
            (Ok(caller), Access::Public) => caller,
            (Err(_), Access::Public) => Caller::Unknown,
        };
        let query = Query::parse(raw_query(&request), route.query)?;
        let body_max = route.body_max.unwrap_or(self.body_max);
        let extensions = request.extensions_mut();
        extensions.insert(Scope { body_max, ..scope.clone() });
        extensions.insert(caller);
        extensions.insert(query);
        Ok(request)
    }

    fn route(&self, method: &Method, path: &str) -> Option<&RouteInfo> {
        let method = if method == Method::HEAD { Method::GET } else { method.clone() };
        self.routes.get(&(method, path.to_owned()))
    }

    fn method_not_allowed(&self, path: &str) -> Problem {
        let mut allowed: Vec<&str> = self
            .routes
            .keys()
            .filter(|(_, known)| known == path)
            .map(|(method, _)| method.as_str())
            .collect();
        if allowed.contains(&"GET") {
            allowed.push("HEAD");
        }
        allowed.sort_unstable();
        Problem { allow: Some(allowed.join(", ")), ..Problem::new(ProblemType::MethodNotAllowed) }
    }

    async fn identify(&self, headers: &HeaderMap, scope: &Scope) -> Result<Caller, Problem> {
        let Some((tokens, mongo)) = &self.identity else { return Ok(Caller::Anonymous) };
        let token = match identity::bearer_token(headers) {
            Credential::Nothing => return Ok(Caller::Anonymous),
            Credential::Unreadable => return Ok(Caller::Invalid),
            Credential::Token(token) => token,
        };
        let Some(verified) = tokens.verify(token) else { return Ok(Caller::Invalid) };
        let live =
            Sessions::new(mongo.within(scope.mongo_until)).is_live(verified.user, verified.session).await?;
        Ok(if live {
            Caller::User(Principal { user: verified.user, session: verified.session })
        } else {
            Caller::Invalid
        })
    }

    fn allowed_origin<'a>(&self, origin: Option<&'a HeaderValue>) -> Option<&'a HeaderValue> {
        let text = origin?.to_str().ok()?;
        self.cors_origins.iter().any(|allowed| allowed == text).then_some(origin?)
    }

    fn preflight(&self, headers: &HeaderMap) -> Response {
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

/// The version of the function that runs, as Lambda numbers them.
fn version(lambda: Option<&lambda_runtime::Config>) -> &str {
    lambda.map(|config| config.version.as_str()).filter(|version| !version.is_empty()).unwrap_or("$LATEST")
}

/// The trace's own id of an X-Ray header, `Root=1-...;Parent=...;Sampled=1;...`.
fn trace_root(header: &str) -> Option<&str> {
    header.split(';').find_map(|part| part.trim().strip_prefix("Root="))
}

fn is_preflight(request: &Request) -> bool {
    request.method() == Method::OPTIONS
        && request.headers().contains_key(header::ORIGIN)
        && request.headers().contains_key(header::ACCESS_CONTROL_REQUEST_METHOD)
}

fn is_request_id(text: &str) -> bool {
    (8..=64).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
}

/// The query as it came; the URI that lambda_http builds may have joined repeated parameters.
fn raw_query(request: &Request) -> &str {
    request.uri().query().unwrap_or_default()
}

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

fn set(headers: &mut HeaderMap, name: &'static str, value: &str) {
    if let Ok(value) = HeaderValue::try_from(value) {
        headers.insert(HeaderName::from_static(name), value);
    }
}

fn finish(
    edge: &Edge,
    response: Response,
    scope: &Scope,
    outcome: &RequestOutcome,
    origin: Option<&HeaderValue>,
) -> Response {
    let mut response = render_problem(response, scope);
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
    if let Some(origin) = edge.allowed_origin(origin) {
        headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, origin.clone());
        headers.insert(header::ACCESS_CONTROL_ALLOW_CREDENTIALS, HeaderValue::from_static("true"));
        headers.insert(header::ACCESS_CONTROL_EXPOSE_HEADERS, HeaderValue::from_static(EXPOSED_HEADERS));
    }
    response
}

/// Writes the document of a problem that a handler, an extractor or the edge answered with. What axum itself refuses
/// (it knows no problem) is made one by its status.
fn render_problem(response: Response, scope: &Scope) -> Response {
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
