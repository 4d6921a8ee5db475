//! Summaries: rows folded into groups and totals, per currency, never mixed.
//!
//! Owns what counts as income and what as spending in a summary. Never reads transactions: the rows come already
//! grouped, and totals are made from rows of distinct transactions, since a row may stand in several groups (tags).

use std::collections::BTreeMap;

use crate::category::{CategoryFacts, CategoryKind};
use crate::currency::Currency;
use crate::ledger::Overflow;
use crate::transaction::TransactionType;

crate::words! {
    /// What a summary's groups are.
    pub enum GroupBy {
        /// Calendar months.
        Month = "month",
        /// Categories; a split counts in each of its own.
        Category = "category",
        /// Accounts.
        Account = "account",
        /// Merchants.
        Merchant = "merchant",
        /// Tags; a transaction counts under each of its own.
        Tag = "tag",
    }
}

/// An amount to be folded in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SummaryRow {
    /// The group, by which groups are told apart and sorted.
    pub key: String,
    /// The group's name. Should rows of one key differ in it, the first in the alphabet is shown.
    pub label: String,
    /// The currency of the amount.
    pub currency: Currency,
    /// The type of the transactions.
    pub kind: TransactionType,
    /// What they were for, if that is known.
    pub category: Option<CategoryFacts>,
    /// Their sum; positive.
    pub amount_minor: i128,
    /// How many they are.
    pub count: i64,
}

/// The sums of one group in one currency, in minor units.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Group {
    /// The group.
    pub key: String,
    /// Its name.
    pub label: String,
    /// The currency of the sums.
    pub currency: Currency,
    /// What came in, refunds not.
    pub income: i64,
    /// What went out, less refunds: negative when more came back.
    pub expense: i64,
    /// Income less expense.
    pub net: i64,
    /// How many rows or transactions, as the rows counted.
    pub count: i64,
}

/// The sums of everything in one currency, in minor units.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Total {
    /// The currency of the sums.
    pub currency: Currency,
    /// What came in, refunds not.
    pub income: i64,
    /// What went out, less refunds.
    pub expense: i64,
    /// Income less expense.
    pub net: i64,
    /// How many, as the rows counted.
    pub count: i64,
}

#[derive(Default)]
struct Sums {
    income: i128,
    expense: i128,
    count: i64,
}

impl Sums {
    fn take(&mut self, row: &SummaryRow) -> Result<(), Overflow> {
        let refund = row.category.is_some_and(|facts| facts.kind == CategoryKind::Expense);
        let (sum, amount) = match row.kind {
            TransactionType::Income if refund => {
                (&mut self.expense, row.amount_minor.checked_neg().ok_or(Overflow)?)
            }
            TransactionType::Income => (&mut self.income, row.amount_minor),
            TransactionType::Expense => (&mut self.expense, row.amount_minor),
            TransactionType::Transfer => return Ok(()),
        };
        *sum = sum.checked_add(amount).ok_or(Overflow)?;
        self.count = self.count.checked_add(row.count).ok_or(Overflow)?;
        Ok(())
    }

    fn total(&self, currency: Currency) -> Result<Total, Overflow> {
        let fit = |sum: i128| i64::try_from(sum).map_err(|_| Overflow);
        let (income, expense) = (fit(self.income)?, fit(self.expense)?);
        let net = income.checked_sub(expense).ok_or(Overflow)?;
        Ok(Total { currency, income, expense, net, count: self.count })
    }
}

/// Folds rows into one group per key and currency, sorted by both. Transfers are in none.
///
/// # Errors
/// [`Overflow`].
pub fn groups(rows: &[SummaryRow]) -> Result<Vec<Group>, Overflow> {
    let mut found: BTreeMap<(&str, Currency), (&str, Sums)> = BTreeMap::new();
    for row in rows.iter().filter(|row| row.kind != TransactionType::Transfer) {
        let (label, sums) = found
            .entry((row.key.as_str(), row.currency))
            .or_insert_with(|| (row.label.as_str(), Sums::default()));
        *label = row.label.as_str().min(*label);
        sums.take(row)?;
    }
    let group = |((key, currency), (label, sums)): ((&str, Currency), (&str, Sums))| {
        let Total { income, expense, net, count, .. } = sums.total(currency)?;
        Ok(Group { key: key.to_owned(), label: label.to_owned(), currency, income, expense, net, count })
    };
    found.into_iter().map(group).collect()
}

