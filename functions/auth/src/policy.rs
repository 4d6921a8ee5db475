//! Which new passwords are accepted (NIST SP 800-63B-4, 3.1.1): by length, by the list of common ones, and by the strength
//! estimator `zxcvbn`. See docs/decisions/0029-passwords-by-an-estimator.md. Must never log or keep a password.

use secrecy::{ExposeSecret, SecretString};
use shared::edge::{Problem, ProblemType, Rejection};
use unicode_normalization::UnicodeNormalization;
use zxcvbn::{Score, zxcvbn};

/// Code points after NFKC.
pub(crate) const LENGTH_MIN: usize = 12;
/// Code points after NFKC.
pub(crate) const LENGTH_MAX: usize = 128;

/// Common passwords, lower-case, sorted by byte, one a line. See THIRD_PARTY.md for the sources.
const COMMON: &str = include_str!("common-passwords.txt");

/// The product's names, which an attacker tries too.
const PRODUCT: [&str; 3] = ["fintrack", "fintrackpro", "fintrack pro"];

/// Shorter names and parts of an address are ordinary syllables.
const OWN_WORD_MIN: usize = 3;

/// Code points of a password that the estimator reads where it has many substitutions to try.
const READ_OF_SYMBOLS: usize = 20;

/// The substitutions of the estimator that make its work multiply: the symbols that it reads as one letter.
const SUBSTITUTES: [&str; 7] = ["4@", "({[<", "69", "1!|", "1|7", "$5", "+7"];

/// The number of combinations of [`SUBSTITUTES`] up to which the estimator reads its own limit of 100 code points.
const COMBINATIONS_MAX: usize = 8;

/// Words of one user that the user's own password must not consist of.
#[derive(Clone, Debug, Default)]
pub(crate) struct OwnWords(Vec<String>);

impl OwnWords {
    /// The address, its local part, the names, and the names joined in both orders.
    pub(crate) fn new(email: &str, first_name: Option<&str>, last_name: Option<&str>) -> Self {
        let local = email.rsplit_once('@').map_or(email, |(local, _)| local);
        let letters = |text: &str| text.chars().filter(|c| c.is_alphanumeric()).collect::<String>();
        let (first, last) = (first_name.unwrap_or_default(), last_name.unwrap_or_default());
        let mut words: Vec<String> = [email, local, first, last].map(str::to_owned).into();
        words.extend([local, first, last].map(letters));
        if !first.is_empty() && !last.is_empty() {
            words.extend([format!("{first} {last}"), format!("{last} {first}")]);
            words.extend([format!("{first}{last}"), format!("{last}{first}")].map(|joined| letters(&joined)));
        }
        let normal = words.iter().map(|word| word.nfkc().collect::<String>().to_lowercase());
        let mut words: Vec<String> = normal.filter(|word| word.chars().count() >= OWN_WORD_MIN).collect();
        words.sort();
        words.dedup();
        Self(words)
    }
}

/// Checks a new password whoever's it is: its length, the list, and its strength.
///
/// # Errors
/// `too_short`, `too_long` or `password_too_common`, at `pointer`.
pub(crate) fn check(password: &SecretString, pointer: &str) -> Result<(), Rejection> {
    let normal: String = password.expose_secret().nfkc().collect();
    let length = normal.chars().count();
    if length < LENGTH_MIN {
        let detail = format!("must have at least {LENGTH_MIN} characters");
        return Err(Rejection::new(pointer, "too_short", detail));
    }
    if length > LENGTH_MAX {
        let detail = format!("must have at most {LENGTH_MAX} characters");
        return Err(Rejection::new(pointer, "too_long", detail));
    }
    if is_listed(&normal.to_lowercase()) || is_weak(&normal, &OwnWords::default()) {
        return Err(too_common(pointer));
    }
    Ok(())
}

/// Checks the strength of a password against the words of the user that it is for, off the async thread.
///
/// # Errors
/// 422 with `password_too_common` at `pointer`.
pub(crate) async fn check_own(
    password: &SecretString,
    own: OwnWords,
    pointer: &'static str,
) -> Result<(), Problem> {
    let password = password.clone();
    let weak = tokio::task::spawn_blocking(move || {
        let normal: String = password.expose_secret().nfkc().collect();
        is_weak(&normal, &own)
    });
    match weak.await {
        Ok(false) => Ok(()),
        Ok(true) => Err(Problem::fields(vec![too_common(pointer)])),
        Err(_) => Err(Problem::new(ProblemType::Internal)),
    }
}

