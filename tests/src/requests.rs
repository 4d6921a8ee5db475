//! One valid request of every operation, its contract's sample, with what must be there before it, and what a user sees
//! afterwards. Tests of what breaks off use it; a new operation that needs something first must say so here.

use serde_json::{Value, json};
use shared::edge::contract::example;
use shared::edge::{Access, RouteInfo};

use crate::app::{Answer, PASSWORD, TestApp, User, event, random_ip, random_name};
use crate::openapi::operations;

/// A request that succeeds.
pub struct Ready {
    pub operation: &'static str,
    pub user: User,
    pub event: String,
    /// The status of its success.
    pub success: u16,
    /// What the same request is answered once it has had its effect, where that is not its success again.
    pub done: Option<u16>,
}

/// What is there before a request.
struct Scene {
    user: User,
    /// What stands in the sample, and what is there in its place.
    real: Vec<(&'static str, String)>,
}

impl Scene {
    fn of(user: User) -> Self {
        Self { user, real: Vec::new() }
    }
    fn with(mut self, example: &'static str, real: impl AsRef<str>) -> Self {
        self.real.push((example, real.as_ref().to_owned()));
        self
    }
}

fn id_of(item: &Value) -> &str {
    item["id"].as_str().unwrap_or_default()
}

/// A sample with what is there in the place of what stands in it.
pub fn filled(sample: &str, real: &[(&str, String)]) -> String {
    real.iter().fold(sample.to_owned(), |text, (example, real)| text.replace(example, real))
}

/// A valid request of the operation, by a user of its own. `request_id` comes back in the log.
pub async fn ready(app: &TestApp, route: &RouteInfo, request_id: &str) -> Ready {
    let described = operations().into_iter().find(|described| described.operation.id == route.operation);
    let described = described.unwrap_or_else(|| panic!("{} is not described", route.operation));
    let user = app.register().await;
    let scene = match described.function {
        "health" => Scene::of(user),
        "financial-health" => {
            app.expense(&user, "12.00", "2026-01-05", "Rent").await;
            Scene::of(user)
        }
        "auth" => auth(app, route.operation, user).await,
        "accounts" => accounts(app, user).await,
        "categories" => categories(app, user).await,
        "transactions" => transactions(app, route.operation, user).await,
        other => panic!("{other}: tests/src/requests.rs does not know what its requests need"),
    };
    let sample = described.operation;
    let id = sample.path_id.map_or("", |(_, id)| id);
    let target =
        filled(&format!("/api/v1{}{}", route.path.replace("{id}", id), sample.sample_query), &scene.real);
    let bearer = format!("Bearer {}", scene.user.access);
    let mut headers = vec![("x-request-id", request_id)];
    if route.access != Access::Public {
        headers.push(("authorization", &bearer));
    }
    if route.method == http::Method::POST {
        headers.push(("idempotency-key", "once"));
    }
    // An optional body whose example is empty is left out.
    let body = sample.body.filter(|body| body.required || body.example != json!({}));
    let body = body.map(|body| filled(&body.example.to_string(), &scene.real));
    let event = event(route.method.as_str(), &target, &scene.user.ip, &headers, body.as_deref());
    let done = match route.operation {
        "register" | "refresh" => Some(409),
        "erase_me" => Some(401),
        "end_session" | "delete_account" | "delete_category" | "delete_transaction" => Some(404),
        _ => None,
    };
    Ready { operation: route.operation, user: scene.user, event, success: sample.answer.status, done }
}

async fn auth(app: &TestApp, operation: &str, user: User) -> Scene {
    let scene = Scene::of(user.clone()).with(example::PASSWORD, PASSWORD);
    match operation {
        "register" => {
            let email = format!("new-{}@example.com", random_name());
            let user = User { email: email.clone(), access: String::new(), ip: random_ip(), ..user };
            Scene { user, ..scene }.with(example::EMAIL, email)
        }
        "log_in" => scene.with(example::EMAIL, &user.email),
        "refresh" | "log_out" => scene.with(example::REFRESH_TOKEN, &user.refresh),
        "erase_me" => {
            app.expense(&user, "3.00", "2026-03-05", "Kept by nobody").await;
            scene
        }
        "end_other_sessions" => {
            app.log_in(&user).await;
            scene
        }
        "end_session" => {
            app.log_in(&user).await;
            let sessions = app.get(&user, "/auth/sessions").await;
            let other = sessions.items().iter().find(|session| session["current"] == false);
            scene.with(example::SESSION, id_of(other.expect("a second session")))
        }
        _ => scene,
    }
}

fn savings() -> Value {
    json!({"name": "Savings", "type": "savings", "openingBalance": {"amount": "10.00"}, "openingDate": "2026-01-01"})
}

async fn accounts(app: &TestApp, user: User) -> Scene {
    let account = app.create(&user, "/accounts", savings()).await;
    let expense = json!({"accountId": account["id"], "type": "expense", "amount": "4.00", "date": "2026-03-05",
        "description": "Moved"});
    app.create(&user, "/transactions", expense).await;
    let first = app.first_account(&user).await;
    Scene::of(user).with(example::ACCOUNT, id_of(&account)).with(example::OTHER_ACCOUNT, first)
}

async fn categories(app: &TestApp, user: User) -> Scene {
    let category = app.create(&user, "/categories", json!({"name": "Bakeries", "kind": "expense"})).await;
    let expense = json!({"categoryId": category["id"], "type": "expense", "amount": "4.00", "date": "2026-03-05",
        "description": "Moved"});
    app.create(&user, "/transactions", expense).await;
    let other = app.category(&user, "Food & Dining").await;
    Scene::of(user).with(example::CATEGORY, id_of(&category)).with(example::OTHER_CATEGORY, other)
}

async fn transactions(app: &TestApp, operation: &str, user: User) -> Scene {
    let other = app.create(&user, "/accounts", savings()).await;
    let (food, shopping) =
        (app.category(&user, "Food & Dining").await, app.category(&user, "Shopping").await);
    let split = json!({"type": "expense", "amount": "30.00", "date": "2026-03-05", "description": "Market",
        "splits": [{"categoryId": food, "amount": "10.00"}, {"categoryId": shopping, "amount": "20.00"}]});
    let split = app.create(&user, "/transactions", split).await;
    if operation == "restore_transaction" {
        app.delete(&user, &format!("/transactions/{}", id_of(&split))).await.expect(204);
    }
    let housing = app.category(&user, "Housing").await;
    Scene::of(user)
        .with(example::OTHER_ACCOUNT, id_of(&other))
        .with(example::CATEGORY, housing)
        .with(example::TRANSACTION, id_of(&split))
}

impl Ready {
    /// Whether an answer says that the request has had its effect.
    pub fn is_done(&self, answer: &Answer) -> bool {
        answer.status == self.success || Some(answer.status) == self.done
    }

