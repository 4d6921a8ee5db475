//! Deletes of accounts and categories whose transactions move to another one, in the same MongoDB transaction. Tombstones
//! move too, so that a restoration finds its account and its categories.
//!
//! Must never leave a transaction that names what is deleted, where a target was given.

use std::collections::{BTreeMap, BTreeSet};

use finance::account;
use finance::category;
use finance::id::{AccountId, CategoryId};
use mongodb::bson::{Document, doc};

use super::accounts::Account;
use super::categories::Category;
use super::entity::{self, Entity, Expected, UserStore};
use super::ledger::{self, Change, Plan};
use super::transactions::{self, StoredTransaction, TRANSACTIONS};
use super::tx::{Tx, TxError, WriteError, work};
use super::{counter, uuid_of};

/// The most transactions that one request moves to another account or category, tombstones included.
pub const MOVED_MAX: u64 = 10_000;

impl UserStore {
    /// Deletes an account; its transactions move to `move_to`, without which there may be none.
    ///
    /// # Errors
    /// [`WriteError::InUse`], [`WriteError::TooMany`], [`WriteError::Stale`], or what the rule of targets refuses.
    pub async fn delete_account(
        &self,
        id: AccountId,
        expected: Expected,
        move_to: Option<AccountId>,
    ) -> Result<(), WriteError> {
        let work = work(expected, move |tx, expected| {
            Box::pin(async move { delete_account(tx, id, &expected, move_to).await })
        });
        self.store.transact(self.user, work).await
    }

    /// Deletes a category; its transactions and subcategories move to `move_to`, without which there may be none.
    ///
    /// # Errors
    /// As [`UserStore::delete_account`].
    pub async fn delete_category(
        &self,
        id: CategoryId,
        expected: Expected,
        move_to: Option<CategoryId>,
    ) -> Result<(), WriteError> {
        let work = work(expected, move |tx, expected| {
            Box::pin(async move { delete_category(tx, id, &expected, move_to).await })
        });
        self.store.transact(self.user, work).await
    }
}

async fn delete_account(
    tx: &mut Tx,
    id: AccountId,
    expected: &Expected,
    move_to: Option<AccountId>,
) -> Result<(), TxError> {
    let current: Account = entity::get(tx, id).await?;
    expected.check(&current.tag())?;
    let using = doc! {"userId": uuid_of(tx.user.uuid()), "accountIds": uuid_of(id.uuid())};
    let Some(to) = move_to else {
        refuse_use(count_live(tx, &using).await?)?;
        let knowledge = counter::next(tx, 1).await?;
        return entity::bury::<Account>(tx, id, knowledge).await;
    };
    let target = find::<Account>(tx, to).await?;
    account::check_move(current.facts(), target.as_ref().map(Account::facts))
        .map_err(|refused| vec![refused])?;
    let mut plan = Plan::new();
    for before in load_moved(tx, using).await? {
        let mut after = before.clone();
        after.posted.change_account(id, to);
        if after.posted.is_transfer_to_itself() {
            // A tombstone that could never be restored stays as it is.
            if before.live().is_none() {
                continue;
            }
            return Err(vec![account::transfers_between()].into());
        }
        plan.push(edit(tx, before, after));
    }
    let accounts = accounts_of(tx, &plan).await?;
    ledger::carry_out(tx, plan, &accounts).await?;
    let knowledge = counter::next(tx, 1).await?;
    entity::bury::<Account>(tx, id, knowledge).await
}

