//! One write of one user: a MongoDB transaction whose effect, totals and idempotency record are there together or not at
//! all. Within a process a user's writes run one after the other; conflicts with other processes are retried with jitter.
//!
//! Must never commit what its request has given up, nor call a write failed while its commit may still succeed and MongoDB
//! answers.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU8, Ordering};
use std::time::{Duration, Instant};

use finance::id::UserId;
use mongodb::error::{TRANSIENT_TRANSACTION_ERROR, UNKNOWN_TRANSACTION_COMMIT_RESULT};
use mongodb::options::{Acknowledgment, ReadConcern, WriteConcern};

use super::idempotency::{self, Claim, Replay};
use super::turns::Turn;
use super::tx::{Tx, TxError, Work, WriteError};
use super::{Store, StoreError};
use crate::crypto;

/// How often a request waits for a running one with the same key before it is told so.
const KEY_CONFLICTS_MAX: u32 = 3;

/// The time that an attempt needs. None begins with less left, nor with less than this part of the request's budget.
const ATTEMPT_TIME: Duration = Duration::from_millis(200);
const ATTEMPT_PART: u32 = 8;
/// How long MongoDB may take for a commit. It runs on beyond the budget: its outcome is what the client must learn.
const COMMIT_TIME_MAX: Duration = Duration::from_secs(10);
/// How long MongoDB may take to answer a ping while a commit is under way.
const PING_TIME_MAX: Duration = Duration::from_millis(400);
/// The pause before a commit of unknown outcome is sent again.
const COMMIT_PAUSE: Duration = Duration::from_millis(20);
/// The longest pause after a first conflict; it doubles with each further one,
const PAUSE_FIRST: Duration = Duration::from_millis(10);
/// up to this, of which what is left of the request's time leaves a part.
const PAUSE_MAX: Duration = Duration::from_millis(160);
/// A ceiling that the oldest request keeps.
const PAUSE_LAST: Duration = Duration::from_millis(5);

impl Store {
    /// Runs `work` in a transaction, with its answer kept for a retried request where there is a claim.
    pub(crate) async fn write(
        &self,
        user: UserId,
        claim: Option<Claim>,
        work: Work<Replay>,
    ) -> Result<Replay, WriteError> {
        let Some(claim) = claim else { return self.transact(user, work).await };
        let claimed = super::tx::work((claim, work), |tx, (claim, work)| {
            Box::pin(async move {
                if let Some(replay) = idempotency::find(tx, &claim).await? {
                    return Ok(replay);
                }
                let answer = work(tx).await?;
                idempotency::insert(tx, &claim, &answer).await?;
                Ok(answer)
            })
        });
        self.transact(user, claimed).await
    }

