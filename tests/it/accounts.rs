//! `/accounts`: the resource, its balances, and what happens to its transactions when it goes.

use serde_json::{Value, json};
use shared::clock::Clock;
use tests::TestApp;

#[tokio::test]
async fn an_account_is_created_shown_and_listed_as_the_contract_says() {
    let app = TestApp::start().await;
    let user = app.register().await;
    let body = json!({"name": " Visa ", "type": "credit_card", "currency": "EUR",
        "openingBalance": {"amount": "-120.50"}, "openingDate": "2026-02-01", "creditLimit": {"amountMinor": 500_000},
        "interestRateBps": 1990, "minimumPayment": {"amount": "25.00"}});
    let answer = app.post(&user, "/accounts", &body).await;
    answer.expect(201);
    let account = &answer.json;
    let path = format!("/accounts/{}", answer.id());
    assert_eq!(answer.header("location"), Some(format!("/api/v1{path}").as_str()));
    assert!(answer.header("etag").is_some_and(|tag| tag.starts_with('"')), "a strong tag");
    assert_eq!(
        *account,
        json!({"id": answer.id(), "name": "Visa", "type": "credit_card", "currency": "EUR",
            "openingBalance": {"amount": "-120.50", "amountMinor": -12_050, "currency": "EUR"},
            "openingDate": "2026-02-01",
            "creditLimit": {"amount": "5000.00", "amountMinor": 500_000, "currency": "EUR"},
            "interestRateBps": 1990,
            "minimumPayment": {"amount": "25.00", "amountMinor": 2_500, "currency": "EUR"},
            "archived": false, "balance": "-120.50", "balanceMinor": -12_050, "version": 1})
    );
    let shown = app.get(&user, &path).await;
    assert_eq!((shown.status, &shown.json), (200, account));
    assert_eq!(shown.header("etag"), answer.header("etag"));
    let list = app.get(&user, "/accounts").await;
    assert_eq!(list.items().len(), 2);
    assert_eq!(list.items()[1], *account, "the oldest first");
}

#[tokio::test]
async fn what_is_left_out_is_the_users_currency_and_today_in_their_zone() {
    // 20:00 UTC is the next morning in Auckland.
    let clock = Clock::manual("2031-03-14T20:00:00Z".parse().unwrap());
    let app = TestApp::with_clock(&[], clock).await;
    let user = app.register_with(json!({"currency": "NZD", "timeZone": "Pacific/Auckland"})).await;
    let account = app.create(&user, "/accounts", json!({"name": "Jar", "type": "cash"})).await;
    assert_eq!((&account["currency"], &account["openingDate"]), (&json!("NZD"), &json!("2031-03-15")));
    assert_eq!((&account["balance"], &account["openingBalance"]), (&Value::Null, &Value::Null));
}

#[tokio::test]
async fn every_bad_field_of_an_account_is_named_at_once() {
    let app = TestApp::start().await;
    let user = app.register().await;
    let body = json!({"name": " ", "type": "bank", "currency": "USD", "openingBalance": {"amount": 12.5},
        "openingDate": "2026-02-30", "interestRateBps": 100_001, "archived": "no"});
    app.post(&user, "/accounts", &body).await.expect_fields(&[
        ("/name", "invalid_text"),
        ("/type", "invalid_value"),
        ("/openingBalance/amount", "wrong_type"),
        ("/openingDate", "invalid_date"),
        ("/interestRateBps", "out_of_range"),
        ("/archived", "wrong_type"),
    ]);
    let body = json!({"name": "x", "type": "cash", "currency": "JPY", "openingBalance": {"amount": "1.5"},
        "creditLimit": {"amount": "-1"}, "minimumPayment": {"amountMinor": 10_000_000_000_001_i64}});
    app.post(&user, "/accounts", &body).await.expect_fields(&[
        ("/openingBalance/amount", "too_many_decimals"),
        ("/creditLimit/amount", "out_of_range"),
        ("/minimumPayment/amountMinor", "out_of_range"),
    ]);
    app.post(&user, "/accounts", &json!({}))
        .await
        .expect_fields(&[("/name", "required"), ("/type", "required")]);
    app.post(&user, "/accounts", &json!({"name": "x", "type": "cash", "openingBalance": {}}))
        .await
        .expect_fields(&[("/openingBalance/amount", "required")]);
    let both = json!({"name": "x", "type": "cash", "openingBalance": {"amount": "1.00", "amountMinor": 100}});
    let answer = app.post(&user, "/accounts", &both).await;
    answer.expect_problem(422, "invalid_fields");
    assert_eq!(answer.errors()[0].1, "ambiguous_amount");
}

