//! The log of the test at hand, written by the service's own telemetry; every line of every test is looked at by
//! [`crate::canary`]. Must never format a line itself: what a test reads
//! is what CloudWatch would.

use std::cell::RefCell;
use std::io::Write;
use std::sync::Once;

use serde_json::Value;
use shared::config::LoggingConfig;
use shared::metrics::Metric;
use shared::telemetry;

use crate::canary;

thread_local! {
    /// What this thread's test has logged since it asked for it. A test and all its tasks run on one thread.
    static LOG: RefCell<Option<Vec<u8>>> = const { RefCell::new(None) };
}

/// Looks for secrets in every line, and keeps those of a thread that captures.
struct ThreadLog;

impl Write for ThreadLog {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        canary::check(&String::from_utf8_lossy(bytes));
        LOG.with_borrow_mut(|log| log.as_mut().map(|log| log.extend_from_slice(bytes)));
        Ok(bytes.len())
    }
    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// Starts the log of the process, at every level that telemetry lets through, whether a test reads it or not. The
/// subscriber is the whole process's: one of a thread would not see what another thread met first.
pub fn start() {
    static START: Once = Once::new();
    START.call_once(|| {
        let config = LoggingConfig { level: "trace".to_owned(), ..LoggingConfig::default() };
        // A test that fails is to be told on the terminal too.
        let standard = std::panic::take_hook();
        telemetry::init(&config, || ThreadLog);
        let ours = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |panic| {
            ours(panic);
            standard(panic);
        }));
    });
}

/// What was logged since [`capture`].
pub struct Log;

/// Captures everything that is logged on this thread from now on.
pub fn capture() -> Log {
    start();
    LOG.set(Some(Vec::new()));
    Log
}

impl Log {
    pub fn text(&self) -> String {
        LOG.with_borrow(|log| String::from_utf8(log.clone().unwrap_or_default()).expect("a log is text"))
    }

    /// Each line as JSON.
    pub fn lines(&self) -> Vec<Value> {
        self.text().lines().map(|line| serde_json::from_str(line).expect("a line is JSON")).collect()
    }

    /// The lines that hold this text, as JSON.
    pub fn lines_with(&self, text: &str) -> Vec<Value> {
        LOG.with_borrow(|log| {
            let log = std::str::from_utf8(log.as_deref().unwrap_or_default()).expect("a log is text");
            let lines = log.lines().filter(|line| line.contains(text));
            lines.map(|line| serde_json::from_str(line).expect("a line is JSON")).collect()
        })
    }

    /// Drops the lines that hold this text: what is judged need not be read again.
    pub fn forget(&self, text: &str) {
        let log = self.text();
        let kept = log.split_inclusive('\n').filter(|line| !line.contains(text));
        LOG.set(Some(kept.collect::<String>().into_bytes()));
    }

    /// The lines with this message.
    pub fn messages(&self, message: &str) -> Vec<Value> {
        self.lines().into_iter().filter(|line| line["message"] == message).collect()
    }

    /// How often a metric was counted, whatever its dimension.
    pub fn metric(&self, metric: Metric) -> usize {
        self.lines()
            .iter()
            .filter(|line| line.get("_aws").is_some() && line.get(metric.name()).is_some())
            .count()
    }
}
