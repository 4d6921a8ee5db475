//! What the financial-health score is computed from: monthly totals and the date of the first transaction, as of one
//! moment. Never the transactions themselves, so that the cost is flat however long the history is.

use std::sync::Arc;

use finance::calendar::{Date, Month};
use finance::score::{MonthRow, ScoreInput};

use super::entity::UserStore;
use super::tx::{Tx, TxError, work};
use super::{StoreError, reference, totals};

/// The input of a score, as the ledger stands.
#[derive(Clone, Debug)]
pub struct ScoreFacts {
    pub input: ScoreInput,
    pub knowledge: i64,
}

/// Says as of which date the score is wanted, from the user's IANA time zone; `None` refuses.
pub type AsOf = Arc<dyn Fn(&str) -> Option<Date> + Send + Sync>;

/// What came of a read.
#[derive(Clone, Debug)]
pub enum ScoreRead {
    Facts(Box<ScoreFacts>),
    /// The date was refused.
    Refused,
    /// The user is gone.
    UserGone,
}

impl UserStore {
    /// Reads what a score needs: the totals of the twelve months before the date's and the first transaction.
    pub async fn score(&self, as_of: AsOf) -> Result<ScoreRead, StoreError> {
        let work = work(as_of, |tx, as_of| Box::pin(async move { read(tx, &*as_of).await }));
        self.store.read(self.user, work).await
    }
}

async fn read(
    tx: &mut Tx,
    as_of: &(dyn Fn(&str) -> Option<Date> + Send + Sync),
) -> Result<ScoreRead, TxError> {
    let Some(known) = reference::load(tx, false).await? else { return Ok(ScoreRead::UserGone) };
    let Some(as_of) = as_of(&known.time_zone) else { return Ok(ScoreRead::Refused) };
    let this_month = Month::of(as_of);
    let months = totals::months(tx, (this_month.minus(12), this_month.previous())).await?;
    let first_transaction = totals::first_flow(tx, known.currency, as_of).await?;
    let months = months.into_iter().map(|(key, total)| MonthRow {
        month: key.month,
        currency: key.currency,
        category: key
            .category
            .and_then(|id| known.categories.get(&id).map(|category| (id, category.facts()))),
        income: total.income,
        expense: total.expense,
        transactions: total.transactions,
    });
    let input = ScoreInput { as_of, base: known.currency, first_transaction, months: months.collect() };
    Ok(ScoreRead::Facts(Box::new(ScoreFacts { input, knowledge: known.knowledge })))
}
