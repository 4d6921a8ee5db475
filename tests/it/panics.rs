//! A bug that panics: the client gets a problem that says nothing of it, the log gets one line, and the next request works.

use std::process::Stdio;
use std::time::Duration;

use axum::Router;
use http_body_util::BodyExt;
use lambda_http::tower::ServiceExt;
use local::process;
use rustix::process::Signal;
use serde_json::{Value, json};
use tests::log::capture;
use tests::runtime_api::RuntimeApi;
use tests::{Answer, TestApp, canary, misbehaving};

const PATIENCE: Duration = Duration::from_secs(20);

fn event(path: &str) -> String {
    tests::event("GET", &format!("/api/v1/misbehaving/{path}"), &tests::random_ip(), &[], None)
}

async fn get(router: &Router, path: &str) -> Answer {
    let request = lambda_http::request::from_str(&event(path)).unwrap();
    let response = router.clone().oneshot(request).await.unwrap();
    let (parts, body) = response.into_parts();
    let raw = body.collect().await.unwrap().to_bytes();
    let json = serde_json::from_slice(&raw).unwrap();
    Answer { status: parts.status.as_u16(), headers: parts.headers, json, raw }
}

#[tokio::test]
async fn a_panic_anywhere_in_a_handler_is_a_500_logged_once_and_the_next_request_works() {
    let log = capture();
    let app = TestApp::start().await;
    let user = app.register().await;
    let router = misbehaving::build(&app.boot).unwrap();
    let in_store = format!("store/{}", user.id);
    for (path, text) in [
        ("before", json!("before it waits")),
        ("after", json!("after it waited")),
        ("formatted", Value::Null),
        (in_store.as_str(), json!("in the store's task")),
    ] {
        let log_before = log.lines().len();
        let answer = get(&router, path).await;
        answer.expect_problem(500, "internal");
        let body = String::from_utf8_lossy(&answer.raw);
        for inner in ["panic", "wait", "store", ".rs", misbehaving::TYPED] {
            assert!(!body.contains(inner), "{path}: {body}");
        }
        assert!(answer.header("content-security-policy").is_some(), "it has every header of an answer");
        let lines = log.lines().split_off(log_before);
        let errors: Vec<_> = lines.iter().filter(|line| line["level"] == "ERROR").collect();
        assert_eq!(errors.len(), 1, "{path}: {errors:?}");
        assert_eq!((&errors[0]["message"], &errors[0]["panic"]), (&json!("panicked"), &text));
        assert_eq!(errors[0]["correlation_id"].as_str(), answer.header("x-request-id"), "{path}");
        assert!(errors[0]["location"].as_str().unwrap().contains("misbehaving.rs:"), "{path}");
        let completed = lines.iter().find(|line| line["message"] == "request completed").unwrap();
        assert_eq!(completed["http.status"], 500);
        let counted = lines.iter().filter(|line| line.get("ServerError").is_some());
        assert_eq!(counted.count(), 1, "{path}");
        get(&router, "well").await.expect(200);
    }
    assert!(!log.text().contains(misbehaving::TYPED));
    // What the store's task held is free again.
    app.expense(&user, "1.00", "2026-03-05", "x").await;
    app.assert_ledger_sound(&user).await;
}

#[tokio::test]
async fn a_functions_process_logs_a_panic_as_one_line_of_json_and_lives_on() {
    let app = TestApp::start().await;
    let mut api = RuntimeApi::start(Duration::from_secs(10)).await.unwrap();
    let mut command = process::command(env!("CARGO_BIN_EXE_misbehaving").as_ref(), None);
    command.arg("panic").env_clear().envs(app.variables()).envs(api.variables("misbehaving"));
    let child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    api.until_next(PATIENCE).await.unwrap();
    for (path, status) in [("after", 500), ("well", 200), ("before", 500), ("well", 200)] {
        api.send(&event(path));
        let (_, answer) = api.until_answer(PATIENCE).await.unwrap();
        assert_eq!(answer["statusCode"], status, "{path}: {answer}");
        api.until_next(PATIENCE).await.unwrap();
    }
    process::signal(&child, Signal::TERM);
    let output = tokio::time::timeout(PATIENCE, child.wait_with_output()).await.unwrap().unwrap();
    assert_eq!(output.status.code(), Some(0));
    let (out, err) = (String::from_utf8(output.stdout).unwrap(), String::from_utf8(output.stderr).unwrap());
    canary::check(&out);
    let lines: Vec<Value> = out.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let panics: Vec<_> = lines.iter().filter(|line| line["message"] == "panicked").collect();
    let texts: Vec<_> = panics.iter().map(|line| line["panic"].as_str().unwrap()).collect();
    assert_eq!(texts, ["alone", "after it waited", "before it waits"], "{out}");
    assert!(panics[0].get("correlation_id").is_none() && panics[1]["correlation_id"].is_string());
    let counted: Vec<_> = lines.iter().filter(|line| line.get("ServerError").is_some()).collect();
    assert_eq!(counted.len(), 2, "the answers 500, not the panic of no request: {out}");
    assert_eq!((&counted[0]["Function"], &counted[0]["Version"]), (&json!("misbehaving"), &json!("7")));
    assert!(!err.contains("panick"), "and not a second time on standard error: {err}");
}
