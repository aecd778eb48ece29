//! What is measured and traced of every request: its route, method and status, and how long it took. Nothing of the
//! client.

use std::{
    convert::Infallible,
    future::Future,
    sync::{LazyLock, PoisonError, RwLock},
    time::Instant,
};

use fastcore_leads::INBOUND_LEADS_PATH;
use fastcore_leads_examples::{
    metrics::{HTTP_DURATION, HTTP_REQUESTS},
    telemetry,
};
use http::{Method, Request, Response, StatusCode};
use metrics::{Counter, Histogram, counter, histogram};
use tower_service::Service;
use tracing::{Instrument, Span, field::Empty};

use crate::rest::{ROUTES, route};

/// Calls a service, observed. `is_traced` says whether spans are sent anywhere.
pub(crate) fn call<S, R, B>(
    mut service: S,
    request: Request<R>,
    is_traced: bool,
) -> impl Future<Output = Result<Response<B>, Infallible>> + Send + 'static
where
    S: Service<Request<R>, Response = Response<B>, Error = Infallible, Future: Send + 'static>,
    B: 'static,
{
    let started = Instant::now();
    let (route, method) = (route(request.uri().path()), method(request.method()));
    let span = if is_traced { span(&request, ROUTES[route], method) } else { Span::none() };
    let answer = span.in_scope(|| service.call(request));
    let recorded = span.clone();
    async move {
        let response = answer.await?;
        let status = response.status();
        recorded.record("http.response.status_code", status.as_u16());
        if status.is_server_error() {
            recorded.record("otel.status_code", "ERROR");
        }
        HANDLES[route].count(ROUTES[route], method, status);
        HANDLES[route].duration.record(started.elapsed().as_secs_f64());
        Ok(response)
    }
    .instrument(span)
}

/// The metrics of a route. Each is looked up in the recorder once: that takes longer than to count.
struct Handles {
    duration: Histogram,
    requests: RwLock<Vec<(&'static str, StatusCode, Counter)>>,
}

static HANDLES: LazyLock<Vec<Handles>> = LazyLock::new(|| {
    let handles =
        |route| Handles { duration: histogram!(HTTP_DURATION, "route" => route), requests: RwLock::default() };
    ROUTES.into_iter().map(handles).collect()
});

impl Handles {
    fn count(&self, route: &'static str, method: &'static str, status: StatusCode) {
        let known = self.requests.read().unwrap_or_else(PoisonError::into_inner);
        if let Some((.., counter)) = known.iter().find(|(m, s, _)| *m == method && *s == status) {
            counter.increment(1);
            return;
        }
        drop(known);
        let label = status.as_str().to_owned();
        let counter = counter!(HTTP_REQUESTS, "route" => route, "method" => method, "status" => label);
        counter.increment(1);
        // Where two were as fast, both handles are the same counter's.
        self.requests.write().unwrap_or_else(PoisonError::into_inner).push((method, status, counter));
    }
}

/// Named by the semantic conventions of OpenTelemetry for HTTP servers.
fn span<R>(request: &Request<R>, route: &'static str, method: &'static str) -> Span {
    let span = tracing::info_span!(
        "http request",
        otel.name = format!("{method} {route}"),
        otel.kind = "server",
        otel.status_code = Empty,
        http.request.method = method,
        http.route = route,
        http.response.status_code = Empty,
    );
    // From sites; visitors' browsers have no say in which traces are kept.
    if route == INBOUND_LEADS_PATH {
        telemetry::take_over(&span, request.headers());
    }
    span
}

/// Methods that a client made up share one label.
fn method(method: &Method) -> &'static str {
    match *method {
        Method::GET => "GET",
        Method::HEAD => "HEAD",
        Method::POST => "POST",
        Method::PUT => "PUT",
        Method::PATCH => "PATCH",
        Method::DELETE => "DELETE",
        Method::OPTIONS => "OPTIONS",
        _ => "_OTHER",
    }
}
