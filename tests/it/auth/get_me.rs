//! `GET /auth/me`.

use serde_json::json;
use tests::{TestApp, event, random_ip};

#[tokio::test]
async fn the_user_is_answered_with_the_version_as_the_etag() {
    let app = TestApp::start().await;
    let user = app.register_with(json!({"firstName": "Ada"})).await;
    let answer = app.get(&user, "/auth/me").await;
    answer.expect(200);
    assert_eq!(
        (&answer.json["id"], &answer.json["email"], &answer.json["firstName"]),
        (&json!(user.id.to_string()), &json!(user.email), &json!("Ada"))
    );
    assert_eq!(answer.header("etag"), Some("\"1\""));
}

#[tokio::test]
async fn without_a_token_the_user_is_unknown() {
    let app = TestApp::start().await;
    let answer = app.send(&event("GET", "/api/v1/auth/me", &random_ip(), &[], None)).await;
    answer.expect_problem(401, "unauthenticated");
}
