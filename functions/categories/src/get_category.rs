//! `GET /categories/{id}`.

use finance::id::CategoryId;
use shared::edge::path::Id;
use shared::edge::respond::Answer;
use shared::edge::{Problem, Signed};
use shared::store::categories::Category;

use crate::view::ok;

pub(crate) async fn get_category(me: Signed, Id(id): Id<CategoryId>) -> Result<Answer, Problem> {
    let found = me.store().find::<Category>(id).await?;
    found.as_ref().map(ok).ok_or_else(Problem::not_found)
}
