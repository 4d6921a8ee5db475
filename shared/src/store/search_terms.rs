//! The words by which a transaction is found: folded (compatibility decomposition, marks dropped, lower case), each
//! stored as its prefixes, so that "begins a word" is an equality that an index answers. Must never be shown.

use std::collections::BTreeSet;

use unicode_normalization::UnicodeNormalization;
use unicode_normalization::char::is_combining_mark;

/// The longest prefix that is stored beside the whole word.
pub const PREFIX_LENGTH_MAX: usize = 8;

/// The folded words of a text.
pub fn words(text: &str) -> Vec<String> {
    let folded: String = text.nfkd().filter(|c| !is_combining_mark(*c)).collect::<String>().to_lowercase();
    folded.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty()).map(str::to_owned).collect()
}

/// The first `count` characters of a word.
pub fn prefix(word: &str, count: usize) -> &str {
    word.char_indices().nth(count).map_or(word, |(end, _)| &word[..end])
}

/// Every stored term of these texts.
pub fn terms<'a>(texts: impl IntoIterator<Item = &'a str>) -> Vec<String> {
    let mut terms = BTreeSet::new();
    for word in texts.into_iter().flat_map(words) {
        for length in 1..=PREFIX_LENGTH_MAX.min(word.chars().count()) {
            terms.insert(prefix(&word, length).to_owned());
        }
        terms.insert(word);
    }
    terms.into_iter().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn case_and_accents_are_folded() {
        assert_eq!(words("Café  de-l’Été №5"), ["cafe", "de", "l", "ete", "no5"]);
        assert_eq!(words("ÅNGSTRÖM"), ["angstrom"]);
    }

    #[test]
    fn a_word_is_found_by_any_prefix_up_to_the_stored_length_and_whole() {
        let terms = terms(["Supermarket"]);
        assert!(terms.contains(&"s".to_owned()) && terms.contains(&"supermar".to_owned()));
        assert!(terms.contains(&"supermarket".to_owned()));
        assert!(
            !terms.contains(&"supermark".to_owned()),
            "found by its 8-character prefix and the whole word"
        );
    }
}
