//! `POST /auth/refresh`: rotation, lost races, theft, and the cookie's protection against other pages.

use serde_json::{Value, json};
use tests::{Answer, TestApp, event, random_ip};

use super::{app_with_clock, cookie};

async fn refresh(app: &TestApp, token: &str) -> Answer {
    app.anonymous("POST", "/auth/refresh", Some(&json!({"refreshToken": token}))).await
}

async fn refresh_by_cookie(app: &TestApp, token: &str, headers: &[(&str, &str)]) -> Answer {
    let cookie = format!("refresh={token}");
    let mut all = vec![("cookie", "theme=dark"), ("cookie", cookie.as_str())];
    all.extend(headers);
    app.send(&event("POST", "/api/v1/auth/refresh", &random_ip(), &all, None)).await
}

fn token(answer: &Answer) -> String {
    answer.json["tokens"]["refreshToken"].as_str().unwrap_or_default().to_owned()
}

#[tokio::test]
async fn a_refresh_gives_new_tokens_of_the_same_session() {
    let app = app_with_clock().await;
    let mut user = app.register().await;
    app.clock.advance_seconds(60);
    let answer = refresh(&app, &user.refresh).await;
    answer.expect(200);
    assert_ne!(token(&answer), user.refresh);
    assert_eq!(
        answer.json["tokens"]["refreshExpiresIn"],
        2_592_000 - 60,
        "the end of the family does not move"
    );
    let (pair, _) = cookie(&answer);
    assert_eq!(pair, format!("refresh={}", token(&answer)));
    user.access = answer.json["tokens"]["accessToken"].as_str().unwrap().to_owned();
    let sessions = app.get(&user, "/auth/sessions").await;
    assert_eq!(sessions.items().len(), 1);
    assert_eq!(sessions.items()[0]["current"], true);
}

#[tokio::test]
async fn a_token_rotated_ten_seconds_ago_is_superseded_and_its_family_lives() {
    let app = app_with_clock().await;
    let user = app.register().await;
    let next = token(refresh(&app, &user.refresh).await.expect(200));
    app.clock.advance_seconds(10);
    refresh(&app, &user.refresh).await.expect_problem(409, "refresh_superseded");
    refresh(&app, &next).await.expect(200);
    app.get(&user, "/auth/me").await.expect(200);
}

#[tokio::test]
async fn a_token_used_again_later_ends_the_whole_family() {
    let app = app_with_clock().await;
    let user = app.register().await;
    let other = app.log_in(&user).await;
    let next = token(refresh(&app, &user.refresh).await.expect(200));
    app.clock.advance_seconds(11);
    refresh(&app, &user.refresh).await.expect_problem(401, "refresh_token_reused");
    refresh(&app, &next).await.expect_problem(401, "invalid_refresh_token");
    app.get(&user, "/auth/me").await.expect_problem(401, "unauthenticated");
    app.get(&other, "/auth/me").await.expect(200);
}

#[tokio::test]
async fn of_simultaneous_refreshes_one_rotates_and_nobody_is_signed_out() {
    let app = TestApp::start().await;
    let user = app.register().await;
    let answers = futures_util::future::join_all((0..8).map(|_| refresh(&app, &user.refresh))).await;
    let won: Vec<_> = answers.iter().filter(|answer| answer.status == 200).collect();
    assert_eq!(won.len(), 1);
    for lost in answers.iter().filter(|answer| answer.status != 200) {
        lost.expect_problem(409, "refresh_superseded");
    }
    refresh(&app, &token(won[0])).await.expect(200);
}

#[tokio::test]
async fn a_family_ends_when_its_time_is_over_however_often_it_was_refreshed() {
    let app = app_with_clock().await;
    let user = app.register().await;
    app.clock.advance_seconds(2_591_000);
    let next = token(refresh(&app, &user.refresh).await.expect(200));
    app.clock.advance_seconds(1_001);
    refresh(&app, &next).await.expect_problem(401, "invalid_refresh_token");
}

#[tokio::test]
async fn an_access_token_dies_after_fifteen_minutes() {
    let app = app_with_clock().await;
    let user = app.register().await;
    app.clock.advance_seconds(899);
    app.get(&user, "/auth/me").await.expect(200);
    app.clock.advance_seconds(1);
    let answer = app.get(&user, "/auth/me").await;
    answer.expect_problem(401, "unauthenticated");
    assert_eq!(answer.header("www-authenticate"), Some("Bearer"));
}

#[tokio::test]
async fn no_token_and_unknown_tokens_are_refused_alike() {
    let app = TestApp::start().await;
    app.anonymous("POST", "/auth/refresh", None).await.expect_problem(401, "invalid_refresh_token");
    app.anonymous("POST", "/auth/refresh", Some(&json!({})))
        .await
        .expect_problem(401, "invalid_refresh_token");
    for unknown in ["", "x", "../../etc/passwd", &"A".repeat(43)] {
        refresh(&app, unknown).await.expect_problem(401, "invalid_refresh_token");
    }
    let operator =
        app.anonymous("POST", "/auth/refresh", Some(&json!({"refreshToken": {"$ne": null}}))).await;
    operator.expect_fields(&[("/refreshToken", "wrong_type")]);
}

#[tokio::test]
async fn a_cookie_counts_only_from_the_same_origin_or_an_allowed_one() {
    let app = app_with_clock().await;
    let user = app.register().await;
    let refused: [&[(&str, &str)]; 6] = [
        &[],
        &[("sec-fetch-site", "cross-site")],
        &[("sec-fetch-site", "same-site")],
        &[("origin", "https://evil.example.com")],
        &[("origin", "https://app.example.com.evil.org"), ("sec-fetch-site", "cross-site")],
        &[("origin", "null")],
    ];
    for headers in refused {
        refresh_by_cookie(&app, &user.refresh, headers).await.expect_problem(403, "csrf_rejected");
    }
    let same = refresh_by_cookie(&app, &user.refresh, &[("sec-fetch-site", "same-origin")]).await;
    same.expect(200);
    let allowed = [("origin", "https://app.example.com"), ("sec-fetch-site", "same-site")];
    refresh_by_cookie(&app, &token(&same), &allowed).await.expect(200);
}

#[tokio::test]
async fn a_token_in_the_body_needs_no_page() {
    let app = TestApp::start().await;
    let user = app.register().await;
    let body = json!({"refreshToken": user.refresh}).to_string();
    let headers = [("origin", "https://evil.example.com"), ("sec-fetch-site", "cross-site")];
    let answer = app.send(&event("POST", "/api/v1/auth/refresh", &random_ip(), &headers, Some(&body))).await;
    answer.expect(200);
    assert_eq!(answer.header("access-control-allow-origin"), None);
}

#[tokio::test]
async fn the_database_holds_no_refresh_token_and_no_password() {
    use futures_util::TryStreamExt;
    let app = TestApp::start().await;
    let user = app.register().await;
    let next = token(refresh(&app, &user.refresh).await.expect(200));
    let database = app.database().await;
    let mut seen = 0;
    for name in database.list_collection_names().await.unwrap() {
        let collection = database.collection::<mongodb::bson::Document>(&name);
        let mut documents = collection.find(mongodb::bson::doc! {}).await.unwrap();
        while let Some(document) = documents.try_next().await.unwrap() {
            let text = serde_json::to_value(&document).unwrap_or(Value::Null).to_string();
            for secret in [&user.refresh, &next, &user.access, tests::PASSWORD] {
                assert!(!text.contains(secret), "{name} holds a secret");
            }
            seen += 1;
        }
    }
    assert!(seen > 20, "the user, 16 categories, the account, the session and its tokens were looked at");
}
