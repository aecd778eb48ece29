//! What is measured and traced of every request: its route, method and status, and how long it took. Nothing of the
//! client.

use std::{convert::Infallible, future::Future, time::Instant};

use fastcore_leads_examples::{
    metrics::{HTTP_DURATION, HTTP_REQUESTS},
    telemetry,
};
use http::{Method, Request, Response};
use metrics::{counter, histogram};
use tower_service::Service;
use tracing::{Instrument, Span, field::Empty};

use crate::rest::route;

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
    let span = if is_traced { span(&request, route, method) } else { Span::none() };
    let answer = span.in_scope(|| service.call(request));
    let recorded = span.clone();
    async move {
        let response = answer.await?;
        let status = response.status();
        recorded.record("http.response.status_code", status.as_u16());
        if status.is_server_error() {
            recorded.record("otel.status_code", "ERROR");
        }
        let status = status.as_str().to_owned();
        counter!(HTTP_REQUESTS, "route" => route, "method" => method, "status" => status).increment(1);
        histogram!(HTTP_DURATION, "route" => route).record(started.elapsed().as_secs_f64());
        Ok(response)
    }
    .instrument(span)
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
    telemetry::take_over(&span, request.headers());
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
