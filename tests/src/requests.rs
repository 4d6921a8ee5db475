//! One valid request of every operation, with what must be there before it, and what a user sees afterwards. Tests of what
//! breaks off use it; a new operation must say its request here, or they fail by its name.

use std::collections::HashMap;
use std::sync::OnceLock;

use serde_json::{Value, json};
use shared::edge::RouteInfo;

use crate::app::{Answer, PASSWORD, TestApp, User, event, random_ip, random_name};

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

/// What an operation needs beside its route.
struct Parts {
    user: User,
    /// In the place of `{id}`.
    id: String,
    query: String,
    body: Option<Value>,
    done: Option<u16>,
    /// Without the user's access token.
    anonymous: bool,
}

impl Parts {
    fn of(user: User) -> Self {
        Self { user, id: String::new(), query: String::new(), body: None, done: None, anonymous: false }
    }
    fn id(self, id: &Value) -> Self {
        Self { id: id.as_str().unwrap_or_default().to_owned(), ..self }
    }
    fn query(self, query: String) -> Self {
        Self { query, ..self }
    }
    fn body(self, body: Value) -> Self {
        Self { body: Some(body), ..self }
    }
    fn done(self, status: u16) -> Self {
        Self { done: Some(status), ..self }
    }
    fn anonymous(self) -> Self {
        Self { anonymous: true, ..self }
    }
}

/// A valid request of the operation, by a user of its own. `request_id` comes back in the log.
pub async fn ready(app: &TestApp, route: &RouteInfo, request_id: &str) -> Ready {
    let user = app.register().await;
    let parts = match route.path.split('/').nth(1) {
        Some("health" | "financial-health") => looks(app, route.operation, user).await,
        Some("auth") => auth(app, route.operation, user).await,
        Some("accounts") => accounts(app, route.operation, user).await,
        Some("categories") => categories(app, route.operation, user).await,
        _ => transactions(app, route.operation, user).await,
    };
    let Some(parts) = parts else {
        panic!("{} {}: tests/src/requests.rs has no valid request of it", route.method, route.path)
    };
    let target = format!("/api/v1{}{}", route.path.replace("{id}", &parts.id), parts.query);
    let bearer = format!("Bearer {}", parts.user.access);
    let mut headers = vec![("x-request-id", request_id)];
    if !parts.anonymous {
        headers.push(("authorization", &bearer));
    }
    if route.method == http::Method::POST {
        headers.push(("idempotency-key", "once"));
    }
    let body = parts.body.as_ref().map(Value::to_string);
    let event = event(route.method.as_str(), &target, &parts.user.ip, &headers, body.as_deref());
    let success = success(route.operation);
    Ready { operation: route.operation, user: parts.user, event, success, done: parts.done }
}

/// The status of an operation's success.
fn success(operation: &str) -> u16 {
    static ALL: OnceLock<HashMap<&str, u16>> = OnceLock::new();
    let rows = || crate::openapi::rows().into_iter();
    let all = ALL.get_or_init(|| rows().map(|row| (row.operation, row.success().0)).collect());
    *all.get(operation).expect("every operation has a row")
}

async fn looks(app: &TestApp, operation: &str, user: User) -> Option<Parts> {
    Some(match operation {
        "get_health" | "get_method" => Parts::of(user).anonymous(),
        "get_score" | "get_latest_score" => {
            app.expense(&user, "12.00", "2026-01-05", "Rent").await;
            Parts::of(user).query("?asOf=2026-03-31".to_owned())
        }
        _ => return None,
    })
}

async fn auth(app: &TestApp, operation: &str, user: User) -> Option<Parts> {
    let credentials = json!({"email": user.email, "password": PASSWORD});
    let refresh = json!({"refreshToken": user.refresh});
    Some(match operation {
        "register" => {
            let email = format!("new-{}@example.com", random_name());
            let new = User { email: email.clone(), access: String::new(), ip: random_ip(), ..user };
            Parts::of(new).anonymous().body(json!({"email": email, "password": PASSWORD})).done(409)
        }
        "log_in" => Parts::of(user).anonymous().body(credentials),
        "refresh" => Parts::of(user).anonymous().body(refresh).done(409),
        "log_out" => Parts::of(user).anonymous().body(refresh),
        "get_me" | "list_sessions" => Parts::of(user),
        "update_me" => Parts::of(user).body(json!({"firstName": "Ada", "locale": "en-GB"})),
        "erase_me" => {
            app.expense(&user, "3.00", "2026-03-05", "Kept by nobody").await;
            Parts::of(user).body(json!({"password": PASSWORD})).done(401)
        }
        "end_other_sessions" => {
            app.log_in(&user).await;
            Parts::of(user)
        }
        "end_session" => {
            app.log_in(&user).await;
            let sessions = app.get(&user, "/auth/sessions").await;
            let other = sessions.items().iter().find(|session| session["current"] == false);
            Parts::of(user).id(&other.expect("a second session")["id"]).done(404)
        }
        _ => return None,
    })
}

