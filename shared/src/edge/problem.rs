//! The one error door: a closed set of problem types, each with its status (RFC 9457). The only file that names an HTTP
//! status of an error. Must never put an internal message into an answer: the cause is logged, not sent.

use std::error::Error;
use std::sync::Arc;

use axum::response::{IntoResponse, Response};
use finance::rejection::Rejection;
use http::StatusCode;
use serde_json::json;

use crate::store::{StoreError, WriteError};

macro_rules! problem_types {
    ($($(#[$meta:meta])* $variant:ident = $code:literal, $status:literal, $title:literal;)*) => {
        /// Every problem that the API answers with. `code` is stable: clients switch on it.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum ProblemType { $($(#[$meta])* $variant,)* }

        impl ProblemType {
            pub const ALL: &'static [ProblemType] = &[$(ProblemType::$variant),*];
            pub fn code(self) -> &'static str { match self { $(ProblemType::$variant => $code,)* } }
            pub fn status(self) -> u16 { match self { $(ProblemType::$variant => $status,)* } }
            pub fn title(self) -> &'static str { match self { $(ProblemType::$variant => $title,)* } }
        }
    };
}

problem_types! {
    InvalidJson = "invalid_json", 400, "The body is not one well-formed JSON text";
    UnknownField = "unknown_field", 400, "The body has fields that are not known";
    InvalidQuery = "invalid_query", 400, "The query is not understood";
    InvalidCursor = "invalid_cursor", 400, "The cursor is not one of this list";
    InvalidHeader = "invalid_header", 400, "A header is not understood";
    Unauthenticated = "unauthenticated", 401, "A valid access token is needed";
    InvalidCredentials = "invalid_credentials", 401, "The credentials are not right";
    InvalidRefreshToken = "invalid_refresh_token", 401, "The refresh token is not valid";
    RefreshTokenReused = "refresh_token_reused", 401, "The refresh token was used before; its session is ended";
    CsrfRejected = "csrf_rejected", 403, "The request does not come from an allowed origin";
    InsufficientScope = "insufficient_scope", 403, "The token does not allow this operation";
    NotFound = "not_found", 404, "There is no such resource";
    MethodNotAllowed = "method_not_allowed", 405, "The resource does not take this method";
    EmailTaken = "email_taken", 409, "The e-mail address has an account";
    RefreshSuperseded = "refresh_superseded", 409, "The refresh token was rotated a moment ago";
    IdempotencyInProgress = "idempotency_in_progress", 409, "A request with this key is still running";
    InUse = "in_use", 409, "The resource is still in use";
    TooManyTransactions = "too_many_transactions", 409, "More transactions than one request may move";
    Reconciled = "reconciled", 409, "The transaction is reconciled";
    LimitReached = "limit_reached", 409, "A user may have no more of these";
    NotDeleted = "not_deleted", 409, "The transaction is not deleted";
    StaleVersion = "stale_version", 412, "The resource has changed since";
    BodyTooLarge = "body_too_large", 413, "The body is larger than this route takes";
    UnsupportedMediaType = "unsupported_media_type", 415, "The body is not plain application/json";
    InvalidFields = "invalid_fields", 422, "Some values are not valid";
    InvalidText = "invalid_text", 422, "Some text holds control characters, or shows nothing";
    DateOutOfRange = "date_out_of_range", 422, "A date is before 1900 or after 2199";
    PasswordTooCommon = "password_too_common", 422, "The password is among those that are tried first";
    CurrencyMismatch = "currency_mismatch", 422, "The currency is not the account's";
    CategoryKindMismatch = "category_kind", 422, "The category is of the other kind";
    AccountRequired = "account_required", 422, "There is no account that is not archived";
    IdempotencyKeyReused = "idempotency_key_reused", 422, "The key was used with another request";
    RateLimited = "rate_limited", 429, "Too many requests";
    LoginDelayed = "login_delayed", 429, "Too many failed logins of this account";
    WriteContention = "write_contention", 429, "Other writes of the same user took all the time; nothing was written";
    Internal = "internal", 500, "Something went wrong on our side";
    Unavailable = "service_unavailable", 503, "A service that this request needs does not answer";
    DeadlineExceeded = "deadline_exceeded", 504, "The request took too long";
}

/// The most errors that a problem document lists. `errorsOmitted` counts the others, so that no request, however many bad
/// fields it has, makes an answer larger than itself.
pub const ERRORS_MAX: usize = 50;
/// The longest name, in bytes, that becomes part of a pointer. No field or parameter of the API has one as long.
const POINTER_NAME_BYTES_MAX: usize = 64;

/// The JSON pointer (RFC 6901) to the member `name` of what `parent` points at, where a client chose the name. A name too
/// long to be one of ours is left out: the pointer is then the parent's.
pub fn pointer_to(parent: &str, name: &str) -> String {
    if name.len() > POINTER_NAME_BYTES_MAX {
        return parent.to_owned();
    }
    format!("{parent}/{}", name.replace('~', "~0").replace('/', "~1"))
}

/// A refusal on its way out. The cause stays inside.
#[derive(Clone, Debug)]
pub struct Problem {
    pub kind: ProblemType,
    pub detail: Option<String>,
    pub errors: Vec<Rejection>,
    /// Whole seconds.
    pub retry_after: Option<u64>,
    pub(crate) allow: Option<String>,
    /// It was the content coding that was not taken, and not the media type.
    pub(crate) coding: bool,
    pub(crate) cause: Option<Arc<dyn Error + Send + Sync>>,
}

impl Problem {
    pub fn new(kind: ProblemType) -> Self {
        // A dependency that is away may be back in a second; the client's back-off does the rest.
        let retry_after =
            matches!(kind, ProblemType::Unavailable | ProblemType::DeadlineExceeded).then_some(1);
        Self { kind, detail: None, errors: Vec::new(), retry_after, allow: None, coding: false, cause: None }
    }

    pub fn detail(mut self, detail: impl Into<String>) -> Self {
        self.detail = Some(detail.into());
        self
    }

    pub fn retry_after(mut self, seconds: u64) -> Self {
        self.retry_after = Some(seconds);
        self
    }

    pub fn caused_by(mut self, cause: impl Error + Send + Sync + 'static) -> Self {
        self.cause = Some(Arc::new(cause));
        self
    }

    /// 422 with every bad field. Where one kind of refusal is all there is, and it has a type of its own, the problem is
    /// of that type.
    pub fn fields(errors: Vec<Rejection>) -> Self {
        let first = errors.first().map(|error| error.code);
        let same = errors.iter().all(|error| Some(error.code) == first);
        let own =
            ProblemType::ALL.iter().find(|kind| same && kind.status() == 422 && Some(kind.code()) == first);
        Self {
            kind: *own.unwrap_or(&ProblemType::InvalidFields),
            errors,
            ..Self::new(ProblemType::InvalidFields)
        }
    }

    /// # Errors
    /// 422 with every bad field, where there is one.
    pub fn unless_empty(errors: Vec<Rejection>) -> Result<(), Self> {
        if errors.is_empty() { Ok(()) } else { Err(Self::fields(errors)) }
    }

    /// 422 with one bad field.
    pub fn field(pointer: impl Into<String>, code: &'static str, detail: impl Into<String>) -> Self {
        Self::fields(vec![Rejection::new(pointer, code, detail)])
    }

    pub fn not_found() -> Self {
        Self::new(ProblemType::NotFound)
    }

    pub fn status(&self) -> StatusCode {
        StatusCode::from_u16(self.kind.status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
    }

    /// Whether MongoDB's time was over.
    pub(crate) fn is_timeout(&self) -> bool {
        let cause = self.cause.as_deref().and_then(|cause| cause.downcast_ref());
        matches!(cause, Some(StoreError::TimedOut))
    }

    /// What did not do, for those who may hear no word but ours: a cause's own words may quote data.
    pub(crate) fn safe_cause(&self) -> Option<&'static str> {
        self.cause.as_deref()?.downcast_ref().map(|error: &StoreError| match error {
            StoreError::Unavailable(_) => "mongodb does not answer",
            StoreError::CredentialsRefused(_) => "mongodb refuses the credentials",
            StoreError::TimedOut => "mongodb took longer than the request may",
            StoreError::Corrupt(_) => "mongodb holds or answered something unexpected",
        })
    }

    /// The document of RFC 9457, with `instance` the request's id and at most [`ERRORS_MAX`] errors.
    pub(crate) fn document(&self, request_id: &str) -> Vec<u8> {
        let errors: Vec<_> = self
            .errors
            .iter()
            .take(ERRORS_MAX)
            .map(|error| json!({"pointer": error.pointer, "code": error.code, "detail": error.detail}))
            .collect();
        let mut document = json!({
            "type": format!("/problems/{}", self.kind.code()),
            "title": self.kind.title(),
            "status": self.kind.status(),
            "detail": self.detail.as_deref().unwrap_or(self.kind.title()),
            "instance": request_id,
            "code": self.kind.code(),
        });
        let omitted = self.errors.len().saturating_sub(errors.len());
        if !errors.is_empty() {
            document["errors"] = errors.into();
        }
        if omitted > 0 {
            document["errorsOmitted"] = omitted.into();
        }
        document.to_string().into_bytes()
    }

    /// The cause and its sources, for the log.
    pub(crate) fn cause_chain(&self) -> Option<String> {
        let mut next: Option<&dyn Error> = Some(self.cause.as_deref()?);
        let mut chain = Vec::new();
        while let Some(error) = next {
            chain.push(error.to_string());
            next = error.source();
        }
        Some(chain.join(": "))
    }
}

/// Hands the problem to the edge, which knows the request's id and writes the body.
impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let mut response = self.status().into_response();
        response.extensions_mut().insert(self);
        response
    }
}

