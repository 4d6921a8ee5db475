//! The words of a search: what is stored of a text is found by its own words, whole and by prefix.

use shared::store::search_terms::{PREFIX_LENGTH_MAX, prefix, terms, words};

pub(super) fn check(input: &[u8]) {
    let Some(text) = super::text(input) else { return };
    let words = words(text);
    let stored = terms([text]);
    assert!(stored.is_sorted_by(|a, b| a < b), "{stored:?}");
    for word in &words {
        assert!(!word.is_empty() && word.chars().all(char::is_alphanumeric), "{word}");
        for length in 1..=PREFIX_LENGTH_MAX {
            assert!(stored.iter().any(|term| term == prefix(word, length)), "{word} by {length}");
        }
        assert!(stored.contains(word), "{word}");
    }
    // Whoever searches by what was folded finds the same.
    assert_eq!(shared::store::search_terms::words(&words.join(" ")), words, "{text:?}");
}
