//! Amounts as requests give them: a decimal string or an integer of minor units, never a fraction of JSON, never rounded.
//! Which decimals fit is known with the currency only. Must never touch a float.

use finance::currency::Currency;
use finance::money::{AMOUNT_MINOR_MAX, Money, MoneyError};

use super::body::{Decimal, FieldValue, JsonBody, Value, read_object, wrong_type};
use super::json::Json;
use super::problem::FieldError;
use crate::json_body;

/// Which amounts a field takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AmountSign {
    /// 1 minor unit or more.
    Positive,
    /// Nothing or more.
    NotNegative,
    Any,
}

/// An amount whose currency is not known yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Amount {
    Decimal(String),
    Minor(i64),
}

json_body! {
    /// `{amount}` or `{amountMinor}`, of an account's or a transaction's currency.
    pub struct AmountBody {
        optional amount: Decimal as "amount",
        optional amount_minor: i64 as "amountMinor",
        optional currency: Currency as "currency",
    }
}

impl Amount {
    /// Exactly one of the two forms.
    pub fn either(
        decimal: Option<Decimal>,
        minor: Option<i64>,
        pointer: &str,
    ) -> Result<Option<Self>, FieldError> {
        match (decimal, minor) {
            (Some(_), Some(_)) => {
                Err(FieldError::new(pointer, "ambiguous_amount", "give either amount or amountMinor"))
            }
            (Some(text), None) => Ok(Some(Self::Decimal(text.0))),
            (None, Some(minor)) => Ok(Some(Self::Minor(minor))),
            (None, None) => Ok(None),
        }
    }

    /// The amount in minor units of `currency`.
    ///
    /// # Errors
    /// More decimals than the currency has, an amount beyond 10¹³ minor units, or a sign that the field does not take.
    pub fn in_currency(
        &self,
        currency: Currency,
        pointer: &str,
        sign: AmountSign,
    ) -> Result<i64, FieldError> {
        let minor = match self {
            Self::Minor(minor) => *minor,
            Self::Decimal(text) => {
                Money::parse(text, currency).map_err(|error| refused(error, pointer))?.minor()
            }
        };
        if minor.unsigned_abs() > AMOUNT_MINOR_MAX.unsigned_abs() {
            return Err(refused(MoneyError::OutOfRange, pointer));
        }
        let wanted = match sign {
            AmountSign::Positive if minor < 1 => "must be positive",
            AmountSign::NotNegative if minor < 0 => "must not be negative",
            _ => return Ok(minor),
        };
        Err(FieldError::new(pointer, "out_of_range", wanted))
    }
}

fn refused(error: MoneyError, pointer: &str) -> FieldError {
    match error {
        MoneyError::TooManyDecimals { max } => FieldError::new(
            pointer,
            "too_many_decimals",
            format!("has more decimals than its currency, which has {max}"),
        ),
        MoneyError::OutOfRange => {
            FieldError::new(pointer, "out_of_range", format!("must be within {AMOUNT_MINOR_MAX} minor units"))
        }
        _ => FieldError::new(pointer, "invalid_amount", "must be a decimal such as \"12.34\""),
    }
}

/// The object form: `{"amount": "12.34"}` or `{"amountMinor": 1234}`.
impl FieldValue for Amount {
    fn read(value: &Json, pointer: &str) -> Result<Self, Vec<FieldError>> {
        let Json::Object(fields) = value else { return Err(vec![wrong_type(value, pointer, "an object")]) };
        let unknown: Vec<_> = fields
            .iter()
            .filter(|(name, _)| !AmountBody::FIELDS.contains(&name.as_str()))
            .map(|(name, _)| FieldError::new(format!("{pointer}/{name}"), "unknown_field", "is not a field"))
            .collect();
        if !unknown.is_empty() {
            return Err(unknown);
        }
        let body: AmountBody = read_object(value, pointer)?;
        let amount = Self::either(body.amount, body.amount_minor, pointer).map_err(|error| vec![error])?;
        amount.ok_or_else(|| vec![FieldError::new(format!("{pointer}/amount"), "required", "is required")])
    }
    fn schema() -> Value {
        AmountBody::schema()
    }
}
