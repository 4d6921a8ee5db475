//! Closed sets of words: enums whose values have one fixed name each, on the wire and in the store.
//!
//! Owns the macro [`words!`](crate::words) and what all such sets have in common. Never decides what a word means.

/// A value of a closed set, made by [`words!`](crate::words).
pub trait Word: Copy + Sized + 'static {
    /// Every value, in the order of declaration.
    const ALL: &'static [Self];
    /// The names of [`Word::ALL`], in the same order.
    const NAMES: &'static [&'static str];

    /// The name on the wire and in the store.
    fn as_str(self) -> &'static str;

    /// Reads [`Word::as_str`]; exactly, in this case and without spaces.
    fn parse(text: &str) -> Option<Self>;

    /// The names for a sentence: `income, expense or transfer`.
    fn list() -> String {
        match Self::NAMES {
            [] => String::new(),
            [only] => (*only).to_owned(),
            [first @ .., last] => format!("{} or {last}", first.join(", ")),
        }
    }
}

/// Declares a closed set of words: the enum, `ALL`, `as_str`, `parse` and its [`Word`].
///
/// ```
/// use finance::words::Word;
///
/// finance::words! {
///     /// How often.
///     pub enum Period {
///         /// Every week.
///         Weekly = "weekly",
///         /// Every month.
///         Monthly = "monthly",
///         /// Every year.
///         Yearly = "yearly",
///     }
/// }
///
/// assert_eq!(Period::Monthly.as_str(), "monthly");
/// assert_eq!(Period::parse("yearly"), Some(Period::Yearly));
/// assert_eq!(Period::parse("Yearly"), None);
/// assert_eq!(Period::ALL.len(), 3);
/// assert_eq!(Period::list(), "weekly, monthly or yearly");
/// ```
#[macro_export]
macro_rules! words {
    ($(#[$meta:meta])* $vis:vis enum $name:ident { $($(#[$doc:meta])* $variant:ident = $word:literal,)+ }) => {
        $(#[$meta])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        $vis enum $name { $($(#[$doc])* $variant,)+ }

        impl $name {
            /// Every value, in the order of declaration.
            $vis const ALL: &'static [Self] = &[$(Self::$variant),+];

            /// The name on the wire and in the store.
            $vis const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $word,)+ }
            }

            #[doc = concat!("Reads [`", stringify!($name), "::as_str`].")]
            $vis fn parse(text: &str) -> Option<Self> {
                match text { $($word => Some(Self::$variant),)+ _ => None }
            }
        }

        impl $crate::words::Word for $name {
            const ALL: &'static [Self] = Self::ALL;
            const NAMES: &'static [&'static str] = &[$($word),+];

            fn as_str(self) -> &'static str {
                <$name>::as_str(self)
            }

            fn parse(text: &str) -> Option<Self> {
                <$name>::parse(text)
            }
        }
    };
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::account::AccountKind;
    use crate::category::CategoryKind;
    use crate::score::{Absence, Basis, ChangeKind, Confidence, Grade, MissingFact, Reason, Unit};
    use crate::summary::GroupBy;
    use crate::transaction::{TransactionStatus, TransactionType};
    use std::collections::BTreeSet;

    fn check<T: Word + PartialEq + std::fmt::Debug>() {
        assert_eq!(T::ALL.len(), T::NAMES.len());
        assert_eq!(T::NAMES.iter().collect::<BTreeSet<_>>().len(), T::ALL.len(), "{:?}", T::NAMES);
        for (value, name) in T::ALL.iter().zip(T::NAMES) {
            assert_eq!((value.as_str(), T::parse(name)), (*name, Some(*value)));
            assert_eq!(T::parse(&format!("{name} ")), None);
            let lower = name.to_lowercase();
            let other_case = if lower == *name { name.to_uppercase() } else { lower };
            assert_eq!(T::parse(&other_case), None);
        }
        assert_eq!(T::parse(""), None);
    }

    #[test]
    fn every_word_reads_back_and_nothing_else_does() {
        check::<AccountKind>();
        check::<CategoryKind>();
        check::<TransactionType>();
        check::<TransactionStatus>();
        check::<GroupBy>();
        check::<Grade>();
        check::<Confidence>();
        check::<Reason>();
        check::<Absence>();
        check::<Unit>();
        check::<Basis>();
        check::<ChangeKind>();
        check::<MissingFact>();
    }

    #[test]
    fn a_list_reads_as_a_sentence_does() {
        words! {
            /// One word.
            enum One {
                /// It.
                Only = "only",
            }
        }
        assert_eq!(One::list(), "only");
        assert_eq!(CategoryKind::list(), "income or expense");
        assert_eq!(TransactionType::list(), "income, expense or transfer");
        assert_eq!(AccountKind::list(), "checking, savings, cash, credit_card, loan, investment or other");
    }
}
