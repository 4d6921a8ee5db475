//! `POST /transactions`: what is taken, what is filled in, and what is refused with which reason.

use serde_json::{Value, json};
use shared::clock::Clock;
use tests::{TestApp, User};

#[tokio::test]
async fn a_whole_transaction_comes_back_as_it_was_sent() {
    let app = TestApp::start().await;
    let user = app.register().await;
    let category = app.category(&user, "Food & Dining").await;
    let account = app.first_account(&user).await;
    let body = json!({"accountId": account, "type": "expense", "amount": "12.34", "currency": "USD",
        "date": "2026-03-05", "description": " Weekly groceries ", "merchant": "Cafe\u{301} Noir", "categoryId": category,
        "notes": "line one\nline\ttwo", "tags": ["food", " weekly ", "food"], "status": "pending",
        "originalAmount": "11.50", "originalCurrency": "EUR", "externalId": "FIT-1"});
    let answer = app.post(&user, "/transactions", &body).await;
    answer.expect(201);
    let path = format!("/transactions/{}", answer.id());
    assert_eq!(answer.header("location"), Some(format!("/api/v1{path}").as_str()));
    assert_eq!(answer.header("etag"), Some("\"1\""));
    let (created, updated) = (answer.text("createdAt"), answer.text("updatedAt"));
    assert!(created.ends_with('Z') && created == updated, "{created} {updated}");
    let wanted = json!({"id": answer.id(), "accountId": account, "type": "expense", "amount": "12.34",
        "amountMinor": 1234, "currency": "USD", "date": "2026-03-05", "description": "Weekly groceries",
        "merchant": "Café Noir", "categoryId": category, "notes": "line one\nline\ttwo", "tags": ["food", "weekly"],
        "status": "pending", "originalAmount": "11.50", "originalAmountMinor": 1150, "originalCurrency": "EUR",
        "externalId": "FIT-1", "createdAt": created, "updatedAt": updated, "version": 1});
    assert_eq!(answer.json, wanted);
    assert_eq!(app.get(&user, &path).await.json, wanted);
}

#[tokio::test]
async fn ids_are_version_seven_uuids_without_a_prefix() {
    let app = TestApp::start().await;
    let user = app.register().await;
    let id = app.expense(&user, "1.00", "2026-03-05", "x").await["id"].as_str().unwrap().to_owned();
    assert_eq!(id.len(), 36);
    assert_eq!(id.as_bytes()[14], b'7');
}

#[tokio::test]
async fn the_account_date_and_status_have_defaults() {
    // 20:00 UTC is the next morning in Auckland.
    let clock = Clock::manual("2031-03-14T20:00:00Z".parse().unwrap());
    let app = TestApp::with_clock(&[], clock).await;
    let user = app.register_with(json!({"currency": "NZD", "timeZone": "Pacific/Auckland"})).await;
    let first = app.first_account(&user).await;
    let body = json!({"type": "income", "amountMinor": 100, "description": "x"});
    let transaction = app.create(&user, "/transactions", body.clone()).await;
    assert_eq!(transaction["accountId"], json!(first));
    assert_eq!(transaction["date"], "2031-03-15", "today in the user's zone");
    assert_eq!((&transaction["status"], &transaction["currency"]), (&json!("cleared"), &json!("NZD")));
    assert_eq!((&transaction["amount"], &transaction["tags"]), (&json!("1.00"), &json!([])));

    // The oldest that is not archived.
    let second =
        app.create(&user, "/accounts", json!({"name": "Second", "type": "cash"})).await["id"].clone();
    app.patch(&user, &format!("/accounts/{first}"), &json!({"archived": true})).await.expect(200);
    assert_eq!(app.create(&user, "/transactions", body.clone()).await["accountId"], second);
    let path = format!("/accounts/{}", second.as_str().unwrap());
    app.patch(&user, &path, &json!({"archived": true})).await.expect(200);
    app.post(&user, "/transactions", &body).await.expect_fields(&[("/accountId", "account_required")]);
}

/// A body that is taken, with one member of another value.
fn with(member: &str, value: Value) -> Value {
    let mut body = json!({"type": "expense", "amount": "1.00", "date": "2026-03-05", "description": "x"});
    body[member] = value;
    body
}

