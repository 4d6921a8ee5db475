//! MongoDB (a replica set of one) and Redis for a run or a test: those that `MONGODB_URI` and `REDIS_URL` name, else the
//! programs on `PATH`, else fetched ones; started on free ports, waited for until they are healthy, stopped at the end.
//!
//! Must never stop a server that it did not start (a leftover of a killed run in the same folder excepted), nor take a
//! foreign server on its port for its own: the pid that the server reports must be the child's.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context, Result, anyhow, bail};
use mongodb::bson::{Bson, Document, doc};
use mongodb::options::{ClientOptions, ServerAddress};
use shared::config::redact;
use tokio::process::Child;
use tokio::time::{Instant, sleep, timeout};

use crate::console;
use crate::fetch::{Fetcher, MONGOD, VALKEY};
use crate::process::{self, POLL, on_path};
use crate::workspace::{Variables, Workspace, make_folder, remove_folder, variable};

/// How long a server may take until it answers as it should. Recovery after a kill -9 is part of it.
const START_PATIENCE: Duration = Duration::from_secs(60);
/// How long a server may take to stop before it is killed.
const STOP_PATIENCE: Duration = Duration::from_secs(10);
/// How long one question to a server that starts may take.
const ASK_PATIENCE: Duration = Duration::from_secs(2);
/// How long a server of the user's own has to answer.
const OWN_PATIENCE: Duration = Duration::from_secs(5);
/// Another program can take a free port between its choice and the server's start; then another is chosen.
const PORT_ATTEMPTS: u32 = 5;

const MONGO_PROGRAMS: &[&str] = &["mongod"];
const REDIS_PROGRAMS: &[&str] = &["redis-server", "valkey-server"];

/// What the servers are for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// `make run`: the data stays.
    Run,
    /// Tests: fail points are on, expired documents go within a second, the data is thrown away.
    Test,
}

/// Two databases that answer, and the processes of ours among them.
#[derive(Debug)]
pub struct Servers {
    pub mongodb_uri: String,
    pub redis_url: String,
    mongo: Option<Server>,
    redis: Option<Server>,
}

#[derive(Debug)]
struct Server {
    title: &'static str,
    child: Child,
    pid_file: PathBuf,
    log: PathBuf,
}

/// Where and how servers are started.
#[derive(Clone, Debug)]
struct Place {
    home: PathBuf,
    purpose: Purpose,
    setpriv: Option<PathBuf>,
}

impl Servers {
    /// Brings both up; data and logs go below `home`.
    ///
    /// # Errors
    /// One line that says what to do. What was started by then is stopped again.
    pub async fn start(
        workspace: &Workspace,
        variables: &Variables,
        home: &Path,
        purpose: Purpose,
    ) -> Result<Self> {
        let home = std::path::absolute(home).context("the folder for the databases cannot be named")?;
        let path = variables.get("PATH").map(String::as_str);
        let place = Place { home, purpose, setpriv: on_path(path, "setpriv") };
        make_folder(&place.home)?;
        let fetcher = Fetcher::new(workspace, variables);

        let mut servers =
            Self { mongodb_uri: String::new(), redis_url: String::new(), mongo: None, redis: None };
        match servers.start_both(&place, &fetcher, variables, path).await {
            Ok(()) => Ok(servers),
            Err(error) => {
                servers.stop().await;
                Err(error)
            }
        }
    }

