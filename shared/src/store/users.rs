//! Users and their log-in guards. Must never hold a password: only its Argon2id hash.

use std::time::{Duration, Instant};

use finance::currency::Currency;
use finance::id::UserId;
use mongodb::IndexModel;
use mongodb::bson::spec::BinarySubtype;
use mongodb::bson::{self, Binary, doc};
use mongodb::error::{ErrorKind, WriteFailure};
use mongodb::options::IndexOptions;
use serde::{Deserialize, Serialize};

use super::entity::Expected;
use super::mongo::expiring_index;
use super::tx::{Tx, TxError, WriteError, work};
use super::{Store, StoreError, counter, id_of, millis, uuid_of};
use crate::{crypto, email};

pub(super) const USERS: &str = "users";
pub(super) const GUARDS: &str = "login_guards";

/// A user.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct User {
    pub id: UserId,
    /// As [`crate::email::normalize`] makes it: unique.
    pub email: String,
    pub password_hash: String,
    pub first_name: Option<String>,
    pub last_name: Option<String>,
    pub currency: Currency,
    pub time_zone: String,
    pub locale: Option<String>,
    pub created_at_ms: i64,
    pub version: i64,
}

impl User {
    /// The strong entity tag.
    pub fn tag(&self) -> String {
        self.version.to_string()
    }
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct UserDoc {
    #[serde(rename = "_id")]
    id: bson::Uuid,
    email: String,
    password_hash: String,
    first_name: Option<String>,
    last_name: Option<String>,
    currency: String,
    time_zone: String,
    locale: Option<String>,
    created_at: bson::DateTime,
    version: i64,
}

impl From<&User> for UserDoc {
    fn from(user: &User) -> Self {
        Self {
            id: uuid_of(user.id.uuid()),
            email: user.email.clone(),
            password_hash: user.password_hash.clone(),
            first_name: user.first_name.clone(),
            last_name: user.last_name.clone(),
            currency: user.currency.code().to_owned(),
            time_zone: user.time_zone.clone(),
            locale: user.locale.clone(),
            created_at: millis(user.created_at_ms),
            version: user.version,
        }
    }
}

impl TryFrom<UserDoc> for User {
    type Error = StoreError;
    fn try_from(doc: UserDoc) -> Result<Self, StoreError> {
        Ok(Self {
            id: UserId::new(id_of(doc.id)),
            email: doc.email,
            password_hash: doc.password_hash,
            first_name: doc.first_name,
            last_name: doc.last_name,
            currency: Currency::parse(&doc.currency)
                .ok_or_else(|| StoreError::Corrupt("users.currency".into()))?,
            time_zone: doc.time_zone,
            locale: doc.locale,
            created_at_ms: doc.created_at.timestamp_millis(),
            version: doc.version,
        })
    }
}

pub(super) fn indexes() -> Vec<IndexModel> {
    let unique = IndexOptions::builder().unique(true).build();
    vec![IndexModel::builder().keys(doc! {"email": 1}).options(unique).build()]
}

pub(super) fn guard_indexes() -> Vec<IndexModel> {
    vec![expiring_index()]
}

/// Whether a log-in may be tried now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reservation {
    Granted,
    /// Milliseconds to wait.
    Delayed {
        wait_ms: i64,
    },
}

/// The failures after which an account waits.
const FREE_FAILURES: i64 = 5;
const DELAY_MAX_MS: i64 = 3_600_000;

/// The users of the service, within one request.
pub struct Users {
    store: Store,
}

impl Users {
    pub fn new(store: Store) -> Self {
        Self { store }
    }

    pub async fn find_by_email(&self, email: &str) -> Result<Option<User>, StoreError> {
        self.find(doc! {"email": email}).await
    }

    pub async fn get(&self, user: UserId) -> Result<Option<User>, StoreError> {
        self.find(doc! {"_id": uuid_of(user.uuid())}).await
    }

    async fn find(&self, filter: bson::Document) -> Result<Option<User>, StoreError> {
        let store = self.store.clone();
        self.store
            .run(async move {
                let found = store.db().await?.collection::<UserDoc>(USERS).find_one(filter).await?;
                found.map(User::try_from).transpose()
            })
            .await
    }

