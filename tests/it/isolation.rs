//! Two users: what belongs to one is to the other as if it were not there, on every route that names it.

use serde_json::{Value, json};
use shared::edge::contract::example;
use tests::openapi::{self, Described};
use tests::requests;
use tests::{Answer, TestApp, User};

/// An id that nobody has.
const NOBODY: &str = "01900000-0000-7000-8000-00000000dead";

/// What the first user has, by the resource that a route's path begins with.
struct Owned {
    account: String,
    category: String,
    transaction: String,
    deleted: String,
    session: String,
}

async fn owned(app: &TestApp, user: &User) -> Owned {
    let account = json!({"name": "Mine", "type": "cash", "openingBalance": {"amount": "5.00"}});
    let account = app.create(user, "/accounts", account).await["id"].as_str().unwrap().to_owned();
    let category = json!({"name": "Mine", "kind": "expense"});
    let category = app.create(user, "/categories", category).await["id"].as_str().unwrap().to_owned();
    let transaction = json!({"type": "expense", "amount": "1.00", "date": "2026-03-05", "description": "secretword",
        "accountId": account, "categoryId": category, "tags": ["mine"]});
    let transaction = app.create(user, "/transactions", transaction).await["id"].as_str().unwrap().to_owned();
    let deleted = app.expense(user, "2.00", "2026-03-06", "deleted").await["id"].as_str().unwrap().to_owned();
    app.delete(user, &format!("/transactions/{deleted}")).await.expect(204);
    let session = app.get(user, "/auth/sessions").await.items()[0]["id"].as_str().unwrap().to_owned();
    Owned { account, category, transaction, deleted, session }
}

/// Everything of a user that the API shows.
async fn everything(app: &TestApp, user: &User) -> Vec<Value> {
    let mut all = Vec::new();
    for path in ["/accounts", "/categories", "/transactions", "/auth/me", "/auth/sessions"] {
        all.push(app.get(user, path).await.expect(200).json.clone());
    }
    all
}

/// An answer without what differs between any two.
fn comparable(answer: &Answer) -> (u16, Value, Vec<String>) {
    let mut json = answer.json.clone();
    if json.is_object() {
        json["instance"] = Value::Null;
    }
    let mut names: Vec<_> = answer.headers.keys().map(|name| name.as_str().to_owned()).collect();
    names.sort();
    (answer.status, json, names)
}

#[tokio::test]
async fn on_every_route_an_id_of_another_user_is_answered_as_one_of_nobody() {
    let app = TestApp::start().await;
    let (user, other) = (app.register().await, app.register().await);
    let owned = owned(&app, &user).await;
    let before = everything(&app, &user).await;
    let mut tried = Vec::new();
    // The sample's body would do something if the id were the caller's own.
    let real = [(example::CATEGORY, app.category(&other, "Housing").await)];
    for Described { route, operation, .. } in openapi::operations() {
        let Some((_, id)) = operation.path_id else { continue };
        let ids = match id {
            example::ACCOUNT => vec![&owned.account],
            example::CATEGORY => vec![&owned.category],
            example::TRANSACTION => vec![&owned.transaction, &owned.deleted],
            example::SESSION => vec![&owned.session],
            _ => panic!("{}: this test does not know what its ids are", route.path),
        };
        let method = route.method.as_str();
        let body = operation.body.map(|body| requests::filled(&body.example.to_string(), &real));
        let body: Option<Value> = body.map(|body| serde_json::from_str(&body).unwrap());
        for id in ids {
            let theirs = app.call(&other, method, &route.path.replace("{id}", id), &[], body.as_ref()).await;
            let nobodys =
                app.call(&other, method, &route.path.replace("{id}", NOBODY), &[], body.as_ref()).await;
            assert_eq!(theirs.status, 404, "{method} {}: {}", route.path, theirs.json);
            assert_eq!(comparable(&theirs), comparable(&nobodys), "{method} {}", route.path);
            for form in ["x", "%00", "..%2F..", "%7B%22$ne%22:1%7D", &id.to_uppercase(), "%ff"] {
                let other_form =
                    app.call(&other, method, &route.path.replace("{id}", form), &[], body.as_ref()).await;
                assert_eq!(comparable(&other_form), comparable(&nobodys), "{method} {} {form}", route.path);
            }
        }
        tried.push(route.operation);
    }
    tried.sort_unstable();
    assert_eq!(
        tried,
        [
            "delete_account",
            "delete_category",
            "delete_transaction",
            "end_session",
            "get_account",
            "get_category",
            "get_transaction",
            "restore_transaction",
            "update_account",
            "update_category",
            "update_transaction",
        ],
        "a new route with an id is here too"
    );
    assert_eq!(everything(&app, &user).await, before, "nothing of the first user was touched");
}

