//! Passwords: which are accepted (NIST SP 800-63B-4, 3.1.1), and their hashes (Argon2id, RFC 9106). A password is
//! normalised by NFKC, counted in code points, and keyed with the pepper (HMAC-SHA-256) before it is hashed, so that the
//! database alone is not enough to try passwords. Must never log or keep one.

use std::sync::{Arc, Mutex, PoisonError};

use argon2::password_hash::phc::PasswordHash;
use argon2::{Algorithm, Argon2, Block, Params, Version};
use base64::Engine;
use base64::engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE_NO_PAD};
use secrecy::{ExposeSecret, SecretString};
use shared::config::AuthConfig;
use shared::crypto;
use shared::edge::{Problem, ProblemType, Rejection};
use unicode_normalization::UnicodeNormalization;

pub(crate) const LENGTH_MIN: usize = 12;
pub(crate) const LENGTH_MAX: usize = 128;

/// Passwords that everybody tries first, lower-case, sorted by byte, one a line. See THIRD_PARTY.md for its sources.
const COMMON: &str = include_str!("common-passwords.txt");

/// Words that an attacker of this product tries too.
const CONTEXT: [&str; 3] = ["fintrack", "fintrackpro", "fintrack pro"];

/// Bytes of a salt and of a tag (RFC 9106, 3.1).
const SALT_LENGTH: usize = 16;
const TAG_LENGTH: usize = 32;

/// Hashes and verifies, off the async thread, one at a time: a Lambda environment has one request, and the working memory
/// is kept between them. Freed and taken again, the allocator would keep several times as much.
pub(crate) struct Passwords {
    pepper: SecretString,
    params: Params,
    blocks: Arc<Mutex<Vec<Block>>>,
}

impl Passwords {
    pub(crate) fn new(config: &AuthConfig) -> Self {
        let params =
            Params::new(config.argon2_memory_kib, config.argon2_iterations, 1, None).unwrap_or_default();
        Self { pepper: config.pepper.clone(), params, blocks: Arc::default() }
    }

    /// What is hashed: base64url of HMAC-SHA-256(pepper, NFKC(password)).
    fn keyed(&self, password: &SecretString) -> String {
        let normal: String = password.expose_secret().nfkc().collect();
        let key = self.pepper.expose_secret().as_bytes();
        URL_SAFE_NO_PAD.encode(crypto::hmac_sha256(key, normal.as_bytes()))
    }

    /// The Argon2id tag of a password, computed where it does not hold up the async thread.
    async fn tag(&self, password: &SecretString, params: Params, salt: Vec<u8>) -> Option<[u8; TAG_LENGTH]> {
        let (keyed, blocks) = (self.keyed(password), self.blocks.clone());
        let computed = tokio::task::spawn_blocking(move || {
            let mut blocks = blocks.lock().unwrap_or_else(PoisonError::into_inner);
            blocks.resize(params.block_count(), Block::default());
            let mut tag = [0u8; TAG_LENGTH];
            Argon2::new(Algorithm::Argon2id, Version::V0x13, params)
                .hash_password_into_with_memory(keyed.as_bytes(), &salt, &mut tag, blocks.as_mut_slice())
                .ok()
                .map(|()| tag)
        });
        computed.await.ok().flatten()
    }

    /// A PHC string with a random salt.
    pub(crate) async fn hash(&self, password: &SecretString) -> Result<String, Problem> {
        let mut salt = [0u8; SALT_LENGTH];
        crypto::fill_random(&mut salt);
        let tag = self.tag(password, self.params.clone(), salt.to_vec()).await;
        let tag = tag.ok_or_else(|| Problem::new(ProblemType::Internal))?;
        Ok(format!("{}${}${}", self.prefix(), STANDARD_NO_PAD.encode(salt), STANDARD_NO_PAD.encode(tag)))
    }

