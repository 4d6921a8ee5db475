//! `DELETE /categories/{id}`: a category that nothing uses, or whose transactions and subcategories move to another one.

use finance::id::CategoryId;
use shared::edge::path::Id;
use shared::edge::respond::Answer;
use shared::edge::{IfMatch, Params, Problem, Signed};

pub(crate) async fn delete_category(
    me: Signed,
    Id(id): Id<CategoryId>,
    condition: IfMatch,
    mut query: Params,
) -> Result<Answer, Problem> {
    let move_to = query.parsed("moveTo", "a category's id", CategoryId::parse);
    query.finish()?;
    me.store().delete_category(id, condition.into(), move_to).await?;
    Ok(Answer::no_content())
}
