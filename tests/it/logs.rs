//! The log of a whole session: what it must say, and what it must never.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::{Duration, Instant};

use lambda_http::tower::ServiceExt;
use lambda_http::{Context, RequestExt, lambda_runtime};
use serde_json::{Value, json};
use shared::metrics::{self, Metric};
use tests::log::capture;
use tests::proxy::{Fault, Proxy, Stop};
use tests::{PASSWORD, TestApp, User, canary, misbehaving};

const PRIVATE: &str = "Zwetschgenknödel";

/// Everything that a person does, right and wrong.
async fn session(app: &TestApp) -> (User, Vec<String>) {
    let user = app.register_with(json!({"firstName": "Wilhelmine", "lastName": "Quetzalcoatl"})).await;
    let wrong = json!({"email": user.email, "password": "a wrong passphrase indeed"});
    app.anonymous("POST", "/auth/login", Some(&wrong)).await.expect(401);
    let weak = json!({"email": "no-such-address", "password": "shortpw"});
    app.anonymous("POST", "/auth/register", Some(&weak)).await.expect(422);
    let second = app.log_in(&user).await;
    let body = json!({"refreshToken": second.refresh});
    let refreshed = app.anonymous("POST", "/auth/refresh", Some(&body)).await;
    let cookie = format!("refresh={}", user.refresh);
    let headers = [("cookie", cookie.as_str()), ("origin", "https://evil.example.com")];
    app.send(&tests::event("POST", "/api/v1/auth/refresh", &user.ip, &headers, None)).await.expect(403);
    let account = json!({"name": PRIVATE, "type": "cash", "openingBalance": {"amount": "98765.43"}});
    app.create(&user, "/accounts", account).await;
    let transaction = json!({"type": "expense", "amount": "7654.32", "date": "2026-03-05", "description": PRIVATE,
        "merchant": PRIVATE, "notes": PRIVATE, "tags": [PRIVATE]});
    let key = [("idempotency-key", "a-private-key")];
    let id = app.call(&user, "POST", "/transactions", &key, Some(&transaction)).await.expect(201).id();
    app.get(&user, &format!("/transactions/{id}")).await.expect(200);
    app.get(&user, "/transactions?q=Zwetschgenkn%C3%B6del").await.expect(200);
    app.patch(&user, &format!("/transactions/{id}"), &json!({"amount": PRIVATE})).await.expect(422);
    app.get(&user, &format!("/transactions?tag={PRIVATE}&{PRIVATE}=1")).await.expect(400);
    app.get(&user, &format!("/{PRIVATE}")).await.expect(404);
    app.delete(&user, &format!("/transactions/{id}")).await.expect(204);
    let forged = User { access: format!("{}x", user.access), ..user.clone() };
    app.get(&forged, "/auth/me").await.expect(401);
    app.call(&user, "DELETE", "/auth/me", &[], Some(&json!({"password": PASSWORD}))).await.expect(204);
    let mut secrets = vec![
        PASSWORD.to_owned(),
        "a wrong passphrase indeed".to_owned(),
        "shortpw".to_owned(),
        "no-such-address".to_owned(),
        "a-private-key".to_owned(),
        "7654".to_owned(),
        "765432".to_owned(),
        "98765".to_owned(),
        "Wilhelmine".to_owned(),
        "Quetzalcoatl".to_owned(),
        "Zwetschgen".to_owned(),
        "Bearer".to_owned(),
        id,
        user.email.split('@').next().unwrap().to_owned(),
        user.ip.clone(),
        second.ip.clone(),
    ];
    for token in [&user.access, &user.refresh, &second.access, &second.refresh] {
        secrets.push(token.clone());
        // Not even a part that would do.
        secrets.extend(token.split('.').map(str::to_owned).filter(|part| part.len() > 40));
    }
    for name in ["accessToken", "refreshToken"] {
        secrets.push(refreshed.json["tokens"][name].as_str().unwrap().to_owned());
    }
    secrets.extend(
        ["JWT_SECRET", "JWT_REFRESH_SECRET", "PASSWORD_PEPPER"].map(|name| app.variables()[name].clone()),
    );
    (user, secrets)
}

#[tokio::test]
async fn a_whole_session_logs_no_secret_and_nothing_that_a_person_typed() {
    let log = capture();
    let app = TestApp::start().await;
    let (user, secrets) = session(&app).await;
    let text = log.text();
    assert!(text.contains(&user.id.to_string()), "the log was captured, and says whose it is");
    for secret in &secrets {
        let found = text.lines().find(|line| line.contains(secret.as_str()));
        assert_eq!(found, None, "the log holds {secret}");
    }
}

