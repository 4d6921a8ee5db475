//! `GET /accounts/{id}`.

use finance::id::AccountId;
use shared::edge::path::Id;
use shared::edge::respond::Answer;
use shared::edge::{Problem, Signed};
use shared::store::accounts::Account;

use crate::view::ok;

pub(crate) async fn get_account(me: Signed, Id(id): Id<AccountId>) -> Result<Answer, Problem> {
    let found = me.store().find::<Account>(id).await?;
    found.as_ref().map(ok).ok_or_else(Problem::not_found)
}
