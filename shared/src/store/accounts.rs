//! Accounts and their balances. `movement` (the sum of all effects dated on or after the opening date) is kept in the
//! transaction of each write, so that a balance costs one read however long the history is.

use std::sync::Arc;

use finance::account::AccountKind;
use finance::calendar::{Date, parse_date};
use finance::currency::Currency;
use finance::id::{AccountId, UserId};
use mongodb::IndexModel;
use mongodb::bson::{self, Document, doc};
use serde::{Deserialize, Serialize};

use super::{Claim, Store, StoreError, Tx, TxError, WriteError, id_of, ledger, totals, uuid_of};
use crate::edge::respond::Answer;
use finance::rejection::Rejection;

pub(super) const ACCOUNTS: &str = "accounts";

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Account {
    pub id: AccountId,
    pub name: String,
    pub kind: AccountKind,
    pub currency: Currency,
    /// The balance in minor units at the start of `opening_date`; `None` is unknown.
    pub opening_minor: Option<i64>,
    pub opening_date: Date,
    pub credit_limit_minor: Option<i64>,
    /// Basis points a year.
    pub interest_rate_bps: Option<i64>,
    /// Minor units a month.
    pub minimum_payment_minor: Option<i64>,
    pub archived: bool,
    /// The sum of what its transactions from `opening_date` on moved, in minor units.
    pub movement_minor: i64,
    pub version: i64,
    pub knowledge: i64,
}

impl Account {
    /// Opening plus movement; `None` while the opening balance is unknown.
    pub fn balance_minor(&self) -> Option<i64> {
        self.opening_minor.and_then(|opening| opening.checked_add(self.movement_minor))
    }
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct AccountDoc {
    #[serde(rename = "_id")]
    id: bson::Uuid,
    user_id: bson::Uuid,
    name: String,
    #[serde(rename = "type")]
    kind: String,
    currency: String,
    opening_minor: Option<i64>,
    opening_date: String,
    credit_limit_minor: Option<i64>,
    interest_rate_bps: Option<i64>,
    minimum_payment_minor: Option<i64>,
    archived: bool,
    movement_minor: i64,
    version: i64,
    knowledge: i64,
    deleted: bool,
}

impl AccountDoc {
    fn new(user: UserId, account: &Account) -> Self {
        Self {
            id: uuid_of(account.id.uuid()),
            user_id: uuid_of(user.uuid()),
            name: account.name.clone(),
            kind: account.kind.as_str().to_owned(),
            currency: account.currency.code().to_owned(),
            opening_minor: account.opening_minor,
            opening_date: account.opening_date.to_string(),
            credit_limit_minor: account.credit_limit_minor,
            interest_rate_bps: account.interest_rate_bps,
            minimum_payment_minor: account.minimum_payment_minor,
            archived: account.archived,
            movement_minor: account.movement_minor,
            version: account.version,
            knowledge: account.knowledge,
            deleted: false,
        }
    }
}

impl TryFrom<AccountDoc> for Account {
    type Error = StoreError;
    fn try_from(doc: AccountDoc) -> Result<Self, StoreError> {
        let corrupt = |field: &str| StoreError::Corrupt(format!("accounts.{field}"));
        Ok(Self {
            id: AccountId::new(id_of(doc.id)),
            name: doc.name,
            kind: AccountKind::parse(&doc.kind).ok_or_else(|| corrupt("type"))?,
            currency: Currency::parse(&doc.currency).ok_or_else(|| corrupt("currency"))?,
            opening_minor: doc.opening_minor,
            opening_date: parse_date(&doc.opening_date).ok_or_else(|| corrupt("openingDate"))?,
            credit_limit_minor: doc.credit_limit_minor,
            interest_rate_bps: doc.interest_rate_bps,
            minimum_payment_minor: doc.minimum_payment_minor,
            archived: doc.archived,
            movement_minor: doc.movement_minor,
            version: doc.version,
            knowledge: doc.knowledge,
        })
    }
}

pub(super) fn indexes() -> Vec<(&'static str, IndexModel)> {
    vec![(ACCOUNTS, IndexModel::builder().keys(doc! {"userId": 1, "deleted": 1, "_id": 1}).build())]
}

fn mine(user: UserId) -> Document {
    doc! {"userId": uuid_of(user.uuid()), "deleted": false}
}

fn one(user: UserId, id: AccountId) -> Document {
    doc! {"_id": uuid_of(id.uuid()), "userId": uuid_of(user.uuid()), "deleted": false}
}

pub(super) async fn insert(tx: &mut Tx, account: &Account) -> Result<(), TxError> {
    let document = AccountDoc::new(tx.user, account);
    tx.db.collection::<AccountDoc>(ACCOUNTS).insert_one(document).session(&mut tx.session).await?;
    Ok(())
}

/// All accounts of the transaction's user, oldest first.
pub(super) async fn load(tx: &mut Tx) -> Result<Vec<Account>, TxError> {
    let filter = mine(tx.user);
    let accounts = tx.db.collection::<AccountDoc>(ACCOUNTS);
    let mut found = accounts.find(filter).sort(doc! {"_id": 1}).session(&mut tx.session).await?;
    let mut list = Vec::new();
    while let Some(next) = found.next(&mut tx.session).await {
        list.push(Account::try_from(next?)?);
    }
    Ok(list)
}

/// Moves an account's balance within a transaction.
pub(super) async fn add_movement(tx: &mut Tx, id: AccountId, minor: i64) -> Result<(), TxError> {
    if minor != 0 {
        let filter = one(tx.user, id);
        let update = doc! {"$inc": {"movementMinor": minor}};
        tx.collection(ACCOUNTS).update_one(filter, update).session(&mut tx.session).await?;
    }
    Ok(())
}

/// The accounts of one user, within one request.
pub struct Accounts {
    store: Store,
}

impl Accounts {
    pub fn new(store: Store) -> Self {
        Self { store }
    }

