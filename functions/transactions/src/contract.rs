//! What `/transactions` promises. Must never describe what the code does not do: the document's tests compare.

use finance::calendar::Date;
use finance::id::{AccountId, CategoryId};
use finance::summary::GroupBy;
use finance::transaction::{TransactionStatus, TransactionType};
use finance::words::Word;
use serde_json::json;
use shared::edge::ProblemType::{
    AccountRequired, CategoryKindMismatch, CurrencyMismatch, NotDeleted, Reconciled,
};
use shared::edge::amount::Positive;
use shared::edge::body::Decimal;
use shared::edge::contract::{Contract, Operation, Parameter, example};

use crate::body::{CreateTransactionBody, Tag, UpdateTransactionBody};
use crate::list_transactions::SEARCH_LENGTH_MAX;
use crate::restore_transaction::EmptyBody;
use crate::view::{GroupView, SplitView, SummaryView, TotalView, TransactionView};

const ID: &str = "The transaction's id.";

fn expense() -> TransactionView {
    TransactionView {
        id: example::TRANSACTION.to_owned(),
        account_id: example::ACCOUNT.to_owned(),
        kind: "expense",
        amount: "30.00".to_owned(),
        amount_minor: 3_000,
        currency: "USD",
        date: "2026-03-05".to_owned(),
        description: "Market".to_owned(),
        merchant: Some("Corner Market".to_owned()),
        category_id: None,
        notes: None,
        tags: vec!["food".to_owned()],
        status: "cleared",
        splits: vec![
            SplitView {
                category_id: example::CATEGORY.to_owned(),
                amount: "10.00".to_owned(),
                amount_minor: 1_000,
                notes: None,
            },
            SplitView {
                category_id: example::OTHER_CATEGORY.to_owned(),
                amount: "20.00".to_owned(),
                amount_minor: 2_000,
                notes: Some("a present".to_owned()),
            },
        ],
        transfer_account_id: None,
        transfer_amount: None,
        transfer_amount_minor: None,
        original_amount: None,
        original_amount_minor: None,
        original_currency: None,
        external_id: None,
        created_at: example::INSTANT.to_owned(),
        updated_at: example::INSTANT.to_owned(),
        version: 1,
    }
}

fn transfer() -> TransactionView {
    TransactionView {
        kind: "transfer",
        amount: "5.00".to_owned(),
        amount_minor: 500,
        date: "2026-03-06".to_owned(),
        description: "Save".to_owned(),
        merchant: None,
        tags: Vec::new(),
        splits: Vec::new(),
        transfer_account_id: Some(example::OTHER_ACCOUNT.to_owned()),
        ..expense()
    }
}

fn total() -> TotalView {
    TotalView {
        currency: "USD",
        income: "0.00".to_owned(),
        expense: "30.00".to_owned(),
        net: "-30.00".to_owned(),
        income_minor: 0,
        expense_minor: 3_000,
        net_minor: -3_000,
        count: 1,
    }
}

fn filters(operation: Operation) -> Operation {
    let words = json!({"type": "string", "minLength": 1, "maxLength": SEARCH_LENGTH_MAX});
    operation
        .parameter(Parameter::of::<Date>("from", "The first day.", "2026-01-01"))
        .parameter(Parameter::of::<Date>("to", "The last day, which is in the list.", "2026-12-31"))
        .parameter(Parameter::of::<AccountId>(
            "accountId",
            "Those that move this account, at either end of a transfer.",
            example::ACCOUNT,
        ))
        .parameter(Parameter::of::<CategoryId>(
            "categoryId",
            "Those of this category, splits too.",
            example::CATEGORY,
        ))
        .parameter(Parameter::of::<TransactionType>("type", "Those of this type.", "expense"))
        .parameter(Parameter::of::<TransactionStatus>("status", "Those of this status.", "cleared"))
        .parameter(Parameter::of::<Tag>("tag", "Those with this tag, in the same letters.", "food"))
        .parameter(Parameter::of::<Positive<Decimal>>(
            "minAmount",
            "Those of this amount or more, each in its own currency.",
            "10.00",
        ))
        .parameter(Parameter::of::<Positive<Decimal>>(
            "maxAmount",
            "Those of this amount or less, each in its own currency.",
            "99.99",
        ))
        .parameter(Parameter::new(
            "q",
            "Those whose description, merchant, notes or tags have, for each of these words, a word that begins with it. At most 10 distinct words, in any case.",
            words,
            "market".into(),
        ))
}

