//! Secrets of AWS Secrets Manager: read at init, used for a while, read again. One refresh at a time; what cannot be
//! refreshed is used on, for an hour at most, so that Secrets Manager being away harms nobody at first, and a key that was
//! taken back does not live for ever. Must never log a value, and never be asked for when `SECRETS_ID` is unset: then the
//! environment holds them.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use aws_config::BehaviorVersion;
use aws_sdk_secretsmanager::Client;
use futures_util::future::try_join_all;
use tokio::sync::OnceCell;

use crate::clock::Clock;
use crate::crypto;

/// How long init may wait for Secrets Manager.
const FETCH_TIMEOUT: Duration = Duration::from_secs(2);
/// How long a request may: it has the secrets of before.
const REFRESH_TIMEOUT: Duration = Duration::from_millis(1_000);
/// How long after a refresh that failed the next is tried.
const RETRY_AFTER_MS: i64 = 30_000;
/// How often a key that is not known, or credentials that were refused, may ask for a refresh.
const ASKED_AT_MOST_EVERY_MS: i64 = 60_000;
/// How long secrets that cannot be refreshed are used beyond their time.
const STALE_MAX_MS: i64 = 3_600_000;

/// Why the secrets could not be read. Names the secret's id, never a value.
#[derive(Debug, thiserror::Error)]
pub enum SecretsError {
    #[error("secret {id} could not be read: {reason}")]
    Unreadable { id: String, reason: String },
    #[error("secret {id} is not a flat JSON object of strings")]
    NotAnObject { id: String },
    #[error("Secrets Manager did not answer in time")]
    Timeout,
}

/// Why a refresh is wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reason {
    /// The secrets have been used for their time.
    Age,
    /// A token is signed with a key that is not known, or a database refused the credentials.
    Refused,
}

/// What a refresh found.
#[derive(Debug)]
pub enum Refreshed {
    /// Too early, or another request is refreshing.
    NotNow,
    /// They are what they were.
    Same,
    /// The new variables. They count as changed until [`Secrets::keep`] is told of them.
    Changed(HashMap<String, String>),
    /// Secrets Manager did not answer, or what it answered cannot be read.
    Failed(SecretsError),
}

/// The secrets of a process.
pub struct Secrets {
    ids: Vec<String>,
    /// Where Secrets Manager is, if not where the SDK knows it to be.
    endpoint: Option<String>,
    client: OnceCell<Client>,
    clock: Clock,
    state: Mutex<State>,
    refreshing: tokio::sync::Mutex<()>,
}

#[derive(Default)]
struct State {
    values: HashMap<String, String>,
    fetched_at_ms: i64,
    /// When their time is over.
    good_until_ms: i64,
    /// When they are to be read again because of their age: at the end of their time, or some time after a try that failed.
    due_at_ms: i64,
    /// When a refused key may ask again.
    may_be_asked_at_ms: i64,
}

impl Secrets {
    /// The secrets that `SECRETS_ID` names; `None` where it is not set.
    pub fn of(environment: &HashMap<String, String>, clock: Clock) -> Option<Self> {
        let ids = environment.get("SECRETS_ID")?.split(',').map(str::trim).filter(|id| !id.is_empty());
        let ids: Vec<String> = ids.map(str::to_owned).collect();
        let endpoint = environment.get("AWS_ENDPOINT_URL").filter(|url| !url.is_empty()).cloned();
        (!ids.is_empty()).then(|| Self {
            ids,
            endpoint,
            client: OnceCell::new(),
            clock,
            state: Mutex::default(),
            refreshing: tokio::sync::Mutex::default(),
        })
    }

    /// Reads them for the first time.
    ///
    /// # Errors
    /// One of them cannot be read within 2 s.
    pub async fn fetch(&self) -> Result<HashMap<String, String>, SecretsError> {
        let values = self.read(FETCH_TIMEOUT).await?;
        self.lock().fetched_at_ms = self.clock.now_ms();
        self.keep(values.clone());
        Ok(values)
    }

    /// From when they were read on the secrets are used for `ttl`, give or take a fifth, so that many environments do not ask
    /// at once.
    pub fn use_for(&self, ttl: Duration) {
        let ttl_ms = i64::try_from(ttl.as_millis()).unwrap_or(i64::MAX);
        let mut state = self.lock();
        state.good_until_ms = state.fetched_at_ms.saturating_add(jittered(ttl_ms));
        state.due_at_ms = state.good_until_ms;
    }

    /// These are the values in use: what a refresh compares with.
    pub fn keep(&self, values: HashMap<String, String>) {
        self.lock().values = values;
    }

