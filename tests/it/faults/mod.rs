//! What a client, the log and the alarms see while a database is in trouble: the table of docs/degradation.md, each of its
//! cells tried on every route through a proxy that brings the fault. The time-outs are the documented ones. A new route
//! enters by itself; `FAULTS=all` tries every route with every fault, otherwise each fault meets a fixed part of the routes.

mod freeze;
mod secrets;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use futures_util::{StreamExt, stream};
use serde_json::Value;
use shared::clock::Clock;
use shared::edge::RouteInfo;
use shared::metrics::Metric;
use tests::log::{Log, capture};
use tests::proxy::{Fault, Proxy};
use tests::requests::{self, Ready};
use tests::{Answer, TestApp, User, event};
use tokio::sync::Semaphore;

/// Two cores run all of it: what is measured beyond the bound.
pub(crate) const SLACK: Duration = Duration::from_millis(1_500);
/// Cells that are measured at once.
const SIDE_BY_SIDE: usize = 5;
/// A few times the breaker's time, or the life of a transaction that MongoDB still has open: a busy machine may miss Redis'
/// 150 ms once it answers again.
const RECOVERY: Duration = Duration::from_secs(40);
/// Operations that meet every fault, whatever is tried.
const ALWAYS: [&str; 3] = ["get_health", "get_method", "create_transaction"];
/// How often an instance is made until its first request finds Redis in time.
const STARTS: u32 = 20;
const RETRY: Duration = Duration::from_millis(500);
/// Cells that are under way; most wait for the breaker.
const UNDER_WAY: usize = 40;
/// Of the routes, every so many-th meets a fault when not all do.
const SAMPLE: usize = 10;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Dependency {
    Redis,
    MongoDb,
    /// At a refresh; without it nothing starts.
    Secrets,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Trouble {
    Refused,
    BlackHole,
    ResetMidReply,
    Lag,
    Trickle,
    /// The process slept, and what it had open was dropped without a word.
    StaleSilent,
    /// The same, and the first packet is answered by a reset.
    StaleReset,
}

const TROUBLES: [Trouble; 7] = [
    Trouble::Refused,
    Trouble::BlackHole,
    Trouble::ResetMidReply,
    Trouble::Lag,
    Trouble::Trickle,
    Trouble::StaleSilent,
    Trouble::StaleReset,
];

impl Trouble {
    fn name(self) -> &'static str {
        match self {
            Self::Refused => "refused",
            Self::BlackHole => "black hole",
            Self::ResetMidReply => "reset mid-reply",
            Self::Lag => "500 ms lag",
            Self::Trickle => "trickle (1 byte/s)",
            Self::StaleSilent => "stale after freeze, silent",
            Self::StaleReset => "stale after freeze, reset",
        }
    }

    /// The network mends itself: only what was open is dead.
    fn is_stale(self) -> bool {
        matches!(self, Self::StaleSilent | Self::StaleReset)
    }

    fn begin(self, proxy: &Proxy, clock: &Clock) {
        match self {
            Self::Refused => proxy.set(Fault::Refused),
            Self::BlackHole => proxy.set(Fault::BlackHole),
            Self::ResetMidReply => proxy.set(Fault::ResetMidReply),
            Self::Lag => proxy.set(Fault::Lag),
            Self::Trickle => proxy.set(Fault::Trickle),
            Self::StaleSilent => proxy.silence_all(),
            Self::StaleReset => proxy.reset_all(),
        }
        if self.is_stale() {
            clock.advance_seconds(300);
        }
    }
}

/// What a route needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Health,
    NoDatabase,
    Read,
    Write,
}

const KINDS: [Kind; 4] = [Kind::Health, Kind::NoDatabase, Kind::Read, Kind::Write];

impl Kind {
    fn of(route: &RouteInfo) -> Self {
        match route.operation {
            "get_health" => Self::Health,
            "get_method" => Self::NoDatabase,
            _ if route.method == http::Method::GET => Self::Read,
            _ => Self::Write,
        }
    }

