//! Civil dates and months: exactly those of the calendar, in one spelling.

use finance::calendar::{Month, YEAR_MAX, YEAR_MIN, parse_date};

/// The number of `text`, if it is `width` digits.
fn digits(text: &str, width: usize) -> Option<i16> {
    (text.len() == width && text.bytes().all(|byte| byte.is_ascii_digit())).then(|| text.parse().ok())?
}

/// Whether `text` is a day of the calendar, said without the calendar's library.
fn is_day(text: &str) -> Option<bool> {
    let mut parts = text.split('-');
    let (year, month, day) =
        (digits(parts.next()?, 4)?, digits(parts.next()?, 2)?, digits(parts.next()?, 2)?);
    let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    let length = match month {
        4 | 6 | 9 | 11 => 30,
        2 => 28 + i16::from(leap),
        1..=12 => 31,
        _ => 0,
    };
    let known = (YEAR_MIN..=YEAR_MAX).contains(&year) && (1..=length).contains(&day);
    Some(known && parts.next().is_none())
}

pub(super) fn check(input: &[u8]) {
    let Some(text) = super::text(input) else { return };
    let date = parse_date(text);
    assert_eq!(date.is_some(), is_day(text).unwrap_or(false), "{text:?}");
    let month = Month::parse(text);
    assert_eq!(month.is_some(), is_day(&format!("{text}-01")).unwrap_or(false), "{text:?}");
    if let Some(date) = date {
        assert_eq!(date.to_string(), text);
        let month = Month::of(date);
        assert_eq!(Month::parse(&text[..7]), Some(month));
        assert!(month.first_day() <= date && date <= month.last_day());
    }
    if let Some(month) = month {
        assert_eq!(month.to_string(), text);
        assert_eq!(month.next().previous(), month);
    }
}