async fn accounts(app: &TestApp, operation: &str, user: User) -> Option<Parts> {
    let savings = json!({"name": "Savings", "type": "savings", "openingBalance": {"amount": "10.00"},
        "openingDate": "2026-01-01"});
    if operation == "create_account" {
        return Some(Parts::of(user).body(savings));
    }
    let id = app.create(&user, "/accounts", savings).await["id"].clone();
    let expense = json!({"accountId": id, "type": "expense", "amount": "4.00", "date": "2026-03-05",
        "description": "Moved"});
    app.create(&user, "/transactions", expense).await;
    Some(match operation {
        "list_accounts" => Parts::of(user).query("?asOf=2026-03-31".to_owned()),
        "get_account" => Parts::of(user).id(&id),
        "update_account" => Parts::of(user).id(&id).body(json!({"name": "Rainy days"})),
        "delete_account" => {
            let first = app.first_account(&user).await;
            Parts::of(user).id(&id).query(format!("?moveTo={first}")).done(404)
        }
        _ => return None,
    })
}

async fn categories(app: &TestApp, operation: &str, user: User) -> Option<Parts> {
    let cafes = json!({"name": "Cafés", "kind": "expense"});
    if operation == "create_category" {
        return Some(Parts::of(user).body(cafes));
    }
    let id = app.create(&user, "/categories", cafes).await["id"].clone();
    let expense = json!({"categoryId": id, "type": "expense", "amount": "4.00", "date": "2026-03-05",
        "description": "Moved"});
    app.create(&user, "/transactions", expense).await;
    Some(match operation {
        "list_categories" => Parts::of(user),
        "get_category" => Parts::of(user).id(&id),
        "update_category" => Parts::of(user).id(&id).body(json!({"name": "Coffee", "essential": true})),
        "delete_category" => {
            let other = app.category(&user, "Food & Dining").await;
            Parts::of(user).id(&id).query(format!("?moveTo={other}")).done(404)
        }
        _ => return None,
    })
}

async fn transactions(app: &TestApp, operation: &str, user: User) -> Option<Parts> {
    let savings = json!({"name": "Savings", "type": "savings", "openingBalance": {"amount": "10.00"},
        "openingDate": "2026-01-01"});
    let savings = app.create(&user, "/accounts", savings).await["id"].clone();
    let (food, shopping) =
        (app.category(&user, "Food & Dining").await, app.category(&user, "Shopping").await);
    let split = json!({"type": "expense", "amount": "30.00", "date": "2026-03-05", "description": "Market",
        "splits": [{"categoryId": food, "amount": "10.00"}, {"categoryId": shopping, "amount": "20.00"}]});
    let split = app.create(&user, "/transactions", split).await["id"].clone();
    Some(match operation {
        "create_transaction" => Parts::of(user).body(json!({"type": "transfer", "amount": "5.00",
            "date": "2026-03-06", "description": "Save", "transferAccountId": savings})),
        "list_transactions" => Parts::of(user).query("?from=2026-01-01&limit=10".to_owned()),
        "get_summary" => Parts::of(user).query("?from=2026-01-01&to=2026-12-31".to_owned()),
        "get_transaction" => Parts::of(user).id(&split),
        "update_transaction" => {
            let housing = app.category(&user, "Housing").await;
            Parts::of(user)
                .id(&split)
                .body(json!({"amount": "7.00", "splits": null, "categoryId": housing, "date": "2026-04-01"}))
        }
        "delete_transaction" => Parts::of(user).id(&split).done(404),
        "restore_transaction" => {
            let path = format!("/transactions/{}", split.as_str().unwrap_or_default());
            app.delete(&user, &path).await.expect(204);
            Parts::of(user).id(&split)
        }
        _ => return None,
    })
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
