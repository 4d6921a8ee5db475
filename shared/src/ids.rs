//! Makes identifiers: UUIDv7, so that ids sort by creation. Must never parse a client's id (the `finance` id types do).

use uuid::{Builder, Uuid};

use crate::{clock::Clock, crypto};

/// A new UUIDv7: 48 bits of the clock's milliseconds, the rest random.
pub fn new_id(clock: &Clock) -> Uuid {
    let mut random = [0u8; 10];
    crypto::fill_random(&mut random);
    Builder::from_unix_timestamp_millis(clock.now_ms().unsigned_abs(), &random).into_uuid()
}
