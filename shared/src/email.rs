//! E-mail addresses in one form, so that every spelling of an address is one account. The one function that makes it. Must
//! never accept a character that nobody sees.

use idna::uts46::{AsciiDenyList, DnsLength, Hyphens, Uts46};
use unicode_normalization::UnicodeNormalization;

use crate::text::is_default_ignorable;

/// Bytes of an address (RFC 5321, 4.5.3.1.3).
const LENGTH_MAX: usize = 254;
/// Bytes of the part before the `@` (RFC 5321, 4.5.3.1.1).
const LOCAL_MAX: usize = 64;

/// An address as it is stored: trimmed, NFC, lower-case, the domain in its ASCII form (UTS #46 with the rules of IDNA 2008).
///
/// `None` for what is no address: not one `@` with something before it, a domain without a dot, white space, control or
/// default-ignorable characters, a domain that IDNA refuses, or too long. More is only known by sending to it.
pub fn normalize(text: &str) -> Option<String> {
    // Before trimming, which would take some of them away.
    if text.chars().any(|c| c.is_control() || is_default_ignorable(c)) {
        return None;
    }
    let (local, domain) = text.trim().split_once('@')?;
    let local: String = local.nfc().collect::<String>().to_lowercase().nfc().collect();
    let is_special = |c: char| c.is_whitespace() || c.is_control() || "<>()[]\\,;:\"".contains(c);
    if local.is_empty() || local.len() > LOCAL_MAX || local.chars().any(is_special) {
        return None;
    }
    let domain = Uts46::new()
        .to_ascii(domain.as_bytes(), AsciiDenyList::STD3, Hyphens::CheckFirstLast, DnsLength::Verify)
        .ok()
        .filter(|domain| domain.contains('.'))?;
    let address = format!("{local}@{domain}");
    (address.len() <= LENGTH_MAX).then_some(address)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_spelling_of_an_address_has_one_form() {
        for (form, spellings) in [
            ("ada@example.com", vec![" Ada@Example.COM ", "ADA@EXAMPLE.COM", "ada@ｅｘａｍｐｌｅ.com"]),
            (
                "jos\u{e9}@example.com",
                vec!["jose\u{301}@example.com", "JOSE\u{301}@example.com", "JOSÉ@example.com"],
            ),
            (
                "a@xn--bcher-kva.example",
                vec![
                    "a@bücher.example",
                    "a@bu\u{308}cher.example",
                    "A@BÜCHER.EXAMPLE",
                    "a@XN--BCHER-KVA.example",
                    "a@bücher。example",
                ],
            ),
            ("a@xn--strae-oqa.example", vec!["a@straße.example"]),
            ("i\u{307}@example.com", vec!["İ@example.com"]),
        ] {
            for spelling in spellings.into_iter().chain([form]) {
                assert_eq!(normalize(spelling).as_deref(), Some(form), "{spelling}");
            }
        }
    }

    #[test]
    fn what_is_no_address_has_no_form() {
        for bad in [
            "",
            "a",
            "a@b",
            "@b.c",
            "a@b..c",
            "a b@c.d",
            "a@b@c.d",
            "a@.c",
            "a@b.c.",
            "<a@b.c>",
            "a\n@b.c",
            "a@b.c\n",
            "a@-b.c",
            "a@b_c.d",
            "a@[127.0.0.1]",
            "a@xn--a.c",
            "a@xn--a\u{200d}.c",
            "a\u{200b}@b.c",
            "a@b\u{ad}.c",
            "a\u{fe0f}@b.c",
            "\u{feff}a@b.c",
            "a@b.c\u{2060}",
            "a\u{202e}@b.c",
            "a\u{3164}@b.c",
        ] {
            assert_eq!(normalize(bad), None, "{bad:?}");
        }
        let label = "x".repeat(63);
        assert!(normalize(&format!("{}@b.c", "x".repeat(64))).is_some());
        assert!(normalize(&format!("{}@b.c", "x".repeat(65))).is_none());
        assert!(normalize(&format!("x@{label}.{label}.{label}.{}", "x".repeat(60))).is_some());
        assert!(normalize(&format!("xxx@{label}.{label}.{label}.{}", "x".repeat(60))).is_none());
        assert!(normalize(&format!("a@{label}x.c")).is_none());
    }

    #[test]
    fn the_form_of_a_form_is_itself() {
        for c in (0..=0x10_ffff).filter_map(char::from_u32) {
            for text in [format!("a{c}\u{301}@example.com"), format!("a@x{c}x.example")] {
                if let Some(form) = normalize(&text) {
                    assert_eq!(normalize(&form).as_deref(), Some(form.as_str()), "U+{:04X}", u32::from(c));
                }
            }
        }
    }
}
