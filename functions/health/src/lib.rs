//! `GET /health`: whether MongoDB answers and Redis counts. Also invoked by a schedule, whose event is no HTTP event; and the
//! door of every unknown path, which the edge answers 404. Must never tell more than the contract: no version, no host.

mod contract;

use std::time::Duration;
use std::time::Instant;

use axum::Router;
use axum::extract::{FromRequestParts, Request, State};
use axum::http::StatusCode;
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use lambda_http::RequestExt;
use lambda_http::request::RequestContext;
use serde::Serialize;
use shared::boot::{Boot, MissingPart};
use shared::clock::{self, Clock};
use shared::config::Need;
use shared::edge::respond::Answer;
use shared::edge::route::get;
use shared::edge::{Function, RouteInfo, Routes, Scope, layers};
use shared::metrics::{self, Metric};
use shared::rate_limit;
use shared::store::Mongo;
use shared::store::redis::Redis;
use utoipa::ToSchema;

pub use contract::contract;

pub const FUNCTION: Function = Function { name: "health", needs: &[Need::Mongo, Need::Redis] };

/// How long a database may take to answer.
const PING_TIME_MAX: Duration = Duration::from_secs(1);

#[derive(Clone)]
struct App {
    mongo: Mongo,
    redis: Redis,
    clock: Clock,
    started: Instant,
}

fn table() -> Routes<App> {
    Routes::new([get("/health", get_health).public()])
}

pub fn routes() -> Vec<RouteInfo> {
    table().into_table()
}

/// # Errors
/// The configuration lacks a part that [`FUNCTION`] needs.
pub fn build(boot: &Boot) -> Result<Router, MissingPart> {
    let app = App {
        mongo: boot.mongo()?,
        redis: boot.redis()?,
        clock: boot.clock.clone(),
        started: boot.environment.started,
    };
    // The schedule is told by the request's context, never by a path: no HTTP client can reach it.
    let router = layers::serve(boot, FUNCTION.name, table(), app.clone())?;
    Ok(router.layer(middleware::from_fn_with_state(app, answer_schedule)))
}

/// Whether the services that requests need answer.
#[derive(Debug, Serialize, ToSchema)]
pub struct HealthView {
    /// `healthy` where every service answers.
    pub status: &'static str,
    /// When it was found out, to the second.
    pub timestamp: String,
    /// Whole seconds since this execution environment started.
    pub uptime: u64,
    /// Each service.
    pub services: ServicesView,
}

/// Each service: `connected` where it answered in time.
#[derive(Debug, Serialize, ToSchema)]
pub struct ServicesView {
    /// The database.
    pub mongodb: &'static str,
    /// The counters of the rate limits.
    pub redis: &'static str,
}

impl App {
    async fn check(&self, scope: Option<&Scope>) -> HealthView {
        let mongo = async {
            let store = match scope {
                Some(scope) => self.mongo.within(scope.mongo_until),
                None => self.mongo.for_duration(PING_TIME_MAX),
            };
            store.ping(PING_TIME_MAX).await
        };
        let redis = rate_limit::redis_counts(&self.redis, PING_TIME_MAX);
        let (mongo, redis) = tokio::join!(mongo, redis);
        for (service, up) in [("mongodb", mongo), ("redis", redis)] {
            if !up {
                metrics::count(Metric::HealthFailure, service);
            }
        }
        let word = |up: bool| if up { "connected" } else { "disconnected" };
        HealthView {
            status: if mongo && redis { "healthy" } else { "unhealthy" },
            timestamp: clock::rfc3339(self.clock.now_ms() / 1000 * 1000),
            uptime: self.started.elapsed().as_secs(),
            services: ServicesView { mongodb: word(mongo), redis: word(redis) },
        }
    }
}

async fn get_health(State(app): State<App>, scope: Scope) -> Answer {
    let view = app.check(Some(&scope)).await;
    let status = if view.status == "healthy" { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    let answer = Answer::json(status, &view);
    if status == StatusCode::OK { answer } else { answer.header("retry-after", "1") }
}

async fn answer_schedule(State(app): State<App>, request: Request, next: Next) -> Response {
    if !matches!(request.request_context_ref(), Some(RequestContext::PassThrough)) {
        return next.run(request).await;
    }
    let (mut parts, _) = request.into_parts();
    let scope = Scope::from_request_parts(&mut parts, &()).await.ok();
    let view = app.check(scope.as_ref()).await;
    metrics::count(Metric::HealthCheck, FUNCTION.name);
    tracing::info!(
        message = "health checked",
        status = view.status,
        mongodb = view.services.mongodb,
        redis = view.services.redis,
    );
    Answer::ok(&view).into_response()
}
