//! A function whose secrets change while it runs: it answers with the newest that it has. New secrets make a new router on a
//! new [`Boot`]; requests under way end on the old one, and clients whose settings are the same are kept. So nothing below
//! knows that a key can change. Must never fail a request because Secrets Manager is away, until the secrets are too old to
//! be trusted; then it must refuse every one.

use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock};

use axum::Router;
use axum::response::Response;
use lambda_http::Request;
use tower::ServiceExt;

use crate::boot::{Boot, MissingPart};
use crate::clock::Clock;
use crate::config::{Config, ConfigError};
use crate::edge::Function;
use crate::edge::SecretsTooOld;
use crate::identity::{self, AccessTokens, Credential, Refusal};
use crate::metrics::{self, Metric};
use crate::observability;
use crate::secrets::{Reason, Refreshed, Secrets, SecretsError};

/// Why a function cannot start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    #[error(transparent)]
    Secrets(#[from] SecretsError),
    #[error(transparent)]
    Config(#[from] ConfigError),
    #[error(transparent)]
    Missing(#[from] MissingPart),
}

/// Reads the secrets, if there are any, and with them the configuration. Where that fails, whom the configuration names is
/// told.
pub(crate) async fn read(
    function: Function,
    environment: &HashMap<String, String>,
    clock: Clock,
) -> Result<(Option<Secrets>, Boot), StartError> {
    let secrets = Secrets::of(environment, clock.clone());
    let mut variables = environment.clone();
    if let Some(secrets) = &secrets {
        match secrets.fetch().await {
            Ok(values) => variables.extend(values),
            Err(error) => {
                let reason = "the secrets cannot be read".to_owned();
                tell_failed_start(&variables, function, &clock, reason).await;
                return Err(error.into());
            }
        }
    }
    let config = match Config::load(&variables, function.needs) {
        Ok(config) => config,
        Err(error) => {
            tell_failed_start(&variables, function, &clock, error.to_string()).await;
            return Err(error.into());
        }
    };
    if let Some(secrets) = &secrets {
        secrets.use_for(config.secrets_ttl);
    }
    Ok((secrets, Boot::with_clock(config, clock)))
}

/// Builds a function's router.
pub type Build = fn(&Boot) -> Result<Router, MissingPart>;

/// A function and the secrets that it answers with.
pub struct Live {
    function: Function,
    build: Build,
    environment: HashMap<String, String>,
    secrets: Option<Secrets>,
    current: RwLock<Arc<Generation>>,
}

/// What one set of secrets makes.
struct Generation {
    boot: Boot,
    router: Router,
    /// Absent where the function verifies no token.
    tokens: Option<AccessTokens>,
}

impl Live {
    /// Reads the secrets, if there are any, and builds the function.
    ///
    /// # Errors
    /// The secrets cannot be read, or with them the configuration cannot be used.
    pub async fn start(
        function: Function,
        build: Build,
        environment: HashMap<String, String>,
        clock: Clock,
    ) -> Result<Self, StartError> {
        let (secrets, boot) = read(function, &environment, clock).await?;
        let current = RwLock::new(Arc::new(Generation::new(boot, build)?));
        Ok(Self { function, build, environment, secrets, current })
    }

    /// What the function now works with.
    pub fn boot(&self) -> Boot {
        self.current().boot.clone()
    }

    fn current(&self) -> Arc<Generation> {
        self.current.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Answers a request, with newer secrets where it is time, where its token is signed with a key that is not known, or
    /// where a database refused the credentials to a request before: that one may have had an effect, and its answer did not wait.
    pub async fn answer(&self, mut request: Request) -> Response {
        let Some(secrets) = &self.secrets else { return dispatch(&self.current(), request).await };
        self.refresh(secrets, Reason::Age).await;
        let current = self.current();
        if current.boot.take_auth_failure() || current.lacks_key_of(&request) {
            self.refresh(secrets, Reason::Refused).await;
        }
        if secrets.are_too_old() {
            request.extensions_mut().insert(SecretsTooOld);
        }
        dispatch(&self.current(), request).await
    }

    async fn refresh(&self, secrets: &Secrets, reason: Reason) {
        match secrets.refresh(reason).await {
            Refreshed::NotNow => {}
            Refreshed::Same => secrets.use_for(self.current().boot.config.secrets_ttl),
            Refreshed::Changed(values) => self.renew(secrets, values),
            Refreshed::Failed(error) => {
                tracing::warn!(
                    message = "secrets not refreshed",
                    service = self.function.name,
                    cause = error.to_string()
                );
                metrics::count(Metric::SecretsStale, self.function.name);
            }
        }
    }

    fn renew(&self, secrets: &Secrets, values: HashMap<String, String>) {
        let mut variables = self.environment.clone();
        variables.extend(values.clone());
        let old = self.current();
        match self.next_generation(&old, &variables) {
            Ok(new) => {
                secrets.use_for(new.boot.config.secrets_ttl);
                secrets.keep(values);
                *self.current.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(new);
                tracing::info!(message = "secrets renewed", service = self.function.name);
            }
            // A mistake in a secret must not end a service that works. It is logged again until it is fixed.
            Err(error) => {
                secrets.use_for(old.boot.config.secrets_ttl);
                tracing::error!(
                    message = "secrets refused",
                    service = self.function.name,
                    reason = error.to_string()
                );
                metrics::count(Metric::SecretsStale, self.function.name);
            }
        }
    }

    fn next_generation(
        &self,
        old: &Generation,
        variables: &HashMap<String, String>,
    ) -> Result<Generation, StartError> {
        let config = Config::load(variables, self.function.needs)?;
        Ok(Generation::new(old.boot.renewed(config), self.build)?)
    }
}

/// Reports a start that failed, where what is known of the configuration says to whom.
async fn tell_failed_start(
    variables: &HashMap<String, String>,
    function: Function,
    clock: &Clock,
    reason: String,
) {
    let checked = Config::check(variables, function.needs);
    observability::start_failed(&checked.config, function.name, clock, reason).await;
}

async fn dispatch(generation: &Generation, request: Request) -> Response {
    generation.router.clone().oneshot(request).await.unwrap_or_else(|never| match never {})
}

impl Generation {
    fn new(boot: Boot, build: Build) -> Result<Self, MissingPart> {
        let router = build(&boot)?;
        let tokens = boot.config.jwt.as_ref().map(|jwt| AccessTokens::new(jwt, boot.clock.clone()));
        Ok(Self { boot, router, tokens })
    }

    /// Whether the request's token is signed, but with no key of ours.
    fn lacks_key_of(&self, request: &Request) -> bool {
        match (&self.tokens, identity::bearer_token(request.headers())) {
            (Some(tokens), Credential::Token(token)) => tokens.check(token) == Err(Refusal::Key),
            _ => false,
        }
    }
}
