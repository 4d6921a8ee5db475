//! Civil dates and calendar months.
//!
//! Owns [`Month`] and the strict reading of dates. Knows no time of day, no zone and no clock: "today" is always given.

use std::fmt;

use jiff::Span;
pub use jiff::civil::Date;
use thiserror::Error;

/// The years in which a transaction may be dated. Outside of them a date is a slip of the finger, not a fact.
pub const YEAR_MIN: i16 = 1900;
/// See [`YEAR_MIN`].
pub const YEAR_MAX: i16 = 2199;
/// The last year that a stored date may have: requests could once give it.
const STORED_YEAR_MAX: i16 = 2200;

/// Why a text is no date that a request may give.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum DateError {
    /// Not `YYYY-MM-DD`, or no day of the calendar.
    #[error("not a date")]
    Malformed,
    /// A day before [`YEAR_MIN`] or after [`YEAR_MAX`].
    #[error("a date out of range")]
    OutOfRange,
}

/// A calendar month. Ordered in time.
///
/// ```
/// use finance::calendar::Month;
///
/// let january = Month::parse("2026-01").unwrap();
/// assert_eq!(january.previous().to_string(), "2025-12");
/// assert_eq!(january.last_day().to_string(), "2026-01-31");
/// ```
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Month(
    /// Always the first of its month.
    Date,
);

impl Month {
    /// The month that a date falls in.
    pub fn of(date: Date) -> Month {
        Month(date.first_of_month())
    }

    /// Reads `YYYY-MM`, with the years of [`parse_date`].
    pub fn parse(text: &str) -> Option<Month> {
        (text.len() == 7).then_some(())?;
        parse_date(&format!("{text}-01")).map(Month)
    }

    /// The year.
    pub fn year(self) -> i16 {
        self.0.year()
    }

    /// The month of the year: 1 to 12.
    pub fn month(self) -> i8 {
        self.0.month()
    }

    /// Its first day.
    pub fn first_day(self) -> Date {
        self.0
    }

    /// Its last day.
    pub fn last_day(self) -> Date {
        self.0.last_of_month()
    }

    /// The month before.
    pub fn previous(self) -> Month {
        self.minus(1)
    }

    /// The month after.
    pub fn next(self) -> Month {
        Month::of(self.0.saturating_add(months(1)))
    }

    /// The month `n` months before. Stops at the beginning of the calendar (year −9999), far from any real date.
    pub fn minus(self, n: u16) -> Month {
        Month::of(self.0.saturating_sub(months(n)))
    }

    /// Every month from `from` to `to`, both included; none when `to` is the earlier one.
    pub fn range(from: Month, to: Month) -> impl Iterator<Item = Month> {
        std::iter::successors(Some(from), |month| {
            let next = month.next();
            // The last month of the calendar is its own successor.
            (next > *month).then_some(next)
        })
        .take_while(move |month| *month <= to)
    }

    /// How many months [`Month::range`] has.
    pub fn count(from: Month, to: Month) -> i64 {
        let index = |m: Month| i64::from(m.year()).saturating_mul(12).saturating_add(i64::from(m.month()));
        index(to).saturating_sub(index(from)).saturating_add(1).max(0)
    }
}

/// `2026-01`.
impl fmt::Display for Month {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:04}-{:02}", self.year(), self.month())
    }
}

impl fmt::Debug for Month {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

fn months(n: u16) -> Span {
    // The calendar holds four times as many months as a u16 counts, so the span always exists.
    Span::new().try_months(i64::from(n)).unwrap_or_default()
}

/// Reads the date that a request gives: exactly `YYYY-MM-DD` (digits and hyphens, nothing around), a day that exists, in
/// the years 1900 to 2199.
///
/// ```
/// use finance::calendar::{DateError, read_date};
///
/// assert!(read_date("2024-02-29").is_ok());
/// assert_eq!(read_date("2023-02-29"), Err(DateError::Malformed));
/// assert_eq!(read_date("2024-2-29"), Err(DateError::Malformed));
/// assert_eq!(read_date("2200-01-01"), Err(DateError::OutOfRange));
/// ```
///
/// # Errors
/// See [`DateError`].
pub fn read_date(text: &str) -> Result<Date, DateError> {
    let date = any_date(text).ok_or(DateError::Malformed)?;
    if (YEAR_MIN..=YEAR_MAX).contains(&date.year()) { Ok(date) } else { Err(DateError::OutOfRange) }
}

/// Reads a date that is stored: as [`read_date`], and the year 2200.
pub fn parse_date(text: &str) -> Option<Date> {
    any_date(text).filter(|date| (YEAR_MIN..=STORED_YEAR_MAX).contains(&date.year()))
}

/// `YYYY-MM-DD` of any year.
fn any_date(text: &str) -> Option<Date> {
    let mut fields = text.split('-');
    let (year, month, day) = (fields.next()?, fields.next()?, fields.next()?);
    let sized = year.len() == 4 && month.len() == 2 && day.len() == 2 && fields.next().is_none();
    let digits = [year, month, day].iter().all(|field| field.bytes().all(|byte| byte.is_ascii_digit()));
    (sized && digits).then_some(())?;
    Date::new(year.parse().ok()?, month.parse().ok()?, day.parse().ok()?).ok()
}

/// Whole days from `from` to `to`; negative when `to` is the earlier one.
pub fn days_between(from: Date, to: Date) -> i64 {
    const DAY_SECONDS: i64 = 86_400;
    from.duration_until(to).as_secs().div_euclid(DAY_SECONDS)
}

#[cfg(test)]
mod tests {
    use super::*;
    use jiff::civil::date;
    use proptest::prelude::*;

