//! Traces: one span of each request, and below it one of each command to MongoDB and Redis. Finished ones are kept in the
//! process and sent before the answer goes out, for Lambda freezes the process after it. Must never put what a client sent
//! into a name or an attribute: methods, routes and commands are words of ours.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use http::{HeaderMap, HeaderValue, Method, header};
use lambda_http::Context as LambdaContext;
use opentelemetry::trace::{
    Span as _, SpanBuilder, SpanContext, SpanId, SpanKind, Status, TraceContextExt, TraceFlags, TraceId,
    TraceState, TracerProvider,
};
use opentelemetry::{Context, KeyValue};
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::transform::common::tonic::ResourceAttributesWithSchema;
use opentelemetry_proto::transform::trace::tonic::group_spans_by_resource_and_scope;
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::error::OTelSdkResult;
use opentelemetry_sdk::trace::{
    RandomIdGenerator, Sampler, SdkTracer, SdkTracerProvider, Span, SpanData, SpanProcessor,
};
use prost::Message;

use super::outlet::Outlet;
use crate::clock::Clock;
use crate::config::{AppEnv, TracesConfig};

/// The most spans that wait to be sent. A request makes some tens.
const KEPT_MAX: usize = 2_048;

/// What makes and sends the traces of one function.
pub(super) struct Traces {
    service: &'static str,
    app_env: AppEnv,
    tracer: SdkTracer,
    kept: Kept,
    /// Who we are, once Lambda has told it.
    resource: OnceLock<ResourceAttributesWithSchema>,
    outlet: Outlet,
}

/// What is known of a request when it comes in.
pub(crate) struct Incoming<'a> {
    pub(crate) method: &'a Method,
    /// The route's pattern.
    pub(crate) route: Option<&'a str>,
    pub(crate) headers: &'a HeaderMap,
    pub(crate) lambda: Option<&'a LambdaContext>,
    pub(crate) cold_start: bool,
}

impl Traces {
    pub(super) fn new(config: &TracesConfig, service: &'static str, app_env: AppEnv, clock: Clock) -> Self {
        let kept = Kept::default();
        // Everything is said here, so that no variable that is not in the schema decides anything.
        let provider = SdkTracerProvider::builder()
            .with_sampler(Sampler::ParentBased(Box::new(Sampler::AlwaysOn)))
            .with_id_generator(RandomIdGenerator::default())
            .with_resource(Resource::builder_empty().build())
            .with_span_processor(kept.clone())
            .build();
        let mut headers = config.headers.clone();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/x-protobuf"));
        Self {
            service,
            app_env,
            tracer: provider.tracer("fintrack-pro"),
            kept,
            resource: OnceLock::new(),
            outlet: Outlet::new("traces", config.endpoint.clone(), headers, clock),
        }
    }

    /// The context of a request, its span begun. None where nobody wants it, or while the receiver is left alone.
    pub(super) fn begin(&self, incoming: &Incoming<'_>) -> Option<Context> {
        if self.outlet.is_left_alone() {
            return None;
        }
        self.resource.get_or_init(|| resource(self.service, self.app_env, incoming.lambda));
        let parent = match origin_of(incoming) {
            Origin::Part(of) => Context::new().with_remote_span_context(of),
            Origin::New => Context::new(),
            Origin::Unwanted => return None,
        };
        let span = request_span(incoming).start_with_context(&self.tracer, &parent);
        let calls = Calls { tracer: self.tracer.clone(), under_way: Mutex::default() };
        Some(Context::new().with_span(span).with_value(calls))
    }

    /// Sends what is finished, within the limits of the outlet.
    pub(super) async fn send(&self, until: Instant) {
        let spans = self.kept.take();
        if spans.is_empty() {
            return;
        }
        let own = ResourceAttributesWithSchema::default();
        let resource = self.resource.get().unwrap_or(&own);
        let resource_spans = group_spans_by_resource_and_scope(spans, resource);
        self.outlet.send(ExportTraceServiceRequest { resource_spans }.encode_to_vec(), until).await;
    }
}