fn reading() -> Vec<Operation> {
    let list = Operation::new(
        "list_transactions",
        "List transactions",
        "The user's transactions, the newest first. Every filter given must hold.",
    )
    .pages("TransactionPage", vec![transfer(), expense()])
    .sample_query("?from=2026-01-01&limit=10");
    let summary = SummaryView {
        from: "2026-03-01".to_owned(),
        to: "2026-03-31".to_owned(),
        group_by: "month",
        groups: vec![GroupView {
            key: Some("2026-03".to_owned()),
            label: "2026-03".to_owned(),
            sums: total(),
        }],
        totals: vec![total()],
    };
    let group_by = json!({"type": "string", "enum": GroupBy::NAMES, "default": "month"});
    vec![
        filters(list),
        Operation::new(
            "get_summary",
            "Sum by group and currency",
            "Sums of a range of days, by group and by currency: amounts of two currencies are never added. Transfers are in \
             no sum; income in an expense category is a refund and lowers the expenses.",
        )
        .parameter(Parameter::of::<Date>(
            "from",
            "The first day; without it, the first day of the month of `to`.",
            "2026-03-01",
        ))
        .parameter(Parameter::of::<Date>(
            "to",
            "The last day, which is in the sums; without it, the last day of the user's current month.",
            "2026-03-31",
        ))
        .parameter(Parameter::new("groupBy", "What the groups are by.", group_by, "month".into()))
        .answers(200, "The sums.", summary)
        .sample_query("?from=2026-01-01&to=2026-12-31"),
        Operation::new("get_transaction", "Read a transaction", "One transaction that is not deleted.")
            .id(ID, example::TRANSACTION)
            .answers(200, "The transaction.", expense())
            .headers(&["ETag"]),
    ]
}

/// The function's operations.
pub fn contract() -> Contract {
    let mut operations = vec![
        Operation::new(
            "create_transaction",
            "Create a transaction",
            "Creates income, an expense or a transfer. Balances and sums move with it. An expense or income has a category, \
             or splits that sum to the amount, or neither; a transfer has another account.",
        )
        .body::<CreateTransactionBody>(json!({
            "type": "transfer", "amount": "5.00", "date": "2026-03-06", "description": "Save",
            "transferAccountId": example::OTHER_ACCOUNT,
        }))
        .answers(201, "Created.", transfer())
        .headers(&["Location", "ETag"])
        .idempotent()
        .problems(&[CurrencyMismatch, CategoryKindMismatch, AccountRequired]),
        Operation::new(
            "update_transaction",
            "Change a transaction",
            "Changes the fields that are given and leaves the others (RFC 7396); balances and sums move with it. A new list \
             of splits or tags takes the place of the old one.",
        )
        .id(ID, example::TRANSACTION)
        .body::<UpdateTransactionBody>(json!({
            "amount": "7.00", "splits": null, "categoryId": example::CATEGORY, "date": "2026-04-01",
        }))
        .answers(
            200,
            "Changed.",
            TransactionView {
                amount: "7.00".to_owned(),
                amount_minor: 700,
                splits: Vec::new(),
                category_id: Some(example::CATEGORY.to_owned()),
                date: "2026-04-01".to_owned(),
                version: 2,
                ..expense()
            },
        )
        .headers(&["ETag"])
        .conditional()
        .problems(&[Reconciled, CurrencyMismatch, CategoryKindMismatch]),
        Operation::new(
            "delete_transaction",
            "Delete a transaction",
            "Deletes a transaction; balances and sums move back. It can be restored.",
        )
        .id(ID, example::TRANSACTION)
        .conditional()
        .problems(&[Reconciled]),
        Operation::new(
            "restore_transaction",
            "Restore a deleted transaction",
            "Brings a deleted transaction back, with its balances and sums.",
        )
        .id(ID, example::TRANSACTION)
        .optional_body::<EmptyBody>(json!({}))
        .answers(200, "Restored.", TransactionView { version: 3, ..expense() })
        .headers(&["ETag"])
        .idempotent()
        .problems(&[NotDeleted, CategoryKindMismatch]),
    ];
    operations.extend(reading());
    Contract::new("What was earned, spent and moved.", operations)
        .words_of::<TransactionType>("TransactionView", "type")
        .words_of::<TransactionStatus>("TransactionView", "status")
        .words("SummaryView", "groupBy", GroupBy::NAMES.iter().copied())
}
