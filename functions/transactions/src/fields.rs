//! The bodies of `/transactions`.

use finance::calendar::Date;
use finance::currency::Currency;
use finance::id::{AccountId, CategoryId};
use finance::transaction::{TransactionStatus, TransactionType};
use shared::edge::Rejection;
use shared::edge::body::{Decimal, FieldValue, JsonBody, Notes, Text, Value, read_object, unknown_fields};
use shared::edge::json::Json;
use shared::json_body;

/// Description, at least one character.
pub(crate) type Description = Text<1, 500>;
/// A merchant's name; empty counts as none.
pub(crate) type Merchant = Text<0, 500>;
/// What a bank calls the transaction.
pub(crate) type ExternalId = Text<1, 255>;

json_body! {
    /// One part of a split transaction.
    pub struct SplitBody {
        required category_id: CategoryId as "categoryId",
        optional amount: Decimal as "amount",
        optional amount_minor: i64 as "amountMinor",
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
        <Self as JsonBody>::schema()
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
    /// `POST /transactions`.
    pub struct CreateTransactionBody {
        optional account_id: AccountId as "accountId",
        required kind: TransactionType as "type",
        optional amount: Decimal as "amount",
        optional amount_minor: i64 as "amountMinor",
        optional currency: Currency as "currency",
        optional date: Date as "date",
        required description: Description as "description",
        optional merchant: Merchant as "merchant",
        optional category_id: CategoryId as "categoryId",
        optional notes: Notes as "notes",
        optional tags: Tags as "tags",
        optional status: TransactionStatus as "status",
        optional splits: Vec<SplitBody> as "splits",
        optional transfer_account_id: AccountId as "transferAccountId",
        optional transfer_amount: Decimal as "transferAmount",
        optional transfer_amount_minor: i64 as "transferAmountMinor",
        optional original_amount: Decimal as "originalAmount",
        optional original_amount_minor: i64 as "originalAmountMinor",
        optional original_currency: Currency as "originalCurrency",
        optional external_id: ExternalId as "externalId",
    }
}

json_body! {
    /// `PATCH /transactions/{id}`: RFC 7396.
    pub struct UpdateTransactionBody {
        patch account_id: AccountId as "accountId",
        patch kind: TransactionType as "type",
        patch amount: Decimal as "amount",
        patch amount_minor: i64 as "amountMinor",
        patch currency: Currency as "currency",
        patch date: Date as "date",
        patch description: Description as "description",
        patch merchant: Merchant as "merchant",
        patch category_id: CategoryId as "categoryId",
        patch notes: Notes as "notes",
        patch tags: Tags as "tags",
        patch status: TransactionStatus as "status",
        patch splits: Vec<SplitBody> as "splits",
        patch transfer_account_id: AccountId as "transferAccountId",
        patch transfer_amount: Decimal as "transferAmount",
        patch transfer_amount_minor: i64 as "transferAmountMinor",
        patch original_amount: Decimal as "originalAmount",
        patch original_amount_minor: i64 as "originalAmountMinor",
        patch original_currency: Currency as "originalCurrency",
        patch external_id: ExternalId as "externalId",
    }
}
