//! `DELETE /auth/sessions`: ends every session of the user but the caller's.

use axum::extract::State;
use shared::edge::respond::Answer;
use shared::edge::{Principal, Problem, Scope};
use shared::store::sessions::Sessions;

use crate::App;

pub(crate) async fn end_other_sessions(
    State(app): State<App>,
    scope: Scope,
    caller: Principal,
) -> Result<Answer, Problem> {
    Sessions::new(app.parts()?.store(&scope)).end_others(caller.user, caller.session).await?;
    Ok(Answer::no_content())
}
