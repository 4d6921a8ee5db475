//! Redis for one process: one multiplexed connection, made when first used. All Redis work of a request shares a short
//! time; after a time-out a breaker keeps requests from paying it again. Must never hold the only copy of anything.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use redis::aio::{ConnectionManager, ConnectionManagerConfig};
use redis::io::tcp::{TcpSettings, socket2::TcpKeepalive};
use redis::{Client, IntoConnectionInfo, RedisError};
use secrecy::ExposeSecret;

use crate::config::RedisConfig;
use crate::crypto;
use crate::observability::Call;

/// How long the breaker stays open, and the most that chance adds.
const BREAKER_OPEN: Duration = Duration::from_secs(5);
const BREAKER_JITTER_MS: u64 = 1000;

/// Why Redis did not answer. What follows is always to go on without it.
#[derive(Debug, thiserror::Error)]
pub enum RedisUnavailable {
    #[error("redis answered an error")]
    Failed(#[source] RedisError),
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
            Self::Failed(_) => "refused",
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
    manager: Mutex<Option<ConnectionManager>>,
    breaker: Mutex<Breaker>,
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
            manager: Mutex::default(),
            breaker: Mutex::default(),
        };
        Ok(Self { inner: Arc::new(inner) })
    }

    pub fn key_prefix(&self) -> &str {
        &self.inner.config.key_prefix
    }

    fn manager(&self) -> Result<ConnectionManager, RedisError> {
        let mut slot = self.inner.manager.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(manager) = slot.as_ref() {
            return Ok(manager.clone());
        }
        let config = ConnectionManagerConfig::new()
            .set_number_of_retries(0)
            .set_connection_timeout(Some(self.inner.config.connect_timeout))
            .set_response_timeout(Some(self.inner.config.response_timeout));
        let manager = ConnectionManager::new_lazy_with_config(self.inner.client.clone(), config)?;
        *slot = Some(manager.clone());
        Ok(manager)
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
        // The manager does not reconnect after a time-out: make a new one when it is tried again.
        *self.inner.manager.lock().unwrap_or_else(PoisonError::into_inner) = None;
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

    /// Runs a command, and once more on a new connection where the first was closed.
    async fn twice<T, F, Fut>(&self, command: F) -> Result<T, RedisError>
    where
        F: Fn(ConnectionManager) -> Fut,
        Fut: Future<Output = Result<T, RedisError>>,
    {
        let manager = self.manager()?;
        match command(manager.clone()).await {
            Err(error) if error.is_connection_dropped() => command(manager).await,
            other => other,
        }
    }

    /// Runs a command within the request's Redis time. A closed connection is tried once more; a time-out, or a refused
    /// connection, opens the breaker. `operation` is the command's name.
    pub async fn run<T, F, Fut>(&self, operation: &'static str, command: F) -> Result<T, RedisUnavailable>
    where
        F: Fn(ConnectionManager) -> Fut,
        Fut: Future<Output = Result<T, RedisError>>,
    {
        if self.breaker_is_open() {
            return Err(RedisUnavailable::BreakerOpen);
        }
        let limit = self.inner.config.response_timeout;
        let attempts = self.twice(command);
        let call = Call::to_redis(operation);
        let error = match tokio::time::timeout(limit, attempts).await {
            Ok(Ok(value)) => {
                call.ended(None);
                self.answered();
                return Ok(value);
            }
            Ok(Err(error)) if error.is_timeout() => RedisUnavailable::TimedOut,
            Ok(Err(error)) if error.is_io_error() || error.is_connection_refusal() => {
                RedisUnavailable::Unreachable(error)
            }
            Ok(Err(error)) => RedisUnavailable::Failed(error),
            Err(_) => RedisUnavailable::TimedOut,
        };
        call.ended(Some(error.kind()));
        // An error that Redis answers costs no time: it is asked again.
        if !matches!(error, RedisUnavailable::Failed(_)) {
            self.open_breaker();
        }
        self.did_not_answer(&error);
        Err(error)
    }

    /// Closes the connection, if there is one. Redis is asked to (`QUIT`), so that its side is closed too when this
    /// returns; later use would open a new one.
    pub async fn close(&self) {
        let manager = self.inner.manager.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(mut manager) = manager {
            drop(redis::cmd("QUIT").query_async::<()>(&mut manager).await);
        }
    }

    /// Whether Redis answers within `limit`. Asks it even while the breaker is open: health tells what is, and an answer
    /// closes the breaker.
    pub async fn ping(&self, limit: Duration) -> bool {
        let ping = self
            .twice(|mut manager| async move { redis::cmd("PING").query_async::<String>(&mut manager).await });
        let call = Call::to_redis("PING");
        let alive = matches!(tokio::time::timeout(limit, ping).await, Ok(Ok(_)));
        call.ended((!alive).then_some("no_answer"));
        if alive {
            self.answered();
        } else {
            *self.inner.manager.lock().unwrap_or_else(PoisonError::into_inner) = None;
        }
        alive
    }
}
