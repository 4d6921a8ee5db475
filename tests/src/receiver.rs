//! Whoever is told of the service by itself: a collector of traces, or Sentry. Takes what is sent, over HTTP on loopback,
//! and looks at every byte of it as the log is looked at. Must never answer before it has kept what it was sent.

use std::convert::Infallible;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use http::{HeaderMap, Request, Response, StatusCode};
use http_body_util::{BodyExt, Empty};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::net::TcpListener;

use crate::canary;

/// How it answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answers {
    With(StatusCode),
    Never,
}

/// One request that it was sent.
#[derive(Clone, Debug)]
pub struct Sent {
    pub path: String,
    pub headers: HeaderMap,
    pub body: Bytes,
}

#[derive(Default)]
struct Seen {
    sent: Mutex<Vec<Sent>>,
    connections: AtomicUsize,
}

pub struct Receiver {
    pub port: u16,
    seen: Arc<Seen>,
}

impl Receiver {
    pub async fn start(answers: Answers) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let port = listener.local_addr().expect("an address").port();
        let seen = Arc::<Seen>::default();
        let kept = seen.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                kept.connections.fetch_add(1, Ordering::SeqCst);
                let kept = kept.clone();
                let service = service_fn(move |request| take(kept.clone(), answers, request));
                tokio::spawn(http1::Builder::new().serve_connection(TokioIo::new(stream), service));
            }
        });
        Self { port, seen }
    }

    /// Its base URL.
    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// Its Sentry DSN.
    pub fn dsn(&self) -> String {
        format!("http://0123456789abcdef@127.0.0.1:{}/42", self.port)
    }

    /// What it was sent so far.
    pub fn sent(&self) -> Vec<Sent> {
        self.seen.sent.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// How often someone connected.
    pub fn connections(&self) -> usize {
        self.seen.connections.load(Ordering::SeqCst)
    }
}

async fn take(
    seen: Arc<Seen>,
    answers: Answers,
    request: Request<Incoming>,
) -> Result<Response<Empty<Bytes>>, Infallible> {
    let (parts, body) = request.into_parts();
    let body = body.collect().await.expect("a whole body").to_bytes();
    canary::check_sent(&body);
    let sent = Sent { path: parts.uri.path().to_owned(), headers: parts.headers, body };
    seen.sent.lock().unwrap_or_else(PoisonError::into_inner).push(sent);
    match answers {
        Answers::With(status) => {
            let mut response = Response::new(Empty::new());
            *response.status_mut() = status;
            Ok(response)
        }
        Answers::Never => std::future::pending().await,
    }
}
