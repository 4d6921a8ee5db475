//! `GET /transactions/summary`: sums by group and currency, never mixed.

use serde_json::{Value, json};
use shared::clock::Clock;
use tests::{TestApp, User};

struct Scene {
    app: TestApp,
    user: User,
    first: String,
    euros: String,
    food: String,
    travel: String,
    salary: String,
}

/// Two months, two currencies, a split, a refund and a transfer.
async fn scene() -> Scene {
    let app = TestApp::start().await;
    let user = app.register().await;
    let first = app.first_account(&user).await;
    let euros = json!({"name": "Euros", "type": "cash", "currency": "EUR"});
    let euros = app.create(&user, "/accounts", euros).await["id"].as_str().unwrap().to_owned();
    let food = app.category(&user, "Food & Dining").await;
    let travel = app.category(&user, "Travel").await;
    let salary = app.category(&user, "Salary").await;
    for body in [
        json!({"type": "income", "amount": "1000.00", "date": "2026-02-28", "description": "pay",
            "categoryId": salary, "merchant": "Employer"}),
        json!({"type": "expense", "amount": "30.00", "date": "2026-03-01", "description": "market",
            "categoryId": food, "merchant": "Market", "tags": ["home", "weekly"]}),
        json!({"type": "expense", "amount": "50.00", "date": "2026-03-10", "description": "trip", "tags": ["home"],
            "splits": [{"categoryId": food, "amount": "20.00"}, {"categoryId": travel, "amount": "30.00"}]}),
        json!({"type": "income", "amount": "10.00", "date": "2026-03-31", "description": "refund",
            "categoryId": food, "merchant": "Market"}),
        json!({"type": "expense", "amount": "8.00", "date": "2026-03-15", "description": "bread",
            "accountId": euros, "categoryId": food}),
        json!({"type": "transfer", "amount": "99.00", "date": "2026-03-16", "description": "moved",
            "transferAccountId": euros, "transferAmount": "90.00"}),
        json!({"type": "expense", "amount": "7.00", "date": "2026-04-01", "description": "april"}),
    ] {
        app.create(&user, "/transactions", body).await;
    }
    Scene { app, user, first, euros, food, travel, salary }
}

impl Scene {
    async fn summary(&self, query: &str) -> Value {
        let answer = self.app.get(&self.user, &format!("/transactions/summary?{query}")).await;
        answer.expect(200);
        answer.json
    }
}

fn sums(currency: &str, income: i64, expense: i64, count: i64) -> Value {
    let decimal = |minor: i64| {
        let sign = if minor < 0 { "-" } else { "" };
        format!("{sign}{}.{:02}", minor.abs() / 100, minor.abs() % 100)
    };
    json!({"currency": currency, "income": decimal(income), "expense": decimal(expense),
        "net": decimal(income - expense), "incomeMinor": income, "expenseMinor": expense,
        "netMinor": income - expense, "count": count})
}

fn group(key: &str, label: &str, sums: Value) -> Value {
    let mut group = sums;
    group["key"] = if key.is_empty() { Value::Null } else { json!(key) };
    group["label"] = json!(label);
    group
}

/// The groups in an order of their own, so that a test does not depend on the answer's.
fn sorted(mut groups: Vec<Value>) -> Vec<Value> {
    groups.sort_by_key(|group| format!("{}{}", group["key"], group["currency"]));
    groups
}

#[tokio::test]
async fn months_are_summed_by_currency_and_a_refund_lowers_spending() {
    let scene = scene().await;
    let summary = scene.summary("from=2026-02-01&to=2026-03-31&groupBy=month").await;
    assert_eq!(
        (&summary["from"], &summary["to"], &summary["groupBy"]),
        (&json!("2026-02-01"), &json!("2026-03-31"), &json!("month"))
    );
    let groups = sorted(summary["groups"].as_array().unwrap().clone());
    assert_eq!(
        groups,
        sorted(vec![
            group("2026-02", "2026-02", sums("USD", 100_000, 0, 1)),
            group("2026-03", "2026-03", sums("USD", 0, 7_000, 3)),
            group("2026-03", "2026-03", sums("EUR", 0, 800, 1)),
        ])
    );
    let totals = sorted(summary["totals"].as_array().unwrap().clone());
    assert_eq!(totals, sorted(vec![sums("EUR", 0, 800, 1), sums("USD", 100_000, 7_000, 4)]));
}

#[tokio::test]
async fn a_split_counts_in_each_of_its_categories_and_once_in_the_totals() {
    let scene = scene().await;
    let summary = scene.summary("from=2026-03-01&to=2026-03-31&groupBy=category").await;
    let groups = sorted(summary["groups"].as_array().unwrap().clone());
    assert_eq!(
        groups,
        sorted(vec![
            group(&scene.food, "Food & Dining", sums("USD", 0, 4_000, 3)),
            group(&scene.travel, "Travel", sums("USD", 0, 3_000, 1)),
            group(&scene.food, "Food & Dining", sums("EUR", 0, 800, 1)),
        ])
    );
    let totals = sorted(summary["totals"].as_array().unwrap().clone());
    assert_eq!(totals, sorted(vec![sums("EUR", 0, 800, 1), sums("USD", 0, 7_000, 3)]));
}