#[tokio::test]
async fn each_request_is_one_line_with_the_documented_keys() {
    let log = capture();
    let app = TestApp::start().await;
    let user = app.register().await;
    let id = app.expense(&user, "1.00", "2026-03-05", "x").await["id"].as_str().unwrap().to_owned();
    let path = format!("/transactions/{id}");
    app.call(&user, "GET", &path, &[("x-request-id", "asked-for-0001")], None).await.expect(200);
    app.get(&user, "/transactions/x").await.expect(404);
    app.get(&user, "/nothing").await.expect(404);
    let requests = log.messages("request completed");
    assert_eq!(requests.len(), 5, "one line each");
    let line = &requests[2];
    assert_eq!(line["level"], "INFO");
    assert_eq!((&line["http.method"], &line["http.status"]), (&json!("GET"), &json!(200)));
    assert_eq!(line["http.route"], "/api/v1/transactions/{id}", "the pattern, never the path");
    assert_eq!(line["user.id"], user.id.to_string());
    assert!(line["duration_ms"].is_u64());
    assert_eq!(
        (&line["service"], &line["correlation_id"]),
        (&json!("transactions"), &json!("asked-for-0001"))
    );
    assert_eq!(line["cold_start"], false);
    assert_eq!(requests[0]["cold_start"], true, "the first request of a function");
    assert_eq!(requests[1]["cold_start"], true);
    assert_eq!(requests[3]["http.status"], 404);
    assert_eq!(requests[4]["http.route"], "unmatched");
    assert!(requests[4].get("user.id").is_none());
}

#[tokio::test]
async fn a_failure_is_logged_once_with_its_causes_and_a_refusal_is_not_an_error() {
    let log = capture();
    let app = TestApp::start().await;
    let user = app.register().await;
    let away = app.sibling_with(&[
        ("MONGODB_URI", "mongodb://someone:hunter2pass@127.0.0.1:1/?directConnection=true"),
        ("MONGO_SERVER_SELECTION_TIMEOUT_MS", "300"),
    ]);
    app.get(&user, "/transactions/x").await.expect(404);
    let errors =
        || -> Vec<Value> { log.lines().into_iter().filter(|line| line["level"] == "ERROR").collect() };
    assert_eq!(errors(), Vec::<Value>::new());
    let answer = away.get(&user, "/transactions").await;
    answer.expect(503);
    let errors = errors();
    assert_eq!(errors.len(), 1, "once");
    assert_eq!(errors[0]["code"], "service_unavailable");
    assert_eq!(errors[0]["correlation_id"].as_str(), answer.header("x-request-id"));
    let cause = errors[0]["cause"].as_str().unwrap();
    assert!(cause.starts_with("mongodb does not answer"), "{cause}");
    assert!(!log.text().contains("hunter2pass"), "a connection string's password");
}

#[tokio::test]
async fn redis_going_away_is_logged_once_and_not_with_every_request() {
    let log = capture();
    let app = TestApp::start().await;
    let away = app.sibling_with(&[("REDIS_URL", "redis://:hunter2pass@127.0.0.1:1")]);
    for _ in 0..4 {
        away.anonymous("GET", "/financial-health/method", None).await.expect(200);
    }
    let text = log.text();
    let warned = text.lines().filter(|line| line.contains("redis does not answer"));
    assert_eq!(warned.count(), 1, "{text}");
    assert_eq!(log.metric(Metric::LimiterDegraded), 4, "each request that was counted here alone");
    assert!(!text.contains("hunter2pass"));
}