#[tokio::test]
async fn amounts_that_are_not_exact_are_never_rounded() {
    let app = TestApp::start().await;
    let user = app.register().await;
    let refused = [
        (json!(12.34), "wrong_type"),
        (json!(12), "wrong_type"),
        (json!("12.345"), "too_many_decimals"),
        (json!("0"), "out_of_range"),
        (json!("-1.00"), "out_of_range"),
        (json!("1e3"), "invalid_amount"),
        (json!("1,50"), "invalid_amount"),
        (json!("+1"), "invalid_amount"),
        (json!(" 1"), "invalid_amount"),
        (json!("１"), "invalid_amount"),
        (json!(".5"), "invalid_amount"),
        (json!("1."), "invalid_amount"),
        (json!("007.5"), "invalid_amount"),
        (json!(""), "invalid_amount"),
        (json!("NaN"), "invalid_amount"),
        (json!("100000000000.01"), "out_of_range"),
        (json!("99999999999999999999"), "out_of_range"),
        (json!({"$gt": ""}), "wrong_type"),
        (json!(["1.00"]), "wrong_type"),
        (json!(true), "wrong_type"),
    ];
    for (amount, code) in refused {
        let answer = app.post(&user, "/transactions", &with("amount", amount.clone())).await;
        assert_eq!(answer.errors(), [("/amount".to_owned(), code.to_owned())], "{amount}: {}", answer.json);
    }
    for (minor, code) in
        [(json!(1.5), "wrong_type"), (json!("100"), "wrong_type"), (json!(1e2), "wrong_type")]
    {
        let mut body = with("amountMinor", minor.clone());
        body.as_object_mut().unwrap().remove("amount");
        let answer = app.post(&user, "/transactions", &body).await;
        assert_eq!(answer.errors(), [("/amountMinor".to_owned(), code.to_owned())], "{minor}");
    }
    for minor in [0, -1, 10_000_000_000_001_i64, i64::MAX, i64::MIN] {
        let mut body = with("amountMinor", json!(minor));
        body.as_object_mut().unwrap().remove("amount");
        app.post(&user, "/transactions", &body).await.expect_fields(&[("/amountMinor", "out_of_range")]);
    }
    app.post(&user, "/transactions", &with("amountMinor", json!(100)))
        .await
        .expect_fields(&[("/amount", "ambiguous_amount")]);
    let mut none = with("amount", Value::Null);
    app.post(&user, "/transactions", &none).await.expect_fields(&[("/amount", "required")]);
    none.as_object_mut().unwrap().remove("amount");
    app.post(&user, "/transactions", &none).await.expect_fields(&[("/amount", "required")]);
    assert_eq!(app.get(&user, "/transactions").await.items().len(), 0, "none of them was written");
}

#[tokio::test]
async fn amounts_are_taken_to_their_limit_in_the_decimals_of_their_currency() {
    let app = TestApp::start().await;
    let user = app.register().await;
    for (currency, amount, shown, minor) in [
        ("USD", "0.01", "0.01", 1),
        ("USD", "100000000000.00", "100000000000.00", 10_000_000_000_000_i64),
        ("USD", "7.5", "7.50", 750),
        ("JPY", "1500", "1500", 1500),
        ("KWD", "1.234", "1.234", 1234),
        ("CLF", "1.2345", "1.2345", 12_345),
    ] {
        let account = json!({"name": currency, "type": "cash", "currency": currency});
        let account = app.create(&user, "/accounts", account).await["id"].clone();
        let body = json!({"type": "income", "amount": amount, "date": "2026-03-05", "description": "x",
            "accountId": account, "currency": currency});
        let transaction = app.create(&user, "/transactions", body).await;
        assert_eq!((&transaction["amount"], &transaction["amountMinor"]), (&json!(shown), &json!(minor)));
    }
    app.assert_ledger_sound(&user).await;
}

#[tokio::test]
async fn a_currency_is_its_accounts() {
    let app = TestApp::start().await;
    let user = app.register().await;
    app.post(&user, "/transactions", &with("currency", json!("EUR")))
        .await
        .expect_fields(&[("/currency", "currency_mismatch")]);
    for unknown in ["XXX1", "usd", "ZZZ", ""] {
        app.post(&user, "/transactions", &with("currency", json!(unknown)))
            .await
            .expect_fields(&[("/currency", "unknown_currency")]);
    }
}

