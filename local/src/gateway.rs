//! API Gateway on this machine: HTTP/1.1 on 127.0.0.1, the routes of `template.yaml`, its limits and its own answers; the
//! functions behind it are mounted in this process or the real binaries.
//!
//! Must never know a path of the API, nor change an answer of a function.

use std::convert::Infallible;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, anyhow};
use base64::{Engine, engine::general_purpose::STANDARD};
use bytes::{Bytes, BytesMut};
use http::header::{self, HeaderValue};
use http::{Request, Response, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper::body::{Body, Incoming};
use hyper_util::rt::{TokioIo, TokioTimer};
use shared::clock::Clock;
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::sync::{mpsc, watch};
use tokio::time::{sleep, timeout};

use crate::apigw::{self, Envelope};
use crate::console;
use crate::functions::Functions;
use crate::lambda::Pools;
use crate::signals::Stop;
use crate::template::Template;

/// API Gateway's limit for the request line and headers together.
const HEADERS_MAX: usize = 10_240;
/// API Gateway's limit for a body.
const BODY_MAX: usize = 10 * 1024 * 1024;
/// A body above the limit is read on so far, so that its sender gets to read the answer; then the connection is closed.
const DRAIN_MAX: usize = 64 * 1024 * 1024;
/// How long a client may take to send the headers; a kept-alive connection may idle as long.
const HEADERS_PATIENCE: Duration = Duration::from_secs(65);
/// How long a client may take to send the body.
const BODY_PATIENCE: Duration = Duration::from_secs(120);
/// API Gateway waits no longer for a function.
const INTEGRATION_PATIENCE: Duration = Duration::from_secs(30);
/// How long requests in flight may go on once a stop was asked for.
pub const DRAIN_PATIENCE: Duration = Duration::from_secs(10);

/// What answers behind the gateway.
pub enum Backend {
    InProcess(Functions),
    Bootstraps(Pools),
}

/// The gateway, ready to serve.
pub struct Gateway {
    template: Template,
    backend: Backend,
    clock: Clock,
}

/// A port that is ours, on which nothing is answered yet.
pub struct Reserved {
    socket: TcpSocket,
    address: SocketAddr,
}

/// Takes the port before anything slow is done; a client is refused until [`Reserved::listen`].
///
/// # Errors
/// One line when another program has it.
pub fn reserve(port: u16) -> Result<Reserved> {
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
    // Binding alone tells nothing about another socket that is only bound; listening does.
    let probe = std::net::TcpListener::bind(address);
    if let Err(error) = probe {
        return Err(match error.kind() {
            std::io::ErrorKind::AddrInUse => anyhow!(
                "port {port} is taken by another program: stop that one, or choose another port: make run PORT={}",
                other_port(port)
            ),
            std::io::ErrorKind::PermissionDenied => {
                anyhow!(
                    "port {port} needs more rights than you have: choose one above 1023: make run PORT=3000"
                )
            }
            _ => anyhow!("port {port} cannot be used: {error}"),
        });
    }
    drop(probe);
    let socket = TcpSocket::new_v4().context("no socket can be made")?;
    socket.set_reuseaddr(true).context("the socket cannot be set up")?;
    socket
        .bind(address)
        .with_context(|| format!("port {port} was just taken by another program: try again"))?;
    Ok(Reserved { socket, address })
}

fn other_port(port: u16) -> u16 {
    if port < u16::MAX { port + 1 } else { 3000 }
}

impl Reserved {
    pub fn listen(self) -> Result<TcpListener> {
        let port = self.address.port();
        self.socket
            .listen(1024)
            .with_context(|| format!("port {port} was just taken by another program: try again"))
    }
}

impl Gateway {
    pub fn new(template: Template, backend: Backend) -> Self {
        Self { template, backend, clock: Clock::system() }
    }

    pub fn backend(&self) -> &Backend {
        &self.backend
    }

    /// Serves until a stop is asked for, then lets what is in flight end. Says whether all of it did in time.
    pub async fn serve(self: &Arc<Self>, listener: TcpListener, mut stop: Stop) -> bool {
        let (closing, closing_seen) = watch::channel(false);
        // Every connection and every request holds a sender; when the last is gone, nothing is in flight.
        let (in_flight, mut all_done) = mpsc::channel::<Infallible>(1);
        loop {
            let accepted = tokio::select! {
                biased;
                () = stop.asked() => break,
                accepted = listener.accept() => accepted,
            };
            match accepted {
                Ok((stream, peer)) => {
                    let connection =
                        Arc::clone(self).connection(stream, peer, closing_seen.clone(), in_flight.clone());
                    tokio::spawn(connection);
                }
                // Out of file descriptors, mostly: connections that end make room.
                Err(error) => {
                    console::warn(format_args!("a connection could not be accepted: {error}"));
                    sleep(Duration::from_millis(100)).await;
                }
            }
        }
        drop(listener);
        drop(in_flight);
        console::say("No new requests are accepted; waiting for those in flight");
        closing.send_replace(true);
        let drained = timeout(DRAIN_PATIENCE, all_done.recv()).await.is_ok();
        console::say(if drained {
            "All requests are answered"
        } else {
            "Some requests did not end within 10 s"
        });
        drained
    }

    async fn connection(
        self: Arc<Self>,
        stream: TcpStream,
        peer: SocketAddr,
        mut closing: watch::Receiver<bool>,
        in_flight: mpsc::Sender<Infallible>,
    ) {
        drop(stream.set_nodelay(true));
        let held = in_flight.clone();
        let service = hyper::service::service_fn(move |request| {
            let gateway = Arc::clone(&self);
            let in_flight = held.clone();
            async move { Ok::<_, Infallible>(gateway.answer(request, peer, in_flight).await) }
        });
        let mut builder = hyper::server::conn::http1::Builder::new();
        builder.timer(TokioTimer::new()).header_read_timeout(HEADERS_PATIENCE).max_buf_size(64 * 1024);
        let connection = builder.serve_connection(TokioIo::new(stream), service);
        let mut connection = std::pin::pin!(connection);
        // A client that breaks off or talks no HTTP is no event of ours: the connection's result is dropped.
        let asked = async move { drop(closing.wait_for(|closing| *closing).await) };
        let open = tokio::select! {
            _ = connection.as_mut() => false,
            () = asked => true,
        };
        if open {
            connection.as_mut().graceful_shutdown();
            drop(connection.await);
        }
        drop(in_flight);
    }

    async fn answer(
        self: Arc<Self>,
        request: Request<Incoming>,
        peer: SocketAddr,
        in_flight: mpsc::Sender<Infallible>,
    ) -> Response<Full<Bytes>> {
        let (parts, body) = request.into_parts();
        let request_id = gateway_request_id();
        let mut response = match self.receive(&parts, body).await {
            Ok(body) => {
                let id = request_id.clone();
                // A task of its own: a client that leaves does not end an invocation.
                let task = tokio::spawn(async move {
                    let response = self.invoke(&parts, &body, &peer.ip().to_string(), &id).await;
                    drop(in_flight);
                    response
                });
                task.await.unwrap_or_else(|_| apigw::function_failed())
            }
            Err(response) => response,
        };
        if let Ok(value) = HeaderValue::try_from(request_id) {
            response.headers_mut().insert("apigw-requestid", value);
        }
        response
    }

    /// Reads the body whole, within API Gateway's limits.
    async fn receive(
        &self,
        parts: &http::request::Parts,
        body: Incoming,
    ) -> Result<Bytes, Response<Full<Bytes>>> {
        if headers_size(parts) > HEADERS_MAX {
            return Err(closing(apigw::own_answer(
                StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE,
                "Request Header Fields Too Large",
            )));
        }
        match timeout(BODY_PATIENCE, read_whole(body)).await {
            Ok(Ok(body)) => Ok(body),
            Ok(Err(BodyError::TooLarge)) => {
                Err(closing(apigw::own_answer(StatusCode::PAYLOAD_TOO_LARGE, "Request Entity Too Large")))
            }
            Ok(Err(BodyError::Broken)) => {
                Err(closing(apigw::own_answer(StatusCode::BAD_REQUEST, "Bad Request")))
            }
            Err(_) => Err(closing(apigw::own_answer(StatusCode::REQUEST_TIMEOUT, "Request Timeout"))),
        }
    }

    /// One request through the route table to its function.
    pub async fn invoke(
        &self,
        parts: &http::request::Parts,
        body: &[u8],
        source_ip: &str,
        request_id: &str,
    ) -> Response<Full<Bytes>> {
        let Some(route) = self.template.find(parts.method.as_str(), parts.uri.path()) else {
            return apigw::own_answer(StatusCode::NOT_FOUND, "Not Found");
        };
        let Some(function) = self.template.function(route.function) else {
            return apigw::own_answer(StatusCode::NOT_FOUND, "Not Found");
        };
        let now_ms = self.clock.now_ms();
        let envelope = Envelope {
            source_ip: source_ip.to_owned(),
            request_id: request_id.to_owned(),
            trace_id: trace_id(now_ms),
            now_ms,
        };
        let event = apigw::event(parts, body, &route, &envelope);
        let invocation = async {
            match &self.backend {
                Backend::InProcess(functions) => functions.invoke(function, &event, &envelope.trace_id).await,
                Backend::Bootstraps(pools) => pools.invoke(function, &event).await,
            }
        };
        match timeout(INTEGRATION_PATIENCE, invocation).await {
            Ok(answer) => answer.and_then(|answer| apigw::response(&answer)).unwrap_or_else(|reason| {
                console::warn(format_args!("the function {} failed: {reason}", function.name));
                apigw::function_failed()
            }),
            Err(_) => apigw::own_answer(StatusCode::SERVICE_UNAVAILABLE, "Service Unavailable"),
        }
    }

    /// A request made in this process, as if `source_ip` had sent it.
    pub async fn call(&self, request: Request<Vec<u8>>, source_ip: &str) -> Response<Full<Bytes>> {
        let (parts, body) = request.into_parts();
        self.invoke(&parts, &body, source_ip, &gateway_request_id()).await
    }
}

enum BodyError {
    TooLarge,
    Broken,
}

async fn read_whole(mut body: Incoming) -> Result<Bytes, BodyError> {
    let announced = usize::try_from(body.size_hint().lower()).unwrap_or(usize::MAX);
    if announced > DRAIN_MAX {
        return Err(BodyError::TooLarge);
    }
    let mut whole = BytesMut::with_capacity(announced.min(BODY_MAX));
    let mut total = 0usize;
    while let Some(frame) = body.frame().await {
        let Ok(data) = frame.map_err(|_| BodyError::Broken)?.into_data() else { continue };
        total = total.saturating_add(data.len());
        if total > DRAIN_MAX {
            return Err(BodyError::TooLarge);
        }
        if total <= BODY_MAX {
            whole.extend_from_slice(&data);
        }
    }
    if total > BODY_MAX { Err(BodyError::TooLarge) } else { Ok(whole.freeze()) }
}

/// After an answer to a request that was not read to its end, the connection is of no use.
fn closing(mut response: Response<Full<Bytes>>) -> Response<Full<Bytes>> {
    response.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
    response
}

/// The request line and the headers as they were sent, in bytes.
fn headers_size(parts: &http::request::Parts) -> usize {
    let target = parts.uri.path_and_query().map_or(1, |target| target.as_str().len());
    let line = parts.method.as_str().len() + target + " HTTP/1.1\r\n".len() + 1;
    parts
        .headers
        .iter()
        .map(|(name, value)| name.as_str().len() + value.len() + ": \r\n".len())
        .sum::<usize>()
        + line
}

/// Like API Gateway's: eleven random bytes in base64.
fn gateway_request_id() -> String {
    let mut bytes = [0u8; 11];
    shared::crypto::fill_random(&mut bytes);
    STANDARD.encode(bytes).replace('+', "-").replace('/', "_")
}

/// An X-Ray trace header: eight hexadecimal digits of the second, twenty-four random ones.
fn trace_id(now_ms: i64) -> String {
    let mut bytes = [0u8; 12];
    shared::crypto::fill_random(&mut bytes);
    let random: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    format!("Root=1-{:08x}-{random}", now_ms.div_euclid(1000))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_port_that_something_listens_on_is_refused_in_one_line() {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let _guard = runtime.enter();
        let other = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let port = other.local_addr().unwrap().port();
        let error = reserve(port).err().unwrap().to_string();
        assert!(error.contains(&port.to_string()) && error.contains("PORT="), "{error}");
        drop(other);
        let reserved = reserve(port).unwrap();
        assert!(std::net::TcpStream::connect(("127.0.0.1", port)).is_err(), "refused until it listens");
        let listener = reserved.listen().unwrap();
        assert!(std::net::TcpStream::connect(listener.local_addr().unwrap()).is_ok());
    }

    #[test]
    fn the_header_section_is_measured_as_it_is_sent() {
        let request = Request::get("/a?b=c").header("host", "x").body(()).unwrap();
        let (parts, ()) = request.into_parts();
        assert_eq!(headers_size(&parts), "GET /a?b=c HTTP/1.1\r\nhost: x\r\n".len());
    }

    #[test]
    fn identifiers_have_the_gateways_shape() {
        assert_eq!(gateway_request_id().len(), 16);
        let trace = trace_id(1_583_348_638_390);
        assert!(trace.starts_with("Root=1-5e5ffb9e-") && trace.len() == 40, "{trace}");
    }

    /// Sends bytes as they are and reads until the gateway closes.
    async fn raw(address: SocketAddr, request: Vec<u8>) -> String {
        use tokio::io::{AsyncReadExt, AsyncWriteExt};
        let mut stream = TcpStream::connect(address).await.unwrap();
        stream.write_all(&request).await.unwrap();
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).await.unwrap();
        String::from_utf8_lossy(&answer).into_owned()
    }

    /// The functions without databases: what the gateway does needs none.
    fn gateway() -> Arc<Gateway> {
        let secret = "s".repeat(48);
        let variables = [
            ("MONGODB_URI", "mongodb://127.0.0.1:1/"),
            ("REDIS_URL", "redis://127.0.0.1:1"),
            ("JWT_SECRET", &secret),
            ("JWT_REFRESH_SECRET", &secret),
            ("PASSWORD_PEPPER", &secret),
        ];
        let variables = variables.map(|(name, value)| (name.to_owned(), value.to_owned())).into();
        let template = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../template.yaml");
        let backend = Backend::InProcess(Functions::mount(&variables).unwrap());
        Arc::new(Gateway::new(Template::read(&template).unwrap(), backend))
    }

    #[tokio::test(flavor = "current_thread")]
    async fn it_serves_within_its_limits_and_drains_when_asked() {
        let (stop, ask) = Stop::by_hand();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let server = tokio::spawn(async move { gateway().serve(listener, stop).await });

        let get = |path: &str, more: &str| {
            format!("GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n{more}\r\n").into_bytes()
        };
        let unknown = raw(address, get("/nowhere", "")).await;
        assert!(unknown.starts_with("HTTP/1.1 404") && unknown.contains("/problems/not_found"), "{unknown}");
        assert!(unknown.contains("apigw-requestid: "), "{unknown}");

        let wide = format!("x-wide: {}\r\n", "x".repeat(HEADERS_MAX));
        let answer = raw(address, get("/api/v1/health", &wide)).await;
        assert!(answer.starts_with("HTTP/1.1 431") && answer.contains(r#"{"message":"#), "{answer}");

        let length = BODY_MAX + 1;
        let mut post =
            format!("POST /api/v1/auth/login HTTP/1.1\r\nHost: x\r\nContent-Length: {length}\r\n\r\n")
                .into_bytes();
        post.resize(post.len() + length, b' ');
        let answer = raw(address, post).await;
        assert!(
            answer.starts_with("HTTP/1.1 413") && answer.contains("Request Entity Too Large"),
            "{answer}"
        );

        // A connection that idles does not hold up the stop.
        let idle = TcpStream::connect(address).await.unwrap();
        ask();
        assert!(server.await.unwrap(), "everything in flight was answered");
        assert!(TcpStream::connect(address).await.is_err(), "nothing listens any more");
        drop(idle);
    }
}