#[tokio::test]
async fn accounts_merchants_and_tags_group_too() {
    let scene = scene().await;
    let range = "from=2026-02-01&to=2026-03-31";
    let accounts = scene.summary(&format!("{range}&groupBy=account")).await;
    assert_eq!(
        sorted(accounts["groups"].as_array().unwrap().clone()),
        sorted(vec![
            group(&scene.first, "Checking", sums("USD", 100_000, 7_000, 4)),
            group(&scene.euros, "Euros", sums("EUR", 0, 800, 1)),
        ])
    );
    let merchants = scene.summary(&format!("{range}&groupBy=merchant")).await;
    assert_eq!(
        sorted(merchants["groups"].as_array().unwrap().clone()),
        sorted(vec![
            group("Employer", "Employer", sums("USD", 100_000, 0, 1)),
            group("Market", "Market", sums("USD", 0, 2_000, 2)),
            group("", "None", sums("USD", 0, 5_000, 1)),
            group("", "None", sums("EUR", 0, 800, 1)),
        ])
    );
    let tags = scene.summary(&format!("{range}&groupBy=tag")).await;
    let tags = sorted(tags["groups"].as_array().unwrap().clone());
    assert!(tags.contains(&group("home", "home", sums("USD", 0, 8_000, 2))), "{tags:?}");
    assert!(tags.contains(&group("weekly", "weekly", sums("USD", 0, 3_000, 1))));
}

#[tokio::test]
async fn ragged_ranges_and_whole_months_say_the_same_of_the_same_days() {
    let scene = scene().await;
    for by in ["month", "category", "account", "merchant"] {
        // 28 February and 1 April are in neither: March whole against March in three pieces.
        let whole = scene.summary(&format!("from=2026-03-01&to=2026-03-31&groupBy={by}")).await;
        let mut minor = std::collections::BTreeMap::<String, i64>::new();
        for (from, to) in
            [("2026-03-01", "2026-03-09"), ("2026-03-10", "2026-03-15"), ("2026-03-16", "2026-03-31")]
        {
            let part = scene.summary(&format!("from={from}&to={to}&groupBy={by}")).await;
            for group in part["groups"].as_array().unwrap() {
                let key = format!("{} {}", group["key"], group["currency"]);
                *minor.entry(key).or_default() += group["netMinor"].as_i64().unwrap();
            }
        }
        let mut wanted = std::collections::BTreeMap::new();
        for group in whole["groups"].as_array().unwrap() {
            let key = format!("{} {}", group["key"], group["currency"]);
            wanted.insert(key, group["netMinor"].as_i64().unwrap());
        }
        assert_eq!(minor, wanted, "{by}");
    }
    let days = scene.summary("from=2026-02-28&to=2026-04-01&groupBy=month").await;
    assert_eq!(sorted(days["totals"].as_array().unwrap().clone())[1], sums("USD", 100_000, 7_700, 5));
    let one = scene.summary("from=2026-03-31&to=2026-03-31&groupBy=category").await;
    assert_eq!(one["totals"], json!([sums("USD", 0, -1_000, 1)]), "a refund alone is negative spending");
}

#[tokio::test]
async fn without_bounds_it_is_the_users_month_by_month() {
    // 15:00 UTC on the last day of March is April in Auckland.
    let clock = Clock::manual("2031-03-31T15:00:00Z".parse().unwrap());
    let app = TestApp::with_clock(&[], clock).await;
    let user = app.register_with(json!({"timeZone": "Pacific/Auckland"})).await;
    app.expense(&user, "1.00", "2031-03-31", "march").await;
    app.expense(&user, "2.00", "2031-04-30", "april").await;
    let summary = app.get(&user, "/transactions/summary").await.json;
    assert_eq!((&summary["from"], &summary["to"]), (&json!("2031-04-01"), &json!("2031-04-30")));
    assert_eq!((&summary["groupBy"], &summary["totals"][0]["expense"]), (&json!("month"), &json!("2.00")));
}

#[tokio::test]
async fn bad_bounds_and_groupings_are_named() {
    let app = TestApp::start().await;
    let user = app.register().await;
    let bad = app.get(&user, "/transactions/summary?from=x&to=2026-13-01&groupBy=year").await;
    bad.expect_fields(&[
        ("/query/from", "invalid_parameter"),
        ("/query/to", "invalid_parameter"),
        ("/query/groupBy", "invalid_parameter"),
    ]);
    let reversed = app.get(&user, "/transactions/summary?from=2026-03-02&to=2026-03-01").await;
    reversed.expect_fields(&[("/query/from", "out_of_range")]);
    app.get(&user, "/transactions/summary?limit=5").await.expect_problem(400, "invalid_query");
}

#[tokio::test]
async fn the_salary_is_income_in_its_category() {
    let scene = scene().await;
    let summary = scene.summary("from=2026-02-01&to=2026-02-28&groupBy=category").await;
    assert_eq!(summary["groups"], json!([group(&scene.salary, "Salary", sums("USD", 100_000, 0, 1))]));
}
