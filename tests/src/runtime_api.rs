//! Lambda's Runtime API and Extensions API on 127.0.0.1, for one process of one function: tells when the process asks for
//! work and when it answers, to the microsecond. Must never be slower to answer than the function is to ask: it measures.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use bytes::Bytes;
use http::{Method, Request, Response, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use shared::clock::Clock;
use shared::ids;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Mutex, mpsc};
use tokio::task::JoinHandle;

/// What the process did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Act {
    /// Registered an extension: Lambda will send it SIGTERM.
    Registered,
    /// Asked for an invocation.
    Next,
    /// Answered one.
    Answered(Bytes),
    /// Reported that an invocation, or its own start, failed.
    Failed(Bytes),
}

/// An act, and when its first bytes were here.
#[derive(Clone, Debug)]
pub struct Seen {
    pub at: Instant,
    pub act: Act,
}

/// The server. One process at a time may use it.
pub struct RuntimeApi {
    pub address: SocketAddr,
    seen: mpsc::UnboundedReceiver<Seen>,
    events: mpsc::UnboundedSender<String>,
    server: JoinHandle<()>,
}

struct Side {
    seen: mpsc::UnboundedSender<Seen>,
    events: Mutex<mpsc::UnboundedReceiver<String>>,
    timeout: Duration,
}

impl RuntimeApi {
    /// Listens on a free port; every invocation may take `timeout`.
    pub async fn start(timeout: Duration) -> Result<Self> {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
        let address = listener.local_addr()?;
        let (tell, seen) = mpsc::unbounded_channel();
        let (events, queue) = mpsc::unbounded_channel();
        let side = Arc::new(Side { seen: tell, events: Mutex::new(queue), timeout });
        let server = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(serve(stream, side.clone()));
            }
        });
        Ok(Self { address, seen, events, server })
    }

    /// What a function's process finds in its environment on Lambda.
    pub fn variables(&self, function: &str) -> Vec<(&'static str, String)> {
        vec![
            ("AWS_LAMBDA_RUNTIME_API", self.address.to_string()),
            ("AWS_LAMBDA_FUNCTION_NAME", function.to_owned()),
            ("AWS_LAMBDA_FUNCTION_VERSION", "7".to_owned()),
            ("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "512".to_owned()),
            ("AWS_LAMBDA_LOG_GROUP_NAME", format!("/aws/lambda/{function}")),
            ("AWS_LAMBDA_LOG_STREAM_NAME", "local".to_owned()),
            ("AWS_LAMBDA_INITIALIZATION_TYPE", "on-demand".to_owned()),
        ]
    }

    /// Queues an invocation.
    pub fn send(&self, event: &str) {
        // The receiver lives as long as the server's task.
        drop(self.events.send(event.to_owned()));
    }

    /// The next act of the process.
    ///
    /// # Errors
    /// There is none within `patience`.
    pub async fn next(&mut self, patience: Duration) -> Result<Seen> {
        let seen = tokio::time::timeout(patience, self.seen.recv()).await;
        seen.ok().flatten().with_context(|| format!("the function did nothing for {} s", patience.as_secs()))
    }

    /// The process's next question for work; what it did before is passed over.
    ///
    /// # Errors
    /// It fails, or does not ask.
    pub async fn until_next(&mut self, patience: Duration) -> Result<Instant> {
        loop {
            match self.next(patience).await? {
                Seen { at, act: Act::Next } => return Ok(at),
                Seen { act: Act::Failed(report), .. } => {
                    bail!("it failed: {}", String::from_utf8_lossy(&report))
                }
                Seen { act: Act::Registered | Act::Answered(_), .. } => {}
            }
        }
    }

    /// The answer to the invocation under way, and when it came.
    ///
    /// # Errors
    /// It fails, or does not answer.
    pub async fn until_answer(&mut self, patience: Duration) -> Result<(Instant, serde_json::Value)> {
        loop {
            match self.next(patience).await? {
                Seen { at, act: Act::Answered(answer) } => {
                    return Ok((at, serde_json::from_slice(&answer).context("the answer is not JSON")?));
                }
                Seen { act: Act::Failed(report), .. } => {
                    bail!("it failed: {}", String::from_utf8_lossy(&report))
                }
                Seen { act: Act::Registered | Act::Next, .. } => {}
            }
        }
    }
}

impl Drop for RuntimeApi {
    fn drop(&mut self) {
        self.server.abort();
    }
}

async fn serve(stream: TcpStream, side: Arc<Side>) {
    drop(stream.set_nodelay(true));
    let service = service_fn(move |request| answer(request, side.clone()));
    // A process that is killed breaks its connections off.
    drop(hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), service).await);
}

async fn answer(request: Request<Incoming>, side: Arc<Side>) -> Result<Response<Full<Bytes>>> {
    let at = Instant::now();
    let path = request.uri().path().to_owned();
    let tell = |act: Act| drop(side.seen.send(Seen { at, act }));
    match (request.method(), path.as_str()) {
        (&Method::GET, "/2018-06-01/runtime/invocation/next") => {
            tell(Act::Next);
            match side.events.lock().await.recv().await {
                Some(event) => invocation(event, side.timeout),
                None => std::future::pending().await,
            }
        }
        (&Method::POST, "/2020-01-01/extension/register") => {
            tell(Act::Registered);
            let answer = Response::builder()
                .header("lambda-extension-identifier", "11111111-1111-4111-8111-111111111111");
            Ok(answer.body(Full::from(
                r#"{"functionName":"function","functionVersion":"$LATEST","handler":"bootstrap"}"#,
            ))?)
        }
        // No event is ever sent: the extension registered for none.
        (&Method::GET, "/2020-01-01/extension/event/next") => std::future::pending().await,
        (&Method::POST, path) if path.starts_with("/2018-06-01/runtime/") => {
            let answered = path.ends_with("/response");
            let body = request.into_body().collect().await?.to_bytes();
            tell(if answered { Act::Answered(body) } else { Act::Failed(body) });
            Ok(Response::builder().status(StatusCode::ACCEPTED).body(Full::default())?)
        }
        _ => Ok(Response::builder().status(StatusCode::NOT_FOUND).body(Full::default())?),
    }
}

fn invocation(event: String, timeout: Duration) -> Result<Response<Full<Bytes>>> {
    let clock = Clock::system();
    let deadline = u128::from(clock.now_ms().unsigned_abs()) + timeout.as_millis();
    Ok(Response::builder()
        .header("content-type", "application/json")
        .header("lambda-runtime-aws-request-id", ids::new_id(&clock).to_string())
        .header("lambda-runtime-deadline-ms", deadline.to_string())
        .header(
            "lambda-runtime-invoked-function-arn",
            "arn:aws:lambda:us-east-1:000000000000:function:function",
        )
        .header("lambda-runtime-trace-id", "Root=1-00000000-000000000000000000000000;Sampled=0")
        .body(Full::from(event))?)
}
