//! A running MongoDB transaction of one user, what may end it, and the work that it carries out.
//!
//! Must never begin or commit one: [`super::write`] does.

use std::sync::Arc;
use std::time::{Duration, Instant};

use finance::id::UserId;
use finance::ledger::Overflow;
use finance::rejection::Rejection;
use futures_util::future::BoxFuture;
use mongodb::bson::Document;
use mongodb::error::Error as MongoError;
use mongodb::{ClientSession, Collection, Database};

use super::StoreError;

/// Why a write was not made. Nothing of it was.
#[derive(Debug, thiserror::Error)]
pub enum WriteError {
    #[error("there is no such resource")]
    NotFound,
    #[error("the resource has another version")]
    Stale,
    #[error("{} bad fields", .0.len())]
    Rejected(Vec<Rejection>),
    #[error("the idempotency key was used with another request")]
    KeyReused,
    #[error("a request with the same idempotency key is running")]
    KeyInProgress,
    #[error("still used by {count} others")]
    InUse { count: u64 },
    #[error("more than {limit} transactions")]
    TooMany { limit: u64 },
    #[error("the e-mail address is taken")]
    EmailTaken,
    #[error("the transaction is not deleted")]
    NotDeleted,
    #[error("the transaction is reconciled")]
    Reconciled,
    #[error("a user has at most {max} of {kind}")]
    LimitReached { kind: &'static str, max: u64 },
    #[error("the totals would leave their range")]
    Overflow,
    #[error("the user was erased")]
    UserGone,
    /// It had no effect and will have none.
    #[error("other writes of the user took all the time")]
    Contention,
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// What ends an attempt: the driver (which may be tried again) or a decision (which may not).
#[derive(Debug)]
pub enum TxError {
    Driver(MongoError),
    Refused(WriteError),
}

impl From<MongoError> for TxError {
    fn from(error: MongoError) -> Self {
        Self::Driver(error)
    }
}

impl From<WriteError> for TxError {
    fn from(error: WriteError) -> Self {
        Self::Refused(error)
    }
}

impl From<StoreError> for TxError {
    fn from(error: StoreError) -> Self {
        Self::Refused(error.into())
    }
}

impl From<mongodb::bson::error::Error> for TxError {
    fn from(error: mongodb::bson::error::Error) -> Self {
        StoreError::from(error).into()
    }
}

/// A running transaction of one user.
pub struct Tx {
    pub(crate) session: ClientSession,
    pub(crate) db: Database,
    pub(crate) user: UserId,
    pub(crate) now_ms: i64,
    /// Nobody waits for it any longer then.
    pub(crate) until: Instant,
}

impl Tx {
    /// What is left of the request's time, passed to MongoDB with whatever may take long. A millisecond at least: nothing
    /// would mean no limit.
    pub(crate) fn left(&self) -> Duration {
        self.until.saturating_duration_since(Instant::now()).max(Duration::from_millis(1))
    }

    pub(crate) fn collection(&self, name: &str) -> Collection<Document> {
        self.db.collection(name)
    }
}

/// The work of a transaction. It may run more than once.
pub(crate) type Work<T> = Arc<dyn for<'a> Fn(&'a mut Tx) -> BoxFuture<'a, Result<T, TxError>> + Send + Sync>;

/// The work that `run` does with a copy of `state`.
pub(crate) fn work<S, T>(
    state: S,
    run: impl for<'a> Fn(&'a mut Tx, S) -> BoxFuture<'a, Result<T, TxError>> + Send + Sync + 'static,
) -> Work<T>
where
    S: Clone + Send + Sync + 'static,
{
    Arc::new(move |tx| run(tx, state.clone()))
}

impl From<Overflow> for TxError {
    fn from(_: Overflow) -> Self {
        WriteError::Overflow.into()
    }
}

impl From<Vec<Rejection>> for TxError {
    fn from(rejections: Vec<Rejection>) -> Self {
        WriteError::Rejected(rejections).into()
    }
}
