//! Processes that are killed in the midst of a write, of every operation that writes: at each command that it sends to
//! MongoDB, before the command arrives and after it was carried out. Whatever the moment, the write is whole or absent, the
//! totals equal a recomputation, and the retried request has one effect. `FAULTS=all` tries every command; otherwise those
//! in the middle and at the end, where a transaction is open and where it is committed.

use std::process::Stdio;
use std::time::Duration;

use futures_util::{StreamExt, stream};
use mongodb::bson::{self, doc};
use serde_json::Value;
use shared::edge::RouteInfo;
use shared::store::indexes;
use tests::app::{Answer, TestApp, User};
use tests::proxy::{Proxy, Stop};
use tests::requests::{self, Ready};
use tokio::io::AsyncWriteExt;
use tokio::process::{Child, Command};

/// Processes at once.
const SIDE_BY_SIDE: usize = 16;

/// A write that is tried, in a database that other users share.
struct Scene<'a> {
    app: &'a TestApp,
    ready: Ready,
}

async fn scene<'a>(app: &'a TestApp, route: &RouteInfo) -> Scene<'a> {
    Scene { app, ready: requests::ready(app, route, "killed-in-its-midst").await }
}

/// Starts the process that writes what `input` says, its MongoDB behind the proxy.
async fn writer(app: &TestApp, input: &str, proxy: &Proxy) -> Child {
    let uri = format!("mongodb://127.0.0.1:{}/?directConnection=true&serverMonitoringMode=poll", proxy.port);
    let mut child = Command::new(env!("CARGO_BIN_EXE_crash_writer"))
        .envs(app.variables())
        .env("MONGODB_URI", uri)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .kill_on_drop(true)
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(input.as_bytes()).await.unwrap();
    child
}

impl Scene<'_> {
    async fn writer(&self, proxy: &Proxy) -> Child {
        writer(self.app, &self.ready.event, proxy).await
    }

    async fn state(&self) -> Value {
        self.ready.state(self.app).await
    }

    /// Of a user who is erased, what is not removed yet is in no order.
    async fn assert_sound(&self, when: &str) {
        if self.ready.operation == "erase_me" && self.state().await == requests::no_session() {
            return;
        }
        let audit = self.app.store(Duration::from_secs(20)).audit(self.ready.user.id).await.unwrap();
        assert_eq!(audit.differences, Vec::<String>::new(), "{when}");
    }

    /// The same request again, as a client sends it that is told to wait: MongoDB ends the killed process's transaction
    /// when its lifetime is over.
    async fn retried(&self) -> Answer {
        let until = tokio::time::Instant::now() + Duration::from_secs(30);
        loop {
            let answer = self.app.send(&self.ready.event).await;
            let told_to_wait = matches!(answer.code(), "idempotency_in_progress" | "write_contention")
                || answer.status == 503;
            if !told_to_wait || tokio::time::Instant::now() > until {
                return answer;
            }
            assert!(answer.header("retry-after").is_some(), "a client is told when to come again");
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
    }

    /// What the next start of the service takes up, and what must then be left of an erased user: nothing.
    async fn assert_nothing_is_left(&self, when: &str) {
        indexes::migrate(&self.app.boot.mongo().unwrap()).await.unwrap();
        let database = self.app.database().await;
        let user = bson::Uuid::from_bytes(self.ready.user.id.uuid().into_bytes());
        for name in database.list_collection_names().await.unwrap() {
            let of_theirs = doc! {"$or": [{"userId": user}, {"_id": user}]};
            let left = database.collection::<bson::Document>(&name).count_documents(of_theirs).await;
            assert_eq!(left.unwrap(), 0, "{when}: {name}");
        }
    }
}

/// How many commands the write sends when nobody kills it, and what it leaves.
async fn undisturbed(app: &TestApp, route: &RouteInfo) -> (usize, Value) {
    let scene = scene(app, route).await;
    let proxy = Proxy::start(app.mongodb_address(), Stop::Never).await.unwrap();
    let output = scene.writer(&proxy).await.wait_with_output().await.unwrap();
    let status = String::from_utf8(output.stdout).unwrap();
    assert_eq!(status.trim(), scene.ready.success.to_string(), "{}", route.operation);
    scene.assert_sound(route.operation).await;
    (proxy.commands(), scene.state().await)
}

async fn killed(app: &TestApp, route: &RouteInfo, stop: Stop, whole: &Value) {
    let scene = scene(app, route).await;
    let before = scene.state().await;
    let proxy = Proxy::start(app.mongodb_address(), stop).await.unwrap();
    let mut child = scene.writer(&proxy).await;
    let when = format!("{} killed {stop:?}", route.operation);
    let stopped = tokio::time::timeout(Duration::from_secs(20), proxy.stopped()).await;
    assert!(stopped.is_ok(), "{when}: the command does not come");
    child.kill().await.unwrap();
    scene.assert_sound(&when).await;
    let after = scene.state().await;
    assert!(after == before || after == *whole, "{when}: {after} is neither {before} nor {whole}");
    let retried = scene.retried().await;
    assert!(scene.ready.is_done(&retried), "{when}: the retry answers {} {}", retried.status, retried.json);
    let (last, whole) = (scene.state().await, requests::settled(route.operation, whole));
    assert_eq!(requests::settled(route.operation, &last), whole, "{when}, then retried");
    scene.assert_sound(&format!("{when}, then retried")).await;
    if route.operation == "erase_me" {
        scene.assert_nothing_is_left(&when).await;
    }
}

