//! Batches of the ledger, posted straight to the store: what bulk writes, imports and rules will send. Deterministic, so
//! that the same batch can be posted to two users, or again.

use std::sync::Arc;

use finance::calendar::{Date, parse_date};
use finance::id::{AccountId, CategoryId, TransactionId};
use finance::transaction::{Transaction, TransactionStatus, TransactionType, TransferLeg};
use shared::store::ledger::{Change, Loaded, Need, Plan};
use shared::store::transactions::StoredTransaction;
use shared::store::{Claim, Replay, UserStore, WriteError};
use uuid::Uuid;

/// One step of a batch.
#[derive(Clone, Debug)]
pub enum Step {
    Insert(TransactionId, Shape),
    Edit(TransactionId, Shape),
    Delete(TransactionId),
    Restore(TransactionId),
}

/// What of a transaction moves totals and balances.
#[derive(Clone, Debug)]
pub struct Shape {
    pub account: AccountId,
    pub kind: TransactionType,
    pub amount_minor: i64,
    pub date: Date,
    pub category: Option<CategoryId>,
    pub to: Option<AccountId>,
}

impl Step {
    pub fn id(&self) -> TransactionId {
        match self {
            Self::Insert(id, _) | Self::Edit(id, _) | Self::Delete(id) | Self::Restore(id) => *id,
        }
    }

    fn shape(&self) -> Option<&Shape> {
        match self {
            Self::Insert(_, shape) | Self::Edit(_, shape) => Some(shape),
            Self::Delete(_) | Self::Restore(_) => None,
        }
    }

    fn change(&self, loaded: &Loaded) -> Change {
        let before = loaded.transactions.get(&self.id()).cloned();
        let after = match self {
            Self::Insert(id, shape) => record(*id, shape, loaded),
            Self::Edit(id, shape) => record(*id, shape, loaded),
            Self::Delete(_) => StoredTransaction {
                deleted_at_ms: Some(loaded.now_ms),
                ..before.clone().expect("it is there")
            },
            Self::Restore(_) => {
                StoredTransaction { deleted_at_ms: None, ..before.clone().expect("it is there") }
            }
        };
        let version = before.as_ref().map_or(0, |before| before.version) + 1;
        Change { before, after: StoredTransaction { version, ..after } }
    }
}

fn record(id: TransactionId, shape: &Shape, loaded: &Loaded) -> StoredTransaction {
    let currency = loaded.accounts[&shape.account].currency;
    let leg = |account: AccountId| TransferLeg {
        account_id: account,
        amount_minor: shape.amount_minor,
        currency: loaded.accounts[&account].currency,
    };
    StoredTransaction {
        id,
        posted: Transaction {
            account_id: shape.account,
            kind: shape.kind,
            amount_minor: shape.amount_minor,
            currency,
            date: shape.date,
            category_id: shape.category,
            splits: Vec::new(),
            transfer: shape.to.map(leg),
        },
        status: TransactionStatus::Cleared,
        description: "in a batch".to_owned(),
        merchant: None,
        notes: None,
        tags: Vec::new(),
        original: None,
        external_id: None,
        created_at_ms: loaded.now_ms,
        updated_at_ms: loaded.now_ms,
        deleted_at_ms: None,
        version: 1,
        knowledge: 0,
    }
}

/// Posts steps as one batch.
///
/// # Errors
/// The store's.
pub async fn post(store: &UserStore, steps: Vec<Step>, key: Option<&str>) -> Result<Replay, WriteError> {
    let claim = key.map(|key| Claim::new(store.user(), "POST /batch", key, b"{}"));
    let shapes = || steps.iter().filter_map(Step::shape);
    let existing = steps.iter().filter(|step| !matches!(step, Step::Insert(..)));
    let need = Need {
        transactions: existing.map(Step::id).collect(),
        accounts: shapes().flat_map(|shape| [Some(shape.account), shape.to]).flatten().collect(),
        categories: shapes().filter_map(|shape| shape.category).collect(),
        first_account: false,
    };
    let decide =
        Arc::new(move |loaded: &Loaded| Ok(steps.iter().map(|step| step.change(loaded)).collect::<Plan>()));
    let count = |posted: &[StoredTransaction]| Replay {
        status: 200,
        headers: Vec::new(),
        body: posted.len().to_string().into_bytes(),
        replayed: false,
    };
    store.post(claim, need, decide, count).await
}

/// The `index`-th id, below 4095, of an account's batch: no other account has it. The index is in the upper half: accounts
/// that are made in one millisecond have ids that differ by little.
pub fn id_of(account: AccountId, index: u128) -> TransactionId {
    TransactionId::new(Uuid::from_u128(account.uuid().as_u128() ^ ((index + 1) << 64)))
}

/// `count` expenses of an account, one a day.
pub fn expenses(account: AccountId, count: u128) -> Vec<Step> {
    let shape = |index: u128| Shape {
        account,
        kind: TransactionType::Expense,
        amount_minor: i64::try_from(index + 1).expect("an amount"),
        date: parse_date(&format!("2026-{:02}-{:02}", index / 28 % 12 + 1, index % 28 + 1)).expect("a date"),
        category: None,
        to: None,
    };
    (0..count).map(|index| Step::Insert(id_of(account, index), shape(index))).collect()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn batches_of_accounts_with_neighbouring_ids_share_no_id() {
        let account = |n: u128| AccountId::new(Uuid::from_u128((0x0190_0000_0000_7000 << 64) | n));
        let ids: BTreeSet<_> =
            (0..40).flat_map(|n| (0..500).map(move |index| id_of(account(n), index))).collect();
        assert_eq!(ids.len(), 40 * 500);
    }
}
