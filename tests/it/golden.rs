//! The golden events: each is answered by the whole app as reviewed. A snapshot that changes is a change of the contract.

use std::collections::BTreeMap;
use std::fs;

use local::functions;
use serde_json::{Value, json};
use shared::clock::Clock;
use tests::{Answer, TestApp};

/// What the others need comes first, what ends a session last.
const FIRST: &[&str] =
    &["auth.register", "auth.login", "auth.refresh", "accounts.create", "transactions.create"];
const LAST: &[&str] = &["auth.logout"];

fn events() -> Vec<(String, String)> {
    let folder = crate::root().join("events");
    let mut events: BTreeMap<String, String> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .map(|path| {
            (path.file_stem().unwrap().to_str().unwrap().to_owned(), fs::read_to_string(&path).unwrap())
        })
        .collect();
    // A job answers nothing: what it does is the tests' of its own.
    events.retain(|name, _| functions::jobs().all(|job| name.split('.').next() != Some(job.name)));
    let mut take = |names: &[&str]| -> Vec<(String, String)> {
        names
            .iter()
            .map(|name| (name.to_string(), events.remove(*name).unwrap_or_else(|| panic!("no {name}"))))
            .collect()
    };
    let (mut ordered, last) = (take(FIRST), take(LAST));
    ordered.extend(events);
    ordered.extend(last);
    ordered
}

/// Ids, tokens and instants by a name of their own, so that the rest can be compared byte for byte.
fn redact(value: &mut Value) {
    match value {
        Value::Object(members) => {
            for (name, member) in members.iter_mut() {
                match (name.as_str(), member.is_string()) {
                    ("accessToken" | "refreshToken", true) => *member = json!(format!("[{name}]")),
                    ("timestamp" | "createdAt" | "updatedAt" | "lastUsedAt", true) => {
                        *member = json!("[instant]")
                    }
                    ("uptime", false) => *member = json!("[seconds]"),
                    _ => redact(member),
                }
            }
        }
        Value::Array(items) => items.iter_mut().for_each(redact),
        Value::String(text) if is_id(text) => *text = "[id]".to_owned(),
        Value::String(text) => {
            if let Some((start, id)) = text.rsplit_once('/')
                && is_id(id)
            {
                *text = format!("{start}/[id]");
            }
        }
        _ => {}
    }
}

fn is_id(text: &str) -> bool {
    text.len() == 36 && text.bytes().all(|byte| byte == b'-' || byte.is_ascii_hexdigit())
}

/// The status, the headers that differ from route to route, and the body.
fn reviewed(answer: &Answer) -> Value {
    let mut headers = serde_json::Map::new();
    for name in [
        "content-type",
        "location",
        "etag",
        "allow",
        "www-authenticate",
        "x-request-id",
        "ratelimit-policy",
        "access-control-allow-origin",
        "access-control-allow-methods",
    ] {
        if let Some(value) = answer.header(name) {
            headers.insert(name.to_owned(), value.into());
        }
    }
    let mut reviewed = json!({"status": answer.status, "headers": headers, "body": answer.json});
    redact(&mut reviewed);
    reviewed
}

#[tokio::test]
async fn every_event_is_answered_as_reviewed() {
    let clock = Clock::manual("2031-01-15T10:30:00Z".parse().unwrap());
    let app =
        TestApp::with_clock(&[("RATE_LIMIT_AUTH_MAX", "5"), ("RATE_LIMIT_GENERAL_MAX", "100")], clock).await;
    let mut known: BTreeMap<&str, String> = BTreeMap::new();
    let mut failed = Vec::new();
    for (name, text) in events() {
        let mut event = text.clone();
        for (placeholder, value) in &known {
            event = event.replace(&format!("${{{placeholder}}}"), value);
        }
        assert!(!event.contains("${"), "{name} has a placeholder that nothing gives a value");
        let scheduled = serde_json::from_str::<Value>(&event).unwrap().get("rawPath").is_none();
        let answer = if scheduled {
            app.invoke(name.split('.').next().unwrap(), &event).await
        } else {
            app.send(&event).await
        };
        let tokens = &answer.json["tokens"];
        if name == "auth.register" {
            known.insert("ACCESS_TOKEN", tokens["accessToken"].as_str().unwrap().to_owned());
            known.insert("REFRESH_TOKEN", tokens["refreshToken"].as_str().unwrap().to_owned());
        }
        if name == "transactions.create" {
            known.insert("TRANSACTION_ID", answer.id());
        }
        // All are compared before the test fails, so that one run shows every difference.
        let compared = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            insta::with_settings!({sort_maps => true, omit_expression => true, prepend_module_to_snapshot => false}, {
                insta::assert_json_snapshot!(name.as_str(), reviewed(&answer));
            });
        }));
        if compared.is_err() {
            failed.push(name);
        }
    }
    assert!(failed.is_empty(), "{failed:?}");
}

#[test]
fn an_event_says_one_thing_in_its_two_places() {
    for (name, text) in events() {
        let event: Value = serde_json::from_str(&text).unwrap();
        if event.get("rawPath").is_none() {
            continue;
        }
        let http = &event["requestContext"]["http"];
        assert_eq!(event["rawPath"], http["path"], "{name}");
        assert_eq!(event["routeKey"], event["requestContext"]["routeKey"], "{name}");
        assert_eq!(event["requestContext"]["stage"], "$default", "{name}");
        let raw = event["rawQueryString"].as_str().unwrap();
        let parameters = event["queryStringParameters"].as_object().map_or(0, serde_json::Map::len);
        assert_eq!(raw.split('&').filter(|pair| !pair.is_empty()).count(), parameters, "{name}");
        let function = name.split('.').next().unwrap();
        let path = event["rawPath"].as_str().unwrap();
        assert!(path.contains(&format!("/{function}")) || event["routeKey"] == "$default", "{name}: {path}");
    }
}
