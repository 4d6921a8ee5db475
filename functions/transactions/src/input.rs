//! A transaction as a request gives it: complete, but nothing yet known to fit. Must never look at what the ledger has.

use finance::calendar::Date;
use finance::currency::Currency;
use finance::id::{AccountId, CategoryId};
use finance::rejection::Rejection;
use finance::transaction::{TransactionStatus, TransactionType};
use shared::edge::amount::{Amount, Positive};
use shared::edge::body::{Decimal, Patch};
use shared::store::ledger::Need;
use shared::store::transactions::StoredTransaction;

use crate::body::{CreateTransactionBody, SplitBody, UpdateTransactionBody};

/// A transaction as a request wants it: complete, but nothing yet known to fit.
#[derive(Clone, Debug)]
pub(crate) struct TransactionInput {
    /// `None` is the user's first account.
    pub account: Option<AccountId>,
    pub kind: TransactionType,
    pub amount: Amount,
    /// Only to be compared with the account's.
    pub currency: Option<Currency>,
    /// `None` is today, in the user's time zone.
    pub date: Option<Date>,
    pub description: String,
    pub merchant: Option<String>,
    pub category: Option<CategoryId>,
    pub notes: Option<String>,
    pub tags: Vec<String>,
    pub status: TransactionStatus,
    pub splits: Vec<SplitInput>,
    pub transfer_account: Option<AccountId>,
    pub transfer_amount: Option<Amount>,
    pub original_amount: Option<Amount>,
    pub original_currency: Option<Currency>,
    pub external_id: Option<String>,
}

#[derive(Clone, Debug)]
pub(crate) struct SplitInput {
    pub category: CategoryId,
    pub amount: Amount,
    pub notes: Option<String>,
}

fn some_text(text: String) -> Option<String> {
    Some(text).filter(|text| !text.is_empty())
}

fn splits(errors: &mut Vec<Rejection>, bodies: Vec<SplitBody>) -> Vec<SplitInput> {
    let mut splits = Vec::new();
    for (index, body) in bodies.into_iter().enumerate() {
        let pointer = format!("/splits/{index}/amount");
        if let Some(amount) = required_amount(errors, body.amount, body.amount_minor, &pointer) {
            let notes = body.notes.and_then(|notes| some_text(notes.0));
            splits.push(SplitInput { category: body.category_id, amount, notes });
        }
    }
    splits
}

type DecimalText = Positive<Decimal>;

fn optional_amount(
    errors: &mut Vec<Rejection>,
    decimal: Option<DecimalText>,
    minor: Option<Positive<i64>>,
    pointer: &str,
) -> Option<Amount> {
    Amount::either(decimal.map(|text| text.0), minor.map(|minor| minor.0), pointer).unwrap_or_else(|error| {
        errors.push(error);
        None
    })
}

fn required_amount(
    errors: &mut Vec<Rejection>,
    decimal: Option<DecimalText>,
    minor: Option<Positive<i64>>,
    pointer: &str,
) -> Option<Amount> {
    let missing = decimal.is_none() && minor.is_none();
    if missing {
        errors.push(Rejection::new(pointer, "required", "is required, or amountMinor"));
    }
    optional_amount(errors, decimal, minor, pointer)
}

impl TransactionInput {
    /// A new transaction.
    pub(crate) fn new(body: CreateTransactionBody) -> Result<Self, Vec<Rejection>> {
        let mut errors = Vec::new();
        let amount = required_amount(&mut errors, body.amount, body.amount_minor, "/amount");
        let splits = splits(&mut errors, body.splits.map(|splits| splits.0).unwrap_or_default());
        let transfer_amount =
            optional_amount(&mut errors, body.transfer_amount, body.transfer_amount_minor, "/transferAmount");
        let original_amount =
            optional_amount(&mut errors, body.original_amount, body.original_amount_minor, "/originalAmount");
        let Some(amount) = amount.filter(|_| errors.is_empty()) else { return Err(errors) };
        Ok(Self {
            account: body.account_id,
            kind: body.kind,
            amount,
            currency: body.currency,
            date: body.date,
            description: body.description.0,
            merchant: body.merchant.and_then(|text| some_text(text.0)),
            category: body.category_id,
            notes: body.notes.and_then(|text| some_text(text.0)),
            tags: body.tags.map(|tags| tags.0).unwrap_or_default(),
            status: body.status,
            splits,
            transfer_account: body.transfer_account_id,
            transfer_amount,
            original_amount,
            original_currency: body.original_currency,
            external_id: body.external_id.map(|id| id.0),
        })
    }

