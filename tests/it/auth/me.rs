//! `/auth/me`: reading, changing and erasing the user.

use mongodb::bson::{Binary, Document, doc, spec::BinarySubtype};
use serde_json::{Value, json};
use tests::{PASSWORD, TestApp};

#[tokio::test]
async fn a_merge_patch_changes_what_it_names_and_null_removes() {
    let app = TestApp::start().await;
    let user =
        app.register_with(json!({"firstName": "Ada", "lastName": "Lovelace", "locale": "en-GB"})).await;
    let before = app.get(&user, "/auth/me").await;
    assert_eq!(before.header("etag"), Some("\"1\""));
    let patch =
        json!({"firstName": " Augusta ", "lastName": null, "timeZone": "Asia/Tokyo", "currency": "JPY"});
    let headers = [("content-type", "application/merge-patch+json")];
    let answer = app.call(&user, "PATCH", "/auth/me", &headers, Some(&patch)).await;
    answer.expect(200);
    let me = &answer.json;
    assert_eq!(
        (&me["firstName"], &me["lastName"], &me["locale"]),
        (&json!("Augusta"), &Value::Null, &json!("en-GB"))
    );
    assert_eq!(
        (&me["timeZone"], &me["currency"], &me["version"]),
        (&json!("Asia/Tokyo"), &json!("JPY"), &json!(2))
    );
    assert_eq!(answer.header("etag"), Some("\"2\""));
    assert_eq!(app.get(&user, "/auth/me").await.json, *me);
}

#[tokio::test]
async fn what_a_user_must_have_cannot_be_removed() {
    let app = TestApp::start().await;
    let user = app.register().await;
    let answer = app.patch(&user, "/auth/me", &json!({"currency": null, "timeZone": null})).await;
    answer.expect_fields(&[("/currency", "required"), ("/timeZone", "required")]);
    let answer = app.patch(&user, "/auth/me", &json!({"email": "x@example.com", "mfaEnabled": true})).await;
    answer.expect_problem(400, "unknown_field");
    answer.expect_errors(&[("/email", "unknown_field"), ("/mfaEnabled", "unknown_field")]);
}

#[tokio::test]
async fn a_stale_condition_changes_nothing() {
    let app = TestApp::start().await;
    let user = app.register().await;
    let patch = json!({"firstName": "Grace"});
    let with =
        async |tag: &str| app.call(&user, "PATCH", "/auth/me", &[("if-match", tag)], Some(&patch)).await;
    with("\"9\"").await.expect_problem(412, "stale_version");
    with("W/\"1\"").await.expect_problem(412, "stale_version");
    with("1").await.expect_problem(400, "invalid_header");
    assert_eq!(app.get(&user, "/auth/me").await.json["firstName"], Value::Null);
    with("\"7\", \"1\"").await.expect(200);
    with("*").await.expect(200);
}

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