#[tokio::test]
async fn text_is_measured_in_code_points_and_control_characters_are_refused() {
    let app = TestApp::start().await;
    let user = app.register().await;
    let crab = |count: usize| json!("🦀".repeat(count));
    for (member, value, code) in [
        ("description", json!(""), "too_short"),
        ("description", json!(" \u{a0} "), "invalid_text"),
        ("description", crab(501), "too_long"),
        ("description", json!("a\u{0}b"), "invalid_text"),
        ("description", json!("a\nb"), "invalid_text"),
        ("description", json!("a\u{85}b"), "invalid_text"),
        ("merchant", crab(501), "too_long"),
        ("merchant", json!("a\tb"), "invalid_text"),
        ("notes", crab(4001), "too_long"),
        ("notes", json!("a\rb"), "invalid_text"),
        ("notes", json!("a\u{1b}[31m"), "invalid_text"),
        ("externalId", json!(" "), "invalid_text"),
        ("tags", json!("food"), "wrong_type"),
        ("status", json!("done"), "invalid_value"),
        ("type", json!("Expense"), "invalid_value"),
        ("date", json!("2026-02-29"), "invalid_date"),
        ("date", json!("2026-3-5"), "invalid_date"),
        ("date", json!("2026-03-05T00:00:00Z"), "invalid_date"),
        ("date", json!("20260305"), "invalid_date"),
        ("date", json!(20260305), "wrong_type"),
    ] {
        let answer = app.post(&user, "/transactions", &with(member, value.clone())).await;
        assert_eq!(answer.status, 422, "{member} {value}: {}", answer.json);
        assert_eq!(answer.errors(), [(format!("/{member}"), code.to_owned())], "{member} {value}");
    }
    let tag_too_long = json!(["ok", "x".repeat(51)]);
    app.post(&user, "/transactions", &with("tags", tag_too_long))
        .await
        .expect_fields(&[("/tags/1", "too_long")]);
    let too_many: Vec<_> = (0..21).map(|n| n.to_string()).collect();
    app.post(&user, "/transactions", &with("tags", json!(too_many)))
        .await
        .expect_fields(&[("/tags", "too_many")]);
    for (member, value) in [
        ("description", crab(500)),
        ("merchant", crab(500)),
        ("notes", crab(4000)),
        ("tags", json!(vec!["x".repeat(50)])),
    ] {
        let kept = app.create(&user, "/transactions", with(member, value.clone())).await;
        assert_eq!(kept[member], value, "{member} is stored as sent");
    }
}

#[tokio::test]
async fn what_looks_like_markup_or_an_operator_is_only_text() {
    let app = TestApp::start().await;
    let user = app.register().await;
    for text in [
        "<script>alert(1)</script>",
        "$where: sleep(1)",
        "{\"$gt\":\"\"}",
        "'; DROP TABLE users; --",
        "a.b$c",
    ] {
        let kept = app.create(&user, "/transactions", with("description", json!(text))).await;
        assert_eq!(kept["description"], text);
    }
}

#[tokio::test]
async fn ids_of_nobody_are_named_where_they_stand() {
    let app = TestApp::start().await;
    let user = app.register().await;
    let nobody = json!("01900000-0000-7000-8000-00000000dead");
    app.post(&user, "/transactions", &with("accountId", nobody.clone()))
        .await
        .expect_fields(&[("/accountId", "unknown_account")]);
    app.post(&user, "/transactions", &with("categoryId", nobody.clone()))
        .await
        .expect_fields(&[("/categoryId", "unknown_category")]);
    app.post(&user, "/transactions", &with("accountId", json!("x")))
        .await
        .expect_fields(&[("/accountId", "invalid_id")]);
    let mut transfer = with("transferAccountId", nobody);
    transfer["type"] = json!("transfer");
    app.post(&user, "/transactions", &transfer)
        .await
        .expect_fields(&[("/transferAccountId", "unknown_account")]);
}