/// Which commands of `count` the process is killed at.
fn stops(count: usize) -> Vec<Stop> {
    let sample = [count / 2, count - 1];
    let tried = |index: &usize| tests::tries_every_fault() || sample.contains(index);
    (0..count).filter(tried).flat_map(|index| [Stop::Before(index), Stop::After(index)]).collect()
}

fn writes(app: &TestApp) -> Vec<(&'static str, RouteInfo)> {
    app.operations().into_iter().filter(|(_, route)| route.method != http::Method::GET).collect()
}

async fn every_write_of(function: &str) {
    // Every user of the test comes from an address of its own, and logs in more often than a person does.
    let app = TestApp::with(&[("RATE_LIMIT_AUTH_MAX", "100000")]).await;
    let mut cases = Vec::new();
    for (_, route) in writes(&app).into_iter().filter(|(name, _)| *name == function) {
        let (commands, whole) = undisturbed(&app, &route).await;
        assert!(commands >= 3, "{} sends {commands} commands: the proxy sees them", route.operation);
        cases.extend(stops(commands).into_iter().map(|stop| (route.clone(), stop, whole.clone())));
    }
    let app = &app;
    let tried = cases.iter().map(|(route, stop, whole)| killed(app, route, *stop, whole));
    stream::iter(tried).buffer_unordered(SIDE_BY_SIDE).collect::<Vec<()>>().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_write_of_a_transaction_that_is_killed_anywhere_is_whole_or_absent() {
    every_write_of("transactions").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_write_of_an_account_that_is_killed_anywhere_is_whole_or_absent() {
    every_write_of("accounts").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_write_of_a_category_that_is_killed_anywhere_is_whole_or_absent() {
    every_write_of("categories").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_write_of_a_user_that_is_killed_anywhere_is_whole_or_absent() {
    every_write_of("auth").await;
}

const BATCH: u64 = 500;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_batch_of_500_that_is_killed_at_any_command_is_whole_or_absent_and_its_retry_has_one_effect() {
    let app = TestApp::with(&[("RATE_LIMIT_AUTH_MAX", "100000")]).await;
    let count = |user: &User| {
        let user = bson::Uuid::from_bytes(user.id.uuid().into_bytes());
        let database = app.database();
        async move {
            let transactions = database.await.collection::<bson::Document>("transactions");
            transactions.count_documents(doc! {"userId": user}).await.unwrap()
        }
    };
    let scene = async || {
        let user = app.register().await;
        let account = app.first_account(&user).await;
        (format!("batch {} {account} {BATCH} killed-in-its-midst", user.id), user)
    };
    let (input, user) = scene().await;
    let proxy = Proxy::start(app.mongodb_address(), Stop::Never).await.unwrap();
    let output = writer(&app, &input, &proxy).await.wait_with_output().await.unwrap();
    assert_eq!(String::from_utf8(output.stdout).unwrap().trim(), "200");
    assert_eq!(count(&user).await, BATCH);
    let commands = proxy.commands();
    assert!(commands <= 9, "a batch of {BATCH} sends {commands} commands");
    let killed = async |stop: Stop| {
        let (input, user) = scene().await;
        let proxy = Proxy::start(app.mongodb_address(), stop).await.unwrap();
        let mut child = writer(&app, &input, &proxy).await;
        let stopped = tokio::time::timeout(Duration::from_secs(20), proxy.stopped()).await;
        assert!(stopped.is_ok(), "{stop:?}: the command does not come");
        child.kill().await.unwrap();
        let there = count(&user).await;
        assert!(there == 0 || there == BATCH, "{stop:?}: {there} of {BATCH}");
        app.assert_ledger_sound(&user).await;
        // MongoDB ends the killed process's transaction when its lifetime is over; the retry waits for that.
        let retried = async {
            loop {
                let proxy = Proxy::start(app.mongodb_address(), Stop::Never).await.unwrap();
                let output = writer(&app, &input, &proxy).await.wait_with_output().await.unwrap();
                if String::from_utf8(output.stdout).unwrap().trim() == "200" {
                    break;
                }
            }
        };
        tokio::time::timeout(Duration::from_secs(60), retried).await.unwrap();
        assert_eq!(count(&user).await, BATCH, "{stop:?}, then retried");
        app.assert_ledger_sound(&user).await;
    };
    let stops = (0..commands).flat_map(|index| [Stop::Before(index), Stop::After(index)]);
    // A retry waits with processes of its own: few at once.
    stream::iter(stops.map(killed)).buffer_unordered(4).collect::<Vec<()>>().await;
}

#[tokio::test]
async fn no_function_writes_without_being_killed() {
    let app = TestApp::start().await;
    let mut functions: Vec<&str> = writes(&app).into_iter().map(|(function, _)| function).collect();
    functions.dedup();
    assert_eq!(functions, ["auth", "accounts", "categories", "transactions"], "each has a test above");
}
