//! The whole API in one process, on the databases of `MONGODB_URI` and `REDIS_URL`: each test has a database and a Redis
//! prefix of its own, and talks to it through API Gateway events, as clients do. Must never skip in silence: without
//! databases a test fails and says what starts them.

use std::collections::HashMap;
use std::time::Duration;

use axum::Router;
use finance::id::UserId;
use http::HeaderMap;
use http_body_util::BodyExt;
use lambda_http::tower::ServiceExt;
use serde_json::{Value, json};
use shared::boot::Boot;
use shared::clock::Clock;
use shared::config::Config;
use shared::edge::contract::ERROR_CODES;
use shared::edge::{Function, RouteInfo};
use shared::reload::Build;
use shared::store::{Store, indexes};

use crate::{canary, log};

/// The password of every test user.
pub const PASSWORD: &str = "correct horse battery staple";

/// One mounted function.
pub struct Mounted {
    pub name: &'static str,
    pub function: Function,
    pub build: Build,
    pub router: Router,
    pub routes: Vec<RouteInfo>,
}

/// Every function that requests invoke, built on one boot.
pub fn mount(boot: &Boot) -> Vec<Mounted> {
    local::functions::apis()
        .map(|(function, api)| Mounted {
            name: function.name,
            function,
            build: api.build,
            router: (api.build)(boot).expect("the configuration has every part"),
            routes: (api.routes)(),
        })
        .collect()
}

/// An answer, read whole.
#[derive(Clone, Debug)]
pub struct Answer {
    pub status: u16,
    pub headers: HeaderMap,
    /// `null` where the body is empty.
    pub json: Value,
    pub raw: bytes::Bytes,
}

impl Answer {
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).and_then(|value| value.to_str().ok())
    }

    /// The problem's code.
    pub fn code(&self) -> &str {
        self.json["code"].as_str().unwrap_or_default()
    }

    /// The pointers and codes of a problem's errors.
    pub fn errors(&self) -> Vec<(String, String)> {
        let list = self.json["errors"].as_array().cloned().unwrap_or_default();
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        list.iter().map(|error| (text(&error["pointer"]), text(&error["code"]))).collect()
    }
}

impl Answer {
    /// Fails unless the answer has this status; says what it was instead.
    #[track_caller]
    pub fn expect(&self, status: u16) -> &Self {
        assert_eq!(self.status, status, "{}", self.json);
        self
    }

    /// Fails unless the answer is this problem, whole and in its own words (RFC 9457).
    #[track_caller]
    pub fn expect_problem(&self, status: u16, code: &str) -> &Self {
        assert_eq!((self.status, self.code()), (status, code), "{}", self.json);
        assert_eq!(self.header("content-type"), Some("application/problem+json"));
        assert_eq!(self.json["type"], format!("/problems/{code}"));
        assert_eq!(self.json["status"], status);
        assert_eq!(self.json["instance"].as_str(), self.header("x-request-id"));
        for member in ["title", "detail"] {
            assert!(self.json[member].as_str().is_some_and(|text| !text.is_empty()), "{member}");
        }
        self
    }

    /// Fails unless the answer is 422 with exactly these pointers and codes, in any order. Some kinds of refusal, where
    /// they are all there is, name the problem.
    #[track_caller]
    pub fn expect_fields(&self, wanted: &[(&str, &str)]) -> &Self {
        const OWN: [&str; 6] = [
            "invalid_text",
            "password_too_common",
            "currency_mismatch",
            "category_kind",
            "account_required",
            "date_out_of_range",
        ];
        let first = wanted[0].1;
        let own = OWN.contains(&first) && wanted.iter().all(|(_, code)| *code == first);
        self.expect_problem(422, if own { first } else { "invalid_fields" });
        self.expect_errors(wanted)
    }

    /// Fails unless the problem has exactly these pointers and codes, in any order.
    #[track_caller]
    pub fn expect_errors(&self, wanted: &[(&str, &str)]) -> &Self {
        let mut wanted: Vec<_> = wanted.iter().map(|(p, c)| ((*p).to_owned(), (*c).to_owned())).collect();
        let mut found = self.errors();
        wanted.sort();
        found.sort();
        assert_eq!(found, wanted, "{}", self.json);
        self
    }

    pub fn id(&self) -> String {
        self.text("id")
    }

    /// A member that is text; empty where it is none.
    pub fn text(&self, member: &str) -> String {
        self.json[member].as_str().unwrap_or_default().to_owned()
    }

    /// The items of a page.
    pub fn items(&self) -> &[Value] {
        self.json["items"].as_array().map(Vec::as_slice).unwrap_or_default()
    }
}

