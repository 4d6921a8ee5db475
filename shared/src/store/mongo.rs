//! The MongoDB client of a process and its view for one request. Opens no socket before the first use; bounds every
//! operation by the request's budget. An operation runs in a task of its own, so that a request that gives up does not
//! leave a connection half-read. After a silence it asks first whether its connections still live: Lambda freezes a
//! process between two requests, and what the network drops meanwhile is dropped without a word.

use std::future::Future;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex as StdMutex, PoisonError};
use std::time::{Duration, Instant};

use finance::id::UserId;
use mongodb::bson::{self, Document};
use mongodb::error::{Error, ErrorKind};
use mongodb::event::EventHandler;
use mongodb::event::command::{CommandEvent, CommandStartedEvent};
use mongodb::options::{
    Acknowledgment, ClientOptions, IndexOptions, ReadConcern, ReadPreference, SelectionCriteria, WriteConcern,
};
use mongodb::{Client, Collection, Database, IndexModel};
use opentelemetry::context::FutureExt;
use secrecy::ExposeSecret;
use tokio::sync::Mutex;
use tokio::task::{JoinError, JoinHandle};
use tracing::Instrument;
use uuid::Uuid;

use super::StoreError;
use super::turns::{Turn, Turns};
use super::tx::WriteError;
use crate::clock::Clock;
use crate::config::MongoConfig;
use crate::crypto;
use crate::observability::{command_began, command_ended};

/// The process's handle. Cloning shares the client.
#[derive(Clone)]
pub struct Mongo {
    inner: Arc<Inner>,
}

struct Inner {
    config: MongoConfig,
    client: Mutex<Option<Made>>,
    /// When MongoDB last answered.
    heard: StdMutex<Option<Moment>>,
    /// An operation was refused for its credentials; newer ones may do.
    refused: AtomicBool,
    clock: Clock,
    /// Its commands are told to the request that is traced.
    traced: bool,
    /// Where the writes of one user wait for each other, those of all functions of the process.
    turns: Arc<Turns>,
}

/// A client, and when it took the place of another, if it did.
struct Made {
    client: Client,
    replaced: Option<Moment>,
}

/// An instant by two clocks: a frozen process may have stopped one of them.
#[derive(Clone, Copy)]
struct Moment {
    at: Instant,
    at_ms: i64,
}

impl Moment {
    fn now(clock: &Clock) -> Self {
        Self { at: Instant::now(), at_ms: clock.now_ms() }
    }

    /// Whether it is less than `duration` ago, by both clocks.
    fn is_within(self, duration: Duration, clock: &Clock) -> bool {
        let wall_ms = clock.now_ms().saturating_sub(self.at_ms);
        self.at.elapsed() < duration && u128::from(wall_ms.unsigned_abs()) < duration.as_millis()
    }
}

/// How long MongoDB is trusted to be there after it answered.
const TRUSTED: Duration = Duration::from_secs(1);
/// How long it may take to say that it still is. More than a slow network's, and less than a request has.
const PROBE_TIME_MAX: Duration = Duration::from_millis(600);
/// How long a client that replaced one stays. A server that is slow, not gone, must not get new connections with every
/// request; and within this time the driver's own heartbeat finds what is dead.
const REPLACEMENT_STAYS: Duration = Duration::from_secs(10);

impl Mongo {
    pub(crate) fn new(config: &MongoConfig, clock: Clock, traced: bool) -> Self {
        let inner = Inner {
            config: config.clone(),
            client: Mutex::default(),
            heard: StdMutex::default(),
            refused: AtomicBool::new(false),
            clock,
            traced,
            turns: Arc::default(),
        };
        Self { inner: Arc::new(inner) }
    }

