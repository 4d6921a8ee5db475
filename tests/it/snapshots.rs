//! Answers that are made of several reads, beside a writer: each is of one moment.

use serde_json::{Value, json};
use tests::{TestApp, User};
use tokio::sync::watch;

/// Runs `write` over and over until `read` has ended.
async fn beside<R>(write: impl AsyncFn(usize), read: impl Future<Output = R>) -> R {
    let (stop, stopped) = watch::channel(false);
    let writer = async {
        let mut round = 0;
        while !*stopped.borrow() {
            write(round).await;
            round += 1;
        }
        round
    };
    let reader = async {
        let result = read.await;
        stop.send_replace(true);
        result
    };
    let (rounds, result) = tokio::join!(writer, reader);
    assert!(rounds > 0, "nothing was written meanwhile");
    result
}

fn sums(items: &Value) -> (i64, i64) {
    let items = items.as_array().unwrap().iter();
    items.fold((0, 0), |(expense, count), item| {
        (expense + item["expenseMinor"].as_i64().unwrap(), count + item["count"].as_i64().unwrap())
    })
}

async fn scene() -> (TestApp, User) {
    let app = TestApp::start().await;
    let user = app.register().await;
    (app, user)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn summary_groups_equal_its_totals_beside_a_writer() {
    let (app, user) = scene().await;
    for day in 1..=28 {
        app.expense(&user, "1.00", &format!("2026-03-{day:02}"), "x").await;
    }
    let write = async |_: usize| {
        let id = app.expense(&user, "1.00", "2026-03-10", "beside").await["id"].as_str().unwrap().to_owned();
        app.delete(&user, &format!("/transactions/{id}")).await.expect(204);
    };
    let read = async {
        for _ in 0..20 {
            for query in [
                "from=2026-03-01&to=2026-03-31&groupBy=month",
                "from=2026-03-02&to=2026-03-30&groupBy=category",
                "from=2026-03-01&to=2026-03-31&groupBy=account",
                "from=2026-03-01&to=2026-03-31&groupBy=merchant",
            ] {
                let summary = app.get(&user, &format!("/transactions/summary?{query}")).await;
                let summary = &summary.expect(200).json;
                assert_eq!(sums(&summary["groups"]), sums(&summary["totals"]), "{query}: {summary}");
            }
        }
    };
    beside(write, read).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_row_that_moves_between_a_whole_month_and_ragged_days_counts_once() {
    let (app, user) = scene().await;
    let id = app.expense(&user, "1000.00", "2026-03-15", "moves").await["id"].as_str().unwrap().to_owned();
    let write = async |round: usize| {
        let date = ["2026-04-05", "2026-03-15"][round % 2];
        app.patch(&user, &format!("/transactions/{id}"), &json!({"date": date})).await.expect(200);
    };
    let read = async {
        for _ in 0..80 {
            let summary = app.get(&user, "/transactions/summary?from=2026-03-01&to=2026-04-10").await;
            assert_eq!(summary.json["totals"][0]["expense"], "1000.00", "{}", summary.json);
        }
    };
    beside(write, read).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_refund_stays_a_refund_while_its_category_is_replaced() {
    let (app, user) = scene().await;
    let made = async || {
        let body = json!({"name": "c", "kind": "expense"});
        app.create(&user, "/categories", body).await["id"].as_str().unwrap().to_owned()
    };
    let first = made().await;
    let refund = json!({"type": "income", "amount": "100.00", "description": "refund", "date": "2026-03-15",
        "categoryId": first});
    app.create(&user, "/transactions", refund).await;
    let category = tokio::sync::Mutex::new(first);
    let write = async |_: usize| {
        let next = made().await;
        let mut category = category.lock().await;
        app.delete(&user, &format!("/categories/{category}?moveTo={next}")).await.expect(204);
        *category = next;
    };
    let read = async {
        for _ in 0..20 {
            for query in ["from=2026-03-01&to=2026-03-31", "from=2026-03-02&to=2026-03-30"] {
                let path = format!("/transactions/summary?{query}&groupBy=category");
                let summary = app.get(&user, &path).await.expect(200).json.clone();
                let total = &summary["totals"][0];
                assert_eq!(
                    (&total["income"], &total["expense"]),
                    (&json!("0.00"), &json!("-100.00")),
                    "{summary}"
                );
                assert_ne!(summary["groups"][0]["label"], summary["groups"][0]["key"], "a label is a name");
            }
        }
    };
    beside(write, read).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn balances_of_two_accounts_sum_to_nothing_beside_transfers_between_them() {
    let (app, user) = scene().await;
    let mut ids = Vec::new();
    for name in ["a", "b"] {
        let body = json!({"name": name, "type": "cash", "openingBalance": {"amount": "0.00"}, "openingDate": "2026-01-01"});
        ids.push(app.create(&user, "/accounts", body).await["id"].as_str().unwrap().to_owned());
    }
    let transfer = json!({"type": "transfer", "amount": "5.00", "description": "t", "date": "2026-03-01",
        "accountId": ids[0], "transferAccountId": ids[1]});
    let write = async |_: usize| {
        let id =
            app.create(&user, "/transactions", transfer.clone()).await["id"].as_str().unwrap().to_owned();
        app.delete(&user, &format!("/transactions/{id}")).await.expect(204);
    };
    let read = async {
        for _ in 0..60 {
            for path in ["/accounts", "/accounts?asOf=2026-12-31"] {
                let accounts = app.get(&user, path).await.expect(200).json.clone();
                let items = accounts["items"].as_array().unwrap().iter();
                let sum: i64 = items.filter_map(|account| account["balanceMinor"].as_i64()).sum();
                assert_eq!(sum, 0, "{path}: {accounts}");
            }
        }
    };
    beside(write, read).await;
}

#[tokio::test]
async fn a_summary_by_tag_has_a_group_of_what_has_no_tag() {
    let (app, user) = scene().await;
    app.expense(&user, "1.00", "2026-03-01", "untagged").await;
    let tagged =
        json!({"type": "expense", "amount": "2.00", "description": "x", "date": "2026-03-01", "tags": ["t"]});
    app.create(&user, "/transactions", tagged).await;
    let summary = app.get(&user, "/transactions/summary?from=2026-03-01&to=2026-03-31&groupBy=tag").await;
    let groups = summary.expect(200).json["groups"].as_array().unwrap().clone();
    let of =
        |key: Value| groups.iter().find(|group| group["key"] == key).map(|group| group["expense"].clone());
    assert_eq!(of(Value::Null), Some(json!("1.00")), "{groups:?}");
    assert_eq!(of(json!("t")), Some(json!("2.00")));
}
