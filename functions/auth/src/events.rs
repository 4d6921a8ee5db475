//! The security events of `/auth` in the log (OWASP ASVS 5.0.0, V16.3). Must never write an address or a client's network:
//! only hashes of them, keyed by a key of the auth secret, so that lines of one of them can be found together.

use finance::id::UserId;
use secrecy::ExposeSecret;
use shared::config::AuthConfig;
use shared::crypto;
use shared::edge::Scope;
use shared::metrics::{self, Metric};
use shared::rate_limit::client_key;

use crate::FUNCTION;

/// Bytes that are written of a hash: enough to tell any two apart.
const HASH_LENGTH: usize = 8;

pub(crate) struct Events {
    key: [u8; 32],
}

impl Events {
    pub(crate) fn new(auth: &AuthConfig) -> Self {
        let secret = auth.refresh_secret.expose_secret().as_bytes();
        Self { key: crypto::derive_key(secret, "fintrack security events v1") }
    }

    fn hash(&self, kind: &str, value: &str) -> String {
        let tag = crypto::hmac_sha256(&self.key, format!("{kind}:{value}").as_bytes());
        tag.iter().take(HASH_LENGTH).map(|byte| format!("{byte:02x}")).collect()
    }

    fn of_email(&self, email: &str) -> String {
        self.hash("email", email)
    }

    /// IPv6 by its /64 network, as the rate limits count it.
    fn of_client(&self, scope: &Scope) -> String {
        self.hash("client", &client_key(&scope.source_ip))
    }

    pub(crate) fn login_failed(&self, scope: &Scope, email: &str) {
        tracing::warn!(
            message = "login failed",
            event = "login_failed",
            email.hash = self.of_email(email),
            client.hash = self.of_client(scope),
        );
        metrics::count(Metric::LoginFailed, FUNCTION.name);
    }

    pub(crate) fn login_delayed(&self, scope: &Scope, email: &str) {
        tracing::warn!(
            message = "login delayed",
            event = "login_delayed",
            email.hash = self.of_email(email),
            client.hash = self.of_client(scope),
        );
    }

    /// A cookie came from a page that is not allowed.
    pub(crate) fn csrf_rejected(&self, scope: &Scope) {
        tracing::warn!(
            message = "cross-site request rejected",
            event = "csrf_rejected",
            client.hash = self.of_client(scope),
        );
    }
}

pub(crate) fn login_succeeded(user: UserId) {
    tracing::info!(message = "login succeeded", event = "login_succeeded", user.id = user.to_string());
}

pub(crate) fn user_registered(user: UserId) {
    tracing::info!(message = "user registered", event = "user_registered", user.id = user.to_string());
}

/// `sessions` were ended by their user; none is no event.
pub(crate) fn session_ended(user: UserId, sessions: u64) {
    if sessions > 0 {
        tracing::info!(
            message = "session ended",
            event = "session_ended",
            user.id = user.to_string(),
            sessions
        );
    }
}

pub(crate) fn refresh_token_reused() {
    tracing::warn!(message = "refresh token reused", event = "refresh_token_reused");
    metrics::count(Metric::RefreshReuse, FUNCTION.name);
}
