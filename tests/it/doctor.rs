//! `make doctor`: it finds nothing in what the API wrote, and names whatever was changed behind its back.

use std::process::{Command, Output};

use local::doctor::{Findings, Whom, check};
use mongodb::bson::{Document, doc};
use mongodb::{Collection, Database};
use serde_json::json;
use tests::{TestApp, User};

/// A user with every kind of entity, changed and deleted ones too.
async fn scene(app: &TestApp) -> User {
    let user = app.register().await;
    let savings = json!({"name": "Savings", "type": "savings", "openingDate": "2026-02-01"});
    let savings = app.create(&user, "/accounts", savings).await["id"].clone();
    let food = app.category(&user, "Food & Dining").await;
    let body = json!({"type": "expense", "amount": "12.00", "date": "2026-03-05", "description": "x", "categoryId": food});
    let id = app.create(&user, "/transactions", body).await["id"].as_str().unwrap().to_owned();
    app.patch(&user, &format!("/transactions/{id}"), &json!({"amount": "13.00"})).await.expect(200);
    let transfer = json!({"type": "transfer", "amount": "5.00", "date": "2026-03-06", "description": "x",
        "transferAccountId": savings});
    app.create(&user, "/transactions", transfer).await;
    let gone = app.expense(&user, "1.00", "2026-03-07", "x").await["id"].as_str().unwrap().to_owned();
    app.delete(&user, &format!("/transactions/{gone}")).await.expect(204);
    app.delete(&user, &format!("/categories/{food}?moveTo={}", app.category(&user, "Shopping").await))
        .await
        .expect(204);
    user
}

async fn found(app: &TestApp, whom: &Whom) -> (Findings, Vec<String>) {
    let mut lines = Vec::new();
    let findings = check(&app.boot, whom, |line| lines.push(line)).await.unwrap();
    (findings, lines)
}

/// An erased user has no counter, and owes none; what an erasure had left would be found.
#[tokio::test]
async fn an_erased_user_is_sound_unless_something_of_theirs_is_left() {
    let app = TestApp::start().await;
    let user = scene(&app).await;
    let accounts = app.database().await.collection::<Document>("accounts");
    let account = accounts.find_one(doc! {}).await.unwrap().unwrap();
    let password = json!({"password": tests::PASSWORD});
    app.call(&user, "DELETE", "/auth/me", &[], Some(&password)).await.expect(204);
    app.assert_ledger_sound(&user).await;
    accounts.insert_one(account).await.unwrap();
    let audit = app.store(std::time::Duration::from_secs(20)).audit(user.id).await.unwrap();
    assert_eq!(audit.differences.len(), 1, "{:?}", audit.differences);
}

#[tokio::test]
async fn the_doctor_finds_nothing_in_what_the_api_wrote() {
    let app = TestApp::start().await;
    let users = [scene(&app).await, scene(&app).await];
    let (findings, lines) = found(&app, &Whom::All).await;
    assert_eq!(findings, Findings { users: 2, transactions: 6, differences: 0 });
    assert_eq!(lines, Vec::<String>::new());
    let by_address = Whom::parse(&users[0].email.to_uppercase()).unwrap();
    assert_eq!(found(&app, &by_address).await.0, Findings { users: 1, transactions: 3, differences: 0 });
    let unknown = Whom::parse("nobody-at-all@example.com").unwrap();
    assert!(check(&app.boot, &unknown, |_| {}).await.unwrap_err().to_string().contains("no user"));
}

struct Corruption {
    collection: &'static str,
    filter: Document,
    update: Document,
    /// What the difference is told as.
    named: &'static str,
}

fn corruption(
    collection: &'static str,
    filter: Document,
    update: Document,
    named: &'static str,
) -> Corruption {
    Corruption { collection, filter, update, named }
}

#[tokio::test]
async fn the_doctor_names_each_kind_of_value_that_was_changed_behind_its_back() {
    let app = TestApp::start().await;
    let (user, other) = (scene(&app).await, scene(&app).await);
    let database: Database = app.database().await;
    let mine = |extra: Document| {
        let mut filter = doc! {"userId": mongodb::bson::Uuid::from_bytes(user.id.uuid().into_bytes())};
        filter.extend(extra);
        filter
    };
    let counter = doc! {"_id": mongodb::bson::Uuid::from_bytes(user.id.uuid().into_bytes())};
    let cases = [
        corruption(
            "monthly_totals",
            mine(doc! {"expense": {"$gt": 0}}),
            doc! {"$inc": {"expense": 1_i64}},
            "month 2026-03",
        ),
        corruption(
            "monthly_totals",
            mine(doc! {"count": {"$gt": 0}}),
            doc! {"$set": {"transactions": 9_i64}},
            "month 2026-03",
        ),
        corruption(
            "daily_totals",
            mine(doc! {"date": "2026-03-05"}),
            doc! {"$inc": {"net": -1_i64}},
            "day 2026-03-05",
        ),
        corruption(
            "daily_totals",
            mine(doc! {"date": "2026-03-06"}),
            doc! {"$inc": {"count": 1_i64}},
            "day 2026-03-06",
        ),
        corruption(
            "accounts",
            mine(doc! {"type": "savings"}),
            doc! {"$inc": {"movementMinor": 1_i64}},
            "balance of account",
        ),
        corruption(
            "accounts",
            mine(doc! {"type": "savings"}),
            doc! {"$set": {"knowledge": 1_i64}},
            "another entity's",
        ),
        corruption(
            "categories",
            mine(doc! {"deleted": true}),
            doc! {"$set": {"knowledge": 900_i64}},
            "knowledge of category",
        ),
        corruption(
            "transactions",
            mine(doc! {"deleted": true}),
            doc! {"$set": {"knowledge": 0_i64}},
            "knowledge of transaction",
        ),
        corruption(
            "transactions",
            mine(doc! {"date": "2026-03-05"}),
            doc! {"$inc": {"amountMinor": 100_i64}},
            "day 2026-03-05",
        ),
        corruption(
            "transactions",
            mine(doc! {"date": "2026-03-05"}),
            doc! {"$set": {"type": "gift"}},
            "cannot be read",
        ),
        corruption("ledgers", counter.clone(), doc! {"$inc": {"knowledge": -1_i64}}, "the counter is at"),
        corruption("ledgers", counter, doc! {"$unset": {"knowledge": 1}}, "no counter"),
    ];
    for Corruption { collection, filter, update, named } in cases {
        let collection: Collection<Document> = database.collection(collection);
        let what = format!("{} {update}", collection.name());
        let sound = collection.find_one(filter.clone()).await.unwrap().unwrap();
        let id = doc! {"_id": sound.get("_id").unwrap().clone()};
        collection.update_one(id.clone(), update).await.unwrap();
        let (findings, lines) = found(&app, &Whom::All).await;
        assert!(findings.differences > 0 && findings.users == 2, "{what}");
        assert_eq!(lines.len(), 1, "{what}: one line for the user, none for the other: {lines:?}");
        assert!(lines[0].starts_with(&format!("user {}: ", user.id)), "{what}: {lines:?}");
        assert!(lines[0].contains(named), "{what}: {lines:?}");
        assert_eq!(found(&app, &Whom::Id(other.id)).await.0.differences, 0, "{what}");
        collection.replace_one(id, sound).await.unwrap();
    }
    assert_eq!(found(&app, &Whom::All).await.0.differences, 0);
}