    /// What it names.
    pub(crate) fn need(&self) -> Need {
        Need {
            accounts: self.account.into_iter().chain(self.transfer_account).collect(),
            first_account: self.account.is_none(),
            categories: self
                .category
                .into_iter()
                .chain(self.splits.iter().map(|split| split.category))
                .collect(),
            ..Need::default()
        }
    }

    /// What a transaction is now.
    pub(crate) fn of(record: &StoredTransaction) -> Self {
        let posted = &record.posted;
        let transfer = posted.transfer.as_ref();
        Self {
            account: Some(posted.account_id),
            kind: posted.kind,
            amount: Amount::kept(posted.amount_minor, posted.currency),
            currency: Some(posted.currency),
            date: Some(posted.date),
            description: record.description.clone(),
            merchant: record.merchant.clone(),
            category: posted.category_id,
            notes: record.notes.clone(),
            tags: record.tags.clone(),
            status: record.status,
            splits: posted
                .splits
                .iter()
                .map(|split| SplitInput {
                    category: split.category_id,
                    amount: Amount::kept(split.amount_minor, posted.currency),
                    notes: split.notes.clone(),
                })
                .collect(),
            transfer_account: transfer.map(|leg| leg.account_id),
            // Within one currency both legs are one amount.
            transfer_amount: transfer
                .filter(|leg| leg.currency != posted.currency)
                .map(|leg| Amount::kept(leg.amount_minor, leg.currency)),
            original_amount: record.original.map(|(minor, currency)| Amount::kept(minor, currency)),
            original_currency: record.original.map(|(_, currency)| currency),
            external_id: record.external_id.clone(),
        }
    }

    /// The same with a merge patch on it.
    pub(crate) fn patched(self, body: UpdateTransactionBody) -> Result<Self, Vec<Rejection>> {
        let mut errors = Vec::new();
        let amount = optional_amount(&mut errors, body.amount, body.amount_minor, "/amount");
        let splits = match body.splits {
            Patch::Keep => self.splits,
            Patch::Clear => Vec::new(),
            Patch::Set(bodies) => splits(&mut errors, bodies.0),
        };
        let transfer_amount = patched_amount(
            &mut errors,
            (body.transfer_amount, body.transfer_amount_minor),
            self.transfer_amount,
            "/transferAmount",
        );
        let original_amount = patched_amount(
            &mut errors,
            (body.original_amount, body.original_amount_minor),
            self.original_amount,
            "/originalAmount",
        );
        if !errors.is_empty() {
            return Err(errors);
        }
        Ok(Self {
            account: body.account_id.or(self.account),
            kind: body.kind.unwrap_or(self.kind),
            amount: amount.unwrap_or(self.amount),
            // What is kept knows its own currency; a new account of another one needs the amount anew.
            currency: body.currency,
            date: body.date.or(self.date),
            description: body.description.map_or(self.description, |text| text.0),
            merchant: body.merchant.apply_text(self.merchant, |text| text.0),
            category: body.category_id.apply(self.category),
            notes: body.notes.apply_text(self.notes, |text| text.0),
            tags: match body.tags {
                Patch::Keep => self.tags,
                Patch::Clear => Vec::new(),
                Patch::Set(tags) => tags.0,
            },
            status: body.status.unwrap_or(self.status),
            splits,
            transfer_account: body.transfer_account_id.apply(self.transfer_account),
            transfer_amount,
            original_amount,
            original_currency: body.original_currency.apply(self.original_currency),
            external_id: body.external_id.apply_text(self.external_id, |text| text.0),
        })
    }
}

/// Sets, clears or keeps an amount that has two spellings.
fn patched_amount(
    errors: &mut Vec<Rejection>,
    (decimal, minor): (Patch<DecimalText>, Patch<Positive<i64>>),
    current: Option<Amount>,
    pointer: &str,
) -> Option<Amount> {
    match (&decimal, &minor) {
        (Patch::Keep, Patch::Keep) => current,
        _ => optional_amount(errors, decimal.set(), minor.set(), pointer),
    }
}