    async fn start_both(
        &mut self,
        place: &Place,
        fetcher: &Fetcher,
        variables: &Variables,
        path: Option<&str>,
    ) -> Result<()> {
        match variable(variables, "MONGODB_URI") {
            Some(uri) => {
                console::say(format_args!("Using the MongoDB of MONGODB_URI ({})", redact(uri)));
                check_own_mongo(uri).await?;
                self.mongodb_uri = uri.to_owned();
            }
            None => {
                let program = match on_path(path, "mongod") {
                    Some(program) => program,
                    None => fetcher.program(&MONGOD).await?,
                };
                let began = Instant::now();
                let (server, uri) = start_mongo(place, &program).await?;
                told_ready(&server, began);
                self.mongo = Some(server);
                self.mongodb_uri = uri;
            }
        }
        match variable(variables, "REDIS_URL") {
            Some(url) => {
                console::say(format_args!("Using the Redis of REDIS_URL ({})", redact(url)));
                check_own_redis(url).await?;
                self.redis_url = url.to_owned();
            }
            None => {
                let program = match on_path(path, "redis-server").or_else(|| on_path(path, "valkey-server")) {
                    Some(program) => program,
                    None => fetcher.program(&VALKEY).await?,
                };
                let began = Instant::now();
                let (server, url) = start_redis(place, &program).await?;
                told_ready(&server, began);
                self.redis = Some(server);
                self.redis_url = url;
            }
        }
        Ok(())
    }

    /// Stops what was started, MongoDB first; a server that ended by itself needs nothing.
    pub async fn stop(&mut self) {
        for server in [self.mongo.take(), self.redis.take()].into_iter().flatten() {
            server.stop().await;
        }
    }

    /// Waits until a server of ours ends without being asked to, and says so. It is not started again: whoever stopped it
    /// may want to see how the API does without.
    pub async fn watch(&mut self) {
        let ended = |server: &mut Option<Server>| match server {
            Some(server) => match server.child.try_wait() {
                Ok(Some(status)) => Some(format!(
                    "{} has ended ({}; its log: {}): requests that need it are refused until it is back",
                    server.title,
                    process::describe(status),
                    server.log.display()
                )),
                _ => None,
            },
            None => None,
        };
        loop {
            for server in [&mut self.mongo, &mut self.redis] {
                if let Some(line) = ended(server) {
                    console::warn(line);
                    // Its pid may belong to another process from here on.
                    if let Some(server) = server.take() {
                        drop(std::fs::remove_file(&server.pid_file));
                    }
                }
            }
            sleep(Duration::from_millis(250)).await;
        }
    }

    /// The process ids of the servers that are ours.
    pub fn pids(&self) -> Vec<u32> {
        [&self.mongo, &self.redis].into_iter().flatten().filter_map(|server| server.child.id()).collect()
    }
}

fn told_ready(server: &Server, began: Instant) {
    let pid = server.child.id().unwrap_or_default();
    console::say(format_args!("{} is up (pid {pid}, {} ms)", server.title, began.elapsed().as_millis()));
}

impl Server {
    /// Starts the program in `folder`, its output going to `log`.
    fn spawn(
        place: &Place,
        title: &'static str,
        program: &Path,
        folder: &Path,
        name: &str,
        arguments: &[String],
    ) -> Result<Self> {
        let log = place.home.join(format!("{name}.log"));
        let pid_file = place.home.join(format!("{name}.pid"));
        let open = || -> std::io::Result<(std::fs::File, std::fs::File)> {
            let file = std::fs::File::create(&log)?;
            Ok((file.try_clone()?, file))
        };
        let (out, err) = open().with_context(|| format!("{} cannot be written", log.display()))?;
        let child = process::command(program, place.setpriv.as_deref())
            .args(arguments)
            .current_dir(folder)
            .stdout(Stdio::from(out))
            .stderr(Stdio::from(err))
            .spawn()
            .with_context(|| format!("{} cannot be started", program.display()))?;
        let pid = child.id().unwrap_or_default();
        std::fs::write(&pid_file, pid.to_string())
            .with_context(|| format!("{} cannot be written", pid_file.display()))?;
        Ok(Self { title, child, pid_file, log })
    }

    async fn stop(mut self) {
        if let Ok(Some(_)) = self.child.try_wait() {
            drop(std::fs::remove_file(&self.pid_file));
            return;
        }
        let began = Instant::now();
        let orderly = process::stop(&mut self.child, STOP_PATIENCE).await;
        drop(std::fs::remove_file(&self.pid_file));
        let how = if orderly { "stopped" } else { "did not stop in time and was killed" };
        console::say(format_args!("{} {how} ({} ms)", self.title, began.elapsed().as_millis()));
    }