#[tokio::test]
async fn a_long_outage_of_redis_is_told_once_though_it_is_tried_again_and_again() {
    let log = capture();
    let app = TestApp::start().await;
    let proxy = Proxy::faulty(app.redis_address()).await.unwrap();
    proxy.set(Fault::BlackHole);
    let url = format!("redis://127.0.0.1:{}", proxy.port);
    let away = app.sibling_with(&[("REDIS_URL", &url), ("REDIS_RESPONSE_TIMEOUT_MS", "50")]);
    let until = Instant::now() + Duration::from_secs(30);
    // Each connection is one try; the breaker lies between them.
    while proxy.opened() < 2 {
        away.anonymous("GET", "/financial-health/method", None).await.expect(200);
        assert!(Instant::now() < until, "Redis is never tried again");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    assert_eq!(log.messages("redis does not answer; going on without it").len(), 1);
    proxy.set(Fault::Pass);
    while log.messages("redis answers again").is_empty() {
        away.anonymous("GET", "/financial-health/method", None).await.expect(200);
        assert!(Instant::now() < until, "Redis answers, and is not used");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

#[tokio::test]
async fn log_ins_and_a_stolen_refresh_token_are_told_and_counted() {
    let log = capture();
    let start = jiff::Timestamp::from_second(1_800_000_000).unwrap();
    let app = TestApp::with_clock(&[], shared::clock::Clock::manual(start)).await;
    let user = app.register().await;
    let wrong = json!({"email": user.email, "password": "a wrong passphrase indeed"});
    let refused = app.anonymous("POST", "/auth/login", Some(&wrong)).await;
    refused.expect(401);
    app.log_in(&user).await;
    let wrong = json!({"password": "a wrong passphrase indeed"});
    app.call(&user, "DELETE", "/auth/me", &[], Some(&wrong)).await.expect(401);
    let body = json!({"refreshToken": user.refresh});
    app.anonymous("POST", "/auth/refresh", Some(&body)).await.expect(200);
    app.clock.advance_seconds(11);
    app.anonymous("POST", "/auth/refresh", Some(&body)).await.expect(401);

    let told = |event: &str| -> Vec<Value> {
        log.lines().into_iter().filter(|line| line["event"] == event).collect()
    };
    let failed = told("login_failed");
    assert_eq!(failed.len(), 2, "the log-in, and the erasure that asks for the password");
    assert_eq!(failed[0]["correlation_id"].as_str(), refused.header("x-request-id"));
    assert_eq!(log.metric(Metric::LoginFailed), 2);
    let succeeded = told("login_succeeded");
    assert_eq!((succeeded.len(), &succeeded[0]["user.id"]), (1, &json!(user.id.to_string())));
    assert_eq!((told("refresh_token_reused").len(), log.metric(Metric::RefreshReuse)), (1, 1));
}

/// The most that a `request completed` line may have, its line break included.
const LINE_MAX: usize = 700;

/// What Lambda tells a function, each value as long as it can be.
fn longest_context() -> Context {
    let config =
        lambda_runtime::Config { function_name: "f".repeat(64), ..lambda_runtime::Config::default() };
    let mut context = Context::default();
    context.request_id = "8476a536-e9f4-11e8-9739-2dfe598c3fcd".to_owned();
    context.xray_trace_id = Some(
        "Root=1-5759e988-bd862e3fe1be46a994272793;Parent=53995c3f42cd8ad8;Sampled=1;\
         Lineage=a87bd80c:0|68fd508a:5|c512fbe3:2"
            .to_owned(),
    );
    context.env_config = Arc::new(config);
    context
}

/// Asks for every operation with the longest of everything, as a live user.
async fn ask_for_everything(app: &TestApp, user: &User) {
    let id = "01936f6e-1111-7abc-8def-0123456789ab";
    let correlation = "c".repeat(64);
    for (name, route) in app.operations() {
        let path = route.path.replace("{id}", id);
        let event = app.event(user, route.method.as_str(), &path, &[("x-request-id", &correlation)], None);
        let request = lambda_http::request::from_str(&event).unwrap().with_lambda_context(longest_context());
        let function = app.functions.iter().find(|function| function.name == name).unwrap();
        function.router.clone().oneshot(request).await.unwrap();
    }
}

#[tokio::test]
async fn a_request_line_has_at_most_700_bytes_whatever_its_route_and_its_ids() {
    let log = capture();
    let app = TestApp::start().await;
    // None of the operations must end the session of the others.
    for (_, route) in app.operations() {
        assert!(route.path.len() < 60, "{}", route.path);
    }
    let user = app.register().await;
    ask_for_everything(&app, &user).await;
    let text = log.text();
    let lines: Vec<&str> = text.lines().filter(|line| line.contains("request completed")).collect();
    assert!(lines.len() > app.operations().len(), "{}", lines.len());
    let longest = lines.iter().max_by_key(|line| line.len()).unwrap();
    assert!(longest.len() < LINE_MAX, "{} bytes: {longest}", longest.len() + 1);
    let line: Value = serde_json::from_str(longest).unwrap();
    let ids = [
        ("function_name", 64),
        ("function_request_id", 36),
        ("correlation_id", 64),
        ("apigw_request_id", 16),
        ("xray_trace_id", 35),
        ("user.id", 36),
    ];
    for (id, length) in ids {
        assert_eq!(line[id].as_str().map(str::len), Some(length), "{id}: {longest}");
    }
}

#[tokio::test]
async fn every_key_that_docs_logging_md_describes_is_used_in_a_line() {
    let log = capture();
    let app = TestApp::start().await;
    let user = app.register().await;
    ask_for_everything(&app, &user).await;
    let user = app.register().await;
    let wrong = json!({"email": user.email, "password": "a wrong passphrase indeed"});
    app.anonymous("POST", "/auth/login", Some(&wrong)).await.expect(401);
    app.invoke("health", include_str!("../../events/health.schedule.json")).await.expect(200);
    let away = app.sibling_with(&[("MONGODB_URI", "mongodb://127.0.0.1:1/?directConnection=true")]);
    away.get(&user, "/transactions").await.expect(503);
    let untold = app.sibling_with(&[("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:1")]);
    untold.get(&user, "/accounts").await.expect(200);
    let request = tests::event("GET", "/api/v1/misbehaving/before", &user.ip, &[], None);
    let request = lambda_http::request::from_str(&request).unwrap();
    misbehaving::build(&app.boot).unwrap().oneshot(request).await.unwrap();
    let limited = app.sibling_with(&[("RATE_LIMIT_GENERAL_MAX", "1")]);
    let _once = limited.get(&user, "/accounts").await;
    limited.get(&user, "/accounts").await.expect_problem(429, "rate_limited");
    for metric in Metric::ALL {
        metrics::count(*metric, "x");
    }
    crate::backup::take_one(&app).await;
    // MongoDB takes the good-bye and does not answer.
    let proxy = Proxy::start(app.mongodb_address(), Stop::Before(0)).await.unwrap();
    let uri = format!("mongodb://127.0.0.1:{}/?directConnection=true", proxy.port);
    let hanging = app.sibling_with(&[("MONGODB_URI", &uri), ("MONGO_OPERATION_TIMEOUT_MS", "500")]);
    hanging.get(&user, "/transactions").await;
    hanging.boot.close("transactions").await;
    let lines = log.lines();
    let used: BTreeSet<String> =
        lines.iter().flat_map(|line| line.as_object().unwrap().keys().cloned()).collect();
    // That no other key is used is seen to with every line of every test.
    let unused: Vec<_> = canary::documented_keys().into_iter().filter(|key| !used.contains(key)).collect();
    assert_eq!(unused, Vec::<String>::new());
}

#[tokio::test]
async fn requests_are_counted_by_the_minute_and_the_last_ones_are_told_at_the_end() {
    let log = capture();
    let start = jiff::Timestamp::from_second(1_800_000_000).unwrap();
    let app = TestApp::with_clock(&[], shared::clock::Clock::manual(start)).await;
    let ask = async || {
        app.anonymous("GET", "/financial-health/method", None).await.expect(200);
    };
    for _ in 0..4 {
        ask().await;
    }
    let counted =
        || -> Vec<Value> { log.lines().into_iter().filter(|line| line.get("Requests").is_some()).collect() };
    let lines = counted();
    assert_eq!(lines.len(), 1, "the cold start, at once");
    assert_eq!((&lines[0]["ColdStart"], &lines[0]["Function"]), (&json!(1), &json!("financial-health")));
    app.clock.advance_seconds(60);
    ask().await;
    app.boot.close("financial-health").await;
    let lines = counted();
    let sizes: Vec<_> = lines.iter().map(|line| line["Requests"].as_u64()).collect();
    assert_eq!(sizes, [Some(1), Some(3), Some(1)]);
    let minutes: Vec<_> = lines.iter().map(|line| line["_aws"]["Timestamp"].as_i64()).collect();
    let at = start.as_millisecond();
    assert_eq!(minutes, [Some(at), Some(at), Some(at + 60_000)], "each in its own minute");
    assert_eq!(lines[1]["Duration"].as_array().map(Vec::len), Some(3));
    assert_eq!(log.messages("request completed").len(), 5);
}

#[tokio::test]
async fn a_slow_mongodb_does_not_get_new_connections_with_every_request() {
    let log = capture();
    let start = jiff::Timestamp::from_second(1_800_000_000).unwrap();
    let app = TestApp::with_clock(&[], shared::clock::Clock::manual(start)).await;
    let user = app.register().await;
    let proxy = Proxy::faulty(app.mongodb_address()).await.unwrap();
    let uri = format!("mongodb://127.0.0.1:{}/?directConnection=true", proxy.port);
    let slow = app.sibling_with(&[("MONGODB_URI", &uri), ("MONGO_OPERATION_TIMEOUT_MS", "700")]);
    slow.get(&user, "/accounts").await.expect(200);
    proxy.set(Fault::Trickle);
    let replaced = || log.messages("mongodb's connections are dead; making new ones").len();
    for seconds in [2, 3, 4] {
        app.clock.advance_seconds(seconds);
        slow.get(&user, "/accounts").await.expect(503);
    }
    assert_eq!(replaced(), 1, "one replacement within ten seconds");
    app.clock.advance_seconds(10);
    slow.get(&user, "/accounts").await.expect(503);
    assert_eq!(replaced(), 2);
}
