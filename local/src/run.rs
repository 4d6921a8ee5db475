//! The commands: `run` and `lambda` serve the API, `demo` fills it, `migrate` makes the indexes, `doctor` checks what is
//! kept, `back_up` and `restore` take it out and bring it back, `erase` erases users, `with_servers` lends test databases to
//! a command. Each says what it does while it does it, and stops what it started, in order.

use std::path::{Path, PathBuf};
use std::process::{ExitCode, Stdio};
use std::sync::Arc;

use anyhow::{Context, Result, anyhow, bail};
use serde_json::{Map, Value};
use shared::boot::Boot;
use shared::clock::Clock;
use shared::config::{Config, Need};
use shared::secrets::Secrets;
use shared::store::{indexes, refold};

use crate::aws::AwsApis;
use crate::configuration;
use crate::console::{self, say, warn};
use crate::demo;
use crate::doctor::{self, Whom};
use crate::erase;
use crate::functions::{self, Functions};
use crate::gateway::{self, Backend, Gateway, Reserved};
use crate::lambda::{self, Lines, Pools};
use crate::logs::LogFiles;
use crate::process;
use crate::restore::{self, Source};
use crate::secrets;
use crate::servers::{self, Purpose, Servers};
use crate::signals::Stop;
use crate::template::{Function, Template};
use crate::workspace::{
    Lock, PORT, Variables, Workspace, make_folder, remove_folder, variable, write_private,
};

/// What the local run calls itself in the log.
const SERVICE: &str = "local";

/// What `make demo` must share with the server of its port, whatever terminal it is typed in.
const SHARED_WITH_DEMO: [&str; 12] = [
    "APP_ENV",
    "NODE_ENV",
    "MONGODB_URI",
    "MONGODB_DATABASE",
    "REDIS_URL",
    "REDIS_KEY_PREFIX",
    "JWT_SECRET",
    "JWT_KEYS",
    "JWT_REFRESH_SECRET",
    "PASSWORD_PEPPER",
    "ARGON2_MEMORY_KIB",
    "ARGON2_ITERATIONS",
];

/// What answers behind the gateway.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Behind {
    /// The functions, mounted in this process.
    Routers,
    /// The binaries of `make build`.
    Bootstraps,
}

/// The folder of one port's run, and who may use it.
struct Home {
    port: u16,
    path: PathBuf,
}

impl Home {
    fn of(workspace: &Workspace, variables: &Variables) -> Result<Self> {
        let port = match variable(variables, "PORT") {
            None => PORT,
            Some(text) => match text.parse::<u16>() {
                Ok(port) if port > 0 => port,
                _ => bail!("PORT must be a number from 1 to 65535, for example: make run PORT=3001"),
            },
        };
        Ok(Self { port, path: workspace.run(port) })
    }

    fn lock_file(&self) -> PathBuf {
        self.path.join("lock")
    }
    fn pid_file(&self) -> PathBuf {
        self.path.join("local.pid")
    }
    fn state_file(&self) -> PathBuf {
        self.path.join("state.json")
    }

    fn lock(&self) -> Result<Lock> {
        match Lock::try_take(&self.lock_file())? {
            Some(lock) => {
                write_private(&self.pid_file(), &std::process::id().to_string())?;
                drop(std::fs::remove_file(self.state_file()));
                Ok(lock)
            }
            None => {
                let pid = std::fs::read_to_string(self.pid_file()).unwrap_or_default();
                bail!(
                    "it already runs on port {} (pid {}): stop it there with Ctrl-C, or choose another port: make run PORT={}",
                    self.port,
                    pid.trim(),
                    if self.port < u16::MAX { self.port + 1 } else { PORT }
                )
            }
        }
    }

    fn leave(&self) {
        drop(std::fs::remove_file(self.state_file()));
        drop(std::fs::remove_file(self.pid_file()));
    }

    fn write_state(&self, variables: &Variables) -> Result<()> {
        let shared = SHARED_WITH_DEMO
            .into_iter()
            .filter_map(|name| Some((name.to_owned(), variable(variables, name)?)));
        let state: Map<String, Value> = shared.map(|(name, value)| (name, value.into())).collect();
        write_private(&self.state_file(), &Value::from(state).to_string())
    }

