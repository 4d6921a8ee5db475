//! Secrets that change while functions run, in a real Secrets Manager API: keys are rotated without a failed request, taken
//! back within their time, and Secrets Manager being away harms nobody for an hour.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use aws_sdk_secretsmanager::Client;
use finance::id::UserId;
use http_body_util::BodyExt;
use jiff::Timestamp;
use secrecy::SecretString;
use serde_json::{Value, json};
use shared::clock::Clock;
use shared::config::{JwtConfig, JwtKey};
use shared::edge::Function;
use shared::identity::AccessTokens;
use shared::metrics::Metric;
use shared::reload::{Build, Live};
use tests::log::capture;
use tests::redis_server::RedisServer;
use tests::{PASSWORD, TestApp, User, event, random_ip, random_name};
use uuid::Uuid;

const KEYS: [(&str, &str); 3] = [
    ("a", "the-first-secret-of-the-tests-0123456789"),
    ("b", "another-secret-of-the-tests-0123456789"),
    ("c", "a-third-secret-of-the-tests-0123456789"),
];

/// One secret, as an operator sees it.
pub(crate) struct Vault {
    client: Client,
    id: String,
    values: HashMap<String, String>,
}

impl Vault {
    /// A secret with what the app's environment held, signing keys apart.
    pub(crate) async fn of(app: &TestApp) -> Self {
        let environment = shared::config::environment();
        let endpoint = environment.get("AWS_ENDPOINT_URL").expect("AWS_ENDPOINT_URL: run by make test");
        let loader = aws_config::defaults(aws_config::BehaviorVersion::latest()).endpoint_url(endpoint);
        let client = Client::new(&loader.load().await);
        let names = ["MONGODB_URI", "REDIS_URL", "JWT_REFRESH_SECRET", "PASSWORD_PEPPER"];
        let values = names.map(|name| (name.to_owned(), app.variables()[name].clone()));
        let vault = Self { client, id: format!("test/{}", random_name()), values: values.into() };
        vault.client.create_secret().name(&vault.id).secret_string("{}").send().await.expect("a secret");
        vault
    }

    async fn put(&self, text: String) {
        self.client
            .put_secret_value()
            .secret_id(&self.id)
            .secret_string(text)
            .send()
            .await
            .expect("a version");
    }

    /// The values with these signing keys; the first is active.
    pub(crate) async fn sign_with(&self, kids: &[&str]) {
        let keys: Vec<Value> = kids.iter().map(|kid| json!({"kid": kid, "key": key(kid)})).collect();
        let mut values = json!(self.values);
        values["JWT_KEYS"] = json!({"active": kids[0], "keys": keys});
        self.put(values.to_string()).await;
    }

    /// The values with the app's own signing key.
    pub(crate) async fn sign_as(&self, app: &TestApp) {
        let mut values = json!(self.values);
        values["JWT_SECRET"] = app.variables()["JWT_SECRET"].clone().into();
        self.put(values.to_string()).await;
    }

    async fn set(&mut self, name: &str, value: &str) {
        self.values.insert(name.to_owned(), value.to_owned());
        self.sign_with(&["a"]).await;
    }

    async fn remove(&self) {
        self.client
            .delete_secret()
            .secret_id(&self.id)
            .force_delete_without_recovery(true)
            .send()
            .await
            .expect("gone");
    }

    async fn bring_back(&self) {
        self.client.create_secret().name(&self.id).secret_string("{}").send().await.expect("a secret");
        self.sign_with(&["a"]).await;
    }

    /// The environment of a process that reads this secret.
    pub(crate) fn environment(&self, app: &TestApp, ttl: &str) -> HashMap<String, String> {
        let mut environment = app.variables().clone();
        for name in self.values.keys().map(String::as_str).chain(["JWT_SECRET"]) {
            environment.remove(name);
        }
        environment.insert("SECRETS_ID".to_owned(), self.id.clone());
        environment.insert("SECRETS_TTL_SECONDS".to_owned(), ttl.to_owned());
        environment
    }

    /// A function that reads this secret.
    pub(crate) async fn start(&self, app: &TestApp, function: Function, build: Build, ttl: &str) -> Live {
        let environment = self.environment(app, ttl);
        Live::start(function, build, environment, app.clock.clone())
            .await
            .unwrap_or_else(|error| panic!("{error}"))
    }
}

