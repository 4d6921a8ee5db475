//! The user's counter (`ledgers`): the number of the last change, which every write of the user moves. Two writes of one
//! user conflict here.
//!
//! Must never go back.

use finance::id::UserId;
use mongodb::bson::{Document, doc};
use mongodb::options::ReturnDocument;

use super::tx::{Tx, TxError, WriteError};
use super::{StoreError, uuid_of};

pub(super) const LEDGERS: &str = "ledgers";

/// Moves the user's knowledge by `count` and answers its last value.
pub(super) async fn next(tx: &mut Tx, count: i64) -> Result<i64, TxError> {
    advance(tx, doc! {"$inc": {"knowledge": count}}).await
}

/// Serializes with the user's other writes (a write conflict on the counter) without advancing its knowledge. It must
/// write something: an update that changes nothing conflicts with nothing.
pub(super) async fn serialize_with_user_writes(tx: &mut Tx) -> Result<(), TxError> {
    advance(tx, doc! {"$inc": {"writeSeq": 1_i64}}).await.map(drop)
}

async fn advance(tx: &mut Tx, update: Document) -> Result<i64, TxError> {
    let filter = doc! {"_id": uuid_of(tx.user.uuid())};
    let ledgers = tx.collection(LEDGERS);
    let updated = ledgers
        .find_one_and_update(filter, update)
        .return_document(ReturnDocument::After)
        .session(&mut tx.session)
        .await?;
    knowledge_in(&updated.ok_or(WriteError::UserGone)?).map_err(Into::into)
}

/// Makes the counter of a new user.
pub(super) async fn start(tx: &mut Tx, knowledge: i64) -> Result<(), TxError> {
    let ledger = doc! {"_id": uuid_of(tx.user.uuid()), "knowledge": knowledge};
    tx.collection(LEDGERS).insert_one(ledger).session(&mut tx.session).await?;
    Ok(())
}

/// The number in a counter's document.
pub(super) fn knowledge_in(ledger: &Document) -> Result<i64, StoreError> {
    ledger.get_i64("knowledge").map_err(|_| StoreError::Corrupt("ledgers.knowledge".into()))
}

/// The user's counter; none where there is none.
pub(super) async fn read(tx: &mut Tx, user: UserId) -> Result<Option<i64>, TxError> {
    let found =
        tx.collection(LEDGERS).find_one(doc! {"_id": uuid_of(user.uuid())}).session(&mut tx.session).await?;
    Ok(found.and_then(|ledger| ledger.get_i64("knowledge").ok()))
}
