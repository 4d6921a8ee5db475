//! `POST /categories`.

use finance::id::CategoryId;
use shared::edge::body::Body;
use shared::edge::respond::Answer;
use shared::edge::{IdempotencyKey, Problem, Signed};
use shared::ids;
use shared::store::categories::Category;
use shared::store::entity::Stamp;

use crate::body::CreateCategoryBody;
use crate::view::created;

pub(crate) async fn create_category(
    me: Signed,
    key: IdempotencyKey,
    Body { value: body, raw }: Body<CreateCategoryBody>,
) -> Result<Answer, Problem> {
    let category = Category {
        id: CategoryId::new(ids::new_id(me.clock())),
        name: body.name.0,
        kind: body.kind,
        essential: body.essential,
        parent_id: body.parent_id,
        archived: body.archived,
        stamp: Stamp::default(),
    };
    let render = |category: &Category| created(category).into();
    Ok(me.store().insert(key.claim(&raw), category, render).await?.into())
}