    /// Reads them again where there is reason to. The caller says by [`Secrets::use_for`] until when what it finds is good.
    pub async fn refresh(&self, reason: Reason) -> Refreshed {
        let now = self.clock.now_ms();
        // The others go on with what there is.
        let Ok(_turn) = self.refreshing.try_lock() else { return Refreshed::NotNow };
        {
            let mut state = self.lock();
            match reason {
                Reason::Age if now < state.due_at_ms => return Refreshed::NotNow,
                Reason::Refused if now < state.may_be_asked_at_ms => return Refreshed::NotNow,
                Reason::Age => {}
                Reason::Refused => {
                    state.may_be_asked_at_ms = now.saturating_add(ASKED_AT_MOST_EVERY_MS);
                }
            }
        }
        match self.read(REFRESH_TIMEOUT).await {
            Ok(values) => {
                let mut state = self.lock();
                state.fetched_at_ms = now;
                if values == state.values { Refreshed::Same } else { Refreshed::Changed(values) }
            }
            Err(error) => {
                self.lock().due_at_ms = now.saturating_add(jittered(RETRY_AFTER_MS));
                Refreshed::Failed(error)
            }
        }
    }

    /// Whether they have gone without a refresh for longer than they may be used.
    pub fn are_too_old(&self) -> bool {
        self.clock.now_ms().saturating_sub(self.lock().good_until_ms) > STALE_MAX_MS
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The merged variables of all ids, read in parallel; a later id wins.
    async fn read(&self, limit: Duration) -> Result<HashMap<String, String>, SecretsError> {
        let read = async {
            let client = self.client.get_or_init(|| connect(self.endpoint.as_deref())).await;
            try_join_all(self.ids.iter().map(|id| read_one(client, id))).await
        };
        let secrets = tokio::time::timeout(limit, read).await.map_err(|_| SecretsError::Timeout)??;
        Ok(secrets.into_iter().flatten().collect())
    }
}

/// Four to six fifths of it, by chance.
fn jittered(ms: i64) -> i64 {
    let fifth = ms / 5;
    let more = crypto::random_up_to((2 * fifth).unsigned_abs());
    (ms - fifth).saturating_add(i64::try_from(more).unwrap_or(i64::MAX))
}

async fn connect(endpoint: Option<&str>) -> Client {
    let loader = aws_config::defaults(BehaviorVersion::latest());
    let loader = match endpoint {
        Some(url) => loader.endpoint_url(url),
        None => loader,
    };
    Client::new(&loader.load().await)
}

async fn read_one(client: &Client, id: &str) -> Result<HashMap<String, String>, SecretsError> {
    let answer = client.get_secret_value().secret_id(id).send().await.map_err(|error| {
        let error = error.into_service_error();
        let reason = error.meta().code().unwrap_or("no answer").to_owned();
        SecretsError::Unreadable { id: id.to_owned(), reason }
    })?;
    parse(answer.secret_string().unwrap_or_default())
        .ok_or_else(|| SecretsError::NotAnObject { id: id.to_owned() })
}

/// A flat JSON object; numbers and booleans count as their text, an object value (`JWT_KEYS`) as its JSON.
fn parse(text: &str) -> Option<HashMap<String, String>> {
    let object: serde_json::Map<String, serde_json::Value> = serde_json::from_str(text).ok()?;
    Some(
        object
            .into_iter()
            .map(|(name, value)| match value {
                serde_json::Value::String(text) => (name, text),
                other => (name, other.to_string()),
            })
            .collect(),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn chance_moves_a_time_by_a_fifth_at_most() {
        let times: Vec<i64> = (0..1_000).map(|_| jittered(300_000)).collect();
        assert!(times.iter().all(|ms| (240_000..=360_000).contains(ms)));
        assert!(times.iter().max() > times.iter().min(), "not everyone asks at once");
        assert!(jittered(i64::MAX) > 0);
    }

    #[test]
    fn a_secret_is_a_flat_object_whose_inner_documents_stay_text() {
        let parsed = parse(r#"{"JWT_KEYS":{"active":"a","keys":[]},"MONGO_POOL_SIZE":2,"X":"y"}"#).unwrap();
        assert_eq!(parsed["JWT_KEYS"], r#"{"active":"a","keys":[]}"#);
        assert_eq!((parsed["MONGO_POOL_SIZE"].as_str(), parsed["X"].as_str()), ("2", "y"));
        assert!(parse("[]").is_none() && parse("text").is_none());
    }
}
