//! The refresh token as a cookie, for browsers, and the check that a request which relies on it comes from an allowed
//! page (`Sec-Fetch-Site`, else `Origin`). Must never be needed by a client that sends the token itself.

use axum::http::{HeaderMap, header};
use secrecy::{ExposeSecret, SecretString};
use shared::config::AuthConfig;
use shared::edge::respond::Answer;
use shared::edge::{Problem, ProblemType, Scope};

use crate::Parts;
use crate::view::TokensView;

pub(crate) struct RefreshCookie {
    secure: bool,
}

impl RefreshCookie {
    pub(crate) fn new(config: &AuthConfig) -> Self {
        Self { secure: config.secure_cookies }
    }

    /// The `__Host-` prefix makes a browser insist on Secure, `Path=/` and no domain.
    fn name(&self) -> &'static str {
        if self.secure { "__Host-refresh" } else { "refresh" }
    }

    fn line(&self, value: &str, max_age: i64) -> String {
        let secure = if self.secure { " Secure;" } else { "" };
        format!("{}={value}; Path=/;{secure} HttpOnly; SameSite=Strict; Max-Age={max_age}", self.name())
    }

    /// Adds the cookie to an answer.
    pub(crate) fn set(&self, answer: Answer, tokens: &TokensView) -> Answer {
        answer.header("set-cookie", self.line(&tokens.refresh_token, tokens.refresh_expires_in))
    }

    /// Takes the cookie away.
    pub(crate) fn clear(&self, answer: Answer) -> Answer {
        answer.header("set-cookie", self.line("", 0))
    }

    /// The cookie's token.
    pub(crate) fn read(&self, headers: &HeaderMap) -> Option<SecretString> {
        let values = headers.get_all(header::COOKIE).iter().filter_map(|value| value.to_str().ok());
        let mut pairs =
            values.flat_map(|line| line.split(';')).filter_map(|pair| pair.trim().split_once('='));
        let (_, token) = pairs.find(|(name, token)| *name == self.name() && !token.is_empty())?;
        Some(SecretString::from(token))
    }
}

/// The token that a request names in its body, or else in its cookie: then only from an allowed page.
pub(crate) fn presented(
    app: &Parts,
    scope: &Scope,
    headers: &HeaderMap,
    body: Option<SecretString>,
) -> Result<Option<SecretString>, Problem> {
    if body.is_some() {
        return Ok(body);
    }
    match app.cookie.read(headers) {
        Some(token) if is_allowed_page(headers, &app.cors_origins) => Ok(Some(token)),
        Some(_) => {
            app.events.csrf_rejected(scope);
            Err(Problem::new(ProblemType::CsrfRejected))
        }
        None => Ok(None),
    }
}

fn is_allowed_page(headers: &HeaderMap, allowed_origins: &[String]) -> bool {
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    if text("sec-fetch-site") == Some("same-origin") {
        return true;
    }
    text("origin").is_some_and(|origin| allowed_origins.iter().any(|allowed| allowed == origin))
}

/// Whether a token has any length at all.
pub(crate) fn is_present(token: &SecretString) -> bool {
    !token.expose_secret().is_empty()
}
