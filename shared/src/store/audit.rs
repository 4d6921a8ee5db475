//! The check of a user's ledger: totals, balances and knowledge are recomputed from the transactions and compared with
//! what is kept. Reads one snapshot, streams the transactions, and must never write.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Debug;

use finance::id::UserId;
use finance::ledger::{DayKey, Effects, MonthKey, account_movement};
use futures_util::TryStreamExt;
use mongodb::bson::{self, Document, doc};
use serde::Deserialize;

use super::accounts::Account;
use super::registry::{self, Owner};
use super::transactions::{StoredTransaction, TRANSACTIONS, TransactionDoc, stored_fields};
use super::tx::{Tx, TxError, work};
use super::{Store, StoreError, counter, entity, id_of, totals, users, uuid_of};

/// The most differences that are listed of one user; the rest is counted.
const DIFFERENCES_MAX: usize = 50;

/// What a recomputation from the transactions says of what is kept beside them.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Audit {
    /// How many were read, deleted ones too.
    pub transactions: u64,
    /// One line per difference, the first of them; none is what the ledger promises.
    pub differences: Vec<String>,
    /// How many differences there are beyond those.
    pub omitted: u64,
}

impl Audit {
    fn add(&mut self, difference: String) {
        if self.differences.len() < DIFFERENCES_MAX {
            self.differences.push(difference);
        } else {
            self.omitted = self.omitted.saturating_add(1);
        }
    }
}

impl Store {
    /// Recomputes what is kept of a user's transactions, and compares.
    pub async fn audit(&self, user: UserId) -> Result<Audit, StoreError> {
        self.read(user, work((), |tx, ()| Box::pin(audit(tx)))).await
    }

    /// The ids of at most `limit` users after one, in the order of their ids: for a check of every ledger.
    pub async fn users_after(&self, after: Option<UserId>, limit: i64) -> Result<Vec<UserId>, StoreError> {
        #[derive(Deserialize)]
        struct Id {
            #[serde(rename = "_id")]
            id: bson::Uuid,
        }
        let store = self.clone();
        self.run(async move {
            let filter = after.map_or_else(Document::new, |id| doc! {"_id": {"$gt": uuid_of(id.uuid())}});
            let users = store.db().await?.collection::<Id>(users::USERS);
            let found = users.find(filter).projection(doc! {"_id": 1}).sort(doc! {"_id": 1}).limit(limit);
            let ids: Vec<Id> = found.await?.try_collect().await?;
            Ok(ids.into_iter().map(|found| UserId::new(id_of(found.id))).collect())
        })
        .await
    }
}

async fn audit(tx: &mut Tx) -> Result<Audit, TxError> {
    let mine = doc! {"userId": uuid_of(tx.user.uuid())};
    let mut result = Audit::default();
    let user = tx.user;
    let mut knowledge = match (counter::read(tx, user).await?, exists(tx).await?) {
        (Some(counter), _) => Knowledge::up_to(counter),
        (None, true) => {
            result.add("knowledge: the user has no counter".to_owned());
            Knowledge::up_to(i64::MAX)
        }
        // Erased: whatever is still met is too much.
        (None, false) => Knowledge::up_to(0),
    };
    let mut expected = Effects::default();
    let records = tx.db.collection::<TransactionDoc>(TRANSACTIONS);
    let mut found = records.find(mine).projection(stored_fields()).session(&mut tx.session).await?;
    while let Some(next) = found.next(&mut tx.session).await {
        let record = StoredTransaction::try_from(next?)?;
        result.transactions = result.transactions.saturating_add(1);
        knowledge.meet("transaction", &record.id, record.knowledge, &mut result);
        if let Some(live) = record.live() {
            expected.add(&Effects::of(live)?)?;
        }
    }
    // The transactions' own were met above.
    for collection in registry::owned().filter(|collection| collection.name != TRANSACTIONS) {
        if let Owner::Versioned(kind) = collection.owner {
            known(tx, kind, collection.name, &mut knowledge, &mut result).await?;
        }
    }
    let kept = totals::load(tx).await?;
    let month = |key: &MonthKey| {
        let category = key.category.map_or_else(|| "none".to_owned(), |id| id.to_string());
        format!("month {} in {} of category {category}", key.month, key.currency.code())
    };
    compare(month, &expected.months, &kept.months, &mut result);
    let day = |key: &DayKey| format!("day {} of account {}", key.date, key.account);
    compare(day, &expected.days, &kept.days, &mut result);
    let accounts: Vec<Account> = entity::get_all(tx, entity::mine(user)).await?;
    for account in accounts {
        let moved = account_movement(&expected, account.id, Some(account.opening_date))?;
        if moved != account.movement_minor {
            let kept = account.movement_minor;
            result
                .add(format!("balance of account {}: kept movement {kept}, recomputed {moved}", account.id));
        }
    }
    Ok(result)
}

