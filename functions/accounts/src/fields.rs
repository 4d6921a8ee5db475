//! The bodies of `/accounts`, and the amounts in them.

use finance::account::AccountKind;
use finance::calendar::Date;
use finance::currency::Currency;
use shared::edge::Rejection;
use shared::edge::amount::{Amount, AmountSign};
use shared::edge::body::{FieldValue, Text, Value};
use shared::edge::json::Json;
use shared::json_body;

/// A yearly rate in basis points, 0 to 100,000 (1,000 %).
#[derive(Clone, Copy, Debug)]
pub struct RateBps(pub i64);

impl FieldValue for RateBps {
    fn read(value: &Json, pointer: &str) -> Result<Self, Vec<Rejection>> {
        let rate = i64::read(value, pointer)?;
        if (0..=100_000).contains(&rate) {
            Ok(Self(rate))
        } else {
            Err(vec![Rejection::new(pointer, "out_of_range", "must be from 0 to 100000 basis points")])
        }
    }
    fn schema() -> Value {
        serde_json::json!({"type": "integer", "minimum": 0, "maximum": 100_000})
    }
}

type Name = Text<1, 100>;

json_body! {
    /// `POST /accounts`.
    pub struct CreateAccountBody {
        required name: Name as "name",
        required kind: AccountKind as "type",
        optional currency: Currency as "currency",
        optional opening_balance: Amount as "openingBalance",
        optional opening_date: Date as "openingDate",
        optional credit_limit: Amount as "creditLimit",
        optional interest_rate_bps: RateBps as "interestRateBps",
        optional minimum_payment: Amount as "minimumPayment",
        optional archived: bool as "archived",
    }
}

json_body! {
    /// `PATCH /accounts/{id}`. The currency of an account cannot change.
    pub struct UpdateAccountBody {
        patch name: Name as "name",
        patch kind: AccountKind as "type",
        patch opening_balance: Amount as "openingBalance",
        patch opening_date: Date as "openingDate",
        patch credit_limit: Amount as "creditLimit",
        patch interest_rate_bps: RateBps as "interestRateBps",
        patch minimum_payment: Amount as "minimumPayment",
        patch archived: bool as "archived",
    }
}

/// The minor units of an optional amount in the account's currency; a bad one adds an error.
pub(crate) fn minor(
    errors: &mut Vec<Rejection>,
    amount: Option<&Amount>,
    currency: Currency,
    pointer: &str,
    sign: AmountSign,
) -> Option<i64> {
    match amount?.in_currency(currency, pointer, sign) {
        Ok(minor) => Some(minor),
        Err(error) => {
            errors.push(error);
            None
        }
    }
}
