//! Issues the two tokens of a session. The refresh token is 256 random bits; only its HMAC, keyed by
//! `JWT_REFRESH_SECRET`, is kept. Must never be told of a password.

use finance::id::UserId;
use secrecy::{ExposeSecret, SecretString};
use shared::clock::Clock;
use shared::config::{AuthConfig, JwtConfig};
use shared::edge::{Problem, ProblemType, Scope};
use shared::identity::AccessTokens;
use shared::store::sessions::{Session, TokenHash};
use shared::{crypto, ids};
use uuid::Uuid;

use crate::view::TokensView;

/// A refresh token on its way to the client.
pub(crate) struct RefreshToken(SecretString);

impl RefreshToken {
    pub(crate) fn new() -> Self {
        Self(SecretString::from(crypto::random_token()))
    }
}

pub(crate) struct Issuer {
    access: AccessTokens,
    refresh_key: [u8; 32],
    guard_key: [u8; 32],
    refresh_ttl_ms: i64,
    clock: Clock,
}

impl Issuer {
    pub(crate) fn new(jwt: &JwtConfig, auth: &AuthConfig, clock: Clock) -> Self {
        let secret = auth.refresh_secret.expose_secret().as_bytes();
        Self {
            access: AccessTokens::new(jwt, clock.clone()),
            refresh_key: crypto::derive_key(secret, "fintrack refresh token v1"),
            guard_key: crypto::derive_key(secret, "fintrack login guard v1"),
            refresh_ttl_ms: i64::try_from(auth.refresh_ttl.as_millis()).unwrap_or(i64::MAX),
            clock,
        }
    }

    /// What is kept of a refresh token.
    pub(crate) fn hash(&self, token: &str) -> TokenHash {
        crypto::hmac_sha256(&self.refresh_key, token.as_bytes())
    }

    pub(crate) fn hash_of(&self, token: &RefreshToken) -> TokenHash {
        self.hash(token.0.expose_secret())
    }

    /// What the log-in guard calls an address, known or not.
    pub(crate) fn guard_id(&self, email: &str) -> [u8; 32] {
        crypto::hmac_sha256(&self.guard_key, email.as_bytes())
    }

    /// A session that begins now.
    pub(crate) fn session(&self, scope: &Scope) -> Session {
        let now = self.clock.now_ms();
        Session {
            id: ids::new_id(&self.clock),
            created_at_ms: now,
            last_used_at_ms: now,
            expires_at_ms: now.saturating_add(self.refresh_ttl_ms),
            ip: scope.source_ip.to_string(),
            user_agent: scope.user_agent.to_string(),
        }
    }

    /// The tokens of a session that ends at `expires_at_ms`.
    pub(crate) fn tokens(
        &self,
        user: UserId,
        session: Uuid,
        expires_at_ms: i64,
        refresh: &RefreshToken,
    ) -> Result<TokensView, Problem> {
        let access_token =
            self.access.sign(user, session).ok_or_else(|| Problem::new(ProblemType::Internal))?;
        Ok(TokensView {
            access_token,
            token_type: "Bearer",
            expires_in: self.access.ttl_seconds(),
            refresh_token: refresh.0.expose_secret().to_owned(),
            refresh_expires_in: seconds_until(expires_at_ms, self.clock.now_ms()),
        })
    }
}

/// Whole seconds, rounded up: a session that has just begun has all of its time.
fn seconds_until(expires_at_ms: i64, now_ms: i64) -> i64 {
    expires_at_ms.saturating_sub(now_ms).max(0).saturating_add(999) / 1000
}

#[cfg(test)]
mod tests {
    use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};

    use super::*;

    #[test]
    fn a_refresh_token_is_256_random_bits() {
        let tokens: std::collections::BTreeSet<String> =
            (0..1000).map(|_| RefreshToken::new().0.expose_secret().to_owned()).collect();
        assert_eq!(tokens.len(), 1000);
        assert!(
            tokens.iter().all(|token| URL_SAFE_NO_PAD.decode(token).is_ok_and(|bytes| bytes.len() == 32))
        );
    }
}
