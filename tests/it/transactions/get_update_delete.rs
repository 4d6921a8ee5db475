//! `GET`, `PATCH`, `DELETE /transactions/{id}`.

use serde_json::{Value, json};
use tests::{Answer, TestApp, User};

async fn patch(app: &TestApp, user: &User, id: &str, tag: &str, body: &Value) -> Answer {
    app.call(user, "PATCH", &format!("/transactions/{id}"), &[("if-match", tag)], Some(body)).await
}

#[tokio::test]
async fn a_merge_patch_changes_what_it_names_removes_by_null_and_keeps_the_rest() {
    let app = TestApp::start().await;
    let user = app.register().await;
    let category = app.category(&user, "Travel").await;
    let body = json!({"type": "expense", "amount": "12.00", "date": "2026-03-05", "description": "Train",
        "merchant": "Rail", "notes": "window", "tags": ["trip"], "categoryId": category, "externalId": "F1",
        "originalAmount": "11.00", "originalCurrency": "EUR"});
    let before = app.create(&user, "/transactions", body).await;
    let id = before["id"].as_str().unwrap();
    let change = json!({"amountMinor": 1350, "merchant": null, "notes": "", "tags": null, "status": "reconciled",
        "originalAmount": null, "originalCurrency": null});
    let headers = [("content-type", "application/merge-patch+json"), ("if-match", "\"1\"")];
    let answer = app.call(&user, "PATCH", &format!("/transactions/{id}"), &headers, Some(&change)).await;
    answer.expect(200);
    assert_eq!(answer.header("etag"), Some("\"2\""));
    let mut wanted = before.clone();
    for (member, value) in [
        ("amount", json!("13.50")),
        ("amountMinor", json!(1350)),
        ("merchant", Value::Null),
        ("notes", Value::Null),
        ("tags", json!([])),
        ("status", json!("reconciled")),
        ("version", json!(2)),
        ("updatedAt", answer.json["updatedAt"].clone()),
    ] {
        wanted[member] = value;
    }
    for member in ["originalAmount", "originalAmountMinor", "originalCurrency"] {
        wanted.as_object_mut().unwrap().remove(member);
    }
    assert_eq!(answer.json, wanted);
    assert_eq!(app.get(&user, &format!("/transactions/{id}")).await.json, wanted);
    app.assert_ledger_sound(&user).await;
}

#[tokio::test]
async fn what_a_transaction_must_have_cannot_be_removed() {
    let app = TestApp::start().await;
    let user = app.register().await;
    let id = app.expense(&user, "1.00", "2026-03-05", "x").await["id"].as_str().unwrap().to_owned();
    let removed = json!({"accountId": null, "type": null, "amount": null, "currency": null, "date": null,
        "description": null, "status": null});
    patch(&app, &user, &id, "*", &removed).await.expect_fields(&[
        ("/accountId", "required"),
        ("/type", "required"),
        ("/amount", "required"),
        ("/currency", "required"),
        ("/date", "required"),
        ("/description", "required"),
        ("/status", "required"),
    ]);
    assert_eq!(app.get(&user, &format!("/transactions/{id}")).await.json["version"], 1);
}

#[tokio::test]
async fn a_changed_amount_needs_splits_that_still_sum() {
    let app = TestApp::start().await;
    let user = app.register().await;
    let food = app.category(&user, "Food & Dining").await;
    let travel = app.category(&user, "Travel").await;
    let body = json!({"type": "expense", "amount": "3.00", "date": "2026-03-05", "description": "x",
        "splits": [{"categoryId": food, "amount": "1.00"}, {"categoryId": travel, "amount": "2.00"}]});
    let id = app.create(&user, "/transactions", body).await["id"].as_str().unwrap().to_owned();
    patch(&app, &user, &id, "*", &json!({"amount": "4.00"}))
        .await
        .expect_fields(&[("/splits", "splits_sum")]);
    let both = json!({"amount": "4.00", "splits": [{"categoryId": travel, "amount": "4.00"}]});
    patch(&app, &user, &id, "*", &both).await.expect(200);
    let whole = patch(&app, &user, &id, "*", &json!({"splits": null, "categoryId": food})).await;
    whole.expect(200);
    assert!(whole.json.get("splits").is_none());
    app.assert_ledger_sound(&user).await;
}

#[tokio::test]
async fn a_kind_changes_with_what_belongs_to_it() {
    let app = TestApp::start().await;
    let user = app.register().await;
    let savings = app.create(&user, "/accounts", json!({"name": "S", "type": "savings"})).await["id"].clone();
    let food = app.category(&user, "Food & Dining").await;
    let body = json!({"type": "expense", "amount": "3.00", "date": "2026-03-05", "description": "x",
        "categoryId": food});
    let id = app.create(&user, "/transactions", body).await["id"].as_str().unwrap().to_owned();
    patch(&app, &user, &id, "*", &json!({"type": "transfer"})).await.expect_fields(&[
        ("/categoryId", "category_forbidden"),
        ("/transferAccountId", "transfer_account_required"),
    ]);
    let transfer = json!({"type": "transfer", "categoryId": null, "transferAccountId": savings});
    patch(&app, &user, &id, "*", &transfer).await.expect(200);
    let back = patch(&app, &user, &id, "*", &json!({"type": "income", "transferAccountId": null})).await;
    back.expect(200);
    assert_eq!(back.json["version"], 3);
    app.assert_ledger_sound(&user).await;
}

