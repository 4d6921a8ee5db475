//! Redis for one process: one multiplexed connection, made when first used. All Redis work of a request shares a short
//! time; after a failure a breaker keeps requests from paying for it again. A server that answers errors is left for a new
//! connection, which looks the host up again: after a failover the old one leads to a replica. Must never hold the only copy
//! of anything, nor open connections faster than one every few seconds while the server refuses.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use redis::aio::{ConnectionManager, ConnectionManagerConfig};
use redis::io::tcp::{TcpSettings, socket2::TcpKeepalive};
use redis::{Client, ErrorKind, IntoConnectionInfo, RedisError};
use secrecy::ExposeSecret;

use crate::config::RedisConfig;
use crate::crypto;
use crate::metrics::{self, Metric};
use crate::observability::Call;

/// How long the breaker stays open, and the most that chance adds.
const BREAKER_OPEN: Duration = Duration::from_secs(5);
const BREAKER_JITTER_MS: u64 = 1000;

/// A connection that was refused is replaced once it is this old.
const REPLACE_AFTER: Duration = Duration::from_secs(5);

/// The codes of error replies that may be logged. The rest of a reply may quote a key.
/// Source: the error replies in the source of Valkey 8 (`server.c`, `cluster.c`, `acl.c`).
const CODES: &[&str] = &[
    "READONLY",
    "MASTERDOWN",
    "NOREPLICAS",
    "LOADING",
    "MISCONF",
    "OOM",
    "BUSY",
    "MOVED",
    "ASK",
    "CLUSTERDOWN",
    "TRYAGAIN",
    "CROSSSLOT",
    "NOAUTH",
    "WRONGPASS",
    "NOPERM",
    "DENIED",
];

/// The codes that newer credentials may cure.
const CREDENTIAL_CODES: &[&str] = &["NOAUTH", "WRONGPASS", "NOPERM"];

/// Why Redis did not do what it was asked. What follows is always to go on without it.
#[derive(Debug, thiserror::Error)]
pub enum RedisUnavailable {
    /// It answered an error. `code` is one of a closed set; `ERR` stands for all others.
    #[error("redis refused: {code}")]
    Refused { code: &'static str, source: RedisError },
    #[error("redis cannot be reached")]
    Unreachable(#[source] RedisError),
    #[error("redis did not answer in time")]
    TimedOut,
    #[error("redis is being left alone after a time-out")]
    BreakerOpen,
}

impl RedisUnavailable {
    /// In a word, for a trace.
    fn kind(&self) -> &'static str {
        match self {
            Self::Refused { .. } => "refused",
            Self::Unreachable(_) => "unreachable",
            Self::TimedOut => "timeout",
            Self::BreakerOpen => "left_alone",
        }
    }
}

#[derive(Clone)]
pub struct Redis {
    inner: Arc<Inner>,
}

struct Inner {
    client: Client,
    config: RedisConfig,
    connection: Mutex<Option<Connection>>,
    /// How many connections were made.
    made: AtomicU64,
    breaker: Mutex<Breaker>,
    /// Whether the credentials were refused.
    auth_failed: AtomicBool,
}

#[derive(Clone)]
struct Connection {
    manager: ConnectionManager,
    /// Its place among those of this process.
    number: u64,
    made_at: Instant,
}

/// What the last attempts say of Redis.
#[derive(Default)]
struct Breaker {
    /// Until then nobody asks; then one request tries, and the others go on without it until that one is answered.
    open_until: Option<Instant>,
    /// Told once when it went, and once when it came back.
    away: bool,
}

impl Redis {
    /// # Errors
    /// A URL that redis does not take.
    pub fn new(config: &RedisConfig) -> Result<Self, RedisError> {
        // A flow that was dropped in silence must be noticed by the socket itself: nothing else would.
        let keepalive = TcpKeepalive::new()
            .with_time(Duration::from_secs(30))
            .with_interval(Duration::from_secs(5))
            .with_retries(2);
        let tcp = TcpSettings::default()
            .set_nodelay(true)
            .set_keepalive(keepalive)
            .set_user_timeout(Duration::from_millis(1500));
        let info = config.url.expose_secret().into_connection_info()?.set_tcp_settings(tcp);
        let inner = Inner {
            client: Client::open(info)?,
            config: config.clone(),
            connection: Mutex::default(),
            made: AtomicU64::new(0),
            breaker: Mutex::default(),
            auth_failed: AtomicBool::new(false),
        };
        Ok(Self { inner: Arc::new(inner) })
    }