    /// Oldest first, at most `limit`, after the one with id `after`.
    pub async fn list(
        &self,
        user: UserId,
        after: Option<AccountId>,
        limit: i64,
    ) -> Result<Vec<Account>, StoreError> {
        let store = self.store.clone();
        self.store
            .run(async move {
                let mut filter = mine(user);
                if let Some(after) = after {
                    filter.insert("_id", doc! {"$gt": uuid_of(after.uuid())});
                }
                let accounts = store.db().await?.collection::<AccountDoc>(ACCOUNTS);
                let mut found = accounts.find(filter).sort(doc! {"_id": 1}).limit(limit).await?;
                let mut list = Vec::new();
                while found.advance().await? {
                    list.push(Account::try_from(found.deserialize_current()?)?);
                }
                Ok(list)
            })
            .await
    }

    pub async fn find(&self, user: UserId, id: AccountId) -> Result<Option<Account>, StoreError> {
        let store = self.store.clone();
        self.store
            .run(async move {
                let accounts = store.db().await?.collection::<AccountDoc>(ACCOUNTS);
                accounts.find_one(one(user, id)).await?.map(Account::try_from).transpose()
            })
            .await
    }

    /// The accounts, each with its balance at the close of `as_of`; before its opening date it has none.
    pub async fn at_close_of(
        &self,
        user: UserId,
        accounts: Vec<Account>,
        as_of: Date,
    ) -> Result<Vec<(Account, Option<i64>)>, StoreError> {
        let store = self.store.clone();
        self.store
            .run(async move {
                let moved = totals::movements_until(&store, user, &accounts, as_of).await?;
                let at_close = accounts.into_iter().map(|account| {
                    let moved = moved.get(&account.id).copied().unwrap_or(0);
                    let opening = account.opening_minor.filter(|_| account.opening_date <= as_of);
                    let balance = opening.and_then(|opening| opening.checked_add(moved));
                    (account, balance)
                });
                Ok(at_close.collect())
            })
            .await
    }

    pub async fn insert(
        &self,
        user: UserId,
        claim: Option<Claim>,
        account: Account,
        render: fn(&Account) -> Answer,
    ) -> Result<Answer, WriteError> {
        let account = Arc::new(account);
        self.store
            .write(
                user,
                claim,
                Arc::new(move |tx| {
                    let mut account = Account::clone(&account);
                    Box::pin(async move {
                        account.knowledge = tx.next_knowledge(1).await?;
                        insert(tx, &account).await?;
                        Ok(render(&account))
                    })
                }),
            )
            .await
    }

