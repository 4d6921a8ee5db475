//! A client's address, as the limiter knows it: one client has one key, and a key cannot break out of its Redis key.

use shared::rate_limit::client_key;

pub(super) fn check(input: &[u8]) {
    let Some(text) = super::text(input) else { return };
    let key = client_key(text);
    if key == "unknown" {
        return;
    }
    assert!(key.bytes().all(|byte| byte.is_ascii_hexdigit() || b".:/".contains(&byte)), "{key}");
    // The network of a key is the key again.
    assert_eq!(client_key(key.trim_end_matches("/64")), key, "{text}");
}
