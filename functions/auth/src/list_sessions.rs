//! `GET /auth/sessions`: where the user is signed in.

use shared::edge::respond::Answer;
use shared::edge::{Params, Problem, Signed};
use shared::store::sessions::Sessions;
use uuid::Uuid;

use crate::view::SessionView;

pub(crate) async fn list_sessions(me: Signed, query: Params) -> Result<Answer, Problem> {
    let page = query.page::<Uuid>(&me)?;
    let sessions = Sessions::new(me.unscoped_store());
    let found = sessions.list(me.user(), page.after().copied(), page.limit.saturating_add(1)).await?;
    let (items, next) = page.cut(found, |session| session.id);
    let items = items.iter().map(|session| SessionView::new(session, &me.principal)).collect();
    Ok(Answer::ok(&page.page(items, next.as_ref())))
}