    /// Runs `work` in a transaction, after the user's other writes of this process.
    ///
    /// # Errors
    /// [`WriteError::Contention`] when those, or conflicts with other processes, leave no time.
    pub(crate) async fn transact<T: Send + 'static>(
        &self,
        user: UserId,
        work: Work<T>,
    ) -> Result<T, WriteError> {
        let began = Instant::now();
        let arrived =
            tokio::time::timeout_at((self.until - self.reserve(began)).into(), self.turn(user)).await;
        let Ok(turn) = arrived else { return Err(self.starved().await) };
        // Held until the answer is known, and no longer: an attempt that a dead connection holds up must not hold up others.
        let _turn: Turn = turn.ok_or(WriteError::Contention)?;
        let waited = began.elapsed() > ATTEMPT_TIME;
        self.transact_unqueued(user, began, waited, work).await
    }

    /// Runs `work`, which must not meet the user's other writes, in a transaction that waits for none of them.
    pub(crate) async fn transact_beside<T: Send + 'static>(
        &self,
        user: UserId,
        work: Work<T>,
    ) -> Result<T, WriteError> {
        self.transact_unqueued(user, Instant::now(), false, work).await
    }

    /// What an attempt must at least have left of the time that the request had when it `began`.
    fn reserve(&self, began: Instant) -> Duration {
        ATTEMPT_TIME.min(self.until.saturating_duration_since(began) / ATTEMPT_PART)
    }

    /// Why a request's turn did not come: its user's other writes, unless MongoDB is away.
    async fn starved(&self) -> WriteError {
        match tokio::time::timeout_at(self.until.into(), self.answers_ping()).await {
            Ok(true) => WriteError::Contention,
            Ok(false) | Err(_) => StoreError::TimedOut.into(),
        }
    }

    async fn transact_unqueued<T: Send + 'static>(
        &self,
        user: UserId,
        began: Instant,
        waited: bool,
        work: Work<T>,
    ) -> Result<T, WriteError> {
        let progress = Arc::new(Progress::default());
        progress.contended.store(waited, Ordering::Relaxed);
        // A request that is dropped, too, commits no more.
        let _dropped = GiveUp(progress.clone());
        let (store, attempts) = (self.clone(), progress.clone());
        let mut task = self.spawn(async move { store.attempt(user, began, work, &attempts).await });
        let last_round = self.until.checked_sub(PING_TIME_MAX).unwrap_or(self.until);
        if let Ok(joined) = tokio::time::timeout_at(last_round.into(), &mut task).await {
            return self.outcome(joined);
        }
        // The outcome of a commit is waited for while MongoDB answers, at most as long as MongoDB itself works on it. The edge
        // ends the wait with the request.
        while Instant::now() < self.until + COMMIT_TIME_MAX {
            tokio::select! {
                biased;
                joined = &mut task => return self.outcome(joined),
                answers = self.ping_round(&progress) => {
                    if progress.give_up() {
                        return Err(self.out_of_time(&progress));
                    }
                    if !answers {
                        break;
                    }
                }
            }
        }
        Err(StoreError::TimedOut.into())
    }

    /// Why nothing was committed in time: the user's other writes, unless MongoDB is away.
    fn out_of_time(&self, progress: &Progress) -> WriteError {
        if progress.contended.load(Ordering::Relaxed) && self.heard_lately() {
            WriteError::Contention
        } else {
            StoreError::TimedOut.into()
        }
    }

    /// Takes [`PING_TIME_MAX`], and asks meanwhile whether MongoDB answers if a commit is under way.
    async fn ping_round(&self, progress: &Progress) -> bool {
        let asked = progress.is_committing();
        let ping = async {
            !asked || matches!(tokio::time::timeout(PING_TIME_MAX, self.answers_ping()).await, Ok(true))
        };
        tokio::join!(tokio::time::sleep(PING_TIME_MAX), ping).1
    }

    async fn attempt<T: Send + 'static>(
        &self,
        user: UserId,
        began: Instant,
        work: Work<T>,
        progress: &Progress,
    ) -> Result<T, WriteError> {
        let client = self.client().await?;
        let session = client.start_session().await.map_err(StoreError::from)?;
        // Of the same client: a session is that client's.
        let db = self.database_of(&client);
        let mut tx = Tx { session, db, user, now_ms: self.now_ms(), until: self.until };
        let reserve = self.reserve(began);
        let mut key_conflicts = 0;
        let mut attempt = 0u32;
        loop {
            // A retried write is of a later moment than the write that it met.
            tx.now_ms = self.now_ms();
            let last = match self.once(&mut tx, &work, progress).await {
                Ok(value) => return Ok(value),
                Err(TxError::Refused(WriteError::KeyInProgress)) if key_conflicts < KEY_CONFLICTS_MAX => {
                    key_conflicts += 1;
                    WriteError::KeyInProgress
                }
                Err(TxError::Refused(error)) => return Err(error),
                Err(TxError::Driver(error)) if error.contains_label(TRANSIENT_TRANSACTION_ERROR) => {
                    let conflict = idempotency::is_write_conflict(&error);
                    progress.contended.store(conflict, Ordering::Relaxed);
                    if conflict {
                        self.trust();
                        WriteError::Contention
                    } else {
                        StoreError::Unavailable(error).into()
                    }
                }
                Err(TxError::Driver(error)) => return Err(StoreError::from(error).into()),
            };
            let left = self.until.saturating_duration_since(Instant::now());
            let pause = jitter(pause_max(attempt, left, self.until.saturating_duration_since(began)));
            if left < pause.saturating_add(reserve) {
                return Err(last);
            }
            tokio::time::sleep(pause).await;
            attempt = attempt.saturating_add(1);
        }
    }

    /// One attempt: all of it, or nothing.
    async fn once<T>(&self, tx: &mut Tx, work: &Work<T>, progress: &Progress) -> Result<T, TxError> {
        let concern = WriteConcern::builder()
            .w(Acknowledgment::Majority)
            .journal(true)
            .w_timeout(COMMIT_TIME_MAX)
            .build();
        tx.session
            .start_transaction()
            .read_concern(ReadConcern::snapshot())
            .write_concern(concern)
            .max_commit_time(COMMIT_TIME_MAX)
            .await?;
        let value = match work(tx).await {
            Ok(value) => value,
            Err(error) => {
                // The server ends what cannot be aborted; the cause is what matters.
                drop(tx.session.abort_transaction().await);
                return Err(error);
            }
        };
        self.trust();
        if Instant::now() >= self.until || !progress.begin_commit() {
            drop(tx.session.abort_transaction().await);
            return Err(self.out_of_time(progress).into());
        }
        loop {
            match tx.session.commit_transaction().await {
                Ok(()) => return Ok(value),
                Err(error)
                    if error.contains_label(UNKNOWN_TRANSACTION_COMMIT_RESULT)
                        && Instant::now() < self.until =>
                {
                    tokio::time::sleep(COMMIT_PAUSE).await;
                }
                Err(error) => {
                    // Only this label says that nothing was committed.
                    if error.contains_label(TRANSIENT_TRANSACTION_ERROR) {
                        progress.commit_failed();
                    }
                    return Err(error.into());
                }
            }
        }
    }
}