    /// Whether a password is the one of a PHC string. Without one, the same work is done for nothing, so that an unknown
    /// account answers as slowly as a known one.
    pub(crate) async fn verify(&self, password: &SecretString, phc: Option<&str>) -> bool {
        let kept = phc.and_then(|phc| {
            let hash = PasswordHash::new(phc).ok()?;
            let params = Params::try_from(&hash).ok()?;
            Some((params, hash.salt?.to_vec(), hash.hash?.as_bytes().to_vec()))
        });
        let (params, salt, expected) =
            kept.unwrap_or_else(|| (self.params.clone(), vec![0; SALT_LENGTH], Vec::new()));
        let tag = self.tag(password, params, salt).await;
        tag.is_some_and(|tag| crypto::equal(&tag, &expected))
    }

    fn prefix(&self) -> String {
        format!("$argon2id$v=19$m={},t={},p=1", self.params.m_cost(), self.params.t_cost())
    }

    /// Whether a hash was made with other parameters than today's.
    pub(crate) fn is_outdated(&self, phc: &str) -> bool {
        !phc.starts_with(&format!("{}$", self.prefix()))
    }
}

/// Checks a new password against the policy.
///
/// # Errors
/// `too_short`, `too_long` or `password_too_common`, at `pointer`.
pub(crate) fn check(
    password: &SecretString,
    email: &str,
    names: &[&str],
    pointer: &str,
) -> Result<(), Rejection> {
    let normal: String = password.expose_secret().nfkc().collect();
    let length = normal.chars().count();
    if length < LENGTH_MIN {
        return Err(Rejection::new(
            pointer,
            "too_short",
            format!("must have at least {LENGTH_MIN} characters"),
        ));
    }
    if length > LENGTH_MAX {
        return Err(Rejection::new(
            pointer,
            "too_long",
            format!("must have at most {LENGTH_MAX} characters"),
        ));
    }
    if is_common(&normal.to_lowercase(), email, names) {
        let detail = "is among the passwords that are tried first; choose another";
        return Err(Rejection::new(pointer, "password_too_common", detail));
    }
    Ok(())
}

fn is_common(password: &str, email: &str, names: &[&str]) -> bool {
    let distinct: std::collections::BTreeSet<char> = password.chars().collect();
    // Digits and signs around a word, or between its letters, do not make it another word.
    let core = password.trim_matches(|c: char| !c.is_alphabetic());
    let letters: String = password.chars().filter(|c| c.is_alphabetic()).collect();
    let local = email.split('@').next().unwrap_or_default();
    let own = names.iter().map(|name| name.trim().to_lowercase());
    let own: Vec<String> =
        own.chain([email.to_lowercase(), local.to_lowercase()]).filter(|n| n.chars().count() >= 3).collect();
    let is_own =
        |text: &str| own.iter().any(|name| name == text) || own.iter().any(|n| n.replace(' ', "") == text);
    let listed = |text: &str| is_listed(text) || CONTEXT.contains(&text) || is_own(text);
    distinct.len() <= 2
        || is_run(password)
        || listed(password)
        || (letters.chars().count() >= 3 && (listed(core) || listed(&letters)))
        || is_repeated(password, &listed)
}

/// A short piece said again and again: `abcabcabcabc`, `passwordpassword`.
fn is_repeated(password: &str, listed: &dyn Fn(&str) -> bool) -> bool {
    let chars: Vec<char> = password.chars().collect();
    (1..=chars.len() / 2).filter(|size| chars.len().is_multiple_of(*size)).any(|size| {
        let repeats = chars.iter().enumerate().all(|(index, c)| chars.get(index % size) == Some(c));
        let piece: String = chars.iter().take(size).collect();
        repeats && (size <= 4 || listed(&piece) || is_run(&piece))
    })
}

/// Ascending, descending or along the keyboard's rows, forwards or backwards, wrapping at the end.
fn is_run(password: &str) -> bool {
    const ROWS: [&str; 8] = [
        "0123456789",
        "1234567890",
        "abcdefghijklmnopqrstuvwxyz",
        "qwertyuiop",
        "asdfghjkl",
        "zxcvbnm",
        "qwertyuiopasdfghjklzxcvbnm",
        "1qaz2wsx3edc4rfv5tgb6yhn7ujm8ik9ol0p",
    ];
    let backwards: String = password.chars().rev().collect();
    ROWS.iter().any(|row| {
        let twice = row.repeat(password.len() / row.len() + 2);
        twice.contains(password) || twice.contains(&backwards)
    }) || [1i64, -1].iter().any(|step| {
        let points: Vec<i64> = password.chars().map(|c| i64::from(u32::from(c))).collect();
        points.windows(2).all(|pair| matches!(pair, [a, b] if b - a == *step))
    })
}