    #[test]
    fn a_date_has_one_spelling() {
        assert_eq!(parse_date("2026-01-31"), Some(date(2026, 1, 31)));
        assert_eq!(parse_date("1900-01-01"), Some(date(1900, 1, 1)));
        assert_eq!(parse_date("2200-12-31"), Some(date(2200, 12, 31)));
        assert_eq!(parse_date("2000-02-29"), Some(date(2000, 2, 29)));
        for text in [
            "",
            "2026",
            "2026-01",
            "2026-1-31",
            "26-01-31",
            "2026-01-32",
            "2026-02-29",
            "1900-02-29",
            "2026-00-10",
            "2026-13-01",
            "2026-01-00",
            "2026/01/31",
            "20260131",
            "2026-01-31T00:00:00Z",
            "2026-01-31 ",
            " 2026-01-31",
            "+026-01-31",
            "-026-01-31",
            "2026-01-+1",
            "1899-12-31",
            "2201-01-01",
            "0000-01-01",
            "2026-01-31-",
            "２０２６-01-31",
        ] {
            assert_eq!(parse_date(text), None, "{text:?}");
        }
    }

    #[test]
    fn a_date_of_a_request_is_in_the_years_1900_to_2199() {
        assert_eq!(read_date("1900-01-01"), Ok(date(1900, 1, 1)));
        assert_eq!(read_date("2199-12-31"), Ok(date(2199, 12, 31)));
        for text in ["1899-12-31", "2200-01-01", "2200-12-31", "0000-01-01", "9999-12-31"] {
            assert_eq!(read_date(text), Err(DateError::OutOfRange), "{text:?}");
        }
        for text in ["", "2200-02-29", "2026-02-29", "2026-2-03", "12026-01-01", "-026-01-01", "2026-01-31 "]
        {
            assert_eq!(read_date(text), Err(DateError::Malformed), "{text:?}");
        }
    }

    #[test]
    fn a_month_has_one_spelling() {
        assert_eq!(Month::parse("2026-01"), Some(Month::of(date(2026, 1, 17))));
        for text in
            ["", "2026", "2026-1", "2026-13", "2026-00", "2026-01-01", "2026-01-", "26-0001", "1899-12"]
        {
            assert_eq!(Month::parse(text), None, "{text:?}");
        }
    }

    #[test]
    fn months_step_over_the_turn_of_a_year() {
        let january = Month::parse("2026-01").unwrap();
        assert_eq!(january.previous().to_string(), "2025-12");
        assert_eq!(january.previous().next(), january);
        assert_eq!(january.minus(0), january);
        assert_eq!(january.minus(12).to_string(), "2025-01");
        assert_eq!(january.minus(25).to_string(), "2023-12");
        assert_eq!(Month::parse("2024-02").unwrap().last_day(), date(2024, 2, 29));
    }

    #[test]
    fn the_calendar_ends_quietly() {
        let (first, last) = (Month::of(Date::MIN), Month::of(Date::MAX));
        assert_eq!(first.previous(), first);
        assert_eq!(first.minus(u16::MAX), first);
        assert_eq!(last.next(), last);
        assert_eq!(Month::range(last, last).count(), 1);
        assert_eq!(months(u16::MAX).get_months(), i32::from(u16::MAX));
    }

    #[test]
    fn a_range_includes_both_ends() {
        let month = |text| Month::parse(text).unwrap();
        let range: Vec<_> = Month::range(month("2025-11"), month("2026-02")).map(|m| m.to_string()).collect();
        assert_eq!(range, ["2025-11", "2025-12", "2026-01", "2026-02"]);
        assert_eq!(Month::range(month("2026-02"), month("2026-01")).count(), 0);
        assert_eq!(Month::count(month("2026-02"), month("2025-11")), 0);
    }

    #[test]
    fn days_are_counted_both_ways() {
        assert_eq!(days_between(date(2026, 1, 1), date(2026, 4, 1)), 90);
        assert_eq!(days_between(date(2026, 1, 2), date(2026, 1, 1)), -1);
        assert_eq!(days_between(date(2024, 2, 28), date(2024, 3, 1)), 2);
    }

    proptest! {
        #[test]
        fn parsing_what_was_printed_gives_the_same(year in YEAR_MIN..=YEAR_MAX, month in 1_i8..=12, day in 1_i8..=28) {
            let date = date(year, month, day);
            prop_assert_eq!(read_date(&date.to_string()), Ok(date));
            prop_assert_eq!(parse_date(&date.to_string()), Some(date));
            let month = Month::of(date);
            prop_assert_eq!(Month::parse(&month.to_string()), Some(month));
            prop_assert!(month.first_day() <= date && date <= month.last_day());
        }

        #[test]
        fn counting_a_range_needs_no_walk(year in 1990_i16..2030, month in 1_i8..=12, back in 0_u16..60) {
            let to = Month::of(date(year, month, 1));
            let from = to.minus(back);
            prop_assert_eq!(Month::count(from, to), i64::from(back) + 1);
            prop_assert_eq!(Month::range(from, to).count(), usize::from(back) + 1);
        }

        #[test]
        fn reading_never_panics(text in "[-0-9]{0,12}|\\PC{0,12}") {
            let _ = (parse_date(&text), read_date(&text).is_ok(), Month::parse(&text));
        }
    }
}
