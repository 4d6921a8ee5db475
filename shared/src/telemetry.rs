//! Structured logs: one JSON line an event on standard output, with Powertools' names for what the platform knows;
//! readable lines where `LOG_FORMAT=pretty`. Must never log a password, token, cookie, e-mail or body.

use std::fmt;

use tracing::field::{Field, Visit};
use tracing::{Event, Subscriber};
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::{FmtContext, FormatEvent, FormatFields, FormattedFields};
use tracing_subscriber::registry::LookupSpan;
use tracing_subscriber::{EnvFilter, fmt as subscriber};

use crate::clock::{self, Clock};
use crate::config::LogFormat;

/// Starts logging for the process. A second call keeps the first subscriber: one process may mount several functions.
pub fn init(level: &str, format: LogFormat) {
    // Drivers log at debug what may hold data of users; they are capped.
    let filter =
        EnvFilter::new(format!("{level},mongodb=warn,hyper=warn,rustls=warn,aws_config=warn,h2=warn"));
    let started = match format {
        LogFormat::Json => subscriber()
            .with_env_filter(filter)
            .fmt_fields(JsonFields)
            .event_format(JsonLines { clock: Clock::system() })
            .try_init(),
        LogFormat::Pretty => subscriber().with_env_filter(filter).with_target(false).compact().try_init(),
    };
    drop(started);
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
        write!(
            writer,
            "{{\"timestamp\":\"{}\",\"level\":\"{}\"",
            clock::rfc3339(self.clock.now_ms()),
            event.metadata().level()
        )?;
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
    pairs: Vec<(&'static str, serde_json::Value)>,
}

impl JsonVisitor {
    fn inside(self) -> String {
        let mut text = String::new();
        for (name, value) in self.pairs {
            if !text.is_empty() {
                text.push(',');
            }
            text.push_str(&serde_json::Value::from(name).to_string());
            text.push(':');
            text.push_str(&value.to_string());
        }
        text
    }
}

impl Visit for JsonVisitor {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.pairs.push((field.name(), format!("{value:?}").into()));
    }
    fn record_str(&mut self, field: &Field, value: &str) {
        self.pairs.push((field.name(), value.into()));
    }
    fn record_i64(&mut self, field: &Field, value: i64) {
        self.pairs.push((field.name(), value.into()));
    }
    fn record_u64(&mut self, field: &Field, value: u64) {
        self.pairs.push((field.name(), value.into()));
    }
    fn record_bool(&mut self, field: &Field, value: bool) {
        self.pairs.push((field.name(), value.into()));
    }
}
