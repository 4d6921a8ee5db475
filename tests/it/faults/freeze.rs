//! The real binaries, frozen between two invocations as Lambda freezes them, while the network drops what they have open:
//! the next invocation is answered, in time.

use std::time::{Duration, Instant};

use futures_util::future::join_all;
use local::functions::apis;
use shared::edge::{Access, RouteInfo};
use tests::TestApp;
use tests::proxy::Proxy;
use tests::requests;

use super::SLACK;
use crate::lambda::{PATIENCE, Running};

/// Longer than MongoDB is trusted to be there without being asked.
const FROZEN: Duration = Duration::from_millis(1_200);
/// MongoDB is asked in vain for 600 ms, Redis beside it for 150 ms.
const FOUND_DEAD: Duration = Duration::from_millis(750);

/// How the network drops the connections of a frozen process.
type Drops = fn(&Proxy);

/// One life of a function: an invocation, the freeze, and one more, of `after`.
async fn thawed(app: &TestApp, function: &str, after: &RouteInfo, drops: Drops) {
    let what = format!("{function}, {} {}", after.method, after.path);
    let mongodb = Proxy::faulty(app.mongodb_address()).await.unwrap();
    let redis = Proxy::faulty(app.redis_address()).await.unwrap();
    let mut variables = app.variables().clone();
    variables
        .insert("MONGODB_URI".into(), format!("mongodb://127.0.0.1:{}/?directConnection=true", mongodb.port));
    variables.insert("REDIS_URL".into(), format!("redis://127.0.0.1:{}", redis.port));
    for documented in ["REDIS_RESPONSE_TIMEOUT_MS", "REDIS_CONNECT_TIMEOUT_MS", "MONGO_OPERATION_TIMEOUT_MS"]
    {
        variables.remove(documented);
    }
    let first = requests::ready(
        app,
        &route(app, function, |route| route.method == http::Method::GET),
        "before-it-sleeps",
    )
    .await;
    let next = requests::ready(app, after, "after-it-slept").await;
    let mut running = Running::start(function, &variables).await;
    running.api.until_next(PATIENCE).await.unwrap();
    running.api.send(&first.event);
    let (_, answer) = running.api.until_answer(PATIENCE).await.unwrap();
    assert_eq!(answer["statusCode"], first.success, "{what}: {answer}");
    running.api.until_next(PATIENCE).await.unwrap();
    assert!(mongodb.opened() > 0 && redis.opened() > 0, "{what}: nothing is open");

    running.freeze().await;
    drops(&mongodb);
    drops(&redis);
    tokio::time::sleep(FROZEN).await;
    running.thaw();

    let sent = Instant::now();
    running.api.send(&next.event);
    let (_, answer) = running.api.until_answer(PATIENCE).await.unwrap();
    assert_eq!(answer["statusCode"], next.success, "{what}: {answer}");
    assert!(sent.elapsed() < FOUND_DEAD + SLACK, "{what} took {:?}", sent.elapsed());
    app.assert_ledger_sound(&next.user).await;
}

/// The first route of a function that is `wanted`, rather one that looks a session up.
fn route(app: &TestApp, function: &str, wanted: impl Fn(&RouteInfo) -> bool) -> RouteInfo {
    let routes = app.functions.iter().find(|mounted| mounted.name == function).unwrap().routes.clone();
    let mut wanted: Vec<RouteInfo> = routes.into_iter().filter(wanted).collect();
    wanted.sort_by_key(|route| route.access == Access::Public);
    wanted.swap_remove(0)
}

async fn every_function_thaws(drops: Drops) {
    let app = TestApp::start().await;
    let app = &app;
    let reads = apis().map(|(function, _)| {
        (function.name, route(app, function.name, |route| route.method == http::Method::GET))
    });
    let writes = apis().filter_map(|(function, _)| {
        let routes = &app.functions.iter().find(|mounted| mounted.name == function.name)?.routes;
        routes
            .iter()
            .find(|route| route.method == http::Method::POST)
            .map(|route| (function.name, route.clone()))
    });
    let all: Vec<_> = reads.chain(writes).collect();
    join_all(all.iter().map(|(function, route)| thawed(app, function, route, drops))).await;
}

#[tokio::test]
async fn after_a_freeze_connections_that_were_dropped_in_silence_cost_no_answer() {
    every_function_thaws(Proxy::silence_all).await;
}

#[tokio::test]
async fn after_a_freeze_connections_that_were_reset_cost_no_answer() {
    every_function_thaws(Proxy::reset_all).await;
}
