//! Typed identifiers: an account's id can never be passed where a category's is meant.
//!
//! Owns the canonical text form. Never makes an id: new ones need a clock and randomness, which live elsewhere.

use std::fmt;

use uuid::Uuid;

/// The one accepted text form: 36 characters, hyphenated, lower-case. Anything else would give one entity two names.
fn parse_canonical(text: &str) -> Option<Uuid> {
    let uuid = Uuid::try_parse(text).ok()?;
    let mut buffer = Uuid::encode_buffer();
    (*uuid.hyphenated().encode_lower(&mut buffer) == *text).then_some(uuid)
}

macro_rules! typed_id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(Uuid);

        impl $name {
            /// Gives a UUID its meaning.
            pub const fn new(uuid: Uuid) -> Self {
                Self(uuid)
            }

            /// The UUID itself.
            pub const fn uuid(self) -> Uuid {
                self.0
            }

            /// Reads the canonical form (hyphenated, lower-case) and no other.
            pub fn parse(text: &str) -> Option<Self> {
                parse_canonical(text).map(Self)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(&self.0.hyphenated(), f)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{}({})", stringify!($name), self.0.hyphenated())
            }
        }
    };
}

typed_id!(
    /// A person who tracks their money here.
    UserId
);
typed_id!(
    /// An account of a user.
    AccountId
);
typed_id!(
    /// A category of a user.
    CategoryId
);
typed_id!(
    /// A transaction of a user.
    TransactionId
);

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn only_the_canonical_form_is_an_id() {
        let canonical = "0190b6f2-5c1a-7b3e-9f10-0a1b2c3d4e5f";
        assert_eq!(AccountId::parse(canonical).map(|id| id.to_string()).as_deref(), Some(canonical));
        for other in [
            "",
            "0190B6F2-5C1A-7B3E-9F10-0A1B2C3D4E5F",
            "0190b6f25c1a7b3e9f100a1b2c3d4e5f",
            "{0190b6f2-5c1a-7b3e-9f10-0a1b2c3d4e5f}",
            "urn:uuid:0190b6f2-5c1a-7b3e-9f10-0a1b2c3d4e5f",
            " 0190b6f2-5c1a-7b3e-9f10-0a1b2c3d4e5f",
            "0190b6f2-5c1a-7b3e-9f10-0a1b2c3d4e5g",
            "0190b6f2-5c1a-7b3e-9f10-0a1b2c3d4e5",
        ] {
            assert_eq!(AccountId::parse(other), None, "{other:?}");
        }
    }

    proptest! {
        #[test]
        fn parsing_what_was_printed_gives_the_same_id(bits in any::<u128>()) {
            let id = UserId::new(Uuid::from_u128(bits));
            prop_assert_eq!(UserId::parse(&id.to_string()), Some(id));
        }

        #[test]
        fn ids_sort_as_their_text_does(a in any::<u128>(), b in any::<u128>()) {
            let (a, b) = (TransactionId::new(Uuid::from_u128(a)), TransactionId::new(Uuid::from_u128(b)));
            prop_assert_eq!(a.cmp(&b), a.to_string().cmp(&b.to_string()));
        }

        #[test]
        fn parsing_never_panics(text in "\\PC{0,50}") {
            let _ = CategoryId::parse(&text);
        }
    }
}