#[tokio::test]
async fn a_balance_is_the_opening_balance_and_what_moved_from_its_date_on() {
    let app = TestApp::start().await;
    let user = app.register().await;
    let account = json!({"name": "Main", "type": "checking", "openingBalance": {"amount": "100.00"},
        "openingDate": "2026-02-10"});
    let id = app.create(&user, "/accounts", account).await["id"].clone();
    let path = format!("/accounts/{}", id.as_str().unwrap());
    for (kind, amount, date) in [
        ("income", "50.00", "2026-02-09"),
        ("income", "20.00", "2026-02-10"),
        ("expense", "7.50", "2026-03-01"),
    ] {
        let body = json!({"type": kind, "amount": amount, "date": date, "description": "x", "accountId": id});
        app.create(&user, "/transactions", body).await;
    }
    let balance = async || app.get(&user, &path).await.json["balance"].clone();
    assert_eq!(balance().await, "112.50", "what is before the opening date is not in the balance");

    let as_of = async |date: &str| {
        let list = app.get(&user, &format!("/accounts?asOf={date}")).await;
        list.items().iter().find(|account| account["id"] == id).unwrap()["balance"].clone()
    };
    assert_eq!(as_of("2026-02-10").await, "120.00", "at the close of the day");
    assert_eq!(as_of("2026-02-28").await, "120.00");
    assert_eq!(as_of("2026-03-01").await, "112.50");
    assert_eq!(as_of("2026-02-09").await, Value::Null, "before its opening date it has none");

    // An earlier opening date takes the earlier income in.
    app.patch(&user, &path, &json!({"openingDate": "2026-02-01"})).await.expect(200);
    assert_eq!(balance().await, "162.50");
    app.patch(&user, &path, &json!({"openingBalance": {"amountMinor": -10_000}})).await.expect(200);
    assert_eq!(balance().await, "-37.50");
    app.patch(&user, &path, &json!({"openingBalance": null})).await.expect(200);
    assert_eq!(balance().await, Value::Null);
    app.assert_ledger_sound(&user).await;
}

#[tokio::test]
async fn a_patch_changes_what_it_names_and_keeps_the_rest() {
    let app = TestApp::start().await;
    let user = app.register().await;
    let body = json!({"name": "Card", "type": "credit_card", "creditLimit": {"amount": "900.00"},
        "interestRateBps": 100});
    let before = app.create(&user, "/accounts", body).await;
    let path = format!("/accounts/{}", before["id"].as_str().unwrap());
    let answer =
        app.patch(&user, &path, &json!({"name": "New", "creditLimit": null, "archived": true})).await;
    answer.expect(200);
    let mut wanted = before.clone();
    wanted["name"] = json!("New");
    wanted["creditLimit"] = Value::Null;
    wanted["archived"] = json!(true);
    wanted["version"] = json!(2);
    assert_eq!(answer.json, wanted);
    app.patch(&user, &path, &json!({"name": null, "type": null, "openingDate": null, "archived": null}))
        .await
        .expect_fields(&[
            ("/name", "required"),
            ("/type", "required"),
            ("/openingDate", "required"),
            ("/archived", "required"),
        ]);
    app.patch(&user, &path, &json!({"currency": "EUR"})).await.expect_problem(400, "unknown_field");
    assert_eq!(app.get(&user, &path).await.json, wanted);
}

#[tokio::test]
async fn a_tag_from_before_the_balance_moved_is_stale() {
    let app = TestApp::start().await;
    let user = app.register().await;
    let body = json!({"name": "Main", "type": "checking", "openingBalance": {"amount": "1.00"},
        "openingDate": "2026-01-01"});
    let answer = app.post(&user, "/accounts", &body).await;
    let (path, tag) = (format!("/accounts/{}", answer.id()), answer.header("etag").unwrap().to_owned());
    let income = json!({"type": "income", "amount": "1.00", "date": "2026-02-01", "description": "x",
        "accountId": answer.id()});
    app.create(&user, "/transactions", income).await;
    let fresh = app.get(&user, &path).await.header("etag").unwrap().to_owned();
    assert_ne!(fresh, tag, "the bytes changed, so must a strong tag");
    let patch = json!({"name": "x"});
    let with = async |tag: &str| app.call(&user, "PATCH", &path, &[("if-match", tag)], Some(&patch)).await;
    with(&tag).await.expect_problem(412, "stale_version");
    with(&fresh).await.expect(200);
    app.call(&user, "DELETE", &path, &[("if-match", &fresh)], None)
        .await
        .expect_problem(412, "stale_version");
}