/// How far a write's attempts are, between the task that makes them and the request that waits. Either the request gives
/// up, or the task begins its commit: never both.
#[derive(Default)]
struct Progress {
    stage: AtomicU8,
    /// The user's other writes are what takes the time.
    contended: AtomicBool,
}

impl Progress {
    const OPEN: u8 = 0;
    const COMMITTING: u8 = 1;
    const GIVEN_UP: u8 = 2;

    fn enter(&self, stage: u8) -> bool {
        self.stage.compare_exchange(Self::OPEN, stage, Ordering::AcqRel, Ordering::Acquire).is_ok()
    }

    /// Whether the commit may be sent: nobody has given up.
    fn begin_commit(&self) -> bool {
        self.enter(Self::COMMITTING)
    }

    fn commit_failed(&self) {
        self.stage.store(Self::OPEN, Ordering::Release);
    }

    /// Whether it is certain that nothing was and will be committed.
    fn give_up(&self) -> bool {
        self.enter(Self::GIVEN_UP)
    }

    fn is_committing(&self) -> bool {
        self.stage.load(Ordering::Acquire) == Self::COMMITTING
    }
}

struct GiveUp(Arc<Progress>);

impl Drop for GiveUp {
    fn drop(&mut self) {
        self.0.give_up();
    }
}

/// The ceiling of a retry's pause. It grows with the attempts, as conflicts show how many writers there are, and shrinks
/// with the time that is left, so that the oldest of many writers tries most often.
fn pause_max(attempt: u32, left: Duration, whole: Duration) -> Duration {
    let grown = PAUSE_FIRST.saturating_mul(2u32.saturating_pow(attempt.min(10))).min(PAUSE_MAX);
    let (left, whole) = (left.as_micros(), whole.as_micros().max(1));
    let micros = PAUSE_MAX.as_micros().saturating_mul(left) / whole;
    grown.min(Duration::from_micros(u64::try_from(micros).unwrap_or(u64::MAX))).max(PAUSE_LAST)
}

/// Full jitter: anywhere from nothing to `most`.
fn jitter(most: Duration) -> Duration {
    Duration::from_micros(crypto::random_up_to(u64::try_from(most.as_micros()).unwrap_or(u64::MAX)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_ceiling_of_a_pause_grows_with_the_attempts_and_shrinks_with_the_time_left() {
        let whole = Duration::from_millis(2500);
        let ceiling = |attempt, left_ms| pause_max(attempt, Duration::from_millis(left_ms), whole);
        assert_eq!(ceiling(0, 2500), PAUSE_FIRST);
        assert_eq!(ceiling(1, 2400), PAUSE_FIRST * 2);
        assert_eq!(ceiling(u32::MAX, 2500), PAUSE_MAX);
        assert_eq!(ceiling(9, 1250), PAUSE_MAX / 2);
        assert_eq!(ceiling(9, 0), PAUSE_LAST);
        assert_eq!(pause_max(0, Duration::ZERO, Duration::ZERO), PAUSE_LAST);
        assert!((1..100).all(|n| ceiling(9, n * 25) >= ceiling(9, (n - 1) * 25)));
        assert!((0..100).all(|_| jitter(PAUSE_LAST) <= PAUSE_LAST));
    }

    #[test]
    fn a_write_that_was_given_up_does_not_commit_and_one_that_commits_is_not_given_up() {
        let given_up = Progress::default();
        assert!(given_up.give_up() && !given_up.begin_commit());
        let committing = Progress::default();
        assert!(committing.begin_commit() && !committing.give_up() && committing.is_committing());
        committing.commit_failed();
        assert!(committing.give_up(), "a commit that failed had no effect");
    }
}
