//! Accounts: what kinds there are, and the rules that depend on them.
//!
//! Owns the kinds. Never decides who may see an account.

use crate::calendar::Date;
use crate::currency::Currency;
use crate::id::AccountId;
use crate::rejection::Rejection;

crate::words! {
    /// What an account is.
    pub enum AccountKind {
        /// Money for every day, at a bank.
        Checking = "checking",
        /// Money put aside, at a bank.
        Savings = "savings",
        /// Notes and coins.
        Cash = "cash",
        /// A card that is paid later; owes when its balance is negative.
        CreditCard = "credit_card",
        /// Borrowed money; owes when its balance is negative.
        Loan = "loan",
        /// Securities and the like.
        Investment = "investment",
        /// Anything else.
        Other = "other",
    }
}

impl AccountKind {
    /// Money that can be spent today: checking, savings and cash.
    pub const fn is_liquid(self) -> bool {
        matches!(self, AccountKind::Checking | AccountKind::Savings | AccountKind::Cash)
    }

    /// Money that is owed: loans and credit cards.
    pub const fn is_debt(self) -> bool {
        matches!(self, AccountKind::Loan | AccountKind::CreditCard)
    }

    /// A debt with a limit.
    pub const fn is_card(self) -> bool {
        matches!(self, AccountKind::CreditCard)
    }
}

/// What the rules need to know of an account.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AccountFacts {
    /// Which one.
    pub id: AccountId,
    /// Its currency, for life.
    pub currency: Currency,
}

/// The balance in minor units: the opening balance plus what moved since; `None` while the opening balance is unknown, or
/// beyond 64 bits.
pub fn balance_minor(opening_minor: Option<i64>, movement_minor: i64) -> Option<i64> {
    opening_minor.and_then(|opening| opening.checked_add(movement_minor))
}

/// The balance at the close of `as_of`, in minor units; `movement_minor` is what moved from the opening date to then. `None`
/// before the opening date too.
pub fn balance_at_close(
    opening_minor: Option<i64>,
    opening_date: Date,
    movement_minor: i64,
    as_of: Date,
) -> Option<i64> {
    balance_minor(opening_minor.filter(|_| opening_date <= as_of), movement_minor)
}

/// Whether the transactions of `current` may move to `target`, which is `None` where the user has no such account.
///
/// # Errors
/// `invalid_target`, `currency_mismatch`, each of the query parameter `moveTo`.
pub fn check_move(current: AccountFacts, target: Option<AccountFacts>) -> Result<(), Rejection> {
    let refuse = |code, detail: &str| Err(Rejection::new("/query/moveTo", code, detail));
    match target.filter(|target| target.id != current.id) {
        None => refuse("invalid_target", "must be another account of yours"),
        Some(target) if target.currency != current.currency => {
            refuse("currency_mismatch", "must be of the same currency")
        }
        Some(_) => Ok(()),
    }
}

/// Why two accounts with transfers between them cannot become one: the transfers would be from the account to itself.
pub fn transfers_between() -> Rejection {
    let detail = "there are transfers between the two accounts; delete them first";
    Rejection::new("/query/moveTo", "same_account", detail)
}

#[cfg(test)]
mod tests {
    use super::*;
    use jiff::civil::date;
    use proptest::prelude::*;
    use uuid::Uuid;

    #[test]
    fn transactions_move_to_another_account_of_the_same_currency_only() {
        let account = |id, code| AccountFacts {
            id: AccountId::new(Uuid::from_u128(id)),
            currency: Currency::parse(code).unwrap(),
        };
        let code = |target| check_move(account(1, "USD"), target).map_err(|refused| refused.code);
        assert_eq!(code(Some(account(2, "USD"))), Ok(()));
        assert_eq!(code(Some(account(2, "EUR"))), Err("currency_mismatch"));
        assert_eq!(code(Some(account(1, "USD"))), Err("invalid_target"));
        assert_eq!(code(None), Err("invalid_target"));
    }

    #[test]
    fn an_unknown_opening_balance_is_an_unknown_balance() {
        assert_eq!(balance_minor(None, 5), None);
        assert_eq!(balance_minor(Some(-7), 5), Some(-2));
        assert_eq!(balance_minor(Some(i64::MAX), 1), None);
    }

    #[test]
    fn before_the_opening_date_there_is_no_balance() {
        let opened = date(2026, 1, 15);
        assert_eq!(balance_at_close(Some(100), opened, 5, date(2026, 1, 14)), None);
        assert_eq!(balance_at_close(Some(100), opened, 5, opened), Some(105));
        assert_eq!(balance_at_close(None, opened, 5, opened), None);
    }

    #[test]
    fn liquid_debt_and_card_follow_the_kind() {
        let kinds = |of: fn(AccountKind) -> bool| {
            let found = AccountKind::ALL.iter().filter(|kind| of(**kind));
            found.map(|kind| kind.as_str()).collect::<Vec<_>>()
        };
        assert_eq!(kinds(AccountKind::is_liquid), ["checking", "savings", "cash"]);
        assert_eq!(kinds(AccountKind::is_debt), ["credit_card", "loan"]);
        assert_eq!(kinds(AccountKind::is_card), ["credit_card"]);
    }

    proptest! {
        #[test]
        fn a_balance_is_the_exact_sum_or_none(opening in any::<i64>(), movement in any::<i64>()) {
            let sum = i128::from(opening) + i128::from(movement);
            prop_assert_eq!(balance_minor(Some(opening), movement), i64::try_from(sum).ok());
        }
    }
}