    pub fn key_prefix(&self) -> &str {
        &self.inner.config.key_prefix
    }

    fn slot(&self) -> MutexGuard<'_, Option<Connection>> {
        self.inner.connection.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn connection(&self) -> Result<Connection, RedisError> {
        let mut slot = self.slot();
        if let Some(connection) = slot.as_ref() {
            return Ok(connection.clone());
        }
        Ok(slot.insert(self.new_connection()?).clone())
    }

    /// Opened by its first command, which looks the host up.
    fn new_connection(&self) -> Result<Connection, RedisError> {
        let config = ConnectionManagerConfig::new()
            .set_number_of_retries(0)
            .set_connection_timeout(Some(self.inner.config.connect_timeout))
            .set_response_timeout(Some(self.inner.config.response_timeout));
        let manager = ConnectionManager::new_lazy_with_config(self.inner.client.clone(), config)?;
        let number = self.inner.made.fetch_add(1, Ordering::Relaxed);
        Ok(Connection { manager, number, made_at: Instant::now() })
    }

    /// The connection to use instead of a refused one: the newer one of another request, else a new one. None while the
    /// refused one is too young to be replaced.
    fn replacement(&self, refused: &Connection) -> Result<Option<Connection>, RedisError> {
        let mut slot = self.slot();
        if let Some(newer) = slot.as_ref().filter(|current| current.number != refused.number) {
            return Ok(Some(newer.clone()));
        }
        if refused.made_at.elapsed() < REPLACE_AFTER {
            return Ok(None);
        }
        Ok(Some(slot.insert(self.new_connection()?).clone()))
    }

    /// The manager does not reconnect after a time-out: the next use makes a new one.
    fn drop_connection(&self) {
        *self.slot() = None;
    }

    fn breaker_is_open(&self) -> bool {
        let mut breaker = self.breaker();
        match breaker.open_until {
            Some(at) if Instant::now() < at => true,
            Some(_) => {
                breaker.open_until = Some(Instant::now() + BREAKER_OPEN);
                false
            }
            None => false,
        }
    }

    fn open_breaker(&self) {
        let jitter = Duration::from_millis(crypto::random_up_to(BREAKER_JITTER_MS));
        self.breaker().open_until = Some(Instant::now() + BREAKER_OPEN + jitter);
    }

    fn breaker(&self) -> MutexGuard<'_, Breaker> {
        self.inner.breaker.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn answered(&self) {
        let mut breaker = self.breaker();
        breaker.open_until = None;
        if std::mem::take(&mut breaker.away) {
            tracing::info!(message = "redis answers again");
        }
    }

    fn did_not_answer(&self, error: &RedisUnavailable) {
        if !std::mem::replace(&mut self.breaker().away, true) {
            // Never what Redis says: an error of its own may quote a key, and a key holds an address.
            tracing::warn!(message = "redis does not answer; going on without it", cause = error.to_string());
        }
    }

    /// Whether Redis refused the credentials since this was asked last.
    pub(crate) fn take_auth_failure(&self) -> bool {
        self.inner.auth_failed.swap(false, Ordering::Relaxed)
    }

    /// Runs a command, and once more on a new connection where the first was closed or refused.
    async fn twice<T, F, Fut>(&self, command: F) -> Result<T, RedisError>
    where
        F: Fn(ConnectionManager) -> Fut,
        Fut: Future<Output = Result<T, RedisError>>,
    {
        let connection = self.connection()?;
        match command(connection.manager.clone()).await {
            Err(error) if error.is_connection_dropped() => command(connection.manager).await,
            Err(error) if !error.is_io_error() => match self.replacement(&connection)? {
                Some(replacement) => command(replacement.manager).await,
                None => Err(error),
            },
            other => other,
        }
    }