#[tokio::test]
async fn moving_to_an_account_of_another_currency_needs_the_amount_anew() {
    let app = TestApp::start().await;
    let user = app.register().await;
    let euros = json!({"name": "E", "type": "cash", "currency": "EUR"});
    let euros = app.create(&user, "/accounts", euros).await["id"].clone();
    let id = app.expense(&user, "3.00", "2026-03-05", "x").await["id"].as_str().unwrap().to_owned();
    patch(&app, &user, &id, "*", &json!({"accountId": euros}))
        .await
        .expect_fields(&[("/amount", "currency_mismatch")]);
    let moved = patch(&app, &user, &id, "*", &json!({"accountId": euros, "amount": "2.70"})).await;
    moved.expect(200);
    assert_eq!((&moved.json["currency"], &moved.json["amount"]), (&json!("EUR"), &json!("2.70")));
    app.assert_ledger_sound(&user).await;
}

#[tokio::test]
async fn of_two_writers_with_one_tag_one_wins() {
    let app = TestApp::start().await;
    let user = app.register().await;
    let id = app.expense(&user, "1.00", "2026-03-05", "x").await["id"].as_str().unwrap().to_owned();
    let bodies: Vec<_> = (0..6).map(|n| json!({"description": format!("writer {n}")})).collect();
    let writers = bodies.iter().map(|body| patch(&app, &user, &id, "\"1\"", body));
    let answers = futures_util::future::join_all(writers).await;
    assert_eq!(answers.iter().filter(|answer| answer.status == 200).count(), 1);
    for lost in answers.iter().filter(|answer| answer.status != 200) {
        lost.expect_problem(412, "stale_version");
    }
    assert_eq!(app.get(&user, &format!("/transactions/{id}")).await.json["version"], 2);
    patch(&app, &user, &id, "no tag", &bodies[0]).await.expect_problem(400, "invalid_header");
}

#[tokio::test]
async fn an_empty_patch_is_a_change_of_nothing_but_the_version() {
    let app = TestApp::start().await;
    let user = app.register().await;
    let before = app.expense(&user, "1.00", "2026-03-05", "x").await;
    let answer = patch(&app, &user, before["id"].as_str().unwrap(), "*", &json!({})).await;
    answer.expect(200);
    for member in
        before.as_object().unwrap().keys().filter(|name| !["version", "updatedAt"].contains(&name.as_str()))
    {
        assert_eq!(answer.json[member], before[member], "{member}");
    }
}

#[tokio::test]
async fn a_deleted_transaction_is_gone_from_everywhere_but_its_tombstone() {
    let app = TestApp::start().await;
    let user = app.register().await;
    let id =
        app.expense(&user, "5.00", "2026-03-05", "Deleted thing").await["id"].as_str().unwrap().to_owned();
    app.expense(&user, "1.00", "2026-03-05", "Kept").await;
    let path = format!("/transactions/{id}");
    let stale = app.call(&user, "DELETE", &path, &[("if-match", "\"8\"")], None).await;
    stale.expect_problem(412, "stale_version");
    let answer = app.call(&user, "DELETE", &path, &[("if-match", "\"1\"")], None).await;
    answer.expect(204);
    assert!(answer.raw.is_empty());
    app.get(&user, &path).await.expect_problem(404, "not_found");
    app.delete(&user, &path).await.expect_problem(404, "not_found");
    app.patch(&user, &path, &json!({"description": "y"})).await.expect_problem(404, "not_found");
    assert_eq!(app.get(&user, "/transactions").await.items().len(), 1);
    assert_eq!(app.get(&user, "/transactions?q=deleted").await.items().len(), 0);
    let summary = app.get(&user, "/transactions/summary?from=2026-03-01&to=2026-03-31").await;
    assert_eq!(
        (&summary.json["totals"][0]["expense"], &summary.json["totals"][0]["count"]),
        (&json!("1.00"), &json!(1))
    );
    app.assert_ledger_sound(&user).await;
}

#[tokio::test]
async fn a_reconciled_transaction_moves_and_goes_only_after_its_status_is_set_back() {
    let app = TestApp::start().await;
    let user = app.register().await;
    let other = app.create(&user, "/accounts", json!({"name": "o", "type": "cash"})).await["id"].clone();
    let category = app.category(&user, "Shopping").await;
    let body = json!({"type": "expense", "amount": "5.00", "date": "2026-03-05", "description": "x",
        "status": "reconciled"});
    let id = app.create(&user, "/transactions", body).await["id"].as_str().unwrap().to_owned();
    let path = format!("/transactions/{id}");
    for change in [
        json!({"amount": "6.00"}),
        json!({"date": "2026-03-06"}),
        json!({"type": "income"}),
        json!({"accountId": other}),
        json!({"splits": [{"categoryId": category, "amount": "5.00"}]}),
    ] {
        app.patch(&user, &path, &change).await.expect_problem(409, "reconciled");
    }
    app.delete(&user, &path).await.expect_problem(409, "reconciled");
    // What no balance depends on may change, and a value that is the same is no change.
    let harmless = json!({"description": "y", "notes": "n", "categoryId": category, "amount": "5.00"});
    app.patch(&user, &path, &harmless).await.expect(200);
    // The same patch may set the status back.
    app.patch(&user, &path, &json!({"status": "cleared", "amount": "6.00"})).await.expect(200);
    app.patch(&user, &path, &json!({"status": "reconciled"})).await.expect(200);
    app.patch(&user, &path, &json!({"status": "pending"})).await.expect(200);
    app.delete(&user, &path).await.expect(204);
    app.assert_ledger_sound(&user).await;
}
