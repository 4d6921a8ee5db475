//! `POST /transactions/{id}/restore`.

use serde_json::json;
use tests::TestApp;

#[tokio::test]
async fn a_tombstone_comes_back_with_its_effects() {
    let app = TestApp::start().await;
    let user = app.register().await;
    let before = app.expense(&user, "5.00", "2026-03-05", "x").await;
    let path = format!("/transactions/{}", before["id"].as_str().unwrap());
    let restore = format!("{path}/restore");
    app.call(&user, "POST", &restore, &[], None).await.expect_problem(409, "not_deleted");
    app.delete(&user, &path).await.expect(204);
    let answer = app.call(&user, "POST", &restore, &[], None).await;
    answer.expect(200);
    assert_eq!((&answer.json["amount"], &answer.json["version"]), (&json!("5.00"), &json!(3)));
    assert_eq!(answer.header("etag"), Some("\"3\""));
    assert_eq!(app.get(&user, &path).await.json, answer.json);
    let summary = app.get(&user, "/transactions/summary?from=2026-03-01&to=2026-03-31").await;
    assert_eq!(summary.json["totals"][0]["expense"], "5.00");
    app.assert_ledger_sound(&user).await;
}

#[tokio::test]
async fn a_body_may_be_left_out_or_empty_but_not_have_fields() {
    let app = TestApp::start().await;
    let user = app.register().await;
    let id = app.expense(&user, "5.00", "2026-03-05", "x").await["id"].as_str().unwrap().to_owned();
    let path = format!("/transactions/{id}");
    app.delete(&user, &path).await.expect(204);
    let restore = format!("{path}/restore");
    app.post(&user, &restore, &json!({"force": true})).await.expect_problem(400, "unknown_field");
    app.post(&user, &restore, &json!([])).await.expect_problem(422, "invalid_fields");
    app.post(&user, &restore, &json!({})).await.expect(200);
}

#[tokio::test]
async fn a_retried_restore_with_its_key_is_replayed() {
    let app = TestApp::start().await;
    let user = app.register().await;
    let id = app.expense(&user, "5.00", "2026-03-05", "x").await["id"].as_str().unwrap().to_owned();
    let path = format!("/transactions/{id}");
    app.delete(&user, &path).await.expect(204);
    let restore = async || {
        app.call(&user, "POST", &format!("{path}/restore"), &[("idempotency-key", "again")], None).await
    };
    let (first, second) = (restore().await, restore().await);
    assert_eq!((first.status, second.status), (200, 200));
    assert_eq!((second.header("idempotency-replayed"), &second.json), (Some("true"), &first.json));
}

#[tokio::test]
async fn what_it_was_in_must_still_be_there() {
    let app = TestApp::start().await;
    let user = app.register().await;
    let account = app.create(&user, "/accounts", json!({"name": "Old", "type": "cash"})).await["id"].clone();
    let category = json!({"name": "Old", "kind": "expense"});
    let category = app.create(&user, "/categories", category).await["id"].clone();
    let body = json!({"type": "expense", "amount": "5.00", "date": "2026-03-05", "description": "x",
        "accountId": account, "categoryId": category});
    let id = app.create(&user, "/transactions", body).await["id"].as_str().unwrap().to_owned();
    app.delete(&user, &format!("/transactions/{id}")).await.expect(204);
    let restore = async || app.call(&user, "POST", &format!("/transactions/{id}/restore"), &[], None).await;
    app.delete(&user, &format!("/categories/{}", category.as_str().unwrap())).await.expect(204);
    restore().await.expect_fields(&[("/categoryId", "unknown_category")]);
    app.delete(&user, &format!("/accounts/{}", account.as_str().unwrap())).await.expect(204);
    let answer = restore().await;
    answer.expect_problem(422, "invalid_fields");
    assert!(answer.errors().contains(&("/accountId".to_owned(), "unknown_account".to_owned())));
    app.assert_ledger_sound(&user).await;
}

#[tokio::test]
async fn a_tombstone_follows_the_account_and_the_category_that_its_transaction_would_have_moved_to() {
    let app = TestApp::start().await;
    let user = app.register().await;
    let made = async |path: &str, body: serde_json::Value| {
        app.create(&user, path, body).await["id"].as_str().unwrap().to_owned()
    };
    let account = json!({"name": "Old", "type": "cash", "openingBalance": {"amount": "0.00"}, "openingDate": "2026-01-01"});
    let (old_account, new_account) =
        (made("/accounts", account.clone()).await, made("/accounts", account).await);
    let category = json!({"name": "Old", "kind": "expense"});
    let (old_category, new_category) =
        (made("/categories", category.clone()).await, made("/categories", category).await);
    let body = json!({"type": "expense", "amount": "5.00", "date": "2026-03-05", "description": "x",
    "accountId": old_account, "splits": [
        {"categoryId": old_category, "amount": "2.00"}, {"categoryId": new_category, "amount": "3.00"},
    ]});
    let id = made("/transactions", body).await;
    app.delete(&user, &format!("/transactions/{id}")).await.expect(204);
    app.delete(&user, &format!("/accounts/{old_account}?moveTo={new_account}")).await.expect(204);
    app.delete(&user, &format!("/categories/{old_category}?moveTo={new_category}")).await.expect(204);
    let restored = app.call(&user, "POST", &format!("/transactions/{id}/restore"), &[], None).await;
    let restored = &restored.expect(200).json;
    assert_eq!(restored["accountId"], new_account.as_str());
    let categories: Vec<_> =
        restored["splits"].as_array().unwrap().iter().map(|s| s["categoryId"].clone()).collect();
    assert_eq!(categories, [json!(new_category), json!(new_category)]);
    assert_eq!(app.get(&user, &format!("/accounts/{new_account}")).await.json["balance"], "-5.00");
    app.assert_ledger_sound(&user).await;
}
