//! What may be in no log byte, looked for in every line that a test or a binary under test writes: passwords, tokens,
//! cookies, keys, connection strings' passwords, e-mail and IP addresses, as they are and in base64, hex and URL form; and
//! keys that docs/logging.md does not describe, and metrics that CloudWatch would drop. Ends the process at the first find: a
//! panic within a log call could be lost.
//!
//! Must never be told a secret too late: what a request brings is learnt before it is sent, what an answer brings is looked
//! for in the lines before it too.

use std::collections::{BTreeSet, HashMap, HashSet, VecDeque};
use std::fmt;
use std::sync::{LazyLock, Mutex, PoisonError};

use base64::Engine;
use base64::engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE_NO_PAD};
use http::HeaderMap;
use serde::de::{IgnoredAny, MapAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_json::Value;

use crate::emf;

/// The first bytes of a secret, by which it is found; what is shorter is no secret.
const HEAD: usize = 8;
/// Shorter passwords and keys are words that a log may say for itself.
const SECRET_MIN: usize = 10;
/// Lines in which a secret is looked for that is learnt after them.
const RECENT: usize = 60;
/// The shortest part of a token that would do harm.
const TOKEN_PART_MIN: usize = 20;

/// Members of a body that are secret.
const SECRET_MEMBERS: [&str; 6] =
    ["password", "currentPassword", "newPassword", "refreshToken", "accessToken", "email"];

/// What is looked for.
#[derive(Default)]
pub struct Canaries {
    known: HashSet<Vec<u8>>,
    /// By their first bytes.
    by_head: HashMap<[u8; HEAD], Vec<(&'static str, Vec<u8>)>>,
}

impl Canaries {
    /// Looks for a secret in every form from now on.
    pub fn learn(&mut self, kind: &'static str, secret: &str) {
        if !self.known.insert(secret.as_bytes().to_vec()) {
            return;
        }
        for form in forms(secret) {
            if let Some(head) = form.first_chunk::<HEAD>() {
                self.by_head.entry(*head).or_default().push((kind, form));
            }
        }
    }

    /// What the line must not hold, in words.
    pub fn find(&self, line: &str) -> Option<String> {
        shape(line).map(str::to_owned).or_else(|| self.find_known(line.as_bytes()))
    }

    /// Which of the secrets that were learnt the bytes hold.
    fn find_known(&self, bytes: &[u8]) -> Option<String> {
        for (at, window) in bytes.windows(HEAD).enumerate() {
            let Some(found) = window.first_chunk::<HEAD>().and_then(|head| self.by_head.get(head)) else {
                continue;
            };
            if let Some((kind, _)) = found.iter().find(|(_, form)| bytes[at..].starts_with(form)) {
                return Some((*kind).to_owned());
            }
        }
        None
    }
}

/// A secret in the forms in which it could stand in a line.
fn forms(secret: &str) -> HashSet<Vec<u8>> {
    let bytes = secret.as_bytes();
    let quoted = Value::from(secret).to_string();
    let mut forms = vec![
        secret.to_owned(),
        quoted[1..quoted.len() - 1].to_owned(),
        percent(secret),
        percent(secret).replace("%20", "+"),
        percent(secret).to_lowercase(),
        bytes.iter().map(|byte| format!("{byte:02x}")).collect(),
        bytes.iter().map(|byte| format!("{byte:02X}")).collect(),
    ];
    // Base64 of a text that holds the secret anywhere: three alignments, without the digits that its neighbours share.
    for (offset, shared) in [(0, 0), (1, 2), (2, 3)] {
        let mut shifted = vec![0u8; offset];
        shifted.extend_from_slice(bytes);
        for engine in [STANDARD_NO_PAD, URL_SAFE_NO_PAD] {
            let mut text = engine.encode(&shifted);
            if shifted.len() % 3 != 0 {
                text.pop();
            }
            forms.push(text.split_off(shared));
        }
    }
    forms.into_iter().map(String::into_bytes).collect()
}

fn percent(text: &str) -> String {
    let encoded = text.bytes().map(|byte| match byte {
        b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => char::from(byte).to_string(),
        _ => format!("%{byte:02X}"),
    });
    encoded.collect()
}

/// What looks like a secret, whoever's it is.
fn shape(line: &str) -> Option<&'static str> {
    let lower = line.to_ascii_lowercase();
    if line.match_indices("eyJ").any(|(at, _)| line[at..].bytes().take_while(is_token_byte).count() >= 20) {
        return Some("a token");
    }
    if lower.contains("secret-of-the-tests") {
        return Some("a key");
    }
    if ["bearer ", "basic ", "set-cookie"].iter().any(|word| lower.contains(word)) {
        return Some("a header of credentials");
    }
    if ["198.18.", "198.19."].iter().any(|range| line.contains(range)) {
        return Some("an IP address");
    }
    let has_user_info = lower.match_indices("://").any(|(at, _)| {
        let authority = lower[at + 3..].split(['/', '?', '"', ' ']).next().unwrap_or_default();
        authority.contains('@')
    });
    if has_user_info {
        return Some("a connection string's credentials");
    }
    let has_address = ["@", "%40"].iter().any(|sign| {
        line.match_indices(sign).any(|(at, _)| {
            let before = line[..at].bytes().next_back().is_some_and(|byte| byte.is_ascii_alphanumeric());
            let domain = line[at + sign.len()..].bytes().take_while(is_token_byte);
            before && domain.filter(|byte| *byte == b'.').count() > 0
        })
    });
    has_address.then_some("an e-mail address")
}

fn is_token_byte(byte: &u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.')
}

#[derive(Default)]
struct State {
    canaries: Canaries,
    recent: VecDeque<String>,
}

static STATE: LazyLock<Mutex<State>> = LazyLock::new(|| {
    let mut state = State::default();
    state.canaries.learn("the password of the tests", crate::PASSWORD);
    state.canaries.learn("an e-mail address", "@example.com");
    Mutex::new(state)
});

/// Looks for a secret of this test in every line, those just written included.
pub fn learn(kind: &'static str, secret: &str) {
    let mut state = STATE.lock().unwrap_or_else(PoisonError::into_inner);
    if state.canaries.known.contains(secret.as_bytes()) {
        return;
    }
    state.canaries.learn(kind, secret);
    let mut only = Canaries::default();
    only.learn(kind, secret);
    for line in &state.recent {
        if let Some(kind) = only.find(line) {
            end(&kind, line);
        }
    }
}

/// The secrets of a process's environment.
pub fn learn_variables(variables: &HashMap<String, String>) {
    for name in ["JWT_SECRET", "JWT_REFRESH_SECRET", "PASSWORD_PEPPER"] {
        if let Some(secret) = variables.get(name).filter(|secret| secret.len() >= SECRET_MIN) {
            learn("a key", secret);
        }
    }
    for name in ["MONGODB_URI", "REDIS_URL"] {
        let uri = variables.get(name).map(String::as_str).unwrap_or_default();
        let authority = uri.split("://").nth(1).unwrap_or_default().split('/').next().unwrap_or_default();
        let password = authority.rsplit_once('@').and_then(|(credentials, _)| credentials.split_once(':'));
        if let Some((_, password)) = password.filter(|(_, password)| password.len() >= HEAD) {
            learn("a connection string's password", password);
        }
    }
}

/// The secrets that a request brings.
pub fn learn_event(event: &str) {
    let Ok(event) = serde_json::from_str::<Value>(event) else { return };
    let header = |name: &str| event["headers"][name].as_str().unwrap_or_default();
    if let Some((_, token)) = header("authorization").split_once(' ') {
        learn_token(token);
    }
    if header("idempotency-key").len() >= SECRET_MIN {
        learn("an idempotency key", header("idempotency-key"));
    }
    for cookie in event["cookies"].as_array().into_iter().flatten().filter_map(Value::as_str) {
        learn_cookie(cookie);
    }
    if let Some(ip) = event["requestContext"]["http"]["sourceIp"].as_str().filter(|ip| ip.len() >= HEAD) {
        learn("an IP address", ip);
    }
    if let Ok(body) = serde_json::from_str::<Value>(event["body"].as_str().unwrap_or_default()) {
        learn_members(&body);
    }
}

/// The secrets that an answer brings.
pub fn learn_answer(headers: &HeaderMap, body: &Value) {
    for cookie in headers.get_all("set-cookie").iter().filter_map(|value| value.to_str().ok()) {
        learn_cookie(cookie);
    }
    learn_members(body);
}

fn learn_cookie(cookie: &str) {
    let value = cookie.split(';').next().and_then(|pair| pair.split_once('=')).map(|(_, value)| value);
    learn_token(value.unwrap_or_default());
}

/// Not even a part that would do.
fn learn_token(token: &str) {
    let parts = token.split('.').chain([token]).filter(|part| part.len() >= TOKEN_PART_MIN);
    parts.for_each(|part| learn("a token or a part of one", part));
}

fn learn_members(body: &Value) {
    match body {
        Value::Array(items) => items.iter().for_each(learn_members),
        Value::Object(members) => {
            for (name, value) in members {
                match value.as_str() {
                    Some(text) if name.ends_with("Token") => learn_token(text),
                    Some(text) if SECRET_MEMBERS.contains(&name.as_str()) && text.len() >= SECRET_MIN => {
                        learn("a password or an e-mail address", text);
                    }
                    Some(_) => {}
                    None => learn_members(value),
                }
            }
        }
        _ => {}
    }
}

/// The keys that docs/logging.md describes: those of its table, and the metrics with their dimensions.
pub fn documented_keys() -> BTreeSet<String> {
    let text = include_str!("../../docs/logging.md");
    let section = |title: &str| {
        let rest = text.split(title).nth(1).unwrap_or_default();
        rest.split("\n## ").next().unwrap_or_default()
    };
    // A cell may name several; of a dimension, the values follow after a colon.
    let code = |cell: &str| -> Vec<String> {
        let names = cell.split(':').next().unwrap_or_default();
        names.split('`').skip(1).step_by(2).map(str::to_owned).collect()
    };
    let cells = |title: &str, count: usize| -> Vec<String> {
        let rows = section(title).lines().filter(|line| line.starts_with("| `"));
        rows.flat_map(|row| row.split('|').skip(1).take(count)).flat_map(code).collect()
    };
    cells("\n## Keys", 1).into_iter().chain(cells("\n## Metrics", 2)).collect()
}

/// The keys of a JSON object as they are written, a repeated one too.
struct Keys(Vec<String>);

impl<'de> Deserialize<'de> for Keys {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Members;
        impl<'de> Visitor<'de> for Members {
            type Value = Keys;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }
            fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Keys, A::Error> {
                let mut keys = Vec::new();
                while let Some((key, IgnoredAny)) = members.next_entry::<String, IgnoredAny>()? {
                    keys.push(key);
                }
                Ok(Keys(keys))
            }
        }
        deserializer.deserialize_map(Members)
    }
}

