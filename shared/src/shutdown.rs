//! The end of a process: what was logged and traced goes out, then MongoDB is closed, then Redis, each step logged. Must never take
//! longer than Lambda leaves after SIGTERM (500 ms for a function with an internal extension), whatever hangs.

use std::future::Future;
use std::io::Write;
use std::time::{Duration, Instant};

use crate::observability::Watch;
use crate::store::Mongo;
use crate::store::redis::Redis;
use crate::telemetry::millis;

/// What sending the last traces and reports may take.
const TELEMETRY_MAX: Duration = Duration::from_millis(90);
/// What closing MongoDB may take: it says good-bye to the server, which may be gone.
const MONGODB_MAX: Duration = Duration::from_millis(200);
/// What closing Redis may take.
const REDIS_MAX: Duration = Duration::from_millis(100);

/// Closes what is open, in order. Nothing that was never opened is opened for it.
pub(crate) async fn close(
    service: &'static str,
    watch: Option<Watch>,
    mongo: Option<Mongo>,
    redis: Option<Redis>,
) {
    let started = Instant::now();
    tracing::info!(message = "shutdown", service, step = "closing");
    flush();
    if let Some(watch) = watch {
        within(TELEMETRY_MAX, service, "telemetry", watch.send(started + TELEMETRY_MAX)).await;
    }
    if let Some(mongo) = mongo {
        within(MONGODB_MAX, service, "mongodb", mongo.shutdown()).await;
    }
    if let Some(redis) = redis {
        within(REDIS_MAX, service, "redis", redis.close()).await;
    }
    let duration_ms = millis(started.elapsed());
    tracing::info!(message = "shutdown", service, step = "closed", duration_ms);
    flush();
}

/// Lines are written as they come; this is for a standard output that keeps the last one back.
fn flush() {
    drop(std::io::stdout().flush());
}

async fn within(limit: Duration, service: &'static str, step: &'static str, work: impl Future<Output = ()>) {
    let started = Instant::now();
    let done = tokio::time::timeout(limit, work).await.is_ok();
    let duration_ms = millis(started.elapsed());
    if done {
        tracing::info!(message = "shutdown", service, step, duration_ms);
    } else {
        tracing::warn!(message = "shutdown", service, step, duration_ms, reason = "it did not close in time");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_steps_together_fit_into_what_lambda_leaves() {
        assert!(TELEMETRY_MAX + MONGODB_MAX + REDIS_MAX < Duration::from_millis(400));
    }
}
