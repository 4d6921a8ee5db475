//! `PATCH /categories/{id}`.

use finance::id::CategoryId;
use shared::edge::body::Body;
use shared::edge::path::Id;
use shared::edge::respond::Answer;
use shared::edge::{IfMatch, Problem, Signed};
use shared::store::categories::Category;

use crate::body::UpdateCategoryBody;
use crate::view::ok;

pub(crate) async fn update_category(
    me: Signed,
    Id(id): Id<CategoryId>,
    condition: IfMatch,
    Body { value: body, .. }: Body<UpdateCategoryBody>,
) -> Result<Answer, Problem> {
    let change = move |category: Category| {
        let body = body.clone();
        Category {
            name: body.name.map_or(category.name, |name| name.0),
            essential: body.essential.unwrap_or(category.essential),
            parent_id: body.parent_id.apply(category.parent_id),
            archived: body.archived.unwrap_or(category.archived),
            ..category
        }
    };
    Ok(ok(&me.store().update(id, condition.into(), change).await?))
}
