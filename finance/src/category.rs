//! Categories: what a transaction was for, as far as rules depend on it.
//!
//! Owns the kinds and the list that a new user starts with. Never decides who may see a category.

crate::words! {
    /// Which side of the ledger a category is of. An income-typed transaction in an [`CategoryKind::Expense`] category is a
    /// refund.
    pub enum CategoryKind {
        /// Money that comes in.
        Income = "income",
        /// Money that goes out.
        Expense = "expense",
    }
}

/// What the rules need to know of a category.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct CategoryFacts {
    /// Its side.
    pub kind: CategoryKind,
    /// Whether its spending is hard to do without; weighs only in categories of kind expense.
    pub essential: bool,
}

/// A category that every new user gets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DefaultCategory {
    /// Its name.
    pub name: &'static str,
    /// Its side.
    pub kind: CategoryKind,
    /// Whether it is essential.
    pub essential: bool,
}

const fn income(name: &'static str) -> DefaultCategory {
    DefaultCategory { name, kind: CategoryKind::Income, essential: false }
}

const fn expense(name: &'static str) -> DefaultCategory {
    DefaultCategory { name, kind: CategoryKind::Expense, essential: false }
}

const fn essential(name: &'static str) -> DefaultCategory {
    DefaultCategory { name, kind: CategoryKind::Expense, essential: true }
}

/// The categories of a new user, in the order in which they are shown.
pub const DEFAULT_CATEGORIES: [DefaultCategory; 16] = [
    income("Salary"),
    income("Freelance"),
    income("Investments"),
    income("Other Income"),
    essential("Housing"),
    essential("Transportation"),
    essential("Food & Dining"),
    expense("Shopping"),
    expense("Entertainment"),
    essential("Healthcare"),
    essential("Education"),
    essential("Utilities"),
    essential("Insurance"),
    expense("Personal Care"),
    expense("Travel"),
    expense("Other Expenses"),
];

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn the_defaults_are_distinct_and_seven_are_essential() {
        let names: BTreeSet<_> = DEFAULT_CATEGORIES.iter().map(|c| c.name).collect();
        assert_eq!(names.len(), 16);
        let essential: Vec<_> = DEFAULT_CATEGORIES.iter().filter(|c| c.essential).map(|c| c.name).collect();
        let expected = [
            "Housing",
            "Transportation",
            "Food & Dining",
            "Healthcare",
            "Education",
            "Utilities",
            "Insurance",
        ];
        assert_eq!(essential, expected);
        assert!(DEFAULT_CATEGORIES.iter().all(|c| !c.essential || c.kind == CategoryKind::Expense));
    }
}
