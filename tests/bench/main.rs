//! `make bench`: what each function costs, measured on the binaries of `make build` through a Runtime API, with MongoDB and
//! Redis of its own; written into docs/performance.md. Must never take a cost out of a figure: the process is started as
//! Lambda starts it, and time runs from before it is started.

mod process;
mod report;

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use local::workspace::Workspace;
use serde_json::json;
use tests::runtime_api::RuntimeApi;
use tests::{PASSWORD, TestApp, User, event};

use process::Started;

/// Starts of each function. Odd, so that the median is one of them.
const COLD_STARTS: usize = 31;
/// Requests that are not counted: caches fill, connections open.
const WARM_UP: usize = 100;
const WARM_REQUESTS: usize = 2_000;
/// What a request that hashes a password may need altogether.
const SLOW_REQUESTS: usize = 60;
const PATIENCE: Duration = Duration::from_secs(10);
/// The whole run, the seeding included.
const TIME_MAX: Duration = Duration::from_secs(170);
/// What a page and a score are read from: two years.
const MONTHS: usize = 24;

/// One request that is measured.
struct Case {
    function: &'static str,
    name: &'static str,
    event: String,
    requests: usize,
}

/// Of one case.
pub(crate) struct Figures {
    pub(crate) function: &'static str,
    pub(crate) name: &'static str,
    pub(crate) next: Vec<Duration>,
    /// Of it, what a CPU was busy with it.
    pub(crate) next_cpu: Vec<Duration>,
    pub(crate) first_answer: Vec<Duration>,
    pub(crate) warm: Vec<Duration>,
    pub(crate) cpu_per_request: Duration,
    pub(crate) memory_kib: u64,
    pub(crate) binary_bytes: u64,
    pub(crate) zip_bytes: Option<u64>,
}

// One thread: what measures must not take the second core from the databases.
#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<()> {
    let run = tokio::time::timeout(TIME_MAX, Box::pin(bench())).await;
    run.with_context(|| format!("it took more than {} s", TIME_MAX.as_secs()))?
}

async fn bench() -> Result<()> {
    let started = Instant::now();
    let workspace = Workspace::find()?;
    let root = workspace.template().parent().context("the workspace has a folder")?.to_owned();
    // Before anything here adds to the load.
    let machine = report::Machine::read(&root)?;
    // The hash that production makes. Everything else is as in production too, but for the limits.
    let app = TestApp::with(&[
        ("ARGON2_MEMORY_KIB", "19456"),
        ("ARGON2_ITERATIONS", "2"),
        ("RATE_LIMIT_GENERAL_MAX", "100000000"),
        ("RATE_LIMIT_AUTH_MAX", "100000000"),
        ("REDIS_RESPONSE_TIMEOUT_MS", "150"),
        ("MONGO_OPERATION_TIMEOUT_MS", "2500"),
        ("MONGO_POOL_SIZE", "2"),
    ])
    .await;
    let user = app.register().await;
    seed(&app, &user).await;
    let mut figures = Vec::new();
    for case in cases(&app, &user) {
        let bootstrap = workspace.bootstrap(case.function);
        ensure!(bootstrap.is_file(), "{} is not there: run make build first", workspace.short(&bootstrap));
        let measured = measure(&root, &case, &bootstrap, app.variables()).await;
        let measured = measured.with_context(|| format!("{} ({})", case.function, case.name))?;
        report::say(&measured);
        figures.push(measured);
    }
    let path = root.join("docs/performance.md");
    let before = std::fs::read_to_string(&path).unwrap_or_default();
    let text = report::document(&figures, &machine, started.elapsed()) + kept(&before);
    std::fs::write(path, text).context("docs/performance.md cannot be written")
}

/// The sections that are not measured here, as they stand.
fn kept(document: &str) -> &str {
    document.find("\n## Commands per request").and_then(|at| document.get(at..)).unwrap_or_default()
}