    /// The client. After a silence, one whose connections turn out to be dead is replaced: the driver itself would notice
    /// with its next heartbeat only, and every request until then would wait in vain.
    async fn client(&self) -> Result<Client, StoreError> {
        let mut slot = self.inner.client.lock().await;
        let mut replaced = None;
        if let Some(made) = slot.as_ref() {
            let is_new = made.replaced.is_some_and(|at| at.is_within(REPLACEMENT_STAYS, &self.inner.clock));
            if self.heard_lately() || is_new || answers(&made.client).await {
                return Ok(made.client.clone());
            }
            tracing::warn!(message = "mongodb's connections are dead; making new ones");
            replaced = Some(Moment::now(&self.inner.clock));
        }
        let client = connect(&self.inner.config, self.inner.traced).await?;
        // The old one is dropped, not shut down: its monitor ends what operations still wait on it.
        *slot = Some(Made { client: client.clone(), replaced });
        self.trust();
        Ok(client)
    }

    /// Whether an operation was refused for its credentials since this was asked last.
    pub(crate) fn take_auth_failure(&self) -> bool {
        self.inner.refused.swap(false, Ordering::Relaxed)
    }

    fn heard_lately(&self) -> bool {
        let heard = *self.inner.heard.lock().unwrap_or_else(PoisonError::into_inner);
        heard.is_some_and(|heard| heard.is_within(TRUSTED, &self.inner.clock))
    }

    /// MongoDB is there: it has just answered, or its client is new.
    fn trust(&self) {
        let now = Moment::now(&self.inner.clock);
        *self.inner.heard.lock().unwrap_or_else(PoisonError::into_inner) = Some(now);
    }

    /// A view for one request, whose MongoDB work must be done by `until`.
    pub fn within(&self, until: Instant) -> Store {
        Store { mongo: self.clone(), until }
    }

    /// A view for work that no request waits for (migration, the health schedule).
    pub fn for_duration(&self, duration: Duration) -> Store {
        Store { mongo: self.clone(), until: Instant::now() + duration }
    }

    /// Reaches MongoDB for a start that needs it: `MONGO_CONNECT_ATTEMPTS` times, with a pause after each that failed, which
    /// begins at `MONGO_CONNECT_BACKOFF_MS` and doubles, give or take half by chance. `failed` is told of each failure, the
    /// URI redacted, with the pause that follows, if one does.
    ///
    /// # Errors
    /// The last attempt's.
    pub async fn reach(&self, mut failed: impl FnMut(&str, Option<Duration>)) -> Result<(), StoreError> {
        let config = &self.inner.config;
        let limit = config.server_selection_timeout.saturating_add(config.connect_timeout);
        let mut pause = config.connect_backoff;
        for attempt in 1.. {
            let Err(error) = self.for_duration(limit).ask_for_ping().await else { return Ok(()) };
            let last = attempt >= config.connect_attempts;
            let next = (!last).then(|| half_to_three_halves(pause));
            let said = format!(
                "attempt {attempt} of {} to reach {}: {error}",
                config.connect_attempts,
                config.redacted_uri()
            );
            failed(&said, next);
            let Some(next) = next else { return Err(error) };
            tokio::time::sleep(next).await;
            pause = pause.saturating_mul(2);
        }
        Ok(())
    }

    /// Closes the connections, if there are any.
    pub async fn shutdown(&self) {
        // Who holds it is a request that is under way: the end of the process closes what it uses.
        let Ok(mut slot) = self.inner.client.try_lock() else { return };
        if let Some(Made { client, .. }) = slot.take() {
            client.shutdown().immediate(true).await;
        }
    }
}

/// An error that an operation ends with.
pub(super) trait StoreOutcome: From<StoreError> {
    fn is_auth_failure(&self) -> bool;
}

impl StoreOutcome for StoreError {
    fn is_auth_failure(&self) -> bool {
        matches!(self, Self::CredentialsRefused(_))
    }
}

impl StoreOutcome for WriteError {
    fn is_auth_failure(&self) -> bool {
        matches!(self, Self::Store(error) if error.is_auth_failure())
    }
}

