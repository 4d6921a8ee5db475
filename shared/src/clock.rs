//! The only source of wall-clock time. Must never be bypassed: clippy refuses `Timestamp::now` elsewhere, so that a test
//! can stand at any instant.

use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use jiff::{Timestamp, civil::Date, tz::TimeZone};

/// The system's clock, or one that a test moves by hand.
#[derive(Clone, Debug, Default)]
pub struct Clock {
    /// Milliseconds since the epoch; `None` is the system's clock.
    manual: Option<Arc<AtomicI64>>,
    /// The last id made by this clock, as a number.
    last_id: Arc<Mutex<u128>>,
}

impl Clock {
    pub fn system() -> Self {
        Self::default()
    }

    /// A clock that stands still until it is moved.
    pub fn manual(at: Timestamp) -> Self {
        Self { manual: Some(Arc::new(AtomicI64::new(at.as_millisecond()))), last_id: Arc::default() }
    }

    /// Moves a manual clock; the system's clock cannot be moved.
    pub fn advance_seconds(&self, seconds: i64) {
        if let Some(manual) = &self.manual {
            manual.fetch_add(seconds.saturating_mul(1000), Ordering::SeqCst);
        }
    }

    /// Now, in milliseconds since the epoch.
    pub fn now_ms(&self) -> i64 {
        match &self.manual {
            Some(manual) => manual.load(Ordering::SeqCst),
            None => system_now().as_millisecond(),
        }
    }

    /// Now, to the millisecond: what the stores keep.
    pub fn now(&self) -> Timestamp {
        Timestamp::from_millisecond(self.now_ms()).unwrap_or(Timestamp::UNIX_EPOCH)
    }

    /// The candidate, or what follows the last id where that is not before it: ids of one process never go back, though
    /// many are made in a millisecond.
    pub(crate) fn after_last_id(&self, candidate: u128) -> u128 {
        let mut last = self.last_id.lock().unwrap_or_else(PoisonError::into_inner);
        *last = candidate.max(last.saturating_add(1));
        *last
    }

    /// The civil date of now in an IANA zone; an unknown zone counts as UTC.
    pub fn today(&self, zone: &str) -> Date {
        let zone = TimeZone::get(zone).unwrap_or(TimeZone::UTC);
        self.now().to_zoned_datetime(zone).date()
    }
}

#[expect(clippy::disallowed_methods, reason = "the one place that reads the system's clock")]
fn system_now() -> Timestamp {
    Timestamp::now()
}

/// An instant as a name of files and folders, in UTC, to the millisecond: names in order are instants in order.
pub fn file_name(ms: i64) -> String {
    let at = Timestamp::from_millisecond(ms).unwrap_or(Timestamp::UNIX_EPOCH);
    at.strftime("%Y-%m-%dT%H%M%S.%3fZ").to_string()
}

/// RFC 3339 in UTC with `Z`, to the second when there are no milliseconds.
pub fn rfc3339(ms: i64) -> String {
    Timestamp::from_millisecond(ms).unwrap_or(Timestamp::UNIX_EPOCH).to_string()
}