/// Two years of a plausible life: what a list, a summary and a score are read from.
async fn seed(app: &TestApp, user: &User) {
    let salary = app.category(user, "Salary").await;
    let housing = app.category(user, "Housing").await;
    let food = app.category(user, "Food & Dining").await;
    for month in 0..MONTHS {
        let (year, number) = (2024 + month / 12, month % 12 + 1);
        let mut rows = vec![("income", 1, "3100.00", &salary), ("expense", 2, "1200.00", &housing)];
        rows.extend((0..8).map(|week| ("expense", 3 + week * 3, "54.30", &food)));
        for (kind, day, amount, category) in rows {
            let body = json!({
                "type": kind, "amount": amount, "date": format!("{year}-{number:02}-{day:02}"),
                "description": kind, "categoryId": category,
            });
            app.create(user, "/transactions", body).await;
        }
    }
}

fn cases(app: &TestApp, user: &User) -> Vec<Case> {
    let get = |function, name, path: &str| Case {
        function,
        name,
        event: app.event(user, "GET", path, &[], None),
        requests: WARM_REQUESTS,
    };
    let log_in = json!({"email": user.email, "password": PASSWORD}).to_string();
    vec![
        get("health", "GET /health", "/health"),
        get("auth", "GET /auth/me", "/auth/me"),
        Case {
            function: "auth",
            name: "POST /auth/login",
            event: event("POST", "/api/v1/auth/login", &user.ip, &[], Some(&log_in)),
            requests: SLOW_REQUESTS,
        },
        get("accounts", "GET /accounts", "/accounts"),
        get("categories", "GET /categories", "/categories"),
        get("transactions", "GET /transactions", "/transactions"),
        get("financial-health", "GET /financial-health", "/financial-health?asOf=2026-01-01"),
    ]
}

async fn measure(
    root: &Path,
    case: &Case,
    bootstrap: &Path,
    variables: &HashMap<String, String>,
) -> Result<Figures> {
    let (mut next, mut next_cpu, mut first_answer) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..COLD_STARTS {
        let mut api = RuntimeApi::start(PATIENCE).await?;
        let process = Started::new(bootstrap, case.function, variables, &api)?;
        next.push(api.until_next(PATIENCE).await?.duration_since(process.since));
        next_cpu.push(process.main_thread_cpu()?);
        // Handed over at once: Lambda starts a process because there is a request.
        api.send(&case.event);
        let (at, answer) = api.until_answer(PATIENCE).await?;
        ensure!(answer["statusCode"] == 200, "it answered {answer}");
        first_answer.push(at.duration_since(process.since));
        process.end().await?;
    }
    let mut api = RuntimeApi::start(PATIENCE).await?;
    let process = Started::new(bootstrap, case.function, variables, &api)?;
    let mut warm = Vec::with_capacity(case.requests);
    api.until_next(PATIENCE).await?;
    let mut cpu = process.cpu()?;
    for request in 0..WARM_UP.min(case.requests) + case.requests {
        if request == WARM_UP.min(case.requests) {
            cpu = process.cpu()?;
        }
        let sent = Instant::now();
        api.send(&case.event);
        let (at, answer) = api.until_answer(PATIENCE).await?;
        ensure!(answer["statusCode"] == 200, "it answered {answer}");
        api.until_next(PATIENCE).await?;
        if request >= WARM_UP.min(case.requests) {
            warm.push(at.duration_since(sent));
        }
    }
    let requests = u32::try_from(case.requests)?;
    let cpu_per_request = process.cpu()?.saturating_sub(cpu) / requests;
    let memory_kib = process.memory_kib()?;
    process.end().await?;
    let zip: PathBuf = root.join("target/lambda-zip").join(format!("{}.zip", case.function));
    Ok(Figures {
        function: case.function,
        name: case.name,
        next,
        next_cpu,
        first_answer,
        warm,
        cpu_per_request,
        memory_kib,
        binary_bytes: std::fs::metadata(bootstrap)?.len(),
        zip_bytes: std::fs::metadata(zip).ok().map(|meta| meta.len()),
    })
}