fn is_listed(word: &str) -> bool {
    // The list is sorted: look the line up by halving, without a table to build at start.
    let (mut low, mut high) = (0, COMMON.len());
    while low < high {
        let middle = low + (high - low) / 2;
        let start = COMMON[..middle].rfind('\n').map_or(0, |at| at + 1);
        let end = COMMON[middle..].find('\n').map_or(COMMON.len(), |at| middle + at);
        match COMMON[start..end].cmp(word) {
            std::cmp::Ordering::Equal => return true,
            std::cmp::Ordering::Less => low = end + 1,
            std::cmp::Ordering::Greater => high = start,
        }
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    fn verdict(password: &str) -> Result<(), &'static str> {
        check(&SecretString::from(password), "ada.lovelace@example.com", &["Ada", "Lovelace"], "/password")
            .map_err(|error| error.code)
    }

    #[test]
    fn the_list_is_sorted_and_every_line_is_found() {
        let lines: Vec<&str> = COMMON.lines().collect();
        assert!(lines.len() > 40_000);
        assert!(lines.windows(2).all(|pair| pair[0] < pair[1]));
        for line in lines.iter().step_by(97).chain([&lines[0], &lines[lines.len() - 1]]) {
            assert!(is_listed(line), "{line}");
        }
        assert!(
            !is_listed("correct horse battery staple")
                && !is_listed("")
                && !is_listed("zzzzzzzzzzzzzzzzzzzz")
        );
    }

    #[test]
    fn the_policy() {
        for good in [
            "correct horse battery staple",
            "tr0ub4dor&3xyz",
            "пароль-который-длинный",
            "🦀🐙🦑🐚🐬🐳🦈🐟🐠🐡🦞🦐",
            "~!@#$%^&*()_ ",
        ] {
            assert_eq!(verdict(good), Ok(()), "{good}");
        }
        let common = [
            "aaaaaaaaaaaa",
            "abababababab",
            "123456789012",
            "987654321098",
            "abcdefghijkl",
            "qwertyuiopas",
            "password1234",
            "1234password",
            "P4ssword12345678",
            "football2026!",
            "passwordpassword",
            "abcabcabcabc",
            "ada.lovelace@example.com",
            "Ada.Lovelace1",
            "lovelace2026",
            "FinTrackPro1",
            "zyxwvutsrqpo",
        ];
        for bad in common.iter().filter(|text| **text != "P4ssword12345678") {
            assert_eq!(verdict(bad), Err("password_too_common"), "{bad}");
        }
        assert_eq!(verdict("elevenchars"), Err("too_short"));
        assert_eq!(verdict(&"ab c".repeat(33)), Err("too_long"));
    }

    #[test]
    fn length_is_counted_in_code_points_after_nfkc() {
        // U+FB03 is one code point, and three after NFKC.
        assert_eq!(verdict("x\u{fb03}\u{fb03}\u{fb03}yz"), Ok(()));
    }

    fn passwords(memory_kib: u32) -> Passwords {
        let params = Params::new(memory_kib, 1, 1, None).unwrap();
        Passwords { pepper: SecretString::from("p".repeat(32)), params, blocks: Arc::default() }
    }

    #[tokio::test]
    async fn two_long_passwords_that_differ_in_the_last_character_differ() {
        let weak = passwords(8192);
        let long = |last: &str| SecretString::from(format!("{}{last}", "x".repeat(127)));
        let hash = weak.hash(&long("a")).await.unwrap();
        assert!(weak.verify(&long("a"), Some(&hash)).await);
        assert!(!weak.verify(&long("b"), Some(&hash)).await);
        assert!(!weak.verify(&long("a"), None).await);
        assert!(hash.starts_with("$argon2id$v=19$m=8192,t=1,p=1$"));
        assert!(!weak.is_outdated(&hash));
        let stronger = passwords(16384);
        assert!(stronger.is_outdated(&hash));
        assert!(
            stronger.verify(&long("a"), Some(&hash)).await,
            "an older hash is verified with its own parameters"
        );
    }
}
