//! `DELETE /accounts/{id}`: an account that no transaction uses, or whose transactions move to another one.

use finance::id::AccountId;
use shared::edge::path::Id;
use shared::edge::respond::Answer;
use shared::edge::{IfMatch, Params, Problem, Signed};

pub(crate) async fn delete_account(
    me: Signed,
    Id(id): Id<AccountId>,
    condition: IfMatch,
    mut query: Params,
) -> Result<Answer, Problem> {
    let move_to = query.parsed("moveTo", "an account's id", AccountId::parse);
    query.finish()?;
    me.store().delete_account(id, condition.into(), move_to).await?;
    Ok(Answer::no_content())
}
