//! One write of one user: a MongoDB transaction whose effect, totals and idempotency record are there together or not at
//! all. Conflicts are tried again with jitter until the request's budget is spent; a transaction whose request has given
//! up is not committed (a commit that is under way then is, or is not: the retry with the same key tells).

use std::sync::Arc;
use std::time::{Duration, Instant};

use finance::id::UserId;
use futures_util::future::BoxFuture;
use mongodb::bson::{Document, doc};
use mongodb::error::{Error as MongoError, TRANSIENT_TRANSACTION_ERROR, UNKNOWN_TRANSACTION_COMMIT_RESULT};
use mongodb::options::{ReadConcern, ReturnDocument};
use mongodb::{ClientSession, Collection, Database};

use super::{Store, StoreError, idempotency, uuid_of};
use crate::crypto;
use crate::edge::respond::Answer;
use finance::rejection::Rejection;

pub use super::idempotency::Claim;

/// How often a request waits for a running one with the same key before it is told so.
const KEY_CONFLICTS_MAX: u32 = 3;

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
    #[error("the user was erased")]
    UserGone,
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// What ends an attempt: the driver (which may be tried again) or a decision (which may not).
#[derive(Debug)]
pub(crate) enum TxError {
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
pub(crate) struct Tx {
    pub(crate) session: ClientSession,
    pub(crate) db: Database,
    pub(crate) user: UserId,
    pub(crate) now_ms: i64,
}

impl Tx {
    pub(crate) fn collection(&self, name: &str) -> Collection<Document> {
        self.db.collection(name)
    }

    /// Moves the user's knowledge counter by `count` and answers its last value. The first write of each transaction: two
    /// writes of one user meet here, early and cheaply.
    pub(crate) async fn next_knowledge(&mut self, count: i64) -> Result<i64, TxError> {
        self.meet(doc! {"$inc": {"knowledge": count}}).await
    }

    /// Meets every other write of the user without changing what the ledger knows. It must write something: an update
    /// that changes nothing conflicts with nothing.
    pub(crate) async fn serialize_with_user_writes(&mut self) -> Result<(), TxError> {
        self.meet(doc! {"$inc": {"writeSeq": 1_i64}}).await.map(drop)
    }

    async fn meet(&mut self, update: Document) -> Result<i64, TxError> {
        let updated = self
            .collection("ledgers")
            .find_one_and_update(doc! {"_id": uuid_of(self.user.uuid())}, update)
            .return_document(ReturnDocument::After)
            .session(&mut self.session)
            .await?;
        let ledger = updated.ok_or(WriteError::UserGone)?;
        ledger.get_i64("knowledge").map_err(|_| StoreError::Corrupt("ledgers.knowledge".into()).into())
    }
}

pub(crate) type Work<T> = Arc<dyn for<'a> Fn(&'a mut Tx) -> BoxFuture<'a, Result<T, TxError>> + Send + Sync>;

impl Store {
    /// Runs `work` in a transaction, with its answer kept for a retried request when there is a claim.
    pub(crate) async fn write(
        &self,
        user: UserId,
        claim: Option<Claim>,
        work: Work<Answer>,
    ) -> Result<Answer, WriteError> {
        let Some(claim) = claim else { return self.transact(user, work).await };
        let claimed: Work<Answer> = Arc::new(move |tx: &mut Tx| {
            let (claim, work) = (claim.clone(), work.clone());
            Box::pin(async move {
                if let Some(replay) = idempotency::claim(tx, &claim).await? {
                    return Ok(replay.replayed());
                }
                let answer = work(tx).await?;
                idempotency::complete(tx, &claim, &answer).await?;
                Ok(answer)
            })
        });
        self.transact(user, claimed).await
    }

    /// Runs `work` in a transaction.
    pub(crate) async fn transact<T: Send + 'static>(
        &self,
        user: UserId,
        work: Work<T>,
    ) -> Result<T, WriteError> {
        let store = self.clone();
        self.run(async move { store.attempt(user, work).await }).await
    }

    async fn attempt<T: Send + 'static>(&self, user: UserId, work: Work<T>) -> Result<T, WriteError> {
        let client = self.client().await?;
        let session = client.start_session().await.map_err(StoreError::from)?;
        // Of the same client: a session is that client's.
        let mut tx = Tx { session, db: self.database_of(&client), user, now_ms: self.now_ms() };
        let mut key_conflicts = 0;
        for attempt in 0u32.. {
            match self.once(&mut tx, &work).await {
                Ok(value) => return Ok(value),
                Err(TxError::Refused(WriteError::KeyInProgress)) if key_conflicts < KEY_CONFLICTS_MAX => {
                    key_conflicts += 1;
                }
                Err(TxError::Refused(error)) => return Err(error),
                Err(TxError::Driver(error)) if error.contains_label(TRANSIENT_TRANSACTION_ERROR) => {
                    if Instant::now() >= self.until {
                        return Err(StoreError::Unavailable(error).into());
                    }
                }
                Err(TxError::Driver(error)) => return Err(StoreError::from(error).into()),
            }
            tokio::time::sleep(backoff(attempt)).await;
            if Instant::now() >= self.until {
                break;
            }
        }
        Err(StoreError::TimedOut.into())
    }

    /// One attempt: all of it, or nothing.
    async fn once<T>(&self, tx: &mut Tx, work: &Work<T>) -> Result<T, TxError> {
        tx.session
            .start_transaction()
            .read_concern(ReadConcern::snapshot())
            .max_commit_time(self.left())
            .await?;
        let value = match work(tx).await {
            Ok(value) => value,
            Err(error) => {
                // The server ends what cannot be aborted; the cause is what matters.
                drop(tx.session.abort_transaction().await);
                return Err(error);
            }
        };
        if Instant::now() >= self.until {
            drop(tx.session.abort_transaction().await);
            return Err(StoreError::TimedOut.into());
        }
        loop {
            match tx.session.commit_transaction().await {
                Ok(()) => return Ok(value),
                Err(error)
                    if error.contains_label(UNKNOWN_TRANSACTION_COMMIT_RESULT)
                        && Instant::now() < self.until => {}
                Err(error) => return Err(error.into()),
            }
        }
    }
}

/// Full jitter (each wait is anywhere from nothing to twice the last one's most), at most 100 ms.
fn backoff(attempt: u32) -> Duration {
    let most = 2u64.saturating_pow(attempt.min(6)).saturating_mul(3).min(100);
    Duration::from_millis(crypto::random_up_to(most))
}