    /// What the server that runs on this port uses; `None` when none runs.
    fn running(&self) -> Result<Option<Vec<(String, String)>>> {
        if !Lock::is_taken(&self.lock_file()) {
            return Ok(None);
        }
        let text = std::fs::read_to_string(self.state_file()).map_err(|_| {
            anyhow!("the server on port {} is not ready yet: try again in a moment", self.port)
        })?;
        let state: Map<String, Value> = serde_json::from_str(&text)
            .with_context(|| format!("{} is damaged", self.state_file().display()))?;
        let text = |value: Value| value.as_str().map(str::to_owned);
        Ok(Some(state.into_iter().filter_map(|(name, value)| Some((name, text(value)?))).collect()))
    }
}

fn is_fresh(variables: &Variables) -> bool {
    variable(variables, "FRESH").is_some_and(|value| !matches!(value, "0" | "false" | "no"))
}

/// `run` and `lambda`: databases, migration, demo login, gateway; until a signal.
pub async fn serve(workspace: &Workspace, environment: &Variables, behind: Behind) -> Result<ExitCode> {
    let mut stop = Stop::listen()?;
    let home = Home::of(workspace, environment)?;
    let template = Template::read(&workspace.template())?;
    let _lock = home.lock()?;
    let ended = serve_locked(workspace, environment, behind, &home, template, &mut stop).await;
    home.leave();
    ended
}

async fn serve_locked(
    workspace: &Workspace,
    environment: &Variables,
    behind: Behind,
    home: &Home,
    template: Template,
    stop: &mut Stop,
) -> Result<ExitCode> {
    if behind == Behind::Bootstraps {
        Pools::check_built(workspace, &template.functions)?;
    }
    let reserved = gateway::reserve(home.port)?;
    check_configuration(workspace, environment)?;
    if is_fresh(environment) {
        if variable(environment, "MONGODB_URI").is_some() || variable(environment, "REDIS_URL").is_some() {
            bail!(
                "FRESH=1 empties only databases that are started here: unset MONGODB_URI and REDIS_URL, or leave FRESH out"
            );
        }
        servers::forget(&home.path).await?;
        say(format_args!("Starting empty: the data of port {} is removed", home.port));
    }
    let start = Servers::start(workspace, environment, &home.path, Purpose::Run);
    let mut servers = stop.unless_asked(start).await?;
    let ended = serve_on(workspace, environment, behind, home, template, stop, &mut servers, reserved).await;
    servers.stop().await;
    if ended.is_ok() {
        say("Stopped");
    }
    ended
}

#[expect(clippy::too_many_arguments, reason = "one caller, which lists what is up by then")]
async fn serve_on(
    workspace: &Workspace,
    environment: &Variables,
    behind: Behind,
    home: &Home,
    template: Template,
    stop: &mut Stop,
    servers: &mut Servers,
    reserved: Reserved,
) -> Result<ExitCode> {
    let mut variables = with_servers_of(environment, servers);
    secrets::complete(workspace, &mut variables)?;
    log_for_the_reader(&mut variables, behind);
    let files = LogFiles::open(&workspace.logs(home.port));

    let prepare = async {
        let functions = Functions::mount(&variables)?;
        for warning in &functions.boot().config.warnings {
            warn(format_args!("Warning: {warning}"));
        }
        migrate_on(functions.boot()).await?;
        // Before the log begins: the making of the demo login is no event of the server's.
        demo::login(workspace, &variables).await?;
        let backend = match behind {
            Behind::Routers => Backend::InProcess(functions.clone()),
            Behind::Bootstraps => {
                let lines = both_ways(&files);
                let functions = &template.functions;
                Backend::Bootstraps(pools(workspace, environment, &variables, functions, Some(lines)).await?)
            }
        };
        Ok((functions, backend))
    };
    let (functions, backend) = stop.unless_asked(prepare).await?;
    home.write_state(&variables)?;
    let logging = &functions.boot().config.logging;
    shared::telemetry::init_with_copy(logging, std::io::stdout, files.clone());

    let gateway = Arc::new(Gateway::new(template, backend));
    let listener = reserved.listen()?;
    greet(home.port, behind);
    say(format_args!(
        "The log is also in {}/combined.log and error.log",
        workspace.short(&workspace.logs(home.port))
    ));
    tokio::select! {
        drained = gateway.serve(listener, stop.clone()) => {
            tell_drained(drained);
        }
        () = servers.watch() => {}
    }
    if let Backend::Bootstraps(pools) = gateway.backend() {
        pools.stop().await;
    }
    functions.boot().close(SERVICE).await;
    files.finish();
    Ok(ExitCode::SUCCESS)
}

