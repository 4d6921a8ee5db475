//! Error reports: Sentry is told of every 5xx, every panic and every failed start, of nothing else, and of nobody's data.

use std::collections::BTreeSet;

use axum::Router;
use http::StatusCode;
use lambda_http::tower::ServiceExt;
use serde_json::{Value, json};
use shared::clock::Clock;
use shared::reload::Live;
use tests::receiver::{Answers, Receiver};
use tests::{TestApp, canary, misbehaving};

async fn sentry() -> Receiver {
    Receiver::start(Answers::With(StatusCode::OK)).await
}

/// The events that it was sent, each looked at whole.
fn events(receiver: &Receiver) -> Vec<Value> {
    let known: BTreeSet<&str> = BTreeSet::from([
        "event_id",
        "level",
        "fingerprint",
        "transaction",
        "message",
        "logger",
        "platform",
        "timestamp",
        "release",
        "environment",
        "tags",
        "extra",
    ]);
    let sent = receiver.sent();
    let events = sent.iter().map(|sent| {
        assert_eq!(sent.path, "/api/42/envelope/");
        assert_eq!(sent.headers["content-type"], "application/x-sentry-envelope");
        let auth = sent.headers["x-sentry-auth"].to_str().unwrap();
        assert!(auth.contains("sentry_key=0123456789abcdef"), "{auth}");
        let text = String::from_utf8(sent.body.to_vec()).unwrap();
        let event: Value = serde_json::from_str(text.lines().nth(2).unwrap()).unwrap();
        let keys: BTreeSet<&str> = event.as_object().unwrap().keys().map(String::as_str).collect();
        assert!(keys.is_subset(&known), "{keys:?}");
        event
    });
    events.collect()
}

async fn get(router: &Router, path: &str) -> u16 {
    let event = tests::event("GET", &format!("/api/v1/misbehaving/{path}"), &tests::random_ip(), &[], None);
    canary::learn_event(&event);
    let request = lambda_http::request::from_str(&event).unwrap();
    router.clone().oneshot(request).await.unwrap().status().as_u16()
}

#[tokio::test]
async fn a_panic_is_reported_by_its_place_and_without_what_was_typed() {
    let (app, receiver) = (TestApp::start().await, sentry().await);
    let user = app.register().await;
    // Panics are told whatever the share of others is.
    let told = app.sibling_with(&[("SENTRY_DSN", &receiver.dsn()), ("SENTRY_SAMPLE_RATE", "0")]);
    let router = misbehaving::build(&told.boot).unwrap();
    for (path, status) in [("well", 200), ("nowhere", 404)] {
        assert_eq!(get(&router, path).await, status);
    }
    assert_eq!(receiver.connections(), 0, "nothing was wrong");
    let in_store = format!("store/{}", user.id);
    for (nth, path) in ["before", "after", "formatted", in_store.as_str()].into_iter().enumerate() {
        assert_eq!(get(&router, path).await, 500);
        let events = events(&receiver);
        assert_eq!(events.len(), nth + 1, "{path}: out before the answer, once");
        let event = &events[nth];
        let route = if path.starts_with("store") { "store/{id}" } else { path };
        let operation = format!("GET /api/v1/misbehaving/{route}");
        assert_eq!(event["message"], format!("panicked (500) at {operation}"));
        assert_eq!(event["transaction"], operation);
        let tags = &event["tags"];
        assert_eq!((&tags["code"], &tags["function"]), (&json!("internal"), &json!("misbehaving")));
        assert!(tags["panic_location"].as_str().unwrap().contains("misbehaving.rs:"), "{tags}");
        let text = event.to_string();
        assert!(!text.contains(misbehaving::TYPED) && !text.contains(&user.id.to_string()), "{text}");
    }
}

#[tokio::test]
async fn an_answer_with_5xx_is_reported_in_our_words_alone() {
    let (app, receiver) = (TestApp::start().await, sentry().await);
    let user = app.register().await;
    let away = ("MONGODB_URI", "mongodb://127.0.0.1:1/?directConnection=true&serverSelectionTimeoutMS=50");
    let quick = ("MONGO_SERVER_SELECTION_TIMEOUT_MS", "50");
    let dsn = receiver.dsn();
    let told = app.sibling_with(&[away, quick, ("SENTRY_DSN", &dsn)]);
    let id = [("x-request-id", "a-request-of-mine")];
    let path = format!("/accounts/{}?asOf=2026-03-05", user.id);
    let answer = told.call(&user, "GET", &path, &id, None).await;
    answer.expect_problem(503, "service_unavailable");
    let events = events(&receiver);
    assert_eq!(events.len(), 1);
    let event = &events[0];
    assert_eq!(event["message"], "service_unavailable (503) at GET /api/v1/accounts/{id}");
    assert_eq!((&event["environment"], &event["logger"]), (&json!("test"), &json!("fintrack-pro")));
    let wanted = json!({
        "code": "service_unavailable", "status": "503", "request_id": "a-request-of-mine",
        "cause": "mongodb does not answer", "function": "accounts",
    });
    assert_eq!(event["tags"], wanted);
    let text = event.to_string();
    for inner in [user.id.to_string(), user.ip.clone(), "asOf".to_owned(), "127.0.0.1".to_owned()] {
        assert!(!text.contains(&inner), "{inner} went out: {text}");
    }
    let none = app.sibling_with(&[away, quick, ("SENTRY_DSN", &dsn), ("SENTRY_SAMPLE_RATE", "0")]);
    none.get(&user, "/accounts").await.expect(503);
    assert_eq!(receiver.sent().len(), 1, "none of a thousand");
}

#[tokio::test]
async fn sentry_away_changes_no_answer() {
    let (app, receiver) = (TestApp::start().await, Receiver::start(Answers::Never).await);
    let told = app.sibling_with(&[("SENTRY_DSN", &receiver.dsn())]);
    let router = misbehaving::build(&told.boot).unwrap();
    for path in ["before", "after", "before"] {
        assert_eq!(get(&router, path).await, 500);
    }
    assert_eq!(receiver.connections(), 1, "it is left alone after the first");
}

#[tokio::test]
async fn a_start_that_failed_is_reported_by_the_names_of_its_variables() {
    let (app, receiver) = (TestApp::start().await, sentry().await);
    let mut variables = app.variables().clone();
    variables.insert("SENTRY_DSN".to_owned(), receiver.dsn());
    variables.insert("APP_ENV".to_owned(), "production".to_owned());
    variables.insert("JWT_SECRET".to_owned(), "value-too-short".to_owned());
    let started = Live::start(accounts::FUNCTION, accounts::build, variables, Clock::system()).await;
    assert!(started.is_err());
    let events = events(&receiver);
    assert_eq!(events.len(), 1);
    assert_eq!((&events[0]["level"], &events[0]["tags"]["code"]), (&json!("fatal"), &json!("init_failed")));
    // A tag's value has 200 characters at most.
    assert!(events[0]["extra"]["reason"].as_str().unwrap().contains("JWT_SECRET"));
    let text = events[0].to_string();
    assert!(!text.contains("value-too-short"), "{text}");
}
