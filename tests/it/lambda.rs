//! The real binaries of `make build`: behind the Lambda runtime interface emulator they answer the golden events as the
//! routers do; a configuration that cannot be used fails their init in one line; SIGTERM ends them in time.

use std::collections::{BTreeSet, HashMap};
use std::path::PathBuf;
use std::process::Stdio;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use http::StatusCode;
use local::functions::{self, apis};
use local::lambda::{Lines, Pools, is_answer};
use local::process;
use local::template::Template;
use local::workspace::Workspace;
use rustix::process::Signal;
use serde_json::{Map, Value, json};
use shared::config::Need;
use tests::proxy::{Proxy, Stop};
use tests::receiver::{Answers, Receiver};
use tests::runtime_api::RuntimeApi;
use tests::scratch::Scratch;
use tests::{Answer, TestApp, canary};
use tokio::io::AsyncReadExt;

use crate::root;
use crate::secrets::{self, Vault};

/// Two cores run many tests at once.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

/// What the template gives most functions.
const LAMBDA_TIMEOUT: Duration = Duration::from_secs(10);

fn bootstrap(function: &str) -> PathBuf {
    let bootstrap = Workspace::at(root()).bootstrap(function);
    assert!(process::is_executable(&bootstrap), "the binary of {function} is missing: run make build first");
    bootstrap
}

/// The golden events in an order in which each finds what it needs.
fn events() -> Vec<(String, String)> {
    let rank = |name: &str| match name {
        "auth.register" => 0,
        "auth.login" => 1,
        "auth.refresh" => 2,
        "accounts.create" | "transactions.create" => 3,
        "auth.logout" => 5,
        _ => 4,
    };
    let files = std::fs::read_dir(root().join("events")).unwrap().map(|entry| entry.unwrap().path());
    let mut events: Vec<(String, String)> = files
        .map(|path| {
            (path.file_stem().unwrap().to_str().unwrap().to_owned(), std::fs::read_to_string(path).unwrap())
        })
        .collect();
    // A job answers nothing that could be compared.
    events.retain(|(name, _)| functions::jobs().all(|job| name.split('.').next() != Some(job.name)));
    events.sort_by_key(|(name, _)| (rank(name), name.clone()));
    events
}