fn greet(port: u16, behind: Behind) {
    let how = match behind {
        Behind::Routers => "the functions in one process",
        Behind::Bootstraps => "the Lambda binaries behind a local Runtime API",
    };
    let address = format!("http://127.0.0.1:{port}");
    let (email, password) = (demo::EMAIL, demo::PASSWORD);
    say("");
    say(format_args!("FinTrack Pro answers on {address} ({how}). Ctrl-C stops it."));
    say(format_args!("Demo login: {email} / {password} (`make demo` gives it two years of data)"));
    say("Try, in another terminal:");
    say(format_args!(
        "  curl -s {address}/api/v1/auth/login -H 'content-type: application/json' -d '{{\"email\":\"{email}\",\"password\":\"{password}\"}}'"
    ));
    say("");
}

/// The variables of a server on these databases.
fn with_servers_of(environment: &Variables, servers: &Servers) -> Variables {
    let mut variables = environment.clone();
    if variable(&variables, "APP_ENV").is_none() && variable(&variables, "NODE_ENV").is_none() {
        variables.insert("APP_ENV".to_owned(), "development".to_owned());
    }
    variables.insert("MONGODB_URI".to_owned(), servers.mongodb_uri.clone());
    variables.insert("REDIS_URL".to_owned(), servers.redis_url.clone());
    variables
}

/// A configuration that cannot be used is told before anything is started.
fn check_configuration(workspace: &Workspace, environment: &Variables) -> Result<()> {
    let mut variables = environment.clone();
    secrets::complete(workspace, &mut variables)?;
    for (name, stand_in) in [("MONGODB_URI", "mongodb://127.0.0.1"), ("REDIS_URL", "redis://127.0.0.1")] {
        if variable(&variables, name).is_none() {
            variables.insert(name.to_owned(), stand_in.to_owned());
        }
    }
    Config::load(&variables, &functions::needs())?;
    Ok(())
}

/// Readable lines on a terminal, unless something else was asked for. Those of the binaries are JSON always: each goes to
/// the terminal and to the log files as it is.
fn log_for_the_reader(variables: &mut Variables, behind: Behind) {
    use std::io::IsTerminal;
    let readable = variable(variables, "LOG_FORMAT").is_none() && std::io::stdout().is_terminal();
    match behind {
        Behind::Bootstraps => drop(variables.insert("LOG_FORMAT".to_owned(), "json".to_owned())),
        Behind::Routers if readable => drop(variables.insert("LOG_FORMAT".to_owned(), "pretty".to_owned())),
        Behind::Routers => {}
    }
}

/// The first step of the shutdown; the databases follow.
fn tell_drained(drained: bool) {
    let (service, step) = (SERVICE, "http");
    if drained {
        tracing::info!(message = "shutdown", service, step);
    } else {
        tracing::warn!(message = "shutdown", service, step, reason = "some requests did not end in time");
    }
}

/// To the terminal and to the files.
fn both_ways(files: &LogFiles) -> Lines {
    let files = files.clone();
    Arc::new(move |line| {
        console::pass_on(line);
        files.keep_foreign(line);
    })
}

async fn migrate_on(boot: &Boot) -> Result<()> {
    let mongo = boot.mongo().context("MONGODB_URI is missing")?;
    let told = |said: &str, pause: Option<std::time::Duration>| match pause {
        Some(pause) => warn(format_args!("MongoDB: {said}; again in {:.1} s", pause.as_secs_f32())),
        None => warn(format_args!("MongoDB: {said}")),
    };
    mongo
        .reach(told)
        .await
        .map_err(|_| anyhow!("MongoDB cannot be reached: is it running, and is MONGODB_URI right?"))?;
    indexes::migrate(&mongo).await.map_err(|error| {
        let cause =
            std::error::Error::source(&error).map(|source| format!(" ({source})")).unwrap_or_default();
        anyhow!("the indexes could not be made: {error}{cause}")
    })?;
    say("Indexes are in place");
    Ok(())
}

