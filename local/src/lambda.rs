//! The real binaries behind the gateway: for each function a few processes of the Lambda runtime interface emulator, each
//! with one bootstrap. Lambda gives an execution environment one request at a time and adds environments under load; so
//! does a pool, up to a small cap, with a queue before it.
//!
//! Must never send an emulator a second request while it has one: it would crash.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, anyhow, bail};
use bytes::Bytes;
use http::Request;
use http_body_util::{BodyExt, Full};
use hyper_util::rt::TokioIo;
use rustix::process::Signal;
use serde_json::Value;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::net::TcpStream;
use tokio::process::{Child, ChildStdout};
use tokio::sync::{Mutex, Semaphore};
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep, timeout};

use crate::console;
use crate::fetch::{Fetcher, RUNTIME_EMULATOR};
use crate::process::{self, POLL, on_path};
use crate::template::Function;
use crate::workspace::{Variables, Workspace};

/// Execution environments of one function at once.
const ENVIRONMENTS_MAX: usize = 4;
/// How long an emulator may take until it accepts a request.
const START_PATIENCE: Duration = Duration::from_secs(10);
/// What an invocation may take beyond its function's timeout: the first one starts the bootstrap.
const INIT_ALLOWANCE: Duration = Duration::from_secs(10);
/// A function has 500 ms after Lambda's SIGTERM; a little more costs nothing here.
const STOP_PATIENCE: Duration = Duration::from_secs(2);
/// How long the last lines of an ended environment may take.
const LAST_LINES_PATIENCE: Duration = Duration::from_millis(500);
/// Another program can take a port between its choice and its use.
const PORT_ATTEMPTS: u32 = 5;

/// Takes each line that a binary writes to its standard output, without the line break.
pub type Lines = Arc<dyn Fn(&[u8]) + Send + Sync>;

/// The pools of all functions.
pub struct Pools {
    pools: HashMap<String, Pool>,
}

struct Pool {
    function: Function,
    program: Arc<Program>,
    bootstrap: PathBuf,
    /// One permit for each environment that may be busy; waiting for one is the queue, first come first served.
    turns: Semaphore,
    idle: Mutex<Vec<Environment>>,
}

/// How an emulator is started.
struct Program {
    emulator: PathBuf,
    setpriv: Option<PathBuf>,
    variables: Variables,
    lines: Option<Lines>,
}

struct Environment {
    child: Child,
    port: u16,
    /// Passes its lines on until its end.
    reader: Option<JoinHandle<()>>,
}

impl Pools {
    /// Every function has its binary.
    ///
    /// # Errors
    /// One line that names the first one without.
    pub fn check_built(workspace: &Workspace, functions: &[Function]) -> Result<()> {
        for function in functions {
            let bootstrap = workspace.bootstrap(&function.name);
            if !process::is_executable(&bootstrap) {
                bail!("{} is not there: run make build first", workspace.short(&bootstrap));
            }
        }
        Ok(())
    }

    /// Finds the emulator; starts nothing yet. The binaries have the environment `variables`, nothing else of ours. Their
    /// standard output goes to `lines`, or to ours.
    ///
    /// # Errors
    /// One line when it cannot be had.
    pub async fn prepare(
        workspace: &Workspace,
        environment: &Variables,
        variables: Variables,
        functions: &[Function],
        bootstrap: impl Fn(&str) -> PathBuf,
        lines: Option<Lines>,
    ) -> Result<Self> {
        let path = environment.get("PATH").map(String::as_str);
        let emulator =
            match on_path(path, "aws-lambda-rie-x86_64").or_else(|| on_path(path, "aws-lambda-rie")) {
                Some(program) => program,
                None => Fetcher::new(workspace, environment).program(&RUNTIME_EMULATOR).await?,
            };
        console::say(format_args!("Using the Lambda emulator {}", emulator.display()));
        let program = Arc::new(Program { emulator, setpriv: on_path(path, "setpriv"), variables, lines });
        let pool = |function: &Function| Pool {
            function: function.clone(),
            program: Arc::clone(&program),
            bootstrap: bootstrap(&function.name),
            turns: Semaphore::new(ENVIRONMENTS_MAX),
            idle: Mutex::new(Vec::new()),
        };
        Ok(Self { pools: functions.iter().map(|function| (function.name.clone(), pool(function))).collect() })
    }

    /// One invocation; its answer's bytes, or why it failed.
    pub async fn invoke(&self, function: &Function, event: &Value) -> Result<Vec<u8>, String> {
        let Some(pool) = self.pools.get(&function.name) else {
            return Err(format!("there is no binary of {}", function.name));
        };
        pool.invoke(event.to_string()).await
    }

    /// Ends every environment, all at once.
    pub async fn stop(&self) {
        let mut environments = Vec::new();
        for pool in self.pools.values() {
            // Closed first: an invocation that still waits for its turn gets none.
            pool.turns.close();
            environments.append(&mut *pool.idle.lock().await);
        }
        let count = environments.len();
        for environment in &environments {
            process::signal(&environment.child, Signal::TERM);
        }
        let deadline = Instant::now() + STOP_PATIENCE;
        for environment in environments {
            while environment.is_alive() && Instant::now() < deadline {
                sleep(POLL).await;
            }
            environment.discard().await;
        }
        if count > 0 {
            console::say(format_args!("{count} execution environments stopped"));
        }
    }
}

