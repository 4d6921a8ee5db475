//! What a transaction becomes: a pure step from what the request wants and what the ledger has. May run more than once.
//! Must never do I/O.

use finance::account::AccountFacts;
use finance::calendar::Date;
use finance::currency::Currency;
use finance::id::{AccountId, CategoryId, TransactionId};
use finance::rejection::Rejection;
use finance::transaction::{Split, Transaction, TransactionDraft, TransactionStatus};
use shared::edge::amount::{Amount, AmountSign};
use shared::store::accounts::Account;
use shared::store::ledger::{Change, Loaded, Need};
use shared::store::transactions::StoredTransaction;
use shared::store::{Expected, WriteError};

use crate::body::UpdateTransactionBody;
use crate::input::TransactionInput;

/// What a change of one transaction needs, and no new accounts or categories.
pub(crate) fn need_of(id: TransactionId) -> Need {
    Need { transactions: [id].into(), ..Need::default() }
}

/// What a patch needs: the transaction and whatever the patch names.
pub(crate) fn need_of_update(id: TransactionId, body: &UpdateTransactionBody) -> Need {
    let splits = body.splits.value().into_iter().flat_map(|splits| &splits.0).map(|split| split.category_id);
    Need {
        transactions: [id].into(),
        accounts: body.account_id.iter().chain(body.transfer_account_id.value()).copied().collect(),
        categories: body.category_id.value().copied().into_iter().chain(splits).collect(),
        first_account: false,
    }
}

/// The transaction that a request names, in a version that it expects, not deleted.
fn current<'a>(
    loaded: &'a Loaded,
    id: TransactionId,
    expected: &Expected,
) -> Result<&'a StoredTransaction, WriteError> {
    let record = loaded.transactions.get(&id).filter(|record| record.deleted_at_ms.is_none());
    let record = record.ok_or(WriteError::NotFound)?;
    expected.check(&record.tag())?;
    Ok(record)
}

/// A new transaction; `today` is the user's.
pub(crate) fn create(
    input: &TransactionInput,
    id: TransactionId,
    today: Date,
    loaded: &Loaded,
) -> Result<Change, WriteError> {
    let (posted, original) = post(input, today, loaded)?;
    Ok(Change { before: None, after: record(input, posted, original, id, loaded.now_ms) })
}

/// A changed transaction.
pub(crate) fn update(
    id: TransactionId,
    body: &UpdateTransactionBody,
    expected: &Expected,
    loaded: &Loaded,
) -> Result<Change, WriteError> {
    let current = current(loaded, id, expected)?;
    let input = TransactionInput::of(current).patched(body.clone()).map_err(WriteError::Rejected)?;
    let (posted, original) = post(&input, current.posted.date, loaded)?;
    let stays_reconciled =
        current.status == TransactionStatus::Reconciled && input.status == TransactionStatus::Reconciled;
    if stays_reconciled && !current.posted.is_same_posting(&posted) {
        return Err(WriteError::Reconciled);
    }
    let after = StoredTransaction {
        created_at_ms: current.created_at_ms,
        version: current.version.saturating_add(1),
        ..record(&input, posted, original, current.id, loaded.now_ms)
    };
    Ok(Change { before: Some(current.clone()), after })
}

/// A tombstone.
pub(crate) fn delete(id: TransactionId, expected: &Expected, loaded: &Loaded) -> Result<Change, WriteError> {
    let current = current(loaded, id, expected)?;
    if current.status == TransactionStatus::Reconciled {
        return Err(WriteError::Reconciled);
    }
    let after = StoredTransaction {
        deleted_at_ms: Some(loaded.now_ms),
        updated_at_ms: loaded.now_ms,
        version: current.version.saturating_add(1),
        ..current.clone()
    };
    Ok(Change { before: Some(current.clone()), after })
}

/// A tombstone brought back, if its accounts and categories are still there.
pub(crate) fn restore(id: TransactionId, loaded: &Loaded) -> Result<Change, WriteError> {
    let current = loaded.transactions.get(&id).ok_or(WriteError::NotFound)?;
    if current.deleted_at_ms.is_none() {
        return Err(WriteError::NotDeleted);
    }
    let (posted, _) = post(&TransactionInput::of(current), current.posted.date, loaded)?;
    let after = StoredTransaction {
        posted,
        deleted_at_ms: None,
        updated_at_ms: loaded.now_ms,
        version: current.version.saturating_add(1),
        ..current.clone()
    };
    Ok(Change { before: Some(current.clone()), after })
}