/// Ends a request's span. A client's mistake is no error of ours.
pub(super) fn end(context: &Context, status: u16) {
    let span = context.span();
    span.set_attribute(KeyValue::new("http.response.status_code", i64::from(status)));
    if status >= 500 {
        span.set_attribute(KeyValue::new("error.type", status.to_string()));
        span.set_status(Status::error(""));
    }
    span.end();
}

fn request_span(incoming: &Incoming<'_>) -> SpanBuilder {
    let method = known_method(incoming.method);
    let name = incoming.route.map_or_else(|| method.to_owned(), |route| format!("{method} {route}"));
    let mut attributes = vec![
        KeyValue::new("http.request.method", method),
        KeyValue::new("url.scheme", "https"),
        KeyValue::new("faas.trigger", "http"),
        KeyValue::new("faas.coldstart", incoming.cold_start),
    ];
    attributes.extend(incoming.route.map(|route| KeyValue::new("http.route", route.to_owned())));
    let invocation = incoming.lambda.map(|lambda| lambda.request_id.clone()).filter(|id| !id.is_empty());
    attributes.extend(invocation.map(|id| KeyValue::new("faas.invocation_id", id)));
    SpanBuilder::from_name(name).with_kind(SpanKind::Server).with_attributes(attributes)
}

/// A method's name where it is one of HTTP's: another may be any text.
pub(crate) fn known_method(method: &Method) -> &'static str {
    const KNOWN: [&str; 9] = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "CONNECT", "TRACE"];
    KNOWN.into_iter().find(|known| *known == method.as_str()).unwrap_or("_OTHER")
}

fn resource(
    service: &'static str,
    app_env: AppEnv,
    lambda: Option<&LambdaContext>,
) -> ResourceAttributesWithSchema {
    let mut attributes = vec![
        KeyValue::new("service.name", service),
        KeyValue::new("service.namespace", "fintrack-pro"),
        KeyValue::new("service.version", env!("CARGO_PKG_VERSION")),
        KeyValue::new("deployment.environment.name", app_env.word()),
    ];
    if let Some(lambda) = lambda.filter(|lambda| !lambda.env_config.function_name.is_empty()) {
        attributes.push(KeyValue::new("cloud.provider", "aws"));
        attributes.push(KeyValue::new("cloud.platform", "aws_lambda"));
        attributes.push(KeyValue::new("faas.name", lambda.env_config.function_name.clone()));
        attributes.push(KeyValue::new("faas.version", lambda.env_config.version.clone()));
        let region = lambda.invoked_function_arn.split(':').nth(3).filter(|region| !region.is_empty());
        attributes.extend(region.map(|region| KeyValue::new("cloud.region", region.to_owned())));
    }
    (&Resource::builder_empty().with_attributes(attributes).build()).into()
}

/// Where a request's trace begins.
enum Origin {
    /// Elsewhere, whether it is sampled or not.
    Part(SpanContext),
    /// Here.
    New,
    /// Nowhere: Lambda says that it is not sampled, and not in which trace.
    Unwanted,
}

/// Whose part the request is: the caller's trace (W3C) or else Lambda's (X-Ray), where one of them can be read.
fn origin_of(incoming: &Incoming<'_>) -> Origin {
    let w3c = incoming.headers.get("traceparent").and_then(|value| value.to_str().ok());
    let xray = incoming.lambda.and_then(|lambda| lambda.xray_trace_id.as_deref()).unwrap_or_default();
    match w3c.and_then(of_traceparent).or_else(|| of_xray(xray)) {
        Some(parent) => Origin::Part(parent),
        None if part(xray, "Sampled=") == Some("0") => Origin::Unwanted,
        None => Origin::New,
    }
}

/// A part of an X-Ray header.
fn part<'a>(header: &'a str, name: &str) -> Option<&'a str> {
    header.split(';').find_map(|part| part.trim().strip_prefix(name))
}

