//! What the API asks of MongoDB, seen by its profiler: every query goes by an index, and a page examines about itself.

use futures_util::TryStreamExt;
use mongodb::Database;
use mongodb::bson::{Bson, Document, doc};
use serde_json::json;
use shared::clock::Clock;
use shared::store::UserStore;
use shared::store::accounts::Account;
use tests::proxy::{Proxy, Stop};
use tests::{TestApp, User};

async fn profile(database: &Database, level: i32) {
    database.run_command(doc! {"profile": level, "slowms": 0}).await.unwrap();
}

/// The operations that the profiler saw on collections of the API, oldest first.
async fn seen(database: &Database) -> Vec<Document> {
    let profile = database.collection::<Document>("system.profile");
    let ours = doc! {"ns": {"$ne": format!("{}.system.profile", database.name())}};
    let found = profile.find(ours).sort(doc! {"ts": 1}).await.unwrap();
    found.try_collect().await.unwrap()
}

async fn forget(database: &Database) {
    profile(database, 0).await;
    database.collection::<Document>("system.profile").drop().await.unwrap();
    profile(database, 2).await;
}

fn number(document: &Document, name: &str) -> i64 {
    match document.get(name) {
        Some(Bson::Int32(number)) => i64::from(*number),
        Some(Bson::Int64(number)) => *number,
        _ => 0,
    }
}

fn plan(document: &Document) -> &str {
    document.get_str("planSummary").unwrap_or_default()
}

/// Gives the user `count` transactions more, copies of what the API wrote, over the days of years.
async fn multiply(database: &Database, count: usize) {
    let transactions = database.collection::<Document>("transactions");
    let originals: Vec<Document> = transactions.find(doc! {}).await.unwrap().try_collect().await.unwrap();
    let mut copies = Vec::new();
    for index in 0..count {
        let mut copy = originals[index % originals.len()].clone();
        copy.insert("_id", mongodb::bson::Uuid::from_bytes((index as u128 + 1).to_be_bytes()));
        let (year, month, day) = (2016 + index % 9, 1 + index / 9 % 12, 1 + index / 108 % 28);
        copy.insert("date", format!("{year}-{month:02}-{day:02}"));
        copies.push(copy);
    }
    transactions.insert_many(copies).await.unwrap();
}

struct Scene {
    app: TestApp,
    user: User,
    database: Database,
    account: String,
    category: String,
}

/// 3,000 transactions, of which each filter finds a third.
async fn scene() -> Scene {
    let app = TestApp::start().await;
    let user = app.register().await;
    let account = app.create(&user, "/accounts", json!({"name": "x", "type": "cash"})).await;
    let account = account["id"].as_str().unwrap().to_owned();
    let category = app.category(&user, "Shopping").await;
    for body in [
        json!({"type": "expense", "amount": "10.00", "description": "needle", "categoryId": category,
            "tags": ["needle"], "status": "pending", "accountId": account, "date": "2025-01-01"}),
        json!({"type": "income", "amount": "20.00", "description": "hay", "date": "2025-01-01"}),
        json!({"type": "income", "amount": "30.00", "description": "straw", "date": "2025-01-01"}),
    ] {
        app.create(&user, "/transactions", body).await;
    }
    let database = app.database().await;
    multiply(&database, 3000).await;
    forget(&database).await;
    Scene { app, user, database, account, category }
}

#[tokio::test]
async fn each_list_filter_alone_goes_by_an_index_and_examines_at_most_twice_its_page() {
    let scene = scene().await;
    let filters = [
        "".to_owned(),
        "&from=2020-01-01".to_owned(),
        "&to=2018-06-01".to_owned(),
        "&from=2018-01-01&to=2019-01-01".to_owned(),
        format!("&accountId={}", scene.account),
        format!("&categoryId={}", scene.category),
        "&type=expense".to_owned(),
        "&status=pending".to_owned(),
        "&tag=needle".to_owned(),
        "&minAmount=25".to_owned(),
        "&maxAmount=15".to_owned(),
        "&minAmount=15&maxAmount=25".to_owned(),
        "&q=need".to_owned(),
    ];
    for filter in filters {
        let mut cursor = String::new();
        // A later page is as cheap as the first.
        for page in 0..4 {
            forget(&scene.database).await;
            let answer = scene.app.get(&scene.user, &format!("/transactions?limit=50{filter}{cursor}")).await;
            answer.expect(200);
            assert_eq!(answer.items().len(), 50, "{filter}");
            cursor = format!("&cursor={}", answer.json["nextCursor"].as_str().unwrap());
            let operations = seen(&scene.database).await;
            let lists: Vec<_> = operations
                .iter()
                .filter(|operation| operation.get_str("ns").is_ok_and(|ns| ns.ends_with(".transactions")))
                .collect();
            assert_eq!(lists.len(), 1, "one query a page: {filter}");
            assert!(plan(lists[0]).starts_with("IXSCAN"), "{filter}: {}", plan(lists[0]));
            let examined = number(lists[0], "docsExamined");
            assert!(examined <= 100, "{filter} page {page}: {examined} documents examined for 50");
            assert!(!lists[0].get_bool("hasSortStage").unwrap_or(false), "{filter} sorts in memory");
        }
    }
}

