//! `/categories`: the resource, its tree, and what happens to what it names when it goes.

use serde_json::{Value, json};
use tests::TestApp;

#[tokio::test]
async fn a_category_is_created_changed_and_deleted() {
    let app = TestApp::start().await;
    let user = app.register().await;
    let parent = app.category(&user, "Entertainment").await;
    let body = json!({"name": " Cinema ", "kind": "expense", "parentId": parent});
    let answer = app.post(&user, "/categories", &body).await;
    answer.expect(201);
    let path = format!("/categories/{}", answer.id());
    assert_eq!(answer.header("location"), Some(format!("/api/v1{path}").as_str()));
    let wanted = json!({"id": answer.id(), "name": "Cinema", "kind": "expense", "essential": false,
        "parentId": parent, "archived": false, "version": 1});
    assert_eq!(answer.json, wanted);
    assert_eq!(app.get(&user, &path).await.json, wanted);

    let stale = app.call(&user, "PATCH", &path, &[("if-match", "\"7\"")], Some(&json!({"name": "x"}))).await;
    stale.expect_problem(412, "stale_version");
    let patch = json!({"name": "Films", "essential": true, "parentId": null, "archived": true});
    let changed = app.call(&user, "PATCH", &path, &[("if-match", "\"1\"")], Some(&patch)).await;
    changed.expect(200);
    assert_eq!(changed.header("etag"), Some("\"2\""));
    assert_eq!(changed.json["parentId"], Value::Null);
    assert_eq!((&changed.json["name"], &changed.json["essential"]), (&json!("Films"), &json!(true)));

    app.delete(&user, &path).await.expect(204);
    app.get(&user, &path).await.expect_problem(404, "not_found");
    app.delete(&user, &path).await.expect_problem(404, "not_found");
    assert_eq!(app.get(&user, "/categories").await.items().len(), 16);
}

#[tokio::test]
async fn every_bad_field_of_a_category_is_named_at_once() {
    let app = TestApp::start().await;
    let user = app.register().await;
    let body = json!({"name": "x".repeat(101), "kind": "spending", "essential": 1, "parentId": {"$gt": ""}});
    app.post(&user, "/categories", &body).await.expect_fields(&[
        ("/name", "too_long"),
        ("/kind", "invalid_value"),
        ("/essential", "wrong_type"),
        ("/parentId", "wrong_type"),
    ]);
    let longest = json!({"name": "é".repeat(100), "kind": "expense"});
    app.post(&user, "/categories", &longest).await.expect(201);
    let id = app.category(&user, "Travel").await;
    let path = format!("/categories/{id}");
    app.patch(&user, &path, &json!({"name": null, "essential": null, "archived": null}))
        .await
        .expect_fields(&[("/name", "required"), ("/essential", "required"), ("/archived", "required")]);
    // What a category meant in past months would change with its kind.
    app.patch(&user, &path, &json!({"kind": "income"})).await.expect_problem(400, "unknown_field");
}

#[tokio::test]
async fn a_parent_is_another_category_of_the_same_kind_that_has_none_itself() {
    let app = TestApp::start().await;
    let user = app.register().await;
    let salary = app.category(&user, "Salary").await;
    let travel = app.category(&user, "Travel").await;
    let child = json!({"name": "Flights", "kind": "expense", "parentId": travel});
    let child = app.create(&user, "/categories", child).await["id"].as_str().unwrap().to_owned();
    let nowhere = "01900000-0000-7000-8000-00000000dead";
    for parent in [salary.as_str(), child.as_str(), nowhere] {
        let body = json!({"name": "x", "kind": "expense", "parentId": parent});
        let answer = app.post(&user, "/categories", &body).await;
        answer.expect(422);
        assert_eq!(answer.errors()[0].0, "/parentId");
    }
    let itself = app.patch(&user, &format!("/categories/{child}"), &json!({"parentId": child})).await;
    itself.expect_problem(422, "invalid_fields");
    // One that has children cannot become a child.
    let food = app.category(&user, "Food & Dining").await;
    let answer = app.patch(&user, &format!("/categories/{travel}"), &json!({"parentId": food})).await;
    answer.expect_problem(422, "invalid_fields");
}

