//! Amounts, as `CODE decimal`: read exactly or not at all, by every reader alike, and printed so that they are read back.

use finance::currency::Currency;
use finance::money::{AMOUNT_MINOR_MAX, Money};
use shared::edge::amount::{Amount, AmountSign};
use shared::edge::body::{Decimal, FieldValue};
use shared::edge::json::Json;

/// The minor units of a decimal, by its digits alone.
fn reference(text: &str, exponent: usize) -> Option<i64> {
    let (sign, unsigned) = text.strip_prefix('-').map_or(("", text), |rest| ("-", rest));
    let (whole, decimals) = unsigned.split_once('.').unwrap_or((unsigned, ""));
    let digits = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
    let one_spelling = !whole.is_empty() && (whole == "0" || !whole.starts_with('0'));
    if !digits(whole) || !digits(decimals) || !one_spelling || unsigned.ends_with('.') {
        return None;
    }
    let padding = "0".repeat(exponent.checked_sub(decimals.len())?);
    let minor = format!("{sign}{whole}{decimals}{padding}").parse::<i64>().ok()?;
    (minor != 0 || sign.is_empty()).then_some(minor)
}

pub(super) fn check(input: &[u8]) {
    let Some((code, text)) = super::text(input).and_then(|text| text.split_once(' ')) else { return };
    let Some(currency) = Currency::parse(code) else { return };
    let exponent = usize::from(currency.exponent());
    let read = Money::parse(text, currency).ok().map(|money| money.minor());
    assert_eq!(read, reference(text, exponent), "{code} {text:?}");

    let form = Json::Object(vec![("amount".to_owned(), Json::Text(text.to_owned()))]);
    let within = read.filter(|minor| minor.unsigned_abs() <= AMOUNT_MINOR_MAX.unsigned_abs());
    let amount = Amount::read(&form, "").ok();
    let taken = amount.and_then(|amount| amount.in_currency(currency, "", AmountSign::Any).ok());
    assert_eq!(taken, within, "{code} {text:?}: the body reads it otherwise than the ledger");

    if let Some(minor) = read {
        let printed = Money::new(minor, currency).to_decimal();
        assert_eq!(Money::parse(&printed, currency).map(|money| money.minor()), Ok(minor), "{printed}");
        assert!(Decimal::read(&Json::Text(printed.clone()), "").is_ok(), "{printed} is no decimal of a body");
        let unpadded = |text: &str| match text.split_once('.') {
            Some(_) => text.trim_end_matches('0').trim_end_matches('.').to_owned(),
            None => text.to_owned(),
        };
        assert_eq!(unpadded(&printed), unpadded(text), "printed, it is another number");
    }
}