#[tokio::test]
async fn filters_together_examine_a_bounded_number_and_go_on_by_cursor() {
    let scene = scene().await;
    // Both find a third, the same third and another: nothing, after all was looked at.
    let (mut cursor, mut pages, mut found) = (String::new(), 0, 0);
    loop {
        forget(&scene.database).await;
        let path = format!("/transactions?limit=50&tag=needle&type=income{cursor}");
        let answer = scene.app.get(&scene.user, &path).await;
        answer.expect(200);
        found += answer.items().len();
        pages += 1;
        let examined: i64 =
            seen(&scene.database).await.iter().map(|operation| number(operation, "docsExamined")).sum();
        assert!(examined <= 10_200, "{examined}");
        match answer.json["nextCursor"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => break,
        }
        assert!(pages < 10, "a list ends");
    }
    assert_eq!(found, 0);
}

#[tokio::test]
async fn no_request_of_a_whole_session_scans_a_collection() {
    let scene = scene().await;
    let Scene { app, user, database, account, category } = &scene;
    // Users and documents of others, so that a missing index is not hidden by an empty collection.
    for _ in 0..3 {
        app.register().await;
    }
    forget(database).await;
    let second = app.log_in(user).await;
    let body = json!({"refreshToken": second.refresh});
    app.anonymous("POST", "/auth/refresh", Some(&body)).await.expect(200);
    app.patch(user, "/auth/me", &json!({"firstName": "Ada"})).await.expect(200);
    let transaction = json!({"type": "expense", "amount": "1.00", "date": "2026-03-05", "description": "x",
        "accountId": account, "categoryId": category});
    let key = [("idempotency-key", "k")];
    let created = app.call(user, "POST", "/transactions", &key, Some(&transaction)).await;
    created.expect(201);
    app.call(user, "POST", "/transactions", &key, Some(&transaction)).await.expect(201);
    let path = format!("/transactions/{}", created.id());
    app.patch(user, &path, &json!({"amount": "2.00", "date": "2026-04-05"})).await.expect(200);
    app.delete(user, &path).await.expect(204);
    app.call(user, "POST", &format!("{path}/restore"), &[], None).await.expect(200);
    app.patch(user, &format!("/accounts/{account}"), &json!({"openingDate": "2026-01-01"})).await.expect(200);
    let other_account =
        app.create(user, "/accounts", json!({"name": "y", "type": "cash"})).await["id"].clone();
    let other_account = other_account.as_str().unwrap().to_owned();
    for (_, route) in app.operations() {
        if route.method == "GET" && !route.path.contains('{') {
            app.get(user, route.path).await;
        }
    }
    for by in ["month", "category", "account", "merchant", "tag"] {
        let range = "from=2026-01-15&to=2026-06-10";
        app.get(user, &format!("/transactions/summary?{range}&groupBy={by}")).await.expect(200);
    }
    app.get(user, "/accounts?asOf=2026-02-02").await.expect(200);
    app.delete(user, &format!("/accounts/{account}?moveTo={other_account}")).await.expect(204);
    app.delete(user, "/auth/sessions").await.expect(204);
    app.call(user, "POST", "/auth/logout", &[], None).await.expect(204);
    let operations = seen(database).await;
    assert!(operations.len() > 60, "the profiler saw {} operations", operations.len());
    for operation in &operations {
        let scanned = plan(operation).contains("COLLSCAN");
        assert!(
            !scanned,
            "{} scans: {:?}",
            operation.get_str("ns").unwrap_or_default(),
            operation.get("command")
        );
    }
}

#[tokio::test]
async fn what_expires_has_an_index_that_removes_it() {
    let app = TestApp::start().await;
    let database = app.database().await;
    for name in ["sessions", "refresh_tokens", "idempotency", "login_guards"] {
        let indexes: Vec<_> =
            database.collection::<Document>(name).list_indexes().await.unwrap().try_collect().await.unwrap();
        let expires = indexes.iter().any(|index| {
            index
                .options
                .as_ref()
                .is_some_and(|options| options.expire_after.is_some_and(|after| after.is_zero()))
        });
        assert!(expires, "{name}");
    }
}