impl Pool {
    async fn invoke(&self, event: String) -> Result<Vec<u8>, String> {
        let _turn = self.turns.acquire().await.map_err(|_| "the server is stopping".to_owned())?;
        let idle = self.idle.lock().await.pop();
        let environment = match idle.filter(Environment::is_alive) {
            Some(environment) => environment,
            None => self
                .program
                .start(&self.function, &self.bootstrap)
                .await
                .map_err(|error| format!("{error:#}"))?,
        };
        let patience = self.function.timeout + INIT_ALLOWANCE;
        let answer = match timeout(patience, environment.invoke(event)).await {
            Ok(Ok(answer)) => answer,
            Ok(Err(error)) => {
                environment.discard().await;
                return Err(format!("the emulator broke off: {error:#}"));
            }
            Err(_) => {
                environment.discard().await;
                return Err(format!("no answer within {} s", patience.as_secs()));
            }
        };
        // Errors and timeouts come as 200. The environment of one that ended or timed out is of no more use.
        if is_answer(&answer) {
            self.idle.lock().await.push(environment);
        } else {
            environment.discard().await;
        }
        Ok(answer)
    }
}

/// Whether the emulator's text is what a function returned, rather than the emulator's report of its end.
pub fn is_answer(answer: &[u8]) -> bool {
    serde_json::from_slice::<Value>(answer).is_ok_and(|value| value.get("errorType").is_none())
}

impl Program {
    async fn start(&self, function: &Function, bootstrap: &Path) -> Result<Environment> {
        for _ in 0..PORT_ATTEMPTS {
            let (Ok(port), Ok(api)) = (process::free_port(), process::free_port()) else {
                bail!("no free TCP port on 127.0.0.1");
            };
            let mut command = process::command(&self.emulator, self.setpriv.as_deref());
            command
                .args(["--log-level", "error"])
                .args(["--runtime-interface-emulator-address", &format!("127.0.0.1:{port}")])
                .args(["--runtime-api-address", &format!("127.0.0.1:{api}")])
                .arg(bootstrap)
                .env_clear()
                .envs(&self.variables)
                .env("AWS_LAMBDA_FUNCTION_NAME", &function.name)
                .env("AWS_LAMBDA_FUNCTION_VERSION", "$LATEST")
                .env("AWS_LAMBDA_FUNCTION_TIMEOUT", function.timeout.as_secs().to_string())
                .env("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", function.memory_mb.to_string());
            if self.lines.is_some() {
                command.stdout(Stdio::piped());
            }
            let mut child =
                command.spawn().with_context(|| format!("{} cannot be started", self.emulator.display()))?;
            let output = child.stdout.take().zip(self.lines.clone());
            let reader = output.map(|(output, lines)| tokio::spawn(pass_on(output, lines)));
            let mut environment = Environment { child, port, reader };
            if environment.accepts().await? {
                return Ok(environment);
            }
            environment.discard().await;
        }
        bail!("the emulator of {} did not start in {PORT_ATTEMPTS} attempts", function.name)
    }
}

async fn pass_on(output: ChildStdout, lines: Lines) {
    let mut output = BufReader::new(output);
    let mut line = Vec::new();
    while output.read_until(b'\n', &mut line).await.is_ok_and(|read| read > 0) {
        lines(line.trim_ascii_end());
        line.clear();
    }
}

impl Environment {
    /// Waits until the emulator listens. False when it ended, as it does when its port is taken.
    async fn accepts(&mut self) -> Result<bool> {
        let deadline = Instant::now() + START_PATIENCE;
        loop {
            if self.child.try_wait().context("the emulator cannot be waited for")?.is_some() {
                return Ok(false);
            }
            if TcpStream::connect(("127.0.0.1", self.port)).await.is_ok() {
                // Whoever answers is ours only if ours is still there.
                return Ok(self.child.try_wait().context("the emulator cannot be waited for")?.is_none());
            }
            if Instant::now() > deadline {
                return Err(anyhow!("the emulator did not listen within {} s", START_PATIENCE.as_secs()));
            }
            sleep(POLL).await;
        }
    }

    async fn invoke(&self, event: String) -> Result<Vec<u8>> {
        let stream = TcpStream::connect(("127.0.0.1", self.port)).await?;
        let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await?;
        let connection = tokio::spawn(connection);
        let request = Request::post("/2015-03-31/functions/function/invocations")
            .header("host", format!("127.0.0.1:{}", self.port))
            .header("content-type", "application/json")
            .body(Full::new(Bytes::from(event)))?;
        let answer = sender.send_request(request).await?;
        let body = answer.into_body().collect().await?.to_bytes();
        connection.abort();
        Ok(body.to_vec())
    }

    /// Whether the emulator has not ended. Does not wait for it, so that its process group stays ours to signal.
    fn is_alive(&self) -> bool {
        self.child.id().and_then(|id| i32::try_from(id).ok()).is_some_and(process::is_alive)
    }

    /// Ends the emulator and whatever it started, at once.
    async fn discard(mut self) {
        process::signal_group(&self.child, Signal::KILL);
        drop(self.child.wait().await);
        if let Some(reader) = self.reader.take() {
            // What it wrote last is still in the pipe; a stray child that holds the pipe open is not waited for.
            drop(timeout(LAST_LINES_PATIENCE, reader).await);
        }
    }
}

/// An invocation that is given up takes its environment along, the bootstrap included.
impl Drop for Environment {
    fn drop(&mut self) {
        process::signal_group(&self.child, Signal::KILL);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_emulators_reports_are_told_from_answers() {
        assert!(is_answer(br#"{"statusCode":500,"body":"{}"}"#));
        assert!(!is_answer(br#"{"errorType":"Runtime.ExitError","errorMessage":"exit status 1"}"#));
        assert!(!is_answer(b"Task timed out after 3.00 seconds"));
    }
}
