//! Transactions: what one is, and whether a proposed one may be posted.
//!
//! Owns the rules between a transaction's fields, and says everything that is wrong with one at once. Never looks at who
//! owns the account, nor at text: those are checked before.

use crate::account::AccountFacts;
use crate::calendar::Date;
use crate::category::{CategoryFacts, CategoryKind};
use crate::currency::Currency;
use crate::id::{AccountId, CategoryId};
use crate::money::{AMOUNT_MINOR_MAX, Money};
use crate::rejection::Rejection;

/// Most parts that a transaction is split into.
pub const SPLITS_MAX: usize = 50;

crate::words! {
    /// The direction of a transaction's money.
    pub enum TransactionType {
        /// Into the account, from outside.
        Income = "income",
        /// Out of the account, to outside.
        Expense = "expense",
        /// From one account of the user to another: neither income nor spending.
        Transfer = "transfer",
    }
}

crate::words! {
    /// How far a transaction has come at the bank. All of them count in every total.
    pub enum TransactionStatus {
        /// Not booked yet.
        Pending = "pending",
        /// Booked.
        Cleared = "cleared",
        /// Compared with a statement.
        Reconciled = "reconciled",
    }
}

/// One part of a transaction that was for several things.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Split {
    /// What the part was for.
    pub category_id: CategoryId,
    /// Its share of the amount; positive.
    pub amount_minor: i64,
    /// A remark; no rule reads it.
    pub notes: Option<String>,
}

/// A proposed transaction: each field readable by itself, nothing yet known to fit together.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TransactionDraft {
    /// The account that the money comes to or leaves.
    pub account: AccountFacts,
    /// The direction.
    pub kind: TransactionType,
    /// The amount, in the account's currency.
    pub amount_minor: i64,
    /// The day that it counts on.
    pub date: Date,
    /// What it was for, if for one thing.
    pub category_id: Option<CategoryId>,
    /// What it was for, if for several; empty when it is not split.
    pub splits: Vec<Split>,
    /// Where a transfer goes.
    pub transfer_account: Option<AccountFacts>,
    /// What arrives there, if in another currency.
    pub transfer_amount_minor: Option<i64>,
}

/// The arriving end of a transfer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TransferLeg {
    /// The account that the money comes to.
    pub account_id: AccountId,
    /// How much arrives; positive.
    pub amount_minor: i64,
    /// In that account's currency.
    pub currency: Currency,
}

/// A transaction that obeys every rule, as far as totals and balances depend on it.
///
/// The fields are open so that a stored one can be read back; a new one is made by [`Transaction::post`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Transaction {
    /// The account that the money comes to or leaves.
    pub account_id: AccountId,
    /// The direction.
    pub kind: TransactionType,
    /// The amount; positive.
    pub amount_minor: i64,
    /// The account's currency.
    pub currency: Currency,
    /// The day that it counts on.
    pub date: Date,
    /// What it was for, if for one thing.
    pub category_id: Option<CategoryId>,
    /// What it was for, if for several; empty when it is not split.
    pub splits: Vec<Split>,
    /// The arriving end, of a transfer only.
    pub transfer: Option<TransferLeg>,
}

impl Transaction {
    /// Makes a transaction of a draft, or says all that is wrong with it. `category` knows the user's categories.
    ///
    /// Codes: `amount_out_of_range`, `unknown_category`, `category_kind`, `category_with_splits`, `too_many_splits`,
    /// `splits_sum`, `category_forbidden`, `splits_forbidden`, `transfer_account_required`, `transfer_account_forbidden`,
    /// `same_account`, `transfer_amount_required`, `transfer_amount_forbidden`.
    ///
    /// # Errors
    /// Every rule that the draft breaks.
    pub fn post(
        draft: TransactionDraft,
        category: &impl Fn(CategoryId) -> Option<CategoryFacts>,
    ) -> Result<Transaction, Vec<Rejection>> {
        let mut rejections = Rejections(Vec::new());
        rejections.amount("/amount", draft.amount_minor, draft.account.currency);
        let transfer = if draft.kind == TransactionType::Transfer {
            rejections.transfer(&draft)
        } else {
            rejections.flow(&draft, category);
            None
        };
        if !rejections.0.is_empty() {
            return Err(rejections.0);
        }
        Ok(Transaction {
            account_id: draft.account.id,
            kind: draft.kind,
            amount_minor: draft.amount_minor,
            currency: draft.account.currency,
            date: draft.date,
            category_id: draft.category_id,
            splits: draft.splits,
            transfer,
        })
    }