fn record(
    input: &TransactionInput,
    posted: Transaction,
    original: Option<(i64, Currency)>,
    id: TransactionId,
    now_ms: i64,
) -> StoredTransaction {
    StoredTransaction {
        id,
        posted,
        status: input.status,
        description: input.description.clone(),
        merchant: input.merchant.clone(),
        notes: input.notes.clone(),
        tags: input.tags.clone(),
        original,
        external_id: input.external_id.clone(),
        created_at_ms: now_ms,
        updated_at_ms: now_ms,
        deleted_at_ms: None,
        version: 1,
        knowledge: 0,
    }
}

/// Resolves the accounts, reads the amounts in their currencies, and lets `finance` judge the whole; every error at once.
fn post(
    input: &TransactionInput,
    today: Date,
    loaded: &Loaded,
) -> Result<(Transaction, Option<(i64, Currency)>), WriteError> {
    let mut errors = Vec::new();
    let account = account(&mut errors, input.account, loaded);
    let transfer_account = input.transfer_account.and_then(|id| {
        let found = facts(loaded, id);
        if found.is_none() {
            errors.push(Rejection::new("/transferAccountId", "unknown_account", "is no account of yours"));
        }
        found
    });
    let original = original(&mut errors, input);
    let Some(account) = account else { return Err(WriteError::Rejected(errors)) };
    if input.currency.is_some_and(|currency| currency != account.currency) {
        let detail = format!("the account is in {}", account.currency.code());
        errors.push(Rejection::new("/currency", "currency_mismatch", detail));
    }
    let draft = draft(&mut errors, input, today, account, transfer_account);
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
                        && input.transfer_account.is_some()
                        && rejection.pointer == "/transferAccountId");
                if !skip {
                    errors.push(rejection);
                }
            }
            Err(WriteError::Rejected(errors))
        }
    }
}

fn facts(loaded: &Loaded, id: AccountId) -> Option<AccountFacts> {
    loaded.accounts.get(&id).map(Account::facts)
}

fn account(errors: &mut Vec<Rejection>, input: Option<AccountId>, loaded: &Loaded) -> Option<AccountFacts> {
    let found = input.or(loaded.first_account).and_then(|id| facts(loaded, id));
    if found.is_none() {
        errors.push(match input {
            Some(_) => Rejection::new("/accountId", "unknown_account", "is no account of yours"),
            None => {
                Rejection::new("/accountId", "account_required", "you have no account that is not archived")
            }
        });
    }
    found
}

fn original(errors: &mut Vec<Rejection>, input: &TransactionInput) -> Option<(i64, Currency)> {
    match (&input.original_amount, input.original_currency) {
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
    input: &TransactionInput,
    today: Date,
    account: AccountFacts,
    transfer_account: Option<AccountFacts>,
) -> TransactionDraft {
    let mut read = |amount: &Amount, currency: Currency, pointer: &str| {
        amount.in_currency(currency, pointer, AmountSign::Positive).unwrap_or_else(|error| {
            errors.push(error);
            1
        })
    };
    let amount_minor = read(&input.amount, account.currency, "/amount");
    let splits = input
        .splits
        .iter()
        .enumerate()
        .map(|(index, split)| Split {
            category_id: split.category,
            amount_minor: read(&split.amount, account.currency, &format!("/splits/{index}/amount")),
            notes: split.notes.clone(),
        })
        .collect();
    let transfer_amount_minor = input.transfer_amount.as_ref().map(|amount| {
        let currency = transfer_account.map_or(account.currency, |account| account.currency);
        read(amount, currency, "/transferAmount")
    });
    TransactionDraft {
        account,
        kind: input.kind,
        amount_minor,
        date: input.date.unwrap_or(today),
        category_id: input.category,
        splits,
        transfer_account,
        transfer_amount_minor,
    }
}
