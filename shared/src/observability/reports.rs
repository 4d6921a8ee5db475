//! Error reports in Sentry's form: of each answer with 5xx, of each panic within a request, and of a start or a job that failed. A
//! report is made of the fields that are named here, and of nothing else: there is nothing to strip. Must never hold what a
//! client sent (but the request id that its answer shows), whose request it was, a cause's own words or a variable's value.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant, UNIX_EPOCH};

use http::{HeaderMap, HeaderName, HeaderValue, header};
use sentry_types::protocol::v7::{Envelope, Event, Level};

use super::outlet::Outlet;
use crate::clock::Clock;
use crate::config::{AppEnv, ReportsConfig};
use crate::{crypto, ids};

/// What we are called to Sentry.
const CLIENT: &str = concat!("fintrack-pro/", env!("CARGO_PKG_VERSION"));
const RELEASE: &str = concat!("fintrack-pro-", env!("CARGO_PKG_VERSION"));
/// The most reports that wait to be sent. A request makes one.
const KEPT_MAX: usize = 32;

/// What makes and sends the reports of one function.
pub(super) struct Reports {
    service: &'static str,
    app_env: AppEnv,
    thousandths: u16,
    clock: Clock,
    kept: Mutex<Vec<Vec<u8>>>,
    outlet: Outlet,
}

/// An answer with 5xx.
pub(crate) struct Failure<'a> {
    pub(crate) status: u16,
    /// The problem's code.
    pub(crate) code: &'static str,
    /// What of ours did not do, in words that are ours.
    pub(crate) cause: Option<&'static str>,
    pub(crate) method: &'static str,
    /// The route's pattern.
    pub(crate) route: &'a str,
    pub(crate) request_id: &'a str,
    /// The file and line of a panic.
    pub(crate) panic: Option<String>,
}

impl Reports {
    /// Absent where the DSN makes no address, which parsing it has excluded.
    pub(super) fn new(
        config: &ReportsConfig,
        service: &'static str,
        app_env: AppEnv,
        clock: Clock,
    ) -> Option<Self> {
        let uri = config.dsn.envelope_api_url().as_str().parse().ok()?;
        let mut auth = HeaderValue::try_from(config.dsn.to_auth(Some(CLIENT)).to_string()).ok()?;
        auth.set_sensitive(true);
        let mut headers = HeaderMap::new();
        headers.insert(HeaderName::from_static("x-sentry-auth"), auth);
        let envelope = HeaderValue::from_static("application/x-sentry-envelope");
        headers.insert(header::CONTENT_TYPE, envelope);
        let outlet = Outlet::new("reports", uri, headers, clock.clone());
        let kept = Mutex::default();
        Some(Self { service, app_env, thousandths: config.thousandths, clock, kept, outlet })
    }

    /// Keeps the report of a failure: of a panic always, of another by chance.
    pub(super) fn keep(&self, failure: &Failure<'_>) {
        let chosen = crypto::random_up_to(999) < u64::from(self.thousandths);
        if chosen || failure.panic.is_some() {
            self.push(self.of_a_failure(failure));
        }
    }

    /// Keeps the report of a start that failed. `reason` names variables, never their values.
    pub(super) fn keep_failed_start(&self, reason: String) {
        let mut event = self.event(Level::Fatal, "the function cannot start".to_owned());
        event.fingerprint = vec!["init_failed".into(), self.service.into()].into();
        event.tags.insert("code".to_owned(), "init_failed".to_owned());
        // A tag has 200 characters at most, and every problem is in it.
        event.extra.insert("reason".to_owned(), reason.into());
        self.push(event);
    }

    /// Keeps the report of a job that failed. Its log says why.
    pub(super) fn keep_failed_job(&self, panic: Option<String>) {
        let code = if panic.is_some() { "panicked" } else { "job_failed" };
        let mut event = self.event(Level::Error, format!("{code} at {}", self.service));
        let place = panic.clone().unwrap_or_default();
        event.fingerprint = vec![code.into(), self.service.into(), place.into()].into();
        event.tags.insert("code".to_owned(), code.to_owned());
        event.tags.extend(panic.map(|at| ("panic_location".to_owned(), at)));
        self.push(event);
    }

    /// Sends what is kept, within the limits of the outlet.
    pub(super) async fn send(&self, until: Instant) {
        let kept = std::mem::take(&mut *self.kept.lock().unwrap_or_else(PoisonError::into_inner));
        for envelope in kept {
            self.outlet.send(envelope, until).await;
        }
    }

    fn push(&self, event: Event<'static>) {
        if self.outlet.is_left_alone() {
            return;
        }
        let mut bytes = Vec::new();
        // Writing to memory: it could fail only for what no field here is.
        if Envelope::from(event).to_writer(&mut bytes).is_err() {
            return;
        }
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        if kept.len() < KEPT_MAX {
            kept.push(bytes);
        }
    }

    fn of_a_failure(&self, failure: &Failure<'_>) -> Event<'static> {
        let what = if failure.panic.is_some() { "panicked" } else { failure.code };
        let operation = format!("{} {}", failure.method, failure.route);
        let mut event = self.event(Level::Error, format!("{what} ({}) at {operation}", failure.status));
        let place = failure.panic.clone().or_else(|| failure.cause.map(str::to_owned));
        let place = place.unwrap_or_default();
        event.fingerprint = vec![what.into(), operation.clone().into(), place.into()].into();
        event.transaction = Some(operation);
        let tags = [
            ("code", Some(failure.code.to_owned())),
            ("status", Some(failure.status.to_string())),
            ("request_id", Some(failure.request_id.to_owned())),
            ("cause", failure.cause.map(str::to_owned)),
            ("panic_location", failure.panic.clone()),
        ];
        let set = tags.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?)));
        event.tags.extend(set);
        event
    }

    fn event(&self, level: Level, message: String) -> Event<'static> {
        let now = Duration::from_millis(self.clock.now_ms().unsigned_abs());
        let mut event = Event {
            event_id: ids::new_id(&self.clock),
            level,
            message: Some(message),
            logger: Some("fintrack-pro".to_owned()),
            platform: "other".into(),
            timestamp: UNIX_EPOCH + now,
            release: Some(RELEASE.into()),
            environment: Some(self.app_env.word().into()),
            ..Event::default()
        };
        event.tags.insert("function".to_owned(), self.service.to_owned());
        event
    }
}