fn too_common(pointer: &str) -> Rejection {
    Rejection::new(
        pointer,
        "password_too_common",
        "is among the passwords that are tried first; choose another",
    )
}

/// Whether the estimator gives a password less than 3 of 4.
fn is_weak(password: &str, own: &OwnWords) -> bool {
    let words: Vec<&str> = own.0.iter().map(String::as_str).chain(PRODUCT).collect();
    zxcvbn(read_part(password), &words).score() < Score::Three
}

/// The part of a password that the estimator reads. Its work grows with the square of the length, times the combinations of
/// substitutions. A beginning that is strong enough makes the whole strong enough.
fn read_part(password: &str) -> &str {
    let present = |group: &str| group.chars().filter(|symbol| password.contains(*symbol)).count().max(1);
    if SUBSTITUTES.iter().map(|group| present(group)).product::<usize>() <= COMBINATIONS_MAX {
        return password;
    }
    let end = password.char_indices().nth(READ_OF_SYMBOLS).map_or(password.len(), |(at, _)| at);
    password.get(..end).unwrap_or(password)
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

    /// Of Ada Lovelace, `ada.lovelace@example.com`.
    fn verdict(password: &str) -> Result<(), &'static str> {
        let password = SecretString::from(password);
        check(&password, "/password").map_err(|error| error.code)?;
        let own = OwnWords::new("ada.lovelace@example.com", Some("Ada"), Some("Lovelace"));
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        match runtime.block_on(check_own(&password, own, "/password")) {
            Ok(()) => Ok(()),
            Err(problem) => Err(problem.kind.code()),
        }
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
        ] {
            assert_eq!(verdict(good), Ok(()), "{good}");
        }
        let common = [
            "adalovelace12",
            "lovelaceada12",
            "Lovelace Ada 1",
            "passwordpassword1",
            "abcdefghijkl1",
            "qwertzuiopasdf",
            "~!@#$%^&*()_ ",
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
        for bad in common {
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

    #[test]
    fn a_hostile_password_is_read_only_as_far_as_the_estimator_is_quick() {
        let symbols: String = "4@8({[<369!1|70$5+%2".chars().cycle().take(LENGTH_MAX).collect();
        assert_eq!(read_part(&symbols).chars().count(), READ_OF_SYMBOLS);
        assert_eq!(read_part("ü@4(!{$5"), "ü@4(!{$5");
        for ordinary in
            ["correct horse battery staple", "1234567890".repeat(12).as_str(), "P@ssw0rd (again)!"]
        {
            assert_eq!(read_part(ordinary), ordinary);
        }
        let of_many = "🦀@4({[<!1|".repeat(10);
        assert_eq!(read_part(&of_many).chars().count(), READ_OF_SYMBOLS);
    }

    /// The figures of docs/decisions/0029-passwords-by-an-estimator.md.
    #[test]
    #[ignore = "it measures"]
    fn what_a_check_costs() {
        let own = OwnWords::new("ada.lovelace@example.com", Some("Ada"), Some("Lovelace"));
        let cycled = |text: &str| text.chars().cycle().take(LENGTH_MAX).collect::<String>();
        let cases = [
            ("the first, which builds the dictionaries", "correct horse battery staple".to_owned()),
            ("a passphrase", "correct horse battery staple".to_owned()),
            ("128 symbols of all substitutions", cycled("4@8({[<369!1|70$5+%2")),
            ("128 symbols of the most combinations that are read whole", cycled("4@8([391$5+2")),
            ("128 digits", cycled("1234567890")),
            ("128 letters, one word", cycled("password")),
            ("128 dates", cycled("1.1.19991/1/99")),
            ("128 letters whose lower case is longer", cycled("ßİﬀ𝔘é")),
        ];
        for (name, password) in cases {
            let normal: String = password.nfkc().collect();
            let started = std::time::Instant::now();
            let weak = is_weak(&normal, &own);
            eprintln!("{:6} µs  {name} (weak: {weak})", started.elapsed().as_micros());
        }
    }
}