    /// `None` while the server runs; else why it ended, from its own log.
    fn ended(&mut self) -> Option<String> {
        let status = self.child.try_wait().ok().flatten()?;
        let text = std::fs::read(&self.log).unwrap_or_default();
        let text = String::from_utf8_lossy(&text);
        let why = last_words(&text);
        Some(format!(
            "{} ended at once ({}): {why} (its log: {})",
            self.title,
            process::describe(status),
            self.log.display()
        ))
    }

    fn pid(&self) -> i64 {
        self.child.id().map_or(-1, i64::from)
    }
}

/// The line of a server's log that says why it ended.
fn last_words(log: &str) -> String {
    let fatal = |line: &&str| {
        line.contains("\"s\":\"F\"")
            || line.contains("\"s\":\"E\"")
            || line.contains("error while loading")
            || line.contains("Fatal")
    };
    let lines = || log.lines().map(str::trim).filter(|line| !line.is_empty());
    let line = lines().find(fatal).or_else(|| lines().next_back()).unwrap_or("it wrote nothing");
    // mongod writes JSON; its message and reason are enough.
    let short = serde_json::from_str::<serde_json::Value>(line).ok().and_then(|value| {
        let text = |value: &serde_json::Value| {
            value.as_str().map(str::to_owned).unwrap_or_else(|| value.to_string())
        };
        let message = value.get("msg").map(text)?;
        let attributes = value.get("attr");
        let reason = attributes.and_then(|attr| attr.get("error").or(attr.get("reason"))).map(text);
        Some(reason.map_or(message.clone(), |reason| format!("{message}: {reason}")))
    });
    short.unwrap_or_else(|| line.to_owned()).chars().take(240).collect()
}

/// The port that a former run used, if it is free: a client that remembers it finds the server again.
fn choose_port(place: &Place, name: &str) -> Result<u16> {
    let file = place.home.join(format!("{name}.port"));
    let former = std::fs::read_to_string(&file).ok().and_then(|text| text.trim().parse::<u16>().ok());
    let port = match former.filter(|port| *port != 0 && process::is_free(*port)) {
        Some(port) => port,
        None => process::free_port().context("no free TCP port on 127.0.0.1")?,
    };
    std::fs::write(&file, port.to_string())
        .with_context(|| format!("{} cannot be written", file.display()))?;
    Ok(port)
}

fn forget_port(place: &Place, name: &str) {
    drop(std::fs::remove_file(place.home.join(format!("{name}.port"))));
}

async fn clear_leftover(place: &Place, name: &str, folder: &Path, programs: &[&str]) {
    let pid_file = place.home.join(format!("{name}.pid"));
    if let Some(pid) = process::stop_leftover(&pid_file, folder, programs, STOP_PATIENCE).await {
        console::say(format_args!("Stopped the {name} that a killed run left behind (pid {pid})"));
    }
    drop(std::fs::remove_file(pid_file));
}

/// Why a server that we started is not usable, and whether another port may help.
enum NotUp {
    /// A foreign program answers on the port, or took it before us.
    PortTaken,
    Failed(anyhow::Error),
}

// ---- MongoDB ---------------------------------------------------------------------------------------------------------

async fn start_mongo(place: &Place, program: &Path) -> Result<(Server, String)> {
    let folder = place.home.join("mongo");
    make_folder(&folder)?;
    clear_leftover(place, "mongod", &folder, MONGO_PROGRAMS).await;
    let version = mongo_version(place, program).await?;
    console::say(format_args!("Starting MongoDB {}.{} ({})", version.0, version.1, program.display()));
    for _ in 0..PORT_ATTEMPTS {
        let port = choose_port(place, "mongod")?;
        let arguments = mongo_arguments(place, &folder, port, version);
        let mut server = Server::spawn(place, "MongoDB", program, &folder, "mongod", &arguments)?;
        match mongo_up(&mut server, &folder, port).await {
            Ok(()) => return Ok((server, format!("mongodb://127.0.0.1:{port}/?replicaSet=rs0"))),
            Err(NotUp::PortTaken) => {
                process::stop(&mut server.child, STOP_PATIENCE).await;
                forget_port(place, "mongod");
            }
            Err(NotUp::Failed(error)) => {
                process::stop(&mut server.child, STOP_PATIENCE).await;
                drop(std::fs::remove_file(&server.pid_file));
                return Err(error);
            }
        }
    }
    bail!("MongoDB found no free port on 127.0.0.1 in {PORT_ATTEMPTS} attempts")
}

