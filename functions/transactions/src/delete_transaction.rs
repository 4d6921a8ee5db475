//! `DELETE /transactions/{id}`: leaves a tombstone.

use std::sync::Arc;

use finance::id::TransactionId;
use shared::edge::path::Id;
use shared::edge::respond::Answer;
use shared::edge::{IfMatch, Problem, Signed};
use shared::store::Expected;
use shared::store::ledger::Loaded;

use crate::decide;

pub(crate) async fn delete_transaction(
    me: Signed,
    Id(id): Id<TransactionId>,
    condition: IfMatch,
) -> Result<Answer, Problem> {
    let expected = Expected::from(condition);
    let decide = Arc::new(move |loaded: &Loaded| Ok(vec![decide::delete(id, &expected, loaded)?]));
    let no_content = |_: &[_]| Answer::no_content().into();
    Ok(me.store().post(None, decide::need_of(id), decide, no_content).await?.into())
}
