//! Writes transactions, and with each, in one MongoDB transaction: the totals and balances that it moves, the user's
//! knowledge counter, and the idempotency record. What may be written is decided by a pure function of the caller.
//!
//! Must never write a transaction without its effects.

use std::collections::BTreeMap;
use std::sync::Arc;

use finance::id::{CategoryId, TransactionId, UserId};
use finance::ledger::{Effects, Overflow};
use mongodb::bson::{self, Document, doc};

use super::accounts::{self, Account};
use super::categories::{self, Category};
use super::transactions::{StoredTransaction, TRANSACTIONS, TransactionDoc};
use super::{Claim, Store, StoreError, Tx, TxError, WriteError, totals, uuid_of};
use crate::edge::respond::Answer;
use finance::rejection::Rejection;

/// The most transactions that one request moves to another account or category.
pub const MOVED_MAX: u64 = 10_000;
/// Updates that one round trip carries.
const BATCH: usize = 1000;

/// What a decision is made from, read within the transaction that carries it out.
pub struct Loaded {
    /// Oldest first.
    pub accounts: Vec<Account>,
    pub categories: BTreeMap<CategoryId, Category>,
    /// The transaction as it is, deleted or not; `None` for a new one.
    pub current: Option<StoredTransaction>,
    pub now_ms: i64,
}

/// Decides what a transaction becomes. Pure: it may run more than once.
pub type Decide = Arc<dyn Fn(&Loaded) -> Result<StoredTransaction, WriteError> + Send + Sync>;

/// The ledger of one user, within one request.
pub struct Ledger {
    store: Store,
}

impl Ledger {
    pub fn new(store: Store) -> Self {
        Self { store }
    }

    /// Writes what `decide` makes of the transaction `id`, or of nothing for a new one.
    pub async fn write(
        &self,
        user: UserId,
        claim: Option<Claim>,
        id: Option<TransactionId>,
        decide: Decide,
        render: fn(&StoredTransaction) -> Answer,
    ) -> Result<Answer, WriteError> {
        self.store
            .write(
                user,
                claim,
                Arc::new(move |tx| {
                    let decide = decide.clone();
                    Box::pin(async move { Ok(render(&change(tx, id, &*decide).await?)) })
                }),
            )
            .await
    }
}

async fn change(
    tx: &mut Tx,
    id: Option<TransactionId>,
    decide: &(dyn Fn(&Loaded) -> Result<StoredTransaction, WriteError> + Send + Sync),
) -> Result<StoredTransaction, TxError> {
    let knowledge = tx.next_knowledge(1).await?;
    let records = tx.db.collection::<TransactionDoc>(TRANSACTIONS);
    let current = match id {
        None => None,
        Some(id) => {
            let filter = doc! {"_id": uuid_of(id.uuid()), "userId": uuid_of(tx.user.uuid())};
            let found = records.find_one(filter).session(&mut tx.session).await?;
            Some(StoredTransaction::try_from(found.ok_or(WriteError::NotFound)?)?)
        }
    };
    let loaded = Loaded {
        accounts: accounts::load(tx).await?,
        categories: categories::load(tx).await?,
        current,
        now_ms: tx.now_ms,
    };
    let mut record = decide(&loaded)?;
    record.knowledge = knowledge;
    let before = loaded.current.as_ref().and_then(StoredTransaction::live);
    let effects = Effects::change(before, record.live()).map_err(overflow)?;
    let document = TransactionDoc::new(tx.user, &record);
    if id.is_some() {
        let filter = doc! {"_id": uuid_of(record.id.uuid()), "userId": uuid_of(tx.user.uuid())};
        records.replace_one(filter, document).session(&mut tx.session).await?;
    } else {
        records.insert_one(document).session(&mut tx.session).await?;
    }
    totals::apply(tx, &effects, &loaded.accounts).await?;
    Ok(record)
}

pub(super) fn overflow(_: Overflow) -> WriteError {
    WriteError::Rejected(vec![Rejection::new(
        "/amount",
        "out_of_range",
        "the totals would leave their range",
    )])
}

/// Rewrites every transaction that `filter` finds, with its effects, within a transaction. Where they may not be moved
/// (`allowed` is false) there may be none.
pub(super) async fn move_all(
    tx: &mut Tx,
    filter: Document,
    allowed: bool,
    rewrite: impl Fn(StoredTransaction) -> Result<StoredTransaction, WriteError>,
) -> Result<(), TxError> {
    let collection = tx.db.collection::<TransactionDoc>(TRANSACTIONS);
    let count = collection.count_documents(filter.clone()).session(&mut tx.session).await?;
    if count == 0 {
        return Ok(());
    }
    if !allowed {
        return Err(WriteError::InUse { count }.into());
    }
    if count > MOVED_MAX {
        return Err(WriteError::TooMany { limit: MOVED_MAX }.into());
    }
    let mut knowledge = {
        let moved = i64::try_from(count).unwrap_or(i64::MAX);
        tx.next_knowledge(moved).await?.saturating_sub(moved)
    };
    let mut found = collection.find(filter).session(&mut tx.session).await?;
    let mut effects = Effects::default();
    let mut updates = Vec::new();
    while let Some(next) = found.next(&mut tx.session).await {
        let before = StoredTransaction::try_from(next?)?;
        let mut after = rewrite(before.clone())?;
        knowledge = knowledge.saturating_add(1);
        after.knowledge = knowledge;
        after.version = after.version.saturating_add(1);
        after.updated_at_ms = tx.now_ms;
        let change = Effects::change(before.live(), after.live()).map_err(overflow)?;
        effects.add(&change).map_err(overflow)?;
        let filter = doc! {"_id": uuid_of(after.id.uuid()), "userId": uuid_of(tx.user.uuid())};
        let document = bson::serialize_to_document(&TransactionDoc::new(tx.user, &after))?;
        updates.push(doc! {"q": filter, "u": document});
    }
    update_batches(tx, TRANSACTIONS, updates).await?;
    let accounts = accounts::load(tx).await?;
    totals::apply(tx, &effects, &accounts).await
}

/// Sends updates of one collection, many in a round trip; each must have its effect.
pub(super) async fn update_batches(
    tx: &mut Tx,
    collection: &str,
    updates: Vec<Document>,
) -> Result<(), TxError> {
    for batch in updates.chunks(BATCH) {
        let command = doc! {"update": collection, "updates": batch.to_vec()};
        let answer = tx.db.run_command(command).session(&mut tx.session).await?;
        // Unlike the driver's own writes, a command answers an error of one of its updates as a success.
        if let Some(error) = answer.get_array("writeErrors").ok().and_then(|errors| errors.first()) {
            let code = error.as_document().and_then(|error| error.get_i32("code").ok()).unwrap_or_default();
            return Err(
                StoreError::Corrupt(format!("an update of {collection} failed with code {code}")).into()
            );
        }
        if answer.get_i32("n").ok() != i32::try_from(batch.len()).ok() {
            return Err(
                StoreError::Corrupt(format!("a batch of updates of {collection} was not whole")).into()
            );
        }
    }
    Ok(())
}

/// What the ledger's knowledge stands at.
pub(super) async fn knowledge(store: &Store, user: UserId) -> Result<i64, StoreError> {
    let ledger =
        store.collection(super::users::LEDGERS).await?.find_one(doc! {"_id": uuid_of(user.uuid())}).await?;
    Ok(ledger.and_then(|ledger| ledger.get_i64("knowledge").ok()).unwrap_or(0))
}
