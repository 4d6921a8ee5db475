//! The AWS APIs of a test run: a real server of Secrets Manager and S3 (moto) on a free port, in a Python environment of
//! its own whose packages are pinned by hash. Must never be reachable from another machine, nor hand a test credentials
//! that are good anywhere else.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::process::Child;
use tokio::time::{Instant, sleep, timeout};

use crate::console::say;
use crate::process::{self, POLL, on_path};
use crate::workspace::{Lock, Variables, Workspace, make_folder, remove_folder};

/// What is installed; its hash names the environment's folder, so that a change makes a new one.
const REQUIREMENTS: &str = include_str!("../requirements/aws.txt");
const START_PATIENCE: Duration = Duration::from_secs(60);
const STOP_PATIENCE: Duration = Duration::from_secs(5);
const PORT_ATTEMPTS: u32 = 5;

/// The server, and what a client of it needs.
pub struct AwsApis {
    pub endpoint: String,
    child: Child,
}

impl AwsApis {
    /// Starts it; its log goes below `home`.
    ///
    /// # Errors
    /// One line that says what to do.
    pub async fn start(workspace: &Workspace, variables: &Variables, home: &Path) -> Result<Self> {
        let program = installed(workspace, variables).await?;
        let log = home.join("aws.log");
        let path = variables.get("PATH").map(String::as_str);
        for _ in 0..PORT_ATTEMPTS {
            let port = process::free_port().context("no free TCP port on 127.0.0.1")?;
            let file = std::fs::File::create(&log)
                .with_context(|| format!("{} cannot be written", log.display()))?;
            let error = file.try_clone().with_context(|| format!("{} cannot be written", log.display()))?;
            let mut child = process::command(&program, on_path(path, "setpriv").as_deref())
                .args(["-H", "127.0.0.1", "-p", &port.to_string()])
                .stdout(Stdio::from(file))
                .stderr(Stdio::from(error))
                .spawn()
                .with_context(|| format!("{} cannot be started", program.display()))?;
            if is_up(&mut child, port).await {
                say(format_args!(
                    "The AWS APIs of the tests are up (pid {})",
                    child.id().unwrap_or_default()
                ));
                return Ok(Self { endpoint: format!("http://127.0.0.1:{port}"), child });
            }
            process::stop(&mut child, STOP_PATIENCE).await;
        }
        bail!("the AWS APIs of the tests did not start (their log: {})", log.display())
    }

    /// The environment of a process that uses it.
    pub fn variables(&self) -> [(&'static str, &str); 4] {
        [
            ("AWS_ENDPOINT_URL", &self.endpoint),
            ("AWS_REGION", "us-east-1"),
            ("AWS_ACCESS_KEY_ID", "test"),
            ("AWS_SECRET_ACCESS_KEY", "test"),
        ]
    }

    pub async fn stop(mut self) {
        process::stop(&mut self.child, STOP_PATIENCE).await;
    }
}

/// Whether the child answers on the port; false where it ended, as it does when another program has the port.
async fn is_up(child: &mut Child, port: u16) -> bool {
    let until = Instant::now() + START_PATIENCE;
    while Instant::now() < until {
        if child.try_wait().ok().flatten().is_some() {
            return false;
        }
        if timeout(Duration::from_secs(2), answers(port))
            .await
            .is_ok_and(|answer| answer.is_ok_and(|yes| yes))
        {
            return true;
        }
        sleep(POLL).await;
    }
    false
}

async fn answers(port: u16) -> std::io::Result<bool> {
    let mut stream = tokio::net::TcpStream::connect(("127.0.0.1", port)).await?;
    stream.write_all(b"GET /moto-api/ HTTP/1.0\r\nhost: localhost\r\n\r\n").await?;
    let mut answer = [0u8; 12];
    stream.read_exact(&mut answer).await?;
    Ok(answer.ends_with(b" 200"))
}

/// The server's program, installed unless it is there already.
async fn installed(workspace: &Workspace, variables: &Variables) -> Result<PathBuf> {
    let hash = shared::crypto::sha256(&[REQUIREMENTS.as_bytes()]);
    let name: String = hash.iter().take(6).map(|byte| format!("{byte:02x}")).collect();
    let folder = workspace.programs().join(format!("aws-{name}"));
    let (program, ready) = (folder.join("bin/moto_server"), folder.join("ready"));
    if ready.is_file() {
        return Ok(program);
    }
    let path = variables.get("PATH").map(String::as_str);
    let python = on_path(path, "python3")
        .context("python3 is missing: install it (Debian: apt install python3 python3-pip python3-venv)")?;
    make_folder(&workspace.programs())?;
    let _lock = loop {
        match Lock::try_take(&workspace.programs().join(".aws-lock"))? {
            Some(lock) => break lock,
            None => sleep(POLL).await,
        }
    };
    if ready.is_file() {
        return Ok(program);
    }
    say("Installing the AWS APIs of the tests (once, some 30 MB)");
    // What a run that was killed has left is of no use.
    remove_folder(&folder)?;
    let requirements = workspace.programs().join("aws-requirements.txt");
    std::fs::write(&requirements, REQUIREMENTS)
        .with_context(|| format!("{} cannot be written", requirements.display()))?;
    run(&python, &["-m", "venv", &folder.to_string_lossy()]).await?;
    let pip = ["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--require-hashes", "-r"];
    let file = requirements.to_string_lossy();
    run(&folder.join("bin/python3"), &[&pip[..], &[&*file]].concat()).await?;
    std::fs::write(&ready, "").with_context(|| format!("{} cannot be written", ready.display()))?;
    Ok(program)
}

async fn run(program: &Path, arguments: &[&str]) -> Result<()> {
    let arguments: Vec<_> = arguments.iter().map(std::ffi::OsString::from).collect();
    let output = process::output(program, &arguments, None)
        .await
        .with_context(|| format!("{} cannot be run", program.display()))?;
    if !output.status.success() {
        let text = String::from_utf8_lossy(&output.stderr);
        let last = text.lines().rfind(|line| !line.trim().is_empty()).unwrap_or("it says nothing");
        bail!("the AWS APIs of the tests cannot be installed: {last} (Debian: apt install python3-venv)");
    }
    Ok(())
}
