//! The whole life of a Lambda function's process: configuration (every problem in one line), secrets, telemetry, the router,
//! then the runtime and its end. Must never wait for a database: one that is away does not fail init.

use std::sync::Arc;

use axum::Router;
use lambda_http::Adapter;

use crate::boot::{Boot, install_crypto};
use crate::clock::Clock;
use crate::config::{self, LoggingConfig};
use crate::edge::Function;
use crate::edge::event::Door;
use crate::live::Live;
use crate::telemetry;

/// Runs a function until its process ends.
///
/// A configuration or secrets that cannot be used end it with status 1 and one line `init_failed`, so that Lambda fails the
/// init.
///
/// # Errors
/// The runtime's own.
pub async fn run(function: Function, build: fn(&Boot) -> Router) -> Result<(), lambda_http::Error> {
    install_crypto();
    let started = Live::start(function, build, config::environment(), Clock::system()).await;
    let live = match started {
        Ok(live) => Arc::new(live),
        Err(error) => {
            telemetry::init(&LoggingConfig::default(), std::io::stdout);
            tracing::error!(message = "init_failed", service = function.name, reason = error.to_string());
            // Returned, the error would be printed once more, and not as a log line.
            std::process::exit(1);
        }
    };
    let boot = live.boot();
    telemetry::init(&boot.config.logging, std::io::stdout);
    for warning in &boot.config.warnings {
        tracing::warn!(message = "configuration", service = function.name, reason = warning.to_string());
    }
    let service = function.name;
    let closing = live.clone();
    lambda_runtime::spawn_graceful_shutdown_handler(move || async move {
        closing.boot().close(service).await;
    })
    .await;
    let answers = tower::service_fn(move |request| {
        let live = live.clone();
        async move { Ok::<_, std::convert::Infallible>(live.answer(request).await) }
    });
    let adapter: Adapter<'static, axum::response::Response, _> = Adapter::from(answers);
    lambda_runtime::run(Door(adapter)).await
}
