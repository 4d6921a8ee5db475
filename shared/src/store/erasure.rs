//! Erases a user. The first step is one transaction: the user, the sessions and the ledger's counter go, and a note is
//! left of what remains; from then on nobody can act as the user. The rest is removed next, in any number of tries: a
//! process that ends in between leaves the note, and the next migration goes on from it.
//!
//! A restored backup brings back who was erased since, so the log says whom, outside of what is restored: before the
//! transaction and after it, for the answer of a commit can be lost, and so can the process between commit and line.

use finance::id::UserId;
use mongodb::bson::{self, doc};

use super::counter::{self, LEDGERS};
use super::registry::{self, ERASURES};
use super::sessions::SESSIONS;
use super::tx::{Tx, TxError, WriteError, work};
use super::users::USERS;
use super::{Store, StoreError, millis, uuid_of};
use crate::telemetry;

impl Store {
    /// Erases a user and everything of theirs.
    ///
    /// # Errors
    /// None of it is done, or all of the transaction is and its answer was lost: then the user is gone, and what is left is
    /// noted. Done again, it tells which.
    pub async fn erase_user(&self, user: UserId) -> Result<(), WriteError> {
        tracing::info!(
            target: telemetry::RECORD,
            message = "user erasure begun",
            event = "user_erasure_begun",
            user.id = user.to_string()
        );
        self.transact(user, work((), |tx, ()| Box::pin(erase(tx)))).await?;
        tracing::info!(
            target: telemetry::RECORD,
            message = "user erased",
            event = "user_erased",
            user.id = user.to_string()
        );
        // The user is gone for everyone; what could not be removed now is noted, and is removed by the next migration.
        if let Err(error) = remove_all(self, uuid_of(user.uuid())).await {
            tracing::warn!(message = "erasure goes on later", cause = error.to_string());
        }
        Ok(())
    }
}

async fn erase(tx: &mut Tx) -> Result<(), TxError> {
    counter::serialize_with_user_writes(tx).await?;
    let id = doc! {"_id": uuid_of(tx.user.uuid())};
    let mine = doc! {"userId": uuid_of(tx.user.uuid())};
    for collection in [USERS, LEDGERS] {
        tx.collection(collection).delete_one(id.clone()).session(&mut tx.session).await?;
    }
    tx.collection(SESSIONS).delete_many(mine).session(&mut tx.session).await?;
    let note = doc! {"_id": uuid_of(tx.user.uuid()), "erasedAt": millis(tx.now_ms)};
    tx.collection(ERASURES).insert_one(note).session(&mut tx.session).await?;
    Ok(())
}

/// Removes everything of an erased user, then the note.
async fn remove_all(store: &Store, user: bson::Uuid) -> Result<(), StoreError> {
    let work = store.clone();
    store
        .run(async move {
            for collection in registry::owned() {
                work.collection(collection.name).await?.delete_many(doc! {"userId": user}).await?;
            }
            work.collection(ERASURES).await?.delete_one(doc! {"_id": user}).await?;
            Ok(())
        })
        .await
}

/// Removes what the noted erasures left.
pub(super) async fn finish_pending(store: &Store) -> Result<(), StoreError> {
    let work = store.clone();
    let noted = store.run(async move {
        work.collection(ERASURES).await?.distinct("_id", doc! {}).await.map_err(StoreError::from)
    });
    for user in noted.await? {
        let bson::Bson::Binary(user) = user else { return Err(StoreError::Corrupt("erasures._id".into())) };
        let user = user.to_uuid().map_err(|error| StoreError::Corrupt(error.to_string()))?;
        remove_all(store, user).await?;
    }
    Ok(())
}