    /// Changes a user.
    ///
    /// # Errors
    /// [`WriteError::Stale`] for a version that is not expected.
    pub async fn update(
        &self,
        user: UserId,
        expected: Expected,
        change: impl Fn(User) -> User + Clone + Send + Sync + 'static,
    ) -> Result<User, WriteError> {
        let work = work((expected, change), |tx, (expected, change)| {
            Box::pin(async move {
                counter::serialize_with_user_writes(tx).await?;
                let filter = doc! {"_id": uuid_of(tx.user.uuid())};
                let users = tx.db.collection::<UserDoc>(USERS);
                let found = users.find_one(filter.clone()).session(&mut tx.session).await?;
                let current = User::try_from(found.ok_or(WriteError::UserGone)?)?;
                expected.check(&current.tag())?;
                let version = current.version.saturating_add(1);
                let changed = User { version, ..change(current) };
                users.replace_one(filter, UserDoc::from(&changed)).session(&mut tx.session).await?;
                Ok(changed)
            })
        });
        self.store.transact(user, work).await
    }

    /// Replaces a password hash that was made with older parameters, unless it has changed meanwhile.
    pub async fn rehash(&self, user: UserId, old: String, new: String) -> Result<(), StoreError> {
        let store = self.store.clone();
        self.store
            .run(async move {
                let filter = doc! {"_id": uuid_of(user.uuid()), "passwordHash": old};
                let update = doc! {"$set": {"passwordHash": new}};
                store.collection(USERS).await?.update_one(filter, update).await?;
                Ok(())
            })
            .await
    }

    /// Reserves one log-in attempt of an identifier (its keyed hash, known or not) before its password is looked at:
    /// counted as a failure until [`Users::log_in_succeeded`] says otherwise. After the fifth in a row each waits twice
    /// as long as the last, from 1 s to 1 h. Where the five have no outcome yet, this one is waited for, at most 1 s.
    pub async fn reserve_log_in(&self, identifier: [u8; 32]) -> Result<Reservation, StoreError> {
        let store = self.store.clone();
        self.store.run(async move { reserve(&store, identifier).await }).await
    }

    /// Counts the attempt for good: who waits for its outcome need not wait longer.
    pub async fn log_in_failed(&self, identifier: [u8; 32]) -> Result<(), StoreError> {
        let store = self.store.clone();
        self.store
            .run(async move {
                let filter = doc! {"_id": guard_id(identifier), "pending": {"$gt": 0_i64}};
                let update = doc! {"$inc": {"pending": -1_i64}};
                store.collection(GUARDS).await?.update_one(filter, update).await?;
                Ok(())
            })
            .await
    }

    /// Forgets all failures.
    pub async fn log_in_succeeded(&self, identifier: [u8; 32]) -> Result<(), StoreError> {
        let store = self.store.clone();
        self.store
            .run(async move {
                store.collection(GUARDS).await?.delete_one(doc! {"_id": guard_id(identifier)}).await?;
                Ok(())
            })
            .await
    }
}

fn guard_id(identifier: [u8; 32]) -> Binary {
    Binary { subtype: BinarySubtype::Generic, bytes: identifier.to_vec() }
}

/// How often an attempt is tried again that met another one of the same identifier in the act.
const RESERVATION_TRIES: u32 = 20;

/// How long an attempt waits for the outcome of those that hold the free failures.
const OUTCOME_WAIT: Duration = Duration::from_secs(1);
/// The longest pause between two looks at the guard.
const OUTCOME_PAUSE_MAX_MS: u64 = 80;
/// After this time an attempt without an outcome has none to come: its request has ended.
const UNDECIDED_MAX_MS: i64 = 10_000;

/// Whether an attempt can go on.
enum Attempt {
    Reserved,
    Refused {
        wait_ms: i64,
        /// Attempts without an outcome hold the free failures: a success of one of them ends the wait.
        undecided: bool,
    },
}

async fn reserve(store: &Store, identifier: [u8; 32]) -> Result<Reservation, StoreError> {
    let until = Instant::now() + OUTCOME_WAIT;
    let mut pause_ms = 10;
    loop {
        match try_reserve(store, identifier).await? {
            Attempt::Reserved => return Ok(Reservation::Granted),
            Attempt::Refused { wait_ms, undecided } if !undecided || Instant::now() >= until => {
                return Ok(Reservation::Delayed { wait_ms });
            }
            Attempt::Refused { .. } => {}
        }
        tokio::time::sleep(Duration::from_millis(1 + crypto::random_up_to(pause_ms))).await;
        pause_ms = (pause_ms * 2).min(OUTCOME_PAUSE_MAX_MS);
    }
}