#[tokio::test]
async fn migrating_again_changes_nothing() {
    let app = TestApp::start().await;
    let database = app.database().await;
    let indexes = async || {
        let mut all = Vec::new();
        for name in database.list_collection_names().await.unwrap() {
            let names = database.collection::<Document>(&name).list_index_names().await.unwrap();
            all.push((name, names));
        }
        all.sort();
        all
    };
    let before = indexes().await;
    shared::store::indexes::migrate(&app.boot.mongo().unwrap()).await.unwrap();
    assert_eq!(indexes().await, before);
}

#[tokio::test]
async fn mongodb_is_told_how_long_a_request_waits_for_what_grows_with_a_history() {
    let scene = scene().await;
    let Scene { app, user, database, category, .. } = &scene;
    forget(database).await;
    for path in [
        "/transactions",
        &format!("/transactions?categoryId={category}&status=cleared"),
        "/transactions/summary?from=2026-01-15&to=2026-06-10&groupBy=category",
        "/transactions/summary?from=2026-01-01&to=2026-06-30&groupBy=month",
        "/financial-health",
    ] {
        app.get(user, path).await.expect(200);
    }
    let mut told = 0;
    for operation in seen(database).await {
        let collection = operation.get_str("ns").unwrap().rsplit('.').next().unwrap().to_owned();
        let command = operation.get_document("command").unwrap();
        let long = ["transactions", "monthly_totals", "daily_totals"].contains(&collection.as_str());
        if long && operation.get_str("op").unwrap_or_default() != "getmore" {
            let limit = number(command, "maxTimeMS");
            assert!((1..=9_000).contains(&limit), "{collection}: {limit} ms in {command}");
            told += 1;
        }
    }
    assert!(told >= 7, "{told}");
}

#[tokio::test]
async fn closing_redis_ends_its_connection_on_the_servers_side() {
    let app = TestApp::start().await;
    let ours = shared::store::redis::Redis::new(app.boot.config.redis.as_ref().unwrap()).unwrap();
    let id = ours
        .run("CLIENT", |mut manager| async move {
            redis::cmd("CLIENT").arg("ID").query_async::<i64>(&mut manager).await
        })
        .await
        .unwrap();
    let other = app.boot.redis().unwrap();
    let is_connected = async || {
        let id = id.to_string();
        let list = other.run("CLIENT", |mut manager| {
            let id = id.clone();
            async move {
                redis::cmd("CLIENT").arg("LIST").arg("ID").arg(id).query_async::<String>(&mut manager).await
            }
        });
        !list.await.unwrap().trim().is_empty()
    };
    assert!(is_connected().await);
    ours.close().await;
    assert!(!is_connected().await);
    // Closing what is closed, or was never open, opens nothing.
    ours.close().await;
}

#[tokio::test]
async fn after_a_silence_a_connection_that_lives_is_used_on() {
    let app = TestApp::start().await;
    let user = app.register().await;
    let proxy = Proxy::start(app.mongodb_address(), Stop::Never).await.unwrap();
    let uri = format!("mongodb://127.0.0.1:{}/?directConnection=true&serverMonitoringMode=poll", proxy.port);
    let clock = Clock::manual(Clock::system().now());
    let sibling = app.sibling_with_clock(&[("MONGODB_URI", &uri)], clock.clone());
    sibling.get(&user, "/auth/me").await.expect(200);
    let (opened, commands) = (proxy.opened(), proxy.commands());
    sibling.get(&user, "/auth/me").await.expect(200);
    let plain = proxy.commands() - commands;
    clock.advance_seconds(300);
    sibling.get(&user, "/auth/me").await.expect(200);
    assert_eq!(
        proxy.commands() - commands,
        2 * plain,
        "a ping, which counts as no command, and nothing else"
    );
    assert_eq!(proxy.opened(), opened, "no new connection");
}

/// Copies what a user has one of until there are `count`, as many requests would.
async fn fill(database: &Database, collection: &str, count: u128) {
    let collection = database.collection::<Document>(collection);
    let there = u128::from(collection.count_documents(doc! {}).await.unwrap());
    let original = collection.find_one(doc! {}).await.unwrap().unwrap();
    let copies = (there..count).map(|index| {
        let mut copy = original.clone();
        copy.insert("_id", mongodb::bson::Uuid::from_bytes((index + 1).to_be_bytes()));
        copy
    });
    collection.insert_many(copies).await.unwrap();
}

