//! Traces: one request is one span with its commands below it, in the trace of who called; nothing of a user is in them;
//! and a collector that is away costs one request a moment, and no request its answer.

use std::time::{Duration, Instant};

use http::StatusCode;
use lambda_http::RequestExt;
use lambda_http::tower::ServiceExt;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::{KeyValue, any_value::Value};
use opentelemetry_proto::tonic::trace::v1::{Span, span::SpanKind};
use prost::Message;
use shared::clock::Clock;
use tests::log::{Log, capture};
use tests::receiver::{Answers, Receiver};
use tests::{TestApp, User, canary};

const XRAY: &str = "Root=1-5759e988-bd862e3fe1be46a994272793;Parent=53995c3f42cd8ad8;Sampled=1";
const NOT_TAKEN: &str = "telemetry is not taken; leaving its receiver alone";

/// The status that Lambda's invocation with this X-Ray header is answered with.
async fn invoke(app: &TestApp, function: &str, event: &str, xray: &str) -> u16 {
    canary::learn_event(event);
    let mut lambda = lambda_http::Context::default();
    lambda.request_id = "8476a536-e9f4-11e8-9739-2dfe598c3fcd".to_owned();
    lambda.xray_trace_id = Some(xray.to_owned());
    let request = shared::edge::event::read(event).unwrap().with_lambda_context(lambda);
    let router = app.functions.iter().find(|mounted| mounted.name == function).unwrap().router.clone();
    router.oneshot(request).await.unwrap().status().as_u16()
}

async fn collector() -> Receiver {
    Receiver::start(Answers::With(StatusCode::OK)).await
}

/// The same API, which tells `receiver` of its requests.
fn traced(app: &TestApp, receiver: &Receiver) -> TestApp {
    app.sibling_with(&[
        ("OTEL_EXPORTER_OTLP_ENDPOINT", &receiver.url()),
        ("OTEL_EXPORTER_OTLP_HEADERS", "api-key=key-of-the-collector"),
    ])
}

fn exports(receiver: &Receiver) -> Vec<ExportTraceServiceRequest> {
    receiver.sent().iter().map(|sent| ExportTraceServiceRequest::decode(sent.body.clone()).unwrap()).collect()
}

fn spans(export: &ExportTraceServiceRequest) -> Vec<Span> {
    let scopes = export.resource_spans.iter().flat_map(|of| &of.scope_spans);
    scopes.flat_map(|scope| scope.spans.clone()).collect()
}

