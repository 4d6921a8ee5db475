//! Who is calling: the bearer token of the request, verified, and its session, looked up. Must never decide what a route
//! requires: [`super::admit`] does.

use axum::extract::FromRequestParts;
use finance::id::UserId;
use http::HeaderMap;
use http::request::Parts;
use uuid::Uuid;

use super::problem::{Problem, ProblemType};
use super::scope::Scope;
use crate::boot::{Boot, MissingPart};
use crate::identity::{self, AccessTokens, Credential};
use crate::store::Mongo;
use crate::store::sessions::Sessions;

/// Who is calling, before a route has required anyone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Caller {
    Anonymous,
    /// A token that does not verify, or whose session has ended.
    Invalid,
    /// A token that verifies, whose session could not be looked up.
    Unknown,
    User(Principal),
}

/// A caller whose credential verified and is still valid.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Principal {
    pub user: UserId,
    pub via: Via,
}

/// The credential that a caller came with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Via {
    /// The access token of a live session.
    Session(Uuid),
    /// A personal access token.
    Token(Uuid, TokenScope),
}

/// What a personal access token may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TokenScope {
    Read,
    ReadWrite,
}

impl Principal {
    /// Whether the credential may write; a session may.
    pub fn may_write(&self) -> bool {
        !matches!(self.via, Via::Token(_, TokenScope::Read))
    }

    /// The session that it came with.
    ///
    /// # Errors
    /// 403 `insufficient_scope`: a personal access token has no session, and may not act on one.
    pub fn session(&self) -> Result<Uuid, Problem> {
        match self.via {
            Via::Session(session) => Ok(session),
            Via::Token(..) => Err(Problem::new(ProblemType::InsufficientScope)),
        }
    }
}

impl<S: Send + Sync> FromRequestParts<S> for Principal {
    type Rejection = Problem;
    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        match parts.extensions.get::<Caller>() {
            Some(Caller::User(principal)) => Ok(*principal),
            _ => Err(Problem::new(ProblemType::Unauthenticated)),
        }
    }
}

impl<S: Send + Sync> FromRequestParts<S> for Caller {
    type Rejection = Problem;
    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        Ok(parts.extensions.get::<Caller>().copied().unwrap_or(Caller::Anonymous))
    }
}

/// Identifies the callers of a function that has private routes.
pub(super) struct Callers {
    tokens: AccessTokens,
    mongo: Mongo,
}

impl Callers {
    /// # Errors
    /// The configuration lacks MongoDB or the signing keys.
    pub(super) fn new(boot: &Boot) -> Result<Self, MissingPart> {
        let jwt = boot.config.jwt.as_ref().ok_or(MissingPart("jwt"))?;
        Ok(Self { tokens: AccessTokens::new(jwt, boot.clock.clone()), mongo: boot.mongo()? })
    }

    /// # Errors
    /// The session could not be looked up.
    pub(super) async fn identify(&self, headers: &HeaderMap, scope: &Scope) -> Result<Caller, Problem> {
        let token = match identity::bearer_token(headers) {
            Credential::Nothing => return Ok(Caller::Anonymous),
            Credential::Unreadable => return Ok(Caller::Invalid),
            Credential::Token(token) => token,
        };
        let Some(verified) = self.tokens.verify(token) else { return Ok(Caller::Invalid) };
        let sessions = Sessions::new(self.mongo.within(scope.mongo_until));
        let live = sessions.is_live(verified.user, verified.session).await?;
        let principal = Principal { user: verified.user, via: Via::Session(verified.session) };
        Ok(if live { Caller::User(principal) } else { Caller::Invalid })
    }
}
