//! `PATCH /auth/me`.

use serde_json::{Value, json};
use tests::TestApp;

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