#[tokio::test]
async fn an_account_in_use_goes_only_when_its_transactions_move() {
    let app = TestApp::start().await;
    let user = app.register().await;
    let opened = |name: &str, currency: &str| {
        json!({"name": name, "type": "savings", "currency": currency, "openingBalance": {"amount": "0"},
            "openingDate": "2026-01-01"})
    };
    let from = app.create(&user, "/accounts", opened("From", "USD")).await["id"].as_str().unwrap().to_owned();
    let to = app.create(&user, "/accounts", opened("To", "USD")).await["id"].as_str().unwrap().to_owned();
    let euro = app.create(&user, "/accounts", opened("Euro", "EUR")).await["id"].as_str().unwrap().to_owned();
    let first = app.first_account(&user).await;
    let mut moved = Vec::new();
    for amount in ["10.00", "20.00", "30.00"] {
        let body = json!({"type": "income", "amount": amount, "date": "2026-02-01", "description": "x",
            "accountId": from});
        moved.push(app.create(&user, "/transactions", body).await["id"].as_str().unwrap().to_owned());
    }
    let transfer = json!({"type": "transfer", "amount": "5.00", "date": "2026-02-02", "description": "x",
        "accountId": first, "transferAccountId": from});
    app.create(&user, "/transactions", transfer).await;

    let path = format!("/accounts/{from}");
    let answer = app.delete(&user, &path).await;
    answer.expect_problem(409, "in_use");
    assert!(answer.text("detail").starts_with("4 "), "the count is listed: {}", answer.text("detail"));
    let to_itself = app.delete(&user, &format!("{path}?moveTo={from}")).await;
    to_itself.expect_fields(&[("/query/moveTo", "invalid_target")]);
    let other_currency = app.delete(&user, &format!("{path}?moveTo={euro}")).await;
    other_currency.expect_fields(&[("/query/moveTo", "currency_mismatch")]);
    let between = app.delete(&user, &format!("{path}?moveTo={first}")).await;
    between.expect_fields(&[("/query/moveTo", "same_account")]);
    app.delete(&user, &format!("{path}?moveTo=x"))
        .await
        .expect_fields(&[("/query/moveTo", "invalid_parameter")]);
    app.get(&user, &path).await.expect(200);

    app.delete(&user, &format!("{path}?moveTo={to}")).await.expect(204);
    app.get(&user, &path).await.expect_problem(404, "not_found");
    assert_eq!(app.get(&user, &format!("/accounts/{to}")).await.json["balance"], "65.00");
    for id in moved {
        let transaction = app.get(&user, &format!("/transactions/{id}")).await.json;
        assert_eq!((&transaction["accountId"], &transaction["version"]), (&json!(to), &json!(2)));
    }
    app.assert_ledger_sound(&user).await;
}

#[tokio::test]
async fn accounts_are_paged_in_their_order() {
    let app = TestApp::start().await;
    let user = app.register().await;
    for index in 0..6 {
        app.create(&user, "/accounts", json!({"name": format!("A{index}"), "type": "cash"})).await;
    }
    let whole = app.get(&user, "/accounts").await;
    let (mut path, mut seen) = ("/accounts?limit=3".to_owned(), Vec::new());
    loop {
        let page = app.get(&user, &path).await;
        page.expect(200);
        assert!(page.items().len() <= 3);
        seen.extend(page.items().to_vec());
        let Some(cursor) = page.json["nextCursor"].as_str() else { break };
        assert!(
            cursor.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte)),
            "base64url"
        );
        path = format!("/accounts?limit=3&cursor={cursor}");
    }
    assert_eq!(seen.len(), 7);
    assert_eq!(seen, whole.items());
}

#[tokio::test]
async fn a_retried_creation_with_its_key_makes_one_account() {
    let app = TestApp::start().await;
    let user = app.register().await;
    let create = async |name: &str| {
        let body = json!({"name": name, "type": "cash"});
        app.call(&user, "POST", "/accounts", &[("idempotency-key", "k-1")], Some(&body)).await
    };
    let first = create("Jar").await;
    first.expect(201);
    let again = create("Jar").await;
    again.expect(201);
    assert_eq!(again.header("idempotency-replayed"), Some("true"));
    assert_eq!(again.json, first.json);
    create("Box").await.expect_problem(422, "idempotency_key_reused");
    assert_eq!(app.get(&user, "/accounts").await.items().len(), 2);
}
