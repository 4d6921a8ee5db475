//! Registers a user with everything that a user begins with, in one MongoDB transaction: there whole, or not at all.
//!
//! Must never decide what a user begins with: the caller does.

use super::accounts::Account;
use super::categories::Category;
use super::entity::{self, Entity, Stamp};
use super::sessions::{self, Session, TokenHash};
use super::tx::{Tx, TxError, WriteError, work};
use super::users::{self, User};
use super::{Store, counter};

/// What a new user starts with.
#[derive(Clone, Debug)]
pub struct NewUser {
    pub user: User,
    pub categories: Vec<Category>,
    pub account: Account,
    pub session: Session,
    pub refresh_token: TokenHash,
}

impl Store {
    /// # Errors
    /// [`WriteError::EmailTaken`].
    pub async fn register(&self, new: NewUser) -> Result<(), WriteError> {
        let user = new.user.id;
        let work = work(new, |tx, new| Box::pin(register(tx, new)));
        self.transact(user, work).await
    }
}

async fn register(tx: &mut Tx, mut new: NewUser) -> Result<(), TxError> {
    users::insert(tx, &new.user).await?;
    let mut knowledge = 0;
    let mut stamp = |now_ms| {
        knowledge += 1;
        Stamp { version: 1, knowledge, created_at_ms: now_ms, updated_at_ms: now_ms }
    };
    for category in &mut new.categories {
        *category.stamp_mut() = stamp(tx.now_ms);
    }
    *new.account.stamp_mut() = stamp(tx.now_ms);
    counter::start(tx, knowledge).await?;
    entity::put_new(tx, &new.categories).await?;
    entity::put_new(tx, std::slice::from_ref(&new.account)).await?;
    sessions::insert(tx, &new.session, &new.refresh_token).await
}
