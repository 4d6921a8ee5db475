//! Sessions and their refresh tokens. A session lives while its document is there: an ended one is dead at once. Of a
//! refresh token only its HMAC is kept; a rotated one stays until it would have expired, so that its reuse is noticed.

use finance::id::UserId;
use mongodb::bson::{self, Document, doc};
use mongodb::{IndexModel, bson::Binary, bson::spec::BinarySubtype};
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use uuid::Uuid;

use super::mongo::{expiring_index, index};
use super::tx::{Tx, TxError, WriteError, work};
use super::{Store, StoreError, counter, id_of, millis, uuid_of};

pub(super) const SESSIONS: &str = "sessions";
pub(super) const REFRESH_TOKENS: &str = "refresh_tokens";

/// The most live sessions of a user.
const LIVE_MAX: u64 = 50;

/// How long after a rotation the old token is taken for a lost race, not for theft.
const SUPERSEDED_MS: i64 = 10_000;

/// A session as its user sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Session {
    pub id: Uuid,
    pub created_at_ms: i64,
    pub last_used_at_ms: i64,
    pub expires_at_ms: i64,
    pub ip: String,
    pub user_agent: String,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct SessionDoc {
    #[serde(rename = "_id")]
    id: bson::Uuid,
    user_id: bson::Uuid,
    created_at: bson::DateTime,
    last_used_at: bson::DateTime,
    expires_at: bson::DateTime,
    ip: String,
    user_agent: String,
}

/// A refresh token's keyed hash.
pub type TokenHash = [u8; 32];

/// What came of a refresh.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rotation {
    Rotated {
        user: UserId,
        session: Uuid,
        expires_at_ms: i64,
    },
    /// Rotated at most 10 s ago: another request of the same client won.
    Superseded,
    /// Rotated before that: the session was ended.
    Reused,
    Unknown,
}

fn hash_of(hash: &TokenHash) -> Binary {
    Binary { subtype: BinarySubtype::Generic, bytes: hash.to_vec() }
}

pub(super) fn indexes() -> Vec<IndexModel> {
    vec![index(doc! {"userId": 1, "_id": -1}), expiring_index()]
}

pub(super) fn token_indexes() -> Vec<IndexModel> {
    vec![index(doc! {"userId": 1}), index(doc! {"sessionId": 1}), expiring_index()]
}

/// Writes a new session and its first refresh token within a transaction.
pub(super) async fn insert(tx: &mut Tx, session: &Session, token: &TokenHash) -> Result<(), TxError> {
    let document = SessionDoc {
        id: uuid_of(session.id),
        user_id: uuid_of(tx.user.uuid()),
        created_at: millis(session.created_at_ms),
        last_used_at: millis(session.last_used_at_ms),
        expires_at: millis(session.expires_at_ms),
        ip: session.ip.clone(),
        user_agent: session.user_agent.clone(),
    };
    let document = bson::serialize_to_document(&document)?;
    tx.collection(SESSIONS).insert_one(document).session(&mut tx.session).await?;
    insert_token(tx, session.id, session.expires_at_ms, token).await
}

async fn insert_token(
    tx: &mut Tx,
    session: Uuid,
    expires_at_ms: i64,
    token: &TokenHash,
) -> Result<(), TxError> {
    let document = doc! {
        "_id": hash_of(token),
        "userId": uuid_of(tx.user.uuid()),
        "sessionId": uuid_of(session),
        "expiresAt": millis(expires_at_ms),
    };
    tx.collection(REFRESH_TOKENS).insert_one(document).session(&mut tx.session).await?;
    Ok(())
}

async fn delete(tx: &mut Tx, session: Uuid) -> Result<bool, TxError> {
    let filter = doc! {"_id": uuid_of(session), "userId": uuid_of(tx.user.uuid())};
    let deleted = tx.collection(SESSIONS).delete_one(filter).session(&mut tx.session).await?;
    Ok(deleted.deleted_count > 0)
}

