//! What `/accounts` promises. Must never describe what the code does not do: the document's tests compare.

use finance::calendar::Date;
use finance::currency::Currency;
use finance::id::AccountId;
use finance::money::Money;
use serde_json::json;
use shared::edge::ProblemType::{
    CategoryKindMismatch, CurrencyMismatch, InUse, LimitReached, TooManyTransactions,
};
use shared::edge::amount::AmountView;
use shared::edge::contract::{Contract, Operation, Parameter, example};

use crate::body::{CreateAccountBody, UpdateAccountBody};
use crate::view::AccountView;
use finance::account::AccountKind;

const ID: &str = "The account's id.";

fn view(name: &str) -> AccountView {
    let amount = |minor| AmountView::from(Money::new(minor, Currency::USD));
    AccountView {
        id: example::ACCOUNT.to_owned(),
        name: name.to_owned(),
        kind: "credit_card",
        currency: Currency::USD.code(),
        opening_balance: Some(amount(-1_250)),
        opening_date: "2026-01-01".to_owned(),
        credit_limit: Some(amount(500_000)),
        interest_rate_bps: Some(1_999),
        minimum_payment: Some(amount(2_500)),
        archived: false,
        balance: Some("-93.70".to_owned()),
        balance_minor: Some(-9_370),
        version: 1,
    }
}

/// The function's operations.
pub fn contract() -> Contract {
    let operations = vec![
        Operation::new(
            "list_accounts",
            "List the accounts",
            "The user's accounts in the order in which they were made, archived ones too. With `asOf`, `balance` is the one \
             at the close of that day, and `null` before the opening date.",
        )
        .pages("AccountPage", vec![view("Card")])
        .parameter(Parameter::of::<Date>("asOf", "The day at whose close the balances are.", "2026-03-31"))
        .sample_query("?asOf=2026-03-31"),
        Operation::new(
            "create_account",
            "Create an account",
            "Creates an account. Its balance is the opening balance plus what moves from the opening date on.",
        )
        .body::<CreateAccountBody>(json!({
            "name": "Card", "type": "credit_card", "currency": "USD", "openingBalance": {"amount": "-12.50"},
            "openingDate": "2026-01-01", "creditLimit": {"amountMinor": 500_000},
            "minimumPayment": {"amount": "25"}, "interestRateBps": 1_999,
        }))
        .answers(201, "Created.", view("Card"))
        .headers(&["Location", "ETag"])
        .idempotent()
        .problems(&[LimitReached, CurrencyMismatch]),
        Operation::new("get_account", "Read an account", "One account with its balance of now.")
            .id(ID, example::ACCOUNT)
            .answers(200, "The account.", view("Card"))
            .headers(&["ETag"]),
        Operation::new(
            "update_account",
            "Change an account",
            "Changes the fields that are given and leaves the others (RFC 7396). Amounts are read in the account's currency.",
        )
        .id(ID, example::ACCOUNT)
        .body::<UpdateAccountBody>(json!({"name": "Gold card", "creditLimit": null}))
        .answers(200, "Changed.", AccountView { credit_limit: None, version: 2, ..view("Gold card") })
        .headers(&["ETag"])
        .conditional()
        .problems(&[CurrencyMismatch]),
        Operation::new(
            "delete_account",
            "Delete an account",
            "Deletes an account. One that transactions use is 409 `in_use`, unless `moveTo` names the account that takes them.",
        )
        .id(ID, example::ACCOUNT)
        .parameter(Parameter::of::<AccountId>(
            "moveTo",
            "The account of the same currency that takes the transactions.",
            example::OTHER_ACCOUNT,
        ))
        .sample_query(format!("?moveTo={}", example::OTHER_ACCOUNT))
        .conditional()
        .problems(&[InUse, TooManyTransactions, CurrencyMismatch, CategoryKindMismatch]),
    ];
    Contract::new("Where the user's money is.", operations).words_of::<AccountKind>("AccountView", "type")
}
