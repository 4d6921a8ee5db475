//! Amounts as requests give them: a decimal string or an integer of minor units, never a fraction of JSON, never rounded.
//! Which decimals fit is known with the currency only. Must never touch a float.

use finance::currency::Currency;
use finance::money::{AMOUNT_MINOR_MAX, Money, MoneyError};
use finance::rejection::Rejection;

use serde::Serialize;
use utoipa::ToSchema;

use super::body::{Decimal, FieldValue, JsonBody, Value, read_object, unknown_fields};
use super::contract::{Named, reference};
use super::json::Json;
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

/// An amount of one currency, as clients see it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct AmountView {
    /// As a decimal, with as many decimals as the currency has.
    pub amount: String,
    /// In minor units of the currency.
    pub amount_minor: i64,
    /// ISO 4217.
    pub currency: &'static str,
}

impl From<Money> for AmountView {
    fn from(money: Money) -> Self {
        Self { amount: money.to_decimal(), amount_minor: money.minor(), currency: money.currency().code() }
    }
}

/// A value that a later step only takes above zero: its schema says so, its parser reads any.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Positive<T>(pub T);

impl FieldValue for Positive<Decimal> {
    fn read(value: &Json, pointer: &str) -> Result<Self, Vec<Rejection>> {
        Decimal::read(value, pointer).map(Self)
    }
    fn schema() -> Value {
        let mut schema = Decimal::schema();
        schema["pattern"] = r"^(0|[1-9][0-9]{0,19})(\.[0-9]{1,4})?$".into();
        schema
    }
}

impl FieldValue for Positive<i64> {
    fn read(value: &Json, pointer: &str) -> Result<Self, Vec<Rejection>> {
        i64::read(value, pointer).map(Self)
    }
    fn schema() -> Value {
        let mut schema = i64::schema();
        schema["minimum"] = 1.into();
        schema
    }
}

/// An amount that is not yet read in the currency it must be of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Amount {
    form: Form,
    /// The currency that it is known to be of; none where the request did not say.
    currency: Option<Currency>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Form {
    Decimal(String),
    Minor(i64),
}

json_body! {
    /// An amount in the account's currency: exactly one of `amount` and `amountMinor`.
    pub struct AmountBody {
        /// A decimal, with at most as many decimals as the currency has.
        optional amount: Decimal as "amount",
        /// In minor units of the currency, as cents.
        optional amount_minor: i64 as "amountMinor",
        /// Must be the account's currency; may be left out.
        optional currency: Currency as "currency",
    }
}

impl Amount {
    /// An amount that is kept as it is.
    pub fn kept(minor: i64, currency: Currency) -> Self {
        Self { form: Form::Minor(minor), currency: Some(currency) }
    }

    /// Exactly one of the two forms.
    pub fn either(
        decimal: Option<Decimal>,
        minor: Option<i64>,
        pointer: &str,
    ) -> Result<Option<Self>, Rejection> {
        match (decimal, minor) {
            (Some(_), Some(_)) => {
                Err(Rejection::new(pointer, "ambiguous_amount", "give either amount or amountMinor"))
            }
            (Some(text), None) => Ok(Some(Self { form: Form::Decimal(text.0), currency: None })),
            (None, Some(minor)) => Ok(Some(Self { form: Form::Minor(minor), currency: None })),
            (None, None) => Ok(None),
        }
    }

    /// Where a request gave it: `/amountMinor` where that was the form of `/amount`.
    fn pointer(&self, pointer: &str) -> String {
        let as_minor = matches!(self.form, Form::Minor(_)) && self.currency.is_none();
        let suffix = if as_minor && pointer.ends_with("mount") { "Minor" } else { "" };
        format!("{pointer}{suffix}")
    }

    /// The amount in minor units of `currency`.
    ///
    /// # Errors
    /// An amount known to be of another currency, more decimals than the currency has, an amount beyond 10¹³ minor units, or a sign that the field does not take.
    pub fn in_currency(&self, currency: Currency, pointer: &str, sign: AmountSign) -> Result<i64, Rejection> {
        let pointer = &self.pointer(pointer);
        if let Some(known) = self.currency.filter(|known| *known != currency) {
            // Never reread in another currency: 1500 yen are not 15.00 euros.
            let detail = format!("is in {}, and must be given in {}", known.code(), currency.code());
            return Err(Rejection::new(pointer, "currency_mismatch", detail));
        }
        let minor = match &self.form {
            Form::Minor(minor) => *minor,
            Form::Decimal(text) => {
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
        Err(Rejection::new(pointer, "out_of_range", wanted))
    }
}

fn refused(error: MoneyError, pointer: &str) -> Rejection {
    match error {
        MoneyError::TooManyDecimals { max } => Rejection::new(
            pointer,
            "too_many_decimals",
            format!("has more decimals than its currency, which has {max}"),
        ),
        MoneyError::OutOfRange => {
            Rejection::new(pointer, "out_of_range", format!("must be within {AMOUNT_MINOR_MAX} minor units"))
        }
        _ => Rejection::new(pointer, "invalid_amount", "must be a decimal such as \"12.34\""),
    }
}

/// The object form: `{"amount": "12.34"}` or `{"amountMinor": 1234}`, with or without its currency.
impl FieldValue for Amount {
    fn read(value: &Json, pointer: &str) -> Result<Self, Vec<Rejection>> {
        let body: AmountBody = read_object(value, pointer)?;
        let amount = Self::either(body.amount, body.amount_minor, pointer).map_err(|error| vec![error])?;
        let amount = amount
            .ok_or_else(|| vec![Rejection::new(format!("{pointer}/amount"), "required", "is required")])?;
        Ok(Self { currency: body.currency, ..amount })
    }
    fn unknown(value: &Json, pointer: &str) -> Vec<Rejection> {
        unknown_fields::<AmountBody>(value, pointer)
    }
    fn schema() -> Value {
        reference(AmountBody::NAME)
    }
    fn named(named: &mut Vec<Named>) {
        named.push(Named::new(AmountBody::NAME, AmountBody::schema()));
        AmountBody::named(named);
    }
}