    /// What the user sees of theirs, without what differs between two users who did the same: ids, times and versions.
    pub async fn state(&self, app: &TestApp) -> Value {
        let mut user = self.user.clone();
        if self.operation == "register" {
            let body = json!({"email": user.email, "password": PASSWORD});
            let answer = app.anonymous("POST", "/auth/login", Some(&body)).await;
            if answer.status == 401 {
                return json!("no such user");
            }
            user.access = answer.json["tokens"]["accessToken"].as_str().unwrap_or_default().to_owned();
        }
        let me = app.get(&user, "/auth/me").await;
        if me.status == 401 {
            return no_session();
        }
        me.expect(200);
        json!({
            "user": picked(&me.json, &["firstName", "lastName", "currency", "locale"]),
            "accounts": listed(app, &user, "/accounts", &["name", "type", "balance", "archived"]).await,
            "categories": listed(app, &user, "/categories", &["name", "essential", "archived"]).await,
            "transactions": listed(app, &user, "/transactions", &["type", "amount", "date", "description"]).await,
            "sessions": listed(app, &user, "/auth/sessions", &["current"]).await,
        })
    }
}

/// A state without what a retried request may add: a log-in that had its effect adds another session.
pub fn settled(operation: &str, state: &Value) -> Value {
    let mut state = state.clone();
    if matches!(operation, "log_in" | "register")
        && let Some(members) = state.as_object_mut()
    {
        members.remove("sessions");
    }
    state
}

/// The state of who has no session any more, or is no more.
pub fn no_session() -> Value {
    json!("no session")
}

fn picked(item: &Value, members: &[&str]) -> Value {
    members.iter().map(|member| item[*member].clone()).collect()
}

async fn listed(app: &TestApp, user: &User, path: &str, members: &[&str]) -> Vec<Value> {
    let page = app.get(user, path).await;
    let mut items: Vec<Value> = page.expect(200).items().iter().map(|item| picked(item, members)).collect();
    items.sort_by_key(Value::to_string);
    items
}
