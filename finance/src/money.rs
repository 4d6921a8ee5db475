//! Money: an integer count of a currency's minor unit, and the only decimal text that stands for it.
//!
//! Owns parsing, printing, adding and splitting of amounts. Sign convention, for the whole crate: an amount *of a
//! transaction* is positive and its type gives the direction; a balance, a net or a difference is signed. Never rounds:
//! what cannot be said exactly is refused.

use std::fmt;

use thiserror::Error;

use crate::currency::Currency;

/// The largest amount of one transaction, in minor units. Five hundred thousand rows of this size still add up within
/// 64 bits, and every integer to here is exact in JSON readers that only have doubles.
pub const AMOUNT_MINOR_MAX: i64 = 10_000_000_000_000;

/// Why an amount is none.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum MoneyError {
    /// Not a canonical decimal number.
    #[error("not a decimal amount")]
    Malformed,
    /// More decimals than the currency has.
    #[error("more than {max} decimals")]
    TooManyDecimals {
        /// How many the currency has.
        max: u8,
    },
    /// Beyond 64 bits of minor units.
    #[error("amount out of range")]
    OutOfRange,
    /// Two currencies in one sum.
    #[error("amounts in {left} and {right} do not add up")]
    CurrencyMismatch {
        /// The currency on the left.
        left: Currency,
        /// The currency on the right.
        right: Currency,
    },
    /// Nothing to allocate by: no weights, or only zeros.
    #[error("no weights to allocate by")]
    NoWeights,
}

/// An exact amount in one currency; signed.
///
/// ```
/// use finance::{currency::Currency, money::Money};
///
/// let usd = Currency::USD;
/// let lunch = Money::parse("12.34", usd)?;
/// assert_eq!(lunch.minor(), 1234);
/// assert_eq!(lunch.add(Money::parse("0.6", usd)?)?.to_decimal(), "12.94");
/// assert!(Money::parse("12.345", usd).is_err(), "never rounded");
/// # Ok::<(), finance::money::MoneyError>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Money {
    minor: i64,
    currency: Currency,
}

impl Money {
    /// An amount from its minor units (cents of a dollar, yen of a yen).
    pub const fn new(minor: i64, currency: Currency) -> Money {
        Money { minor, currency }
    }

    /// The minor units.
    pub const fn minor(&self) -> i64 {
        self.minor
    }

    /// The currency.
    pub const fn currency(&self) -> Currency {
        self.currency
    }

    /// Reads a decimal amount ([`DecimalText`]) of at most as many decimals as the currency has.
    ///
    /// # Errors
    /// [`MoneyError::Malformed`], [`MoneyError::TooManyDecimals`], [`MoneyError::OutOfRange`].
    pub fn parse(text: &str, currency: Currency) -> Result<Money, MoneyError> {
        let DecimalText { negative, whole, fraction } =
            DecimalText::parse(text).ok_or(MoneyError::Malformed)?;
        let width = usize::from(currency.exponent());
        if fraction.len() > width {
            return Err(MoneyError::TooManyDecimals { max: currency.exponent() });
        }
        // The digits are known to be digits: the only error left is a number that is too long.
        let magnitude: i128 =
            format!("{whole}{fraction:0<width$}").parse().map_err(|_| MoneyError::OutOfRange)?;
        let minor = if negative { magnitude.saturating_neg() } else { magnitude };
        let minor = i64::try_from(minor).map_err(|_| MoneyError::OutOfRange)?;
        Ok(Money { minor, currency })
    }

    /// The canonical text: always as many decimals as the currency has. [`Money::parse`] reads it back.
    pub fn to_decimal(&self) -> String {
        let exponent = usize::from(self.currency.exponent());
        let width = exponent.saturating_add(1);
        let mut text = format!("{:0width$}", self.minor.unsigned_abs());
        if exponent > 0 {
            text.insert(text.len().saturating_sub(exponent), '.');
        }
        if self.minor < 0 {
            text.insert(0, '-');
        }
        text
    }

    /// The sum.
    ///
    /// # Errors
    /// [`MoneyError::CurrencyMismatch`], [`MoneyError::OutOfRange`].
    pub fn add(&self, other: Money) -> Result<Money, MoneyError> {
        self.same_currency(other)?;
        let minor = self.minor.checked_add(other.minor).ok_or(MoneyError::OutOfRange)?;
        Ok(Money { minor, ..*self })
    }

