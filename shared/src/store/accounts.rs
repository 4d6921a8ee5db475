//! Accounts as they are stored. `movement` (the sum of all effects dated on or after the opening date) is kept by the
//! transaction of each write, so that a balance costs one read however long the history is.
//!
//! Must never move a balance by itself: [`super::ledger`] does, with the transactions that move it.

use finance::account::{AccountFacts, AccountKind, balance_minor};
use finance::calendar::{Date, parse_date};
use finance::currency::Currency;
use finance::id::AccountId;
use futures_util::future::{BoxFuture, FutureExt};
use mongodb::bson::{Document, doc};
use serde::{Deserialize, Serialize};

use super::entity::{Entity, Stamp};
use super::tx::{Tx, TxError};
use super::{StoreError, batches, totals, uuid_of};

/// Where a user's money is.
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
    pub stamp: Stamp,
}

impl Account {
    /// An account of which nothing but this is known.
    pub fn new(
        id: AccountId,
        name: String,
        kind: AccountKind,
        currency: Currency,
        opening_date: Date,
    ) -> Self {
        Self {
            id,
            name,
            kind,
            currency,
            opening_minor: None,
            opening_date,
            credit_limit_minor: None,
            interest_rate_bps: None,
            minimum_payment_minor: None,
            archived: false,
            movement_minor: 0,
            stamp: Stamp::default(),
        }
    }

    /// Opening plus movement; `None` while the opening balance is unknown.
    pub fn balance_minor(&self) -> Option<i64> {
        balance_minor(self.opening_minor, self.movement_minor)
    }

    pub fn facts(&self) -> AccountFacts {
        AccountFacts { id: self.id, currency: self.currency }
    }
}

/// An account's own fields, as they are stored.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct AccountFields {
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
}

impl Entity for Account {
    const COLLECTION: &'static str = "accounts";
    const KIND: &'static str = "account";
    const MAX: u64 = 200;
    type Id = AccountId;
    type Fields = AccountFields;

    fn id(&self) -> AccountId {
        self.id
    }

    fn stamp(&self) -> Stamp {
        self.stamp
    }

    fn stamp_mut(&mut self) -> &mut Stamp {
        &mut self.stamp
    }

    /// The balance is in it: a transaction changes the bytes of the account without changing its version.
    fn tag(&self) -> String {
        match self.balance_minor() {
            Some(balance) => format!("{}.{balance}", self.stamp.version),
            None => self.stamp.version.to_string(),
        }
    }

    fn to_fields(&self) -> AccountFields {
        AccountFields {
            name: self.name.clone(),
            kind: self.kind.as_str().to_owned(),
            currency: self.currency.code().to_owned(),
            opening_minor: self.opening_minor,
            opening_date: self.opening_date.to_string(),
            credit_limit_minor: self.credit_limit_minor,
            interest_rate_bps: self.interest_rate_bps,
            minimum_payment_minor: self.minimum_payment_minor,
            archived: self.archived,
            movement_minor: self.movement_minor,
        }
    }

    fn from_fields(id: AccountId, stamp: Stamp, fields: AccountFields) -> Result<Self, StoreError> {
        let corrupt = |field: &str| StoreError::Corrupt(format!("accounts.{field}"));
        Ok(Self {
            id,
            name: fields.name,
            kind: AccountKind::parse(&fields.kind).ok_or_else(|| corrupt("type"))?,
            currency: Currency::parse(&fields.currency).ok_or_else(|| corrupt("currency"))?,
            opening_minor: fields.opening_minor,
            opening_date: parse_date(&fields.opening_date).ok_or_else(|| corrupt("openingDate"))?,
            credit_limit_minor: fields.credit_limit_minor,
            interest_rate_bps: fields.interest_rate_bps,
            minimum_payment_minor: fields.minimum_payment_minor,
            archived: fields.archived,
            movement_minor: fields.movement_minor,
            stamp,
        })
    }

    /// A new opening date recomputes the movement from the daily totals.
    fn prepare<'a>(
        tx: &'a mut Tx,
        before: Option<&'a Self>,
        after: &'a mut Self,
    ) -> BoxFuture<'a, Result<(), TxError>> {
        async move {
            if before.is_some_and(|before| before.opening_date != after.opening_date) {
                after.movement_minor = totals::movement_since(tx, after.id, after.opening_date).await?;
            }
            Ok(())
        }
        .boxed()
    }
}

/// Moves the balances of accounts within a transaction.
pub(super) async fn add_movements(tx: &mut Tx, moved: &[(AccountId, i64)]) -> Result<(), TxError> {
    let user = uuid_of(tx.user.uuid());
    let update = |(id, minor): &(AccountId, i64)| -> Document {
        let filter = doc! {"_id": uuid_of(id.uuid()), "userId": user, "deleted": false};
        doc! {"q": filter, "u": {"$inc": {"movementMinor": *minor}}}
    };
    batches::update(tx, Account::COLLECTION, moved.iter().map(update).collect()).await
}
