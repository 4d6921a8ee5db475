//! `POST /transactions/{id}/restore`: brings a tombstone back.

use std::sync::Arc;

use finance::id::TransactionId;
use shared::edge::body::OptionalBody;
use shared::edge::path::Id;
use shared::edge::respond::Answer;
use shared::edge::{IdempotencyKey, Problem, Signed};
use shared::json_body;
use shared::store::ledger::Loaded;

use crate::decide;
use crate::view::ok;

json_body! {
    /// The body of an operation that takes none.
    pub struct EmptyBody {}
}

pub(crate) async fn restore_transaction(
    me: Signed,
    Id(id): Id<TransactionId>,
    key: IdempotencyKey,
    OptionalBody(EmptyBody {}): OptionalBody<EmptyBody>,
) -> Result<Answer, Problem> {
    let decide = Arc::new(move |loaded: &Loaded| Ok(vec![decide::restore(id, loaded)?]));
    Ok(me.store().post(key.claim(b"{}"), decide::need_of(id), decide, ok).await?.into())
}
