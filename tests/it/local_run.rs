//! `make run` as a process: its end after a signal, and the files of its log.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::{Duration, Instant};

use local::process;
use rustix::process::Signal;
use serde_json::Value;
use tests::scratch::Scratch;
use tests::{TestApp, canary};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader, Lines};
use tokio::net::TcpStream;
use tokio::process::{Child, ChildStdout};

use crate::root;

const PATIENCE: Duration = Duration::from_secs(30);

/// The `local` of this build: its folder is this test's.
pub(crate) fn program() -> PathBuf {
    let program = std::env::current_exe().unwrap().ancestors().nth(2).unwrap().join("local");
    assert!(process::is_executable(&program), "{} is missing: cargo build -p local", program.display());
    program
}

/// A checkout of its own, as far as the command needs one.
struct Checkout(Scratch);

impl Checkout {
    fn new() -> Self {
        let folder = Scratch::make();
        std::fs::create_dir_all(folder.path().join("local")).unwrap();
        std::fs::write(folder.path().join("local/Cargo.toml"), "").unwrap();
        std::fs::copy(root().join("template.yaml"), folder.path().join("template.yaml")).unwrap();
        Self(folder)
    }

    fn path(&self) -> &Path {
        self.0.path()
    }
}

struct Server {
    child: Child,
    lines: Lines<BufReader<ChildStdout>>,
    said: Vec<String>,
    port: u16,
    checkout: Checkout,
}

impl Server {
    async fn start(app: &TestApp) -> Self {
        let checkout = Checkout::new();
        let port = process::free_port().unwrap();
        let mut child = process::command(&program(), None)
            .arg("run")
            .env_clear()
            .envs(app.variables())
            .env("APP_ENV", "development")
            .env("PORT", port.to_string())
            .current_dir(checkout.path())
            .stdout(Stdio::piped())
            .stderr(Stdio::inherit())
            .spawn()
            .unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let mut server = Self { child, lines, said: Vec::new(), port, checkout };
        server.until("FinTrack Pro answers").await;
        server
    }

    /// Reads on until a line says so.
    async fn until(&mut self, words: &str) {
        while let Some(line) = tokio::time::timeout(PATIENCE, self.lines.next_line()).await.unwrap().unwrap()
        {
            let found = line.contains(words);
            self.said.push(line);
            if found {
                return;
            }
        }
        panic!("it ended without {words}: {:?}", self.said);
    }

    async fn end(mut self) -> (Option<i32>, Vec<String>, Checkout) {
        while let Some(line) = tokio::time::timeout(PATIENCE, self.lines.next_line()).await.unwrap().unwrap()
        {
            self.said.push(line);
        }
        let status = tokio::time::timeout(PATIENCE, self.child.wait()).await.unwrap().unwrap();
        (status.code(), self.said, self.checkout)
    }

    /// A log-in whose body has come half: it is in flight for as long as the other half is kept back.
    async fn half_a_request(&self) -> (TcpStream, &'static str) {
        let (first, second) =
            (r#"{"email":"nobody-here@example.com","#, r#""password":"wrong horse battery"}"#);
        let length = first.len() + second.len();
        let mut stream = TcpStream::connect(("127.0.0.1", self.port)).await.unwrap();
        let head = format!(
            "POST /api/v1/auth/login HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n\
             Expect: 100-continue\r\nContent-Length: {length}\r\n\r\n"
        );
        stream.write_all(head.as_bytes()).await.unwrap();
        // The server answers this once it waits for the body: from here on the request is in flight.
        let mut answer = [0u8; 25];
        stream.read_exact(&mut answer).await.unwrap();
        assert_eq!(&answer, b"HTTP/1.1 100 Continue\r\n\r\n");
        stream.write_all(first.as_bytes()).await.unwrap();
        (stream, second)
    }
}

/// The steps of the shutdown in a log.
fn steps(lines: &str) -> Vec<String> {
    let lines = lines.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    lines
        .filter(|line| line["message"] == "shutdown" && line["service"] == "local")
        .map(|line| line["step"].as_str().unwrap().to_owned())
        .collect()
}

#[tokio::test]
async fn after_sigterm_what_is_in_flight_is_answered_nothing_new_is_taken_and_a_second_signal_is_harmless() {
    let app = TestApp::start().await;
    let mut server = Server::start(&app).await;
    let (mut stream, rest) = server.half_a_request().await;
    process::signal(&server.child, Signal::TERM);
    server.until("No new requests are accepted").await;
    process::signal(&server.child, Signal::TERM);
    server.until("already stopping").await;
    assert!(TcpStream::connect(("127.0.0.1", server.port)).await.is_err(), "a new request is refused");
    stream.write_all(rest.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 401") && answer.contains("invalid_credentials"), "{answer}");
    let port = server.port;
    let (status, said, checkout) = server.end().await;
    assert_eq!(status, Some(0), "{said:?}");
    assert!(said.iter().any(|line| line == "All requests are answered"), "{said:?}");
    // Both files are below the port's folder: this is not the default port.
    let combined =
        std::fs::read_to_string(checkout.path().join(format!("logs/{port}/combined.log"))).unwrap();
    canary::check(&combined);
    assert_eq!(steps(&combined), ["http", "closing", "mongodb", "redis", "closed"], "{combined}");
    let completed = combined.lines().filter(|line| line.contains("request completed"));
    assert_eq!(completed.count(), 1, "{combined}");
    let on_the_terminal: String =
        said.iter().filter(|line| line.starts_with('{')).map(|line| format!("{line}\n")).collect();
    assert_eq!(combined, on_the_terminal, "the terminal's lines are the file's where it is no terminal");
}

#[tokio::test]
async fn ctrl_c_stops_it_as_sigterm_does() {
    let app = TestApp::start().await;
    let server = Server::start(&app).await;
    process::signal(&server.child, Signal::INT);
    let (status, said, _checkout) = server.end().await;
    assert_eq!(status, Some(0), "{said:?}");
    assert!(said.iter().any(|line| line.contains("\"step\":\"closed\"")), "{said:?}");
}

#[tokio::test]
async fn a_request_that_hangs_holds_the_local_server_for_10_s_and_no_longer() {
    let app = TestApp::start().await;
    let mut server = Server::start(&app).await;
    let (stream, _) = server.half_a_request().await;
    process::signal(&server.child, Signal::TERM);
    let asked = Instant::now();
    server.until("Some requests did not end within 10 s").await;
    let (status, said, _checkout) = server.end().await;
    let took = asked.elapsed();
    assert_eq!(status, Some(0), "{said:?}");
    assert!(took > Duration::from_secs(9) && took < Duration::from_secs(12), "{} ms", took.as_millis());
    drop(stream);
}