    /// What the amount was for: one element, or one a split; none for a transfer. The elements sum to the amount.
    pub fn parts(&self) -> Vec<(Option<CategoryId>, i64)> {
        if self.kind == TransactionType::Transfer {
            return Vec::new();
        }
        if self.splits.is_empty() {
            return vec![(self.category_id, self.amount_minor)];
        }
        self.splits.iter().map(|split| (Some(split.category_id), split.amount_minor)).collect()
    }

    /// Moves it from one account to another, at either end of a transfer.
    pub fn change_account(&mut self, from: AccountId, to: AccountId) {
        if self.account_id == from {
            self.account_id = to;
        }
        if let Some(leg) = self.transfer.as_mut().filter(|leg| leg.account_id == from) {
            leg.account_id = to;
        }
    }

    /// Whether both ends are one account, which no transfer may be.
    pub fn is_transfer_to_itself(&self) -> bool {
        self.transfer.is_some_and(|leg| leg.account_id == self.account_id)
    }

    /// Moves it, or its splits, from one category to another.
    pub fn change_category(&mut self, from: CategoryId, to: CategoryId) {
        if self.category_id == Some(from) {
            self.category_id = Some(to);
        }
        for split in self.splits.iter_mut().filter(|split| split.category_id == from) {
            split.category_id = to;
        }
    }

    /// Whether it is the same movement as `other`: amount, date, type, accounts and splits. The category of an unsplit
    /// transaction may differ.
    pub fn is_same_posting(&self, other: &Transaction) -> bool {
        Transaction { category_id: other.category_id, ..self.clone() } == *other
    }

    /// The accounts that it moves: one, or both ends of a transfer.
    pub fn accounts(&self) -> impl Iterator<Item = AccountId> {
        std::iter::once(self.account_id).chain(self.transfer.map(|leg| leg.account_id))
    }
}

struct Rejections(Vec<Rejection>);

impl Rejections {
    fn add(&mut self, field: impl Into<String>, code: &'static str, detail: impl Into<String>) {
        self.0.push(Rejection::new(field, code, detail));
    }

    fn amount(&mut self, field: impl Into<String>, minor: i64, currency: Currency) {
        if !(1..=AMOUNT_MINOR_MAX).contains(&minor) {
            let (least, most) = (Money::new(1, currency), Money::new(AMOUNT_MINOR_MAX, currency));
            self.add(field, "amount_out_of_range", format!("must be from {least} to {most} {currency}"));
        }
    }

    /// The rules of income and expenses.
    fn flow(&mut self, draft: &TransactionDraft, category: &impl Fn(CategoryId) -> Option<CategoryFacts>) {
        if draft.transfer_account.is_some() {
            self.add(
                "/transferAccountId",
                "transfer_account_forbidden",
                "only a transfer has another account",
            );
        }
        if draft.transfer_amount_minor.is_some() {
            self.add("/transferAmount", "transfer_amount_forbidden", "only a transfer has a second amount");
        }
        if let Some(id) = draft.category_id {
            self.category("/categoryId".to_owned(), draft.kind, category(id));
        }
        if draft.splits.is_empty() {
            return;
        }
        if draft.category_id.is_some() {
            self.add(
                "/categoryId",
                "category_with_splits",
                "a split transaction has its categories in the splits",
            );
        }
        if draft.splits.len() > SPLITS_MAX {
            self.add("/splits", "too_many_splits", format!("at most {SPLITS_MAX} splits"));
        }
        for (index, split) in draft.splits.iter().enumerate() {
            self.amount(format!("/splits/{index}/amount"), split.amount_minor, draft.account.currency);
            self.category(format!("/splits/{index}/categoryId"), draft.kind, category(split.category_id));
        }
        let sum = draft.splits.iter().map(|s| i128::from(s.amount_minor)).fold(0, i128::saturating_add);
        if sum != i128::from(draft.amount_minor) {
            let amount = Money::new(draft.amount_minor, draft.account.currency);
            self.add("/splits", "splits_sum", format!("the splits must sum to the amount, {amount}"));
        }
    }

    fn category(&mut self, field: String, kind: TransactionType, facts: Option<CategoryFacts>) {
        match facts {
            None => self.add(field, "unknown_category", "no such category"),
            Some(facts) if kind == TransactionType::Expense && facts.kind == CategoryKind::Income => {
                self.add(field, "category_kind", "an expense cannot be in an income category");
            }
            // Income in an expense category is a refund.
            Some(_) => {}
        }
    }

