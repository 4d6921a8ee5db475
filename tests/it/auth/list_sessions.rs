//! `GET /auth/sessions`.

use serde_json::json;

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