async fn delete_category(
    tx: &mut Tx,
    id: CategoryId,
    expected: &Expected,
    move_to: Option<CategoryId>,
) -> Result<(), TxError> {
    let all: Vec<Category> = entity::get_all(tx, entity::mine(tx.user)).await?;
    let current = all.iter().find(|category| category.id == id).ok_or(WriteError::NotFound)?;
    expected.check(&current.tag())?;
    let children: Vec<&Category> = all.iter().filter(|other| other.parent_id == Some(id)).collect();
    let using = doc! {"userId": uuid_of(tx.user.uuid()), "categoryIds": uuid_of(id.uuid())};
    let Some(to) = move_to else {
        let below = u64::try_from(children.len()).unwrap_or(u64::MAX);
        refuse_use(count_live(tx, &using).await?.saturating_add(below))?;
        let knowledge = counter::next(tx, 1).await?;
        return entity::bury::<Category>(tx, id, knowledge).await;
    };
    let target = all.iter().find(|category| category.id == to);
    let target =
        category::check_move(current.node(), target.map(Category::node)).map_err(|refused| vec![refused])?;
    let count = i64::try_from(children.len()).unwrap_or(i64::MAX);
    let mut knowledge = if count == 0 { 0 } else { counter::next(tx, count).await?.saturating_sub(count) };
    for child in children {
        knowledge = knowledge.saturating_add(1);
        let mut moved = child.clone();
        moved.parent_id = category::parent_after_move(id, target, child.id);
        moved.stamp.version = moved.stamp.version.saturating_add(1);
        moved.stamp.knowledge = knowledge;
        moved.stamp.updated_at_ms = tx.now_ms;
        entity::put(tx, &moved).await?;
    }
    let mut plan = Plan::new();
    for before in load_moved(tx, using).await? {
        let mut after = before.clone();
        after.posted.change_category(id, to);
        plan.push(edit(tx, before, after));
    }
    let accounts = accounts_of(tx, &plan).await?;
    ledger::carry_out(tx, plan, &accounts).await?;
    let knowledge = counter::next(tx, 1).await?;
    entity::bury::<Category>(tx, id, knowledge).await
}

fn edit(tx: &Tx, before: StoredTransaction, mut after: StoredTransaction) -> Change {
    after.version = after.version.saturating_add(1);
    after.updated_at_ms = tx.now_ms;
    Change { before: Some(before), after }
}

async fn find<E: Entity>(tx: &mut Tx, id: E::Id) -> Result<Option<E>, TxError> {
    match entity::get(tx, id).await {
        Ok(found) => Ok(Some(found)),
        Err(TxError::Refused(WriteError::NotFound)) => Ok(None),
        Err(error) => Err(error),
    }
}

fn refuse_use(count: u64) -> Result<(), WriteError> {
    if count == 0 { Ok(()) } else { Err(WriteError::InUse { count }) }
}

/// A filter of [`TRANSACTIONS`] for the live ones, or for the tombstones: each has an index of its own.
fn narrowed(filter: &Document, deleted: bool) -> Document {
    let mut filter = filter.clone();
    filter.insert("deleted", deleted);
    filter
}

async fn count_live(tx: &mut Tx, filter: &Document) -> Result<u64, TxError> {
    let collection = tx.collection(TRANSACTIONS);
    Ok(collection.count_documents(narrowed(filter, false)).session(&mut tx.session).await?)
}

async fn load_moved(tx: &mut Tx, filter: Document) -> Result<Vec<StoredTransaction>, TxError> {
    let mut moved = Vec::new();
    let mut count = 0;
    for deleted in [false, true] {
        let filter = narrowed(&filter, deleted);
        count += tx.collection(TRANSACTIONS).count_documents(filter).session(&mut tx.session).await?;
    }
    if count > MOVED_MAX {
        return Err(WriteError::TooMany { limit: MOVED_MAX }.into());
    }
    for deleted in [false, true] {
        moved.extend(transactions::load(tx, narrowed(&filter, deleted)).await?);
    }
    Ok(moved)
}

/// The accounts whose balances a plan may move.
async fn accounts_of(tx: &mut Tx, plan: &Plan) -> Result<BTreeMap<AccountId, Account>, TxError> {
    let of = |change: &Change| {
        let before = change.before.iter().flat_map(|before| before.posted.accounts());
        before.chain(change.after.posted.accounts()).collect::<Vec<_>>()
    };
    let ids: BTreeSet<AccountId> = plan.iter().flat_map(of).collect();
    let mut filter = entity::mine(tx.user);
    filter.insert("_id", doc! {"$in": ids.iter().map(|id| uuid_of(id.uuid())).collect::<Vec<_>>()});
    let accounts: Vec<Account> = entity::get_all(tx, filter).await?;
    Ok(accounts.into_iter().map(|account| (account.id, account)).collect())
}
