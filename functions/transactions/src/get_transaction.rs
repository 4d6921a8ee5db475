//! `GET /transactions/{id}`.

use finance::id::TransactionId;
use shared::edge::path::Id;
use shared::edge::respond::Answer;
use shared::edge::{Problem, Signed};

use crate::view::one;

pub(crate) async fn get_transaction(me: Signed, Id(id): Id<TransactionId>) -> Result<Answer, Problem> {
    let found = me.store().transaction(id).await?;
    found.as_ref().map(one).ok_or_else(Problem::not_found)
}