/// From half of it to three halves, by chance: many that were refused together do not come back together.
fn half_to_three_halves(pause: Duration) -> Duration {
    let whole_ms = u64::try_from(pause.as_millis()).unwrap_or(u64::MAX);
    (pause / 2).saturating_add(Duration::from_millis(crypto::random_up_to(whole_ms)))
}

/// Whether a connection still leads to a server. An error is an answer too: the driver has then dropped what is dead.
async fn answers(client: &Client) -> bool {
    let ping = async { client.database("admin").run_command(bson::doc! {"ping": 1}).await };
    tokio::time::timeout(PROBE_TIME_MAX, ping).await.is_ok()
}

async fn connect(config: &MongoConfig, traced: bool) -> Result<Client, StoreError> {
    let mut options = ClientOptions::parse(config.uri.expose_secret()).await?;
    options.app_name.get_or_insert_with(|| "fintrack-pro".to_owned());
    options.max_pool_size = Some(config.pool_size);
    options.min_pool_size = Some(0);
    options.connect_timeout = Some(config.connect_timeout);
    options.server_selection_timeout = Some(config.server_selection_timeout);
    // Below the 350 s after which a NAT gateway drops an idle flow in silence.
    options.max_idle_time = Some(Duration::from_secs(60));
    options.retry_reads = Some(true);
    options.retry_writes = Some(true);
    options.write_concern = Some(
        WriteConcern::builder()
            .w(Acknowledgment::Majority)
            .journal(true)
            .w_timeout(Duration::from_secs(3))
            .build(),
    );
    options.read_concern = Some(ReadConcern::majority());
    options.selection_criteria = Some(SelectionCriteria::ReadPreference(ReadPreference::Primary));
    options.command_event_handler = traced.then(|| EventHandler::callback(tell_trace));
    Ok(Client::with_options(options)?)
}

/// Tells the current request's trace of a command. The driver runs this in the task that waits for the answer.
fn tell_trace(event: CommandEvent) {
    match event {
        CommandEvent::Started(begun) => {
            command_began(begun.request_id, &begun.command_name, collection_of(&begun));
        }
        CommandEvent::Succeeded(done) => command_ended(done.request_id, None),
        CommandEvent::Failed(failed) => command_ended(failed.request_id, Some(error_type(&failed.failure))),
        _ => {}
    }
}

/// The collection that a command names, which is a word of ours.
fn collection_of(begun: &CommandStartedEvent) -> Option<&str> {
    let key = if begun.command_name == "getMore" { "collection" } else { begun.command_name.as_str() };
    begun.command.get_str(key).ok()
}

/// The server's code of an error, or a word. Never its message, which may quote a document.
fn error_type(error: &Error) -> String {
    match error.kind.as_ref() {
        ErrorKind::Command(command) => command.code.to_string(),
        ErrorKind::Io(_) | ErrorKind::ConnectionPoolCleared { .. } => "network".to_owned(),
        _ => "driver".to_owned(),
    }
}

/// MongoDB as one request sees it.
#[derive(Clone)]
pub struct Store {
    mongo: Mongo,
    pub(super) until: Instant,
}

impl Store {
    pub fn now_ms(&self) -> i64 {
        self.mongo.inner.clock.now_ms()
    }

    pub fn clock(&self) -> &Clock {
        &self.mongo.inner.clock
    }

    /// What is left of the request's time, told to MongoDB with whatever may take long: it then stops when nobody waits any
    /// more. A millisecond at least: nothing would mean no limit.
    pub(super) fn left(&self) -> Duration {
        self.until.saturating_duration_since(Instant::now()).max(Duration::from_millis(1))
    }

    pub(super) async fn client(&self) -> Result<Client, StoreError> {
        self.mongo.client().await
    }

    pub(super) async fn db(&self) -> Result<Database, StoreError> {
        Ok(self.database_of(&self.client().await?))
    }

    pub(super) fn database_of(&self, client: &Client) -> Database {
        client.database(&self.mongo.inner.config.database)
    }