#[tokio::test]
async fn in_a_body_or_query_an_id_of_another_user_is_unknown() {
    let app = TestApp::start().await;
    let (user, other) = (app.register().await, app.register().await);
    let owned = owned(&app, &user).await;
    let before = everything(&app, &user).await;
    let mine = app.expense(&other, "1.00", "2026-03-05", "x").await["id"].as_str().unwrap().to_owned();
    let my_category = json!({"name": "Other", "kind": "expense"});
    let my_category = app.create(&other, "/categories", my_category).await["id"].as_str().unwrap().to_owned();
    let my_account = app.create(&other, "/accounts", json!({"name": "Other", "type": "cash"})).await;
    let my_account = my_account["id"].as_str().unwrap().to_owned();
    let base = json!({"type": "expense", "amount": "1.00", "description": "x"});
    let with = |member: &str, value: Value| {
        let mut body = base.clone();
        body[member] = value;
        body
    };
    let transfer = |id: &str| {
        let mut body = with("transferAccountId", json!(id));
        body["type"] = json!("transfer");
        body
    };
    // What is asked, with an id in it: once of the first user, once of nobody.
    let (account, category) = (owned.account.as_str(), owned.category.as_str());
    type Ask<'a> = Box<dyn Fn(&str) -> (&'static str, String, Option<Value>) + 'a>;
    let asks: Vec<(&str, Ask<'_>)> = vec![
        (account, Box::new(|id| ("POST", "/transactions".into(), Some(with("accountId", json!(id)))))),
        (account, Box::new(|id| ("POST", "/transactions".into(), Some(transfer(id))))),
        (category, Box::new(|id| ("POST", "/transactions".into(), Some(with("categoryId", json!(id)))))),
        (
            category,
            Box::new(|id| {
                let splits = json!([{"categoryId": id, "amount": "1.00"}]);
                ("POST", "/transactions".into(), Some(with("splits", splits)))
            }),
        ),
        (account, Box::new(|id| ("PATCH", format!("/transactions/{mine}"), Some(json!({"accountId": id}))))),
        (
            category,
            Box::new(|id| ("PATCH", format!("/transactions/{mine}"), Some(json!({"categoryId": id})))),
        ),
        (
            category,
            Box::new(|id| {
                let body = json!({"name": "x", "kind": "expense", "parentId": id});
                ("POST", "/categories".into(), Some(body))
            }),
        ),
        (
            category,
            Box::new(|id| ("PATCH", format!("/categories/{my_category}"), Some(json!({"parentId": id})))),
        ),
        (category, Box::new(|id| ("DELETE", format!("/categories/{my_category}?moveTo={id}"), None))),
        (account, Box::new(|id| ("DELETE", format!("/accounts/{my_account}?moveTo={id}"), None))),
    ];
    for (theirs, ask) in asks {
        let (method, path, body) = ask(theirs);
        let answer = app.call(&other, method, &path, &[], body.as_ref()).await;
        let (_, nobodys_path, nobodys) = ask(NOBODY);
        let wanted = app.call(&other, method, &nobodys_path, &[], nobodys.as_ref()).await;
        assert_eq!(wanted.status, 422, "{method} {path}: {}", wanted.json);
        assert_eq!(comparable(&answer), comparable(&wanted), "{method} {path}");
    }
    assert_eq!(everything(&app, &user).await, before);
    app.assert_ledger_sound(&user).await;
    app.assert_ledger_sound(&other).await;
}

#[tokio::test]
async fn no_list_sum_or_score_holds_anything_of_another_user() {
    let app = TestApp::start().await;
    let (user, other) = (app.register().await, app.register().await);
    let owned = owned(&app, &user).await;
    let mut listed = Vec::new();
    for (_, route) in app.operations() {
        if route.method != "GET" || route.path.contains('{') || route.access == shared::edge::Access::Public {
            continue;
        }
        listed.push(route.operation);
        let mut targets = vec![route.path.to_owned()];
        for (name, value) in [
            ("accountId", owned.account.as_str()),
            ("categoryId", &owned.category),
            ("q", "secretword"),
            ("tag", "mine"),
            ("from", "2000-01-01"),
        ] {
            if route.query.contains(&name) {
                targets.push(format!("{}?{name}={value}", route.path));
            }
        }
        for target in targets {
            let answer = app.get(&other, &target).await;
            answer.expect(200);
            let text = String::from_utf8(answer.raw.to_vec()).unwrap();
            for secret in [
                &owned.account,
                &owned.category,
                &owned.transaction,
                &owned.session,
                &user.email,
                "secretword",
            ] {
                assert!(!text.contains(secret), "{target} tells {secret}");
            }
        }
    }
    assert!(listed.len() >= 7, "{listed:?}");
    let summary = app.get(&other, "/transactions/summary?from=2026-03-01&to=2026-03-31").await;
    assert_eq!(summary.json["totals"], json!([]));
}

#[tokio::test]
async fn a_token_of_one_deployment_is_nothing_in_another() {
    let app = TestApp::start().await;
    let user = app.register().await;
    let changes = [
        ("JWT_SECRET", "another secret of more than thirty-two characters"),
        ("JWT_ISSUER", "x"),
        ("JWT_AUDIENCE", "x"),
    ];
    for change in changes {
        app.sibling_with(&[change]).get(&user, "/auth/me").await.expect_problem(401, "unauthenticated");
    }
    app.sibling().get(&user, "/auth/me").await.expect(200);
}