/// A registered user.
#[derive(Clone, Debug)]
pub struct User {
    pub id: UserId,
    pub email: String,
    pub access: String,
    pub refresh: String,
    pub ip: String,
}

pub struct TestApp {
    pub boot: Boot,
    pub clock: Clock,
    pub functions: Vec<Mounted>,
    variables: HashMap<String, String>,
}

impl TestApp {
    pub async fn start() -> Self {
        Self::with(&[]).await
    }

    /// The API with other variables.
    pub async fn with(overrides: &[(&str, &str)]) -> Self {
        Self::with_clock(overrides, Clock::system()).await
    }

    pub async fn with_clock(overrides: &[(&str, &str)], clock: Clock) -> Self {
        let variables = variables(overrides);
        let app = Self::mounted(variables, clock);
        if !overrides.iter().any(|(name, _)| *name == "MONGODB_URI") {
            let mongo = app.boot.mongo().expect("the configuration has MongoDB");
            indexes::migrate(&mongo).await.expect("the test database takes its indexes");
        }
        app
    }

    /// The API on the databases that another process's test has made.
    pub fn of_environment(variables: HashMap<String, String>) -> Self {
        Self::mounted(variables, Clock::system())
    }

    /// A second instance on the same databases, as another execution environment is.
    pub fn sibling(&self) -> Self {
        self.sibling_with(&[])
    }

    /// A second instance with some variables changed.
    pub fn sibling_with(&self, changes: &[(&str, &str)]) -> Self {
        self.sibling_with_clock(changes, self.clock.clone())
    }

