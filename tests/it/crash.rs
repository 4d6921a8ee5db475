//! Processes that are killed in the midst of a write: at each command that it sends to MongoDB, before the command arrives
//! and after it was carried out. Whatever the moment, the write is whole or absent, the totals equal a recomputation, and
//! the retried request has one effect.

use std::process::Stdio;
use std::time::Duration;

use serde_json::json;
use tests::app::{Answer, TestApp, User};
use tests::proxy::{Proxy, Stop};
use tokio::io::AsyncWriteExt;
use tokio::process::{Child, Command};

/// A write that is tried: what comes before it, and the request itself.
#[derive(Clone, Copy, Debug)]
enum Write {
    Create,
    Update,
    Delete,
    Restore,
}

struct Scene {
    app: TestApp,
    user: User,
    event: String,
}

/// A user with two accounts, a split expense and a transfer, and the event of the write.
async fn scene(write: Write) -> Scene {
    let app = TestApp::start().await;
    let user = app.register().await;
    let savings = json!({"name": "Savings", "type": "savings", "openingBalance": {"amount": "10.00"},
        "openingDate": "2026-01-01"});
    let savings = app.post(&user, "/accounts", &savings).await.json["id"].clone();
    let categories = app.get(&user, "/categories").await.json["items"].clone();
    let category = |name: &str| {
        let found = categories.as_array().unwrap().iter().find(|category| category["name"] == name);
        found.unwrap()["id"].clone()
    };
    let split = json!({"type": "expense", "amount": "30.00", "date": "2026-03-05", "description": "Market", "splits": [
        {"categoryId": category("Food & Dining"), "amount": "10.00"},
        {"categoryId": category("Shopping"), "amount": "20.00"}]});
    let id = app.post(&user, "/transactions", &split).await.json["id"].as_str().unwrap().to_owned();
    let transfer = json!({"type": "transfer", "amount": "5.00", "date": "2026-03-06", "description": "Save",
        "transferAccountId": savings});
    let (method, path, body) = match write {
        Write::Create => ("POST", "/transactions".to_owned(), Some(transfer)),
        Write::Update => {
            let patch = json!({"amount": "7.00", "splits": null, "categoryId": category("Housing"), "date": "2026-04-01"});
            ("PATCH", format!("/transactions/{id}"), Some(patch))
        }
        Write::Delete => ("DELETE", format!("/transactions/{id}"), None),
        Write::Restore => {
            assert_eq!(app.delete(&user, &format!("/transactions/{id}")).await.status, 204);
            ("POST", format!("/transactions/{id}/restore"), None)
        }
    };
    let headers = if method == "POST" { vec![("idempotency-key", "crash")] } else { Vec::new() };
    let event = app.event(&user, method, &path, &headers, body.as_ref());
    Scene { app, user, event }
}

impl Scene {
    /// Starts the process that writes, its MongoDB behind the proxy.
    async fn writer(&self, proxy: &Proxy) -> Child {
        let uri =
            format!("mongodb://127.0.0.1:{}/?directConnection=true&serverMonitoringMode=poll", proxy.port);
        let mut child = Command::new(env!("CARGO_BIN_EXE_crash_writer"))
            .envs(self.app.variables())
            .env("MONGODB_URI", uri)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        let mut stdin = child.stdin.take().unwrap();
        stdin.write_all(self.event.as_bytes()).await.unwrap();
        child
    }

    async fn assert_sound(&self, when: &str) {
        let audit = self.app.store(Duration::from_secs(20)).audit(self.user.id).await.unwrap();
        assert_eq!(audit.differences, Vec::<String>::new(), "{when}");
    }

    /// The same request again, as a client sends it that is told to wait: MongoDB ends the killed process's transaction
    /// when its lifetime is over.
    async fn retried(&self) -> Answer {
        let until = tokio::time::Instant::now() + Duration::from_secs(30);
        loop {
            let answer = self.app.send(&self.event).await;
            let told_to_wait = answer.code() == "idempotency_in_progress" || answer.status == 503;
            if !told_to_wait || tokio::time::Instant::now() > until {
                return answer;
            }
            assert!(answer.header("retry-after").is_some(), "a client is told when to come again");
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
    }

    /// The user's transactions, without what a retry may change.
    async fn transactions(&self) -> Vec<(String, String)> {
        let items = self.app.get(&self.user, "/transactions").await.json["items"].clone();
        let kept = |item: &serde_json::Value| (item["description"].to_string(), item["amount"].to_string());
        let mut kept: Vec<_> = items.as_array().unwrap().iter().map(kept).collect();
        kept.sort();
        kept
    }
}

/// How many commands the write sends when nobody kills it, and what it leaves.
async fn undisturbed(write: Write) -> (usize, Vec<(String, String)>) {
    let scene = scene(write).await;
    let proxy = Proxy::start(scene.app.mongodb_address(), Stop::Never).await.unwrap();
    let output = scene.writer(&proxy).await.wait_with_output().await.unwrap();
    let status = String::from_utf8(output.stdout).unwrap();
    assert!(status.trim().starts_with('2'), "{write:?} answers {status}");
    scene.assert_sound("undisturbed").await;
    (proxy.commands(), scene.transactions().await)
}

async fn killed(write: Write, stop: Stop, whole: &[(String, String)]) {
    let scene = scene(write).await;
    let before = scene.transactions().await;
    let proxy = Proxy::start(scene.app.mongodb_address(), stop).await.unwrap();
    let mut child = scene.writer(&proxy).await;
    tokio::time::timeout(Duration::from_secs(20), proxy.stopped()).await.expect("the command comes");
    child.kill().await.unwrap();
    let when = format!("{write:?} killed {stop:?}");
    scene.assert_sound(&when).await;
    let after = scene.transactions().await;
    assert!(after == before || after == whole, "{when}: {after:?} is neither {before:?} nor {whole:?}");
    let retried = scene.retried().await;
    let done = retried.status < 300 || (matches!(write, Write::Delete) && retried.status == 404);
    assert!(done, "{when}: the retry answers {} {}", retried.status, retried.json);
    assert_eq!(scene.transactions().await, whole, "{when}, then retried");
    scene.assert_sound(&format!("{when}, then retried")).await;
}

async fn killed_everywhere(write: Write) {
    let (commands, whole) = undisturbed(write).await;
    assert!(commands >= 6, "{write:?} sends {commands} commands: the proxy sees them");
    let stops = (0..commands).flat_map(|index| [Stop::Before(index), Stop::After(index)]);
    futures_util::future::join_all(stops.map(|stop| killed(write, stop, &whole))).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_create_that_is_killed_anywhere_is_whole_or_absent() {
    killed_everywhere(Write::Create).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_update_that_is_killed_anywhere_is_whole_or_absent() {
    killed_everywhere(Write::Update).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_delete_that_is_killed_anywhere_is_whole_or_absent() {
    killed_everywhere(Write::Delete).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_restore_that_is_killed_anywhere_is_whole_or_absent() {
    killed_everywhere(Write::Restore).await;
}
