//! The answers of `/auth`. Must never show a hash, nor a token outside of [`TokensView`].

use serde::Serialize;
use shared::clock;
use shared::edge::respond::Answer;
use shared::edge::{Principal, Via};
use shared::store::sessions::Session;
use shared::store::users::User;
use utoipa::ToSchema;

/// The signed-in user.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct UserView {
    /// The user's id.
    pub id: String,
    /// The address that the user signs in with.
    pub email: String,
    /// Whether the address was confirmed.
    pub email_verified: bool,
    /// The first name.
    pub first_name: Option<String>,
    /// The last name.
    pub last_name: Option<String>,
    /// What new accounts are in, and what the score is computed in; ISO 4217.
    pub currency: &'static str,
    /// What days and months are the user's by; IANA.
    pub time_zone: String,
    /// How the user wants to read; BCP 47.
    pub locale: Option<String>,
    /// Whether signing in takes a second factor.
    pub mfa_enabled: bool,
    /// When the user registered.
    pub created_at: String,
    /// Grows with each change of the user.
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

/// The tokens of a session.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct TokensView {
    /// A JWT for `Authorization: Bearer`.
    pub access_token: String,
    /// Always `Bearer`.
    pub token_type: &'static str,
    /// Seconds until the access token ends.
    pub expires_in: i64,
    /// Brings new tokens, once.
    pub refresh_token: String,
    /// Seconds until the session ends whatever happens.
    pub refresh_expires_in: i64,
}

/// A user with the tokens of a new session.
#[derive(Debug, Serialize, ToSchema)]
pub struct SignedInView {
    /// The user.
    pub user: UserView,
    /// The tokens of the session.
    pub tokens: TokensView,
}

/// New tokens of a session.
#[derive(Debug, Serialize, ToSchema)]
pub struct TokensOnlyView {
    /// The tokens of the session.
    pub tokens: TokensView,
}

/// A place where the user is signed in.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct SessionView {
    /// The session's id.
    pub id: String,
    /// When it began.
    pub created_at: String,
    /// When its tokens were last renewed.
    pub last_used_at: String,
    /// The client's address as it began.
    pub ip: String,
    /// What the client called itself as it began.
    pub user_agent: String,
    /// Whether it is the one of this request.
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
            current: caller.via == Via::Session(session.id),
        }
    }
}
