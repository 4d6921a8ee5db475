//! A transaction as clients see it.

use serde::Serialize;
use shared::clock;
use shared::edge::respond::decimal;
use shared::store::transactions::StoredTransaction;
use utoipa::ToSchema;

#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct SplitView {
    pub category_id: String,
    pub amount: String,
    pub amount_minor: i64,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub notes: Option<String>,
}

#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct TransactionView {
    pub id: String,
    pub account_id: String,
    #[serde(rename = "type")]
    pub kind: &'static str,
    pub amount: String,
    pub amount_minor: i64,
    pub currency: &'static str,
    pub date: String,
    pub description: String,
    pub merchant: Option<String>,
    pub category_id: Option<String>,
    pub notes: Option<String>,
    pub tags: Vec<String>,
    pub status: &'static str,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub splits: Vec<SplitView>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub transfer_account_id: Option<String>,
    /// In the other account's currency; only where that differs.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub transfer_amount: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub transfer_amount_minor: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub original_amount: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub original_amount_minor: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub original_currency: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub external_id: Option<String>,
    pub created_at: String,
    pub updated_at: String,
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

/// The transaction's strong tag.
pub(crate) fn tag(record: &StoredTransaction) -> String {
    record.version.to_string()
}
