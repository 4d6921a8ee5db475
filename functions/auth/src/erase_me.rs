//! `DELETE /auth/me`: erases the user and everything of theirs, after the password.

use axum::extract::State;
use shared::edge::body::Body;
use shared::edge::respond::Answer;
use shared::edge::{IfMatch, Principal, Problem, ProblemType, Scope};
use shared::store::users::Users;

use crate::App;
use crate::authenticate::confirm_password;
use crate::body::EraseMeBody;

pub(crate) async fn erase_me(
    State(app): State<App>,
    scope: Scope,
    caller: Principal,
    condition: IfMatch,
    Body { value: body, .. }: Body<EraseMeBody>,
) -> Result<Answer, Problem> {
    let app = app.parts()?;
    let store = app.store(&scope);
    let users = Users::new(store.clone());
    let user = users.get(caller.user).await?.ok_or_else(|| Problem::new(ProblemType::Unauthenticated))?;
    if !condition.allows(&user.version.to_string()) {
        return Err(Problem::new(ProblemType::StaleVersion));
    }
    confirm_password(app, &users, &user, &body.password.0).await?;
    store.erase_user(caller.user).await?;
    Ok(app.cookie.clear(Answer::no_content()))
}
