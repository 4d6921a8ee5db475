//! Randomness, keyed hashes and key derivation, all from the one crypto stack (aws-lc). Must never invent a construction:
//! HMAC-SHA-256 (RFC 2104), HKDF-SHA-256 (RFC 5869), SHA-256.

use aws_lc_rs::{digest, hkdf, hmac, rand};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};

/// Fills a buffer with random bytes.
#[expect(clippy::expect_used, reason = "no request may go on with predictable secrets; the edge answers 500")]
pub fn fill_random(buffer: &mut [u8]) {
    rand::fill(buffer).expect("the system's random source answers");
}

/// A number from 0 to `most`, for waits that must not be everyone's: small ones come a little more often where `most` is
/// near 2⁶⁴.
pub fn random_up_to(most: u64) -> u64 {
    let mut bytes = [0u8; 8];
    fill_random(&mut bytes);
    let random = u64::from_le_bytes(bytes);
    most.checked_add(1).map_or(random, |numbers| random % numbers)
}

/// A secret of 256 random bits, unpadded base64url.
pub fn random_token() -> String {
    let mut bytes = [0u8; 32];
    fill_random(&mut bytes);
    URL_SAFE_NO_PAD.encode(bytes)
}

/// HMAC-SHA-256.
pub fn hmac_sha256(key: &[u8], message: &[u8]) -> [u8; 32] {
    let tag = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, key), message);
    let mut bytes = [0u8; 32];
    bytes.copy_from_slice(tag.as_ref());
    bytes
}

/// Whether `tag` begins the HMAC-SHA-256 of `message`, in constant time.
pub fn hmac_matches(key: &[u8], message: &[u8], tag: &[u8]) -> bool {
    let expected = hmac_sha256(key, message);
    tag.len() >= 16
        && tag.len() <= expected.len()
        && aws_lc_rs::constant_time::verify_slices_are_equal(&expected[..tag.len()], tag).is_ok()
}

/// Whether two byte strings are equal, in constant time for those of one length.
pub fn equal(a: &[u8], b: &[u8]) -> bool {
    aws_lc_rs::constant_time::verify_slices_are_equal(a, b).is_ok()
}

/// SHA-256.
pub fn sha256(parts: &[&[u8]]) -> [u8; 32] {
    let mut hash = Sha256::default();
    for part in parts {
        hash.update(part);
    }
    hash.finish()
}

/// SHA-256 of what comes in parts.
pub struct Sha256(digest::Context);

impl Default for Sha256 {
    fn default() -> Self {
        Self(digest::Context::new(&digest::SHA256))
    }
}

impl Sha256 {
    pub fn update(&mut self, part: &[u8]) {
        self.0.update(part);
    }

    pub fn finish(self) -> [u8; 32] {
        let mut bytes = [0u8; 32];
        bytes.copy_from_slice(self.0.finish().as_ref());
        bytes
    }
}

/// A 256-bit key for one purpose, derived from a master secret (HKDF-SHA-256, RFC 5869; no salt).
pub fn derive_key(secret: &[u8], purpose: &str) -> [u8; 32] {
    let mut key = [0u8; 32];
    let info = [purpose.as_bytes()];
    let okm = hkdf::Salt::new(hkdf::HKDF_SHA256, &[]).extract(secret);
    let filled = okm.expand(&info, hkdf::HKDF_SHA256).and_then(|okm| okm.fill(&mut key));
    debug_assert!(filled.is_ok(), "32 bytes is one block of SHA-256");
    key
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hmac_is_rfc_4231_case_2() {
        let tag = hmac_sha256(b"Jefe", b"what do ya want for nothing?");
        assert_eq!(tag[..4], [0x5b, 0xdc, 0xc1, 0x46]);
        assert!(hmac_matches(b"Jefe", b"what do ya want for nothing?", &tag[..16]));
        assert!(
            !hmac_matches(b"Jefe", b"what do ya want for nothing?", &tag[..8]),
            "a short tag proves nothing"
        );
        assert!(!hmac_matches(b"Jefe", b"what do ya want for nothing!", &tag));
    }

    #[test]
    fn keys_of_two_purposes_differ() {
        assert_ne!(derive_key(b"secret", "cursor"), derive_key(b"secret", "idempotency"));
    }
}
