//! The words by which a transaction is found. One function folds what is stored and what is searched for. Each word is
//! stored as its prefixes, so that "begins a word" is an equality that an index answers. Must never be shown.

use std::collections::BTreeSet;

use caseless::Caseless;
use unicode_normalization::UnicodeNormalization;
use unicode_normalization::char::is_combining_mark;

use crate::text::is_default_ignorable;

/// The longest prefix that is stored beside the whole word, in characters.
pub const PREFIX_LENGTH_MAX: usize = 8;
/// What a word counts by, in characters: the rest of a longer one is neither stored nor compared.
pub const WORD_LENGTH_MAX: usize = 64;
/// The most terms of one transaction. The longest notes have at most 3,600; only texts that are full of distinct words in
/// every field, which no language has, come beyond it, and are then found by their first words.
pub const TERMS_MAX: usize = 4_000;

/// The folded words of a text: runs of letters and digits with the marks that follow them, by Unicode's compatibility
/// caseless matching (Unicode Standard, D146), without default-ignorable characters, the accents of Latin, Greek and
/// Cyrillic, and the points of Hebrew and Arabic. Other marks, as those of Indic scripts and kana, tell words apart and stay.
pub fn words(text: &str) -> Vec<String> {
    let shown = text.chars().filter(|c| !is_default_ignorable(*c));
    let folded = shown.nfd().default_case_fold().nfkd().default_case_fold().nfkd();
    let mut words = Vec::new();
    let mut word = String::new();
    let mut loses_marks = false;
    // A separator at the end ends the last word.
    for c in folded.filter(|c| !is_default_ignorable(*c)).chain([' ']) {
        if is_combining_mark(c) {
            if !word.is_empty() && !loses_marks {
                word.push(c);
            }
        } else if c.is_alphanumeric() {
            loses_marks = has_accents(c);
            match plain_letter(c) {
                Some(plain) => word.push_str(plain),
                None => word.push(c),
            }
        } else if !word.is_empty() {
            words.push(word.nfc().take(WORD_LENGTH_MAX).collect());
            word.clear();
        }
    }
    words
}

/// Whether marks on a letter or digit are accents that are folded: the blocks of Latin, Greek, Cyrillic, Hebrew and Arabic,
/// and ASCII's digits (Unicode's Blocks.txt).
fn has_accents(base: char) -> bool {
    matches!(base, '\0'..='\u{2af}' | '\u{370}'..='\u{52f}' | '\u{590}'..='\u{6ff}' | '\u{750}'..='\u{77f}'
        | '\u{8a0}'..='\u{8ff}' | '\u{1c80}'..='\u{1c8f}' | '\u{1e00}'..='\u{1fff}' | '\u{2c60}'..='\u{2c7f}'
        | '\u{a640}'..='\u{a69f}' | '\u{a720}'..='\u{a7ff}')
}

/// The letters in place of a Latin one, whose stroke or ligature is no mark to Unicode (as CLDR's Latin-ASCII has them).
fn plain_letter(c: char) -> Option<&'static str> {
    Some(match c {
        'æ' => "ae",
        'ð' | 'đ' | 'ɖ' => "d",
        'ħ' => "h",
        'ı' | 'ɨ' => "i",
        'ł' => "l",
        'ŋ' => "n",
        'ø' => "o",
        'œ' => "oe",
        'þ' => "th",
        'ŧ' => "t",
        'ƀ' => "b",
        'ƶ' => "z",
        _ => return None,
    })
}

/// The first `count` characters of a word.
pub fn prefix(word: &str, count: usize) -> &str {
    word.char_indices().nth(count).map_or(word, |(end, _)| &word[..end])
}

/// Every stored term of these texts, at most [`TERMS_MAX`]: those of the first texts first.
pub fn terms<'a>(texts: impl IntoIterator<Item = &'a str>) -> Vec<String> {
    let mut terms = BTreeSet::new();
    for word in texts.into_iter().flat_map(words) {
        let prefixes = (1..=PREFIX_LENGTH_MAX).map(|length| prefix(&word, length)).chain([word.as_str()]);
        let new: BTreeSet<&str> = prefixes.filter(|term| !terms.contains(*term)).collect();
        if terms.len().saturating_add(new.len()) > TERMS_MAX {
            break;
        }
        terms.extend(new.into_iter().map(str::to_owned));
    }
    terms.into_iter().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn case_and_accents_are_folded() {
        assert_eq!(words("Café  de-l’Été №5"), ["cafe", "de", "l", "ete", "no5"]);
        assert_eq!(words("ÅNGSTRÖM Straße ẞ"), ["angstrom", "strasse", "ss"]);
        assert_eq!(words("ΟΔΥΣΣΕΎΣ ὈΔΥΣΣΕΎΣ"), ["οδυσσευσ", "οδυσσευσ"]);
        assert_eq!(
            words("ŁÓDŹ Ørsted Đà ǼON ŒUVRE İı ĦŦ Þ"),
            ["lodz", "orsted", "da", "aeon", "oeuvre", "ii", "ht", "th"]
        );
        assert_eq!(words("Ёлка ЙОД"), ["елка", "иод"]);
        assert_eq!(words("שָׁלוֹם أَهْلًا"), ["שלום", "اهلا"]);
    }

    #[test]
    fn marks_of_other_scripts_are_kept_and_composed() {
        assert_eq!(words("がく か\u{3099}く ｶﾞｸ"), ["がく", "がく", "ガク"]);
        assert_eq!(words("हिन्दी क्षमा"), ["हिन्दी", "क्षमा"]);
        assert_eq!(words("한국"), ["한국"]);
        assert_eq!(words("1\u{fe0f}\u{20e3}"), ["1"]);
    }

    #[test]
    fn what_has_no_letter_or_digit_has_no_word() {
        for text in ["", "🍕", "!!!", "€", "\u{301}", "\u{93f}", "\u{200b}\u{ad}", "\u{3164}\u{ffa0}"] {
            assert_eq!(words(text), Vec::<String>::new(), "{text:?}");
        }
        assert_eq!(words("super\u{ad}mar\u{200b}ket"), ["supermarket"]);
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

    /// Words of nine letters that share few prefixes: the most terms for their length.
    fn distinct(count: u32) -> String {
        let letter = |n: u32| char::from_u32(0x4e00 + n % 20_000).unwrap();
        (0..count).flat_map(|n| (0..9).map(move |at| letter(n * 31 + at * 7)).chain([' '])).collect()
    }

    #[test]
    fn the_terms_of_the_longest_texts_are_bounded_and_the_longest_notes_are_whole() {
        let (notes, description) = (distinct(400), distinct(50));
        assert_eq!(notes.chars().count(), 4_000);
        let of_notes = terms([notes.as_str()]);
        assert!(words(&notes).iter().all(|word| of_notes.binary_search(word).is_ok()));
        assert!(of_notes.len() > 3_000 && of_notes.len() <= TERMS_MAX, "{}", of_notes.len());
        assert!(
            terms([&description, &description, &notes, &distinct(900)].map(String::as_str)).len()
                <= TERMS_MAX
        );
        // One character that stands for four words, and one word as long as the field.
        let longest = terms([&"\u{fdfa}".repeat(4_000), &"長".repeat(4_000)].map(String::as_str));
        assert!(longest.iter().all(|term| term.chars().count() <= WORD_LENGTH_MAX), "{}", longest.len());
    }
}
