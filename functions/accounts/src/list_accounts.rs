//! `GET /accounts`: now, or as of the close of a day.

use finance::id::AccountId;
use shared::edge::respond::Answer;
use shared::edge::{Params, Problem, Signed};
use shared::store::accounts::Account;

use crate::view::AccountView;

pub(crate) async fn list_accounts(me: Signed, mut query: Params) -> Result<Answer, Problem> {
    let as_of = query.date("asOf");
    let page = query.page::<AccountId>(&me)?;
    let (after, limit) = (page.after().copied(), page.limit.saturating_add(1));
    let found: Vec<(Account, Option<i64>)> = match as_of {
        Some(as_of) => me.store().accounts_at_close(after, limit, as_of).await?,
        None => {
            let accounts = me.store().list::<Account>(after, limit).await?;
            accounts
                .into_iter()
                .map(|account| {
                    let balance = account.balance_minor();
                    (account, balance)
                })
                .collect()
        }
    };
    let (items, next) = page.cut(found, |(account, _)| account.id);
    let items = items.iter().map(|(account, balance)| AccountView::with_balance(account, *balance)).collect();
    Ok(Answer::ok(&page.page(items, next.as_ref())))
}
