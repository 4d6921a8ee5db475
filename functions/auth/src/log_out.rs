//! `POST /auth/logout`: ends the session of the token in the body, of the cookie, or of the bearer.

use axum::extract::State;
use axum::http::HeaderMap;
use secrecy::ExposeSecret;
use shared::edge::body::OptionalBody;
use shared::edge::respond::Answer;
use shared::edge::{Caller, Problem, ProblemType, Scope};
use shared::store::WriteError;
use shared::store::sessions::Sessions;

use crate::body::LogOutBody;
use crate::{App, cookie, events};

pub(crate) async fn log_out(
    State(app): State<App>,
    scope: Scope,
    caller: Caller,
    headers: HeaderMap,
    OptionalBody(body): OptionalBody<LogOutBody>,
) -> Result<Answer, Problem> {
    let sessions = Sessions::new(app.store(&scope));
    let body_token = body.refresh_token.map(|token| token.0);
    // A bearer says which session is meant without a cookie's help, and no page can make a browser send one.
    let token = match (&body_token, caller) {
        (None, Caller::User(_)) => None,
        _ => cookie::presented(&app, &scope, &headers, body_token)?,
    };
    match (token.filter(cookie::is_present), caller) {
        (Some(token), _) => {
            if let Some(user) = sessions.end_by_token(app.issuer.hash(token.expose_secret())).await? {
                events::session_ended(user, 1);
            }
        }
        (None, Caller::User(principal)) => match sessions.end(principal.user, principal.session()?).await {
            Ok(()) => events::session_ended(principal.user, 1),
            // Another request ended it first: it has ended all the same.
            Err(WriteError::NotFound) => {}
            Err(error) => return Err(error.into()),
        },
        // Nobody may be told that they are logged out while the session lives on.
        (None, Caller::Unknown) => return Err(Problem::new(ProblemType::Unavailable)),
        (None, Caller::Anonymous | Caller::Invalid) => {
            return Err(Problem::new(ProblemType::Unauthenticated));
        }
    }
    Ok(app.cookie.clear(Answer::no_content()))
}
