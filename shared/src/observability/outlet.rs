//! The one way out for what the process tells of itself: a POST over HTTPS, on the TLS that the AWS SDK brings, within a
//! hard limit. What is not taken is dropped, and its receiver is left alone for a while, so that one that is away costs one
//! request its limit, once. Must never fail a request, wait beyond the limit, or log an address, a header or an answer.

use std::fmt;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use bytes::Bytes;
use http::{HeaderMap, Method, Request, StatusCode, Uri};
use http_body_util::{BodyExt, Full, Limited};
use hyper_rustls::{ConfigBuilderExt, HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use rustls::crypto::aws_lc_rs;
use rustls::{ClientConfig, RootCertStore};

use crate::clock::Clock;

/// How long a receiver that did not take something is left alone.
const LEFT_ALONE_MS: u64 = 30_000;
/// A connection that nothing went over for so long may be dead without a word: Lambda freezes the process.
const SILENCE_MAX_MS: u64 = 5_000;
/// An answer is read this far, so that its connection can be used again.
const ANSWER_MAX: usize = 64 * 1024;

type HttpsClient = Client<HttpsConnector<HttpConnector>, Full<Bytes>>;

/// A receiver.
pub(super) struct Outlet {
    /// What it is sent, in a word, for the log.
    what: &'static str,
    uri: Uri,
    headers: HeaderMap,
    clock: Clock,
    state: Mutex<State>,
}

/// By the wall clock alone: it goes on while the process is frozen.
#[derive(Default)]
struct State {
    /// What a connection is encrypted with, made once: reading the system's root certificates takes time.
    tls: Option<ClientConfig>,
    client: Option<HttpsClient>,
    used_ms: i64,
    failed_ms: Option<i64>,
}

/// Why something was not taken.
#[derive(Debug)]
enum Refusal {
    NoRoots,
    Unreachable,
    Status(StatusCode),
    TooLate,
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoRoots => f.write_str("there are no root certificates"),
            Self::Unreachable => f.write_str("it cannot be reached"),
            Self::Status(status) => write!(f, "it answered {}", status.as_u16()),
            Self::TooLate => f.write_str("it did not answer in time"),
        }
    }
}

impl Outlet {
    pub(super) fn new(what: &'static str, uri: Uri, headers: HeaderMap, clock: Clock) -> Self {
        Self { what, uri, headers, clock, state: Mutex::default() }
    }

    /// Whether the receiver is being left alone: nothing that is made for it would be sent.
    pub(super) fn is_left_alone(&self) -> bool {
        self.state().failed_ms.is_some_and(|at_ms| self.since_ms(at_ms) < LEFT_ALONE_MS)
    }

    /// Sends a body, or gives it up at `until`.
    pub(super) async fn send(&self, body: Vec<u8>, until: Instant) {
        if until <= Instant::now() || self.is_left_alone() {
            return;
        }
        let sent = tokio::time::timeout_at(until.into(), self.post(body)).await;
        let refusal = match sent {
            Ok(Ok(())) => {
                self.state().failed_ms = None;
                return;
            }
            Ok(Err(refusal)) => refusal,
            Err(_) => Refusal::TooLate,
        };
        let mut state = self.state();
        // A connection that gave no answer is trusted no more.
        state.client = None;
        state.failed_ms = Some(self.clock.now_ms());
        drop(state);
        tracing::warn!(
            message = "telemetry is not taken; leaving its receiver alone",
            telemetry = self.what,
            cause = refusal.to_string()
        );
    }

    async fn post(&self, body: Vec<u8>) -> Result<(), Refusal> {
        let mut request = Request::new(Full::new(Bytes::from(body)));
        *request.method_mut() = Method::POST;
        *request.uri_mut() = self.uri.clone();
        *request.headers_mut() = self.headers.clone();
        let client = self.client().map_err(|_| Refusal::NoRoots)?;
        let response = client.request(request).await.map_err(|_| Refusal::Unreachable)?;
        let status = response.status();
        drop(Limited::new(response.into_body(), ANSWER_MAX).collect().await);
        if status.is_success() { Ok(()) } else { Err(Refusal::Status(status)) }
    }

    /// The client, a new one after a silence.
    fn client(&self) -> io::Result<HttpsClient> {
        let mut state = self.state();
        let client = match state.client.take().filter(|_| self.since_ms(state.used_ms) < SILENCE_MAX_MS) {
            Some(client) => client,
            None => {
                let tls = state.tls.take().map_or_else(|| tls(self.is_encrypted()), Ok)?;
                state.tls = Some(tls.clone());
                client(tls, self.is_encrypted())
            }
        };
        state.used_ms = self.clock.now_ms();
        state.client = Some(client.clone());
        Ok(client)
    }

    fn is_encrypted(&self) -> bool {
        self.uri.scheme_str() == Some("https")
    }

    fn since_ms(&self, at_ms: i64) -> u64 {
        self.clock.now_ms().abs_diff(at_ms)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The system's root certificates are read only where they are needed.
fn tls(is_encrypted: bool) -> io::Result<ClientConfig> {
    let builder = ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(io::Error::other)?;
    let builder = if is_encrypted {
        builder.with_native_roots()?
    } else {
        builder.with_root_certificates(RootCertStore::empty())
    };
    Ok(builder.with_no_client_auth())
}

fn client(tls: ClientConfig, is_encrypted: bool) -> HttpsClient {
    let builder = HttpsConnectorBuilder::new().with_tls_config(tls);
    let connector = if is_encrypted { builder.https_only() } else { builder.https_or_http() };
    Client::builder(TokioExecutor::new()).build(connector.enable_http1().build())
}