    pub(super) async fn collection(&self, name: &str) -> Result<Collection<Document>, StoreError> {
        Ok(self.db().await?.collection(name))
    }

    /// Waits for the user's turn to write in this process. `None`: too many wait.
    pub(super) async fn turn(&self, user: UserId) -> Option<Turn> {
        self.mongo.inner.turns.take(user).await
    }

    /// MongoDB has just answered.
    pub(super) fn trust(&self) {
        self.mongo.trust();
    }

    pub(super) fn heard_lately(&self) -> bool {
        self.mongo.heard_lately()
    }

    /// Whether MongoDB answers, at all: it has lately, or it does now.
    pub(super) async fn answers_ping(&self) -> bool {
        if self.heard_lately() {
            return true;
        }
        let ping =
            async { self.db().await?.run_command(bson::doc! {"ping": 1}).await.map_err(StoreError::from) };
        let answers = ping.await.is_ok();
        if answers {
            self.trust();
        }
        answers
    }

    /// Runs an operation in a task of its own until the request's budget is spent.
    pub(super) async fn run<T, E, F>(&self, work: F) -> Result<T, E>
    where
        T: Send + 'static,
        E: StoreOutcome + Send + 'static,
        F: Future<Output = Result<T, E>> + Send + 'static,
    {
        match tokio::time::timeout_at(self.until.into(), self.spawn(work)).await {
            Ok(joined) => self.outcome(joined),
            Err(_) => Err(StoreError::TimedOut.into()),
        }
    }

    /// Starts an operation in a task of its own, within the request's span and context, so that what the task logs, a panic
    /// above all, has the request's ids.
    pub(super) fn spawn<T, F>(&self, work: F) -> JoinHandle<T>
    where
        T: Send + 'static,
        F: Future<Output = T> + Send + 'static,
    {
        tokio::spawn(work.in_current_span().with_current_context())
    }

    /// What the task of an operation ended with.
    pub(super) fn outcome<T, E: StoreOutcome>(
        &self,
        joined: Result<Result<T, E>, JoinError>,
    ) -> Result<T, E> {
        match joined {
            Ok(result) => {
                match &result {
                    Ok(_) => self.mongo.trust(),
                    Err(error) if error.is_auth_failure() => {
                        self.mongo.inner.refused.store(true, Ordering::Relaxed);
                    }
                    Err(_) => {}
                }
                result
            }
            // The operation's task panicked: a bug of ours, for the edge's guard.
            Err(join) if join.is_panic() => std::panic::resume_unwind(join.into_panic()),
            Err(_) => Err(StoreError::TimedOut.into()),
        }
    }

    /// Whether MongoDB answers within `limit`.
    pub async fn ping(&self, limit: Duration) -> bool {
        matches!(tokio::time::timeout(limit, self.ask_for_ping()).await, Ok(Ok(())))
    }

    async fn ask_for_ping(&self) -> Result<(), StoreError> {
        let store = self.clone();
        self.run(async move {
            store.db().await?.run_command(bson::doc! {"ping": 1}).await?;
            Ok(())
        })
        .await
    }
}

/// A plain index.
pub(super) fn index(keys: Document) -> IndexModel {
    IndexModel::builder().keys(keys).build()
}

/// An index that removes documents once their `expiresAt` is over.
pub(super) fn expiring_index() -> IndexModel {
    let options = IndexOptions::builder().expire_after(Duration::ZERO).build();
    IndexModel::builder().keys(bson::doc! {"expiresAt": 1}).options(options).build()
}

/// An id as it is stored.
pub(crate) fn uuid_of(id: Uuid) -> bson::Uuid {
    bson::Uuid::from_bytes(id.into_bytes())
}

/// An id as it was stored.
pub(crate) fn id_of(id: bson::Uuid) -> Uuid {
    Uuid::from_bytes(id.bytes())
}

/// An instant as it is stored.
pub(crate) fn millis(ms: i64) -> bson::DateTime {
    bson::DateTime::from_millis(ms)
}
