//! The answers of `/auth`. Must never show a hash, nor a token outside of [`TokensView`].

use serde::Serialize;
use shared::clock;
use shared::edge::Principal;
use shared::edge::respond::Answer;
use shared::store::sessions::Session;
use shared::store::users::User;
use utoipa::ToSchema;

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

impl UserView {
    /// The user with the `ETag` of its version.
    pub(crate) fn answer(user: &User) -> Answer {
        Answer::ok(&Self::from(user)).etag(&user.version.to_string())
    }
}

#[derive(Clone, Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct TokensView {
    pub access_token: String,
    /// Always `Bearer`.
    pub token_type: &'static str,
    /// Seconds.
    pub expires_in: i64,
    pub refresh_token: String,
    /// Seconds until the session ends whatever happens.
    pub refresh_expires_in: i64,
}

#[derive(Debug, Serialize, ToSchema)]
pub struct SignedInView {
    pub user: UserView,
    pub tokens: TokensView,
}

#[derive(Debug, Serialize, ToSchema)]
pub struct TokensOnlyView {
    pub tokens: TokensView,
}

#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct SessionView {
    pub id: String,
    pub created_at: String,
    pub last_used_at: String,
    pub ip: String,
    pub user_agent: String,
    pub current: bool,
}

impl SessionView {
    pub(crate) fn new(session: &Session, caller: &Principal) -> Self {
        Self {
            id: session.id.to_string(),
            created_at: clock::rfc3339(session.created_at_ms),
            last_used_at: clock::rfc3339(session.last_used_at_ms),
            ip: session.ip.clone(),
            user_agent: session.user_agent.clone(),
            current: session.id == caller.session,
        }
    }
}
