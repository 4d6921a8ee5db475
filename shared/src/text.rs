//! What Unicode says of the characters of a text. Must never change one: who reads a text decides.

use icu_properties::CodePointSetData;
use icu_properties::props::DefaultIgnorableCodePoint;

/// Whether a character shows nothing by itself (Unicode property Default_Ignorable_Code_Point): zero-width joiners, soft
/// hyphens, direction marks, variation selectors, fillers, tags.
pub fn is_default_ignorable(c: char) -> bool {
    CodePointSetData::new::<DefaultIgnorableCodePoint>().contains(c)
}

/// Whether a text has nothing to see: no character, or only white space and default-ignorable ones.
pub fn shows_nothing(text: &str) -> bool {
    text.chars().all(|c| c.is_whitespace() || is_default_ignorable(c))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn white_space_and_ignorable_characters_show_nothing() {
        for text in [
            "",
            " \t\u{a0}\u{3000}",
            "\u{200b}\u{feff}",
            "\u{ad}",
            "\u{3164} \u{fe0f}",
            "\u{e0001}",
            "\u{202e}",
        ] {
            assert!(shows_nothing(text), "{text:?}");
        }
        for text in ["a", ".", "\u{200b}a", "👩\u{200d}🚀", "\u{301}", "\u{0}"] {
            assert!(!shows_nothing(text), "{text:?}");
        }
    }
}
