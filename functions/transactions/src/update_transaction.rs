//! `PATCH /transactions/{id}`: RFC 7396.

use std::sync::Arc;

use finance::id::TransactionId;
use shared::edge::body::Body;
use shared::edge::path::Id;
use shared::edge::respond::Answer;
use shared::edge::{IfMatch, Problem, Signed};
use shared::store::Expected;
use shared::store::ledger::Loaded;

use crate::body::UpdateTransactionBody;
use crate::decide;
use crate::view::ok;

pub(crate) async fn update_transaction(
    me: Signed,
    Id(id): Id<TransactionId>,
    condition: IfMatch,
    Body { value: body, .. }: Body<UpdateTransactionBody>,
) -> Result<Answer, Problem> {
    let need = decide::need_of_update(id, &body);
    let expected = Expected::from(condition);
    let decide = Arc::new(move |loaded: &Loaded| Ok(vec![decide::update(id, &body, &expected, loaded)?]));
    Ok(me.store().post(None, need, decide, ok).await?.into())
}
