//! Starts a function: telemetry, configuration (every problem in one line), secrets, the router, then the runtime.
//! [`Boot`] holds what is parsed; its parts make clients that a function puts into its own state, so that a function that
//! does not name MongoDB does not link it. Must never wait for a database: one that is away does not fail init.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::OnceLock;

use axum::Router;

use crate::clock::Clock;
use crate::config::{self, Config, LoggingConfig};
use crate::edge::cursor::Cursors;
use crate::edge::{Function, Problem, ProblemType, Scope};
use crate::secrets;
use crate::store::redis::Redis;
use crate::store::{Mongo, Store};
use crate::telemetry;

/// What a function is built from. The clients that it makes are made once and shared by all that ask this boot.
#[derive(Clone)]
pub struct Boot {
    pub config: Arc<Config>,
    pub clock: Clock,
    mongo: Arc<OnceLock<Option<Mongo>>>,
    redis: Arc<OnceLock<Option<Redis>>>,
}

impl Boot {
    pub fn new(config: Config) -> Self {
        Self::with_clock(config, Clock::system())
    }

    pub fn with_clock(config: Config, clock: Clock) -> Self {
        install_crypto();
        Self { config: Arc::new(config), clock, mongo: Arc::default(), redis: Arc::default() }
    }

    /// MongoDB, where the configuration has it. Opens no socket before the first use.
    pub fn mongo(&self) -> Option<Mongo> {
        let make = || self.config.mongo.as_ref().map(|config| Mongo::new(config, self.clock.clone()));
        self.mongo.get_or_init(make).clone()
    }

    /// Redis, where the configuration has it. Opens no socket before the first use.
    pub fn redis(&self) -> Option<Redis> {
        let make = || self.config.redis.as_ref().and_then(|config| Redis::new(config).ok());
        self.redis.get_or_init(make).clone()
    }
}

/// What every function of signed-in users needs. A function that needs less asks [`Boot`] for its parts.
pub struct UserParts {
    pub mongo: Mongo,
    pub clock: Clock,
    pub cursors: Cursors,
}

/// [`UserParts`] as a router's state. Empty only where the configuration lacks a part that the function needs, which
/// init refuses.
#[derive(Clone)]
pub struct UserApp(Option<Arc<UserParts>>);

impl UserApp {
    pub fn new(boot: &Boot) -> Self {
        let make = || {
            let cursors = Cursors::from_config(boot.config.jwt.as_ref()?);
            Some(Arc::new(UserParts { mongo: boot.mongo()?, clock: boot.clock.clone(), cursors }))
        };
        Self(make())
    }

    /// # Errors
    /// 500: the process was built without what it needs.
    pub fn parts(&self) -> Result<&UserParts, Problem> {
        self.0.as_deref().ok_or_else(|| Problem::new(ProblemType::Internal))
    }
}

impl UserParts {
    /// The stores as this request may use them.
    pub fn store(&self, scope: &Scope) -> Store {
        self.mongo.within(scope)
    }
}

/// One crypto provider for the process; a second call finds it installed.
fn install_crypto() {
    drop(rustls::crypto::aws_lc_rs::default_provider().install_default());
}

/// The whole life of a Lambda function's process.
///
/// A configuration or secrets that cannot be used end it with status 1 and one line `init_failed`, so that Lambda fails the
/// init.
///
/// # Errors
/// The runtime's own.
pub async fn run(function: Function, build: fn(&Boot) -> Router) -> Result<(), lambda_http::Error> {
    install_crypto();
    let boot = match prepare(function).await {
        Ok(boot) => boot,
        Err(error) => {
            telemetry::init(&LoggingConfig::default(), std::io::stdout);
            tracing::error!(message = "init_failed", service = function.name, reason = error.to_string());
            // Returned, the error would be printed once more, and not as a log line.
            std::process::exit(1);
        }
    };
    for warning in &boot.config.warnings {
        tracing::warn!(message = "configuration", service = function.name, reason = warning.to_string());
    }
    let router = build(&boot);
    let service = function.name;
    let closing = boot.clone();
    lambda_runtime::spawn_graceful_shutdown_handler(move || async move {
        tracing::info!(message = "shutdown", service, step = "closing");
        if let Some(Some(mongo)) = closing.mongo.get() {
            mongo.shutdown().await;
        }
        tracing::info!(message = "shutdown", service, step = "closed");
    })
    .await;
    lambda_http::run(router).await
}

async fn prepare(function: Function) -> Result<Boot, lambda_http::Error> {
    let mut variables: HashMap<String, String> = config::environment();
    if let Some(ids) = variables.get("SECRETS_ID").filter(|ids| !ids.trim().is_empty()).cloned() {
        variables.extend(secrets::fetch(&ids).await?);
    }
    let config = Config::load(&variables, function.needs)?;
    telemetry::init(&config.logging, std::io::stdout);
    Ok(Boot::new(config))
}
