//! Transactions and their sums as clients see them.

use serde::Serialize;
use shared::clock;
use shared::edge::respond::{Answer, decimal};
use shared::store::Replay;
use shared::store::transactions::StoredTransaction;
use utoipa::ToSchema;

/// One part of a split transaction.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct SplitView {
    /// The part's category.
    pub category_id: String,
    /// A decimal of the transaction's currency.
    pub amount: String,
    /// The amount in minor units.
    pub amount_minor: i64,
    /// The user's own words.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub notes: Option<String>,
}

/// A transaction.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct TransactionView {
    /// The transaction's id.
    pub id: String,
    /// The account that it moves.
    pub account_id: String,
    /// Income, an expense, or a transfer between two accounts.
    #[serde(rename = "type")]
    pub kind: &'static str,
    /// A decimal of the account's currency, above zero.
    pub amount: String,
    /// The amount in minor units.
    pub amount_minor: i64,
    /// The account's currency, ISO 4217.
    pub currency: &'static str,
    /// The day it happened.
    pub date: String,
    /// What it was.
    pub description: String,
    /// Who was paid, or who paid.
    pub merchant: Option<String>,
    /// Its category; `null` without one and where `splits` has them.
    pub category_id: Option<String>,
    /// The user's own words.
    pub notes: Option<String>,
    /// The user's tags, in the order given.
    pub tags: Vec<String>,
    /// How far it is: pending, cleared by the bank, or reconciled with a statement.
    pub status: &'static str,
    /// Its parts by category; absent where it is not split.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub splits: Vec<SplitView>,
    /// Of a transfer: the account that receives.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub transfer_account_id: Option<String>,
    /// What arrives, in the other account's currency; only where that differs.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub transfer_amount: Option<String>,
    /// What arrives, in minor units.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub transfer_amount_minor: Option<i64>,
    /// What was paid abroad, as a decimal of `originalCurrency`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub original_amount: Option<String>,
    /// What was paid abroad, in minor units.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub original_amount_minor: Option<i64>,
    /// ISO 4217.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub original_currency: Option<&'static str>,
    /// What a bank calls it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub external_id: Option<String>,
    /// When it was made here.
    pub created_at: String,
    /// When it was last changed.
    pub updated_at: String,
    /// Grows with each change.
    pub version: i64,
}

impl From<&StoredTransaction> for TransactionView {
    fn from(record: &StoredTransaction) -> Self {
        let posted = &record.posted;
        let foreign_leg = posted.transfer.as_ref().filter(|leg| leg.currency != posted.currency);
        Self {
            id: record.id.to_string(),
            account_id: posted.account_id.to_string(),
            kind: posted.kind.as_str(),
            amount: decimal(posted.amount_minor, posted.currency),
            amount_minor: posted.amount_minor,
            currency: posted.currency.code(),
            date: posted.date.to_string(),
            description: record.description.clone(),
            merchant: record.merchant.clone(),
            category_id: posted.category_id.map(|id| id.to_string()),
            notes: record.notes.clone(),
            tags: record.tags.clone(),
            status: record.status.as_str(),
            splits: posted
                .splits
                .iter()
                .map(|split| SplitView {
                    category_id: split.category_id.to_string(),
                    amount: decimal(split.amount_minor, posted.currency),
                    amount_minor: split.amount_minor,
                    notes: split.notes.clone(),
                })
                .collect(),
            transfer_account_id: posted.transfer.as_ref().map(|leg| leg.account_id.to_string()),
            transfer_amount: foreign_leg.map(|leg| decimal(leg.amount_minor, leg.currency)),
            transfer_amount_minor: foreign_leg.map(|leg| leg.amount_minor),
            original_amount: record.original.map(|(minor, currency)| decimal(minor, currency)),
            original_amount_minor: record.original.map(|(minor, _)| minor),
            original_currency: record.original.map(|(_, currency)| currency.code()),
            external_id: record.external_id.clone(),
            created_at: clock::rfc3339(record.created_at_ms),
            updated_at: clock::rfc3339(record.updated_at_ms),
            version: record.version,
        }
    }
}

/// The sums of one group in one currency.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct GroupView {
    /// The month, the id or the text; `null` for transactions without one.
    pub key: Option<String>,
    /// The group's name for people.
    pub label: String,
    /// Its sums.
    #[serde(flatten)]
    pub sums: TotalView,
}

/// Sums in one currency.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct TotalView {
    /// ISO 4217.
    pub currency: &'static str,
    /// What came in, as a decimal.
    pub income: String,
    /// What went out less refunds, as a decimal.
    pub expense: String,
    /// Income less expenses, as a decimal.
    pub net: String,
    /// Income in minor units.
    pub income_minor: i64,
    /// Expenses in minor units.
    pub expense_minor: i64,
    /// Income less expenses in minor units.
    pub net_minor: i64,
    /// How many transactions are in the sums.
    pub count: i64,
}

/// Sums over a range of days. Transfers are in none.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct SummaryView {
    /// The first day.
    pub from: String,
    /// The last day, which is in the sums.
    pub to: String,
    /// What the groups are by.
    pub group_by: &'static str,
    /// The sums of each group and currency.
    pub groups: Vec<GroupView>,
    /// The sums of everything, one for each currency.
    pub totals: Vec<TotalView>,
}

/// One transaction.
pub(crate) fn one(record: &StoredTransaction) -> Answer {
    Answer::ok(&TransactionView::from(record)).etag(&record.tag())
}

/// The one transaction that was posted.
pub(crate) fn ok(posted: &[StoredTransaction]) -> Replay {
    posted.first().map_or_else(Answer::no_content, one).into()
}

/// The one transaction that was created.
pub(crate) fn created(posted: &[StoredTransaction]) -> Replay {
    let created = |record: &StoredTransaction| {
        let location = format!("/api/v1/transactions/{}", record.id);
        Answer::created(location, &TransactionView::from(record)).etag(&record.tag())
    };
    posted.first().map_or_else(Answer::no_content, created).into()
}