/// Ends what is beyond the [`LIVE_MAX`] newest sessions of the transaction's user.
async fn end_oldest(tx: &mut Tx) -> Result<(), TxError> {
    let live = doc! {"userId": uuid_of(tx.user.uuid()), "expiresAt": {"$gt": millis(tx.now_ms)}};
    let sessions = tx.collection(SESSIONS);
    let beyond = sessions.find_one(live).sort(doc! {"_id": -1}).skip(LIVE_MAX).projection(doc! {"_id": 1});
    let Some(newest) = beyond.session(&mut tx.session).await? else { return Ok(()) };
    let Some(id) = newest.get("_id").and_then(uuid_in) else {
        return Err(StoreError::Corrupt("sessions._id".into()).into());
    };
    // Ids grow with time: those up to this one are the oldest.
    let filter = doc! {"userId": uuid_of(tx.user.uuid()), "_id": {"$lte": uuid_of(id)}};
    tx.collection(SESSIONS).delete_many(filter).session(&mut tx.session).await?;
    Ok(())
}

/// The sessions of the service, within one request.
pub struct Sessions {
    store: Store,
}

impl Sessions {
    pub fn new(store: Store) -> Self {
        Self { store }
    }

    /// Whether a session of this user lives.
    pub async fn is_live(&self, user: UserId, session: Uuid) -> Result<bool, StoreError> {
        let store = self.store.clone();
        self.store
            .run(async move {
                let filter = doc! {
                    "_id": uuid_of(session),
                    "userId": uuid_of(user.uuid()),
                    "expiresAt": {"$gt": millis(store.now_ms())},
                };
                let found =
                    store.collection(SESSIONS).await?.find_one(filter).projection(doc! {"_id": 1}).await?;
                Ok(found.is_some())
            })
            .await
    }

    /// Starts a session of an existing user.
    pub async fn start(&self, user: UserId, session: Session, token: TokenHash) -> Result<(), WriteError> {
        let work = work(session, move |tx, session| {
            Box::pin(async move {
                // An erasure that runs at the same time must not leave a session behind.
                counter::serialize_with_user_writes(tx).await?;
                insert(tx, &session, &token).await?;
                end_oldest(tx).await
            })
        });
        self.store.transact(user, work).await
    }

    /// Whom a refresh token belongs to, if it is known.
    async fn owner(&self, token: TokenHash) -> Result<Option<UserId>, StoreError> {
        let store = self.store.clone();
        self.store
            .run(async move {
                let found =
                    store.collection(REFRESH_TOKENS).await?.find_one(doc! {"_id": hash_of(&token)}).await?;
                Ok(found.and_then(|found| user_of(&found)))
            })
            .await
    }

    /// Rotates a refresh token: exactly one of any number of simultaneous calls gets a new one.
    pub async fn rotate(&self, token: TokenHash, next: TokenHash) -> Result<Rotation, WriteError> {
        let Some(user) = self.owner(token).await? else { return Ok(Rotation::Unknown) };
        self.store
            .transact_beside(
                user,
                Arc::new(move |tx| Box::pin(async move { rotate(tx, &token, &next).await })),
            )
            .await
    }

    /// Ends the session of a refresh token, and returns whose it was. Unknown tokens end nothing.
    pub async fn end_by_token(&self, token: TokenHash) -> Result<Option<UserId>, WriteError> {
        let Some(user) = self.owner(token).await? else { return Ok(None) };
        self.store
            .transact_beside(
                user,
                Arc::new(move |tx| {
                    Box::pin(async move {
                        let filter = doc! {"_id": hash_of(&token), "userId": uuid_of(tx.user.uuid())};
                        let found =
                            tx.collection(REFRESH_TOKENS).find_one(filter).session(&mut tx.session).await?;
                        match found.as_ref().and_then(session_of) {
                            Some(session) => Ok(delete(tx, session).await?.then_some(tx.user)),
                            None => Ok(None),
                        }
                    })
                }),
            )
            .await
    }

    /// Ends one session of the user.
    ///
    /// # Errors
    /// [`WriteError::NotFound`] also for another user's.
    pub async fn end(&self, user: UserId, session: Uuid) -> Result<(), WriteError> {
        let ended = self
            .store
            .transact_beside(user, Arc::new(move |tx| Box::pin(async move { delete(tx, session).await })))
            .await?;
        if ended { Ok(()) } else { Err(WriteError::NotFound) }
    }