/// Major and minor version, which also shows that the program can run here at all.
async fn mongo_version(place: &Place, program: &Path) -> Result<(u32, u32)> {
    let output = process::output(program, &["--version".into()], place.setpriv.as_deref())
        .await
        .with_context(|| format!("{} cannot be run", program.display()))?;
    let text = String::from_utf8_lossy(&output.stdout);
    let version =
        text.lines().find_map(|line| line.trim().strip_prefix("db version v")).and_then(|version| {
            let mut parts = version.split('.').map(|part| part.parse::<u32>().ok());
            Some((parts.next()??, parts.next()??))
        });
    match version {
        Some(version) if version >= (4, 4) => Ok(version),
        Some((major, minor)) => {
            bail!(
                "{} is MongoDB {major}.{minor}, and 4.4 or newer is needed: {}",
                program.display(),
                MONGOD.instead
            )
        }
        None => {
            let words = last_words(&String::from_utf8_lossy(&output.stderr));
            bail!("{} does not run on this machine ({words}): {}", program.display(), MONGOD.instead)
        }
    }
}

fn mongo_arguments(place: &Place, folder: &Path, port: u16, version: (u32, u32)) -> Vec<String> {
    let mut arguments: Vec<String> =
        ["--bind_ip", "127.0.0.1", "--replSet", "rs0", "--nounixsocket", "--quiet"]
            .into_iter()
            .map(str::to_owned)
            .collect();
    let mut pair = |name: &str, value: String| arguments.extend([name.to_owned(), value]);
    pair("--dbpath", folder.display().to_string());
    pair("--port", port.to_string());
    pair("--wiredTigerCacheSizeGB", "0.25".to_owned());
    pair("--oplogSize", "256".to_owned());
    // All MongoDB work of a request ends within 2.5 s: a transaction that is older belongs to a killed process, and must
    // not lock its user's ledger for the default minute.
    pair("--setParameter", "transactionLifetimeLimitSeconds=5".to_owned());
    pair("--setParameter", "diagnosticDataCollectionEnabled=false".to_owned());
    if version >= (5, 0) {
        // A replica set of one has nobody to hand over to; the default waits 15 s for somebody.
        pair("--setParameter", "shutdownTimeoutMillisForSignaledShutdown=100".to_owned());
    }
    if place.purpose == Purpose::Test {
        pair("--setParameter", "enableTestCommands=1".to_owned());
        pair("--setParameter", "ttlMonitorSleepSecs=1".to_owned());
    }
    arguments
}

/// Waits until the mongod of `server` is the primary of its replica set.
async fn mongo_up(server: &mut Server, folder: &Path, port: u16) -> Result<(), NotUp> {
    let deadline = Instant::now() + START_PATIENCE;
    let mut options = ClientOptions::default();
    options.hosts = vec![ServerAddress::Tcp { host: "127.0.0.1".to_owned(), port: Some(port) }];
    options.direct_connection = Some(true);
    options.server_selection_timeout = Some(Duration::from_millis(500));
    options.connect_timeout = Some(ASK_PATIENCE);
    let mut client: Option<mongodb::Client> = None;
    loop {
        if let Some(reason) = server.ended() {
            if reason.contains("DBPathInUse") {
                return Err(NotUp::Failed(anyhow!(
                    "another mongod uses the data in {}: stop that one ({}), then run this again",
                    folder.display(),
                    holder(folder)
                )));
            }
            let taken = reason.contains("Address already in use");
            return Err(if taken { NotUp::PortTaken } else { NotUp::Failed(anyhow!(reason)) });
        }
        if Instant::now() > deadline {
            return Err(NotUp::Failed(anyhow!(
                "MongoDB did not become ready within {} s (its log: {})",
                START_PATIENCE.as_secs(),
                server.log.display()
            )));
        }
        // The driver would look at a refused port only every 500 ms; a look of our own sees it open at once.
        if tokio::net::TcpStream::connect(("127.0.0.1", port)).await.is_err() {
            sleep(POLL).await;
            continue;
        }
        let client = match &client {
            Some(client) => client,
            None => match mongodb::Client::with_options(options.clone()) {
                Ok(made) => client.insert(made),
                Err(error) => return Err(NotUp::Failed(anyhow!("MongoDB's driver does not start: {error}"))),
            },
        };
        if mongo_step(server, client, port).await? {
            return Ok(());
        }
        sleep(POLL).await;
    }
}

