//! Whoever is told of the service by itself: a collector of traces, or Sentry. Takes what is sent, over HTTP or HTTPS on
//! loopback, and looks at every byte of it as the log is looked at. Must never answer before it has kept what it was sent.

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
use rcgen::{CertifiedKey, KeyPair};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::pki_types::PrivatePkcs8KeyDer;
use tokio_rustls::rustls::{self, ServerConfig};

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
    /// Its certificate as PEM, where it speaks TLS.
    certificate: Option<String>,
}

impl Receiver {
    pub async fn start(answers: Answers) -> Self {
        Self::listen(answers, None).await
    }

    /// With TLS, and a certificate that nobody has signed.
    pub async fn start_with_tls(answers: Answers) -> Self {
        let own = rcgen::generate_simple_self_signed(["127.0.0.1".to_owned()]).expect("a certificate");
        Self::listen(answers, Some(own)).await
    }

    async fn listen(answers: Answers, own: Option<CertifiedKey<KeyPair>>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let port = listener.local_addr().expect("an address").port();
        let seen = Arc::<Seen>::default();
        let kept = seen.clone();
        let certificate = own.as_ref().map(|own| own.cert.pem());
        let acceptor = own.as_ref().map(acceptor);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                kept.connections.fetch_add(1, Ordering::SeqCst);
                let kept = kept.clone();
                let acceptor = acceptor.clone();
                tokio::spawn(async move {
                    let Some(acceptor) = acceptor else { return serve(stream, kept, answers).await };
                    // Who does not trust the certificate ends the handshake.
                    if let Ok(tls) = acceptor.accept(stream).await {
                        serve(tls, kept, answers).await;
                    }
                });
            }
        });
        Self { port, seen, certificate }
    }

    fn scheme(&self) -> &'static str {
        if self.certificate.is_some() { "https" } else { "http" }
    }

    /// Its base URL.
    pub fn url(&self) -> String {
        format!("{}://127.0.0.1:{}", self.scheme(), self.port)
    }

    /// Its Sentry DSN.
    pub fn dsn(&self) -> String {
        format!("{}://0123456789abcdef@127.0.0.1:{}/42", self.scheme(), self.port)
    }

    /// Its certificate as PEM, where it speaks TLS.
    pub fn certificate(&self) -> Option<&str> {
        self.certificate.as_deref()
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

fn acceptor(own: &CertifiedKey<KeyPair>) -> TlsAcceptor {
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let key = PrivatePkcs8KeyDer::from(own.signing_key.serialize_der());
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .expect("TLS has versions")
        .with_no_client_auth()
        .with_single_cert(vec![own.cert.der().clone()], key.into())
        .expect("a certificate and its key");
    TlsAcceptor::from(Arc::new(config))
}

async fn serve(connection: impl AsyncRead + AsyncWrite + Unpin, seen: Arc<Seen>, answers: Answers) {
    let service = service_fn(move |request| take(seen.clone(), answers, request));
    drop(http1::Builder::new().serve_connection(TokioIo::new(connection), service).await);
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