async fn exists(tx: &mut Tx) -> Result<bool, TxError> {
    let filter = doc! {"_id": uuid_of(tx.user.uuid())};
    let users = tx.collection(users::USERS);
    let found = users.find_one(filter).projection(doc! {"_id": 1}).session(&mut tx.session).await?;
    Ok(found.is_some())
}

/// What the entities of one collection know, tombstones too.
async fn known(
    tx: &mut Tx,
    kind: &str,
    collection: &str,
    knowledge: &mut Knowledge,
    result: &mut Audit,
) -> Result<(), TxError> {
    #[derive(Deserialize)]
    struct Known {
        #[serde(rename = "_id")]
        id: bson::Uuid,
        knowledge: i64,
    }
    let filter = doc! {"userId": uuid_of(tx.user.uuid())};
    let entities = tx.db.collection::<Known>(collection);
    let projection = doc! {"_id": 1, "knowledge": 1};
    let mut found = entities.find(filter).projection(projection).session(&mut tx.session).await?;
    while let Some(next) = found.next(&mut tx.session).await {
        let entity = next?;
        knowledge.meet(kind, &id_of(entity.id), entity.knowledge, result);
    }
    Ok(())
}

/// Each write of an entity has a number of its own, not above the user's counter.
struct Knowledge {
    counter: i64,
    /// The numbers met, a bit for each: a history of millions of writes stays small.
    met: BTreeMap<i64, u64>,
}

impl Knowledge {
    fn up_to(counter: i64) -> Self {
        Self { counter, met: BTreeMap::new() }
    }

    fn meet(&mut self, kind: &str, id: &dyn std::fmt::Display, number: i64, result: &mut Audit) {
        if number < 1 || number > self.counter {
            let counter = self.counter;
            result.add(format!("knowledge of {kind} {id}: kept {number}, the counter is at {counter}"));
            return;
        }
        let bit = 1u64 << number.rem_euclid(64);
        let met = self.met.entry(number.div_euclid(64)).or_default();
        if *met & bit != 0 {
            result.add(format!("knowledge of {kind} {id}: {number} is another entity's too"));
        }
        *met |= bit;
    }
}

fn compare<K: Ord, T: PartialEq + Debug>(
    name: impl Fn(&K) -> String,
    expected: &BTreeMap<K, T>,
    kept: &BTreeMap<K, T>,
    result: &mut Audit,
) {
    let keys: BTreeSet<&K> = expected.keys().chain(kept.keys()).collect();
    for key in keys {
        let (recomputed, kept) = (expected.get(key), kept.get(key));
        if recomputed != kept {
            let text =
                |total: Option<&T>| total.map_or_else(|| "nothing".to_owned(), |total| format!("{total:?}"));
            result.add(format!("{}: kept {}, recomputed {}", name(key), text(kept), text(recomputed)));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn knowledge_is_met_once_each_and_up_to_the_counter() {
        let mut result = Audit::default();
        let mut knowledge = Knowledge::up_to(130);
        for number in [1, 63, 64, 65, 128, 130] {
            knowledge.meet("account", &"a", number, &mut result);
        }
        assert_eq!(result.differences, Vec::<String>::new());
        for (number, said) in
            [(64, "another entity's"), (131, "counter is at 130"), (0, "counter"), (-5, "counter")]
        {
            knowledge.meet("account", &"b", number, &mut result);
            assert!(result.differences.last().is_some_and(|line| line.contains(said)), "{number}");
        }
        assert_eq!(result.differences.len(), 4);
    }

    #[test]
    fn what_is_told_is_bounded_and_the_rest_is_counted() {
        let mut result = Audit::default();
        (0..DIFFERENCES_MAX + 7).for_each(|_| result.add("x".to_owned()));
        assert_eq!((result.differences.len(), result.omitted), (DIFFERENCES_MAX, 7));
    }
}
