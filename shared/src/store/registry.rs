//! Every collection, listed once: indexes, erasure and audit take theirs from here, so that a new collection is in all of
//! them by construction. (A backup copies whatever collection the database has.)
//!
//! Must never say what a collection holds.

use mongodb::IndexModel;

use super::accounts::Account;
use super::categories::Category;
use super::entity::{self, Entity};
use super::{counter, idempotency, sessions, totals, transactions, users};

/// Users whose erasure has begun and whose documents are not all removed.
pub(super) const ERASURES: &str = "erasures";

/// A collection.
pub(super) struct Registered {
    pub(super) name: &'static str,
    pub(super) indexes: fn() -> Vec<IndexModel>,
    pub(super) owner: Owner,
}

/// How a collection's documents belong to a user.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Owner {
    /// `userId` names the user, and each document has a number of the user's knowledge; the name is what one is called.
    Versioned(&'static str),
    /// `userId` names the user.
    User,
    /// Its own rules: the users themselves, their counters, and what belongs to nobody.
    None,
}

const fn entities<E: Entity>() -> Registered {
    Registered { name: E::COLLECTION, indexes: entity::indexes, owner: Owner::Versioned(E::KIND) }
}

fn no_index() -> Vec<IndexModel> {
    Vec::new()
}

/// All of them, in the order in which an erasure empties them.
pub(super) const COLLECTIONS: &[Registered] = &[
    Registered {
        name: transactions::TRANSACTIONS,
        indexes: transactions::indexes,
        owner: Owner::Versioned("transaction"),
    },
    Registered { name: totals::MONTHLY, indexes: totals::monthly_indexes, owner: Owner::User },
    Registered { name: totals::DAILY, indexes: totals::daily_indexes, owner: Owner::User },
    entities::<Account>(),
    entities::<Category>(),
    Registered { name: idempotency::COLLECTION, indexes: idempotency::indexes, owner: Owner::User },
    Registered { name: sessions::REFRESH_TOKENS, indexes: sessions::token_indexes, owner: Owner::User },
    Registered { name: sessions::SESSIONS, indexes: sessions::indexes, owner: Owner::User },
    Registered { name: users::USERS, indexes: users::indexes, owner: Owner::None },
    Registered { name: users::GUARDS, indexes: users::guard_indexes, owner: Owner::None },
    Registered { name: counter::LEDGERS, indexes: no_index, owner: Owner::None },
    Registered { name: ERASURES, indexes: no_index, owner: Owner::None },
];

/// The collections whose documents `userId` names.
pub(super) fn owned() -> impl Iterator<Item = &'static Registered> {
    COLLECTIONS.iter().filter(|collection| collection.owner != Owner::None)
}