async fn try_reserve(store: &Store, identifier: [u8; 32]) -> Result<Attempt, StoreError> {
    let guards = store.collection(GUARDS).await?;
    for _ in 0..RESERVATION_TRIES {
        let now = store.now_ms();
        match guards
            .find_one_and_update(
                doc! {"_id": guard_id(identifier), "$or": [
                    {"notBefore": {"$exists": false}}, {"notBefore": {"$lte": now}},
                ]},
                reservation_steps(now),
            )
            .upsert(true)
            .await
        {
            Ok(_) => return Ok(Attempt::Reserved),
            // The guard is there and did not match: its time has not come, or another attempt made it just now.
            Err(error) if is_duplicate_key(&error) => {
                let guard = guards.find_one(doc! {"_id": guard_id(identifier)}).await?.unwrap_or_default();
                let number = |name: &str| guard.get_i64(name).unwrap_or(0);
                let wait_ms = number("notBefore").saturating_sub(now);
                if wait_ms > 0 {
                    let recent = now.saturating_sub(number("reservedAt")) <= UNDECIDED_MAX_MS;
                    return Ok(Attempt::Refused { wait_ms, undecided: recent && number("pending") > 0 });
                }
            }
            Err(error) => return Err(error.into()),
        }
    }
    Ok(Attempt::Refused { wait_ms: 1, undecided: false })
}

/// Counts the attempt as a failure and as pending, and sets from when on the next may come: one atomic step, so that
/// parallel attempts cannot share a reservation.
fn reservation_steps(now: i64) -> Vec<bson::Document> {
    let counted = doc! {"$add": [{"$ifNull": ["$failures", 0_i64]}, 1_i64]};
    let recent = doc! {"$gte": ["$reservedAt", now.saturating_sub(UNDECIDED_MAX_MS)]};
    let undecided = doc! {"$cond": [recent, {"$ifNull": ["$pending", 0_i64]}, 0_i64]};
    let beyond = doc! {"$min": [{"$subtract": ["$failures", FREE_FAILURES]}, 12_i64]};
    let doubled = doc! {"$multiply": [1000_i64, {"$toLong": {"$pow": [2, beyond]}}]};
    let delayed = doc! {"$add": [now, {"$min": [doubled, DELAY_MAX_MS]}]};
    // No time at all, rather than this moment: an attempt that looked at its clock a moment before must not have to wait.
    let not_before = doc! {"$cond": [{"$lt": ["$failures", FREE_FAILURES]}, "$$REMOVE", delayed]};
    let kept_until = now.saturating_add(DELAY_MAX_MS.saturating_mul(24));
    vec![
        doc! {"$set": {"failures": counted, "pending": {"$add": [undecided, 1_i64]}}},
        doc! {"$set": {
            "notBefore": not_before, "reservedAt": now, "expiresAt": {"$toDate": kept_until},
        }},
    ]
}

#[derive(Debug, Deserialize)]
struct Address {
    #[serde(rename = "_id")]
    id: bson::Uuid,
    email: String,
}

/// Brings the addresses of existing users into the form that accounts are unique by. A user whose address cannot be
/// brought into it, because it is invalid by now or another user's, keeps it as it is.
pub(super) async fn normalize_emails(store: &Store) -> Result<(), StoreError> {
    let work = store.clone();
    store
        .run(async move {
            let users = work.db().await?.collection::<Address>(USERS);
            // An address in ASCII has that form already.
            let mut found = users
                .find(doc! {"email": {"$regex": "[^\\x00-\\x7F]"}})
                .projection(doc! {"email": 1})
                .await?;
            while found.advance().await? {
                let Address { id, email: old } = found.deserialize_current()?;
                let Some(new) = email::normalize(&old).filter(|new| *new != old) else { continue };
                let update = doc! {"$set": {"email": new}, "$inc": {"version": 1_i64}};
                match users.update_one(doc! {"_id": id, "email": old}, update).await {
                    Ok(_) => {}
                    Err(error) if is_duplicate_key(&error) => {
                        let user = id_of(id).to_string();
                        tracing::warn!(message = "two users have one e-mail address", user.id = user);
                    }
                    Err(error) => return Err(error.into()),
                }
            }
            Ok(())
        })
        .await
}

pub(super) fn is_duplicate_key(error: &mongodb::error::Error) -> bool {
    match error.kind.as_ref() {
        ErrorKind::Command(command) => command.code == 11000,
        ErrorKind::Write(WriteFailure::WriteError(write)) => write.code == 11000,
        _ => false,
    }
}

/// Writes a new user within a transaction.
///
/// # Errors
/// [`WriteError::EmailTaken`].
pub(super) async fn insert(tx: &mut Tx, user: &User) -> Result<(), TxError> {
    let users = tx.db.collection::<UserDoc>(USERS);
    match users.insert_one(UserDoc::from(user)).session(&mut tx.session).await {
        Ok(_) => Ok(()),
        Err(error) if is_duplicate_key(&error) => Err(WriteError::EmailTaken.into()),
        Err(error) => Err(error.into()),
    }
}
