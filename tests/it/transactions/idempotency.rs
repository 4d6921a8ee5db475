//! `Idempotency-Key`: one effect, one answer, however often and however simultaneously a request is sent.

use serde_json::{Value, json};
use tests::{Answer, TestApp, User};

fn body(description: &str) -> Value {
    json!({"type": "expense", "amount": "5.00", "date": "2026-03-05", "description": description})
}

async fn post(app: &TestApp, user: &User, key: &str, body: &Value) -> Answer {
    app.call(user, "POST", "/transactions", &[("idempotency-key", key)], Some(body)).await
}

#[tokio::test]
async fn the_same_request_is_answered_again_with_the_first_answer() {
    let app = TestApp::start().await;
    let user = app.register().await;
    let first = post(&app, &user, "key-1", &body("x")).await;
    first.expect(201);
    assert_eq!(first.header("idempotency-replayed"), None);
    // Its transaction changes meanwhile: the replay is still the first answer.
    app.patch(&user, &format!("/transactions/{}", first.id()), &json!({"description": "y"}))
        .await
        .expect(200);
    for key in ["key-1", "\"key-1\""] {
        let again = post(&app, &user, key, &body("x")).await;
        again.expect(201);
        assert_eq!(again.header("idempotency-replayed"), Some("true"));
        assert_eq!((&again.json, again.header("location")), (&first.json, first.header("location")));
        assert_eq!(again.header("etag"), first.header("etag"));
        assert_ne!(again.header("x-request-id"), first.header("x-request-id"));
    }
    assert_eq!(app.get(&user, "/transactions").await.items().len(), 1);
    app.assert_ledger_sound(&user).await;
}

#[tokio::test]
async fn the_order_of_members_and_white_space_are_no_other_request() {
    let app = TestApp::start().await;
    let user = app.register().await;
    post(&app, &user, "k", &body("x")).await.expect(201);
    let text =
        "{ \"description\": \"x\",\n \"date\": \"2026-03-05\", \"amount\": \"5.00\", \"type\": \"expense\" }";
    let bearer = format!("Bearer {}", user.access);
    let headers = [("authorization", bearer.as_str()), ("idempotency-key", "k")];
    let event = tests::event("POST", "/api/transactions", &user.ip, &headers, Some(text));
    assert_eq!(app.send(&event).await.expect(201).header("idempotency-replayed"), Some("true"));
}

#[tokio::test]
async fn a_key_with_another_request_is_refused_and_a_key_of_another_user_is_another_key() {
    let app = TestApp::start().await;
    let (user, other) = (app.register().await, app.register().await);
    post(&app, &user, "shared", &body("x")).await.expect(201);
    post(&app, &user, "shared", &body("y")).await.expect_problem(422, "idempotency_key_reused");
    assert_eq!(app.get(&user, "/transactions").await.items().len(), 1);
    let theirs = post(&app, &other, "shared", &body("y")).await;
    theirs.expect(201);
    assert_eq!(theirs.header("idempotency-replayed"), None);
}

#[tokio::test]
async fn a_refused_request_keeps_no_key() {
    let app = TestApp::start().await;
    let user = app.register().await;
    let mut bad = body("x");
    bad["categoryId"] = json!("01900000-0000-7000-8000-00000000dead");
    post(&app, &user, "k", &bad).await.expect_problem(422, "invalid_fields");
    post(&app, &user, "k", &body("x")).await.expect(201);
}

#[tokio::test]
async fn simultaneous_requests_with_one_key_have_one_effect() {
    let app = TestApp::start().await;
    let user = app.register().await;
    let body = body("x");
    let answers = futures_util::future::join_all((0..10).map(|_| post(&app, &user, "k", &body))).await;
    let made: Vec<_> =
        answers.iter().filter(|a| a.status == 201 && a.header("idempotency-replayed").is_none()).collect();
    assert_eq!(made.len(), 1);
    for other in answers.iter().filter(|answer| answer.status != 201) {
        other.expect_problem(409, "idempotency_in_progress");
        assert_eq!(other.header("retry-after"), Some("1"));
    }
    for replayed in answers.iter().filter(|answer| answer.header("idempotency-replayed").is_some()) {
        assert_eq!(replayed.json, made[0].json);
    }
    assert_eq!(app.get(&user, "/transactions").await.items().len(), 1);
    app.assert_ledger_sound(&user).await;
}

#[tokio::test]
async fn keys_are_one_to_255_visible_characters() {
    let app = TestApp::start().await;
    let user = app.register().await;
    for bad in ["", "\"\"", &"k".repeat(256)] {
        post(&app, &user, bad, &body("x")).await.expect_problem(400, "invalid_header");
    }
    post(&app, &user, &"k".repeat(255), &body("x")).await.expect(201);
    assert_eq!(app.get(&user, "/transactions").await.items().len(), 1);
}

#[tokio::test]
async fn a_key_of_another_operation_is_another_key() {
    let app = TestApp::start().await;
    let user = app.register().await;
    let account = json!({"name": "x", "type": "cash"});
    app.call(&user, "POST", "/accounts", &[("idempotency-key", "k")], Some(&account)).await.expect(201);
    let made = post(&app, &user, "k", &body("x")).await;
    made.expect(201);
    assert_eq!(made.header("idempotency-replayed"), None);
}

#[tokio::test]
async fn nothing_is_stored_for_a_registration_so_a_retried_one_is_taken() {
    let app = TestApp::start().await;
    let body = json!({"email": format!("{}@example.com", tests::random_name()), "password": tests::PASSWORD})
        .to_string();
    let register = async || {
        let headers = [("idempotency-key", "k")];
        app.send(&tests::event("POST", "/api/v1/auth/register", &tests::random_ip(), &headers, Some(&body)))
            .await
    };
    register().await.expect(201);
    register().await.expect_problem(409, "email_taken");
}
