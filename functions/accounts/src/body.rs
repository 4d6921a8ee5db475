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
    /// A new account.
    pub struct CreateAccountBody {
        /// What the user calls it.
        required name: Name as "name",
        /// What kind of account it is.
        required kind: AccountKind as "type",
        /// ISO 4217; without it, the user's. It cannot change later.
        optional currency: Currency as "currency",
        /// What was on the account at the opening date; below zero for a debt. Without it, balances are unknown.
        optional opening_balance: Amount as "openingBalance",
        /// The day of the opening balance, from 1900 to 2199; without it, today in the user's time zone.
        optional opening_date: Date as "openingDate",
        /// Of a credit card; not below zero.
        optional credit_limit: Amount as "creditLimit",
        /// Interest of a year in basis points: 1999 is 19.99 %.
        optional interest_rate_bps: RateBps as "interestRateBps",
        /// What is due each month at least; not below zero.
        optional minimum_payment: Amount as "minimumPayment",
        /// An archived account takes no new transactions.
        default archived: bool as "archived" = false,
    }
}

json_body! {
    /// A change of an account (RFC 7396). Its currency cannot change.
    pub struct UpdateAccountBody {
        /// What the user calls it.
        change name: Name as "name",
        /// What kind of account it is.
        change kind: AccountKind as "type",
        /// What was on the account at the opening date; `null` makes it unknown.
        patch opening_balance: Amount as "openingBalance",
        /// The day of the opening balance, from 1900 to 2199.
        change opening_date: Date as "openingDate",
        /// Of a credit card; not below zero.
        patch credit_limit: Amount as "creditLimit",
        /// Interest of a year in basis points: 1999 is 19.99 %.
        patch interest_rate_bps: RateBps as "interestRateBps",
        /// What is due each month at least; not below zero.
        patch minimum_payment: Amount as "minimumPayment",
        /// An archived account takes no new transactions.
        change archived: bool as "archived",
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
