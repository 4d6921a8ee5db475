//! The log of the test at hand, written by the service's own telemetry. Must never format a line itself: what a test reads
//! is what CloudWatch would.

use std::cell::RefCell;
use std::io::Write;
use std::sync::Once;

use serde_json::Value;
use shared::config::LoggingConfig;
use shared::telemetry;

thread_local! {
    /// What this thread's test has logged. A test and all its tasks run on one thread.
    static LOG: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
}

/// Writes to the log of the thread.
struct ThreadLog;

impl Write for ThreadLog {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        LOG.with_borrow_mut(|log| log.extend_from_slice(bytes));
        Ok(bytes.len())
    }
    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// What was logged since [`capture`].
pub struct Log;

/// Captures everything that is logged on this thread, at every level that telemetry lets through. The subscriber is the
/// whole process's: one of a thread would not see what another thread met first.
pub fn capture() -> Log {
    static START: Once = Once::new();
    START.call_once(|| {
        let config = LoggingConfig { level: "trace".to_owned(), ..LoggingConfig::default() };
        telemetry::init(&config, || ThreadLog);
    });
    LOG.with_borrow_mut(Vec::clear);
    Log
}

impl Log {
    pub fn text(&self) -> String {
        LOG.with_borrow(|log| String::from_utf8(log.clone()).expect("a log is text"))
    }

    /// Each line as JSON.
    pub fn lines(&self) -> Vec<Value> {
        self.text().lines().map(|line| serde_json::from_str(line).expect("a line is JSON")).collect()
    }

    /// The lines that hold this text, as JSON.
    pub fn lines_with(&self, text: &str) -> Vec<Value> {
        LOG.with_borrow(|log| {
            let log = std::str::from_utf8(log).expect("a log is text");
            let lines = log.lines().filter(|line| line.contains(text));
            lines.map(|line| serde_json::from_str(line).expect("a line is JSON")).collect()
        })
    }

    /// Drops the lines that hold this text: what is judged need not be read again.
    pub fn forget(&self, text: &str) {
        let log = self.text();
        let kept = log.split_inclusive('\n').filter(|line| !line.contains(text));
        LOG.set(kept.collect::<String>().into_bytes());
    }

    /// The lines with this message.
    pub fn messages(&self, message: &str) -> Vec<Value> {
        self.lines().into_iter().filter(|line| line["message"] == message).collect()
    }

    /// How often a metric was counted, whatever its dimension.
    pub fn metric(&self, metric: telemetry::Metric) -> usize {
        self.lines()
            .iter()
            .filter(|line| line.get("_aws").is_some() && line.get(metric.name()).is_some())
            .count()
    }
}