/// Who holds a data folder, by its lock file.
fn holder(folder: &Path) -> String {
    let text = std::fs::read_to_string(folder.join("mongod.lock")).unwrap_or_default();
    text.trim().parse::<u32>().map_or("its pid is unknown".to_owned(), |pid| format!("pid {pid}"))
}

/// Looks at the server and moves it one step on. True when it is the primary.
async fn mongo_step(server: &Server, client: &mongodb::Client, port: u16) -> Result<bool, NotUp> {
    let Ok(hello) = ask(client, doc! { "hello": 1 }).await else { return Ok(false) };
    if hello.get_bool("isWritablePrimary").unwrap_or(false) {
        let Ok(status) = ask(client, doc! { "serverStatus": 1, "metrics": 0, "wiredTiger": 0 }).await else {
            return Ok(false);
        };
        return if integer(&status, "pid") == Some(server.pid()) { Ok(true) } else { Err(NotUp::PortTaken) };
    }
    let host = format!("127.0.0.1:{port}");
    let member = doc! { "_id": 0, "host": &host };
    match ask(client, doc! { "replSetGetConfig": 1 }).await {
        Ok(answer) => {
            let Ok(config) = answer.get_document("config") else { return Ok(false) };
            let known = config.get_array("members").is_ok_and(|members| {
                members.iter().any(|member| {
                    member.as_document().and_then(|member| member.get_str("host").ok()) == Some(host.as_str())
                })
            });
            if !known {
                // The data was last used on another port.
                let version = integer(config, "version").unwrap_or(1).saturating_add(1);
                let mut config = config.clone();
                config.insert("version", version);
                config.insert("members", vec![Bson::Document(member)]);
                drop(ask(client, doc! { "replSetReconfig": config, "force": true }).await);
            }
        }
        // 94: no replica set yet. 23 to the initiation: it is being read from the disk; the next look sees it.
        Err(AskError::Command(94)) => {
            let config = doc! { "_id": "rs0", "members": [member] };
            drop(ask(client, doc! { "replSetInitiate": config }).await);
        }
        Err(_) => {}
    }
    Ok(false)
}

enum AskError {
    Command(i32),
    NoAnswer,
}

async fn ask(client: &mongodb::Client, command: Document) -> Result<Document, AskError> {
    match timeout(ASK_PATIENCE, client.database("admin").run_command(command)).await {
        Ok(Ok(answer)) => Ok(answer),
        Ok(Err(error)) => match error.kind.as_ref() {
            mongodb::error::ErrorKind::Command(command) => Err(AskError::Command(command.code)),
            _ => Err(AskError::NoAnswer),
        },
        Err(_) => Err(AskError::NoAnswer),
    }
}

fn integer(document: &Document, name: &str) -> Option<i64> {
    match document.get(name)? {
        Bson::Int32(number) => Some(i64::from(*number)),
        Bson::Int64(number) => Some(*number),
        _ => None,
    }
}