/// What is wrong with the keys of a line.
fn bad_keys(line: &str) -> Option<String> {
    static DOCUMENTED: LazyLock<BTreeSet<String>> = LazyLock::new(documented_keys);
    let Keys(keys) = serde_json::from_str(line).ok()?;
    if let Some(unknown) = keys.iter().find(|key| !DOCUMENTED.contains(*key)) {
        return Some(format!("a key that docs/logging.md does not describe: {unknown}"));
    }
    let mut met = HashSet::new();
    let twice = keys.iter().find(|key| !met.insert(*key))?;
    Some(format!("a key twice: {twice}"))
}

/// Looks at lines that were written, and ends the process where one holds what it must not.
pub fn check(lines: &str) {
    for line in lines.lines() {
        let mut state = STATE.lock().unwrap_or_else(PoisonError::into_inner);
        let metric = || emf::wrong(line).map(|wrong| format!("a metric that CloudWatch would drop: {wrong}"));
        if let Some(kind) = state.canaries.find(line).or_else(|| bad_keys(line)).or_else(metric) {
            end(&kind, line);
        }
        state.recent.push_back(line.to_owned());
        if state.recent.len() > RECENT {
            state.recent.pop_front();
        }
    }
}

/// Looks at what was sent to others than the client, and ends the process where it holds what it must not. Its keys are its
/// receiver's.
pub fn check_sent(bytes: &[u8]) {
    let state = STATE.lock().unwrap_or_else(PoisonError::into_inner);
    let found = match std::str::from_utf8(bytes) {
        Ok(text) => state.canaries.find(text),
        // Among bytes that are no text anything may look like an address.
        Err(_) => state.canaries.find_known(bytes),
    };
    if let Some(kind) = found {
        end(&kind, &String::from_utf8_lossy(bytes));
    }
}

