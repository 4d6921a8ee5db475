//! `/auth/sessions`.

use serde_json::json;
use tests::TestApp;

#[tokio::test]
async fn the_list_shows_each_session_newest_first_and_which_one_asks() {
    let app = super::app_with_clock().await;
    let first = app.register().await;
    app.clock.advance_seconds(5);
    let second = app.log_in(&first).await;
    let list = app.get(&second, "/auth/sessions").await;
    list.expect(200);
    assert_eq!(list.items().len(), 2);
    assert_eq!(list.json["nextCursor"], json!(null));
    let (newest, oldest) = (&list.items()[0], &list.items()[1]);
    assert_eq!((&newest["current"], &newest["ip"]), (&json!(true), &json!(second.ip)));
    assert_eq!((&oldest["current"], &oldest["ip"]), (&json!(false), &json!(first.ip)));
    assert!(newest["createdAt"].as_str().unwrap() > oldest["createdAt"].as_str().unwrap());
    let mut members: Vec<_> = newest.as_object().unwrap().keys().cloned().collect();
    members.sort();
    assert_eq!(members, ["createdAt", "current", "id", "ip", "lastUsedAt", "userAgent"]);
    assert_eq!(newest["userAgent"], "tests");
}

#[tokio::test]
async fn the_list_is_paged() {
    let app = super::app_with_clock().await;
    let user = app.register().await;
    for _ in 0..4 {
        app.clock.advance_seconds(1);
        app.log_in(&user).await;
    }
    let (mut path, mut seen) = ("/auth/sessions?limit=2".to_owned(), Vec::new());
    let mut pages = 0;
    loop {
        let page = app.get(&user, &path).await;
        page.expect(200);
        seen.extend(page.items().iter().map(|session| session["id"].as_str().unwrap().to_owned()));
        pages += 1;
        let Some(cursor) = page.json["nextCursor"].as_str() else { break };
        path = format!("/auth/sessions?limit=2&cursor={cursor}");
    }
    assert_eq!((pages, seen.len()), (3, 5));
    seen.dedup();
    assert_eq!(seen.len(), 5);
}

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

#[tokio::test]
async fn ending_all_others_keeps_the_one_that_asks() {
    let app = TestApp::start().await;
    let user = app.register().await;
    let others = [app.log_in(&user).await, app.log_in(&user).await];
    app.delete(&user, "/auth/sessions").await.expect(204);
    for other in &others {
        app.get(other, "/auth/me").await.expect_problem(401, "unauthenticated");
    }
    assert_eq!(app.get(&user, "/auth/sessions").await.items().len(), 1);
}