    /// The rules of transfers.
    fn transfer(&mut self, draft: &TransactionDraft) -> Option<TransferLeg> {
        if draft.category_id.is_some() {
            self.add("/categoryId", "category_forbidden", "a transfer has no category");
        }
        if !draft.splits.is_empty() {
            self.add("/splits", "splits_forbidden", "a transfer has no splits");
        }
        if let Some(minor) = draft.transfer_amount_minor {
            let currency = draft.transfer_account.map_or(draft.account.currency, |other| other.currency);
            self.amount("/transferAmount", minor, currency);
        }
        let Some(other) = draft.transfer_account else {
            self.add("/transferAccountId", "transfer_account_required", "a transfer needs another account");
            return None;
        };
        if other.id == draft.account.id {
            self.add("/transferAccountId", "same_account", "a transfer needs two different accounts");
        }
        let amount_minor = match (other.currency == draft.account.currency, draft.transfer_amount_minor) {
            (true, None) => draft.amount_minor,
            (false, Some(minor)) => minor,
            (true, Some(_)) => {
                self.add(
                    "/transferAmount",
                    "transfer_amount_forbidden",
                    "between accounts of one currency the amount is the same",
                );
                return None;
            }
            (false, None) => {
                self.add(
                    "/transferAmount",
                    "transfer_amount_required",
                    format!("between currencies, say how much arrives in {}", other.currency),
                );
                return None;
            }
        };
        Some(TransferLeg { account_id: other.id, amount_minor, currency: other.currency })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use jiff::civil::date;
    use proptest::prelude::*;
    use uuid::Uuid;

    const FOOD: u128 = 1;
    const SHOPPING: u128 = 2;
    const SALARY: u128 = 3;
    const UNKNOWN: u128 = 9;

    fn category(n: u128) -> CategoryId {
        CategoryId::new(Uuid::from_u128(n))
    }

    fn facts(id: CategoryId) -> Option<CategoryFacts> {
        match id.uuid().as_u128() {
            FOOD => Some(CategoryFacts { kind: CategoryKind::Expense, essential: true }),
            SHOPPING => Some(CategoryFacts { kind: CategoryKind::Expense, essential: false }),
            SALARY => Some(CategoryFacts { kind: CategoryKind::Income, essential: false }),
            _ => None,
        }
    }

    fn account(n: u128, code: &str) -> AccountFacts {
        AccountFacts { id: AccountId::new(Uuid::from_u128(n)), currency: Currency::parse(code).unwrap() }
    }

    fn split(n: u128, amount_minor: i64) -> Split {
        Split { category_id: category(n), amount_minor, notes: None }
    }

    fn draft(kind: TransactionType) -> TransactionDraft {
        TransactionDraft {
            account: account(1, "USD"),
            kind,
            amount_minor: 1000,
            date: date(2026, 1, 15),
            category_id: None,
            splits: Vec::new(),
            transfer_account: (kind == TransactionType::Transfer).then(|| account(2, "USD")),
            transfer_amount_minor: None,
        }
    }

    fn expense() -> TransactionDraft {
        draft(TransactionType::Expense)
    }

    fn transfer() -> TransactionDraft {
        draft(TransactionType::Transfer)
    }

    fn check(draft: TransactionDraft, expected: &[(&str, &str)]) {
        let rejected = Transaction::post(draft.clone(), &facts).err().unwrap_or_default();
        let found: Vec<_> = rejected.iter().map(|r| (r.pointer.as_str(), r.code)).collect();
        assert_eq!(found, expected, "{draft:?}");
    }

    #[test]
    fn what_obeys_the_rules_is_posted() {
        check(expense(), &[]);
        check(draft(TransactionType::Income), &[]);
        check(transfer(), &[]);
        check(TransactionDraft { category_id: Some(category(FOOD)), ..expense() }, &[]);
        check(TransactionDraft { splits: vec![split(FOOD, 1000)], ..expense() }, &[]);
        check(TransactionDraft { splits: vec![split(FOOD, 400), split(FOOD, 600)], ..expense() }, &[]);
        check(TransactionDraft { amount_minor: 1, ..expense() }, &[]);
        check(TransactionDraft { amount_minor: AMOUNT_MINOR_MAX, ..expense() }, &[]);
        let fifty = vec![split(FOOD, 20); SPLITS_MAX];
        check(TransactionDraft { splits: fifty, ..expense() }, &[]);
        let abroad = Some(account(2, "JPY"));
        check(
            TransactionDraft { transfer_account: abroad, transfer_amount_minor: Some(1500), ..transfer() },
            &[],
        );
    }

    #[test]
    fn a_refund_is_income_in_an_expense_category_but_the_reverse_is_refused() {
        let refund = TransactionDraft { category_id: Some(category(FOOD)), ..draft(TransactionType::Income) };
        check(refund, &[]);
        let salary = Some(category(SALARY));
        check(TransactionDraft { category_id: salary, ..draft(TransactionType::Income) }, &[]);
        check(TransactionDraft { category_id: salary, ..expense() }, &[("/categoryId", "category_kind")]);
        let splits = vec![split(FOOD, 400), split(SALARY, 600)];
        check(TransactionDraft { splits, ..expense() }, &[("/splits/1/categoryId", "category_kind")]);
    }

    #[test]
    fn amounts_are_positive_and_limited() {
        for amount_minor in [0, -1, i64::MIN, AMOUNT_MINOR_MAX + 1, i64::MAX] {
            check(TransactionDraft { amount_minor, ..expense() }, &[("/amount", "amount_out_of_range")]);
        }
        let splits = vec![split(FOOD, 1500), split(SHOPPING, -500)];
        check(TransactionDraft { splits, ..expense() }, &[("/splits/1/amount", "amount_out_of_range")]);
        let splits = vec![split(FOOD, 1000), split(SHOPPING, 0)];
        check(TransactionDraft { splits, ..expense() }, &[("/splits/1/amount", "amount_out_of_range")]);
    }

    #[test]
    fn splits_sum_exactly_and_replace_the_category() {
        let splits = vec![split(FOOD, 400), split(SHOPPING, 599)];
        check(TransactionDraft { splits: splits.clone(), ..expense() }, &[("/splits", "splits_sum")]);
        let both = TransactionDraft { category_id: Some(category(FOOD)), splits, ..expense() };
        check(both, &[("/categoryId", "category_with_splits"), ("/splits", "splits_sum")]);
        let many = vec![split(FOOD, 1); SPLITS_MAX + 1];
        check(
            TransactionDraft { splits: many, amount_minor: 51, ..expense() },
            &[("/splits", "too_many_splits")],
        );
    }

    #[test]
    fn an_unknown_category_is_named_where_it_stands() {
        let unknown = Some(category(UNKNOWN));
        check(TransactionDraft { category_id: unknown, ..expense() }, &[("/categoryId", "unknown_category")]);
        let splits = vec![split(UNKNOWN, 400), split(FOOD, 600)];
        check(TransactionDraft { splits, ..expense() }, &[("/splits/0/categoryId", "unknown_category")]);
    }

    #[test]
    fn a_transfer_needs_another_account_and_no_category() {
        let here = Some(account(1, "USD"));
        let lost = TransactionDraft { transfer_account: None, ..transfer() };
        check(lost, &[("/transferAccountId", "transfer_account_required")]);
        let same = TransactionDraft { transfer_account: here, ..transfer() };
        check(same, &[("/transferAccountId", "same_account")]);
        let labelled = TransactionDraft {
            category_id: Some(category(FOOD)),
            splits: vec![split(FOOD, 1000)],
            ..transfer()
        };
        check(labelled, &[("/categoryId", "category_forbidden"), ("/splits", "splits_forbidden")]);
    }

    #[test]
    fn a_second_amount_is_given_between_currencies_and_only_there() {
        let abroad = Some(account(2, "JPY"));
        let silent = TransactionDraft { transfer_account: abroad, ..transfer() };
        check(silent, &[("/transferAmount", "transfer_amount_required")]);
        let repeated = TransactionDraft { transfer_amount_minor: Some(1000), ..transfer() };
        check(repeated, &[("/transferAmount", "transfer_amount_forbidden")]);
        let nothing =
            TransactionDraft { transfer_account: abroad, transfer_amount_minor: Some(0), ..transfer() };
        check(nothing, &[("/transferAmount", "amount_out_of_range")]);
    }

    #[test]
    fn only_a_transfer_has_a_second_account() {
        let confused = TransactionDraft {
            transfer_account: Some(account(2, "USD")),
            transfer_amount_minor: Some(5),
            ..expense()
        };
        check(
            confused,
            &[
                ("/transferAccountId", "transfer_account_forbidden"),
                ("/transferAmount", "transfer_amount_forbidden"),
            ],
        );
    }

    #[test]
    fn everything_wrong_is_said_at_once() {
        let draft = TransactionDraft {
            amount_minor: 0,
            category_id: Some(category(UNKNOWN)),
            splits: vec![split(SALARY, -1)],
            transfer_account: Some(account(1, "USD")),
            transfer_amount_minor: Some(1),
            ..expense()
        };
        check(
            draft,
            &[
                ("/amount", "amount_out_of_range"),
                ("/transferAccountId", "transfer_account_forbidden"),
                ("/transferAmount", "transfer_amount_forbidden"),
                ("/categoryId", "unknown_category"),
                ("/categoryId", "category_with_splits"),
                ("/splits/0/amount", "amount_out_of_range"),
                ("/splits/0/categoryId", "category_kind"),
                ("/splits", "splits_sum"),
            ],
        );
    }

    #[test]
    fn the_arriving_leg_is_in_the_other_currency() {
        let abroad = TransactionDraft {
            transfer_account: Some(account(2, "JPY")),
            transfer_amount_minor: Some(1500),
            ..transfer()
        };
        let posted = Transaction::post(abroad, &facts).unwrap();
        let leg = posted.transfer.unwrap();
        assert_eq!((leg.amount_minor, leg.currency.code(), posted.currency.code()), (1500, "JPY", "USD"));
        assert_eq!(posted.accounts().count(), 2);
        assert!(posted.parts().is_empty());
    }

    #[test]
    fn a_move_replaces_the_account_at_both_ends() {
        let (one, two, three) = (account(1, "USD").id, account(2, "USD").id, account(3, "USD").id);
        let posted = Transaction::post(transfer(), &facts).unwrap();
        let moved = |from, to| {
            let mut moved = posted.clone();
            moved.change_account(from, to);
            moved
        };
        let ends = |from, to| moved(from, to).accounts().collect::<Vec<_>>();
        assert_eq!(ends(one, three), [three, two]);
        assert_eq!(ends(two, three), [one, three]);
        assert_eq!(ends(three, one), [one, two]);
        assert!(!moved(one, three).is_transfer_to_itself());
        assert!(moved(one, two).is_transfer_to_itself());
        assert!(!Transaction::post(expense(), &facts).unwrap().is_transfer_to_itself());
    }

    #[test]
    fn a_move_replaces_the_category_in_every_split() {
        let splits = vec![split(FOOD, 400), split(SHOPPING, 600)];
        let mut posted = Transaction::post(TransactionDraft { splits, ..expense() }, &facts).unwrap();
        posted.change_category(category(FOOD), category(SHOPPING));
        assert_eq!(posted.parts(), [(Some(category(SHOPPING)), 400), (Some(category(SHOPPING)), 600)]);
        let single = TransactionDraft { category_id: Some(category(FOOD)), ..expense() };
        let mut posted = Transaction::post(single, &facts).unwrap();
        posted.change_category(category(SALARY), category(SHOPPING));
        assert_eq!(posted.category_id, Some(category(FOOD)));
        posted.change_category(category(FOOD), category(SHOPPING));
        assert_eq!(posted.category_id, Some(category(SHOPPING)));
    }

    proptest! {
        #[test]
        fn parts_always_sum_to_the_amount(amounts in proptest::collection::vec(1_i64..1_000_000, 0..20)) {
            let splits: Vec<_> = amounts.iter().map(|a| split(FOOD, *a)).collect();
            let amount_minor = amounts.iter().sum::<i64>().max(1);
            let posted = Transaction::post(TransactionDraft { splits, amount_minor, ..expense() }, &facts).unwrap();
            prop_assert_eq!(posted.parts().iter().map(|(_, amount)| amount).sum::<i64>(), amount_minor);
        }

        #[test]
        fn splits_with_another_sum_are_never_posted(
            amounts in proptest::collection::vec(any::<i64>(), 1..5), amount_minor in any::<i64>(),
        ) {
            let sum: i128 = amounts.iter().map(|a| i128::from(*a)).sum();
            prop_assume!(sum != i128::from(amount_minor));
            let splits = amounts.iter().map(|a| split(FOOD, *a)).collect();
            let posted = Transaction::post(TransactionDraft { splits, amount_minor, ..expense() }, &facts);
            prop_assert!(posted.is_err());
        }
    }
}
