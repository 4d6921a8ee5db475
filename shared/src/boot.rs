//! What a function is built from. [`Boot`] holds what is parsed; its parts make clients that a function puts into its own
//! state, so that a function that does not name MongoDB does not link it. Must never wait for a database, nor open a socket.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Instant;

use crate::clock::Clock;
use crate::config::Config;
use crate::metrics::RequestCounts;
use crate::observability::Watch;
use crate::rate_limit::LocalLogs;
use crate::shutdown;
use crate::store::Mongo;
use crate::store::redis::Redis;

/// A part that the configuration lacks and the function needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the configuration lacks {0}")]
pub struct MissingPart(pub &'static str);

/// What a function is built from. The clients that it makes are made once and shared by all that ask this boot.
#[derive(Clone)]
pub struct Boot {
    pub config: Arc<Config>,
    pub clock: Clock,
    pub environment: Arc<Environment>,
    mongo: Arc<OnceLock<Option<Mongo>>>,
    redis: Arc<OnceLock<Option<Redis>>>,
    /// By function; one that tells nobody has none.
    watches: Arc<Mutex<HashMap<&'static str, Watch>>>,
}

/// What lasts as long as the execution environment, whatever secrets it works with.
pub struct Environment {
    pub started: Instant,
    /// The functions that have answered a request.
    warm: Mutex<HashSet<&'static str>>,
    pub(crate) local_logs: Arc<Mutex<LocalLogs>>,
    pub(crate) requests: RequestCounts,
}

impl Environment {
    fn new() -> Self {
        Self {
            started: Instant::now(),
            warm: Mutex::default(),
            local_logs: Arc::default(),
            requests: RequestCounts::default(),
        }
    }

    /// Whether this is the function's first request.
    pub(crate) fn is_cold(&self, function: &'static str) -> bool {
        self.warm.lock().unwrap_or_else(PoisonError::into_inner).insert(function)
    }
}

impl Boot {
    pub fn new(config: Config) -> Self {
        Self::with_clock(config, Clock::system())
    }

    pub fn with_clock(config: Config, clock: Clock) -> Self {
        install_crypto();
        Self {
            config: Arc::new(config),
            clock,
            environment: Arc::new(Environment::new()),
            mongo: Arc::default(),
            redis: Arc::default(),
            watches: Arc::default(),
        }
    }

    /// The same environment with another configuration. Clients whose settings are the same stay.
    pub(crate) fn renewed(&self, config: Config) -> Self {
        let (old_mongo, new_mongo) = (self.config.mongo.as_ref(), config.mongo.as_ref());
        // A client of MongoDB tells its commands to whoever traces, from its making on.
        let same_tracing = self.config.traces.is_some() == config.traces.is_some();
        let same_mongo = same_tracing && old_mongo.zip(new_mongo).is_some_and(|(old, new)| old.is_same(new));
        let same_watch = (&self.config.traces, &self.config.reports) == (&config.traces, &config.reports);
        let (old_redis, new_redis) = (self.config.redis.as_ref(), config.redis.as_ref());
        let same_redis = old_redis.zip(new_redis).is_some_and(|(old, new)| old.is_same(new));
        Self {
            config: Arc::new(config),
            mongo: if same_mongo { self.mongo.clone() } else { Arc::default() },
            watches: if same_watch { self.watches.clone() } else { Arc::default() },
            redis: if same_redis { self.redis.clone() } else { Arc::default() },
            ..self.clone()
        }
    }

    /// MongoDB. Opens no socket before the first use.
    ///
    /// # Errors
    /// The configuration lacks it.
    pub fn mongo(&self) -> Result<Mongo, MissingPart> {
        let make = || {
            self.config
                .mongo
                .as_ref()
                .map(|config| Mongo::new(config, self.clock.clone(), self.config.traces.is_some()))
        };
        self.mongo.get_or_init(make).clone().ok_or(MissingPart("mongodb"))
    }

    /// Whether a database refused the credentials since this was asked last.
    pub(crate) fn take_auth_failure(&self) -> bool {
        let mongo = self.mongo.get().and_then(Option::as_ref).is_some_and(Mongo::take_auth_failure);
        let redis = self.redis.get().and_then(Option::as_ref).is_some_and(Redis::take_auth_failure);
        mongo || redis
    }

    /// Redis. Opens no socket before the first use.
    ///
    /// # Errors
    /// The configuration lacks it.
    pub fn redis(&self) -> Result<Redis, MissingPart> {
        let make = || self.config.redis.as_ref().and_then(|config| Redis::new(config).ok());
        self.redis.get_or_init(make).clone().ok_or(MissingPart("redis"))
    }

    /// What tells others of a function, where the configuration says whom.
    pub(crate) fn watch(&self, service: &'static str) -> Option<Watch> {
        if self.config.traces.is_none() && self.config.reports.is_none() {
            return None;
        }
        let mut watches = self.watches.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(watch) = watches.get(service) {
            return Some(watch.clone());
        }
        let watch = Watch::new(&self.config, service, &self.clock)?;
        watches.insert(service, watch.clone());
        Some(watch)
    }

    /// Tells what was counted, then closes what this boot has opened, in order and in time.
    pub async fn close(&self, service: &'static str) {
        self.environment.requests.flush();
        let (mongo, redis) = (self.mongo.get().cloned().flatten(), self.redis.get().cloned().flatten());
        shutdown::close(service, self.watch(service), mongo, redis).await;
    }
}

/// One crypto provider for the process; a second call finds it installed.
pub(crate) fn install_crypto() {
    drop(rustls::crypto::aws_lc_rs::default_provider().install_default());
}
