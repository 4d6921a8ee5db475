//! Structured logs: one JSON line an event, with Powertools' names for what the platform knows; readable lines where
//! `LOG_FORMAT=pretty`. A metric ([`crate::metrics`]) is a line too, and a panic, wherever it is. Must never log a password,
//! token, cookie, e-mail or body.

use std::borrow::Cow;
use std::fmt;
use std::panic::PanicHookInfo;
use std::time::Duration;

use serde_json::Value;
use tracing::field::{Field, Visit};
use tracing::level_filters::LevelFilter;
use tracing::{Event, Subscriber};
use tracing_subscriber::filter::Targets;
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::{
    FmtContext, FormatEvent, FormatFields, FormattedFields, MakeWriter, layer as lines, writer::MakeWriterExt,
};
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::registry::LookupSpan;
use tracing_subscriber::util::SubscriberInitExt;

use crate::clock::{self, Clock};
use crate::config::{LogFormat, LoggingConfig};
use crate::metrics;
use crate::observability;

/// The target of what must be on record: it is written whatever the least level is, as metrics are.
pub(crate) const RECORD: &str = "record";

/// A duration as a line tells it, in whole milliseconds.
pub fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

/// What the process writes, as a subscriber. `writer` gets whole lines.
pub fn subscriber<W>(config: &LoggingConfig, writer: W) -> Box<dyn Subscriber + Send + Sync>
where
    W: for<'a> MakeWriter<'a> + Send + Sync + 'static,
{
    let registry = tracing_subscriber::registry().with(filter(config));
    match config.format {
        LogFormat::Json => {
            let json = lines().fmt_fields(JsonFields).event_format(JsonLines::new(config));
            Box::new(registry.with(json.with_writer(writer)))
        }
        LogFormat::Pretty => {
            Box::new(registry.with(lines().with_target(false).compact().with_writer(writer)))
        }
    }
}

/// The same, with a copy of every line for a second writer, which is JSON even where the first one's are for people.
pub fn subscriber_with_copy<W, C>(
    config: &LoggingConfig,
    writer: W,
    copy: C,
) -> Box<dyn Subscriber + Send + Sync>
where
    W: for<'a> MakeWriter<'a> + Send + Sync + 'static,
    C: for<'a> MakeWriter<'a> + Send + Sync + 'static,
{
    match config.format {
        LogFormat::Json => subscriber(config, writer.and(copy)),
        LogFormat::Pretty => {
            let json = lines().fmt_fields(JsonFields).event_format(JsonLines::new(config));
            let pretty = lines().with_target(false).compact().with_writer(writer);
            let registry = tracing_subscriber::registry().with(filter(config));
            Box::new(registry.with(pretty).with(json.with_writer(copy)))
        }
    }
}

fn filter(config: &LoggingConfig) -> Targets {
    let level: LevelFilter = config.level.parse().unwrap_or(LevelFilter::INFO);
    // Drivers log at debug what may hold data of users, the AWS SDK at trace whole answers with secrets; they are capped.
    // So is Lambda's runtime: at trace it logs events whole, and its span would repeat the ids of ours on every line.
    let drivers = ["mongodb", "hyper", "rustls", "h2", "aws_", "lambda_"];
    Targets::new()
        .with_default(level)
        .with_targets(drivers.map(|driver| (driver, level.min(LevelFilter::WARN))))
        .with_targets([metrics::TARGET, RECORD].map(|always| (always, LevelFilter::INFO)))
}

/// Starts logging for the process, its panics included. A second call keeps the first subscriber: one process may mount
/// several functions.
pub fn init<W>(config: &LoggingConfig, writer: W)
where
    W: for<'a> MakeWriter<'a> + Send + Sync + 'static,
{
    install(subscriber(config, writer));
}

/// [`init`], with a copy of every line.
pub fn init_with_copy<W, C>(config: &LoggingConfig, writer: W, copy: C)
where
    W: for<'a> MakeWriter<'a> + Send + Sync + 'static,
    C: for<'a> MakeWriter<'a> + Send + Sync + 'static,
{
    install(subscriber_with_copy(config, writer, copy));
}

fn install(subscriber: Box<dyn Subscriber + Send + Sync>) {
    if subscriber.try_init().is_ok() {
        // Instead of the standard one, whose lines on standard error are of no form and name no request.
        std::panic::set_hook(Box::new(log_panic));
    }
}

