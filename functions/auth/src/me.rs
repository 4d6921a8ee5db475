//! `/auth/me`: the user as the user sees it; changes; erasure.

use axum::extract::State;
use serde::Serialize;
use shared::clock;
use shared::edge::body::{self, Body, Patch};
use shared::edge::respond::Answer;
use shared::edge::{IfMatch, Principal, Problem, ProblemType, Scope};
use shared::store::users::{User, Users};
use utoipa::ToSchema;

use crate::App;
use crate::fields::{EraseMeBody, UpdateMeBody};

#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct UserView {
    pub id: String,
    pub email: String,
    pub email_verified: bool,
    pub first_name: Option<String>,
    pub last_name: Option<String>,
    pub currency: &'static str,
    pub time_zone: String,
    pub locale: Option<String>,
    pub mfa_enabled: bool,
    pub created_at: String,
    pub version: i64,
}

impl From<&User> for UserView {
    fn from(user: &User) -> Self {
        Self {
            id: user.id.to_string(),
            email: user.email.clone(),
            // No route confirms an address or adds a second factor yet, so neither can be true.
            email_verified: false,
            first_name: user.first_name.clone(),
            last_name: user.last_name.clone(),
            currency: user.currency.code(),
            time_zone: user.time_zone.clone(),
            locale: user.locale.clone(),
            mfa_enabled: false,
            created_at: clock::rfc3339(user.created_at_ms),
            version: user.version,
        }
    }
}

fn answer(user: &User) -> Answer {
    Answer::ok(&UserView::from(user)).etag(&user.version.to_string())
}

pub(crate) async fn get_me(
    State(app): State<App>,
    scope: Scope,
    caller: Principal,
) -> Result<Answer, Problem> {
    let user = Users::new(app.parts()?.store(&scope)).get(caller.user).await?;
    // Erased between the session's look-up and this one: the token is dead.
    user.as_ref().map(answer).ok_or_else(|| Problem::new(ProblemType::Unauthenticated))
}

pub(crate) async fn update_me(
    State(app): State<App>,
    scope: Scope,
    caller: Principal,
    condition: IfMatch,
    Body { value: body, .. }: Body<UpdateMeBody>,
) -> Result<Answer, Problem> {
    let mut errors = Vec::new();
    body::refuse_removal(
        &mut errors,
        &[
            ("/currency", matches!(body.currency, Patch::Clear)),
            ("/timeZone", matches!(body.time_zone, Patch::Clear)),
        ],
    );
    shared::edge::query::finish(errors)?;
    let users = Users::new(app.parts()?.store(&scope));
    let fresh = move |user: &User| condition.allows(&user.version.to_string());
    let changed = users.update(caller.user, fresh, move |user| changed(user, body.clone())).await?;
    Ok(answer(&changed))
}

fn changed(user: User, body: UpdateMeBody) -> User {
    User {
        first_name: body.first_name.apply_text(user.first_name, |text| text.0),
        last_name: body.last_name.apply_text(user.last_name, |text| text.0),
        currency: body.currency.set().unwrap_or(user.currency),
        time_zone: body.time_zone.set().map_or(user.time_zone, |zone| zone.0),
        locale: body.locale.apply_text(user.locale, |locale| locale.0),
        ..user
    }
}

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
    crate::log_in::confirm_password(app, &users, &user, &body.password.0).await?;
    store.erase_user(caller.user).await?;
    Ok(app.cookie.clear(Answer::no_content()))
}