#[tokio::test]
async fn the_kind_of_a_category_decides_what_it_takes() {
    let app = TestApp::start().await;
    let user = app.register().await;
    let salary = app.category(&user, "Salary").await;
    app.post(&user, "/transactions", &with("categoryId", json!(salary)))
        .await
        .expect_fields(&[("/categoryId", "category_kind")]);
    let mut refund = with("categoryId", json!(app.category(&user, "Shopping").await));
    refund["type"] = json!("income");
    app.create(&user, "/transactions", refund).await;
}

#[tokio::test]
async fn splits_sum_exactly_to_the_amount() {
    let app = TestApp::start().await;
    let user = app.register().await;
    let food = app.category(&user, "Food & Dining").await;
    let travel = app.category(&user, "Travel").await;
    let post = async |splits: Value, category: Option<&str>| {
        let mut body = with("splits", splits);
        if let Some(category) = category {
            body["categoryId"] = json!(category);
        }
        app.post(&user, "/transactions", &body).await
    };
    let whole = post(
        json!([{"categoryId": food, "amount": "0.40"}, {"categoryId": travel, "amountMinor": 60, "notes": "bus"}]),
        None,
    );
    let whole = whole.await;
    whole.expect(201);
    assert_eq!(
        whole.json["splits"],
        json!([{"categoryId": food, "amount": "0.40", "amountMinor": 40},
            {"categoryId": travel, "amount": "0.60", "amountMinor": 60, "notes": "bus"}])
    );
    let part = |category: &str, amount: &str| json!({"categoryId": category, "amount": amount});
    post(json!([part(&food, "0.40"), part(&travel, "0.59")]), None)
        .await
        .expect_fields(&[("/splits", "splits_sum")]);
    post(json!([part(&food, "1.00")]), Some(&travel))
        .await
        .expect_fields(&[("/categoryId", "category_with_splits")]);
    post(json!([part(&food, "0.999"), part(&food, "0.001")]), None).await.expect_fields(&[
        ("/splits/0/amount", "too_many_decimals"),
        ("/splits/1/amount", "too_many_decimals"),
    ]);
    post(json!([{"categoryId": food}, {"amount": "1.00"}, 3]), None)
        .await
        .expect_problem(422, "invalid_fields");
    let salary = app.category(&user, "Salary").await;
    post(json!([part(&food, "0.50"), part(&salary, "0.50")]), None)
        .await
        .expect_fields(&[("/splits/1/categoryId", "category_kind")]);
    app.assert_ledger_sound(&user).await;
}

async fn two_accounts(app: &TestApp, user: &User) -> (String, String) {
    let mut ids = Vec::new();
    for currency in ["USD", "EUR"] {
        let account = json!({"name": currency, "type": "savings", "currency": currency,
            "openingBalance": {"amount": "100.00"}, "openingDate": "2026-01-01"});
        ids.push(app.create(user, "/accounts", account).await["id"].as_str().unwrap().to_owned());
    }
    (ids.remove(0), ids.remove(0))
}

#[tokio::test]
async fn a_transfer_moves_both_accounts_and_is_neither_income_nor_spending() {
    let app = TestApp::start().await;
    let user = app.register().await;
    let (dollars, euros) = two_accounts(&app, &user).await;
    let first = app.first_account(&user).await;
    let transfer = |to: &str| {
        json!({"type": "transfer", "amount": "10.00", "date": "2026-03-05", "description": "x", "accountId": dollars,
            "transferAccountId": to})
    };
    let same = app.create(&user, "/transactions", transfer(&first)).await;
    assert_eq!(same["transferAccountId"], json!(first));
    assert!(same.get("transferAmount").is_none(), "within one currency there is one amount");
    let mut foreign = transfer(&euros);
    app.post(&user, "/transactions", &foreign)
        .await
        .expect_fields(&[("/transferAmount", "transfer_amount_required")]);
    foreign["transferAmount"] = json!("9.20");
    let kept = app.create(&user, "/transactions", foreign).await;
    assert_eq!((&kept["transferAmount"], &kept["transferAmountMinor"]), (&json!("9.20"), &json!(920)));
    let balance = async |id: &str| app.get(&user, &format!("/accounts/{id}")).await.json["balance"].clone();
    assert_eq!((balance(&dollars).await, balance(&euros).await), (json!("80.00"), json!("109.20")));
    let summary = app.get(&user, "/transactions/summary?from=2026-03-01&to=2026-03-31").await;
    assert_eq!((&summary.json["groups"], &summary.json["totals"]), (&json!([]), &json!([])));
    app.assert_ledger_sound(&user).await;
}