    /// Runs a command within the request's Redis time. On a connection that was closed or refused it is tried once more; a
    /// failure opens the breaker. `operation` is the command's name.
    ///
    /// # Errors
    /// Redis did not answer in time, refused, or the breaker is open.
    pub async fn run<T, F, Fut>(&self, operation: &'static str, command: F) -> Result<T, RedisUnavailable>
    where
        F: Fn(ConnectionManager) -> Fut,
        Fut: Future<Output = Result<T, RedisError>>,
    {
        if self.breaker_is_open() {
            return Err(RedisUnavailable::BreakerOpen);
        }
        let result = self.probe(operation, self.inner.config.response_timeout, command).await;
        if let Err(error) = &result {
            self.open_breaker();
            self.did_not_answer(error);
        }
        result
    }

    /// As [`Self::run`], but within `limit`, and while the breaker is open too: health reports what is. Success closes the
    /// breaker; a failure does not open it.
    ///
    /// # Errors
    /// Redis did not answer in time, or refused.
    pub async fn probe<T, F, Fut>(
        &self,
        operation: &'static str,
        limit: Duration,
        command: F,
    ) -> Result<T, RedisUnavailable>
    where
        F: Fn(ConnectionManager) -> Fut,
        Fut: Future<Output = Result<T, RedisError>>,
    {
        let attempts = self.twice(command);
        let call = Call::to_redis(operation);
        let error = match tokio::time::timeout(limit, attempts).await {
            Ok(Ok(value)) => {
                call.ended(None);
                self.answered();
                return Ok(value);
            }
            Ok(Err(error)) if error.is_timeout() => RedisUnavailable::TimedOut,
            Ok(Err(error)) if error.is_io_error() => RedisUnavailable::Unreachable(error),
            Ok(Err(error)) => RedisUnavailable::Refused { code: code(&error), source: error },
            Err(_) => RedisUnavailable::TimedOut,
        };
        call.ended(Some(error.kind()));
        if let RedisUnavailable::Refused { code, .. } = &error {
            metrics::count(Metric::RedisRefused, "redis");
            if CREDENTIAL_CODES.contains(code) {
                self.inner.auth_failed.store(true, Ordering::Relaxed);
            }
        } else {
            self.drop_connection();
        }
        Err(error)
    }

    /// Closes the connection, if there is one. Redis is asked to (`QUIT`), so that its side is closed too when this
    /// returns; later use would open a new one.
    pub async fn close(&self) {
        let connection = self.slot().take();
        if let Some(mut connection) = connection {
            drop(redis::cmd("QUIT").query_async::<()>(&mut connection.manager).await);
        }
    }
}

/// The code of a refusal, as far as it is known.
fn code(error: &RedisError) -> &'static str {
    // The client's own word for a refused `AUTH`.
    if error.kind() == ErrorKind::AuthenticationFailed {
        return "WRONGPASS";
    }
    CODES.iter().find(|code| error.code() == Some(code)).copied().unwrap_or("ERR")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Of `-MOVED`, `-CLUSTERDOWN` and `-LOADING` no server is made to say them in the integration tests.
    #[test]
    fn an_error_reply_becomes_a_refusal_with_its_code_and_without_its_text() {
        for (reply, wanted) in [
            ("-MOVED 3999 192.0.2.1:6381\r\n", "MOVED"),
            ("-CLUSTERDOWN The cluster is down\r\n", "CLUSTERDOWN"),
            ("-TRYAGAIN Multiple keys request during rehashing of slot\r\n", "TRYAGAIN"),
            ("-LOADING Redis is loading the dataset in memory\r\n", "LOADING"),
            ("-NOAUTH Authentication required.\r\n", "NOAUTH"),
            ("-WHATEVER fintrack:rl:{192.0.2.1}:general\r\n", "ERR"),
        ] {
            let source = redis::parse_redis_value(reply.as_bytes())
                .and_then(|value| value.extract_error())
                .unwrap_err();
            assert!(!source.is_io_error() && !source.is_connection_dropped(), "{reply}: a refusal");
            let refused = RedisUnavailable::Refused { code: code(&source), source };
            assert_eq!(refused.to_string(), format!("redis refused: {wanted}"));
        }
    }
}
