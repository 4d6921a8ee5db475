//! Parallel writes of one user, in one process and in several: none fails while MongoDB is up, what is acknowledged is
//! there, and nothing else is.

use std::cell::Cell;

use futures_util::future::join_all;
use mongodb::bson::{self, Document, doc};
use serde_json::{Value, json};
use tests::{Answer, TestApp, User};

/// The budget of a request in production, in ms.
const BUDGET: (&str, &str) = ("MONGO_OPERATION_TIMEOUT_MS", "2500");

fn body() -> Value {
    json!({"type": "expense", "amount": "1.00", "date": "2026-03-05", "description": "x"})
}

/// Whether the write was made. One that was not had to give way to the user's others, and the client may try again.
#[track_caller]
fn is_made(answer: &Answer) -> bool {
    if answer.status == 429 {
        expect_contention(answer);
        return false;
    }
    answer.expect(201);
    true
}

#[track_caller]
fn expect_contention(answer: &Answer) {
    answer.expect_problem(429, "write_contention");
    assert_eq!(answer.header("retry-after"), Some("1"));
}

/// How many transactions the user has, by listing them all.
async fn count(app: &TestApp, user: &User) -> usize {
    let (mut found, mut cursor) = (0, String::new());
    loop {
        let page = app.get(user, &format!("/transactions?limit=200{cursor}")).await;
        page.expect(200);
        found += page.items().len();
        match page.json["nextCursor"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => return found,
        }
    }
}

/// `writers` clients of one user, spread over `apps`, create `each` transactions one after the other. Answers how many
/// were acknowledged.
async fn write(apps: &[TestApp], user: &User, writers: usize, each: usize) -> usize {
    let body = body();
    let writer = async |writer: usize| {
        let app = &apps[writer % apps.len()];
        let mut made = 0;
        for _ in 0..each {
            made += usize::from(is_made(&app.post(user, "/transactions", &body).await));
        }
        made
    };
    join_all((0..writers).map(writer)).await.into_iter().sum()
}

#[tokio::test]
async fn parallel_writers_of_one_user_in_one_process_are_all_served() {
    let app = TestApp::start().await;
    let user = app.register().await;
    let apps = [app];
    for (writers, there) in [(16, 64), (32, 64 + 128)] {
        assert_eq!(write(&apps, &user, writers, 4).await, 4 * writers, "none is refused");
        assert_eq!(count(&apps[0], &user).await, there);
    }
    apps[0].assert_ledger_sound(&user).await;
}

#[tokio::test]
async fn parallel_writers_of_one_user_in_one_process_are_served_in_turn() {
    const EACH: usize = 20;
    let app = TestApp::start().await;
    let user = app.register().await;
    let body = body();
    let made: Vec<Cell<usize>> = vec![Cell::new(0); 16];
    let slowest = Cell::new(None);
    let writer = async |own: &Cell<usize>| {
        for _ in 0..EACH {
            app.post(&user, "/transactions", &body).await.expect(201);
            own.set(own.get() + 1);
        }
        if slowest.get().is_none() {
            slowest.set(made.iter().map(Cell::get).min());
        }
    };
    join_all(made.iter().map(writer)).await;
    let slowest = slowest.get().unwrap();
    assert!(slowest >= EACH - 4, "one had made {slowest} writes when another had made {EACH}");
}

#[tokio::test]
async fn parallel_writers_of_one_user_in_several_processes_leave_what_was_acknowledged() {
    let app = TestApp::with(&[BUDGET]).await;
    let user = app.register().await;
    let mut apps = vec![app];
    apps.extend((1..4).map(|_| apps[0].sibling()).collect::<Vec<_>>());
    let mut acknowledged = 0;
    for writers in [16, 32] {
        let made = write(&apps, &user, writers, 4).await;
        assert!(made >= 2 * writers, "only {made} of {} were made", 4 * writers);
        acknowledged += made;
        assert_eq!(count(&apps[0], &user).await, acknowledged);
    }
    apps[0].assert_ledger_sound(&user).await;
}

/// As a write of another process, which has met the user's counter and goes on.
async fn begun_elsewhere(app: &TestApp, user: &User) -> mongodb::ClientSession {
    let database = app.database().await;
    let mut session = database.client().start_session().await.unwrap();
    session.start_transaction().await.unwrap();
    let id = bson::Uuid::from_bytes(*user.id.uuid().as_bytes());
    database
        .collection::<Document>("ledgers")
        .update_one(doc! {"_id": id}, doc! {"$inc": {"writeSeq": 1_i64}})
        .session(&mut session)
        .await
        .unwrap();
    session
}

#[tokio::test]
async fn a_write_that_others_leave_no_time_answers_429_and_has_no_effect() {
    let app = TestApp::start().await;
    let user = app.register().await;
    let account = app.first_account(&user).await;
    let hasty = app.sibling_with(&[("MONGO_OPERATION_TIMEOUT_MS", "600")]);
    let elsewhere = app.log_in(&user).await;
    let mut other = begun_elsewhere(&app, &user).await;
    let body = body();
    let keyed = |key: &'static str| {
        let (hasty, user, body) = (&hasty, &user, &body);
        async move { hasty.call(user, "POST", "/transactions", &[("idempotency-key", key)], Some(body)).await }
    };
    // The first meets the other process's write; those behind it wait for the first.
    for answer in join_all(["a", "b", "c", "d"].map(keyed)).await {
        expect_contention(&answer);
    }
    let (path, renamed) = (format!("/accounts/{account}"), json!({"name": "renamed"}));
    expect_contention(&hasty.patch(&user, &path, &renamed).await);
    // Sessions end all the same: they meet no write.
    hasty.delete(&user, "/auth/sessions").await.expect(204);
    hasty.get(&elsewhere, "/auth/me").await.expect(401);
    other.abort_transaction().await.unwrap();
    assert_eq!(count(&app, &user).await, 0);
    assert_ne!(app.get(&user, &path).await.json["name"], "renamed");
    app.assert_ledger_sound(&user).await;
    // What had no effect kept no key either.
    let again = keyed("a").await;
    again.expect(201);
    assert_eq!(again.header("idempotency-replayed"), None);
    assert_eq!(count(&app, &user).await, 1);
    app.assert_ledger_sound(&user).await;
}
