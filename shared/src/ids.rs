//! Makes identifiers: UUIDv7, so that ids sort by creation. Must never parse a client's id (the `finance` id types do).

use uuid::{Builder, Uuid};

use crate::{clock::Clock, crypto};

/// A new UUIDv7: 48 bits of the clock's milliseconds, the rest random, and after every id that this clock gave before
/// (RFC 9562, 6.2, method 2): what is older sorts first, also within a millisecond.
pub fn new_id(clock: &Clock) -> Uuid {
    let mut random = [0u8; 10];
    crypto::fill_random(&mut random);
    let candidate = Builder::from_unix_timestamp_millis(clock.now_ms().unsigned_abs(), &random).into_uuid();
    Uuid::from_u128(clock.after_last_id(candidate.as_u128()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_of_one_millisecond_are_in_the_order_they_were_made() {
        let clock = Clock::manual(jiff::Timestamp::from_second(1_800_000_000).unwrap());
        let ids: Vec<Uuid> = (0..1000).map(|_| new_id(&clock)).collect();
        assert!(ids.windows(2).all(|pair| pair[0] < pair[1]));
        assert!(ids.iter().all(|id| id.get_version_num() == 7));
    }
}