/// `demo`: two years of data for the demo user, on the databases of the port's run; when none runs, on that port's data.
pub async fn demo(workspace: &Workspace, environment: &Variables) -> Result<ExitCode> {
    let mut stop = Stop::listen()?;
    let home = Home::of(workspace, environment)?;
    if let Some(running) = home.running()? {
        let mut variables = environment.clone();
        variables.extend(running);
        stop.unless_asked(demo::fill(workspace, &variables)).await?;
        return Ok(ExitCode::SUCCESS);
    }
    say(format_args!("No server runs on port {}: filling its data directly", home.port));
    let _lock = home.lock()?;
    let start = Servers::start(workspace, environment, &home.path, Purpose::Run);
    let filled = match stop.unless_asked(start).await {
        Ok(mut servers) => {
            let filled = stop.unless_asked(fill_on(workspace, environment, &servers)).await;
            servers.stop().await;
            filled
        }
        Err(error) => Err(error),
    };
    home.leave();
    filled?;
    say("Now start the server: make run");
    Ok(ExitCode::SUCCESS)
}

async fn fill_on(workspace: &Workspace, environment: &Variables, servers: &Servers) -> Result<()> {
    let mut variables = with_servers_of(environment, servers);
    secrets::complete(workspace, &mut variables)?;
    let functions = Functions::mount(&variables)?;
    migrate_on(functions.boot()).await?;
    demo::fill(workspace, &variables).await
}

/// The binaries of `make build`.
async fn pools(
    workspace: &Workspace,
    environment: &Variables,
    variables: &Variables,
    functions: &[Function],
    lines: Option<Lines>,
) -> Result<Pools> {
    let bootstrap = |name: &str| workspace.bootstrap(name);
    Pools::prepare(workspace, environment, variables.clone(), functions, bootstrap, lines).await
}

