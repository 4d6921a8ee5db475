//! Categories: what a transaction was for, as far as rules depend on it.
//!
//! Owns the kinds and the list that a new user starts with. Never decides who may see a category.

use crate::id::CategoryId;
use crate::rejection::Rejection;

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

/// A category and its place in the tree, which has two levels.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CategoryNode {
    /// Which one.
    pub id: CategoryId,
    /// Its side.
    pub kind: CategoryKind,
    /// The category above it.
    pub parent: Option<CategoryId>,
}

/// Whether `category` may stand where it does among `all` of the user's.
///
/// # Errors
/// `unknown_category`, `category_kind`, `too_deep`, each of the field `parentId`.
pub fn check_parent(all: &[CategoryNode], category: CategoryNode) -> Result<(), Rejection> {
    let Some(parent_id) = category.parent else { return Ok(()) };
    let refuse = |code, detail: &str| Err(Rejection::new("/parentId", code, detail));
    let Some(parent) = all.iter().find(|other| other.id == parent_id) else {
        return refuse("unknown_category", "is no category of yours");
    };
    if parent.kind != category.kind {
        return refuse("category_kind", "must be of the same kind");
    }
    let has_children = all.iter().any(|other| other.parent == Some(category.id));
    if parent.id == category.id || parent.parent.is_some() || has_children {
        return refuse("too_deep", "categories are at most two levels deep");
    }
    Ok(())
}

/// Whether what uses `current` may move to `target`, which is `None` where the user has no such category.
///
/// # Errors
/// `invalid_target` of the query parameter `moveTo`.
pub fn check_move(current: CategoryNode, target: Option<CategoryNode>) -> Result<CategoryNode, Rejection> {
    target.filter(|target| target.id != current.id && target.kind == current.kind).ok_or_else(|| {
        let detail = "must be another category of yours, of the same kind";
        Rejection::new("/query/moveTo", "invalid_target", detail)
    })
}

/// The new parent of a child of `deleted`, whose children move to `target`: the target, or its parent where the target is a
/// child itself. None where that would be the child itself, or what is deleted.
pub fn parent_after_move(deleted: CategoryId, target: CategoryNode, child: CategoryId) -> Option<CategoryId> {
    Some(target.parent.unwrap_or(target.id)).filter(|parent| *parent != child && *parent != deleted)
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

    fn node(id: u128, kind: CategoryKind, parent: Option<u128>) -> CategoryNode {
        let id_of = |id| CategoryId::new(uuid::Uuid::from_u128(id));
        CategoryNode { id: id_of(id), kind, parent: parent.map(id_of) }
    }

    #[test]
    fn a_parent_is_of_the_same_kind_and_has_none_itself() {
        use CategoryKind::{Expense, Income};
        let all = [node(1, Expense, None), node(2, Expense, Some(1)), node(3, Income, None)];
        let code = |category| check_parent(&all, category).map_err(|refused| refused.code);
        assert_eq!(code(node(4, Expense, None)), Ok(()));
        assert_eq!(code(node(4, Expense, Some(1))), Ok(()));
        assert_eq!(code(node(4, Expense, Some(9))), Err("unknown_category"));
        assert_eq!(code(node(4, Expense, Some(3))), Err("category_kind"));
        assert_eq!(code(node(4, Expense, Some(2))), Err("too_deep"));
        assert_eq!(code(node(1, Expense, Some(1))), Err("too_deep"));
    }

    #[test]
    fn children_move_below_the_target_or_its_parent_and_never_below_themselves() {
        use CategoryKind::{Expense, Income};
        let (deleted, top, child) =
            (node(1, Expense, None), node(2, Expense, None), node(3, Expense, Some(1)));
        assert_eq!(check_move(deleted, Some(top)), Ok(top));
        for bad in [None, Some(deleted), Some(node(4, Income, None))] {
            assert_eq!(check_move(deleted, bad).map_err(|refused| refused.code), Err("invalid_target"));
        }
        assert_eq!(parent_after_move(deleted.id, top, child.id), Some(top.id));
        assert_eq!(parent_after_move(deleted.id, node(5, Expense, Some(2)), child.id), Some(top.id));
        // The target is the child itself, or another child of what is deleted.
        assert_eq!(parent_after_move(deleted.id, child, child.id), None);
        assert_eq!(parent_after_move(deleted.id, node(6, Expense, Some(1)), child.id), None);
    }

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
