//! What the financial-health score is computed from: monthly totals and the date of the first transaction. Never the
//! transactions themselves, so that the cost is flat however long the history is.

use std::collections::BTreeMap;

use finance::calendar::{Date, Month};
use finance::currency::Currency;
use finance::id::{CategoryId, UserId};
use finance::ledger::{MonthKey, MonthTotal};

use super::categories::{Categories, Category};
use super::{Store, StoreError, ledger, totals};

/// The facts that a score needs, as the ledger stands.
#[derive(Clone, Debug)]
pub struct ScoreFacts {
    /// The earliest income or expense in the base currency, at the date asked for or before.
    pub first_transaction: Option<Date>,
    pub months: BTreeMap<MonthKey, MonthTotal>,
    pub categories: BTreeMap<CategoryId, Category>,
    pub knowledge: i64,
}

/// The most categories that a score looks up; a page of them all.
const CATEGORIES_MAX: i64 = 10_000;

impl Store {
    /// Reads the facts of a score: the twelve months before `as_of`'s and the first transaction.
    pub async fn score_facts(
        &self,
        user: UserId,
        base: Currency,
        as_of: Date,
    ) -> Result<ScoreFacts, StoreError> {
        let store = self.clone();
        self.run(async move {
            let this_month = Month::of(as_of);
            let range = (this_month.minus(12), this_month.previous());
            let categories = Categories::new(store.clone());
            let (first_transaction, months, list, knowledge) = tokio::try_join!(
                totals::first_flow(&store, user, base, as_of),
                totals::months(&store, user, Some(range)),
                categories.list(user, None, CATEGORIES_MAX),
                ledger::knowledge(&store, user),
            )?;
            let categories = list.into_iter().map(|category| (category.id, category)).collect();
            Ok(ScoreFacts { first_transaction, months, categories, knowledge })
        })
        .await
    }
}
