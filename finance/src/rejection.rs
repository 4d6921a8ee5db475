//! The one refusal type: why a value is not accepted.
//!
//! Owns the shape only. Never decides what is refused.

/// One refused value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rejection {
    /// A JSON pointer (RFC 6901) to the value: `/splits/2/amount`. Below `/query/` it names a query parameter.
    pub pointer: String,
    /// The rule's stable code: `splits_sum`.
    pub code: &'static str,
    /// The rule, in a sentence that is safe to show.
    pub detail: String,
}

impl Rejection {
    /// Makes one.
    pub fn new(pointer: impl Into<String>, code: &'static str, detail: impl Into<String>) -> Rejection {
        Rejection { pointer: pointer.into(), code, detail: detail.into() }
    }

    /// A date that exists, outside of the years that [`crate::calendar::read_date`] takes.
    pub fn date_out_of_range(pointer: impl Into<String>) -> Rejection {
        Rejection::new(pointer, "date_out_of_range", "must be from 1900-01-01 to 2199-12-31")
    }
}
