//! `GET /transactions`: order, filters, search, paging.

use serde_json::{Value, json};
use tests::{Answer, TestApp, User};

fn ids(answer: &Answer) -> Vec<String> {
    answer.items().iter().map(|item| item["id"].as_str().unwrap().to_owned()).collect()
}

fn descriptions(answer: &Answer) -> Vec<String> {
    answer.items().iter().map(|item| item["description"].as_str().unwrap().to_owned()).collect()
}

/// Follows the cursors to the end; no page may be longer than its limit.
async fn all_pages(app: &TestApp, user: &User, query: &str, limit: usize) -> (usize, Vec<Value>) {
    let (mut items, mut pages, mut cursor) = (Vec::new(), 0, String::new());
    loop {
        let page = app.get(user, &format!("/transactions?limit={limit}{query}{cursor}")).await;
        page.expect(200);
        assert!(page.items().len() <= limit);
        items.extend(page.items().to_vec());
        pages += 1;
        assert!(pages < 100, "a list ends");
        match page.json["nextCursor"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => return (pages, items),
        }
    }
}

#[tokio::test]
async fn the_newest_date_comes_first_and_within_a_day_the_newest_id() {
    let app = TestApp::start().await;
    let user = app.register().await;
    for (date, name) in [("2026-03-05", "b"), ("2026-01-01", "a"), ("2026-03-05", "c"), ("2026-12-31", "d")] {
        app.expense(&user, "1.00", date, name).await;
    }
    assert_eq!(descriptions(&app.get(&user, "/transactions").await), ["d", "c", "b", "a"]);
}

#[tokio::test]
async fn pages_join_to_the_whole_without_gap_or_repetition() {
    let app = TestApp::start().await;
    let user = app.register().await;
    // Days with many, so that a page often ends within one.
    for index in 0..23 {
        app.expense(&user, "1.00", &format!("2026-03-{:02}", 1 + index % 3), &format!("t{index}")).await;
    }
    let whole = app.get(&user, "/transactions?limit=200").await;
    assert_eq!(whole.items().len(), 23);
    assert_eq!(whole.json["nextCursor"], Value::Null);
    for limit in [1, 4, 7, 23, 24] {
        let (pages, items) = all_pages(&app, &user, "", limit).await;
        assert_eq!(items, whole.items(), "limit {limit}");
        assert_eq!(pages, 23_usize.div_ceil(limit), "no empty page at the end");
    }
    let (_, filtered) = all_pages(&app, &user, "&from=2026-03-02&to=2026-03-02&type=expense", 3).await;
    assert_eq!(filtered.len(), 8);
}

#[tokio::test]
async fn a_page_stays_in_place_while_newer_transactions_come() {
    let app = TestApp::start().await;
    let user = app.register().await;
    for index in 0..4 {
        app.expense(&user, "1.00", "2026-03-05", &format!("t{index}")).await;
    }
    let first = app.get(&user, "/transactions?limit=2").await;
    app.expense(&user, "1.00", "2026-04-01", "newer").await;
    let cursor = first.json["nextCursor"].as_str().unwrap();
    let second = app.get(&user, &format!("/transactions?limit=2&cursor={cursor}")).await;
    assert_eq!(descriptions(&second), ["t1", "t0"]);
}