/// What one side has made, for the events that name it.
#[derive(Default)]
struct Known(HashMap<&'static str, String>);

impl Known {
    fn fill(&self, event: &str) -> String {
        self.0
            .iter()
            .fold(event.to_owned(), |event, (name, value)| event.replace(&format!("${{{name}}}"), value))
    }

    fn learn(&mut self, name: &str, body: &Value) {
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        if name == "auth.register" {
            self.0.insert("ACCESS_TOKEN", text(&body["tokens"]["accessToken"]));
            self.0.insert("REFRESH_TOKEN", text(&body["tokens"]["refreshToken"]));
        }
        if name == "transactions.create" {
            self.0.insert("TRANSACTION_ID", text(&body["id"]));
        }
    }
}

/// What an answer says but for ids, tokens and times: its members and their kinds, and every word of a closed set.
fn shape(name: &str, value: &Value) -> Value {
    match value {
        Value::Object(members) => members
            .iter()
            .map(|(name, member)| (name.clone(), shape(name, member)))
            .collect::<Map<_, _>>()
            .into(),
        Value::Array(items) => items.iter().map(|item| shape(name, item)).collect(),
        Value::String(_) if name.starts_with("id") || name.ends_with("Id") || name.ends_with("Token") => {
            json!("id")
        }
        Value::String(_) if ["timestamp", "instance"].contains(&name) || name.ends_with("At") => {
            json!("time")
        }
        Value::Number(_) if name == "uptime" || name == "refreshExpiresIn" => json!("seconds"),
        other => other.clone(),
    }
}

/// The first place where two answers say different things.
fn difference(left: &Value, right: &Value, at: &str) -> Option<String> {
    match (left, right) {
        (Value::Object(left), Value::Object(right)) if left.keys().eq(right.keys()) => {
            left.iter().find_map(|(name, value)| difference(value, &right[name], &format!("{at}/{name}")))
        }
        (Value::Array(left), Value::Array(right)) if left.len() == right.len() => {
            let pairs = left.iter().zip(right).enumerate();
            pairs
                .into_iter()
                .find_map(|(index, (left, right))| difference(left, right, &format!("{at}/{index}")))
        }
        _ if left == right => None,
        _ => Some(format!("{at}: {left} against {right}")),
    }
}

/// The body of an answer for API Gateway, whose status, headers and cookies are the wanted ones.
fn body_of(answer: &Value, wanted: &Answer, name: &str) -> Value {
    assert_eq!(answer["isBase64Encoded"], false, "{name}: {answer}");
    let body = answer["body"].as_str().unwrap_or_default();
    assert_eq!(answer["statusCode"], wanted.status, "{name}: {body}");
    for header in wanted.headers.keys().map(http::HeaderName::as_str).filter(|name| *name != "set-cookie") {
        assert!(answer["headers"][header].is_string(), "{name}: no {header}");
    }
    let cookies = answer["cookies"].as_array().map_or(0, Vec::len);
    assert_eq!(cookies, wanted.headers.get_all("set-cookie").iter().count(), "{name}");
    if body.is_empty() { Value::Null } else { serde_json::from_str(body).unwrap() }
}

#[tokio::test]
async fn the_binaries_answer_the_golden_events_as_the_routers_do() {
    let functions = Template::read(&root().join("template.yaml")).unwrap().functions;
    let limits = [("RATE_LIMIT_AUTH_MAX", "5"), ("RATE_LIMIT_GENERAL_MAX", "100")];
    let (real, routers) = (TestApp::with(&limits).await, TestApp::with(&limits).await);
    let environment = shared::config::environment();
    let variables = real.variables().clone();
    // Whatever a binary says is looked at as every line of the tests is.
    let said: Arc<Mutex<Vec<String>>> = Arc::default();
    let heard = said.clone();
    let lines: Lines = Arc::new(move |line| {
        let line = String::from_utf8_lossy(line).into_owned();
        canary::check(&line);
        heard.lock().unwrap().push(line);
    });
    let pools =
        Pools::prepare(&Workspace::at(root()), &environment, variables, &functions, bootstrap, Some(lines))
            .await
            .unwrap();
    let (mut theirs, mut ours) = (Known::default(), Known::default());
    let mut invoked = BTreeSet::new();
    for (name, event) in events() {
        let function =
            functions.iter().find(|function| name.split('.').next() == Some(&function.name)).unwrap();
        let wanted = routers.invoke(&function.name, &ours.fill(&event)).await;
        let event: Value = serde_json::from_str(&theirs.fill(&event)).unwrap();
        let answer = pools.invoke(function, &event).await.unwrap_or_else(|error| panic!("{name}: {error}"));
        assert!(is_answer(&answer), "{name}: {}", String::from_utf8_lossy(&answer));
        let answer: Value = serde_json::from_slice(&answer).unwrap();
        // A scheduled event's answer is its body alone: nobody but the log reads it.
        let scheduled = event.get("rawPath").is_none();
        let body = if scheduled { answer.clone() } else { body_of(&answer, &wanted, &name) };
        let differs = difference(&shape("", &body), &shape("", &wanted.json), "");
        assert_eq!(
            differs, None,
            "{name}: the binary says otherwise than this code; is it older? make build"
        );
        theirs.learn(&name, &body);
        ours.learn(&name, &wanted.json);
        invoked.insert(function.name.clone());
    }
    pools.stop().await;
    // The local run keeps these lines in its files.
    let said = said.lock().unwrap();
    let completed: BTreeSet<String> = said
        .iter()
        .filter_map(|line| serde_json::from_str::<Value>(line).ok())
        .filter(|line| line["message"] == "request completed")
        .map(|line| line["service"].as_str().unwrap().to_owned())
        .collect();
    assert_eq!(completed, invoked);
    assert_eq!(invoked, apis().map(|(function, _)| function.name.to_owned()).collect::<BTreeSet<_>>());
}

/// A binary's whole life where it ends by itself: its exit status, and what it wrote on both streams.
async fn run_to_end(function: &str, variables: &[(&str, &str)]) -> (Option<i32>, String, String) {
    let api = RuntimeApi::start(Duration::from_secs(10)).await.unwrap();
    let mut command = process::command(&bootstrap(function), None);
    command.env_clear().envs(api.variables(function)).envs(variables.iter().copied());
    let child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let output = tokio::time::timeout(PATIENCE, child.wait_with_output()).await;
    let output = output
        .unwrap_or_else(|_| panic!("{function} goes on with a configuration that it cannot use"))
        .unwrap();
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
    canary::check(&text(&output.stdout));
    (output.status.code(), text(&output.stdout), text(&output.stderr))
}

#[tokio::test]
async fn a_bad_configuration_fails_init_in_one_line_that_names_every_variable_and_no_value() {
    // A secret that is too short, URLs of no scheme, a word that is none, and what is missing.
    const BAD: &[(&str, &str)] = &[
        ("APP_ENV", "production"),
        ("LOG_LEVEL", "value-of-log-level"),
        ("RATE_LIMIT_GENERAL_MAX", "value-of-limit"),
        ("MONGODB_URI", "value-of-mongodb-uri"),
        ("JWT_SECRET", "value-of-jwt-secret"),
        ("PASSWORD_PEPPER", "value-of-pepper"),
    ];
    for function in functions::ALL.iter().map(|registered| registered.function) {
        let mut wanted = vec!["LOG_LEVEL", "RATE_LIMIT_GENERAL_MAX"];
        for need in function.needs {
            wanted.extend(match need {
                Need::Mongo => &["MONGODB_URI"][..],
                Need::Redis => &["REDIS_URL"],
                Need::Jwt => &["JWT_SECRET"],
                Need::Auth => &["JWT_REFRESH_SECRET", "PASSWORD_PEPPER"],
                Need::Backup => &["BACKUP_BUCKET"],
            });
        }
        let (status, out, err) = run_to_end(function.name, BAD).await;
        assert!(status.is_some_and(|status| status != 0), "{}: {status:?}", function.name);
        let lines: Vec<Value> = out
            .lines()
            .map(|line| {
                serde_json::from_str(line).unwrap_or_else(|_| panic!("{}: no JSON: {line}", function.name))
            })
            .collect();
        assert_eq!(lines.len(), 1, "{}: {out}", function.name);
        assert_eq!((&lines[0]["message"], &lines[0]["level"]), (&json!("init_failed"), &json!("ERROR")));
        assert_eq!(lines[0]["service"], function.name);
        let reason = lines[0]["reason"].as_str().unwrap();
        for variable in &wanted {
            assert!(reason.contains(variable), "{} does not name {variable}: {reason}", function.name);
        }
        let named = reason.split_once(": ").unwrap().1.split("; ").count();
        assert_eq!(named, wanted.len(), "{} names what it does not need: {reason}", function.name);
        for text in [&out, &err] {
            assert!(!text.contains("value-of"), "{} tells a value: {text}", function.name);
            assert!(!text.contains("panicked"), "{}: {text}", function.name);
        }
        assert!(!err.contains("init_failed"), "{}: {err}", function.name);
    }
}

#[tokio::test]
async fn development_starts_with_a_warning_where_production_would_not() {
    let app = TestApp::start().await;
    let mut variables = app.variables().clone();
    variables.insert("APP_ENV".into(), "development".into());
    variables.insert("RATE_LIMIT_GENERAL_MAX".into(), "value-of-limit".into());
    let mut running = Running::start("health", &variables).await;
    running.api.until_next(PATIENCE).await.unwrap();
    let (status, log, _) = running.terminate().await;
    assert_eq!(status, Some(0), "{log}");
    assert!(log.contains("RATE_LIMIT_GENERAL_MAX") && !log.contains("value-of-limit"), "{log}");
}

/// A binary on a Runtime API of ours, so that the signal reaches it and not an emulator.
pub(crate) struct Running {
    pub(crate) api: RuntimeApi,
    child: tokio::process::Child,
    /// What has been read of its log.
    said: String,
}

impl Running {
    pub(crate) async fn start(function: &str, variables: &HashMap<String, String>) -> Self {
        Self::start_within(function, variables, LAMBDA_TIMEOUT).await
    }

    /// The same, where Lambda gives an invocation `timeout`.
    pub(crate) async fn start_within(
        function: &str,
        variables: &HashMap<String, String>,
        timeout: Duration,
    ) -> Self {
        let api = RuntimeApi::start(timeout).await.unwrap();
        let mut command = process::command(&bootstrap(function), None);
        command.env_clear().envs(variables).envs(api.variables(function));
        let child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        Self { api, child, said: String::new() }
    }

    /// Reads its log until it says so.
    async fn until_it_says(&mut self, words: &str) {
        let out = self.child.stdout.as_mut().unwrap();
        while !self.said.contains(words) {
            let mut bytes = [0u8; 4096];
            let count = tokio::time::timeout(PATIENCE, out.read(&mut bytes)).await.unwrap().unwrap();
            assert!(count > 0, "it ended without {words}: {}", self.said);
            self.said.push_str(std::str::from_utf8(&bytes[..count]).unwrap());
        }
    }

    /// Stops it as Lambda does between two invocations; returns when it stands still.
    pub(crate) async fn freeze(&self) {
        process::signal(&self.child, Signal::STOP);
        let stat = format!("/proc/{}/stat", self.child.id().unwrap());
        let stands = || std::fs::read_to_string(&stat).unwrap().rsplit(')').next().unwrap().starts_with(" T");
        let until = Instant::now() + PATIENCE;
        while !stands() {
            assert!(Instant::now() < until, "it does not stop");
            tokio::time::sleep(process::POLL).await;
        }
    }

    pub(crate) fn thaw(&self) {
        process::signal(&self.child, Signal::CONT);
    }

    /// Its exit status, its log, and how long it took from SIGTERM on.
    pub(crate) async fn terminate(mut self) -> (Option<i32>, String, Duration) {
        let sent = Instant::now();
        process::signal(&self.child, Signal::TERM);
        let status = tokio::time::timeout(PATIENCE, self.child.wait()).await.expect("it ends").unwrap();
        let took = sent.elapsed();
        let mut log = std::mem::take(&mut self.said);
        self.child.stdout.take().unwrap().read_to_string(&mut log).await.unwrap();
        canary::check(&log);
        let mut errors = String::new();
        self.child.stderr.take().unwrap().read_to_string(&mut errors).await.unwrap();
        // Lambda's own runtime tells of its shutdown there, and nobody else of anything.
        assert!(errors.lines().all(|line| line.starts_with("[runtime] ")), "{errors}");
        (status.code(), log, took)
    }
}

#[tokio::test]
async fn sigterm_closes_what_is_open_and_ends_within_lambdas_500_ms() {
    let app = TestApp::start().await;
    let event = std::fs::read_to_string(root().join("events/health.get.json")).unwrap();
    for (function, _) in apis() {
        let mut running = Running::start(function.name, app.variables()).await;
        running.api.until_next(PATIENCE).await.unwrap();
        // Whatever the function is, the limiter and a look-up open connections that must be closed.
        for _ in 0..3 {
            running.api.send(&event);
            running.api.until_answer(PATIENCE).await.unwrap();
            running.api.until_next(PATIENCE).await.unwrap();
        }
        let (status, log, took) = running.terminate().await;
        assert_eq!(status, Some(0), "{}: {log}", function.name);
        assert_eq!(requests_counted(&log), (3, 1), "requests and cold starts: {log}");
        assert!(took < Duration::from_millis(500), "{} took {} ms", function.name, took.as_millis());
        assert_eq!(steps(&log, function.name), ["closing", "mongodb", "redis", "closed"], "{log}");
        assert!(!log.contains(r#""level":"WARN""#), "{}: {log}", function.name);
    }
}

/// The requests and the cold starts that the lines of metrics count.
fn requests_counted(log: &str) -> (u64, u64) {
    let lines = log.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    lines.fold((0, 0), |(requests, cold), line| {
        (requests + line["Requests"].as_u64().unwrap_or(0), cold + line["ColdStart"].as_u64().unwrap_or(0))
    })
}

/// The steps of the shutdown, in order.
fn steps(log: &str, function: &str) -> Vec<String> {
    let lines: Vec<Value> = log.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    lines
        .iter()
        .filter(|line| line["message"] == "shutdown" && line["service"] == function)
        .filter_map(|line| line["step"].as_str().map(str::to_owned))
        .collect()
}

/// A function of signed-in users whose request hangs: MongoDB took its first command, and answers no more.
/// Also tells when it was sent.
async fn hanging(app: &TestApp, timeout: Duration) -> (Running, Instant) {
    let user = app.register().await;
    let proxy = Proxy::start(app.mongodb_address(), Stop::Before(0)).await.unwrap();
    let mut variables = app.variables().clone();
    let uri = format!("mongodb://127.0.0.1:{}/?directConnection=true&serverMonitoringMode=poll", proxy.port);
    variables.insert("MONGODB_URI".into(), uri);
    let mut running = Running::start_within("accounts", &variables, timeout).await;
    running.api.until_next(PATIENCE).await.unwrap();
    let sent = Instant::now();
    running.api.send(&app.event(&user, "GET", "/accounts", &[], None));
    tokio::time::timeout(PATIENCE, proxy.stopped()).await.expect("it asks MongoDB");
    (running, sent)
}

#[tokio::test]
async fn a_database_that_hangs_is_504_before_lambda_ends_the_invocation() {
    // Less the margin, below the 2 s after which MongoDB counts as away.
    const TIMEOUT: Duration = Duration::from_millis(2_000);
    let app = TestApp::start().await;
    let (mut running, sent) = hanging(&app, TIMEOUT).await;
    let (at, answer) = running.api.until_answer(PATIENCE).await.unwrap();
    assert_eq!(answer["statusCode"], 504, "{answer}");
    assert_eq!(answer["headers"]["retry-after"], "1");
    let took = at.duration_since(sent);
    assert!(took > TIMEOUT / 2, "it had its time: {took:?}");
    assert!(took < TIMEOUT, "Lambda had ended the invocation: {took:?}");
}

#[tokio::test]
async fn sigterm_while_mongodb_is_a_black_hole_ends_in_time_all_the_same() {
    let app = TestApp::start().await;
    let (status, log, took) = hanging(&app, LAMBDA_TIMEOUT).await.0.terminate().await;
    assert_eq!(status, Some(0), "{log}");
    assert!(took < Duration::from_millis(500), "{} ms: {log}", took.as_millis());
    assert_eq!(steps(&log, "accounts"), ["closing", "mongodb", "redis", "closed"], "{log}");
}

#[tokio::test]
async fn a_second_sigterm_changes_nothing() {
    let app = TestApp::start().await;
    let (mut running, _) = hanging(&app, LAMBDA_TIMEOUT).await;
    process::signal(&running.child, Signal::TERM);
    // A second one that comes before the first was noticed would be the same one.
    running.until_it_says("\"step\":\"closing\"").await;
    let (status, log, took) = running.terminate().await;
    assert_eq!(status, Some(0), "{log}");
    assert!(took < Duration::from_millis(500), "{} ms: {log}", took.as_millis());
    assert_eq!(steps(&log, "accounts"), ["closing", "mongodb", "redis", "closed"], "{log}");
}

#[tokio::test]
async fn the_binaries_take_their_secrets_from_secrets_manager_and_notice_a_new_key() {
    let app = TestApp::start().await;
    let user = app.register().await;
    let vault = Vault::of(&app).await;
    vault.sign_with(&["a"]).await;
    let mut variables = vault.environment(&app, "3600");
    let environment = shared::config::environment();
    for name in ["AWS_ENDPOINT_URL", "AWS_REGION", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"] {
        variables.insert(name.to_owned(), environment[name].clone());
    }
    let mut running = Running::start("accounts", &variables).await;
    running.api.until_next(PATIENCE).await.unwrap();
    let session = secrets::session(&app, &user).await;
    for kid in ["a", "b"] {
        vault.sign_with(&[kid]).await;
        let bearer = format!("Bearer {}", secrets::token(&app, kid, user.id, session));
        let headers = [("authorization", bearer.as_str())];
        running.api.send(&tests::event("GET", "/api/v1/accounts", &user.ip, &headers, None));
        let (_, answer) = running.api.until_answer(PATIENCE).await.unwrap();
        assert_eq!(answer["statusCode"], 200, "{kid}: {answer}");
        running.api.until_next(PATIENCE).await.unwrap();
    }
    let (status, log, _) = running.terminate().await;
    assert_eq!(status, Some(0), "{log}");
    assert_eq!(log.matches("\"secrets renewed\"").count(), 1, "{log}");
}

#[tokio::test]
async fn without_secrets_manager_init_fails_within_its_two_seconds_and_says_why() {
    let began = Instant::now();
    let nobody = [
        ("APP_ENV", "production"),
        ("SECRETS_ID", "fintrack/db"),
        ("AWS_ENDPOINT_URL", "http://127.0.0.1:1"),
        ("AWS_REGION", "us-east-1"),
        ("AWS_ACCESS_KEY_ID", "test"),
        ("AWS_SECRET_ACCESS_KEY", "test"),
    ];
    let (status, out, _) = run_to_end("accounts", &nobody).await;
    assert!(began.elapsed() < Duration::from_secs(5), "{:?}", began.elapsed());
    assert_eq!(status, Some(1));
    let line: Value = serde_json::from_str(out.trim()).unwrap();
    assert_eq!(line["message"], "init_failed");
    let reason = line["reason"].as_str().unwrap();
    assert!(reason.contains("fintrack/db") || reason.contains("Secrets Manager"), "{reason}");
}

#[tokio::test]
async fn a_binary_tells_of_its_request_before_it_answers_and_of_nothing_where_it_is_not_asked_to() {
    let app = TestApp::start().await;
    let (collector, sentry) = (
        Receiver::start_with_tls(Answers::With(StatusCode::OK)).await,
        Receiver::start_with_tls(Answers::With(StatusCode::OK)).await,
    );
    let folder = Scratch::make();
    let certificates = folder.path().join("certificates.pem");
    let both = [&collector, &sentry].map(|receiver| receiver.certificate().unwrap().to_owned());
    std::fs::write(&certificates, both.concat()).unwrap();
    let user = app.register().await;
    let sampled = [("traceparent", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01")];
    let event = app.event(&user, "GET", "/accounts", &sampled, None);
    let mut variables = app.variables().clone();
    // What OpenTelemetry's libraries read by themselves elsewhere is read by nothing here.
    variables
        .insert("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT".to_owned(), format!("{}/v1/traces", collector.url()));
    variables.insert("MONGODB_URI".to_owned(), "mongodb://127.0.0.1:1/?directConnection=true".to_owned());
    variables.insert("MONGO_SERVER_SELECTION_TIMEOUT_MS".to_owned(), "50".to_owned());
    // Not asked; asked, by a receiver whose certificate nobody here trusts; trusted.
    for (named, trusted) in [(false, false), (true, false), (true, true)] {
        let told = usize::from(trusted);
        if named {
            variables.insert("OTEL_EXPORTER_OTLP_ENDPOINT".to_owned(), collector.url());
            variables.insert("SENTRY_DSN".to_owned(), sentry.dsn());
        }
        if trusted {
            variables.insert("SSL_CERT_FILE".to_owned(), certificates.display().to_string());
        }
        let mut running = Running::start("accounts", &variables).await;
        running.api.until_next(PATIENCE).await.unwrap();
        running.api.send(&event);
        let (_, answer) = running.api.until_answer(PATIENCE).await.unwrap();
        assert_eq!(answer["statusCode"], 503, "{answer}");
        assert_eq!((collector.sent().len(), sentry.sent().len()), (told, told));
        running.api.until_next(PATIENCE).await.unwrap();
        let (status, log, took) = running.terminate().await;
        assert_eq!(status, Some(0), "{log}");
        assert!(took < Duration::from_millis(500), "{} ms", took.as_millis());
        assert_eq!(steps(&log, "accounts").contains(&"telemetry".to_owned()), named, "{log}");
        let refused = log.matches("it cannot be reached").count();
        assert_eq!(refused, if named && !trusted { 2 } else { 0 }, "{log}");
    }
    assert_eq!(
        (collector.connections(), sentry.connections()),
        (2, 2),
        "one that was not trusted, one that was; and at the end there was nothing left"
    );
}