/// The user's own MongoDB answers, and knows transactions.
async fn check_own_mongo(uri: &str) -> Result<()> {
    let refused = |reason: String| anyhow!("MONGODB_URI ({}) {reason}", redact(uri));
    let mut options = timeout(OWN_PATIENCE, ClientOptions::parse(uri))
        .await
        .map_err(|_| refused("names a host that DNS does not know in time: correct or unset it".to_owned()))?
        .map_err(|error| refused(format!("cannot be used: {}", brief(&error))))?;
    options.server_selection_timeout = Some(OWN_PATIENCE);
    let client = mongodb::Client::with_options(options)
        .map_err(|error| refused(format!("cannot be used: {}", brief(&error))))?;
    let hello = timeout(
        OWN_PATIENCE + ASK_PATIENCE,
        client.database("admin").run_command(doc! { "hello": 1 }),
    )
    .await
    .map_err(|_| {
        refused("does not answer: start that MongoDB, or unset the variable to have one started".to_owned())
    })?
    .map_err(|error| {
        let reason = brief(&error);
        refused(format!(
            "does not answer ({reason}): start that MongoDB, or unset the variable to have one started"
        ))
    })?;
    client.shutdown().immediate(true).await;
    let transactions =
        hello.contains_key("setName") || hello.get_str("msg").is_ok_and(|kind| kind == "isdbgrid");
    if transactions {
        Ok(())
    } else {
        Err(refused(
            "is a standalone server, and transactions need a replica set: start it with --replSet, or unset the variable"
                .to_owned(),
        ))
    }
}

/// The driver's reason without its bookkeeping, and without credentials.
fn brief(error: &mongodb::error::Error) -> String {
    use mongodb::error::ErrorKind;
    match error.kind.as_ref() {
        ErrorKind::ServerSelection { .. } => {
            format!("no server answered within {} s", OWN_PATIENCE.as_secs())
        }
        ErrorKind::InvalidArgument { message, .. } => redact(message),
        ErrorKind::Authentication { message, .. } => redact(message),
        kind => redact(&kind.to_string()).lines().next().unwrap_or_default().chars().take(160).collect(),
    }
}

// ---- Redis -----------------------------------------------------------------------------------------------------------

async fn start_redis(place: &Place, program: &Path) -> Result<(Server, String)> {
    let folder = place.home.join("redis");
    make_folder(&folder)?;
    clear_leftover(place, "redis", &folder, REDIS_PROGRAMS).await;
    console::say(format_args!("Starting Redis ({})", program.display()));
    for _ in 0..PORT_ATTEMPTS {
        let port = choose_port(place, "redis")?;
        // A cache and rate limits: nothing that has to outlive a restart.
        let arguments: Vec<String> = [
            "--bind",
            "127.0.0.1",
            "--port",
            &port.to_string(),
            "--save",
            "",
            "--appendonly",
            "no",
            "--daemonize",
            "no",
        ]
        .into_iter()
        .map(str::to_owned)
        .collect();
        let mut server = Server::spawn(place, "Redis", program, &folder, "redis", &arguments)?;
        let url = format!("redis://127.0.0.1:{port}");
        match redis_up(&mut server, &url).await {
            Ok(()) => return Ok((server, url)),
            Err(NotUp::PortTaken) => {
                process::stop(&mut server.child, STOP_PATIENCE).await;
                forget_port(place, "redis");
            }
            Err(NotUp::Failed(error)) => {
                process::stop(&mut server.child, STOP_PATIENCE).await;
                drop(std::fs::remove_file(&server.pid_file));
                return Err(error);
            }
        }
    }
    bail!("Redis found no free port on 127.0.0.1 in {PORT_ATTEMPTS} attempts")
}

async fn redis_up(server: &mut Server, url: &str) -> Result<(), NotUp> {
    let deadline = Instant::now() + START_PATIENCE;
    loop {
        if let Some(reason) = server.ended() {
            let log = std::fs::read_to_string(&server.log).unwrap_or_default();
            let taken = log.contains("Address already in use") || log.contains("bind: ");
            return Err(if taken { NotUp::PortTaken } else { NotUp::Failed(anyhow!(reason)) });
        }
        if Instant::now() > deadline {
            return Err(NotUp::Failed(anyhow!(
                "Redis did not become ready within {} s (its log: {})",
                START_PATIENCE.as_secs(),
                server.log.display()
            )));
        }
        if let Ok(pid) = redis_pid(url, ASK_PATIENCE).await {
            return if pid == Some(server.pid()) { Ok(()) } else { Err(NotUp::PortTaken) };
        }
        sleep(POLL).await;
    }
}

