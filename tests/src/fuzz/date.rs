//! Civil dates and months: exactly those of the calendar, in one spelling.

use finance::calendar::{DateError, Month, YEAR_MAX, YEAR_MIN, parse_date, read_date};

/// The last year that a stored date may have.
const STORED_YEAR_MAX: i16 = YEAR_MAX + 1;

/// The number of `text`, if it is `width` digits.
fn digits(text: &str, width: usize) -> Option<i16> {
    (text.len() == width && text.bytes().all(|byte| byte.is_ascii_digit())).then(|| text.parse().ok())?
}

/// The year of `text`, if it is a day of the calendar, found without the calendar's library.
fn year_of_day(text: &str) -> Option<i16> {
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
    ((1..=length).contains(&day) && parts.next().is_none()).then_some(year)
}

pub(super) fn check(input: &[u8]) {
    let Some(text) = super::text(input) else { return };
    let date = parse_date(text);
    let stored =
        |text: &str| year_of_day(text).is_some_and(|year| (YEAR_MIN..=STORED_YEAR_MAX).contains(&year));
    assert_eq!(date.is_some(), stored(text), "{text:?}");
    match (read_date(text), year_of_day(text)) {
        (Ok(read), Some(year)) => {
            assert!((YEAR_MIN..=YEAR_MAX).contains(&year) && date == Some(read), "{text:?}")
        }
        (Err(DateError::OutOfRange), Some(year)) => {
            assert!(!(YEAR_MIN..=YEAR_MAX).contains(&year), "{text:?}")
        }
        (Err(DateError::Malformed), None) => {}
        (read, _) => panic!("{text:?} is read as {read:?}"),
    }
    let month = Month::parse(text);
    assert_eq!(month.is_some(), stored(&format!("{text}-01")), "{text:?}");
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