    /// Ends all sessions of the user but one, and returns how many.
    pub async fn end_others(&self, user: UserId, kept: Uuid) -> Result<u64, WriteError> {
        self.store
            .transact_beside(
                user,
                Arc::new(move |tx| {
                    Box::pin(async move {
                        let filter = doc! {"userId": uuid_of(tx.user.uuid()), "_id": {"$ne": uuid_of(kept)}};
                        let ended =
                            tx.collection(SESSIONS).delete_many(filter).session(&mut tx.session).await?;
                        Ok(ended.deleted_count)
                    })
                }),
            )
            .await
    }

    /// The user's live sessions, newest first, at most `limit`, after the one with id `after`.
    pub async fn list(
        &self,
        user: UserId,
        after: Option<Uuid>,
        limit: i64,
    ) -> Result<Vec<Session>, StoreError> {
        let store = self.store.clone();
        self.store
            .run(async move {
                let mut filter =
                    doc! {"userId": uuid_of(user.uuid()), "expiresAt": {"$gt": millis(store.now_ms())}};
                if let Some(after) = after {
                    filter.insert("_id", doc! {"$lt": uuid_of(after)});
                }
                let mut found = store
                    .collection(SESSIONS)
                    .await?
                    .find(filter)
                    .sort(doc! {"_id": -1})
                    .limit(limit)
                    .await?;
                let mut sessions = Vec::new();
                while found.advance().await? {
                    let found: SessionDoc = bson::deserialize_from_document(found.deserialize_current()?)?;
                    sessions.push(Session {
                        id: id_of(found.id),
                        created_at_ms: found.created_at.timestamp_millis(),
                        last_used_at_ms: found.last_used_at.timestamp_millis(),
                        expires_at_ms: found.expires_at.timestamp_millis(),
                        ip: found.ip,
                        user_agent: found.user_agent,
                    });
                }
                Ok(sessions)
            })
            .await
    }
}

fn user_of(token: &Document) -> Option<UserId> {
    token.get("userId").and_then(uuid_in).map(UserId::new)
}

fn session_of(token: &Document) -> Option<Uuid> {
    token.get("sessionId").and_then(uuid_in)
}

fn uuid_in(value: &bson::Bson) -> Option<Uuid> {
    match value {
        bson::Bson::Binary(binary) => Uuid::from_slice(&binary.bytes).ok(),
        _ => None,
    }
}

async fn rotate(tx: &mut Tx, token: &TokenHash, next: &TokenHash) -> Result<Rotation, TxError> {
    let mine = uuid_of(tx.user.uuid());
    let filter = doc! {"_id": hash_of(token), "userId": mine};
    let Some(found) = tx.collection(REFRESH_TOKENS).find_one(filter.clone()).session(&mut tx.session).await?
    else {
        return Ok(Rotation::Unknown);
    };
    let Some(session) = session_of(&found) else {
        return Err(StoreError::Corrupt("refresh_tokens.sessionId".into()).into());
    };
    let live = doc! {"_id": uuid_of(session), "userId": mine, "expiresAt": {"$gt": millis(tx.now_ms)}};
    if let Ok(rotated_at) = found.get_datetime("rotatedAt") {
        // A family that has ended has no race to lose.
        if tx.collection(SESSIONS).find_one(live).session(&mut tx.session).await?.is_none() {
            return Ok(Rotation::Unknown);
        }
        if tx.now_ms.saturating_sub(rotated_at.timestamp_millis()) <= SUPERSEDED_MS {
            return Ok(Rotation::Superseded);
        }
        delete(tx, session).await?;
        return Ok(Rotation::Reused);
    }
    let used = tx
        .collection(SESSIONS)
        .find_one_and_update(live, doc! {"$set": {"lastUsedAt": millis(tx.now_ms)}})
        .session(&mut tx.session)
        .await?;
    let Some(used) = used else { return Ok(Rotation::Unknown) };
    let expires_at_ms = used
        .get_datetime("expiresAt")
        .map_err(|_| StoreError::Corrupt("sessions.expiresAt".into()))?
        .timestamp_millis();
    // Two that rotate at once write the same document: one of them is tried again, and then finds it rotated.
    tx.collection(REFRESH_TOKENS)
        .update_one(filter, doc! {"$set": {"rotatedAt": millis(tx.now_ms)}})
        .session(&mut tx.session)
        .await?;
    insert_token(tx, session, expires_at_ms, next).await?;
    Ok(Rotation::Rotated { user: tx.user, session, expires_at_ms })
}