fn key(kid: &str) -> &'static str {
    KEYS.iter().find(|(known, _)| *known == kid).expect("a key").1
}

/// A token that a function with this active key would issue.
pub(crate) fn token(app: &TestApp, kid: &str, user: UserId, session: Uuid) -> String {
    let config = JwtConfig {
        keys: vec![JwtKey { kid: kid.to_owned(), key: SecretString::from(key(kid)) }],
        issuer: "fintrack-pro".to_owned(),
        audience: "fintrack-pro-api".to_owned(),
        access_ttl: Duration::from_secs(900),
    };
    AccessTokens::new(&config, app.clock.clone()).sign(user, session).expect("a token")
}

async fn send(live: &Live, event: &str) -> (u16, Value) {
    let request = lambda_http::request::from_str(event).expect("an event");
    let response = live.answer(request).await;
    let status = response.status().as_u16();
    let body = response.into_body().collect().await.expect("a body").to_bytes();
    (status, serde_json::from_slice(&body).unwrap_or_default())
}

async fn get(live: &Live, path: &str, token: &str) -> u16 {
    let bearer = format!("Bearer {token}");
    send(live, &event("GET", path, &random_ip(), &[("authorization", &bearer)], None)).await.0
}

/// The user's session, out of the token that it was given.
pub(crate) async fn session(app: &TestApp, user: &User) -> Uuid {
    let list = app.get(user, "/auth/sessions").await;
    Uuid::parse_str(list.items()[0]["id"].as_str().expect("an id")).expect("a UUID")
}

