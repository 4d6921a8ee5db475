//! Secrets Manager in trouble when the secrets are due: whichever route comes first, it is answered as ever, with those of
//! before.

use std::time::Instant;

use anyhow::{Result, ensure};
use futures_util::future::join_all;
use http_body_util::BodyExt;
use shared::clock::Clock;
use shared::edge::RouteInfo;
use shared::metrics::Metric;
use shared::reload::Live;
use tests::log::{Log, capture};
use tests::proxy::{Fault, Proxy};
use tests::{TestApp, requests};
use tokio::sync::Semaphore;

use super::{Dependency, Kind, NOT_REFRESHED, SLACK, TROUBLES, Trouble, met_by, outcome};
use crate::secrets::Vault;

/// Seconds after which they are read again, and what of it has surely passed.
const TTL: &str = "300";
const DUE_AFTER: i64 = 361;
/// Seconds after a refresh in vain until the next, at most.
const RETRIED_AFTER: i64 = 37;

/// Cells at once: they wait rather than work.
const SIDE_BY_SIDE: usize = 10;

struct Bench {
    app: TestApp,
    vault: Vault,
    server: String,
    turns: Semaphore,
}

async fn status(live: &Live, event: &str) -> u16 {
    let request = lambda_http::request::from_str(event).unwrap();
    let response = live.answer(request).await;
    let status = response.status().as_u16();
    response.into_body().collect().await.unwrap();
    status
}

/// An environment of the route's function, whose first request after the secrets' time is this one.
async fn tried(bench: &Bench, trouble: Trouble, route: &RouteInfo) -> Result<()> {
    let _turn = bench.turns.acquire().await?;
    let ready = requests::ready(&bench.app, route, "secrets-in-trouble").await;
    let proxy = Proxy::faulty(bench.server.clone()).await?;
    let endpoint = format!("http://127.0.0.1:{}", proxy.port);
    let clock = Clock::manual(Clock::system().now());
    let app = bench.app.sibling_with_clock(&[("AWS_ENDPOINT_URL", &endpoint)], clock.clone());
    let owns =
        |mounted: &&tests::Mounted| mounted.routes.iter().any(|of_it| of_it.operation == route.operation);
    let mounted = app.functions.iter().find(owns).expect("a function");
    let live = bench.vault.start(&app, mounted.function, mounted.build, TTL).await;
    ensure!(proxy.opened() > 0, "the proxy is not in between");
    trouble.begin(&proxy, &clock);
    clock.advance_seconds(DUE_AFTER);
    let began = Instant::now();
    let found = status(&live, &ready.event).await;
    let took = began.elapsed();
    ensure!(found == ready.success, "it is {found}");
    let bound =
        std::time::Duration::from_millis(outcome(Dependency::Secrets, trouble, Kind::of(route)).within_ms);
    ensure!(took <= bound + SLACK, "it took {took:?}");
    proxy.set(Fault::Pass);
    clock.advance_seconds(RETRIED_AFTER);
    let next = requests::ready(&bench.app, route, "secrets-mended").await;
    let found = status(&live, &next.event).await;
    ensure!(found == next.success, "afterwards it is {found}");
    Ok(())
}

/// The lines have no request's id: they are counted together.
fn told(log: &Log) -> (usize, usize) {
    (log.messages(NOT_REFRESHED.1).len(), log.metric(Metric::SecretsStale))
}

#[tokio::test]
async fn every_route_answers_as_ever_while_secrets_manager_is_in_trouble() {
    let log = capture();
    let app = TestApp::with(&[("RATE_LIMIT_AUTH_MAX", "100000"), ("RATE_LIMIT_HEAVY_MAX", "100000")]).await;
    let environment = shared::config::environment();
    let endpoint = environment.get("AWS_ENDPOINT_URL").expect("AWS_ENDPOINT_URL: run by make test");
    let server = endpoint.strip_prefix("http://").expect("a server of ours").trim_end_matches('/').to_owned();
    let vault = Vault::of(&app).await;
    vault.sign_as(&app).await;
    let bench = Bench { app, vault, server, turns: Semaphore::new(SIDE_BY_SIDE) };
    let mut failures = Vec::new();
    let (mut before, mut cells) = ((0, 0), 0);
    for (turn, trouble) in TROUBLES.into_iter().enumerate() {
        let routes = met_by(&bench.app, turn);
        cells += routes.len();
        let results = join_all(routes.iter().map(|route| tried(&bench, trouble, route))).await;
        for (route, result) in routes.iter().zip(results) {
            failures.extend(
                result
                    .err()
                    .map(|error| format!("{}, {} {}: {error:#}", trouble.name(), route.method, route.path)),
            );
        }
        let after = told(&log);
        let (lines, metrics) = (after.0 - before.0, after.1 - before.1);
        let wanted = outcome(Dependency::Secrets, trouble, Kind::Read);
        let right = if wanted.sometimes { lines <= routes.len() } else { lines == routes.len() };
        if !right || lines != metrics {
            failures.push(format!(
                "{}: {lines} lines, {metrics} metrics of {}",
                trouble.name(),
                routes.len()
            ));
        }
        before = after;
    }
    assert!(failures.is_empty(), "{} of {cells} cells:\n{}", failures.len(), failures.join("\n"));
}
