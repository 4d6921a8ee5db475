//! The whole life of a Lambda function's process: configuration (every problem in one line), secrets, telemetry, the router
//! or the job, then the runtime and its end. Must never wait for a database: one that is away does not fail init.

use std::collections::HashMap;
use std::future::Future;
use std::panic::AssertUnwindSafe;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use futures_util::FutureExt;
use lambda_http::Adapter;
use lambda_runtime::LambdaEvent;
use opentelemetry::context::FutureExt as _;
use serde::de::IgnoredAny;
use tracing::Instrument;

use crate::boot::{Boot, install_crypto};
use crate::clock::Clock;
use crate::config::{self, LoggingConfig};
use crate::edge::Function;
use crate::edge::event::EventSanitizer;
use crate::reload::{self, Build, Live, StartError};
use crate::telemetry;

/// Runs a function that answers requests until its process ends.
///
/// A configuration or secrets that cannot be used end it with status 1 and one line `init_failed`, so that Lambda fails the
/// init.
///
/// # Errors
/// The runtime's own.
pub async fn run(function: Function, build: Build) -> Result<(), lambda_http::Error> {
    install_crypto();
    let started = Live::start(function, build, config::environment(), Clock::system()).await;
    let live = Arc::new(started.unwrap_or_else(|error| fail_init(function.name, &error)));
    tell_warnings(function.name, &live.boot());
    let closing = live.clone();
    lambda_runtime::spawn_graceful_shutdown_handler(move || async move {
        closing.boot().close(function.name).await;
    })
    .await;
    let answers = tower::service_fn(move |request| {
        let live = live.clone();
        async move { Ok::<_, std::convert::Infallible>(live.answer(request).await) }
    });
    let adapter: Adapter<'static, axum::response::Response, _> = Adapter::from(answers);
    lambda_runtime::run(EventSanitizer(adapter)).await
}

/// What a job does with one invocation: it has until the instant, which is Lambda's own time-out.
pub type Work = fn(Boot, Instant) -> Pin<Box<dyn Future<Output = Result<(), JobFailed>> + Send>>;

/// A job that did not do what it is for. It has told why; Lambda hears no more than this.
#[derive(Debug, thiserror::Error)]
#[error("the job failed: its log says why")]
pub struct JobFailed;

impl From<JobFailed> for lambda_runtime::Diagnostic {
    fn from(failed: JobFailed) -> Self {
        Self { error_type: "JobFailed".to_owned(), error_message: failed.to_string() }
    }
}

/// Runs a function that no request waits for until its process ends. Whatever event invokes it is only a sign to begin.
///
/// Init is as that of [`run`]. Secrets are read anew for every invocation but the first: there may be a day between two.
///
/// # Errors
/// The runtime's own.
pub async fn run_job(function: Function, work: Work) -> Result<(), lambda_http::Error> {
    install_crypto();
    let environment = config::environment();
    let first = reload::read(function, &environment, Clock::system()).await;
    let boot = first.map(|(_, boot)| boot).unwrap_or_else(|error| fail_init(function.name, &error));
    tell_warnings(function.name, &boot);
    let job = Arc::new(Job { function, work, environment, state: Mutex::new((boot, true)) });
    let closing = job.clone();
    lambda_runtime::spawn_graceful_shutdown_handler(move || async move {
        closing.boot().close(function.name).await;
    })
    .await;
    lambda_runtime::run(tower::service_fn(move |event: LambdaEvent<IgnoredAny>| {
        let job = job.clone();
        async move { job.invoke(event.context).await }
    }))
    .await
}

struct Job {
    function: Function,
    work: Work,
    environment: HashMap<String, String>,
    /// What it works with, and whether that was read for the invocation to come.
    state: Mutex<(Boot, bool)>,
}

impl Job {
    fn boot(&self) -> Boot {
        self.state.lock().unwrap_or_else(PoisonError::into_inner).0.clone()
    }

    async fn invoke(&self, context: lambda_runtime::Context) -> Result<(), JobFailed> {
        let span = tracing::error_span!(
            "job",
            service = self.function.name,
            function_name = Some(context.env_config.function_name.as_str()).filter(|name| !name.is_empty()),
            function_request_id = context.request_id.as_str(),
        );
        let now_ms = u64::try_from(self.boot().clock.now_ms()).unwrap_or_default();
        let until = Instant::now() + Duration::from_millis(context.deadline.saturating_sub(now_ms));
        async {
            let boot = self.fresh().await.map_err(|error| {
                tracing::error!(message = "job not begun", reason = error.to_string());
                JobFailed
            })?;
            self.watched(boot, until).await
        }
        .instrument(span)
        .await
    }

    /// The work; whoever is told of errors is told of its failure or panic.
    async fn watched(&self, boot: Boot, until: Instant) -> Result<(), JobFailed> {
        let Some(watch) = boot.watch(self.function.name) else { return (self.work)(boot, until).await };
        let watched = watch.begin_job();
        let work = (self.work)(boot, until).with_context(watched.context());
        let done = AssertUnwindSafe(work).catch_unwind().await;
        if !matches!(done, Ok(Ok(()))) {
            watch.job_failed(watched).await;
        }
        done.unwrap_or_else(|panic| std::panic::resume_unwind(panic))
    }

    async fn fresh(&self) -> Result<Boot, StartError> {
        let (old, is_fresh) = {
            let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
            (state.0.clone(), std::mem::take(&mut state.1))
        };
        if is_fresh {
            return Ok(old);
        }
        let (_, read) = reload::read(self.function, &self.environment, old.clock.clone()).await?;
        let boot = old.renewed((*read.config).clone());
        self.state.lock().unwrap_or_else(PoisonError::into_inner).0 = boot.clone();
        Ok(boot)
    }
}

fn fail_init(service: &'static str, error: &StartError) -> ! {
    telemetry::init(&LoggingConfig::default(), std::io::stdout);
    tracing::error!(message = "init_failed", service, reason = error.to_string());
    // Returned, the error would be printed once more, and not as a log line.
    std::process::exit(1);
}

fn tell_warnings(service: &'static str, boot: &Boot) {
    telemetry::init(&boot.config.logging, std::io::stdout);
    for warning in &boot.config.warnings {
        tracing::warn!(message = "configuration", service, reason = warning.to_string());
    }
}
