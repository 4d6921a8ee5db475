//! `GET /auth/sessions`: where the user is signed in.

use axum::extract::State;
use shared::edge::query::{self, Query};
use shared::edge::respond::{Answer, Page};
use shared::edge::{Principal, Problem, Scope};
use shared::store::sessions::Sessions;
use uuid::Uuid;

use crate::App;
use crate::view::SessionView;

pub(crate) async fn list_sessions(
    State(app): State<App>,
    scope: Scope,
    caller: Principal,
    query: Query,
) -> Result<Answer, Problem> {
    let app = app.parts()?;
    let mut errors = Vec::new();
    let limit = query.page_size(&mut errors);
    query::finish(errors)?;
    let page = app.cursors.page(caller.user, "list_sessions", &query, |text| Uuid::try_parse(text).ok())?;
    let found =
        Sessions::new(app.store(&scope)).list(caller.user, page.after, limit.saturating_add(1)).await?;
    let (items, next_cursor) = page.cut(found, limit, |session| session.id.to_string());
    let items = items.iter().map(|session| SessionView::new(session, &caller)).collect();
    Ok(Answer::ok(&Page { items, next_cursor }))
}