/// `invoke`: one event to one binary, on the databases of the port's run; prints what Lambda would hand on.
pub async fn invoke(
    workspace: &Workspace,
    environment: &Variables,
    name: &str,
    event: &Path,
) -> Result<ExitCode> {
    const TOKEN: &str = "${ACCESS_TOKEN}";
    let mut stop = Stop::listen()?;
    let home = Home::of(workspace, environment)?;
    let template = Template::read(&workspace.template())?;
    let Some(function) = template.function(name) else {
        let names: Vec<&str> = functions::ALL.iter().map(|registered| registered.function.name).collect();
        bail!("there is no function {name}: FN is one of {}", names.join(", "));
    };
    let mut text = std::fs::read_to_string(event).with_context(|| {
        let folder = event.parent().filter(|folder| !folder.as_os_str().is_empty());
        let known = events_of(folder.unwrap_or(Path::new("events")), name).join(", ");
        format!("{} cannot be read: EVENT names a file, one of: {known}", event.display())
    })?;
    Pools::check_built(workspace, std::slice::from_ref(function))?;
    let Some(running) = home.running()? else {
        bail!(
            "nothing runs on port {}: start make run in another terminal first (PORT={})",
            home.port,
            home.port
        );
    };
    let mut variables = environment.clone();
    variables.extend(running);
    if text.contains(TOKEN) {
        text = text.replace(TOKEN, &stop.unless_asked(demo::access_token(workspace, &variables)).await?);
    }
    let event: Value =
        serde_json::from_str(&text).with_context(|| format!("{} is not JSON", event.display()))?;
    let pools = pools(workspace, environment, &variables, std::slice::from_ref(function), None).await?;
    let answer = stop.unless_asked(async { Ok(pools.invoke(function, &event).await) }).await;
    pools.stop().await;
    let answer = answer?.map_err(|reason| anyhow!("{name} failed: {reason}"))?;
    say(String::from_utf8_lossy(&answer));
    Ok(if lambda::is_answer(&answer) { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// The files of a folder of events that are a function's.
fn events_of(folder: &Path, name: &str) -> Vec<String> {
    let own = format!("{name}.");
    let entries =
        std::fs::read_dir(folder).into_iter().flatten().filter_map(|entry| Some(entry.ok()?.path()));
    let is_own =
        |path: &PathBuf| path.file_name().is_some_and(|file| file.to_string_lossy().starts_with(&own));
    let mut names: Vec<_> = entries.filter(is_own).map(|path| path.display().to_string()).collect();
    names.sort_unstable();
    names
}

/// `migrate`: the indexes and the search terms of `MONGODB_URI`, or of the database that runs for the port.
pub async fn migrate(workspace: &Workspace, environment: &Variables) -> Result<ExitCode> {
    let boot = boot_of_a_database(workspace, environment)?;
    migrate_on(&boot).await?;
    let mongo = boot.mongo().context("MONGODB_URI is missing")?;
    let changed =
        refold::refold_terms(&mongo).await.context("the search terms could not be brought up to date")?;
    say(format_args!("Search terms are up to date ({changed} transactions changed)"));
    boot.close(SERVICE).await;
    Ok(ExitCode::SUCCESS)
}

/// `doctor`: what is kept beside the transactions, recomputed and compared; fails on any difference.
pub async fn doctor(workspace: &Workspace, environment: &Variables, whom: &str) -> Result<ExitCode> {
    let mut stop = Stop::listen()?;
    let whom = Whom::parse(whom)?;
    let boot = boot_of_a_database(workspace, environment)?;
    let findings = stop.unless_asked(doctor::check(&boot, &whom, say)).await;
    boot.close(SERVICE).await;
    let findings = findings?;
    say(&findings);
    Ok(if findings.differences == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// `erase`: users, by id.
pub async fn erase(workspace: &Workspace, environment: &Variables, ids: &str) -> Result<ExitCode> {
    let mut stop = Stop::listen()?;
    let users = erase::parse(ids)?;
    let boot = boot_of_a_database(workspace, environment)?;
    let erased = stop.unless_asked(Box::pin(erase::erase(&boot, &users, say))).await;
    boot.close(SERVICE).await;
    say(erased?);
    Ok(ExitCode::SUCCESS)
}

/// `backup`: what the scheduled function does, by hand.
pub async fn back_up(workspace: &Workspace, environment: &Variables, to: &str) -> Result<ExitCode> {
    let mut stop = Stop::listen()?;
    let place = restore::place(to, variable(environment, "BACKUP_KMS_KEY_ID")).await?;
    let boot = boot_of_a_database(workspace, environment)?;
    // Stopped, it takes back what it has begun.
    let written = Box::pin(restore::back_up(&boot, &place, stop.asked())).await;
    boot.close(SERVICE).await;
    let written = written.map_err(|error| anyhow!("{}", error.chain()))?;
    let (name, documents, bytes) = (written.name, written.documents, written.bytes);
    say(format_args!("The backup {name} is whole: {documents} documents, {bytes} bytes"));
    Ok(ExitCode::SUCCESS)
}

/// `restore`: a backup back into an empty database; fails where the audit of what came back does.
pub async fn restore(
    workspace: &Workspace,
    environment: &Variables,
    from: &str,
    bucket: Option<&str>,
) -> Result<ExitCode> {
    let mut stop = Stop::listen()?;
    let source = Source::parse(from, bucket)?;
    let again = variable(environment, "FRESH") == Some("1");
    let boot = boot_of_a_database(workspace, environment)?;
    let restored = stop.unless_asked(Box::pin(restore_from(workspace, &boot, &source, again))).await;
    boot.close(SERVICE).await;
    let findings = restored?;
    say(&findings);
    Ok(if findings.differences == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

async fn restore_from(
    workspace: &Workspace,
    boot: &Boot,
    source: &Source,
    again: bool,
) -> Result<doctor::Findings> {
    let folder = match source {
        Source::Folder(folder) => folder.clone(),
        Source::Bucket { bucket, name } => {
            restore::fetch(bucket, name.as_deref(), &workspace.restore(), say).await?
        }
    };
    let backup = restore::check(&folder)?;
    say("Every byte of the backup is as it was written");
    say(restore::restore(boot, &backup, again, say).await?);
    if matches!(source, Source::Bucket { .. }) {
        // What users have is not left lying about.
        remove_folder(&folder)?;
    }
    doctor::check(boot, &Whom::All, say).await
}

/// On `MONGODB_URI`, or on the database that runs for the port.
fn boot_of_a_database(workspace: &Workspace, environment: &Variables) -> Result<Boot> {
    let mut variables = environment.clone();
    if variable(&variables, "MONGODB_URI").is_none() {
        let home = Home::of(workspace, environment)?;
        match home.running()? {
            Some(running) => variables.extend(running),
            None => bail!("which database? Set MONGODB_URI, or start make run first (PORT={})", home.port),
        }
    }
    Ok(Boot::new(Config::load(&variables, &[Need::Mongo])?))
}

/// `config-check`: what the functions would find in this environment. Outside production the checkout's development secrets
/// count as set, as they do for `run`; the secrets of `SECRETS_ID` are read.
pub async fn config_check(workspace: &Workspace, environment: &Variables) -> Result<ExitCode> {
    let mut variables = environment.clone();
    let mut readable = true;
    if let Some(secrets) = Secrets::of(environment, Clock::system()) {
        match secrets.fetch().await {
            Ok(values) => variables.extend(values),
            Err(error) => {
                readable = false;
                warn(format_args!("Error: {error}: no function would start"));
            }
        }
    }
    let named = variable(&variables, "APP_ENV").or_else(|| variable(&variables, "NODE_ENV"));
    if named != Some("production") {
        secrets::complete(workspace, &mut variables)?;
    }
    let report = configuration::check(&variables);
    say(report.text.trim_end());
    Ok(if report.starts && readable { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// `with-servers`: runs a command with databases of its own, and exits as it does.
pub async fn with_servers(
    workspace: &Workspace,
    environment: &Variables,
    command: &[String],
) -> Result<ExitCode> {
    let Some((program, arguments)) = command.split_first() else {
        bail!("which command? For example: local with-servers -- cargo test -p tests");
    };
    let mut stop = Stop::listen()?;
    let folder = workspace.tests().join(std::process::id().to_string());
    let lock = take_test_folder(workspace, &folder).await?;
    let ended = match stop.unless_asked(Servers::start(workspace, environment, &folder, Purpose::Test)).await
    {
        Ok(mut servers) => {
            let ended = match stop.unless_asked(AwsApis::start(workspace, environment, &folder)).await {
                Ok(aws) => {
                    let ended = lend(environment, &servers, &aws, program, arguments, &mut stop).await;
                    aws.stop().await;
                    ended
                }
                Err(error) => Err(error),
            };
            servers.stop().await;
            ended
        }
        Err(error) => Err(error),
    };
    drop(lock);
    match &ended {
        Ok(0) => remove_folder(&folder)?,
        _ => {
            for data in ["mongo", "redis"] {
                remove_folder(&folder.join(data))?;
            }
            say(format_args!(
                "The databases' logs are in {} until the next test run",
                workspace.short(&folder)
            ));
        }
    }
    ended.map(ExitCode::from)
}

async fn lend(
    environment: &Variables,
    servers: &Servers,
    aws: &AwsApis,
    program: &str,
    arguments: &[String],
    stop: &mut Stop,
) -> Result<u8> {
    let path = environment.get("PATH").map(String::as_str);
    let file = if program.contains('/') {
        PathBuf::from(program)
    } else {
        process::on_path(path, program).with_context(|| format!("{program} is not on PATH"))?
    };
    let mut child = process::command(&file, process::on_path(path, "setpriv").as_deref())
        .args(arguments)
        .env("MONGODB_URI", &servers.mongodb_uri)
        .env("REDIS_URL", &servers.redis_url)
        .envs(aws.variables())
        .stdout(Stdio::inherit())
        .stderr(Stdio::inherit())
        .spawn()
        .with_context(|| format!("{program} cannot be started"))?;
    let mut seen = 0;
    loop {
        tokio::select! {
            status = child.wait() => {
                return Ok(process::shell_status(status.with_context(|| format!("{program} cannot be waited for"))?));
            }
            signal = stop.next(seen) => {
                seen += 1;
                process::signal_group(&child, signal);
            }
        }
    }
}

/// Makes a test run's folder, after a look at those of others: one at a time, so that nobody takes a folder for dead
/// between its making and its locking.
async fn take_test_folder(workspace: &Workspace, folder: &Path) -> Result<Lock> {
    let turn = loop {
        match Lock::try_take(&workspace.tests().join(".lock"))? {
            Some(turn) => break turn,
            None => tokio::time::sleep(process::POLL).await,
        }
    };
    sweep_tests(workspace).await?;
    make_folder(folder)?;
    let lock = Lock::try_take(&folder.join("lock"))?.context("the folder for this test run is in use")?;
    drop(turn);
    Ok(lock)
}

/// Removes what ended test runs left, and stops the servers of killed ones.
async fn sweep_tests(workspace: &Workspace) -> Result<()> {
    for entry in std::fs::read_dir(workspace.tests()).into_iter().flatten().flatten() {
        let folder: &Path = &entry.path();
        if let Ok(Some(lock)) = Lock::try_take(&folder.join("lock")) {
            servers::forget(folder).await?;
            drop(lock);
            remove_folder(folder)?;
        }
    }
    Ok(())
}
