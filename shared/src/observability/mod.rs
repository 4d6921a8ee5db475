//! What others are told of the process while it works: traces ([`traces`], where `OTEL_EXPORTER_OTLP_ENDPOINT` is set) and
//! error reports ([`reports`], where `SENTRY_DSN` is), both through one kind of [`outlet`]. Where neither is set there is no
//! [`Watch`]: nothing is made, recorded or sent. Must never change an answer, delay one beyond the outlet's limit, or hold
//! anything of a user.

mod outlet;
mod reports;
mod traces;

use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use opentelemetry::Context;

use crate::clock::Clock;
use crate::config::Config;
use reports::Reports;
use traces::Traces;

pub(crate) use reports::Failure;
pub(crate) use traces::{Call, Incoming, command_began, command_ended, known_method};

/// The most that one request waits for its receivers.
const TIME_MAX: Duration = Duration::from_millis(250);
/// What a failed start or job may take to be told: it connects first, and nobody waits for an answer.
const FAILURE_TIME_MAX: Duration = Duration::from_secs(1);

/// What tells of one function.
#[derive(Clone)]
pub(crate) struct Watch {
    inner: Arc<Inner>,
}

struct Inner {
    traces: Option<Traces>,
    reports: Option<Reports>,
}

/// Where the current request panicked, if it did. Travels in its context.
#[derive(Clone, Default)]
struct Panicked(Arc<OnceLock<String>>);

/// A request that is being watched.
pub(crate) struct Watched {
    context: Context,
    traced: bool,
    panicked: Panicked,
}

impl Watch {
    /// Absent where nobody is told.
    pub(crate) fn new(config: &Config, service: &'static str, clock: &Clock) -> Option<Self> {
        let traces = config.traces.as_ref();
        let traces = traces.map(|traces| Traces::new(traces, service, config.app_env, clock.clone()));
        let reports = config.reports.as_ref();
        let reports = reports.and_then(|to| Reports::new(to, service, config.app_env, clock.clone()));
        (traces.is_some() || reports.is_some()).then(|| Self { inner: Arc::new(Inner { traces, reports }) })
    }

    pub(crate) fn begin(&self, incoming: &Incoming<'_>) -> Watched {
        let context = self.inner.traces.as_ref().and_then(|traces| traces.begin(incoming));
        let traced = context.is_some();
        let panicked = Panicked::default();
        let context = context.unwrap_or_default().with_value(panicked.clone());
        Watched { context, traced, panicked }
    }

    /// Ends the request's span, and keeps the report of an answer that was a failure.
    pub(crate) fn end(&self, watched: Watched, status: u16, failure: Option<Failure<'_>>) {
        if watched.traced {
            traces::end(&watched.context, status);
        }
        if let (Some(reports), Some(failure)) = (&self.inner.reports, failure) {
            let panic = watched.panicked.0.get().cloned();
            reports.keep(&Failure { panic, ..failure });
        }
    }

    /// A job, which has no span: only its failure is told.
    pub(crate) fn begin_job(&self) -> Watched {
        let panicked = Panicked::default();
        Watched { context: Context::new().with_value(panicked.clone()), traced: false, panicked }
    }

    /// Tells of a job that failed.
    pub(crate) async fn job_failed(&self, watched: Watched) {
        let Some(reports) = &self.inner.reports else { return };
        reports.keep_failed_job(watched.panicked.0.get().cloned());
        reports.send(Instant::now() + FAILURE_TIME_MAX).await;
    }

    /// Sends what is known, both at once, and gives it up after [`TIME_MAX`] and at `until`, whichever comes first.
    pub(crate) async fn send(&self, until: Instant) {
        let until = until.min(Instant::now() + TIME_MAX);
        let traces = async {
            if let Some(traces) = &self.inner.traces {
                traces.send(until).await;
            }
        };
        let reports = async {
            if let Some(reports) = &self.inner.reports {
                reports.send(until).await;
            }
        };
        tokio::join!(traces, reports);
    }
}

impl Watched {
    pub(crate) fn context(&self) -> Context {
        self.context.clone()
    }
}

/// Tells of a start that failed. `reason` names variables, never their values. Before there is a log, so that a receiver
/// which does not take it is not told of.
pub(crate) async fn start_failed(config: &Config, service: &'static str, clock: &Clock, reason: String) {
    let Some(watch) = Watch::new(config, service, clock) else { return };
    let Some(reports) = &watch.inner.reports else { return };
    reports.keep_failed_start(reason);
    reports.send(Instant::now() + FAILURE_TIME_MAX).await;
}

/// Notes where a request panicked, if one is being watched. Called by the panic hook.
pub(crate) fn note_panic(location: Option<&str>) {
    Context::map_current(|context| {
        let Some(panicked) = context.get::<Panicked>() else { return };
        drop(panicked.0.set(location.unwrap_or("unknown").to_owned()));
    });
}