#[tokio::test]
async fn a_transfer_that_does_not_fit_is_refused() {
    let app = TestApp::start().await;
    let user = app.register().await;
    let (dollars, euros) = two_accounts(&app, &user).await;
    let first = app.first_account(&user).await;
    let food = app.category(&user, "Food & Dining").await;
    let base = json!({"type": "transfer", "amount": "10.00", "date": "2026-03-05", "description": "x",
        "accountId": dollars});
    let cases = [
        (json!({}), vec![("/transferAccountId", "transfer_account_required")]),
        (json!({"transferAccountId": dollars}), vec![("/transferAccountId", "same_account")]),
        (
            json!({"transferAccountId": first, "transferAmount": "10.00"}),
            vec![("/transferAmount", "transfer_amount_forbidden")],
        ),
        (
            json!({"transferAccountId": first, "categoryId": food}),
            vec![("/categoryId", "category_forbidden")],
        ),
        (
            json!({"transferAccountId": euros, "transferAmount": "9.999"}),
            vec![("/transferAmount", "too_many_decimals")],
        ),
        (
            json!({"transferAccountId": first, "splits": [{"categoryId": food, "amount": "10.00"}]}),
            vec![("/splits", "splits_forbidden")],
        ),
        (
            json!({"type": "expense", "transferAccountId": first}),
            vec![("/transferAccountId", "transfer_account_forbidden")],
        ),
    ];
    for (change, wanted) in cases {
        let mut body = base.clone();
        for (name, value) in change.as_object().unwrap() {
            body[name] = value.clone();
        }
        app.post(&user, "/transactions", &body).await.expect_fields(&wanted);
    }
    assert_eq!(app.get(&user, "/transactions").await.items().len(), 0);
}

#[tokio::test]
async fn every_bad_field_is_named_at_once_across_parsing_and_rules() {
    let app = TestApp::start().await;
    let user = app.register().await;
    let body = json!({"type": "spend", "amount": 5, "description": "", "date": "soon", "tags": [1], "status": null,
        "splits": [{"amount": "1"}]});
    app.post(&user, "/transactions", &body).await.expect_fields(&[
        ("/type", "invalid_value"),
        ("/amount", "wrong_type"),
        ("/description", "too_short"),
        ("/date", "invalid_date"),
        ("/tags/0", "wrong_type"),
        ("/splits/0/categoryId", "required"),
    ]);
    let salary = app.category(&user, "Salary").await;
    let body = json!({"type": "expense", "amount": "1.234", "currency": "EUR", "description": "x", "categoryId": salary,
        "originalAmount": "1.00"});
    app.post(&user, "/transactions", &body).await.expect_fields(&[
        ("/amount", "too_many_decimals"),
        ("/currency", "currency_mismatch"),
        ("/categoryId", "category_kind"),
        ("/originalCurrency", "required"),
    ]);
}

#[tokio::test]
async fn sums_that_would_leave_their_range_are_refused_not_wrapped() {
    let app = TestApp::start().await;
    let user = app.register().await;
    // The most that one amount may be, a few times: all of it must stay exact.
    for _ in 0..3 {
        app.create(
            &user,
            "/transactions",
            with("amountMinor", json!(10_000_000_000_000_i64)).tap_remove("amount"),
        )
        .await;
    }
    let summary = app.get(&user, "/transactions/summary?from=2026-03-01&to=2026-03-31").await;
    assert_eq!(summary.json["totals"][0]["expenseMinor"], 30_000_000_000_000_i64);
    assert_eq!(summary.json["totals"][0]["expense"], "300000000000.00");
    app.assert_ledger_sound(&user).await;
}

trait Without {
    fn tap_remove(self, member: &str) -> Value;
}

impl Without for Value {
    fn tap_remove(mut self, member: &str) -> Value {
        self.as_object_mut().unwrap().remove(member);
        self
    }
}