fn end(kind: &str, line: &str) -> ! {
    eprintln!("\nA LINE OF THE LOG HOLDS {}:\n{line}\n", kind.to_uppercase());
    std::process::abort()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn canaries() -> Canaries {
        let mut canaries = Canaries::default();
        canaries.learn("password", crate::PASSWORD);
        canaries.learn("cookie", "Zm9v_cookie-value.of~40");
        canaries
    }

    #[test]
    fn a_secret_is_found_in_every_form_and_at_every_place() {
        let canaries = canaries();
        let hex = |text: &str| text.bytes().map(|byte| format!("{byte:02x}")).collect::<String>();
        for secret in [crate::PASSWORD, "Zm9v_cookie-value.of~40"] {
            for before in ["", "a", "ab", "abc"] {
                for after in ["", "z", "zy", "zyx"] {
                    let text = format!("{before}{secret}{after}");
                    for form in [
                        text.clone(),
                        STANDARD_NO_PAD.encode(&text),
                        URL_SAFE_NO_PAD.encode(&text),
                        hex(&text),
                        hex(&text).to_uppercase(),
                        percent(&text),
                        percent(&text).replace("%20", "+"),
                    ] {
                        let line = format!(r#"{{"message":"{form}"}}"#);
                        assert!(canaries.find(&line).is_some(), "{line}");
                    }
                }
            }
        }
    }

    #[test]
    fn what_looks_like_a_secret_is_one_whoever_told_it() {
        let canaries = canaries();
        for (kind, line) in [
            ("a token", r#"{"cause":"eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJ4In0.c2lnbmF0dXJl"}"#),
            ("a key", r#"{"reason":"access-secret-of-the-tests-1"}"#),
            ("a header of credentials", r#"{"cause":"Bearer x"}"#),
            ("an IP address", r#"{"cause":"from 198.18.4.5"}"#),
            ("a connection string's credentials", r#"{"cause":"mongodb://someone:pw@127.0.0.1:1/"}"#),
            ("a connection string's credentials", r#"{"cause":"redis://:pw@cache:6379"}"#),
            ("an e-mail address", r#"{"cause":"no mail for ada@lovelace.example"}"#),
            ("an e-mail address", r#"{"cause":"?email=ada%40lovelace.example"}"#),
        ] {
            assert_eq!(canaries.find(line).as_deref(), Some(kind), "{line}");
        }
        let good = r#"{"timestamp":"2026-11-24T09:30:12.345Z","level":"INFO","service":"transactions",
            "correlation_id":"01936f6e-7a30-7cc1-9d2e-3f0a4b5c6d7e","apigw_request_id":"eyJaXmPLvHcESHA=",
            "message":"request completed","http.route":"/api/v1/auth/login","cause":"mongodb://127.0.0.1:27017"}"#;
        assert_eq!(canaries.find(good), None);
    }

    #[test]
    fn a_key_that_is_not_described_or_is_there_twice_is_found() {
        assert_eq!(bad_keys(r#"{"timestamp":"x","level":"INFO","message":"y","user.id":"z"}"#), None);
        let found = bad_keys(r#"{"message":"y","request.body":"z"}"#).unwrap();
        assert!(found.ends_with("request.body"), "{found}");
        let found = bad_keys(r#"{"message":"y","service":"a","service":"a"}"#).unwrap();
        assert_eq!(found, "a key twice: service");
    }
}