    /// A second instance with some variables changed, on a clock of its own.
    pub fn sibling_with_clock(&self, changes: &[(&str, &str)], clock: Clock) -> Self {
        let mut variables = self.variables.clone();
        variables.extend(changes.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())));
        Self::mounted(variables, clock)
    }

    /// The database behind the API, for what only a look into it shows.
    pub async fn database(&self) -> mongodb::Database {
        let client = mongodb::Client::with_uri_str(&self.variables["MONGODB_URI"]).await.expect("a client");
        client.database(&self.variables["MONGODB_DATABASE"])
    }

    fn mounted(variables: HashMap<String, String>, clock: Clock) -> Self {
        log::start();
        canary::learn_variables(&variables);
        let config =
            Config::load(&variables, &local::functions::needs()).unwrap_or_else(|error| panic!("{error}"));
        let boot = Boot::with_clock(config, clock.clone());
        Self { functions: mount(&boot), boot, clock, variables }
    }

    /// The environment of a process on the same databases.
    pub fn variables(&self) -> &HashMap<String, String> {
        &self.variables
    }

    /// Where MongoDB listens, as host:port.
    pub fn mongodb_address(&self) -> String {
        address_in(&self.variables["MONGODB_URI"])
    }

    /// Where Redis listens, as host:port.
    pub fn redis_address(&self) -> String {
        address_in(&self.variables["REDIS_URL"])
    }

    /// The stores, for a look behind the API.
    pub fn store(&self, limit: Duration) -> Store {
        self.boot.mongo().expect("the configuration has MongoDB").for_duration(limit)
    }

    /// Every operation with the function that answers it.
    pub fn operations(&self) -> Vec<(&'static str, RouteInfo)> {
        let all =
            self.functions.iter().flat_map(|f| f.routes.iter().map(move |route| (f.name, route.clone())));
        all.collect()
    }

    /// Sends a payload-v2 event to the function that API Gateway's routes send its path to.
    pub async fn send(&self, event: &str) -> Answer {
        let path: Value = serde_json::from_str(event).expect("an event is JSON");
        let path = path["rawPath"].as_str().unwrap_or_default().to_owned();
        let below = path.strip_prefix("/api/v1/").or_else(|| path.strip_prefix("/api/")).unwrap_or_default();
        let first = below.split('/').next().unwrap_or_default();
        let function = self.functions.iter().find(|function| function.name == first);
        // $default.
        let function = function.unwrap_or(&self.functions[0]);
        self.invoke(function.name, event).await
    }

    /// Hands an event of any kind to a function.
    pub async fn invoke(&self, function: &str, event: &str) -> Answer {
        canary::learn_event(event);
        let function = self.functions.iter().find(|mounted| mounted.name == function).expect("a function");
        let request = shared::edge::event::read(event).expect("an event is JSON");
        let response = function.router.clone().oneshot(request).await.unwrap_or_else(|never| match never {});
        let (parts, body) = response.into_parts();
        let bytes = body.collect().await.expect("a body").to_bytes();
        let json = if bytes.is_empty() { Value::Null } else { serde_json::from_slice(&bytes).expect("JSON") };
        canary::learn_answer(&parts.headers, &json);
        for error in json["errors"].as_array().into_iter().flatten() {
            let listed = ERROR_CODES.iter().any(|(code, _)| error["code"] == *code);
            assert!(listed, "shared::edge::contract::ERROR_CODES does not list {error}");
        }
        Answer { status: parts.status.as_u16(), headers: parts.headers, json, raw: bytes }
    }

    pub fn event(
        &self,
        user: &User,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: Option<&Value>,
    ) -> String {
        let bearer = format!("Bearer {}", user.access);
        let mut all = vec![("authorization", bearer.as_str())];
        all.extend(headers);
        event(method, &format!("/api/v1{path}"), &user.ip, &all, body.map(Value::to_string).as_deref())
    }

    pub async fn call(
        &self,
        user: &User,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: Option<&Value>,
    ) -> Answer {
        self.send(&self.event(user, method, path, headers, body)).await
    }

    pub async fn get(&self, user: &User, path: &str) -> Answer {
        self.call(user, "GET", path, &[], None).await
    }
    pub async fn post(&self, user: &User, path: &str, body: &Value) -> Answer {
        self.call(user, "POST", path, &[], Some(body)).await
    }
    pub async fn patch(&self, user: &User, path: &str, body: &Value) -> Answer {
        self.call(user, "PATCH", path, &[], Some(body)).await
    }
    pub async fn delete(&self, user: &User, path: &str) -> Answer {
        self.call(user, "DELETE", path, &[], None).await
    }

    /// Creates something that must be created, and answers it.
    #[track_caller]
    pub fn create<'a>(
        &'a self,
        user: &'a User,
        path: &'a str,
        body: Value,
    ) -> impl Future<Output = Value> + 'a {
        let at = std::panic::Location::caller();
        async move {
            let answer = self.post(user, path, &body).await;
            assert_eq!(answer.status, 201, "{at}: {}", answer.json);
            answer.json
        }
    }

    /// An expense of the user's first account that is only interesting for being there.
    pub async fn expense(&self, user: &User, amount: &str, date: &str, description: &str) -> Value {
        let body = json!({"type": "expense", "amount": amount, "date": date, "description": description});
        self.create(user, "/transactions", body).await
    }

    /// The id of the account that every user begins with.
    pub async fn first_account(&self, user: &User) -> String {
        self.get(user, "/accounts").await.items()[0]["id"].as_str().unwrap_or_default().to_owned()
    }

    /// A call without a token.
    pub async fn anonymous(&self, method: &str, path: &str, body: Option<&Value>) -> Answer {
        let text = body.map(Value::to_string);
        self.send(&event(method, &format!("/api/v1{path}"), &random_ip(), &[], text.as_deref())).await
    }

    /// Registers a user of its own address, in USD and UTC.
    pub async fn register(&self) -> User {
        self.register_with(json!({})).await
    }

    pub async fn register_with(&self, extra: Value) -> User {
        let email = format!("user-{}@example.com", random_name());
        let ip = random_ip();
        let mut body = json!({"email": email, "password": PASSWORD});
        for (name, value) in extra.as_object().cloned().unwrap_or_default() {
            body[name] = value;
        }
        let answer =
            self.send(&event("POST", "/api/v1/auth/register", &ip, &[], Some(&body.to_string()))).await;
        assert_eq!(answer.status, 201, "{}", answer.json);
        user_of(&answer, email, ip)
    }

    /// Logs a user in again: a second session.
    pub async fn log_in(&self, user: &User) -> User {
        let body = json!({"email": user.email, "password": PASSWORD}).to_string();
        let ip = random_ip();
        let answer = self.send(&event("POST", "/api/v1/auth/login", &ip, &[], Some(&body))).await;
        assert_eq!(answer.status, 200, "{}", answer.json);
        user_of(&answer, user.email.clone(), ip)
    }

    /// The id of one of the user's categories.
    pub async fn category(&self, user: &User, name: &str) -> String {
        let list = self.get(user, "/categories").await.json["items"].clone();
        let found = list.as_array().into_iter().flatten().find(|category| category["name"] == name).cloned();
        found.unwrap_or_else(|| panic!("no category {name}"))["id"].as_str().unwrap_or_default().to_owned()
    }

    /// Fails unless a recomputation from the transactions finds the kept totals and balances.
    pub async fn assert_ledger_sound(&self, user: &User) {
        let audit = self.store(Duration::from_secs(20)).audit(user.id).await.expect("an audit");
        assert_eq!(audit.differences, Vec::<String>::new());
    }
}

