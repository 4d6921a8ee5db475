//! `DELETE /auth/me`.

use mongodb::bson::{Binary, Document, doc, spec::BinarySubtype};
use serde_json::{Value, json};
use tests::{PASSWORD, TestApp};

#[tokio::test]
async fn erasure_needs_the_password_and_leaves_nothing() {
    let app = TestApp::start().await;
    let user = app.register().await;
    let bystander = app.register().await;
    app.expense(&user, "12.00", "2026-03-04", "Coffee").await;
    let kept = app.expense(&bystander, "12.00", "2026-03-04", "Coffee").await;
    let idempotent = [("idempotency-key", "mine")];
    let body = json!({"type": "expense", "amount": "1.00", "description": "Tea"});
    app.call(&user, "POST", "/transactions", &idempotent, Some(&body)).await.expect(201);

    let erase = async |body: &Value| app.call(&user, "DELETE", "/auth/me", &[], Some(body)).await;
    erase(&json!({})).await.expect_fields(&[("/password", "required")]);
    erase(&json!({"password": "wrong horse battery staple"}))
        .await
        .expect_problem(401, "invalid_credentials");
    app.get(&user, "/auth/me").await.expect(200);
    erase(&json!({"password": PASSWORD})).await.expect(204);

    app.get(&user, "/auth/me").await.expect_problem(401, "unauthenticated");
    let log_in = json!({"email": user.email, "password": PASSWORD});
    app.anonymous("POST", "/auth/login", Some(&log_in)).await.expect_problem(401, "invalid_credentials");
    let refresh = json!({"refreshToken": user.refresh});
    app.anonymous("POST", "/auth/refresh", Some(&refresh)).await.expect_problem(401, "invalid_refresh_token");

    let database = app.database().await;
    let id = Binary { subtype: BinarySubtype::Uuid, bytes: user.id.uuid().as_bytes().to_vec() };
    for name in database.list_collection_names().await.unwrap() {
        let collection = database.collection::<Document>(&name);
        let theirs = doc! {"$or": [{"_id": id.clone()}, {"userId": id.clone()}, {"email": &user.email}]};
        assert_eq!(collection.count_documents(theirs).await.unwrap(), 0, "{name}");
    }
    app.get(&bystander, &format!("/transactions/{}", kept["id"].as_str().unwrap())).await.expect(200);
    // The address is free again.
    let body = json!({"email": user.email, "password": PASSWORD});
    app.anonymous("POST", "/auth/register", Some(&body)).await.expect(201);
}

#[tokio::test]
async fn guessing_the_password_by_erasure_is_delayed_too() {
    let app = super::app_with_clock().await;
    let user = app.register().await;
    let body = json!({"password": "wrong horse battery staple"});
    for _ in 0..5 {
        app.call(&user, "DELETE", "/auth/me", &[], Some(&body))
            .await
            .expect_problem(401, "invalid_credentials");
    }
    let delayed = app.call(&user, "DELETE", "/auth/me", &[], Some(&json!({"password": PASSWORD}))).await;
    delayed.expect_problem(429, "login_delayed");
    assert_eq!(delayed.header("retry-after"), Some("1"));
}