impl From<StoreError> for Problem {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Unavailable(_) | StoreError::CredentialsRefused(_) | StoreError::TimedOut => {
                Problem::new(ProblemType::Unavailable).caused_by(error)
            }
            StoreError::Corrupt(_) => Problem::new(ProblemType::Internal).caused_by(error),
        }
    }
}

impl From<WriteError> for Problem {
    fn from(error: WriteError) -> Self {
        match error {
            WriteError::NotFound => Problem::not_found(),
            WriteError::Stale => Problem::new(ProblemType::StaleVersion),
            WriteError::Rejected(errors) => Problem::fields(errors),
            WriteError::KeyReused => Problem::new(ProblemType::IdempotencyKeyReused),
            WriteError::KeyInProgress => Problem::new(ProblemType::IdempotencyInProgress).retry_after(1),
            WriteError::InUse { count } => Problem::new(ProblemType::InUse)
                .detail(format!("{count} transactions or rules use it; name a target with moveTo")),
            WriteError::TooMany { limit } => Problem::new(ProblemType::TooManyTransactions)
                .detail(format!("at most {limit} transactions can be moved in one request")),
            WriteError::EmailTaken => Problem::new(ProblemType::EmailTaken),
            WriteError::Reconciled => Problem::new(ProblemType::Reconciled)
                .detail("set its status back before its amount, date, type, accounts or splits change, or it is deleted"),
            WriteError::LimitReached { kind, max } => Problem::new(ProblemType::LimitReached)
                .detail(format!("a user has at most {max} of the kind {kind}")),
            WriteError::Overflow => {
                Problem::field("/amount", "out_of_range", "the totals would leave their range")
            }
            WriteError::NotDeleted => Problem::new(ProblemType::NotDeleted),
            // The user was erased while the request ran: its token is dead.
            WriteError::UserGone => Problem::new(ProblemType::Unauthenticated),
            WriteError::Contention => Problem::new(ProblemType::WriteContention).retry_after(1),
            WriteError::Store(error) => error.into(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_unique_and_snake_case() {
        let mut seen = std::collections::BTreeSet::new();
        for kind in ProblemType::ALL {
            assert!(seen.insert(kind.code()), "{} stands twice", kind.code());
            assert!(kind.code().bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_'));
            assert!((400..600).contains(&kind.status()));
        }
    }

    #[test]
    fn one_kind_of_refusal_names_the_problem_and_several_do_not() {
        let error = |code| Rejection::new("/x", code, "");
        let kind =
            |codes: &[&'static str]| Problem::fields(codes.iter().map(|code| error(code)).collect()).kind;
        assert_eq!(kind(&["currency_mismatch"]), ProblemType::CurrencyMismatch);
        assert_eq!(kind(&["invalid_text", "invalid_text"]), ProblemType::InvalidText);
        assert_eq!(kind(&["currency_mismatch", "required"]), ProblemType::InvalidFields);
        assert_eq!(kind(&["required"]), ProblemType::InvalidFields);
        assert_eq!(kind(&[]), ProblemType::InvalidFields);
    }

    #[test]
    fn a_pointer_is_escaped_and_leaves_a_long_name_out() {
        assert_eq!(pointer_to("/query", "a~b/c"), "/query/a~0b~1c");
        assert_eq!(pointer_to("", ""), "/");
        assert_eq!(pointer_to("/a", &"x".repeat(64)), format!("/a/{}", "x".repeat(64)));
        assert_eq!(pointer_to("/a", &"x".repeat(65)), "/a");
    }

    #[test]
    fn a_cause_is_told_to_the_log_and_not_to_the_client() {
        let cause = StoreError::Corrupt("users.secret".into());
        let problem = Problem::from(cause);
        assert!(problem.cause_chain().unwrap().contains("users.secret"));
        assert!(!String::from_utf8(problem.document("id")).unwrap().contains("users.secret"));
    }
}