#[tokio::test]
async fn a_history_of_any_length_is_read_to_its_end_without_a_transaction() {
    let app = TestApp::start().await;
    let user = scene(&app).await;
    let database = app.database().await;
    database.run_command(doc! {"profile": 2, "slowms": 0}).await.unwrap();
    let (findings, _) = found(&app, &Whom::Id(user.id)).await;
    assert_eq!(findings.differences, 0);
    database.run_command(doc! {"profile": 0}).await.unwrap();
    let profile = database.collection::<Document>("system.profile");
    let in_transactions = profile.count_documents(doc! {"command.autocommit": false}).await.unwrap();
    assert_eq!(in_transactions, 0, "MongoDB ends a transaction after a minute, a snapshot later");
    let writes =
        doc! {"op": {"$in": ["insert", "update", "remove"]}, "ns": {"$not": {"$regex": "system.profile$"}}};
    assert_eq!(profile.count_documents(writes).await.unwrap(), 0, "it only reads");
    let snapshots = profile.count_documents(doc! {"command.readConcern.level": "snapshot"}).await.unwrap();
    assert!(snapshots >= 6, "every collection is read in the snapshot: {snapshots}");
}

/// The command itself, as make calls it.
fn command(app: &TestApp, whom: &str) -> Output {
    let program = crate::local_run::program();
    let output = Command::new(program)
        .args(["doctor", whom])
        .env_clear()
        .envs(app.variables())
        .current_dir(crate::root())
        .output()
        .unwrap();
    assert!(!String::from_utf8_lossy(&output.stderr).contains("panicked"));
    output
}

#[tokio::test(flavor = "multi_thread")]
async fn the_command_ends_with_0_and_a_summary_or_with_1_and_a_line_for_each_user() {
    let app = TestApp::start().await;
    let user = scene(&app).await;
    let sound = command(&app, "all");
    let out = String::from_utf8(sound.stdout).unwrap();
    assert_eq!(sound.status.code(), Some(0), "{out}");
    assert_eq!(out.trim(), "users checked: 1, transactions read: 3, differences: 0");
    let days = app.database().await.collection::<Document>("daily_totals");
    days.update_one(doc! {"date": "2026-03-05"}, doc! {"$inc": {"net": 1_i64}}).await.unwrap();
    let broken = command(&app, &user.email);
    let out = String::from_utf8(broken.stdout).unwrap();
    assert_eq!(broken.status.code(), Some(1), "{out}");
    assert!(out.contains(&format!("user {}: 1 differences: day 2026-03-05", user.id)), "{out}");
    assert!(out.trim().ends_with("differences: 1"), "{out}");
    let nobody = command(&app, "root");
    assert_eq!(nobody.status.code(), Some(1));
    assert!(String::from_utf8(nobody.stderr).unwrap().contains("make doctor USER=all"));
}

#[test]
fn make_takes_the_user_of_its_command_line_and_never_the_login_name() {
    let recipe_of = |target: &str, arguments: &[&str]| {
        let output = Command::new("make")
            .args(["--no-print-directory", "-n", target])
            .args(arguments)
            .env("USER", "root")
            // The tests are themselves run by a make.
            .env_remove("MAKEFLAGS")
            .env_remove("MAKELEVEL")
            .current_dir(crate::root())
            .output()
            .unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let out = String::from_utf8(output.stdout).unwrap();
        out.lines().last().unwrap().trim().to_owned()
    };
    let recipe = |arguments: &[&str]| recipe_of("doctor", arguments);
    assert!(recipe(&[]).ends_with("local doctor"), "{}", recipe(&[]));
    assert!(recipe(&["USER=all"]).ends_with("local doctor \"$USER\""), "{}", recipe(&["USER=all"]));
    assert!(recipe_of("erase", &[]).ends_with("local erase"), "{}", recipe_of("erase", &[]));
    let named = recipe_of("erase", &["USER=an-id"]);
    assert!(named.ends_with("local erase \"$USER\""), "{named}");
}
