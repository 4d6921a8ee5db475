//! `DELETE /auth/me`: erases the user and everything of theirs, after the password.

use axum::extract::State;
use shared::edge::body::Body;
use shared::edge::respond::Answer;
use shared::edge::{IfMatch, Problem, ProblemType, Scope, Signed};
use shared::store::users::Users;

use crate::App;
use crate::authenticate::confirm_password;
use crate::body::EraseMeBody;

pub(crate) async fn erase_me(
    State(app): State<App>,
    scope: Scope,
    me: Signed,
    condition: IfMatch,
    Body { value: body, .. }: Body<EraseMeBody>,
) -> Result<Answer, Problem> {
    let user = me.profile().await?;
    if !condition.allows(&user.tag()) {
        return Err(Problem::new(ProblemType::StaleVersion));
    }
    let store = me.unscoped_store();
    confirm_password(&app, &Users::new(store.clone()), &scope, &user, &body.password.0).await?;
    store.erase_user(me.user()).await?;
    Ok(app.cookie.clear(Answer::no_content()))
}
