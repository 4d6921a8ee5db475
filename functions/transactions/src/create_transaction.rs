//! `POST /transactions`.

use std::sync::Arc;

use finance::id::TransactionId;
use shared::edge::body::Body;
use shared::edge::respond::Answer;
use shared::edge::{IdempotencyKey, Problem, Signed};
use shared::ids;
use shared::store::ledger::Loaded;

use crate::body::CreateTransactionBody;
use crate::decide;
use crate::input::TransactionInput;
use crate::view::created;

pub(crate) async fn create_transaction(
    me: Signed,
    key: IdempotencyKey,
    Body { value: body, raw }: Body<CreateTransactionBody>,
) -> Result<Answer, Problem> {
    let input = TransactionInput::new(body).map_err(Problem::fields)?;
    let id = TransactionId::new(ids::new_id(me.clock()));
    let clock = me.clock().clone();
    let need = input.need();
    let decide = Arc::new(move |loaded: &Loaded| {
        let today = clock.today(&loaded.time_zone);
        Ok(vec![decide::create(&input, id, today, loaded)?])
    });
    Ok(me.store().post(key.claim(&raw), need, decide, created).await?.into())
}
