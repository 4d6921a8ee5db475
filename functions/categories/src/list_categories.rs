//! `GET /categories`.

use finance::id::CategoryId;
use shared::edge::respond::Answer;
use shared::edge::{Params, Problem, Signed};
use shared::store::categories::Category;

use crate::view::CategoryView;

pub(crate) async fn list_categories(me: Signed, query: Params) -> Result<Answer, Problem> {
    let page = query.page::<CategoryId>(&me)?;
    let found = me.store().list::<Category>(page.after().copied(), page.limit.saturating_add(1)).await?;
    let (items, next) = page.cut(found, |category| category.id);
    Ok(Answer::ok(&page.page(items.iter().map(CategoryView::from).collect(), next.as_ref())))
}