/// An app whose clock is moved by hand, a user of it, and the user's session.
async fn scene() -> (TestApp, User, Uuid) {
    let app =
        TestApp::with_clock(&[], Clock::manual(Timestamp::from_second(1_800_000_000).expect("a time"))).await;
    let user = app.register().await;
    let session = session(&app, &user).await;
    (app, user, session)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn signing_keys_are_rotated_under_load_without_a_failed_request() {
    let app = TestApp::start().await;
    let user = app.register().await;
    let vault = Vault::of(&app).await;
    vault.sign_with(&["a"]).await;
    let auth = Arc::new(vault.start(&app, auth::FUNCTION, auth::build, "1").await);
    let mut environments = Vec::new();
    for _ in 0..3 {
        environments.push(Arc::new(vault.start(&app, accounts::FUNCTION, accounts::build, "1").await));
    }
    let (ended, answered) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicUsize::new(0)));
    let clients: Vec<_> = environments
        .iter()
        .map(|live| {
            let (auth, live, ended, answered) = (auth.clone(), live.clone(), ended.clone(), answered.clone());
            let email = user.email.clone();
            tokio::spawn(async move {
                let body = json!({"email": email, "password": PASSWORD}).to_string();
                let mut kids = Vec::new();
                let login = event("POST", "/api/v1/auth/login", &random_ip(), &[], Some(&body));
                let (status, mut tokens) = send(&auth, &login).await;
                assert_eq!(status, 200, "{tokens}");
                while !ended.load(Ordering::SeqCst) {
                    let access = tokens["tokens"]["accessToken"].as_str().expect("a token").to_owned();
                    for path in ["/api/v1/accounts", "/api/v1/accounts?limit=1"] {
                        assert_eq!(get(&live, path, &access).await, 200, "a token of {kids:?}");
                        answered.fetch_add(1, Ordering::SeqCst);
                    }
                    kids.push(kid_of(&access));
                    let refresh = json!({"refreshToken": tokens["tokens"]["refreshToken"]}).to_string();
                    let refresh = event("POST", "/api/v1/auth/refresh", &random_ip(), &[], Some(&refresh));
                    let (status, next) = send(&auth, &refresh).await;
                    assert_eq!(status, 200, "{next}");
                    tokens = next;
                }
                kids.dedup();
                kids
            })
        })
        .collect();
    // As the runbook says: publish, wait for the secrets' time, use, wait, take the old one away.
    for kids in [&["a", "b"][..], &["b", "a"], &["b", "c"], &["c", "b"]] {
        vault.sign_with(kids).await;
        let since = Instant::now();
        while since.elapsed() < Duration::from_millis(1_600) {
            tokio::task::yield_now().await;
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
    ended.store(true, Ordering::SeqCst);
    for client in clients {
        assert_eq!(client.await.expect("no request failed"), ["a", "b", "c"]);
    }
    assert!(answered.load(Ordering::SeqCst) > 50, "there was load");
}

fn kid_of(token: &str) -> String {
    use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
    let header = URL_SAFE_NO_PAD.decode(token.split('.').next().expect("a header")).expect("base64");
    let header: Value = serde_json::from_slice(&header).expect("JSON");
    header["kid"].as_str().expect("a kid").to_owned()
}

#[tokio::test]
async fn a_key_that_is_not_known_is_looked_for_at_once_and_once_a_minute() {
    let (app, user, session) = scene().await;
    let vault = Vault::of(&app).await;
    vault.sign_with(&["a"]).await;
    let live = vault.start(&app, accounts::FUNCTION, accounts::build, "3600").await;
    let [a, b, c] = ["a", "b", "c"].map(|kid| token(&app, kid, user.id, session));
    assert_eq!(get(&live, "/api/v1/accounts", &a).await, 200);
    vault.sign_with(&["b", "a"]).await;
    assert_eq!(get(&live, "/api/v1/accounts", &b).await, 200, "the first request with the new key");
    assert_eq!(get(&live, "/api/v1/accounts", &a).await, 200, "the old one is still listed");
    vault.sign_with(&["c", "b", "a"]).await;
    assert_eq!(get(&live, "/api/v1/accounts", &c).await, 401, "asked a moment ago");
    assert_eq!(get(&live, "/api/v1/accounts", "garbage").await, 401);
    app.clock.advance_seconds(60);
    assert_eq!(get(&live, "/api/v1/accounts", &c).await, 200);
}

#[tokio::test]
async fn a_key_that_is_taken_back_is_refused_within_the_secrets_time() {
    let (app, user, session) = scene().await;
    let vault = Vault::of(&app).await;
    vault.sign_with(&["b", "a"]).await;
    let live = vault.start(&app, accounts::FUNCTION, accounts::build, "300").await;
    let old = token(&app, "a", user.id, session);
    vault.sign_with(&["b"]).await;
    app.clock.advance_seconds(239);
    assert_eq!(get(&live, "/api/v1/accounts", &old).await, 200, "four fifths of the time are not over");
    app.clock.advance_seconds(122);
    assert_eq!(get(&live, "/api/v1/accounts", &old).await, 401, "six fifths are");
    assert_eq!(get(&live, "/api/v1/accounts", &token(&app, "b", user.id, session)).await, 200);
}

#[tokio::test]
async fn secrets_manager_being_away_harms_nobody_for_an_hour_and_everybody_after() {
    let log = capture();
    let (app, _, _) = scene().await;
    let vault = Vault::of(&app).await;
    vault.sign_with(&["a"]).await;
    let live = vault.start(&app, financial_health::FUNCTION, financial_health::build, "300").await;
    let path = "/api/v1/financial-health/method";
    let ask = async || send(&live, &event("GET", path, &random_ip(), &[], None)).await;
    vault.remove().await;
    app.clock.advance_seconds(400);
    assert_eq!(ask().await.0, 200);
    assert_eq!(log.metric(Metric::SecretsStale), 1);
    assert_eq!(log.messages("secrets not refreshed").len(), 1);
    assert_eq!(ask().await.0, 200);
    assert_eq!(log.metric(Metric::SecretsStale), 1, "not asked again at once");
    app.clock.advance_seconds(3_439);
    assert_eq!(ask().await.0, 200, "an hour beyond four fifths of their time is not over");
    app.clock.advance_seconds(122);
    let (status, problem) = ask().await;
    assert_eq!((status, &problem["code"]), (503, &json!("service_unavailable")));
    vault.bring_back().await;
    app.clock.advance_seconds(37);
    assert_eq!(ask().await.0, 200, "mended without a restart");
}

#[tokio::test]
async fn a_secret_that_cannot_be_used_changes_nothing() {
    let log = capture();
    let (app, user, session) = scene().await;
    let vault = Vault::of(&app).await;
    vault.sign_with(&["a"]).await;
    let live = vault.start(&app, accounts::FUNCTION, accounts::build, "300").await;
    for (text, message) in [
        ("no JSON at all: hunter2".to_owned(), "secrets not refreshed"),
        (json!({"MONGODB_URI": "hunter2", "JWT_KEYS": "hunter2"}).to_string(), "secrets refused"),
    ] {
        vault.put(text).await;
        for told in [1, 2] {
            app.clock.advance_seconds(361);
            assert_eq!(get(&live, "/api/v1/accounts", &token(&app, "a", user.id, session)).await, 200);
            assert_eq!(log.messages(message).len(), told, "{}", log.text());
        }
    }
    assert_eq!(log.metric(Metric::SecretsStale), 4);
    assert!(!log.text().contains("hunter2"));
}

#[tokio::test]
async fn refused_credentials_of_mongodb_are_replaced_by_newer_ones() {
    let (app, user, session) = scene().await;
    let database = app.database().await;
    let name = format!("user-{}", random_name());
    let create = mongodb::bson::doc! {"createUser": &name, "pwd": "right", "roles": ["readWrite"]};
    database.run_command(create).await.expect("a user of MongoDB");
    let uri = |word: &str| {
        let rest = app.variables()["MONGODB_URI"].split_once("://").expect("a URI").1.to_owned();
        let (hosts, options) = rest.split_once("/?").unwrap_or((rest.trim_end_matches('/'), ""));
        format!("mongodb://{name}:{word}@{hosts}/?{options}&authSource={}", database.name())
    };
    let mut vault = Vault::of(&app).await;
    vault.set("MONGODB_URI", &uri("wrong")).await;
    let live = vault.start(&app, accounts::FUNCTION, accounts::build, "3600").await;
    let health = vault.start(&app, health::FUNCTION, health::build, "3600").await;
    vault.set("MONGODB_URI", &uri("right")).await;
    let token = token(&app, "a", user.id, session);
    assert_eq!(get(&live, "/api/v1/accounts", &token).await, 503, "nothing was done with the old ones");
    assert_eq!(get(&live, "/api/v1/accounts", &token).await, 200, "long before the secrets' time is over");
    let schedule = include_str!("../../events/health.schedule.json");
    for status in ["unhealthy", "healthy"] {
        assert_eq!(send(&health, schedule).await.1["status"], status);
    }
}

#[tokio::test]
async fn refused_credentials_of_redis_are_replaced_by_newer_ones() {
    let log = capture();
    let (app, _, _) = scene().await;
    let server = RedisServer::start(&app).await;
    let mut operator = server.operator().await;
    operator.run::<()>("ACL SETUSER api on >old ~* +@all").await;
    operator.run::<()>("ACL SETUSER next on >new ~* +@all").await;
    let closes = "CLIENT KILL TYPE normal SKIPME yes";
    // Each case's URLs before and after, and what the operator does in between.
    for (case, before, after, change) in [
        ("NOPERM", server.url_as("api", "old"), server.url_as("next", "new"), "ACL SETUSER api -@all"),
        ("a deleted user", server.url_as("api", "old"), server.url_as("next", "new"), "ACL DELUSER api"),
        (
            "WRONGPASS",
            server.url_as("next", "new"),
            server.url_as("next", "newer"),
            "ACL SETUSER next resetpass >newer",
        ),
        ("NOAUTH", server.url.clone(), server.url_as("", "word"), "CONFIG SET requirepass word"),
    ] {
        operator.run::<()>("ACL SETUSER api on +@all").await;
        let mut vault = Vault::of(&app).await;
        vault.set("REDIS_URL", &before).await;
        let live = vault.start(&app, financial_health::FUNCTION, financial_health::build, "3600").await;
        let health = vault.start(&app, health::FUNCTION, health::build, "3600").await;
        let schedule = include_str!("../../events/health.schedule.json");
        let counted = async || {
            let seen = log.metric(Metric::LimiterDegraded);
            let method = event("GET", "/api/v1/financial-health/method", &random_ip(), &[], None);
            assert_eq!(send(&live, &method).await.0, 200, "{case}");
            log.metric(Metric::LimiterDegraded) == seen
        };
        assert!(counted().await, "{case}");
        assert_eq!(send(&health, schedule).await.1["status"], "healthy", "{case}");
        operator.run::<redis::Value>(change).await;
        operator.run::<redis::Value>(closes).await;
        vault.set("REDIS_URL", &after).await;
        assert!(!counted().await, "{case}: refused");
        assert!(counted().await, "{case}: long before the secrets' time is over");
        for status in ["unhealthy", "healthy"] {
            assert_eq!(send(&health, schedule).await.1["status"], status, "{case}");
        }
    }
}