#[tokio::test]
async fn a_category_in_use_goes_only_when_its_transactions_move() {
    let app = TestApp::start().await;
    let user = app.register().await;
    let from = app.category(&user, "Shopping").await;
    let to = app.category(&user, "Travel").await;
    let salary = app.category(&user, "Salary").await;
    let food = app.category(&user, "Food & Dining").await;
    let plain = json!({"type": "expense", "amount": "10.00", "date": "2026-02-01", "description": "x",
        "categoryId": from});
    let plain = app.create(&user, "/transactions", plain).await["id"].as_str().unwrap().to_owned();
    let split = json!({"type": "expense", "amount": "9.00", "date": "2026-02-01", "description": "x",
        "splits": [{"categoryId": from, "amount": "4.00"}, {"categoryId": food, "amount": "5.00"}]});
    let split = app.create(&user, "/transactions", split).await["id"].as_str().unwrap().to_owned();

    let path = format!("/categories/{from}");
    let answer = app.delete(&user, &path).await;
    answer.expect_problem(409, "in_use");
    assert!(answer.text("detail").starts_with("2 "), "{}", answer.text("detail"));
    for target in [salary.as_str(), from.as_str(), "01900000-0000-7000-8000-00000000dead"] {
        let answer = app.delete(&user, &format!("{path}?moveTo={target}")).await;
        answer.expect(422);
        assert_eq!(answer.errors()[0].0, "/query/moveTo");
    }
    app.delete(&user, &format!("{path}?moveTo={to}")).await.expect(204);
    assert_eq!(app.get(&user, &format!("/transactions/{plain}")).await.json["categoryId"], json!(to));
    let split = app.get(&user, &format!("/transactions/{split}")).await.json;
    assert_eq!((&split["splits"][0]["categoryId"], &split["version"]), (&json!(to), &json!(2)));
    let summary =
        app.get(&user, "/transactions/summary?from=2026-02-01&to=2026-02-28&groupBy=category").await;
    let group = |id: &str| {
        let groups = summary.json["groups"].as_array().unwrap();
        groups.iter().find(|group| group["key"] == id).map(|group| group["expense"].clone())
    };
    assert_eq!((group(&to), group(&food), group(&from)), (Some(json!("14.00")), Some(json!("5.00")), None));
    app.assert_ledger_sound(&user).await;
}

#[tokio::test]
async fn a_retried_creation_with_its_key_makes_one_category() {
    let app = TestApp::start().await;
    let user = app.register().await;
    let body = json!({"name": "Pets", "kind": "expense"});
    let create =
        async || app.call(&user, "POST", "/categories", &[("idempotency-key", "\"k\"")], Some(&body)).await;
    let (first, again) = (create().await, create().await);
    assert_eq!((first.status, again.status), (201, 201));
    assert_eq!((again.header("idempotency-replayed"), &again.json), (Some("true"), &first.json));
    assert_eq!(app.get(&user, "/categories").await.items().len(), 17);
}

#[tokio::test]
async fn the_refusal_of_a_category_in_use_counts_its_transactions_and_its_children() {
    let app = TestApp::start().await;
    let user = app.register().await;
    let parent = app.create(&user, "/categories", json!({"name": "p", "kind": "expense"})).await;
    let parent = parent["id"].as_str().unwrap();
    for name in ["a", "b"] {
        app.create(&user, "/categories", json!({"name": name, "kind": "expense", "parentId": parent})).await;
    }
    for _ in 0..5 {
        let body = json!({"type": "expense", "amount": "1.00", "date": "2026-03-05", "description": "x",
            "categoryId": parent});
        app.create(&user, "/transactions", body).await;
    }
    let refused = app.delete(&user, &format!("/categories/{parent}")).await;
    let detail = refused.expect_problem(409, "in_use").text("detail");
    assert!(detail.starts_with("7 "), "{detail}");
}