    fn name(self) -> &'static str {
        match self {
            Self::Health => "`GET /health`",
            Self::NoDatabase => "public, without MongoDB",
            Self::Read => "reads",
            Self::Write => "writes",
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Status {
    AsEver,
    Unavailable,
    Either,
}

/// A line that tells of the trouble: its level and its message.
type Line = (&'static str, &'static str);

const REDIS_AWAY: Line = ("WARN", "redis does not answer; going on without it");
const REDIS_BACK: &str = "redis answers again";
const DEAD_CONNECTIONS: Line = ("WARN", "mongodb's connections are dead; making new ones");
const NOT_REFRESHED: Line = ("WARN", "secrets not refreshed");
const FAILED: Line = ("ERROR", "request failed");

/// A cell.
struct Outcome {
    status: Status,
    /// What the trouble may add to the answer's time.
    within_ms: u64,
    line: Option<Line>,
    metrics: &'static [Metric],
    /// The line and the metrics come only where the trouble was too much for the time.
    sometimes: bool,
}

/// The table.
fn outcome(dependency: Dependency, trouble: Trouble, kind: Kind) -> Outcome {
    use Metric::{HealthFailure, LimiterDegraded};
    let cell = |status, within_ms, line, metrics| {
        let sometimes = status == Status::Either;
        Outcome { status, within_ms, line, metrics, sometimes }
    };
    match (dependency, kind, trouble) {
        (Dependency::Redis, _, Trouble::StaleReset) => cell(Status::AsEver, 150, None, &[]),
        (Dependency::Redis, Kind::Health, Trouble::StaleSilent) => {
            cell(Status::AsEver, 150, Some(REDIS_AWAY), &[LimiterDegraded])
        }
        (Dependency::Redis, Kind::Health, _) => {
            cell(Status::Unavailable, 1_150, Some(REDIS_AWAY), &[LimiterDegraded, HealthFailure])
        }
        (Dependency::Redis, _, _) => cell(Status::AsEver, 150, Some(REDIS_AWAY), &[LimiterDegraded]),
        (Dependency::MongoDb, Kind::NoDatabase, _) => cell(Status::AsEver, 0, None, &[]),
        (Dependency::MongoDb, _, Trouble::StaleSilent) => {
            cell(Status::AsEver, 600, Some(DEAD_CONNECTIONS), &[])
        }
        (Dependency::MongoDb, _, Trouble::StaleReset) => cell(Status::AsEver, 600, None, &[]),
        (Dependency::MongoDb, Kind::Health, Trouble::Lag) => {
            cell(Status::Either, 1_000, None, &[HealthFailure])
        }
        (Dependency::MongoDb, Kind::Health, _) => cell(Status::Unavailable, 1_000, None, &[HealthFailure]),
        (Dependency::MongoDb, _, Trouble::Lag) => cell(Status::Either, 2_500, Some(FAILED), &[]),
        (Dependency::MongoDb, _, _) => cell(Status::Unavailable, 2_500, Some(FAILED), &[]),
        (Dependency::Secrets, _, _) => Outcome {
            // A server may have closed what it will not use again, and then nothing is stale.
            sometimes: trouble == Trouble::Lag || trouble.is_stale(),
            ..cell(Status::AsEver, 1_000, Some(NOT_REFRESHED), &[Metric::SecretsStale])
        },
    }
}

/// One cell on one route.
struct Cell {
    dependency: Dependency,
    trouble: Trouble,
    route: RouteInfo,
    /// Of every request of the cell, and so on each of its lines.
    id: String,
}

impl Cell {
    fn name(&self) -> String {
        format!("{:?}, {}, {} {}", self.dependency, self.trouble.name(), self.route.method, self.route.path)
    }

    fn outcome(&self) -> Outcome {
        outcome(self.dependency, self.trouble, Kind::of(&self.route))
    }

    /// The documented time-outs, and one database behind the proxy.
    fn variables(&self, port: u16) -> Vec<(&'static str, String)> {
        // An empty variable is none.
        let mut variables = vec![("MONGO_OPERATION_TIMEOUT_MS", String::new())];
        if (self.dependency, self.trouble) != (Dependency::Redis, Trouble::StaleReset) {
            // There the new connection must be made in time, which a busy machine may not do.
            variables.extend(
                ["REDIS_RESPONSE_TIMEOUT_MS", "REDIS_CONNECT_TIMEOUT_MS"].map(|name| (name, String::new())),
            );
        }
        variables.push(match self.dependency {
            Dependency::Redis => ("REDIS_URL", format!("redis://127.0.0.1:{port}")),
            Dependency::MongoDb => {
                ("MONGODB_URI", format!("mongodb://127.0.0.1:{port}/?directConnection=true"))
            }
            Dependency::Secrets => ("AWS_ENDPOINT_URL", format!("http://127.0.0.1:{port}")),
        });
        variables
    }
}

/// What all cells of a test share.
struct Bench {
    app: TestApp,
    log: Log,
    /// Whose requests open the connections before the trouble.
    early: User,
    turns: Semaphore,
    /// What each write leaves that meets no trouble.
    whole: BTreeMap<&'static str, Value>,
}

/// An instance with a database behind the proxy, its connections open.
struct Instance {
    app: TestApp,
    proxy: Proxy,
    clock: Clock,
}

async fn instance(bench: &Bench, cell: &Cell) -> Result<Instance> {
    let server = match cell.dependency {
        Dependency::Redis => bench.app.redis_address(),
        Dependency::MongoDb => bench.app.mongodb_address(),
        Dependency::Secrets => bail!("its cells are tried otherwise"),
    };
    for _ in 0..STARTS {
        let proxy = Proxy::faulty(server.clone()).await?;
        let clock = Clock::manual(Clock::system().now());
        let variables = cell.variables(proxy.port);
        let variables: Vec<_> = variables.iter().map(|(name, value)| (*name, value.as_str())).collect();
        let app = bench.app.sibling_with_clock(&variables, clock.clone());
        let seen = bench.log.lines_with(&cell.id).len();
        let id = [("x-request-id", cell.id.as_str())];
        let answer = app.call(&bench.early, "GET", "/auth/me", &id, None).await;
        ensure!(answer.status == 200, "before the trouble: {}", answer.json);
        ensure!(proxy.opened() > 0, "the proxy is not in between");
        // A busy machine may need more than 150 ms for nothing.
        if !is_degraded(&bench.log.lines_with(&cell.id)[seen..]) {
            return Ok(Instance { app, proxy, clock });
        }
    }
    bail!("Redis is never in time, without any trouble")
}

async fn tried(bench: &Bench, cell: &Cell) -> Result<()> {
    let turn = bench.turns.acquire().await?;
    let ready = requests::ready(&bench.app, &cell.route, &cell.id).await;
    let it = instance(bench, cell).await?;
    let seen = bench.log.lines_with(&cell.id).len();
    cell.trouble.begin(&it.proxy, &it.clock);
    let began = Instant::now();
    let answer = it.app.send(&ready.event).await;
    let took = began.elapsed();
    let lines: Vec<Value> = bench.log.lines_with(&cell.id).into_iter().skip(seen).collect();
    judged(cell, &ready, &answer, took, &lines)?;
    if cell.dependency == Dependency::Redis && !cell.trouble.is_stale() {
        the_next_pays_nothing(bench, cell, &it).await?;
    }
    drop(turn);
    it.proxy.set(Fault::Pass);
    retried(&it.app, &ready).await?;
    // The breaker knows no route: a few wait for it.
    if cell.dependency == Dependency::Redis && ALWAYS.contains(&cell.route.operation) {
        redis_is_used_again(bench, cell, &it, seen).await?;
    }
    one_effect(bench, &ready).await
}

fn judged(cell: &Cell, ready: &Ready, answer: &Answer, took: Duration, lines: &[Value]) -> Result<()> {
    let wanted = cell.outcome();
    let unavailable = answer.status == 503;
    let right = match wanted.status {
        Status::AsEver => answer.status == ready.success,
        Status::Unavailable => unavailable,
        Status::Either => unavailable || answer.status == ready.success,
    };
    ensure!(right, "{:?} is {} after {took:?}: {}", wanted.status, answer.status, answer.json);
    ensure!(!unavailable || answer.header("retry-after").is_some(), "503 without Retry-After");
    let health = Kind::of(&cell.route) == Kind::Health;
    ensure!(!unavailable || health || answer.code() == "service_unavailable", "{}", answer.json);
    let bound = Duration::from_millis(wanted.within_ms) + SLACK;
    ensure!(took <= bound, "it took {took:?}, not {bound:?}");

    let of = |message: &str| lines.iter().filter(|line| line["message"] == message).collect::<Vec<_>>();
    let completed = of("request completed");
    ensure!(completed.len() == 1, "{} lines of one request", completed.len());
    ensure!(completed[0]["http.status"] == answer.status, "{}", completed[0]);

    // Either way of a lag is right; each has its own trace.
    let in_trouble = wanted.status != Status::Either || unavailable;
    let line = wanted.line.filter(|_| in_trouble);
    let mut told: Vec<(&str, &str)> = Vec::new();
    for line in lines.iter().filter(|line| matches!(line["level"].as_str(), Some("WARN" | "ERROR"))) {
        told.push((line["level"].as_str().unwrap_or_default(), line["message"].as_str().unwrap_or_default()));
    }
    // A database that is away may have been silent for long enough to be asked first.
    let told: Vec<_> =
        told.into_iter().filter(|told| Some(*told) == line || *told != DEAD_CONNECTIONS).collect();
    ensure!(told == Vec::from_iter(line), "the log says {told:?}, not {line:?}");
    if line == Some(FAILED) {
        let failed = of(FAILED.1);
        ensure!(failed[0]["code"] == "service_unavailable", "{}", failed[0]);
        ensure!(failed[0]["cause"].as_str().is_some_and(|cause| cause.contains("mongodb")), "{}", failed[0]);
    }
    let counted: BTreeSet<&str> = Metric::ALL
        .iter()
        .map(|metric| metric.name())
        .filter(|name| lines.iter().any(|line| line.get("_aws").is_some() && line.get(*name).is_some()))
        .collect();
    let wanted: BTreeSet<&str> =
        wanted.metrics.iter().filter(|_| in_trouble).map(|metric| metric.name()).collect();
    ensure!(counted == wanted, "the metrics are {counted:?}, not {wanted:?}");
    Ok(())
}

/// A request that needs no MongoDB; the lines that it wrote.
async fn looked(bench: &Bench, cell: &Cell, app: &TestApp) -> Vec<Value> {
    let seen = bench.log.lines_with(&cell.id).len();
    let headers = [("x-request-id", cell.id.as_str())];
    let event = event("GET", "/api/v1/financial-health/method", &bench.early.ip, &headers, None);
    app.send(&event).await.expect(200);
    bench.log.lines_with(&cell.id).into_iter().skip(seen).collect()
}

fn is_degraded(lines: &[Value]) -> bool {
    lines.iter().any(|line| line.get(Metric::LimiterDegraded.name()).is_some())
}

/// While the breaker is open a request does not even try.
async fn the_next_pays_nothing(bench: &Bench, cell: &Cell, it: &Instance) -> Result<()> {
    let opened = it.proxy.opened();
    let lines = looked(bench, cell, &it.app).await;
    ensure!(is_degraded(&lines), "the next request's limits are not this environment's own");
    ensure!(it.proxy.opened() == opened, "the next request tries Redis again");
    Ok(())
}

/// Without a restart, and told once each.
async fn redis_is_used_again(bench: &Bench, cell: &Cell, it: &Instance, since: usize) -> Result<()> {
    let until = Instant::now() + RECOVERY;
    while is_degraded(&looked(bench, cell, &it.app).await) {
        ensure!(Instant::now() < until, "Redis answers, and is not used");
        tokio::time::sleep(RETRY).await;
    }
    let lines = bench.log.lines_with(&cell.id).split_off(since);
    let times = |message: &str| lines.iter().filter(|line| line["message"] == message).count();
    let (away, back) = (times(REDIS_AWAY.1), times(REDIS_BACK));
    // A busy machine may miss its time once more; each outage has one beginning and one end.
    ensure!(
        away == back && (away > 0) == cell.outcome().line.is_some(),
        "told {away} times away, {back} back"
    );
    Ok(())
}

/// The same request again, as a client sends it that is told to wait.
async fn retried(app: &TestApp, ready: &Ready) -> Result<()> {
    let until = Instant::now() + RECOVERY;
    loop {
        let answer = app.send(&ready.event).await;
        if ready.is_done(&answer) {
            return Ok(());
        }
        let told_to_wait = matches!(answer.status, 409 | 429 | 503) && answer.header("retry-after").is_some();
        if !told_to_wait || Instant::now() > until {
            bail!("the retry answers {} {}", answer.status, answer.json);
        }
        tokio::time::sleep(RETRY).await;
    }
}

async fn one_effect(bench: &Bench, ready: &Ready) -> Result<()> {
    let Some(whole) = bench.whole.get(ready.operation) else { return Ok(()) };
    let state = requests::settled(ready.operation, &ready.state(&bench.app).await);
    ensure!(state == *whole, "after the retry {state}, not {whole}");
    let audit = bench.app.store(RECOVERY).audit(ready.user.id).await.context("an audit")?;
    ensure!(audit.differences.is_empty(), "{:?}", audit.differences);
    Ok(())
}

/// Which routes meet a fault.
fn met_by(app: &TestApp, turn: usize) -> Vec<RouteInfo> {
    let all = app.operations().into_iter().map(|(_, route)| route).enumerate();
    let tried = |(index, route): &(usize, RouteInfo)| {
        tests::tries_every_fault() || index % SAMPLE == turn % SAMPLE || ALWAYS.contains(&route.operation)
    };
    all.filter(tried).map(|(_, route)| route).collect()
}

async fn whole(app: &TestApp, routes: &[RouteInfo]) -> BTreeMap<&'static str, Value> {
    let mut whole = BTreeMap::new();
    for route in routes.iter().filter(|route| Kind::of(route) == Kind::Write) {
        let ready = requests::ready(app, route, "without-trouble").await;
        app.send(&ready.event).await.expect(ready.success);
        whole.insert(route.operation, requests::settled(route.operation, &ready.state(app).await));
    }
    whole
}

async fn every_cell_of(dependency: Dependency) {
    let log = capture();
    let app = TestApp::with(&[("RATE_LIMIT_AUTH_MAX", "100000"), ("RATE_LIMIT_HEAVY_MAX", "100000")]).await;
    let mut cells = Vec::new();
    for (turn, trouble) in TROUBLES.into_iter().enumerate() {
        for route in met_by(&app, turn) {
            let id = format!("cell-{}-end", cells.len());
            cells.push(Cell { dependency, trouble, route, id });
        }
    }
    let met: Vec<RouteInfo> = cells.iter().map(|cell| cell.route.clone()).collect();
    let bench = Bench {
        whole: whole(&app, &met).await,
        early: app.register().await,
        turns: Semaphore::new(SIDE_BY_SIDE),
        app,
        log,
    };
    let bench = &bench;
    let results = cells.iter().map(|cell| async move {
        let result = tried(bench, cell).await;
        bench.log.forget(&cell.id);
        result.err().map(|error| format!("{}: {error:#}", cell.name()))
    });
    let results: Vec<_> = stream::iter(results).buffer_unordered(UNDER_WAY).collect().await;
    let failures: Vec<String> = results.into_iter().flatten().collect();
    assert!(failures.is_empty(), "{} of {} cells:\n{}", failures.len(), cells.len(), failures.join("\n"));
}

#[tokio::test]
async fn every_route_answers_as_the_table_says_while_redis_is_in_trouble() {
    every_cell_of(Dependency::Redis).await;
}

#[tokio::test]
async fn every_route_answers_as_the_table_says_while_mongodb_is_in_trouble() {
    every_cell_of(Dependency::MongoDb).await;
}

/// The table's cells leave a busy machine room; this holds the time itself, of the best of a few.
#[tokio::test]
async fn a_redis_that_hangs_costs_a_request_150_ms_and_the_next_nothing() {
    let app = TestApp::start().await;
    let address = app.variables()["REDIS_URL"].trim_start_matches("redis://").to_owned();
    let proxy = Proxy::faulty(address).await.unwrap();
    proxy.set(Fault::BlackHole);
    let url = format!("redis://127.0.0.1:{}", proxy.port);
    let own = [
        ("REDIS_URL", url.as_str()),
        ("REDIS_RESPONSE_TIMEOUT_MS", "150"),
        ("REDIS_CONNECT_TIMEOUT_MS", "150"),
    ];
    let (mut first, mut second) = (Duration::MAX, Duration::MAX);
    for _ in 0..5 {
        let instance = app.sibling_with(&own);
        for best in [&mut first, &mut second] {
            let began = Instant::now();
            instance.anonymous("GET", "/financial-health/method", None).await.expect(200);
            *best = began.elapsed().min(*best);
        }
    }
    assert!((Duration::from_millis(149)..Duration::from_millis(300)).contains(&first), "{first:?}");
    assert!(second < Duration::from_millis(75), "{second:?}");
}

/// docs/degradation.md.
pub(crate) fn degradation_md() -> String {
    let mut text = String::from(
        "# Degradation\n\n\
         What a client, the log and the alarms see while a dependency is in trouble, with the documented time-outs. `make docs`\n\
         writes this file from the table in `tests/it/faults/mod.rs`; `make test-faults` tries every cell on every route of its kind\n\
         through a proxy that brings the fault, `make test` a fixed part of the routes. \"As ever\" is the status without the fault;\n\
         a 503 has `Retry-After`. The time is what the fault may add. Every request is one `request completed` line; the line\n\
         named here comes beside it. When the fault has passed, the next requests are answered without a restart: Redis is used\n\
         again after some 6 s, and a write that a client repeats with its `Idempotency-Key` has had one effect.\n\n\
         The tests of the cells give a busy machine 1.5 s more; that the time itself is kept is held by\n\
         `faults::a_redis_that_hangs_costs_a_request_150_ms_and_the_next_nothing` and\n\
         `health::without_mongodb_a_request_is_503_within_three_seconds_and_says_when_to_come_again`. The two stale faults are also\n\
         brought to the real, frozen binaries (`faults::freeze`). While MongoDB is away, a request that comes after a second of\n\
         silence also tells WARN `mongodb's connections are dead; making new ones`.\n\n\
         | Dependency | Fault | Route | Status | Adds at most | Log line | Metric | Test |\n|---|---|---|---|---|---|---|---|\n",
    );
    for (dependency, name, test) in [
        (
            Dependency::Redis,
            "Redis",
            "faults::every_route_answers_as_the_table_says_while_redis_is_in_trouble",
        ),
        (
            Dependency::MongoDb,
            "MongoDB",
            "faults::every_route_answers_as_the_table_says_while_mongodb_is_in_trouble",
        ),
    ] {
        for trouble in TROUBLES {
            for kind in KINDS {
                row(&mut text, name, trouble.name(), kind.name(), &outcome(dependency, trouble, kind), test);
            }
        }
    }
    for (kind, status, within, metrics) in [
        (Kind::Health.name(), "503", 1_150, "`LimiterDegraded`, `RedisRefused`, `HealthFailure`"),
        ("all others", "as ever", 150, "`LimiterDegraded`, `RedisRefused`"),
    ] {
        writeln!(
            text,
            "| Redis | answers errors (a replica, refused credentials) | {kind} | {status} | {within} ms | WARN `{}` | {metrics} | \
             `redis_refusals::a_redis_that_refuses_is_disconnected_in_health_and_counts_again_once_repaired` |",
            REDIS_AWAY.1
        )
        .unwrap();
    }
    for trouble in TROUBLES {
        // They are refreshed before a route is looked for.
        let cell = outcome(Dependency::Secrets, trouble, Kind::Read);
        let test = "faults::secrets::every_route_answers_as_ever_while_secrets_manager_is_in_trouble";
        row(&mut text, "Secrets Manager", trouble.name(), "all", &cell, test);
    }
    text.push_str(
        "| Secrets Manager | any, for more than an hour | all | 503 | 1000 ms | WARN `secrets not refreshed` | `SecretsStale` | \
         `secrets::secrets_manager_being_away_harms_nobody_for_an_hour_and_everybody_after` |\n",
    );
    text
}

fn row(text: &mut String, dependency: &str, trouble: &str, kind: &str, cell: &Outcome, test: &str) {
    let status = match cell.status {
        Status::AsEver => "as ever",
        Status::Unavailable => "503",
        Status::Either => "as ever, or 503 in time",
    };
    let condition = match (cell.sometimes, cell.status) {
        (false, _) => "",
        (true, Status::Either) => ", with 503",
        (true, _) => ", if not in time",
    };
    let none = || "none".to_owned();
    let line = cell.line.map_or_else(none, |(level, message)| format!("{level} `{message}`{condition}"));
    let names: Vec<String> = cell.metrics.iter().map(|metric| format!("`{}`", metric.name())).collect();
    let metrics = if names.is_empty() { none() } else { names.join(", ") + condition };
    let within = cell.within_ms;
    writeln!(
        text,
        "| {dependency} | {trouble} | {kind} | {status} | {within} ms | {line} | {metrics} | `{test}` |"
    )
    .unwrap();
}
