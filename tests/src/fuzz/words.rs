//! The words of a search: what is stored of a text is found by its own words, whole and by prefix.

use shared::store::search_terms::{PREFIX_LENGTH_MAX, TERMS_MAX, WORD_LENGTH_MAX, prefix, terms, words};

pub(super) fn check(input: &[u8]) {
    let Some(text) = super::text(input) else { return };
    let words = words(text);
    let stored = terms([text]);
    assert!(stored.is_sorted_by(|a, b| a < b) && stored.len() <= TERMS_MAX, "{stored:?}");
    // Below the bound nothing is left out.
    let whole = stored.len() + PREFIX_LENGTH_MAX < TERMS_MAX;
    for word in words.iter().filter(|_| whole) {
        let separates = |c: char| c.is_whitespace() || c.is_control() || c.is_ascii_punctuation();
        assert!(!word.is_empty() && !word.chars().any(separates), "{word}");
        assert!(word.chars().count() <= WORD_LENGTH_MAX, "{word}");
        for length in 1..=PREFIX_LENGTH_MAX {
            assert!(stored.iter().any(|term| term == prefix(word, length)), "{word} by {length}");
        }
        assert!(stored.contains(word), "{word}");
    }
    // Whoever searches by what was folded finds the same.
    assert_eq!(shared::store::search_terms::words(&words.join(" ")), words, "{text:?}");
}