#[tokio::test]
async fn a_cursor_is_of_one_user_one_list_and_one_set_of_filters() {
    let app = TestApp::start().await;
    let (user, other) = (app.register().await, app.register().await);
    for of in [&user, &other] {
        for index in 0..3 {
            app.expense(of, "1.00", "2026-03-05", &format!("t{index}")).await;
        }
    }
    let page = app.get(&user, "/transactions?limit=1&type=expense").await;
    let cursor = page.json["nextCursor"].as_str().unwrap().to_owned();
    let with = |query: &str| format!("/transactions?{query}&cursor={cursor}");
    app.get(&user, &with("type=expense")).await.expect(200);
    app.get(&user, &with("limit=2&type=expense")).await.expect(200);
    for query in ["", "type=income", "type=expense&q=t", "status=cleared"] {
        app.get(&user, &with(query)).await.expect_problem(400, "invalid_cursor");
    }
    app.get(&other, &with("type=expense")).await.expect_problem(400, "invalid_cursor");
    app.get(&user, &format!("/accounts?cursor={cursor}")).await.expect_problem(400, "invalid_cursor");
    let mut altered: Vec<u8> = cursor.clone().into_bytes();
    altered[4] = if altered[4] == b'A' { b'B' } else { b'A' };
    let altered = String::from_utf8(altered).unwrap();
    for bad in [altered.as_str(), "", "x", "AAAA", &format!("{cursor}=="), &"A".repeat(4000)] {
        app.get(&user, &format!("/transactions?type=expense&cursor={bad}"))
            .await
            .expect_problem(400, "invalid_cursor");
    }
}

/// A user with transactions that the filters tell apart, and the ids by description.
async fn filtered() -> (TestApp, User, String, String) {
    let app = TestApp::start().await;
    let user = app.register().await;
    let savings = json!({"name": "S", "type": "savings", "currency": "USD"});
    let savings = app.create(&user, "/accounts", savings).await["id"].as_str().unwrap().to_owned();
    let food = app.category(&user, "Food & Dining").await;
    let travel = app.category(&user, "Travel").await;
    for body in [
        json!({"type": "expense", "amount": "10.00", "date": "2026-03-01", "description": "plain"}),
        json!({"type": "expense", "amount": "20.00", "date": "2026-03-02", "description": "food",
            "categoryId": food, "tags": ["Blue", "red"]}),
        json!({"type": "expense", "amount": "30.00", "date": "2026-03-03", "description": "split", "splits":
            [{"categoryId": food, "amount": "10.00"}, {"categoryId": travel, "amount": "20.00"}]}),
        json!({"type": "income", "amount": "40.00", "date": "2026-03-04", "description": "saved",
            "accountId": savings, "status": "pending", "tags": ["red"]}),
        json!({"type": "transfer", "amount": "50.00", "date": "2026-03-05", "description": "moved",
            "transferAccountId": savings, "status": "reconciled"}),
    ] {
        app.create(&user, "/transactions", body).await;
    }
    (app, user, savings, food)
}

#[tokio::test]
async fn each_filter_alone_and_together_finds_what_it_says() {
    let (app, user, savings, food) = filtered().await;
    let first = app.first_account(&user).await;
    for (query, wanted) in [
        ("from=2026-03-04", vec!["moved", "saved"]),
        ("to=2026-03-02", vec!["food", "plain"]),
        ("from=2026-03-02&to=2026-03-03", vec!["split", "food"]),
        (&format!("accountId={savings}"), vec!["moved", "saved"]),
        (&format!("accountId={first}"), vec!["moved", "split", "food", "plain"]),
        (&format!("categoryId={food}"), vec!["split", "food"]),
        ("type=income", vec!["saved"]),
        ("type=transfer", vec!["moved"]),
        ("status=pending", vec!["saved"]),
        ("status=cleared", vec!["split", "food", "plain"]),
        ("tag=red", vec!["saved", "food"]),
        ("tag=Blue", vec!["food"]),
        ("minAmount=40", vec!["moved", "saved"]),
        ("maxAmount=20.00", vec!["food", "plain"]),
        ("minAmount=20&maxAmount=30", vec!["split", "food"]),
        (&format!("categoryId={food}&minAmount=25"), vec!["split"]),
        ("tag=red&type=expense", vec!["food"]),
        (&format!("accountId={savings}&status=reconciled&q=mov&from=2026-03-05"), vec!["moved"]),
        ("tag=red&q=nothing", vec![]),
        ("accountId=01900000-0000-7000-8000-00000000dead", vec![]),
    ] {
        let answer = app.get(&user, &format!("/transactions?{query}")).await;
        answer.expect(200);
        assert_eq!(descriptions(&answer), wanted, "{query}");
        assert_eq!(answer.json["nextCursor"], Value::Null, "{query}");
    }
}