/// The first host and port of a connection string.
fn address_in(uri: &str) -> String {
    let rest = uri.split("://").nth(1).unwrap_or_default();
    let hosts = rest.split(['/', '?']).next().unwrap_or_default();
    hosts.rsplit('@').next().and_then(|hosts| hosts.split(',').next()).unwrap_or_default().to_owned()
}

fn user_of(answer: &Answer, email: String, ip: String) -> User {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    User {
        id: UserId::parse(&text(&answer.json["user"]["id"])).expect("an id"),
        email,
        access: text(&answer.json["tokens"]["accessToken"]),
        refresh: text(&answer.json["tokens"]["refreshToken"]),
        ip,
    }
}

/// A payload-v2 event as API Gateway makes it.
pub fn event(method: &str, target: &str, ip: &str, headers: &[(&str, &str)], body: Option<&str>) -> String {
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    let mut map = serde_json::Map::new();
    if body.is_some() {
        map.insert("content-type".into(), "application/json".into());
    }
    let mut cookies = Vec::new();
    for (name, value) in headers {
        if *name == "cookie" {
            cookies.push(*value);
        } else {
            map.insert((*name).to_owned(), (*value).into());
        }
    }
    let mut event = json!({
        "version": "2.0", "routeKey": "$default", "rawPath": path, "rawQueryString": query, "headers": map,
        "requestContext": {
            "accountId": "000000000000", "apiId": "test", "domainName": "api.example.com", "domainPrefix": "api",
            "http": {"method": method, "path": path, "protocol": "HTTP/1.1", "sourceIp": ip, "userAgent": "tests"},
            "requestId": "JKJaXmPLvHcESHA=", "routeKey": "$default", "stage": "$default",
            "time": "15/Jan/2026:10:30:00 +0000", "timeEpoch": 1_768_473_000_000u64
        },
        "isBase64Encoded": false
    });
    if !cookies.is_empty() {
        event["cookies"] = cookies.into();
    }
    if let Some(body) = body {
        event["body"] = body.into();
    }
    event.to_string()
}

/// What every configuration of the tests has, wherever its databases are. `secret` ends each of its secrets.
pub(crate) fn settings(secret: &str) -> HashMap<String, String> {
    let settings = [
        ("APP_ENV", "test".to_owned()),
        ("JWT_SECRET", format!("access-{secret}")),
        ("JWT_REFRESH_SECRET", format!("refresh-{secret}")),
        ("PASSWORD_PEPPER", format!("pepper-{secret}")),
        ("CORS_ORIGINS", "https://app.example.com".to_owned()),
        // The cheapest hash that the schema allows: the tests hash often.
        ("ARGON2_MEMORY_KIB", "8192".to_owned()),
        ("ARGON2_ITERATIONS", "1".to_owned()),
    ];
    settings.map(|(name, value)| (name.to_owned(), value)).into()
}

fn variables(overrides: &[(&str, &str)]) -> HashMap<String, String> {
    let environment = shared::config::environment();
    let database = |name: &str| {
        environment.get(name).cloned().unwrap_or_else(|| {
            panic!("{name} is not set: run the tests by `make test`, which starts the databases")
        })
    };
    let name = random_name();
    let mut variables = settings(&format!("secret-of-the-tests-{name}"));
    let own = [
        ("MONGODB_URI", database("MONGODB_URI")),
        ("MONGODB_DATABASE", format!("test_{name}")),
        ("REDIS_URL", database("REDIS_URL")),
        ("REDIS_KEY_PREFIX", format!("test:{name}:")),
        ("RATE_LIMIT_GENERAL_MAX", "100000".to_owned()),
        // Two cores run many tests at once: a slow machine is not what a test of behaviour is about.
        ("REDIS_RESPONSE_TIMEOUT_MS", "2000".to_owned()),
        ("REDIS_CONNECT_TIMEOUT_MS", "2000".to_owned()),
        ("MONGO_OPERATION_TIMEOUT_MS", "9000".to_owned()),
    ];
    variables.extend(own.map(|(name, value)| (name.to_owned(), value)));
    variables.extend(overrides.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())));
    variables
}

/// A name that no other test has.
pub fn random_name() -> String {
    let mut bytes = [0u8; 8];
    shared::crypto::fill_random(&mut bytes);
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// An address of the benchmarking range (RFC 2544).
pub fn random_ip() -> String {
    let mut bytes = [0u8; 3];
    shared::crypto::fill_random(&mut bytes);
    format!("198.{}.{}.{}", 18 + (bytes[0] & 1), bytes[1], bytes[2])
}
