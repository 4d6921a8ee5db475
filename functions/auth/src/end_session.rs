//! `DELETE /auth/sessions/{id}`: ends one session of the user.

use axum::extract::State;
use shared::edge::path::Id;
use shared::edge::respond::Answer;
use shared::edge::{Principal, Problem, Scope};
use shared::store::sessions::Sessions;
use uuid::Uuid;

use crate::App;

pub(crate) async fn end_session(
    State(app): State<App>,
    scope: Scope,
    caller: Principal,
    Id(session): Id<Uuid>,
) -> Result<Answer, Problem> {
    Sessions::new(app.parts()?.store(&scope)).end(caller.user, session).await?;
    Ok(Answer::no_content())
}