/// Folds rows of distinct transactions into one total per currency, sorted by it. Transfers are in none; keys and labels
/// do not matter.
///
/// # Errors
/// [`Overflow`].
pub fn totals(rows: &[SummaryRow]) -> Result<Vec<Total>, Overflow> {
    let mut found: BTreeMap<Currency, Sums> = BTreeMap::new();
    for row in rows.iter().filter(|row| row.kind != TransactionType::Transfer) {
        found.entry(row.currency).or_default().take(row)?;
    }
    found.into_iter().map(|(currency, sums)| sums.total(currency)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const FOOD: Option<CategoryFacts> = Some(CategoryFacts { kind: CategoryKind::Expense, essential: true });
    const SALARY: Option<CategoryFacts> =
        Some(CategoryFacts { kind: CategoryKind::Income, essential: false });

    fn row(
        key: &str,
        code: &str,
        kind: TransactionType,
        category: Option<CategoryFacts>,
        amount: i128,
    ) -> SummaryRow {
        SummaryRow {
            key: key.to_owned(),
            label: key.to_uppercase(),
            currency: Currency::parse(code).unwrap(),
            kind,
            category,
            amount_minor: amount,
            count: 1,
        }
    }

    #[test]
    fn refunds_lower_spending_and_transfers_are_nowhere() {
        use TransactionType::{Expense, Income, Transfer};
        let rows = [
            row("a", "USD", Income, SALARY, 1000),
            row("a", "USD", Income, None, 50),
            row("a", "USD", Expense, FOOD, 300),
            row("a", "USD", Income, FOOD, 100),
            row("a", "EUR", Expense, None, 7),
            row("a", "USD", Transfer, None, 9999),
            row("b", "USD", Income, FOOD, 40),
            row("c", "USD", Transfer, None, 1),
        ];
        let lines: Vec<_> = groups(&rows)
            .unwrap()
            .into_iter()
            .map(|g| (g.key, g.label, g.currency.code(), g.income, g.expense, g.net, g.count))
            .collect();
        assert_eq!(
            lines,
            [
                ("a".to_owned(), "A".to_owned(), "EUR", 0, 7, -7, 1),
                ("a".to_owned(), "A".to_owned(), "USD", 1050, 200, 850, 4),
                ("b".to_owned(), "B".to_owned(), "USD", 0, -40, 40, 1),
            ]
        );
        let lines: Vec<_> = totals(&rows)
            .unwrap()
            .iter()
            .map(|t| (t.currency.code(), t.income, t.expense, t.net, t.count))
            .collect();
        assert_eq!(lines, [("EUR", 0, 7, -7, 1), ("USD", 1050, 160, 890, 5)]);
    }

    #[test]
    fn a_sum_that_does_not_fit_is_an_error() {
        let most = i128::from(i64::MAX);
        let income = |amount| row("a", "USD", TransactionType::Income, None, amount);
        let expense = |amount| row("a", "USD", TransactionType::Expense, None, amount);
        assert!(groups(&[income(most)]).is_ok());
        assert_eq!(groups(&[income(most), income(1)]), Err(Overflow));
        assert_eq!(totals(&[income(most), row("a", "USD", TransactionType::Income, FOOD, 1)]), Err(Overflow));
        assert!(totals(&[income(most), expense(most)]).is_ok());
    }

    fn any_row() -> impl Strategy<Value = SummaryRow> {
        use TransactionType::{Expense, Income, Transfer};
        (
            proptest::sample::select(&["a", "b", "c"]),
            proptest::sample::select(&["USD", "EUR"]),
            proptest::sample::select(&[Income, Expense, Transfer]),
            proptest::sample::select(&[None, FOOD, SALARY]),
            1_i128..1_000_000,
        )
            .prop_map(|(key, code, kind, category, amount)| row(key, code, kind, category, amount))
    }

    proptest! {
        #[test]
        fn groups_of_distinct_rows_sum_to_the_totals_in_any_order(
            rows in proptest::collection::vec(any_row(), 0..30).prop_flat_map(|rows| (Just(rows.clone()), Just(rows).prop_shuffle())),
        ) {
            let (rows, shuffled) = rows;
            let found = groups(&rows).unwrap();
            prop_assert_eq!(&found, &groups(&shuffled).unwrap());
            for total in totals(&rows).unwrap() {
                let own = || found.iter().filter(|g| g.currency == total.currency);
                prop_assert_eq!(own().map(|g| g.income).sum::<i64>(), total.income);
                prop_assert_eq!(own().map(|g| g.expense).sum::<i64>(), total.expense);
                prop_assert_eq!(own().map(|g| g.net).sum::<i64>(), total.net);
                prop_assert_eq!(own().map(|g| g.count).sum::<i64>(), total.count);
            }
        }
    }
}