fn value(attributes: &[KeyValue], key: &str) -> String {
    let found = attributes.iter().find(|attribute| attribute.key == key);
    match found.and_then(|attribute| attribute.value.as_ref()?.value.as_ref()) {
        Some(Value::StringValue(text)) => text.clone(),
        Some(Value::IntValue(number)) => number.to_string(),
        Some(Value::BoolValue(flag)) => flag.to_string(),
        other => format!("{other:?}"),
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn server(spans: &[Span]) -> &Span {
    spans.iter().find(|span| span.kind == i32::from(SpanKind::Server)).expect("a server span")
}

#[tokio::test]
async fn a_request_is_one_span_with_its_commands_below_it_in_lambdas_trace() {
    let app = TestApp::start().await;
    let (user, receiver) = (app.register().await, collector().await);
    let account = app.first_account(&user).await;
    let event = app.event(&user, "GET", &format!("/accounts/{account}"), &[], None);
    assert_eq!(invoke(&traced(&app, &receiver), "accounts", &event, XRAY).await, 200);

    let sent = receiver.sent();
    assert_eq!(sent.len(), 1, "it is out before the answer");
    assert_eq!(sent[0].path, "/v1/traces");
    assert_eq!(sent[0].headers["api-key"], "key-of-the-collector");
    assert_eq!(sent[0].headers["content-type"], "application/x-protobuf");
    let export = &exports(&receiver)[0];
    let resource = &export.resource_spans[0].resource.as_ref().unwrap().attributes;
    assert_eq!(value(resource, "service.name"), "accounts");
    assert_eq!(value(resource, "deployment.environment.name"), "test");
    let spans = spans(export);
    let server = server(&spans);
    assert_eq!(server.name, "GET /api/v1/accounts/{id}");
    assert_eq!(hex(&server.trace_id), "5759e988bd862e3fe1be46a994272793");
    assert_eq!(hex(&server.parent_span_id), "53995c3f42cd8ad8");
    for (key, wanted) in [
        ("http.request.method", "GET"),
        ("http.route", "/api/v1/accounts/{id}"),
        ("http.response.status_code", "200"),
        ("faas.coldstart", "true"),
        ("faas.invocation_id", "8476a536-e9f4-11e8-9739-2dfe598c3fcd"),
    ] {
        assert_eq!(value(&server.attributes, key), wanted, "{key}");
    }
    let below: Vec<&Span> = spans.iter().filter(|span| span.kind == i32::from(SpanKind::Client)).collect();
    assert_eq!(below.len() + 1, spans.len());
    for span in &below {
        assert_eq!((&span.trace_id, &span.parent_span_id), (&server.trace_id, &server.span_id));
        assert!(span.end_time_unix_nano <= server.end_time_unix_nano, "{}", span.name);
    }
    let names: Vec<&str> = below.iter().map(|span| span.name.as_str()).collect();
    for wanted in ["EVALSHA", "find sessions", "find accounts"] {
        assert!(names.contains(&wanted), "{wanted} is missing: {names:?}");
    }
    let find = below.iter().find(|span| span.name == "find accounts").unwrap();
    assert_eq!(value(&find.attributes, "db.system.name"), "mongodb");
    assert_eq!(value(&find.attributes, "db.operation.name"), "find");
    assert_eq!(value(&find.attributes, "db.collection.name"), "accounts");
    let text = String::from_utf8_lossy(&sent[0].body).into_owned();
    for of_the_user in [user.id.to_string(), account, user.ip.clone(), user.email.clone()] {
        assert!(!text.contains(&of_the_user), "{of_the_user} went out");
    }
}

#[tokio::test]
async fn a_callers_trace_goes_before_lambdas_and_what_is_not_sampled_is_not_sent() {
    let app = TestApp::start().await;
    let (user, receiver) = (app.register().await, collector().await);
    let traced = traced(&app, &receiver);
    let event = app.event(&user, "GET", "/accounts", &[], None);
    assert_eq!(invoke(&traced, "accounts", &event, &XRAY.replace("Sampled=1", "Sampled=0")).await, 200);
    assert_eq!(receiver.connections(), 0, "nobody asked for this one");
    let unknown = "Root=1-00000000-000000000000000000000000;Sampled=0";
    assert_eq!(invoke(&traced, "accounts", &event, unknown).await, 200);
    assert_eq!(receiver.connections(), 0, "nor for this one, whose trace is not told");
    let caller = [("traceparent", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01")];
    let event = app.event(&user, "GET", "/accounts", &caller, None);
    assert_eq!(invoke(&traced, "accounts", &event, XRAY).await, 200);
    let spans = spans(&exports(&receiver)[0]);
    let server = server(&spans);
    assert_eq!(hex(&server.trace_id), "0af7651916cd43dd8448eb211c80319c");
    assert_eq!(hex(&server.parent_span_id), "b7ad6b7169203331");
    assert_eq!(value(&server.attributes, "faas.coldstart"), "false");
}

#[tokio::test]
async fn a_request_of_no_trace_begins_one() {
    let app = TestApp::start().await;
    let (user, receiver) = (app.register().await, collector().await);
    let event = app.event(&user, "GET", "/accounts?asOf=2026-03-05", &[], None);
    assert_eq!(invoke(&traced(&app, &receiver), "accounts", &event, "").await, 200);
    let spans = spans(&exports(&receiver)[0]);
    let server = server(&spans);
    assert_eq!((server.name.as_str(), server.parent_span_id.len()), ("GET /api/v1/accounts", 0));
    assert!(spans.len() > 2 && spans.iter().all(|span| span.trace_id == server.trace_id));
    let text = String::from_utf8_lossy(&receiver.sent()[0].body).into_owned();
    assert!(!text.contains("asOf") && !text.contains("2026-03"), "no query");
}

#[tokio::test]
async fn a_command_that_redis_does_not_answer_is_an_error_of_its_span() {
    let app = TestApp::start().await;
    let (user, receiver) = (app.register().await, collector().await);
    let redis = ("REDIS_URL", "redis://127.0.0.1:1");
    let endpoint = receiver.url();
    let traced = app.sibling_with(&[redis, ("OTEL_EXPORTER_OTLP_ENDPOINT", &endpoint)]);
    let event = app.event(&user, "GET", "/accounts", &[], None);
    assert_eq!(invoke(&traced, "accounts", &event, XRAY).await, 200);
    let spans = spans(&exports(&receiver)[0]);
    let redis = spans.iter().find(|span| span.name == "EVALSHA").unwrap();
    assert_eq!(value(&redis.attributes, "db.system.name"), "redis");
    assert_eq!(value(&redis.attributes, "error.type"), "unreachable");
}

/// An API on a clock that stands, a user of it, and its log.
async fn standing(endpoint: &str) -> (TestApp, User, Log) {
    let clock = Clock::manual(Clock::system().now());
    let app = TestApp::with_clock(&[], clock.clone()).await;
    let user = app.register().await;
    let log = capture();
    let traced = app.sibling_with_clock(&[("OTEL_EXPORTER_OTLP_ENDPOINT", endpoint)], clock);
    (traced, user, log)
}

fn told(log: &Log) -> Vec<String> {
    let lines = log.lines().into_iter().filter(|line| line["message"] == NOT_TAKEN);
    lines.map(|line| format!("{}: {}", line["telemetry"], line["cause"]).replace('"', "")).collect()
}

#[tokio::test]
async fn a_collector_that_hangs_costs_one_request_a_moment_and_the_next_nothing() {
    let receiver = Receiver::start(Answers::Never).await;
    let (app, user, log) = standing(&receiver.url()).await;
    let event = app.event(&user, "GET", "/accounts", &[], None);
    let started = Instant::now();
    assert_eq!(invoke(&app, "accounts", &event, XRAY).await, 200);
    let took = started.elapsed();
    assert!(took >= Duration::from_millis(250), "it was given its time: {took:?}");
    assert!(took < Duration::from_secs(2), "and no more: {took:?}");
    assert_eq!(told(&log), ["traces: it did not answer in time"]);
    for _ in 0..3 {
        assert_eq!(invoke(&app, "accounts", &event, XRAY).await, 200);
    }
    assert_eq!((receiver.connections(), told(&log).len()), (1, 1), "it is left alone");
    app.clock.advance_seconds(30);
    assert_eq!(invoke(&app, "accounts", &event, XRAY).await, 200);
    assert_eq!((receiver.connections(), told(&log).len()), (2, 2), "and asked again after 30 s");
}

#[tokio::test]
async fn a_collector_that_refuses_or_is_away_fails_no_request() {
    let refusing = Receiver::start(Answers::With(StatusCode::SERVICE_UNAVAILABLE)).await;
    for (endpoint, cause) in [
        (refusing.url(), "traces: it answered 503"),
        ("http://127.0.0.1:1".to_owned(), "traces: it cannot be reached"),
        (format!("https://127.0.0.1:{}", refusing.port), "traces: it cannot be reached"),
    ] {
        let (app, user, log) = standing(&endpoint).await;
        let event = app.event(&user, "GET", "/accounts", &[], None);
        for _ in 0..3 {
            assert_eq!(invoke(&app, "accounts", &event, XRAY).await, 200);
        }
        assert_eq!(told(&log), [cause]);
    }
}
