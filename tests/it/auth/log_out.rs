//! `POST /auth/logout`.

use serde_json::json;
use tests::{TestApp, event, random_ip};

#[tokio::test]
async fn the_bearers_session_ends_and_its_access_token_is_dead_at_once() {
    let app = TestApp::start().await;
    let user = app.register().await;
    let other = app.log_in(&user).await;
    let answer = app.call(&user, "POST", "/auth/logout", &[], None).await;
    answer.expect(204);
    let (pair, attributes) = super::cookie(&answer);
    assert_eq!(pair, "refresh=", "the cookie is taken away");
    assert!(attributes.contains(&"Max-Age=0".to_owned()));
    app.get(&user, "/auth/me").await.expect_problem(401, "unauthenticated");
    app.get(&user, "/transactions").await.expect_problem(401, "unauthenticated");
    let body = json!({"refreshToken": user.refresh});
    app.anonymous("POST", "/auth/refresh", Some(&body)).await.expect_problem(401, "invalid_refresh_token");
    app.get(&other, "/auth/me").await.expect(200);
}

#[tokio::test]
async fn the_session_of_the_token_in_the_body_ends_also_for_another_instance() {
    let app = TestApp::start().await;
    let instance = app.sibling();
    let user = app.register().await;
    instance.get(&user, "/auth/me").await.expect(200);
    app.anonymous("POST", "/auth/logout", Some(&json!({"refreshToken": user.refresh}))).await.expect(204);
    instance.get(&user, "/auth/me").await.expect_problem(401, "unauthenticated");
}

#[tokio::test]
async fn the_cookies_session_ends_only_from_an_allowed_page() {
    let app = TestApp::start().await;
    let user = app.register().await;
    let cookie = format!("refresh={}", user.refresh);
    let log_out = async |headers: &[(&str, &str)]| {
        let mut all = vec![("cookie", cookie.as_str())];
        all.extend(headers);
        app.send(&event("POST", "/api/v1/auth/logout", &random_ip(), &all, None)).await
    };
    log_out(&[("sec-fetch-site", "cross-site")]).await.expect_problem(403, "csrf_rejected");
    app.get(&user, "/auth/me").await.expect(200);
    log_out(&[("origin", "https://app.example.com")]).await.expect(204);
    app.get(&user, "/auth/me").await.expect_problem(401, "unauthenticated");
}

#[tokio::test]
async fn who_names_no_session_is_unauthenticated() {
    let app = TestApp::start().await;
    app.anonymous("POST", "/auth/logout", None).await.expect_problem(401, "unauthenticated");
}

#[tokio::test]
async fn an_unknown_token_ends_nothing_and_tells_nothing() {
    let app = TestApp::start().await;
    let user = app.register().await;
    app.anonymous("POST", "/auth/logout", Some(&json!({"refreshToken": "x".repeat(43)}))).await.expect(204);
    app.get(&user, "/auth/me").await.expect(200);
}
