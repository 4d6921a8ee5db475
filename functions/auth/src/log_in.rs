//! `POST /auth/login`. An attempt is reserved before the password is looked at; an unknown address costs and answers the
//! same as a wrong password.

use axum::extract::State;
use secrecy::ExposeSecret;
use shared::edge::body::Body;
use shared::edge::respond::Answer;
use shared::edge::{Problem, Scope};
use shared::store::sessions::Sessions;
use shared::store::users::{User, Users};

use crate::authenticate::{granted, wrong_credentials};
use crate::body::LogInBody;
use crate::email::Email;
use crate::tokens::RefreshToken;
use crate::view::{SignedInView, UserView};
use crate::{App, Parts, events};

pub(crate) async fn log_in(
    State(app): State<App>,
    scope: Scope,
    Body { value: body, .. }: Body<LogInBody>,
) -> Result<Answer, Problem> {
    let user = authenticate(&app, &scope, &body).await?;
    let refresh = RefreshToken::new();
    let session = app.issuer.session(&scope);
    let tokens = app.issuer.tokens(user.id, session.id, session.expires_at_ms, &refresh)?;
    Sessions::new(app.store(&scope)).start(user.id, session, app.issuer.hash_of(&refresh)).await?;
    events::login_succeeded(user.id);
    let view = SignedInView { user: UserView::from(&user), tokens };
    Ok(app.cookie.set(Answer::ok(&view), &view.tokens))
}

async fn authenticate(app: &Parts, scope: &Scope, body: &LogInBody) -> Result<User, Problem> {
    let users = Users::new(app.store(scope));
    // An address of the wrong form is only a wrong address.
    let text = body.email.0.expose_secret();
    let email = Email::parse(text).map_or_else(|| text.trim().to_lowercase(), |email| email.0);
    let guard = app.issuer.guard_id(&email);
    let (reservation, user) = tokio::join!(users.reserve_log_in(guard), users.find_by_email(&email));
    granted(app, scope, &email, reservation?)?;
    let user = user?;
    let phc = user.as_ref().map(|user| user.password_hash.as_str());
    let right = app.passwords.verify(&body.password.0, phc).await;
    let Some(user) = user.filter(|_| right) else {
        return Err(wrong_credentials(app, &users, scope, &email, guard).await);
    };
    users.log_in_succeeded(guard).await?;
    if app.passwords.is_outdated(&user.password_hash) {
        let new = app.passwords.hash(&body.password.0).await?;
        users.rehash(user.id, user.password_hash.clone(), new).await?;
    }
    Ok(user)
}