    /// The difference.
    ///
    /// # Errors
    /// [`MoneyError::CurrencyMismatch`], [`MoneyError::OutOfRange`].
    pub fn sub(&self, other: Money) -> Result<Money, MoneyError> {
        self.same_currency(other)?;
        let minor = self.minor.checked_sub(other.minor).ok_or(MoneyError::OutOfRange)?;
        Ok(Money { minor, ..*self })
    }

    /// The same amount the other way.
    ///
    /// # Errors
    /// [`MoneyError::OutOfRange`] for the one number without an opposite.
    pub fn neg(&self) -> Result<Money, MoneyError> {
        let minor = self.minor.checked_neg().ok_or(MoneyError::OutOfRange)?;
        Ok(Money { minor, ..*self })
    }

    /// Shares the amount out in proportion to `weights`, in whole minor units that sum to it exactly.
    ///
    /// Largest remainder: each share is rounded toward zero, and the units left over go one each to the shares that lost
    /// most, the earlier first among equals. A weight of zero gets nothing.
    ///
    /// ```
    /// use finance::{currency::Currency, money::Money};
    ///
    /// let bill = Money::new(10_00, Currency::USD);
    /// let shares: Vec<_> = bill.allocate(&[1, 1, 1])?.iter().map(Money::to_decimal).collect();
    /// assert_eq!(shares, ["3.34", "3.33", "3.33"]);
    /// # Ok::<(), finance::money::MoneyError>(())
    /// ```
    ///
    /// # Errors
    /// [`MoneyError::NoWeights`] when there is none above zero.
    pub fn allocate(&self, weights: &[u64]) -> Result<Vec<Money>, MoneyError> {
        let sum: u128 = weights.iter().map(|w| u128::from(*w)).fold(0, u128::saturating_add);
        // 2⁶³ · 2⁶⁴ < 2¹²⁸: no product below can overflow.
        let whole = u128::from(self.minor.unsigned_abs());
        let mut shares = Vec::with_capacity(weights.len());
        for (index, weight) in weights.iter().enumerate() {
            let product = whole.checked_mul(u128::from(*weight)).ok_or(MoneyError::OutOfRange)?;
            let share = product.checked_div(sum).ok_or(MoneyError::NoWeights)?;
            let lost = product.checked_rem(sum).ok_or(MoneyError::NoWeights)?;
            shares.push((index, share, lost));
        }
        let given = shares.iter().map(|(_, share, _)| *share).fold(0, u128::saturating_add);
        let mut left = whole.saturating_sub(given);
        if sum == 0 {
            return Err(MoneyError::NoWeights);
        }
        shares.sort_by(|(a, _, lost_a), (b, _, lost_b)| lost_b.cmp(lost_a).then(a.cmp(b)));
        for (_, share, _) in &mut shares {
            if left == 0 {
                break;
            }
            *share = share.saturating_add(1);
            left = left.saturating_sub(1);
        }
        shares.sort_by_key(|(index, _, _)| *index);
        shares.into_iter().map(|(_, share, _)| self.with_magnitude(share)).collect()
    }

    /// Whether the amount, either way, is one that a transaction or an opening balance may have.
    pub const fn is_within_limit(&self) -> bool {
        self.minor >= -AMOUNT_MINOR_MAX && self.minor <= AMOUNT_MINOR_MAX
    }

    fn with_magnitude(&self, magnitude: u128) -> Result<Money, MoneyError> {
        let magnitude = i128::try_from(magnitude).map_err(|_| MoneyError::OutOfRange)?;
        let minor = if self.minor < 0 { magnitude.saturating_neg() } else { magnitude };
        let minor = i64::try_from(minor).map_err(|_| MoneyError::OutOfRange)?;
        Ok(Money { minor, ..*self })
    }

    fn same_currency(&self, other: Money) -> Result<(), MoneyError> {
        if self.currency == other.currency {
            return Ok(());
        }
        Err(MoneyError::CurrencyMismatch { left: self.currency, right: other.currency })
    }
}

/// The canonical text without the currency: `12.34`.
impl fmt::Display for Money {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.to_decimal())
    }
}

/// The parts of a decimal number, and the one grammar of it: an optional `-`, digits without a leading zero (a lone `0`
/// apart), and optionally a `.` with at least one decimal.
///
/// There is no `+`, space, exponent or thousands sign, and no minus before zero, so that a number has one spelling but for
/// trailing zeros.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DecimalText<'a> {
    /// Whether it begins with a minus.
    pub negative: bool,
    /// The digits before the point: one or more.
    pub whole: &'a str,
    /// The digits after it; none where there is no point.
    pub fraction: &'a str,
}

