//! An account as clients see it.

use serde::Serialize;
use shared::edge::respond::decimal;
use shared::store::accounts::Account;
use utoipa::ToSchema;

/// An amount of the account's currency.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct AmountView {
    pub amount: String,
    pub amount_minor: i64,
    pub currency: &'static str,
}

#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct AccountView {
    pub id: String,
    pub name: String,
    #[serde(rename = "type")]
    pub kind: &'static str,
    pub currency: &'static str,
    pub opening_balance: Option<AmountView>,
    pub opening_date: String,
    pub credit_limit: Option<AmountView>,
    pub interest_rate_bps: Option<i64>,
    pub minimum_payment: Option<AmountView>,
    pub archived: bool,
    /// `null` while the opening balance is unknown.
    pub balance: Option<String>,
    pub balance_minor: Option<i64>,
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
        let amount = |minor: Option<i64>| {
            minor.map(|minor| AmountView {
                amount: decimal(minor, account.currency),
                amount_minor: minor,
                currency: account.currency.code(),
            })
        };
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
            version: account.version,
        }
    }
}

/// The account's strong tag. The balance is in it: a transaction changes the bytes of the account without changing its
/// version, and a strong tag must change with the bytes.
pub(crate) fn tag(account: &Account) -> String {
    match account.balance_minor() {
        Some(balance) => format!("{}.{balance}", account.version),
        None => account.version.to_string(),
    }
}