#[tokio::test]
async fn every_bad_filter_is_named_at_once() {
    let app = TestApp::start().await;
    let user = app.register().await;
    let query = "limit=0&from=2026-02-30&to=x&accountId=1&categoryId=%7B%7D&type=all&status=&tag=%20&minAmount=-1\
                 &maxAmount=1e3";
    app.get(&user, &format!("/transactions?{query}")).await.expect_fields(&[
        ("/query/limit", "invalid_parameter"),
        ("/query/from", "invalid_parameter"),
        ("/query/to", "invalid_parameter"),
        ("/query/accountId", "invalid_parameter"),
        ("/query/categoryId", "invalid_parameter"),
        ("/query/type", "invalid_parameter"),
        ("/query/status", "invalid_parameter"),
        ("/query/tag", "invalid_parameter"),
        ("/query/minAmount", "invalid_parameter"),
        ("/query/maxAmount", "invalid_parameter"),
    ]);
    for limit in ["201", "-1", "1.0", "ten", "99999999999999999999"] {
        let answer = app.get(&user, &format!("/transactions?limit={limit}")).await;
        answer.expect_fields(&[("/query/limit", "invalid_parameter")]);
    }
    let answer = app.get(&user, "/transactions?type=income&type=expense&sort=date&from[$gt]=1").await;
    answer.expect_problem(400, "invalid_query");
    answer.expect_errors(&[
        ("/query/type", "repeated_parameter"),
        ("/query/sort", "unknown_parameter"),
        ("/query/from[$gt]", "unknown_parameter"),
    ]);
}

#[tokio::test]
async fn every_word_of_a_search_begins_a_word_of_the_transaction() {
    let app = TestApp::start().await;
    let user = app.register().await;
    let body = json!({"type": "expense", "amount": "1.00", "date": "2026-03-05",
        "description": "Frühstück im Café Central", "merchant": "Supermarkets International",
        "notes": "with naïve Jürgen", "tags": ["team-building"]});
    app.create(&user, "/transactions", body).await;
    let finds = async |q: &str| {
        let answer = app.get(&user, &format!("/transactions?q={q}")).await;
        answer.expect(200);
        answer.items().len()
    };
    for hit in [
        "cafe",
        "CAF%C3%89",
        "fruhst",
        "fr%C3%BChst%C3%BCck",
        "super+cent",
        "supermarkets",
        "supermarke",
        "naive",
        "jurgen+build",
        "team",
        "i",
        "%20cafe%20",
        "cafe-central",
        "fru%CC%88hstuck",
    ] {
        assert_eq!(finds(hit).await, 1, "{hit}");
    }
    for miss in ["afe", "market", "cafe+x", "supermarketsx", "supermarkex", "centrale", "tea+m2"] {
        assert_eq!(finds(miss).await, 0, "{miss}");
    }
    // A pattern is only text.
    for pattern in ["a.*", "%5Ea", "caf.", "%24where", "c(a"] {
        let answer = app.get(&user, &format!("/transactions?q={pattern}&from=2027-01-01")).await;
        assert_eq!((answer.status, answer.items().len()), (200, 0), "{pattern}");
    }
}

#[tokio::test]
async fn an_item_of_the_list_is_the_transaction_itself() {
    let (app, user, ..) = filtered().await;
    let list = app.get(&user, "/transactions").await;
    assert_eq!(ids(&list).len(), 5);
    for item in list.items() {
        let path = format!("/transactions/{}", item["id"].as_str().unwrap());
        assert_eq!(app.get(&user, &path).await.json, *item);
    }
}