impl<'a> DecimalText<'a> {
    /// Splits a number of any length; `None` for what is none.
    pub fn parse(text: &'a str) -> Option<DecimalText<'a>> {
        let (negative, unsigned) = match text.strip_prefix('-') {
            Some(rest) => (true, rest),
            None => (false, text),
        };
        let (whole, fraction) = match unsigned.split_once('.') {
            Some((whole, fraction)) => (whole, Some(fraction)),
            None => (unsigned, None),
        };
        let leading_zero = whole.len() > 1 && whole.starts_with('0');
        if !is_digits(whole) || leading_zero || fraction.is_some_and(|digits| !is_digits(digits)) {
            return None;
        }
        let fraction = fraction.unwrap_or_default();
        let zero = [whole, fraction].iter().all(|part| part.bytes().all(|byte| byte == b'0'));
        (!(negative && zero)).then_some(DecimalText { negative, whole, fraction })
    }
}

/// Reads a decimal of at most four places that is not negative, on the scale of [`comparable_e4`]; `None` for any other
/// text, and for a number beyond 64 bits.
///
/// ```
/// use finance::money::parse_comparable_e4;
///
/// assert_eq!(parse_comparable_e4("12.34"), Some(123_400));
/// assert_eq!(parse_comparable_e4("012.34"), None);
/// ```
pub fn parse_comparable_e4(text: &str) -> Option<i64> {
    const PLACES: usize = 4;
    let DecimalText { negative, whole, fraction } = DecimalText::parse(text)?;
    if negative || fraction.len() > PLACES {
        return None;
    }
    format!("{whole}{fraction:0<PLACES$}").parse().ok()
}

/// The amount in ten-thousandths of the major unit, whatever the currency's own decimals: by this key amounts of
/// different exponents compare as their numbers do (5.00 dollars after 4 yen). It compares numbers, not worth.
pub const fn comparable_e4(minor: i64, currency: Currency) -> i128 {
    let scale: i128 = match currency.exponent() {
        0 => 10_000,
        1 => 1_000,
        2 => 100,
        3 => 10,
        _ => 1,
    };
    // 2⁶³ · 10⁴ is far inside i128: never saturates.
    i64_to_i128(minor).saturating_mul(scale)
}

/// `i128::from`, which is not yet callable in a `const fn`.
#[expect(clippy::as_conversions, reason = "a widening conversion, lossless by type")]
const fn i64_to_i128(value: i64) -> i128 {
    value as i128
}

fn is_digits(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn currency(code: &str) -> Currency {
        Currency::parse(code).unwrap()
    }

    fn any_currency() -> impl Strategy<Value = Currency> {
        proptest::sample::select(Currency::all())
    }

    #[test]
    fn decimal_text_is_read_exactly_or_not_at_all() {
        use MoneyError::{Malformed, OutOfRange, TooManyDecimals};
        for (text, code, expected) in [
            ("0", "USD", Ok(0)),
            ("0.00", "USD", Ok(0)),
            ("12.34", "USD", Ok(1234)),
            ("12.3", "USD", Ok(1230)),
            ("12", "USD", Ok(1200)),
            ("0.01", "USD", Ok(1)),
            ("-0.01", "USD", Ok(-1)),
            ("-1234.5", "USD", Ok(-123_450)),
            ("1234", "JPY", Ok(1234)),
            ("1.234", "KWD", Ok(1234)),
            ("1.2345", "CLF", Ok(12_345)),
            ("92233720368547758.07", "USD", Ok(i64::MAX)),
            ("-92233720368547758.08", "USD", Ok(i64::MIN)),
            ("92233720368547758.08", "USD", Err(OutOfRange)),
            ("-92233720368547758.09", "USD", Err(OutOfRange)),
            ("99999999999999999999999999999999999999999999", "USD", Err(OutOfRange)),
            ("12.345", "USD", Err(TooManyDecimals { max: 2 })),
            ("12.340", "USD", Err(TooManyDecimals { max: 2 })),
            ("1.0", "JPY", Err(TooManyDecimals { max: 0 })),
            ("1.00000", "CLF", Err(TooManyDecimals { max: 4 })),
            ("", "USD", Err(Malformed)),
            ("-", "USD", Err(Malformed)),
            (".", "USD", Err(Malformed)),
            (".5", "USD", Err(Malformed)),
            ("5.", "USD", Err(Malformed)),
            ("+5", "USD", Err(Malformed)),
            ("--5", "USD", Err(Malformed)),
            ("-0", "USD", Err(Malformed)),
            ("-0.00", "USD", Err(Malformed)),
            ("007", "USD", Err(Malformed)),
            ("00.1", "USD", Err(Malformed)),
            ("1,000.00", "USD", Err(Malformed)),
            ("1_000", "USD", Err(Malformed)),
            ("1e3", "USD", Err(Malformed)),
            ("0x10", "USD", Err(Malformed)),
            ("NaN", "USD", Err(Malformed)),
            ("1.2.3", "USD", Err(Malformed)),
            (" 1", "USD", Err(Malformed)),
            ("1 ", "USD", Err(Malformed)),
            ("1.-5", "USD", Err(Malformed)),
            ("١٢", "USD", Err(Malformed)),
            ("$1", "USD", Err(Malformed)),
        ] {
            assert_eq!(Money::parse(text, currency(code)).map(|m| m.minor()), expected, "{text:?} {code}");
        }
    }

    #[test]
    fn text_always_shows_the_decimals_of_the_currency() {
        for (minor, code, expected) in [
            (0, "USD", "0.00"),
            (5, "USD", "0.05"),
            (-5, "USD", "-0.05"),
            (123_456, "USD", "1234.56"),
            (0, "JPY", "0"),
            (-7, "JPY", "-7"),
            (1, "KWD", "0.001"),
            (12_345, "UYW", "1.2345"),
            (i64::MIN, "USD", "-92233720368547758.08"),
        ] {
            assert_eq!(Money::new(minor, currency(code)).to_string(), expected);
        }
    }

    #[test]
    fn two_currencies_never_add_up() {
        let (left, right) = (Money::new(1, Currency::USD), Money::new(1, currency("EUR")));
        let mismatch = MoneyError::CurrencyMismatch { left: Currency::USD, right: currency("EUR") };
        assert_eq!(left.add(right), Err(mismatch));
        assert_eq!(left.sub(right), Err(mismatch));
    }

    #[test]
    fn a_sum_beyond_the_range_is_an_error() {
        let most = Money::new(i64::MAX, Currency::USD);
        let least = Money::new(i64::MIN, Currency::USD);
        let one = Money::new(1, Currency::USD);
        assert_eq!(most.add(one), Err(MoneyError::OutOfRange));
        assert_eq!(least.sub(one), Err(MoneyError::OutOfRange));
        assert_eq!(least.neg(), Err(MoneyError::OutOfRange));
    }

    #[test]
    fn units_left_over_go_to_the_shares_that_lost_most() {
        let shares = |minor, weights: &[u64]| -> Vec<i64> {
            Money::new(minor, Currency::USD).allocate(weights).unwrap().iter().map(Money::minor).collect()
        };
        assert_eq!(shares(100, &[1, 1, 1]), [34, 33, 33]);
        assert_eq!(shares(-100, &[1, 1, 1]), [-34, -33, -33]);
        assert_eq!(shares(10, &[1, 2, 4]), [1, 3, 6]); // 1.43, 2.86, 5.71: the second and third lost most
        assert_eq!(shares(5, &[0, 1, 0]), [0, 5, 0]);
        assert_eq!(shares(1, &[u64::MAX, u64::MAX]), [1, 0]);
        assert_eq!(shares(i64::MIN, &[u64::MAX]), [i64::MIN]);
        assert_eq!(Money::new(5, Currency::USD).allocate(&[]), Err(MoneyError::NoWeights));
        assert_eq!(Money::new(5, Currency::USD).allocate(&[0, 0]), Err(MoneyError::NoWeights));
    }

    #[test]
    fn a_decimal_is_read_on_the_scale_that_all_currencies_share() {
        for (text, e4) in
            [("0", 0), ("7", 70_000), ("12.34", 123_400), ("0.0001", 1), ("922337203685477.5807", i64::MAX)]
        {
            assert_eq!(parse_comparable_e4(text), Some(e4), "{text}");
        }
        let none = ["", ".", "1.", ".5", "-1", "-0", "007", "1e3", "1.00001", "+1", "922337203685477.5808"];
        for text in none.into_iter().chain(["99999999999999999999999999999999999999999"]) {
            assert_eq!(parse_comparable_e4(text), None, "{text}");
        }
    }

    #[test]
    fn amounts_of_different_exponents_compare_as_numbers() {
        let five_dollars = comparable_e4(500, Currency::USD);
        assert!(five_dollars > comparable_e4(4, currency("JPY")));
        assert_eq!(five_dollars, comparable_e4(5, currency("JPY")));
        assert_eq!(five_dollars, comparable_e4(5_000, currency("KWD")));
        assert_eq!(five_dollars, comparable_e4(50_000, currency("CLF")));
    }

    #[test]
    fn the_limit_holds_both_ways() {
        for (minor, within) in [
            (AMOUNT_MINOR_MAX, true),
            (-AMOUNT_MINOR_MAX, true),
            (AMOUNT_MINOR_MAX + 1, false),
            (-AMOUNT_MINOR_MAX - 1, false),
            (i64::MIN, false),
        ] {
            assert_eq!(Money::new(minor, Currency::USD).is_within_limit(), within, "{minor}");
        }
    }

    proptest! {
        #[test]
        fn parsing_what_was_printed_gives_the_same_money(minor in any::<i64>(), currency in any_currency()) {
            let money = Money::new(minor, currency);
            prop_assert_eq!(Money::parse(&money.to_decimal(), currency), Ok(money));
        }

        #[test]
        fn parsing_never_panics(text in "[-+.0-9eE ,]{0,45}|\\PC{0,20}", currency in any_currency()) {
            let _ = Money::parse(&text, currency);
        }

        #[test]
        fn what_parses_prints_back_but_for_trailing_zeros(
            text in "-?(0|[1-9][0-9]{0,12})(\\.[0-9]{1,4})?", currency in any_currency(),
        ) {
            if let Ok(money) = Money::parse(&text, currency) {
                prop_assert!(money.to_decimal().starts_with(&text));
            }
        }

        #[test]
        fn a_decimal_of_a_currency_compares_as_its_amount_does(minor in 0..i64::MAX / 10_000, currency in any_currency()) {
            let money = Money::new(minor, currency);
            let e4 = parse_comparable_e4(&money.to_decimal()).map(i128::from);
            prop_assert_eq!(e4, Some(comparable_e4(minor, currency)));
        }

        #[test]
        fn a_decimal_is_what_its_grammar_says(text in "-?[0-9]{0,3}(\\.[0-9]{0,3})?|[-+.0-9e ]{0,8}") {
            let unsigned = text.strip_prefix('-').unwrap_or(&text);
            let mut parts = unsigned.split('.');
            let (whole, fraction, more) = (parts.next().unwrap_or_default(), parts.next(), parts.next());
            let digits = |part: &str| !part.is_empty() && part.chars().all(|c| c.is_ascii_digit());
            let canonical = whole == "0" || !whole.starts_with('0');
            let nothing = !unsigned.contains(|c: char| ('1'..='9').contains(&c));
            let expected = digits(whole) && fraction.is_none_or(digits) && more.is_none() && canonical
                && !(nothing && text.starts_with('-'));
            prop_assert_eq!(DecimalText::parse(&text).is_some(), expected, "{}", text);
        }

        #[test]
        fn adding_then_taking_away_changes_nothing(a in any::<i64>(), b in any::<i64>()) {
            let (a, b) = (Money::new(a, Currency::USD), Money::new(b, Currency::USD));
            prop_assert_eq!(a.add(b), b.add(a));
            if let Ok(sum) = a.add(b) {
                prop_assert_eq!(sum.sub(b), Ok(a));
            }
        }

        #[test]
        fn an_amount_and_its_opposite_are_nothing(minor in -i64::MAX..=i64::MAX) {
            let money = Money::new(minor, Currency::USD);
            prop_assert_eq!(money.add(money.neg().unwrap()), Ok(Money::new(0, Currency::USD)));
            prop_assert_eq!(money.neg().unwrap().neg(), Ok(money));
        }

        #[test]
        fn shares_sum_to_the_whole_and_are_fair_to_a_unit(
            minor in any::<i64>(), weights in proptest::collection::vec(any::<u64>(), 1..20),
        ) {
            prop_assume!(weights.iter().any(|w| *w > 0));
            let shares = Money::new(minor, Currency::USD).allocate(&weights).unwrap();
            prop_assert_eq!(shares.len(), weights.len());
            prop_assert_eq!(shares.iter().map(|s| i128::from(s.minor())).sum::<i128>(), i128::from(minor));
            let sum: u128 = weights.iter().map(|w| u128::from(*w)).sum();
            for (share, weight) in shares.iter().zip(&weights) {
                let exact_floor = u128::from(minor.unsigned_abs()) * u128::from(*weight) / sum;
                let got = u128::from(share.minor().unsigned_abs());
                prop_assert!(got == exact_floor || got == exact_floor + 1);
                prop_assert!(*weight > 0 || got == 0);
            }
        }
    }
}