/// Logs a panic where it happens: within a request's span the line has the request's ids. Its text is told only where it
/// was written as it is: a formatted one may hold what a person typed (`byte index 5 is not a char boundary of ...`).
fn log_panic(panic: &PanicHookInfo<'_>) {
    let text = panic.payload().downcast_ref::<&'static str>().copied();
    let location = panic.location().map(|at| format!("{}:{}", at.file(), at.line()));
    observability::note_panic(location.as_deref());
    tracing::error!(message = "panicked", panic = text, location = location.as_deref());
}

/// Keeps a span's fields as the inside of a JSON object, so that an event can be put beside them.
struct JsonFields;

impl<'writer> FormatFields<'writer> for JsonFields {
    fn format_fields<R: tracing_subscriber::field::RecordFields>(
        &self,
        mut writer: Writer<'writer>,
        fields: R,
    ) -> fmt::Result {
        let mut visitor = JsonVisitor::default();
        fields.record(&mut visitor);
        write!(writer, "{}", visitor.inside())
    }

    fn add_fields(
        &self,
        current: &'writer mut FormattedFields<Self>,
        fields: &tracing::span::Record<'_>,
    ) -> fmt::Result {
        let mut visitor = JsonVisitor::default();
        fields.record(&mut visitor);
        let added = visitor.inside();
        if !current.fields.is_empty() && !added.is_empty() {
            current.fields.push(',');
        }
        current.fields.push_str(&added);
        Ok(())
    }
}

struct JsonLines {
    clock: Clock,
    namespace: String,
}

impl JsonLines {
    fn new(config: &LoggingConfig) -> Self {
        Self { clock: Clock::system(), namespace: config.metrics_namespace.clone() }
    }
}

impl<S, N> FormatEvent<S, N> for JsonLines
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
{
    fn format_event(
        &self,
        context: &FmtContext<'_, S, N>,
        mut writer: Writer<'_>,
        event: &Event<'_>,
    ) -> fmt::Result {
        let mut visitor = JsonVisitor::default();
        event.record(&mut visitor);
        let now_ms = self.clock.now_ms();
        write!(
            writer,
            "{{\"timestamp\":\"{}\",\"level\":\"{}\"",
            clock::rfc3339(now_ms),
            event.metadata().level()
        )?;
        if event.metadata().target() == metrics::TARGET {
            visitor.embed_metric(&self.namespace, now_ms);
        }
        for span in context.event_scope().into_iter().flat_map(|scope| scope.from_root()) {
            let extensions = span.extensions();
            if let Some(fields) = extensions.get::<FormattedFields<N>>()
                && !fields.fields.is_empty()
            {
                write!(writer, ",{}", fields.fields)?;
            }
        }
        let fields = visitor.inside();
        if !fields.is_empty() {
            write!(writer, ",{fields}")?;
        }
        writeln!(writer, "}}")
    }
}

/// Writes fields as `"name":value` pairs; serde_json escapes what could break a line.
#[derive(Default)]
struct JsonVisitor {
    pairs: Vec<(Cow<'static, str>, Value)>,
}

impl JsonVisitor {
    /// Turns the fields of a metric's event into what CloudWatch reads.
    fn embed_metric(&mut self, namespace: &str, now_ms: i64) {
        let mut take = |name: &str| {
            let at = self.pairs.iter().position(|(known, _)| known == name)?;
            Some(self.pairs.swap_remove(at).1)
        };
        let at_ms = take("at_ms").and_then(|at| at.as_i64()).unwrap_or(now_ms);
        let (Some(Value::String(dimensions)), Some(Value::String(values))) =
            (take("dimensions"), take("values"))
        else {
            return;
        };
        let members = metrics::embedded(namespace, at_ms, &dimensions, &values).unwrap_or_default();
        self.pairs.extend(members.into_iter().map(|(name, value)| (name.into(), value)));
    }

