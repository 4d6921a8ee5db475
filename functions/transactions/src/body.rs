//! The bodies of `/transactions`.

use finance::calendar::Date;
use finance::currency::Currency;
use finance::id::{AccountId, CategoryId};
use finance::transaction::{SPLITS_MAX, TransactionStatus, TransactionType};
use shared::edge::Rejection;
use shared::edge::amount::Positive;
use shared::edge::body::{Decimal, FieldValue, JsonBody, Notes, Text, Value, read_object, unknown_fields};
use shared::edge::contract::{Named, reference};
use shared::edge::json::Json;
use shared::json_body;

/// Description, at least one character.
pub(crate) type Description = Text<1, 500>;
/// A merchant's name; empty counts as none.
pub(crate) type Merchant = Text<0, 500>;
/// What a bank calls the transaction.
pub(crate) type ExternalId = Text<1, 255>;

json_body! {
    /// One part of a split transaction: exactly one of `amount` and `amountMinor`.
    pub struct SplitBody {
        /// The part's category.
        required category_id: CategoryId as "categoryId",
        /// A decimal of the account's currency, above zero.
        optional amount: Positive<Decimal> as "amount",
        /// The amount in minor units.
        optional amount_minor: Positive<i64> as "amountMinor",
        /// The user's own words.
        optional notes: Notes as "notes",
    }
}

impl FieldValue for SplitBody {
    fn read(value: &Json, pointer: &str) -> Result<Self, Vec<Rejection>> {
        read_object(value, pointer)
    }
    fn unknown(value: &Json, pointer: &str) -> Vec<Rejection> {
        unknown_fields::<Self>(value, pointer)
    }
    fn schema() -> Value {
        reference(Self::NAME)
    }
    fn named(named: &mut Vec<Named>) {
        named.push(Named::new(Self::NAME, <Self as JsonBody>::schema()));
        <Self as JsonBody>::named(named);
    }
}

/// The parts of a split transaction. How many there may be is decided with the whole transaction.
#[derive(Clone, Debug)]
pub struct Splits(pub Vec<SplitBody>);

impl FieldValue for Splits {
    fn read(value: &Json, pointer: &str) -> Result<Self, Vec<Rejection>> {
        Vec::read(value, pointer).map(Self)
    }
    fn unknown(value: &Json, pointer: &str) -> Vec<Rejection> {
        Vec::<SplitBody>::unknown(value, pointer)
    }
    fn schema() -> Value {
        serde_json::json!({"type": "array", "items": <SplitBody as FieldValue>::schema(), "maxItems": SPLITS_MAX})
    }
    fn named(named: &mut Vec<Named>) {
        <SplitBody as FieldValue>::named(named);
    }
}

/// A tag, as it is stored and as a list is filtered by it.
pub(crate) type Tag = Text<1, 50>;

/// At most 20 tags of 50 characters, each once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tags(pub Vec<String>);

impl FieldValue for Tags {
    fn read(value: &Json, pointer: &str) -> Result<Self, Vec<Rejection>> {
        let tags = Vec::<Tag>::read(value, pointer)?;
        if tags.len() > 20 {
            return Err(vec![Rejection::new(pointer, "too_many", "must have at most 20 tags")]);
        }
        let mut unique = Vec::new();
        for tag in tags {
            if !unique.contains(&tag.0) {
                unique.push(tag.0);
            }
        }
        Ok(Self(unique))
    }
    fn schema() -> Value {
        serde_json::json!({"type": "array", "maxItems": 20, "items": Tag::schema()})
    }
}