/// `00-<32 hex>-<16 hex>-<2 hex>`. Its companion `tracestate` is not looked at: it is any text of the caller.
fn of_traceparent(header: &str) -> Option<SpanContext> {
    let mut parts = header.trim().split('-');
    let (version, trace, span, flags) = (parts.next()?, parts.next()?, parts.next()?, parts.next()?);
    let version = byte(version).filter(|version| *version != 0xff)?;
    if version == 0 && parts.next().is_some() {
        return None;
    }
    remote(trace, span, byte(flags)? & 1 == 1)
}

/// `Root=1-<8 hex>-<24 hex>;Parent=<16 hex>;Sampled=0 or 1`, in any order. What does not say that it is not sampled, is.
fn of_xray(header: &str) -> Option<SpanContext> {
    let (epoch, unique) = part(header, "Root=1-")?.split_once('-')?;
    if (epoch.len(), unique.len()) != (8, 24) {
        return None;
    }
    remote(&format!("{epoch}{unique}"), part(header, "Parent=")?, part(header, "Sampled=") != Some("0"))
}

fn byte(hex: &str) -> Option<u8> {
    (hex.len() == 2).then(|| u8::from_str_radix(hex, 16).ok())?
}

fn remote(trace: &str, span: &str, sampled: bool) -> Option<SpanContext> {
    let hex = |text: &str| text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
    if trace.len() != 32 || span.len() != 16 || !hex(trace) || !hex(span) {
        return None;
    }
    let (trace, span) = (TraceId::from_hex(trace).ok()?, SpanId::from_hex(span).ok()?);
    let flags = if sampled { TraceFlags::SAMPLED } else { TraceFlags::NOT_SAMPLED };
    let parent = SpanContext::new(trace, span, flags, true, TraceState::NONE);
    parent.is_valid().then_some(parent)
}

/// The commands of one request that wait for their answers, by a number of their driver's. Dropped with the request's
/// context, it ends what was given up.
struct Calls {
    tracer: SdkTracer,
    under_way: Mutex<HashMap<i32, Span>>,
}

impl Calls {
    fn begin(
        &self,
        within: &Context,
        system: &'static str,
        operation: &str,
        collection: Option<&str>,
    ) -> Span {
        let name = collection.map_or_else(|| operation.to_owned(), |of| format!("{operation} {of}"));
        let mut attributes = vec![
            KeyValue::new("db.system.name", system),
            KeyValue::new("db.operation.name", operation.to_owned()),
        ];
        attributes.extend(collection.map(|of| KeyValue::new("db.collection.name", of.to_owned())));
        SpanBuilder::from_name(name)
            .with_kind(SpanKind::Client)
            .with_attributes(attributes)
            .start_with_context(&self.tracer, within)
    }
}

/// Begins the span of a command to MongoDB in the current request, if one is traced.
pub(crate) fn command_began(number: i32, operation: &str, collection: Option<&str>) {
    Context::map_current(|context| {
        let Some(calls) = context.get::<Calls>() else { return };
        let span = calls.begin(context, "mongodb", operation, collection);
        calls.under_way.lock().unwrap_or_else(PoisonError::into_inner).insert(number, span);
    });
}

/// Ends it. `error` is what kind of failure it was, a word or a number of a closed set.
pub(crate) fn command_ended(number: i32, error: Option<String>) {
    Context::map_current(|context| {
        let Some(calls) = context.get::<Calls>() else { return };
        let span = calls.under_way.lock().unwrap_or_else(PoisonError::into_inner).remove(&number);
        if let Some(span) = span {
            finished(span, error);
        }
    });
}

/// The span of a command to Redis, if the current request is traced. Ends with [`Call::ended`], or when it is dropped.
pub(crate) struct Call(Option<Span>);

