//! `DELETE /auth/sessions/{id}`.

use serde_json::json;
use tests::TestApp;

#[tokio::test]
async fn ending_one_session_kills_its_tokens_and_no_other() {
    let app = TestApp::start().await;
    let user = app.register().await;
    let other = app.log_in(&user).await;
    let list = app.get(&user, "/auth/sessions").await;
    let theirs = list.items().iter().find(|session| session["current"] == false).unwrap();
    let path = format!("/auth/sessions/{}", theirs["id"].as_str().unwrap());
    app.delete(&user, &path).await.expect(204);
    app.get(&other, "/auth/me").await.expect_problem(401, "unauthenticated");
    let refresh = json!({"refreshToken": other.refresh});
    app.anonymous("POST", "/auth/refresh", Some(&refresh)).await.expect_problem(401, "invalid_refresh_token");
    app.get(&user, "/auth/me").await.expect(200);
    app.delete(&user, &path).await.expect_problem(404, "not_found");
}
