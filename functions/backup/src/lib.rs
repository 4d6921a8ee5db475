//! The scheduled backup: the whole database as of one moment, compressed, its manifest last, in S3 ([`bucket`]) or, on a
//! developer's machine, in a folder ([`folder`]). What [`manifest`] describes is a backup; what has no manifest is none.
//! Must never answer a request, hold more than a few parts of 8 MB in memory, or write over what is there.

pub mod bucket;
pub mod error;
pub mod export;
pub mod folder;
pub mod manifest;
pub mod place;

use std::future::Future;
use std::pin::Pin;
use std::time::{Duration, Instant};

use shared::boot::Boot;
use shared::config::Need;
use shared::edge::Function;
use shared::lambda::JobFailed;
use shared::metrics::{self, Metric};
use shared::telemetry;

use crate::bucket::Bucket;
use crate::export::{BackupError, Written};
use crate::place::Place;

pub const FUNCTION: Function = Function { name: "backup", needs: &[Need::Mongo, Need::Backup] };

/// How long before Lambda's time-out a backup gives up: what it has begun is to be taken back by then.
const MARGIN: Duration = Duration::from_secs(20);

/// One invocation.
pub fn work(boot: Boot, until: Instant) -> Pin<Box<dyn Future<Output = Result<(), JobFailed>> + Send>> {
    Box::pin(async move {
        let began = Instant::now();
        let result = to_the_bucket(&boot, until.checked_sub(MARGIN).unwrap_or(began)).await;
        let duration_ms = telemetry::millis(began.elapsed());
        match result {
            Ok(Written { name, documents, bytes }) => {
                tracing::info!(message = "backup completed", backup = name, documents, bytes, duration_ms);
                metrics::count(Metric::BackupCompleted, FUNCTION.name);
                Ok(())
            }
            Err(error) => {
                tracing::error!(message = "backup failed", cause = error.chain(), duration_ms);
                metrics::count(Metric::BackupFailed, FUNCTION.name);
                Err(JobFailed)
            }
        }
    })
}

async fn to_the_bucket(boot: &Boot, until: Instant) -> Result<Written, BackupError> {
    let config = boot.config.backup.as_ref().ok_or(BackupError::NotConfigured)?;
    let bucket = Bucket::open(&config.bucket, config.kms_key_id.as_deref()).await;
    export::back_up(boot, &Place::Bucket(bucket), until, std::future::pending()).await
}
