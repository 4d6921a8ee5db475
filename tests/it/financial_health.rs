//! `/financial-health`: the score of real transactions, with its reasons; what is unknown stays unknown.

use serde_json::{Value, json};
use shared::clock::Clock;
use tests::{TestApp, User};

/// The middle of a month, so that the months before are full.
const NOW: &str = "2031-07-15T12:00:00Z";

async fn app() -> TestApp {
    TestApp::with_clock(&[], Clock::manual(NOW.parse().unwrap())).await
}

/// Six months of a salary and a rent.
async fn six_months(app: &TestApp, user: &User, income: &str, rent: &str) {
    let salary = app.category(user, "Salary").await;
    let housing = app.category(user, "Housing").await;
    for month in 1..=6 {
        let body = json!({"type": "income", "amount": income, "date": format!("2031-{month:02}-01"),
            "description": "Salary", "categoryId": salary});
        app.create(user, "/transactions", body).await;
        let body = json!({"type": "expense", "amount": rent, "date": format!("2031-{month:02}-03"),
            "description": "Rent", "categoryId": housing});
        app.create(user, "/transactions", body).await;
    }
}

fn component<'a>(score: &'a Value, name: &str) -> &'a Value {
    let pillars = score["pillars"].as_array().unwrap();
    let mut components = pillars.iter().flat_map(|pillar| pillar["components"].as_array().unwrap());
    components.find(|component| component["name"] == name).unwrap_or_else(|| panic!("no component {name}"))
}

#[tokio::test]
async fn a_new_user_has_no_score_and_is_told_why() {
    let app = app().await;
    let user = app.register().await;
    let answer = app.get(&user, "/financial-health").await;
    answer.expect(200);
    let score = &answer.json;
    assert_eq!(
        (&score["score"], &score["grade"], &score["window"]),
        (&Value::Null, &Value::Null, &Value::Null)
    );
    assert!(score["reason"].as_str().is_some_and(|reason| !reason.is_empty()));
    assert_eq!((&score["method"], &score["asOf"]), (&json!("fhi-1"), &json!("2031-07-15")));
    assert_eq!(score["coverage"], 0);
    assert!(!score["missing"].as_array().unwrap().is_empty(), "what would give a score is named");
    for pillar in score["pillars"].as_array().unwrap() {
        assert_eq!(pillar["points"], Value::Null, "missing data count neither as 0 nor as 100");
        for component in pillar["components"].as_array().unwrap() {
            assert_eq!(component["points"], Value::Null);
            assert!(component["reason"].is_string());
        }
    }
}

#[tokio::test]
async fn six_months_of_transactions_give_a_score_with_its_inputs() {
    let app = app().await;
    let user = app.register().await;
    six_months(&app, &user, "4000.00", "1400.00").await;
    let answer = app.get(&user, "/financial-health").await;
    let score = &answer.expect(200).json;
    let points = score["score"].as_i64().unwrap();
    assert!((0..=100).contains(&points));
    let grade = match points {
        80.. => "A",
        65.. => "B",
        50.. => "C",
        35.. => "D",
        _ => "E",
    };
    assert_eq!(score["grade"], grade);
    assert_eq!(score["reason"], Value::Null);
    assert_eq!(score["window"], json!({"from": "2031-01-01", "to": "2031-06-30", "months": 6}));
    // 2,600 of 4,000 are left; a rent of 1,400 is essential.
    let margin = component(score, "margin");
    assert_eq!(margin["value"], 6_500);
    assert!(margin["points"].is_i64());
    let essentials = component(score, "essentials_load");
    assert_eq!(essentials["value"], 3_500);
    assert!(component(score, "income_stability")["points"].is_i64());
    assert!(score["coverage"].as_i64().unwrap() > 0);
    assert!(["high", "medium", "low"].contains(&score["confidence"].as_str().unwrap()));
    assert!(score["knowledge"].as_i64().unwrap() >= 29, "16 categories, an account, 12 transactions");
}

#[tokio::test]
async fn the_same_ledger_gives_the_same_bytes_and_latest_is_an_alias() {
    let app = app().await;
    let user = app.register().await;
    six_months(&app, &user, "4000.00", "1400.00").await;
    let first = app.get(&user, "/financial-health").await;
    for path in ["/financial-health", "/financial-health/latest", "/financial-health?asOf=2031-07-15"] {
        assert_eq!(app.get(&user, path).await.raw, first.raw, "{path}");
    }
    let unversioned = tests::event(
        "GET",
        "/api/financial-health",
        &user.ip,
        &[("authorization", &format!("Bearer {}", user.access))],
        None,
    );
    assert_eq!(app.send(&unversioned).await.raw, first.raw);
}

