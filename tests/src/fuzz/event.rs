//! Events. The input is an event's JSON; or a request as text, its first line `METHOD target`, then headers, an empty
//! line and the body, which becomes an event. Every function answers it, without a database, and never with what it does
//! not know how to answer. `${TOKEN}` in a header stands for a token that verifies.

use std::cell::OnceCell;

use base64::{Engine, engine::general_purpose::STANDARD};
use finance::id::UserId;
use http_body_util::BodyExt;
use lambda_http::tower::ServiceExt;
use serde_json::Value;
use shared::boot::Boot;
use shared::clock::Clock;
use shared::config::Config;
use shared::edge::{ProblemType, event};
use shared::identity::AccessTokens;
use tokio::runtime::Runtime;
use uuid::Uuid;

use crate::app::{Mounted, mount};

struct World {
    runtime: Runtime,
    functions: Vec<Mounted>,
    token: String,
}

impl World {
    fn new() -> Self {
        let config = Config::load(&super::variables(), &local::functions::needs())
            .unwrap_or_else(|error| panic!("{error}"));
        let clock = Clock::manual("2027-01-15T08:00:00Z".parse().expect("an instant"));
        let jwt = config.jwt.as_ref().expect("it has a signing key");
        let tokens = AccessTokens::new(jwt, clock.clone());
        let token = tokens.sign(UserId::new(Uuid::from_u128(7)), Uuid::from_u128(8)).expect("a key");
        let boot = Boot::with_clock(config, clock);
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        let functions = runtime.block_on(async { mount(&boot) });
        Self { runtime, functions, token }
    }
}

thread_local! {
    static WORLD: OnceCell<World> = const { OnceCell::new() };
}

/// The event of a request that is written as text.
fn event_of(input: &[u8], token: &str) -> Option<String> {
    let (head, body) = match input.windows(2).position(|pair| pair == b"\n\n") {
        Some(at) => (&input[..at], Some(&input[at + 2..])),
        None => (input, None),
    };
    let mut lines = super::text(head)?.lines();
    let (method, target) = lines.next()?.split_once(' ')?;
    let filled: Vec<(String, String)> = lines
        .filter_map(|line| line.split_once(": "))
        .map(|(name, value)| (name.to_owned(), value.replace("${TOKEN}", token)))
        .collect();
    let headers: Vec<(&str, &str)> = filled.iter().map(|(name, value)| (&**name, &**value)).collect();
    let encoded = body.map(|body| STANDARD.encode(body));
    let mut event: Value =
        serde_json::from_str(&crate::event(method, target, "198.51.100.7", &headers, encoded.as_deref()))
            .expect("an event is JSON");
    event["isBase64Encoded"] = body.is_some().into();
    Some(event.to_string())
}

/// The function that the event's path names; all of them where it names none.
fn addressed<'a>(world: &'a World, event: &str) -> Vec<&'a Mounted> {
    let path = serde_json::from_str::<Value>(event)
        .ok()
        .and_then(|event| Some(event["rawPath"].as_str()?.to_owned()));
    let of =
        |mounted: &&Mounted| path.as_ref().is_some_and(|path| path.contains(&format!("/{}", mounted.name)));
    let named: Vec<&Mounted> = world.functions.iter().filter(of).collect();
    if named.is_empty() { world.functions.iter().collect() } else { named }
}

fn answered(world: &World, mounted: &Mounted, event: &str) {
    let Ok(request) = event::read(event) else { return };
    let (status, headers, body) = world.runtime.block_on(async {
        let answer = mounted.router.clone().oneshot(request).await;
        let (parts, body) = answer.unwrap_or_else(|never| match never {}).into_parts();
        (parts.status.as_u16(), parts.headers, body.collect().await.expect("a body").to_bytes())
    });
    // An event of another kind than HTTP is the schedule's, which has no client.
    let scheduled = serde_json::from_str::<Value>(event).is_ok_and(|event| event.get("rawPath").is_none());
    if scheduled && mounted.name == "health" {
        return assert_ne!(status, 500);
    }
    let id = headers.get("x-request-id").and_then(|id| id.to_str().ok()).expect("every answer has an id");
    if status < 400 {
        return;
    }
    if body.is_empty() {
        // A HEAD has no body to say it in.
        return assert_ne!(status, 500);
    }
    let problem: Value = serde_json::from_slice(&body).expect("an answer is JSON");
    if mounted.name == "health" && status == 503 && problem["code"].is_null() {
        // No database is there, and the health check says so.
        return;
    }
    let kind = ProblemType::ALL.iter().find(|kind| problem["code"] == kind.code());
    let kind = kind.unwrap_or_else(|| panic!("{status} is no problem of the contract: {problem}"));
    assert_eq!((kind.status(), &problem["instance"]), (status, &id.into()), "{problem}");
    // Nothing but the database may be missing.
    assert!(status < 500 || *kind == ProblemType::Unavailable, "{problem}");
}

pub(super) fn check(input: &[u8]) {
    WORLD.with(|world| {
        let world = world.get_or_init(World::new);
        let event = match super::text(input) {
            Some(text) if text.starts_with('{') => Some(text.replace("${TOKEN}", &world.token)),
            _ => event_of(input, &world.token),
        };
        let Some(event) = event else { return };
        for mounted in addressed(world, &event) {
            answered(world, mounted, &event);
        }
    });
}
