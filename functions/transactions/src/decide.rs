//! What a transaction becomes: a pure step from what the request wants and what the ledger has. May run more than once.
//! Must never do I/O.

use finance::calendar::Date;
use finance::currency::Currency;
use finance::id::{AccountId, CategoryId, TransactionId};
use finance::transaction::{
    AccountFacts, Split, Transaction, TransactionDraft, TransactionStatus, TransactionType,
};
use shared::edge::amount::{Amount, AmountSign, Positive};
use shared::edge::body::{Decimal, Patch};
use shared::edge::{IfMatch, Rejection};
use shared::store::WriteError;
use shared::store::accounts::Account;
use shared::store::ledger::Loaded;
use shared::store::transactions::StoredTransaction;

use crate::fields::{CreateTransactionBody, SplitBody, UpdateTransactionBody};
use crate::view::tag;

/// A transaction as a request wants it: complete, but nothing yet known to fit.
#[derive(Clone, Debug)]
pub(crate) struct TransactionInput {
    /// `None` is the user's first account.
    pub account: Option<AccountId>,
    pub kind: TransactionType,
    pub amount: Amount,
    /// Only to be compared with the account's.
    pub currency: Option<Currency>,
    pub date: Date,
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
    category: CategoryId,
    amount: Amount,
    notes: Option<String>,
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
    /// What a new transaction is to be; `today` is the user's.
    pub(crate) fn new(body: CreateTransactionBody, today: Date) -> Result<Self, Vec<Rejection>> {
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
            date: body.date.unwrap_or(today),
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

    /// What a transaction is now.
    pub(crate) fn of(record: &StoredTransaction) -> Self {
        let posted = &record.posted;
        let transfer = posted.transfer.as_ref();
        Self {
            account: Some(posted.account_id),
            kind: posted.kind,
            amount: Amount::kept(posted.amount_minor, posted.currency),
            currency: Some(posted.currency),
            date: posted.date,
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
            date: body.date.unwrap_or(self.date),
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

/// `IfMatch` and the record that a request names, not deleted.
fn current<'a>(loaded: &'a Loaded, condition: &IfMatch) -> Result<&'a StoredTransaction, WriteError> {
    let record = loaded.current.as_ref().filter(|record| record.deleted_at_ms.is_none());
    let record = record.ok_or(WriteError::NotFound)?;
    if condition.allows(&tag(record)) { Ok(record) } else { Err(WriteError::Stale) }
}

/// A new transaction.
pub(crate) fn create(
    wanted: &TransactionInput,
    id: TransactionId,
    loaded: &Loaded,
) -> Result<StoredTransaction, WriteError> {
    let (posted, original) = post(wanted, loaded)?;
    Ok(record(wanted, posted, original, id, loaded.now_ms))
}

/// A changed transaction.
pub(crate) fn update(
    body: &UpdateTransactionBody,
    condition: &IfMatch,
    loaded: &Loaded,
) -> Result<StoredTransaction, WriteError> {
    let current = current(loaded, condition)?;
    let wanted = TransactionInput::of(current).patched(body.clone()).map_err(WriteError::Rejected)?;
    let (posted, original) = post(&wanted, loaded)?;
    Ok(StoredTransaction {
        created_at_ms: current.created_at_ms,
        version: current.version.saturating_add(1),
        ..record(&wanted, posted, original, current.id, loaded.now_ms)
    })
}

/// A tombstone.
pub(crate) fn delete(condition: &IfMatch, loaded: &Loaded) -> Result<StoredTransaction, WriteError> {
    let current = current(loaded, condition)?;
    Ok(StoredTransaction {
        deleted_at_ms: Some(loaded.now_ms),
        updated_at_ms: loaded.now_ms,
        version: current.version.saturating_add(1),
        ..current.clone()
    })
}

/// A tombstone brought back, if its accounts and categories are still there.
pub(crate) fn restore(loaded: &Loaded) -> Result<StoredTransaction, WriteError> {
    let current = loaded.current.as_ref().ok_or(WriteError::NotFound)?;
    if current.deleted_at_ms.is_none() {
        return Err(WriteError::NotDeleted);
    }
    let (posted, _) = post(&TransactionInput::of(current), loaded)?;
    Ok(StoredTransaction {
        posted,
        deleted_at_ms: None,
        updated_at_ms: loaded.now_ms,
        version: current.version.saturating_add(1),
        ..current.clone()
    })
}

fn record(
    wanted: &TransactionInput,
    posted: Transaction,
    original: Option<(i64, Currency)>,
    id: TransactionId,
    now_ms: i64,
) -> StoredTransaction {
    StoredTransaction {
        id,
        posted,
        status: wanted.status,
        description: wanted.description.clone(),
        merchant: wanted.merchant.clone(),
        notes: wanted.notes.clone(),
        tags: wanted.tags.clone(),
        original,
        external_id: wanted.external_id.clone(),
        created_at_ms: now_ms,
        updated_at_ms: now_ms,
        deleted_at_ms: None,
        version: 1,
        knowledge: 0,
    }
}

/// Resolves the accounts, reads the amounts in their currencies, and lets `finance` judge the whole; every error at once.
fn post(
    wanted: &TransactionInput,
    loaded: &Loaded,
) -> Result<(Transaction, Option<(i64, Currency)>), WriteError> {
    let mut errors = Vec::new();
    let account = account(&mut errors, wanted.account, &loaded.accounts);
    let transfer_account = wanted.transfer_account.and_then(|id| {
        let found = facts(&loaded.accounts, id);
        if found.is_none() {
            errors.push(Rejection::new("/transferAccountId", "unknown_account", "is no account of yours"));
        }
        found
    });
    let original = original(&mut errors, wanted);
    let Some(account) = account else { return Err(WriteError::Rejected(errors)) };
    if wanted.currency.is_some_and(|currency| currency != account.currency) {
        let detail = format!("the account is in {}", account.currency.code());
        errors.push(Rejection::new("/currency", "currency_mismatch", detail));
    }
    let draft = draft(&mut errors, wanted, account, transfer_account);
    let facts_of = |id: CategoryId| loaded.categories.get(&id).map(|category| category.facts());
    // The amounts that could not be read are named already; the rest is judged all the same.
    let known = |pointer: &str, errors: &[Rejection]| errors.iter().any(|error| error.pointer == pointer);
    match Transaction::post(draft, &facts_of) {
        Ok(posted) if errors.is_empty() => Ok((posted, original)),
        Ok(_) => Err(WriteError::Rejected(errors)),
        Err(rejections) => {
            let amounts_bad = errors.iter().any(|error| error.pointer.ends_with("/amount"));
            for rejection in rejections {
                // A sum is not judged where a part of it could not be read.
                let skip = known(&rejection.pointer, &errors)
                    || (amounts_bad && rejection.code == "splits_sum")
                    || (transfer_account.is_none()
                        && wanted.transfer_account.is_some()
                        && rejection.pointer == "/transferAccountId");
                if !skip {
                    errors.push(rejection);
                }
            }
            Err(WriteError::Rejected(errors))
        }
    }
}

fn facts(accounts: &[Account], id: AccountId) -> Option<AccountFacts> {
    let account = accounts.iter().find(|account| account.id == id)?;
    Some(AccountFacts { id: account.id, currency: account.currency })
}

fn account(
    errors: &mut Vec<Rejection>,
    wanted: Option<AccountId>,
    accounts: &[Account],
) -> Option<AccountFacts> {
    let found = match wanted {
        Some(id) => facts(accounts, id),
        // The oldest that is not archived.
        None => accounts
            .iter()
            .find(|account| !account.archived)
            .map(|account| AccountFacts { id: account.id, currency: account.currency }),
    };
    if found.is_none() {
        errors.push(match wanted {
            Some(_) => Rejection::new("/accountId", "unknown_account", "is no account of yours"),
            None => {
                Rejection::new("/accountId", "account_required", "you have no account that is not archived")
            }
        });
    }
    found
}

fn original(errors: &mut Vec<Rejection>, wanted: &TransactionInput) -> Option<(i64, Currency)> {
    match (&wanted.original_amount, wanted.original_currency) {
        (None, None) => None,
        (Some(amount), Some(currency)) => {
            match amount.in_currency(currency, "/originalAmount", AmountSign::Positive) {
                Ok(minor) => Some((minor, currency)),
                Err(error) => {
                    errors.push(error);
                    None
                }
            }
        }
        (Some(_), None) => {
            errors.push(Rejection::new("/originalCurrency", "required", "is required with originalAmount"));
            None
        }
        (None, Some(_)) => {
            errors.push(Rejection::new("/originalAmount", "required", "is required with originalCurrency"));
            None
        }
    }
}

/// The draft; an amount that cannot be read is named, and counts as 1 so that the other rules can be judged.
fn draft(
    errors: &mut Vec<Rejection>,
    wanted: &TransactionInput,
    account: AccountFacts,
    transfer_account: Option<AccountFacts>,
) -> TransactionDraft {
    let mut read = |amount: &Amount, currency: Currency, pointer: &str| {
        amount.in_currency(currency, pointer, AmountSign::Positive).unwrap_or_else(|error| {
            errors.push(error);
            1
        })
    };
    let amount_minor = read(&wanted.amount, account.currency, "/amount");
    let splits = wanted
        .splits
        .iter()
        .enumerate()
        .map(|(index, split)| Split {
            category_id: split.category,
            amount_minor: read(&split.amount, account.currency, &format!("/splits/{index}/amount")),
            notes: split.notes.clone(),
        })
        .collect();
    let transfer_amount_minor = wanted.transfer_amount.as_ref().map(|amount| {
        let currency = transfer_account.map_or(account.currency, |account| account.currency);
        read(amount, currency, "/transferAmount")
    });
    TransactionDraft {
        account,
        kind: wanted.kind,
        amount_minor,
        date: wanted.date,
        category_id: wanted.category,
        splits,
        transfer_account,
        transfer_amount_minor,
    }
}
