//! An account as clients see it.

use finance::money::Money;
use serde::Serialize;
use shared::edge::amount::AmountView;
use shared::edge::respond::{Answer, decimal};
use shared::store::Entity;
use shared::store::accounts::Account;
use utoipa::ToSchema;

/// An account. Its balance is the opening balance plus what moved since.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct AccountView {
    /// The account's id.
    pub id: String,
    /// What the user calls it.
    pub name: String,
    /// What kind of account it is.
    #[serde(rename = "type")]
    pub kind: &'static str,
    /// ISO 4217; never changes.
    pub currency: &'static str,
    /// What was on the account at the opening date; `null` where the user has not said.
    pub opening_balance: Option<AmountView>,
    /// The day of the opening balance.
    pub opening_date: String,
    /// Of a credit card.
    pub credit_limit: Option<AmountView>,
    /// Interest of a year in basis points: 1999 is 19.99 %.
    pub interest_rate_bps: Option<i64>,
    /// What is due each month at least.
    pub minimum_payment: Option<AmountView>,
    /// An archived account takes no new transactions.
    pub archived: bool,
    /// As a decimal of the account's currency; `null` while the opening balance is unknown.
    pub balance: Option<String>,
    /// The balance in minor units.
    pub balance_minor: Option<i64>,
    /// Grows with each change of the account itself.
    pub version: i64,
}

impl From<&Account> for AccountView {
    fn from(account: &Account) -> Self {
        Self::with_balance(account, account.balance_minor())
    }
}

impl AccountView {
    /// The account with the balance of another day.
    pub(crate) fn with_balance(account: &Account, balance: Option<i64>) -> Self {
        let amount =
            |minor: Option<i64>| minor.map(|minor| AmountView::from(Money::new(minor, account.currency)));
        Self {
            id: account.id.to_string(),
            name: account.name.clone(),
            kind: account.kind.as_str(),
            currency: account.currency.code(),
            opening_balance: amount(account.opening_minor),
            opening_date: account.opening_date.to_string(),
            credit_limit: amount(account.credit_limit_minor),
            interest_rate_bps: account.interest_rate_bps,
            minimum_payment: amount(account.minimum_payment_minor),
            archived: account.archived,
            balance: balance.map(|minor| decimal(minor, account.currency)),
            balance_minor: balance,
            version: account.stamp.version,
        }
    }
}

pub(crate) fn ok(account: &Account) -> Answer {
    Answer::ok(&AccountView::from(account)).etag(&account.tag())
}

pub(crate) fn created(account: &Account) -> Answer {
    Answer::created(format!("/api/v1/accounts/{}", account.id), &AccountView::from(account))
        .etag(&account.tag())
}