#[tokio::test]
async fn a_score_as_of_an_earlier_date_sees_only_the_months_before_it() {
    let app = app().await;
    let user = app.register().await;
    six_months(&app, &user, "4000.00", "1400.00").await;
    let score = app.get(&user, "/financial-health?asOf=2031-05-31").await.expect(200).json.clone();
    assert_eq!(score["window"], json!({"from": "2031-01-01", "to": "2031-04-30", "months": 4}));
    assert_eq!(score["asOf"], "2031-05-31");
    let before = app.get(&user, "/financial-health?asOf=2030-12-31").await.expect(200).json.clone();
    assert_eq!((&before["score"], &before["window"]), (&Value::Null, &Value::Null));
    app.get(&user, "/financial-health?asOf=2031-07-16")
        .await
        .expect_fields(&[("/query/asOf", "out_of_range")]);
    app.get(&user, "/financial-health?asOf=yesterday")
        .await
        .expect_fields(&[("/query/asOf", "invalid_parameter")]);
}

#[tokio::test]
async fn today_is_the_users_and_a_refund_a_transfer_and_a_tombstone_are_what_they_are() {
    // Already the next day in Auckland.
    let app = TestApp::with_clock(&[], Clock::manual("2031-06-30T20:00:00Z".parse().unwrap())).await;
    let user = app.register_with(json!({"timeZone": "Pacific/Auckland"})).await;
    six_months(&app, &user, "4000.00", "1400.00").await;
    let plain = app.get(&user, "/financial-health").await.expect(200).json.clone();
    assert_eq!((&plain["asOf"], &plain["window"]["to"]), (&json!("2031-07-01"), &json!("2031-06-30")));
    let margin = component(&plain, "margin")["value"].clone();
    assert_eq!(margin, 6_500);
    let savings = app.create(&user, "/accounts", json!({"name": "S", "type": "savings"})).await["id"].clone();
    let transfer = json!({"type": "transfer", "amount": "999.00", "date": "2031-03-05", "description": "x",
        "transferAccountId": savings});
    app.create(&user, "/transactions", transfer).await;
    let deleted = app.expense(&user, "500.00", "2031-03-05", "x").await["id"].as_str().unwrap().to_owned();
    app.delete(&user, &format!("/transactions/{deleted}")).await.expect(204);
    let score = app.get(&user, "/financial-health").await.json;
    assert_eq!(
        component(&score, "margin")["value"],
        margin,
        "neither a transfer nor a tombstone is spending"
    );
    assert_ne!(score["knowledge"], plain["knowledge"], "the ledger moved on all the same");
    let refund = json!({"type": "income", "amount": "1200.00", "date": "2031-03-20", "description": "x",
        "categoryId": app.category(&user, "Housing").await});
    app.create(&user, "/transactions", refund).await;
    let score = app.get(&user, "/financial-health").await.json;
    // 6 × 1,400 − 1,200 of 24,000.
    assert_eq!(component(&score, "margin")["value"], 7_000, "a refund lowers spending and is no income");
}

#[tokio::test]
async fn transactions_in_another_currency_are_left_out_and_counted() {
    let app = app().await;
    let user = app.register().await;
    six_months(&app, &user, "4000.00", "1400.00").await;
    let plain = app.get(&user, "/financial-health").await.json;
    assert_eq!(plain["excluded"], json!([]));
    let euros = json!({"name": "E", "type": "cash", "currency": "EUR"});
    let euros = app.create(&user, "/accounts", euros).await["id"].clone();
    for _ in 0..2 {
        let body = json!({"type": "expense", "amount": "3999.00", "date": "2031-04-05", "description": "x",
            "accountId": euros});
        app.create(&user, "/transactions", body).await;
    }
    let score = app.get(&user, "/financial-health").await.json;
    assert_eq!(score["score"], plain["score"]);
    assert_eq!(score["excluded"][0]["currency"], "EUR");
    assert_eq!(score["excluded"][0]["transactions"], 2);
}

#[tokio::test]
async fn the_method_is_public_and_names_what_the_score_has() {
    let app = app().await;
    let user = app.register().await;
    let method = app.anonymous("GET", "/financial-health/method", None).await;
    method.expect(200);
    assert_eq!(method.json["method"], "fhi-1");
    let names = |answer: &Value| -> Vec<(String, Vec<String>)> {
        let text = |value: &Value| value["name"].as_str().unwrap().to_owned();
        let pillars = answer["pillars"].as_array().unwrap().iter();
        pillars.map(|p| (text(p), p["components"].as_array().unwrap().iter().map(text).collect())).collect()
    };
    let named = names(&method.json);
    assert_eq!(named.len(), 4);
    assert_eq!(named.iter().map(|(_, components)| components.len()).sum::<usize>(), 9);
    for pillar in method.json["pillars"].as_array().unwrap() {
        for component in pillar["components"].as_array().unwrap() {
            let anchors = component["anchors"].as_array().unwrap();
            assert!(
                anchors.len() >= 2
                    && anchors.windows(2).all(|pair| pair[0][0].as_i64() < pair[1][0].as_i64())
            );
            assert!(component["source"].as_str().is_some_and(|source| !source.is_empty()));
        }
    }
    let score = app.get(&user, "/financial-health").await.json;
    assert_eq!(names(&score), named, "all are listed, computed yet or not");
    app.anonymous("GET", "/financial-health", None).await.expect_problem(401, "unauthenticated");
}
