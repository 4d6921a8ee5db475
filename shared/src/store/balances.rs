//! Accounts with their balances at the close of a day, all of one moment. Must never write.

use finance::account::balance_at_close;
use finance::calendar::Date;
use finance::id::AccountId;
use mongodb::bson::doc;

use super::accounts::Account;
use super::entity::{self, Entity, UserStore};
use super::tx::work;
use super::{StoreError, totals, uuid_of};

impl UserStore {
    /// At most `limit` accounts after one, oldest first, each with its balance at the close of `as_of`; before its opening
    /// date it has none.
    pub async fn accounts_at_close(
        &self,
        after: Option<AccountId>,
        limit: i64,
        as_of: Date,
    ) -> Result<Vec<(Account, Option<i64>)>, StoreError> {
        let work = work((), move |tx, ()| {
            Box::pin(async move {
                let mut filter = entity::mine(tx.user);
                if let Some(after) = after {
                    filter.insert("_id", doc! {"$gt": uuid_of(after.uuid())});
                }
                let collection = tx.collection(Account::COLLECTION);
                let found = collection.find(filter).sort(doc! {"_id": 1}).limit(limit);
                let batch = u32::try_from(limit).unwrap_or(u32::MAX);
                let mut found = found.batch_size(batch).session(&mut tx.session).await?;
                let mut accounts: Vec<Account> = Vec::new();
                while let Some(next) = found.next(&mut tx.session).await {
                    accounts.push(entity::from_document(next?)?);
                }
                let openings: Vec<_> =
                    accounts.iter().map(|account| (account.id, account.opening_date)).collect();
                let moved = totals::movements_until(tx, &openings, as_of).await?;
                let at_close = accounts.into_iter().map(|account| {
                    let moved = moved.get(&account.id).copied().unwrap_or(0);
                    let balance = balance_at_close(account.opening_minor, account.opening_date, moved, as_of);
                    (account, balance)
                });
                Ok(at_close.collect())
            })
        });
        self.store.read(self.user, work).await
    }
}