json_body! {
    /// A new transaction.
    pub struct CreateTransactionBody {
        /// The account that it moves; without it, the user's first that is not archived.
        optional account_id: AccountId as "accountId",
        /// Income, an expense, or a transfer between two accounts.
        required kind: TransactionType as "type",
        /// A decimal of the account's currency, above zero. Exactly one of `amount` and `amountMinor` is given.
        optional amount: Positive<Decimal> as "amount",
        /// The amount in minor units.
        optional amount_minor: Positive<i64> as "amountMinor",
        /// Must be the account's currency; may be left out.
        optional currency: Currency as "currency",
        /// The day it happened, from 1900 to 2199; without it, today in the user's time zone.
        optional date: Date as "date",
        /// What it was.
        required description: Description as "description",
        /// Who was paid, or who paid.
        optional merchant: Merchant as "merchant",
        /// Its category. A transfer has none, and a split transaction has its categories in the splits.
        optional category_id: CategoryId as "categoryId",
        /// The user's own words. Line feeds and tabs are allowed.
        optional notes: Notes as "notes",
        /// At most 20; each counts once.
        optional tags: Tags as "tags",
        /// How far it is: pending, cleared by the bank, or reconciled with a statement.
        default status: TransactionStatus as "status" = "cleared",
        /// Its parts by category, which sum to the amount. At most 50; a transfer has none.
        optional splits: Splits as "splits",
        /// Of a transfer: the account that receives.
        optional transfer_account_id: AccountId as "transferAccountId",
        /// Of a transfer between two currencies: what arrives, as a decimal of the other account's currency.
        optional transfer_amount: Positive<Decimal> as "transferAmount",
        /// What arrives, in minor units.
        optional transfer_amount_minor: Positive<i64> as "transferAmountMinor",
        /// What was paid abroad, as a decimal of `originalCurrency`. Kept for the user; nothing is computed from it.
        optional original_amount: Positive<Decimal> as "originalAmount",
        /// What was paid abroad, in minor units.
        optional original_amount_minor: Positive<i64> as "originalAmountMinor",
        /// ISO 4217; given with the original amount.
        optional original_currency: Currency as "originalCurrency",
        /// What a bank calls it.
        optional external_id: ExternalId as "externalId",
    }
}

json_body! {
    /// A change of a transaction (RFC 7396). The whole is checked again as it is then.
    pub struct UpdateTransactionBody {
        /// The account that it moves.
        change account_id: AccountId as "accountId",
        /// Income, an expense, or a transfer between two accounts.
        change kind: TransactionType as "type",
        /// A decimal of the account's currency, above zero. At most one of `amount` and `amountMinor` is given.
        change amount: Positive<Decimal> as "amount",
        /// The amount in minor units.
        change amount_minor: Positive<i64> as "amountMinor",
        /// Must be the account's currency; may be left out.
        change currency: Currency as "currency",
        /// The day it happened, from 1900 to 2199.
        change date: Date as "date",
        /// What it was.
        change description: Description as "description",
        /// Who was paid, or who paid.
        patch merchant: Merchant as "merchant",
        /// Its category. A transfer has none, and a split transaction has its categories in the splits.
        patch category_id: CategoryId as "categoryId",
        /// The user's own words. Line feeds and tabs are allowed.
        patch notes: Notes as "notes",
        /// At most 20; each counts once.
        patch tags: Tags as "tags",
        /// How far it is: pending, cleared by the bank, or reconciled with a statement.
        change status: TransactionStatus as "status",
        /// Its parts by category, which sum to the amount. At most 50; a transfer has none.
        patch splits: Splits as "splits",
        /// Of a transfer: the account that receives.
        patch transfer_account_id: AccountId as "transferAccountId",
        /// Of a transfer between two currencies: what arrives, as a decimal of the other account's currency.
        patch transfer_amount: Positive<Decimal> as "transferAmount",
        /// What arrives, in minor units.
        patch transfer_amount_minor: Positive<i64> as "transferAmountMinor",
        /// What was paid abroad, as a decimal of `originalCurrency`. Kept for the user; nothing is computed from it.
        patch original_amount: Positive<Decimal> as "originalAmount",
        /// What was paid abroad, in minor units.
        patch original_amount_minor: Positive<i64> as "originalAmountMinor",
        /// ISO 4217; given with the original amount.
        patch original_currency: Currency as "originalCurrency",
        /// What a bank calls it.
        patch external_id: ExternalId as "externalId",
    }
}
