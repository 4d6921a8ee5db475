//! `/health`: what it says of the databases, the schedule, and what the API does while one of them is away.

use std::time::{Duration, Instant};

use serde_json::{Value, json};
use shared::metrics::Metric;
use tests::log::capture;
use tests::{Answer, TestApp};

/// Nothing listens there.
const NO_MONGODB: (&str, &str) = ("MONGODB_URI", "mongodb://127.0.0.1:1/?directConnection=true");
const NO_REDIS: (&str, &str) = ("REDIS_URL", "redis://127.0.0.1:1");

const SCHEDULE: &str = include_str!("../../events/health.schedule.json");

fn assert_view(view: &Value, status: &str, mongodb: &str, redis: &str) {
    let mut members: Vec<_> = view.as_object().unwrap().keys().cloned().collect();
    members.sort();
    assert_eq!(members, ["services", "status", "timestamp", "uptime"], "nothing internal is told");
    assert_eq!(view["status"], status);
    assert_eq!(view["services"], json!({"mongodb": mongodb, "redis": redis}));
    let timestamp = view["timestamp"].as_str().unwrap();
    assert!(timestamp.ends_with('Z') && timestamp.len() == 20, "whole seconds: {timestamp}");
    assert!(view["uptime"].is_u64());
}

async fn health(app: &TestApp) -> Answer {
    app.anonymous("GET", "/health", None).await
}

#[tokio::test]
async fn it_is_healthy_while_both_databases_answer() {
    let app = TestApp::start().await;
    let answer = health(&app).await;
    answer.expect(200);
    assert_view(&answer.json, "healthy", "connected", "connected");
    assert_eq!(answer.header("content-type"), Some("application/json; charset=utf-8"));
}

#[tokio::test]
async fn one_database_away_is_503_and_says_which() {
    for (missing, mongodb, redis) in [
        (vec![NO_REDIS], "connected", "disconnected"),
        (vec![NO_MONGODB], "disconnected", "connected"),
        (vec![NO_MONGODB, NO_REDIS], "disconnected", "disconnected"),
    ] {
        let app = TestApp::start().await.sibling_with(&missing);
        let began = Instant::now();
        let answer = health(&app).await;
        answer.expect(503);
        assert_view(&answer.json, "unhealthy", mongodb, redis);
        assert!(answer.header("retry-after").is_some());
        assert!(began.elapsed() < Duration::from_secs(3), "each ping has one second, side by side");
    }
}

#[tokio::test]
async fn the_schedules_event_is_checked_and_answered_whatever_it_finds() {
    let log = capture();
    let app = TestApp::start().await;
    let answer = app.invoke("health", SCHEDULE).await;
    answer.expect(200);
    assert_view(&answer.json, "healthy", "connected", "connected");
    // The invocation itself succeeded: Lambda must not try it again.
    let answer = app.sibling_with(&[NO_REDIS]).invoke("health", SCHEDULE).await;
    answer.expect(200);
    assert_view(&answer.json, "unhealthy", "connected", "disconnected");
    assert_eq!(log.metric(Metric::HealthCheck), 2, "both came to their end");
    app.anonymous("GET", "/health", None).await.expect(200);
    assert_eq!(log.metric(Metric::HealthCheck), 2, "a client's is none of the schedule's");
}

#[tokio::test]
async fn no_http_client_reaches_what_the_schedule_reaches() {
    let app = TestApp::start().await;
    let event = tests::event("POST", "/events", &tests::random_ip(), &[], Some(SCHEDULE));
    app.send(&event).await.expect_problem(404, "not_found");
    let event = tests::event("POST", "/api/v1/health", &tests::random_ip(), &[], Some(SCHEDULE));
    app.send(&event).await.expect_problem(405, "method_not_allowed");
}

#[tokio::test]
async fn without_redis_everything_but_health_goes_on() {
    let app = TestApp::start().await;
    let away = app.sibling_with(&[NO_REDIS]);
    let user = away.register().await;
    let transaction = away.expense(&user, "1.00", "2026-03-05", "x").await;
    away.get(&user, &format!("/transactions/{}", transaction["id"].as_str().unwrap())).await.expect(200);
    let answer = away.get(&user, "/transactions/summary?from=2026-03-01&to=2026-03-31").await;
    answer.expect(200);
    assert!(answer.header("ratelimit").is_some(), "limits go on, per instance");
}

#[tokio::test]
async fn without_mongodb_a_request_is_503_within_three_seconds_and_says_when_to_come_again() {
    let app = TestApp::start().await;
    let user = app.register().await;
    let away = app.sibling_with(&[NO_MONGODB, ("MONGO_OPERATION_TIMEOUT_MS", "2500")]);
    for (method, path, body) in [
        ("GET", "/transactions", None),
        ("POST", "/transactions", Some(json!({"type": "expense", "amount": "1.00", "description": "x"}))),
        ("GET", "/financial-health", None),
    ] {
        let began = Instant::now();
        let answer = away.call(&user, method, path, &[], body.as_ref()).await;
        answer.expect_problem(503, "service_unavailable");
        assert!(answer.header("retry-after").is_some());
        assert!(began.elapsed() < Duration::from_secs(3), "{method} {path}");
        let text = String::from_utf8(answer.raw.to_vec()).unwrap().to_lowercase();
        for internal in ["mongo", "127.0.0.1", "topology", "server selection"] {
            assert!(!text.contains(internal), "an answer tells of {internal}: {text}");
        }
    }
    // What needs no database answers all the same.
    away.anonymous("GET", "/financial-health/method", None).await.expect(200);
    away.anonymous("GET", "/nothing", None).await.expect_problem(404, "not_found");
    let bad = json!({"email": "x", "password": "short"});
    away.anonymous("POST", "/auth/register", Some(&bad)).await.expect_problem(422, "invalid_fields");
}
