//! Currencies: the codes of ISO 4217 and how many decimals each has.
//!
//! Owns the table. A [`Currency`] exists only for a code in it, so that whoever holds one never checks again. Never
//! converts between currencies.

use std::fmt;

/// A currency of ISO 4217. Ordered by code.
///
/// ```
/// use finance::currency::Currency;
///
/// let yen = Currency::parse("JPY").unwrap();
/// assert_eq!((yen.code(), yen.exponent()), ("JPY", 0));
/// assert_eq!(Currency::parse("jpy"), None);
/// ```
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Currency {
    code: &'static str,
    exponent: u8,
}

const fn entry(code: &'static str, exponent: u8) -> Currency {
    Currency { code, exponent }
}

/// ISO 4217 list one (active codes) as published on 2026-01-01, sorted by code. Codes without minor units are left out:
/// metals (XAG, XAU, XPD, XPT), bond units (XBA to XBD), XDR, XSU, XUA, XTS and XXX are not money that one pays with.
#[rustfmt::skip]
static TABLE: [Currency; 165] = [
    entry("AED", 2), entry("AFN", 2), entry("ALL", 2), entry("AMD", 2), entry("AOA", 2), entry("ARS", 2),
    entry("AUD", 2), entry("AWG", 2), entry("AZN", 2), entry("BAM", 2), entry("BBD", 2), entry("BDT", 2),
    entry("BHD", 3), entry("BIF", 0), entry("BMD", 2), entry("BND", 2), entry("BOB", 2), entry("BOV", 2),
    entry("BRL", 2), entry("BSD", 2), entry("BTN", 2), entry("BWP", 2), entry("BYN", 2), entry("BZD", 2),
    entry("CAD", 2), entry("CDF", 2), entry("CHE", 2), entry("CHF", 2), entry("CHW", 2), entry("CLF", 4),
    entry("CLP", 0), entry("CNY", 2), entry("COP", 2), entry("COU", 2), entry("CRC", 2), entry("CUP", 2),
    entry("CVE", 2), entry("CZK", 2), entry("DJF", 0), entry("DKK", 2), entry("DOP", 2), entry("DZD", 2),
    entry("EGP", 2), entry("ERN", 2), entry("ETB", 2), entry("EUR", 2), entry("FJD", 2), entry("FKP", 2),
    entry("GBP", 2), entry("GEL", 2), entry("GHS", 2), entry("GIP", 2), entry("GMD", 2), entry("GNF", 0),
    entry("GTQ", 2), entry("GYD", 2), entry("HKD", 2), entry("HNL", 2), entry("HTG", 2), entry("HUF", 2),
    entry("IDR", 2), entry("ILS", 2), entry("INR", 2), entry("IQD", 3), entry("IRR", 2), entry("ISK", 0),
    entry("JMD", 2), entry("JOD", 3), entry("JPY", 0), entry("KES", 2), entry("KGS", 2), entry("KHR", 2),
    entry("KMF", 0), entry("KPW", 2), entry("KRW", 0), entry("KWD", 3), entry("KYD", 2), entry("KZT", 2),
    entry("LAK", 2), entry("LBP", 2), entry("LKR", 2), entry("LRD", 2), entry("LSL", 2), entry("LYD", 3),
    entry("MAD", 2), entry("MDL", 2), entry("MGA", 2), entry("MKD", 2), entry("MMK", 2), entry("MNT", 2),
    entry("MOP", 2), entry("MRU", 2), entry("MUR", 2), entry("MVR", 2), entry("MWK", 2), entry("MXN", 2),
    entry("MXV", 2), entry("MYR", 2), entry("MZN", 2), entry("NAD", 2), entry("NGN", 2), entry("NIO", 2),
    entry("NOK", 2), entry("NPR", 2), entry("NZD", 2), entry("OMR", 3), entry("PAB", 2), entry("PEN", 2),
    entry("PGK", 2), entry("PHP", 2), entry("PKR", 2), entry("PLN", 2), entry("PYG", 0), entry("QAR", 2),
    entry("RON", 2), entry("RSD", 2), entry("RUB", 2), entry("RWF", 0), entry("SAR", 2), entry("SBD", 2),
    entry("SCR", 2), entry("SDG", 2), entry("SEK", 2), entry("SGD", 2), entry("SHP", 2), entry("SLE", 2),
    entry("SOS", 2), entry("SRD", 2), entry("SSP", 2), entry("STN", 2), entry("SVC", 2), entry("SYP", 2),
    entry("SZL", 2), entry("THB", 2), entry("TJS", 2), entry("TMT", 2), entry("TND", 3), entry("TOP", 2),
    entry("TRY", 2), entry("TTD", 2), entry("TWD", 2), entry("TZS", 2), entry("UAH", 2), entry("UGX", 0),
    entry("USD", 2), entry("USN", 2), entry("UYI", 0), entry("UYU", 2), entry("UYW", 4), entry("UZS", 2),
    entry("VED", 2), entry("VES", 2), entry("VND", 0), entry("VUV", 0), entry("WST", 2), entry("XAD", 2),
    entry("XAF", 0), entry("XCD", 2), entry("XCG", 2), entry("XOF", 0), entry("XPF", 0), entry("YER", 2),
    entry("ZAR", 2), entry("ZMW", 2), entry("ZWG", 2),
];

impl Currency {
    /// The US dollar, the default of a new user.
    pub const USD: Currency = entry("USD", 2);

    /// The currency of an upper-case active code, or none.
    pub fn parse(code: &str) -> Option<Currency> {
        let at = TABLE.binary_search_by(|currency| currency.code.cmp(code)).ok()?;
        TABLE.get(at).copied()
    }

    /// The three letters.
    pub const fn code(self) -> &'static str {
        self.code
    }

    /// How many decimals the minor unit is away from the major one: 0 to 4.
    pub const fn exponent(self) -> u8 {
        self.exponent
    }

    /// Every currency, by code.
    pub fn all() -> &'static [Currency] {
        &TABLE
    }
}

impl fmt::Display for Currency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.code)
    }
}

impl fmt::Debug for Currency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.code)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_sorted_without_repeats_and_every_code_is_found() {
        assert!(TABLE.is_sorted_by(|a, b| a.code < b.code));
        for currency in Currency::all() {
            assert_eq!(Currency::parse(currency.code()), Some(*currency));
            assert!(currency.exponent() <= 4, "{currency}");
            assert!(currency.code().len() == 3 && currency.code().bytes().all(|b| b.is_ascii_uppercase()));
        }
        assert_eq!(Currency::parse("USD"), Some(Currency::USD));
    }

    #[test]
    fn exponents_follow_the_standard() {
        for (code, exponent) in [
            ("USD", 2),
            ("EUR", 2),
            ("JPY", 0),
            ("KRW", 0),
            ("ISK", 0),
            ("UYI", 0),
            ("KWD", 3),
            ("BHD", 3),
            ("TND", 3),
            ("CLF", 4),
            ("UYW", 4),
            ("XOF", 0),
            ("XCG", 2),
        ] {
            assert_eq!(Currency::parse(code).map(Currency::exponent), Some(exponent), "{code}");
        }
    }

    #[test]
    fn nothing_else_is_a_currency() {
        for code in [
            "", "US", "USDX", "usd", "Usd", " USD", "USD ", "XXX", "XTS", "XAU", "XDR", "DEM", "HRK", "BGN",
            "BTC",
        ] {
            assert_eq!(Currency::parse(code), None, "{code:?}");
        }
    }
}