    /// Changes an account; a new opening date recomputes its movement from the daily totals.
    ///
    /// # Errors
    /// [`WriteError::Stale`] when `fresh` refuses the current account.
    pub async fn update(
        &self,
        user: UserId,
        id: AccountId,
        fresh: impl Fn(&Account) -> bool + Send + Sync + 'static,
        change: impl Fn(Account) -> Account + Send + Sync + 'static,
    ) -> Result<Account, WriteError> {
        let (fresh, change) = (Arc::new(fresh), Arc::new(change));
        self.store
            .transact(
                user,
                Arc::new(move |tx| {
                    let (fresh, change) = (fresh.clone(), change.clone());
                    Box::pin(async move {
                        let knowledge = tx.next_knowledge(1).await?;
                        let accounts = tx.db.collection::<AccountDoc>(ACCOUNTS);
                        let found = accounts.find_one(one(tx.user, id)).session(&mut tx.session).await?;
                        let current = Account::try_from(found.ok_or(WriteError::NotFound)?)?;
                        if !fresh(&current) {
                            return Err(WriteError::Stale.into());
                        }
                        let opened = current.opening_date;
                        let version = current.version.saturating_add(1);
                        let mut changed = Account { version, knowledge, ..change(current) };
                        if changed.opening_date != opened {
                            changed.movement_minor =
                                totals::movement_since(tx, id, changed.opening_date).await?;
                        }
                        accounts
                            .replace_one(one(tx.user, id), AccountDoc::new(tx.user, &changed))
                            .session(&mut tx.session)
                            .await?;
                        Ok(changed)
                    })
                }),
            )
            .await
    }

    /// Deletes an account; its transactions move to `move_to`, without which there may be none.
    pub async fn delete(
        &self,
        user: UserId,
        id: AccountId,
        fresh: impl Fn(&Account) -> bool + Send + Sync + 'static,
        move_to: Option<AccountId>,
    ) -> Result<(), WriteError> {
        let fresh = Arc::new(fresh);
        self.store
            .transact(
                user,
                Arc::new(move |tx| {
                    let fresh = fresh.clone();
                    Box::pin(async move { delete(tx, id, &*fresh, move_to).await })
                }),
            )
            .await
    }
}

async fn delete(
    tx: &mut Tx,
    id: AccountId,
    fresh: &(dyn Fn(&Account) -> bool + Send + Sync),
    move_to: Option<AccountId>,
) -> Result<(), TxError> {
    let knowledge = tx.next_knowledge(1).await?;
    let accounts = load(tx).await?;
    let current = accounts.iter().find(|account| account.id == id).ok_or(WriteError::NotFound)?;
    if !fresh(current) {
        return Err(WriteError::Stale.into());
    }
    if let Some(to) = move_to {
        let refuse =
            |code, detail: &str| WriteError::Rejected(vec![Rejection::new("/query/moveTo", code, detail)]);
        let target = accounts.iter().find(|account| account.id == to && account.id != id);
        let target = target.ok_or_else(|| refuse("invalid_target", "must be another account of yours"))?;
        if target.currency != current.currency {
            return Err(refuse("currency_mismatch", "must be of the same currency").into());
        }
    }
    let filter = doc! {"userId": uuid_of(tx.user.uuid()), "deleted": false, "accountIds": uuid_of(id.uuid())};
    ledger::move_all(tx, filter, move_to.is_some(), |mut record| {
        let Some(to) = move_to else { return Ok(record) };
        if record.posted.account_id == id {
            record.posted.account_id = to;
        }
        if let Some(leg) = &mut record.posted.transfer
            && leg.account_id == id
        {
            leg.account_id = to;
        }
        if record.posted.transfer.as_ref().is_some_and(|leg| leg.account_id == record.posted.account_id) {
            let detail = "there are transfers between the two accounts; delete them first";
            return Err(WriteError::Rejected(vec![Rejection::new("/query/moveTo", "same_account", detail)]));
        }
        Ok(record)
    })
    .await?;
    tx.collection(ACCOUNTS)
        .update_one(
            one(tx.user, id),
            doc! {"$set": {"deleted": true, "knowledge": knowledge}, "$inc": {"version": 1_i64}},
        )
        .session(&mut tx.session)
        .await?;
    Ok(())
}
