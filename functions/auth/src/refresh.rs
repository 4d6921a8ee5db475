//! `POST /auth/refresh`: a new pair of tokens for a refresh token that is used for the first time.

use axum::extract::State;
use axum::http::HeaderMap;
use secrecy::ExposeSecret;
use shared::edge::body::OptionalBody;
use shared::edge::respond::Answer;
use shared::edge::{Problem, ProblemType, Scope};
use shared::store::sessions::{Rotation, Sessions};

use crate::body::RefreshBody;
use crate::tokens::RefreshToken;
use crate::view::TokensOnlyView;
use crate::{App, cookie, events};

pub(crate) async fn refresh(
    State(app): State<App>,
    scope: Scope,
    headers: HeaderMap,
    OptionalBody(body): OptionalBody<RefreshBody>,
) -> Result<Answer, Problem> {
    let token = body.refresh_token.map(|token| token.0);
    let token = cookie::presented(&app, &scope, &headers, token)?;
    let Some(token) = token else { return Err(Problem::new(ProblemType::InvalidRefreshToken)) };
    let next = RefreshToken::new();
    let sessions = Sessions::new(app.store(&scope));
    let rotation = sessions.rotate(app.issuer.hash(token.expose_secret()), app.issuer.hash_of(&next)).await;
    match rotation? {
        Rotation::Rotated { user, session, expires_at_ms } => {
            let view = TokensOnlyView { tokens: app.issuer.tokens(user, session, expires_at_ms, &next)? };
            Ok(app.cookie.set(Answer::ok(&view), &view.tokens))
        }
        Rotation::Superseded => Err(Problem::new(ProblemType::RefreshSuperseded)),
        Rotation::Reused => {
            events::refresh_token_reused();
            Err(Problem::new(ProblemType::RefreshTokenReused))
        }
        Rotation::Unknown => Err(Problem::new(ProblemType::InvalidRefreshToken)),
    }
}