/// The process id that the server behind `url` reports, once it answers PING.
async fn redis_pid(url: &str, patience: Duration) -> Result<Option<i64>> {
    let client = redis::Client::open(url)?;
    let info = timeout(patience, async {
        let mut connection = client.get_multiplexed_async_connection().await?;
        redis::cmd("PING").query_async::<String>(&mut connection).await?;
        redis::cmd("INFO").arg("server").query_async::<String>(&mut connection).await
    })
    .await??;
    Ok(info.lines().find_map(|line| line.strip_prefix("process_id:")?.trim().parse().ok()))
}

async fn check_own_redis(url: &str) -> Result<()> {
    // rediss:// needs the process's TLS provider, which the functions install; only reachability is looked at here.
    if let Err(error) = redis::Client::open(url) {
        bail!("REDIS_URL ({}) cannot be used: {error}: correct or unset it", redact(url));
    }
    if url.starts_with("rediss://") {
        return Ok(());
    }
    let client = redis::Client::open(url)?;
    let ping = timeout(OWN_PATIENCE, async {
        let mut connection = client.get_multiplexed_async_connection().await?;
        redis::cmd("PING").query_async::<String>(&mut connection).await
    });
    let reason = match ping.await {
        Ok(Ok(_)) => return Ok(()),
        Ok(Err(error)) => error.to_string(),
        Err(_) => "no answer".to_owned(),
    };
    bail!(
        "REDIS_URL ({}) does not answer ({reason}): start that Redis, or unset the variable to have one started",
        redact(url)
    )
}

/// Empties the data of `home`, not its lock. Only when nothing uses it.
pub async fn forget(home: &Path) -> Result<()> {
    let home = std::path::absolute(home).context("the folder for the databases cannot be named")?;
    let place = Place { home, purpose: Purpose::Run, setpriv: None };
    for (name, folder, programs) in [("mongod", "mongo", MONGO_PROGRAMS), ("redis", "redis", REDIS_PROGRAMS)]
    {
        let folder = place.home.join(folder);
        clear_leftover(&place, name, &folder, programs).await;
        remove_folder(&folder)?;
        forget_port(&place, name);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_that_ended_is_quoted_in_one_short_line() {
        let log = "{\"s\":\"I\",\"msg\":\"starting\"}\n{\"s\":\"E\",\"msg\":\"Failed to set up listener\",\"attr\":{\"error\":\"SocketException: Address already in use\"}}\n{\"s\":\"I\",\"msg\":\"bye\"}\n";
        assert_eq!(last_words(log), "Failed to set up listener: SocketException: Address already in use");
        assert_eq!(
            last_words(
                "mongod: error while loading shared libraries: libcrypto.so.3: cannot open shared object file\n"
            ),
            "mongod: error while loading shared libraries: libcrypto.so.3: cannot open shared object file"
        );
        assert_eq!(last_words(""), "it wrote nothing");
    }

    #[test]
    fn a_killed_request_cannot_lock_a_ledger_for_long() {
        let place = Place { home: "/h".into(), purpose: Purpose::Run, setpriv: None };
        let run = mongo_arguments(&place, Path::new("/h/mongo"), 4000, (6, 0));
        assert!(run.contains(&"transactionLifetimeLimitSeconds=5".to_owned()));
        assert!(!run.contains(&"enableTestCommands=1".to_owned()), "fail points are for tests only");
        let test =
            mongo_arguments(&Place { purpose: Purpose::Test, ..place }, Path::new("/h/mongo"), 4000, (4, 4));
        assert!(test.contains(&"ttlMonitorSleepSecs=1".to_owned()));
        assert!(!test.iter().any(|argument| argument.contains("shutdownTimeout")), "4.4 does not know it");
    }
}
