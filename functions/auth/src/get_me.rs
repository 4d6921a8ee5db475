//! `GET /auth/me`: the user as the user sees it.

use axum::extract::State;
use shared::edge::respond::Answer;
use shared::edge::{Principal, Problem, ProblemType, Scope};
use shared::store::users::Users;

use crate::App;
use crate::view::UserView;

pub(crate) async fn get_me(
    State(app): State<App>,
    scope: Scope,
    caller: Principal,
) -> Result<Answer, Problem> {
    let user = Users::new(app.parts()?.store(&scope)).get(caller.user).await?;
    // Erased between the session's look-up and this one: the token is dead.
    user.as_ref().map(UserView::answer).ok_or_else(|| Problem::new(ProblemType::Unauthenticated))
}