    fn inside(self) -> String {
        let mut text = String::new();
        for (name, value) in self.pairs {
            if !text.is_empty() {
                text.push(',');
            }
            text.push_str(&Value::from(name.as_ref()).to_string());
            text.push(':');
            text.push_str(&value.to_string());
        }
        text
    }
}

impl Visit for JsonVisitor {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.pairs.push((field.name().into(), format!("{value:?}").into()));
    }
    fn record_str(&mut self, field: &Field, value: &str) {
        self.pairs.push((field.name().into(), value.into()));
    }
    fn record_i64(&mut self, field: &Field, value: i64) {
        self.pairs.push((field.name().into(), value.into()));
    }
    fn record_u64(&mut self, field: &Field, value: u64) {
        self.pairs.push((field.name().into(), value.into()));
    }
    fn record_bool(&mut self, field: &Field, value: bool) {
        self.pairs.push((field.name().into(), value.into()));
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use std::io::Write;
    use std::sync::{Arc, Mutex};

    use serde_json::json;

    use super::*;
    use crate::metrics::{Metric, count};

    #[derive(Clone, Default)]
    struct Lines(Arc<Mutex<Vec<u8>>>);

    impl Write for Lines {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0.lock().unwrap().extend_from_slice(bytes);
            Ok(bytes.len())
        }
        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    /// What `work` logs at a least level, a JSON value for each line.
    pub(crate) fn logged(level: &str, work: impl FnOnce()) -> Vec<Value> {
        let lines = Lines::default();
        let writer = lines.clone();
        let config = LoggingConfig {
            level: level.to_owned(),
            format: LogFormat::Json,
            metrics_namespace: "Ours".to_owned(),
        };
        tracing::subscriber::with_default(subscriber(&config, move || writer.clone()), work);
        let text = String::from_utf8(lines.0.lock().unwrap().clone()).unwrap();
        text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    #[test]
    fn a_line_keeps_its_requests_ids_whatever_the_least_level() {
        let lines = logged("error", || {
            let _request = tracing::error_span!("request", correlation_id = "abc").entered();
            tracing::warn!("too little");
            tracing::error!(cause = "line\nbreak\u{1b}[31m", "kept");
            tracing::info!(target: RECORD, "on record");
        });
        assert_eq!((lines.len(), &lines[1]["message"]), (2, &json!("on record")));
        assert_eq!((&lines[0]["message"], &lines[0]["correlation_id"]), (&json!("kept"), &json!("abc")));
        assert_eq!(lines[0]["cause"], "line\nbreak\u{1b}[31m", "escaped, so that it is one line");
    }

    #[test]
    fn a_copy_is_json_and_whole_whatever_the_terminal_shows() {
        for format in [LogFormat::Json, LogFormat::Pretty] {
            let (shown, kept) = (Lines::default(), Lines::default());
            let (show, keep) = (shown.clone(), kept.clone());
            let config =
                LoggingConfig { level: "info".to_owned(), format, metrics_namespace: "Ours".to_owned() };
            let both = subscriber_with_copy(&config, move || show.clone(), move || keep.clone());
            tracing::subscriber::with_default(both, || {
                let _request = tracing::error_span!("request", correlation_id = "abc").entered();
                tracing::info!(message = "kept", status = 200u64);
                count(Metric::LoginFailed, "auth");
            });
            let kept = String::from_utf8(kept.0.lock().unwrap().clone()).unwrap();
            let lines: Vec<Value> = kept.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
            assert_eq!(lines.len(), 2, "{kept}");
            assert_eq!((&lines[0]["correlation_id"], &lines[0]["status"]), (&json!("abc"), &json!(200)));
            assert_eq!(kept.matches("correlation_id").count(), 2, "each key once a line");
            let shown = String::from_utf8(shown.0.lock().unwrap().clone()).unwrap();
            assert_eq!(shown.lines().count(), 2);
            assert_eq!(shown.starts_with('{'), format == LogFormat::Json);
        }
    }

    #[test]
    fn drivers_are_heard_from_warnings_on_only() {
        let lines = logged("trace", || {
            tracing::info!(target: "mongodb::cmap", "a driver's");
            let _span = tracing::info_span!(target: "lambda_runtime::layers::trace", "invoke", requestId = 1)
                .entered();
            tracing::debug!(target: "aws_runtime::env_config", src = "HOME", "the SDK's");
            tracing::warn!(target: "hyper::proto", "a driver's warning");
            tracing::trace!("ours");
        });
        assert_eq!(lines.len(), 2);
        assert!(lines.iter().all(|line| line.get("requestId").is_none()));
    }
}