#[tokio::test]
async fn a_user_has_at_most_200_accounts_and_500_categories() {
    let app = TestApp::start().await;
    let user = app.register().await;
    let database = app.database().await;
    fill(&database, "accounts", 199).await;
    fill(&database, "categories", 499).await;
    for (path, body, named) in [
        ("/accounts", json!({"name": "x", "type": "cash"}), "200 of the kind account"),
        ("/categories", json!({"name": "x", "kind": "income"}), "500 of the kind category"),
    ] {
        let last = app.create(&user, path, body.clone()).await["id"].as_str().unwrap().to_owned();
        let refused = app.post(&user, path, &body).await;
        let detail = refused.expect_problem(409, "limit_reached").text("detail");
        assert!(detail.contains(named), "{detail}");
        app.delete(&user, &format!("{path}/{last}")).await.expect(204);
        app.create(&user, path, body).await;
    }
}

#[tokio::test]
async fn a_user_has_at_most_50_live_sessions_and_the_oldest_end() {
    let app = TestApp::with(&[("RATE_LIMIT_AUTH_MAX", "100000")]).await;
    let first = app.register().await;
    let second = app.log_in(&first).await;
    let mut last = second.clone();
    for _ in 0..49 {
        last = app.log_in(&first).await;
    }
    app.get(&first, "/auth/me").await.expect(401);
    app.get(&second, "/auth/me").await.expect(200);
    let sessions = app.get(&last, "/auth/sessions?limit=200").await;
    assert_eq!(sessions.items().len(), 50);
}

#[tokio::test]
async fn every_registered_collection_is_made_by_the_migration_and_emptied_by_an_erasure() {
    let app = TestApp::start().await;
    let user = app.register().await;
    app.expense(&user, "1.00", "2026-03-05", "x").await;
    let database = app.database().await;
    let id = mongodb::bson::Uuid::from_bytes(*user.id.uuid().as_bytes());
    let mut names = database.list_collection_names().await.unwrap();
    names.sort();
    let known = [
        "accounts",
        "categories",
        "daily_totals",
        "erasures",
        "idempotency",
        "ledgers",
        "login_guards",
        "monthly_totals",
        "refresh_tokens",
        "sessions",
        "transactions",
        "users",
    ];
    assert_eq!(names, known, "a new collection is registered in store/registry.rs");
    // A document of the user in each collection that has owners.
    for name in ["idempotency"] {
        let owned = doc! {"_id": "of the test", "userId": id};
        database.collection::<Document>(name).insert_one(owned).await.unwrap();
    }
    let body = json!({"password": tests::PASSWORD});
    app.call(&user, "DELETE", "/auth/me", &[], Some(&body)).await.expect(204);
    for name in names {
        let left = database
            .collection::<Document>(&name)
            .count_documents(doc! {"$or": [{"userId": id}, {"_id": id}]})
            .await
            .unwrap();
        assert_eq!(left, 0, "{name}");
    }
}

#[tokio::test]
async fn an_entitys_changes_come_in_their_order_with_tombstones_and_only_to_their_user() {
    let app = TestApp::start().await;
    let (user, other) = (app.register().await, app.register().await);
    let store = |user: &User| UserStore::new(app.store(std::time::Duration::from_secs(10)), user.id);
    let before = store(&user).changed_since::<Account>(0, 100).await.unwrap();
    assert_eq!(before.len(), 1, "the account that every user begins with");
    let since = before[0].knowledge;
    let made = async |name: &str| {
        app.create(&user, "/accounts", json!({"name": name, "type": "cash"})).await["id"]
            .as_str()
            .unwrap()
            .to_owned()
    };
    let (first, second) = (made("first").await, made("second").await);
    app.patch(&user, &format!("/accounts/{first}"), &json!({"name": "renamed"})).await.expect(200);
    app.delete(&user, &format!("/accounts/{second}")).await.expect(204);
    let changed = store(&user).changed_since::<Account>(since, 100).await.unwrap();
    let seen: Vec<_> = changed
        .iter()
        .map(|change| (change.id.to_string(), change.value.as_ref().map(|account| account.name.as_str())))
        .collect();
    assert_eq!(seen, [(first, Some("renamed")), (second, None)]);
    assert!(changed[0].knowledge < changed[1].knowledge);
    assert_eq!(store(&user).changed_since::<Account>(since, 1).await.unwrap().len(), 1);
    assert_eq!(store(&other).changed_since::<Account>(since, 100).await.unwrap(), []);
}