impl Call {
    pub(crate) fn to_redis(operation: &'static str) -> Self {
        let begin = |context: &Context| {
            context.get::<Calls>().map(|calls| calls.begin(context, "redis", operation, None))
        };
        Self(Context::map_current(begin))
    }

    pub(crate) fn ended(mut self, error: Option<&'static str>) {
        if let Some(span) = self.0.take() {
            finished(span, error.map(str::to_owned));
        }
    }
}

fn finished(mut span: Span, error: Option<String>) {
    if let Some(error) = error {
        span.set_attribute(KeyValue::new("error.type", error));
        span.set_status(Status::error(""));
    }
    span.end();
}

/// Finished spans, until they are sent.
#[derive(Clone, Debug, Default)]
struct Kept(Arc<Mutex<Vec<SpanData>>>);

impl Kept {
    fn take(&self) -> Vec<SpanData> {
        std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl SpanProcessor for Kept {
    fn on_start(&self, _: &mut Span, _: &Context) {}

    fn on_end(&self, span: SpanData) {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if span.span_context.is_sampled() && kept.len() < KEPT_MAX {
            kept.push(span);
        }
    }

    /// Sending waits, and this may not: [`Traces::send`] is what is called.
    fn force_flush(&self) -> OTelSdkResult {
        Ok(())
    }

    fn shutdown_with_timeout(&self, _: Duration) -> OTelSdkResult {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ROOT: &str = "Root=1-5759e988-bd862e3fe1be46a994272793";

    #[test]
    fn an_xray_header_is_a_parent() {
        for (rest, sampled) in [
            (";Parent=53995c3f42cd8ad8;Sampled=1", true),
            ("; Parent=53995c3f42cd8ad8 ;Sampled=0;Lineage=a:0", false),
            (";Parent=53995c3f42cd8ad8", true),
        ] {
            let parent = of_xray(&format!("{ROOT}{rest}")).unwrap();
            assert_eq!(parent.trace_id().to_string(), "5759e988bd862e3fe1be46a994272793");
            assert_eq!(parent.span_id().to_string(), "53995c3f42cd8ad8");
            assert_eq!((parent.is_sampled(), parent.is_remote()), (sampled, true));
        }
        for bad in [
            "",
            ROOT,
            "Root=1-5759e988-bd862e3fe1be46a99427279;Parent=53995c3f42cd8ad8",
            "Root=2-5759e988-bd862e3fe1be46a994272793;Parent=53995c3f42cd8ad8",
            "Root=1-00000000-000000000000000000000000;Parent=53995c3f42cd8ad8",
            "Root=1-5759e988-bd862e3fe1be46a994272793;Parent=+3995c3f42cd8ad8",
            "Parent=53995c3f42cd8ad8;Sampled=1",
        ] {
            assert!(of_xray(bad).is_none(), "{bad}");
        }
    }

    #[test]
    fn a_traceparent_is_a_parent() {
        let good = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-";
        assert!(of_traceparent(&format!("{good}01")).unwrap().is_sampled());
        assert!(!of_traceparent(&format!("{good}00")).unwrap().is_sampled());
        assert!(
            of_traceparent(&format!("01{}01-more", &good[2..])).is_some(),
            "a later version may say more"
        );
        for bad in [
            format!("{good}01-more"),
            format!("ff{}01", &good[2..]),
            format!("{good}1"),
            "00-00000000000000000000000000000000-b7ad6b7169203331-01".to_owned(),
            "00-0af7651916cd43dd8448eb211c80319c-0000000000000000-01".to_owned(),
            "00-0AF7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01".to_owned(),
            "hunter2".to_owned(),
        ] {
            assert!(of_traceparent(&bad).is_none(), "{bad}");
        }
    }

    #[test]
    fn a_method_of_the_clients_own_is_named_by_none() {
        assert_eq!(known_method(&Method::PATCH), "PATCH");
        assert_eq!(known_method(&Method::from_bytes(b"HUNTER2").unwrap()), "_OTHER");
    }
}
