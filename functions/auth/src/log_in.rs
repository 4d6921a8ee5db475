//! `POST /auth/login`. An attempt is reserved before the password is looked at; an unknown address costs and answers the
//! same as a wrong password.

use axum::extract::State;
use secrecy::{ExposeSecret, SecretString};
use shared::edge::body::Body;
use shared::edge::respond::Answer;
use shared::edge::{Problem, ProblemType, Scope};
use shared::metrics::{self, Metric};
use shared::store::sessions::Sessions;
use shared::store::users::{Reservation, User, Users};

use crate::fields::{Email, LogInBody};
use crate::me::UserView;
use crate::tokens::{RefreshToken, SignedInView};
use crate::{App, FUNCTION, Parts};

pub(crate) async fn log_in(
    State(app): State<App>,
    scope: Scope,
    Body { value: body, .. }: Body<LogInBody>,
) -> Result<Answer, Problem> {
    let app = app.parts()?;
    let user = authenticate(app, &scope, &body).await?;
    let refresh = RefreshToken::new();
    let session = app.issuer.session(&scope);
    let tokens = app.issuer.tokens(user.id, session.id, session.expires_at_ms, &refresh)?;
    Sessions::new(app.store(&scope)).start(user.id, session, app.issuer.hash_of(&refresh)).await?;
    tracing::info!(message = "login succeeded", event = "login_succeeded", user.id = user.id.to_string());
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
    granted(reservation?)?;
    let user = user?;
    let phc = user.as_ref().map(|user| user.password_hash.as_str());
    let right = app.passwords.verify(&body.password.0, phc).await;
    let Some(user) = user.filter(|_| right) else {
        return Err(wrong_credentials());
    };
    users.log_in_succeeded(guard).await?;
    if app.passwords.is_outdated(&user.password_hash) {
        let new = app.passwords.hash(&body.password.0).await?;
        users.rehash(user.id, user.password_hash.clone(), new).await?;
    }
    Ok(user)
}

/// Asks a signed-in user for the password again, under the same guard as a log-in.
pub(crate) async fn confirm_password(
    app: &Parts,
    users: &Users,
    user: &User,
    password: &SecretString,
) -> Result<(), Problem> {
    let guard = app.issuer.guard_id(&user.email);
    granted(users.reserve_log_in(guard).await?)?;
    if !app.passwords.verify(password, Some(&user.password_hash)).await {
        return Err(wrong_credentials());
    }
    Ok(users.log_in_succeeded(guard).await?)
}

/// Tells the log and the metric, and refuses.
fn wrong_credentials() -> Problem {
    tracing::warn!(message = "login failed", event = "login_failed");
    metrics::count(Metric::LoginFailed, FUNCTION.name);
    Problem::new(ProblemType::InvalidCredentials)
}

fn granted(reservation: Reservation) -> Result<(), Problem> {
    match reservation {
        Reservation::Granted => Ok(()),
        Reservation::Delayed { wait_ms } => {
            let seconds = wait_ms.unsigned_abs().div_ceil(1000).max(1);
            Err(Problem::new(ProblemType::LoginDelayed).retry_after(seconds))
        }
    }
}
