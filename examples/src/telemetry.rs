//! Traces, where an OTLP endpoint is set: `OTEL_EXPORTER_OTLP_ENDPOINT` and the other variables of the OpenTelemetry
//! specification. Contexts travel in the headers of W3C Trace Context.
//!
//! Spans hold routes, statuses and ids; nothing of a visitor. Log events are not sent along: they are for the log.

use http::HeaderMap;
use opentelemetry::{
    Context, global,
    trace::{SpanContext, TraceContextExt, TraceState, TracerProvider},
};
use opentelemetry_otlp::SpanExporter;
use opentelemetry_sdk::{Resource, propagation::TraceContextPropagator, trace::SdkTracerProvider};
use tracing::{Span, Subscriber};
use tracing_opentelemetry::OpenTelemetrySpanExt;
use tracing_subscriber::{
    EnvFilter, Layer,
    filter::{FilterExt, filter_fn},
    registry::LookupSpan,
};

/// The variables that switch traces on.
const ENDPOINTS: [&str; 2] = ["OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT"];
const SERVICE: &str = "fastcore-leads";

/// Sends spans until dropped; then what is left is sent.
#[derive(Debug)]
pub struct Telemetry {
    provider: SdkTracerProvider,
}

impl Telemetry {
    /// Begins to send spans, where an endpoint is set and `OTEL_SDK_DISABLED` is not `true`.
    ///
    /// # Errors
    /// A sentence for the operator: the endpoint cannot be used.
    pub fn from_env() -> Result<Option<Self>, String> {
        if std::env::var("OTEL_SDK_DISABLED").is_ok_and(|value| value.eq_ignore_ascii_case("true")) {
            return Ok(None);
        }
        if !ENDPOINTS.iter().any(|name| std::env::var_os(name).is_some_and(|value| !value.is_empty())) {
            return Ok(None);
        }
        let _ = rustls::crypto::ring::default_provider().install_default();
        let exporter = SpanExporter::builder()
            .with_http()
            .build()
            .map_err(|_| format!("{}: no traces can be sent there; give http://host:4318", ENDPOINTS[0]))?;
        let mut resource = Resource::builder();
        if std::env::var_os("OTEL_SERVICE_NAME").is_none() {
            resource = resource.with_service_name(SERVICE);
        }
        let provider =
            SdkTracerProvider::builder().with_batch_exporter(exporter).with_resource(resource.build()).build();
        global::set_text_map_propagator(TraceContextPropagator::new());
        Ok(Some(Self { provider }))
    }

    /// The layer that hands this program's own spans over; libraries' spans may hold what they like, and are left out.
    pub fn layer<S>(&self) -> impl Layer<S> + Send + Sync + 'static
    where
        S: Subscriber + for<'a> LookupSpan<'a> + Send + Sync,
    {
        let ours = EnvFilter::new("off,serve=info,fastcore_leads=debug,fastcore_leads_examples=info");
        tracing_opentelemetry::layer()
            .with_tracer(self.provider.tracer(SERVICE))
            .with_filter(ours.and(filter_fn(is_span)))
    }
}

impl Drop for Telemetry {
    fn drop(&mut self) {
        if self.provider.shutdown().is_err() {
            tracing::warn!("the last traces could not be sent");
        }
    }
}

/// Writes the current span's context into a request's headers; nothing where no traces are sent.
pub fn inject(headers: &mut HeaderMap) {
    let context = Span::current().context();
    global::get_text_map_propagator(|propagator| propagator.inject_context(&context, &mut Writer(headers)));
}

/// Makes a span the child of the context that came in a request's headers. Its `tracestate` is dropped: it may hold
/// whatever a client wrote.
pub fn take_over(span: &Span, headers: &HeaderMap) {
    let context = global::get_text_map_propagator(|propagator| propagator.extract(&Reader(headers)));
    let parent = context.span().span_context().clone();
    if parent.is_valid() {
        let state = TraceState::default();
        let parent = SpanContext::new(parent.trace_id(), parent.span_id(), parent.trace_flags(), true, state);
        let _ = span.set_parent(Context::new().with_remote_span_context(parent));
    }
}

/// A function of its own: the method is not general enough over lifetimes.
fn is_span(metadata: &tracing::Metadata<'_>) -> bool {
    metadata.is_span()
}

struct Writer<'a>(&'a mut HeaderMap);

impl opentelemetry::propagation::Injector for Writer<'_> {
    fn set(&mut self, name: &str, value: String) {
        if let (Ok(name), Ok(value)) = (http::HeaderName::try_from(name), http::HeaderValue::try_from(value)) {
            self.0.insert(name, value);
        }
    }
}

struct Reader<'a>(&'a HeaderMap);

impl opentelemetry::propagation::Extractor for Reader<'_> {
    fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name)?.to_str().ok()
    }

    fn keys(&self) -> Vec<&str> {
        self.0.keys().map(http::HeaderName::as_str).collect()
    }
}
