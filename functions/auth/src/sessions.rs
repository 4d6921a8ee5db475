//! `/auth/sessions`: where the user is signed in, and ending that.

use axum::extract::State;
use serde::Serialize;
use shared::clock;
use shared::edge::path::Id;
use shared::edge::query::{self, Query};
use shared::edge::respond::{Answer, Page};
use shared::edge::{Principal, Problem, Scope};
use shared::store::sessions::{Session, Sessions};
use utoipa::ToSchema;
use uuid::Uuid;

use crate::App;

#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct SessionView {
    pub id: String,
    pub created_at: String,
    pub last_used_at: String,
    pub ip: String,
    pub user_agent: String,
    pub current: bool,
}

impl SessionView {
    fn new(session: &Session, caller: &Principal) -> Self {
        Self {
            id: session.id.to_string(),
            created_at: clock::rfc3339(session.created_at_ms),
            last_used_at: clock::rfc3339(session.last_used_at_ms),
            ip: session.ip.clone(),
            user_agent: session.user_agent.clone(),
            current: session.id == caller.session,
        }
    }
}

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

pub(crate) async fn end_session(
    State(app): State<App>,
    scope: Scope,
    caller: Principal,
    Id(session): Id<Uuid>,
) -> Result<Answer, Problem> {
    Sessions::new(app.parts()?.store(&scope)).end(caller.user, session).await?;
    Ok(Answer::no_content())
}

pub(crate) async fn end_other_sessions(
    State(app): State<App>,
    scope: Scope,
    caller: Principal,
) -> Result<Answer, Problem> {
    Sessions::new(app.parts()?.store(&scope)).end_others(caller.user, caller.session).await?;
    Ok(Answer::no_content())
}
