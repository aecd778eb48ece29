//! The service in either framework: the lead endpoint, two probes, and 404 for the rest. One behaviour, written once.

use std::convert::Infallible;

use axum::{Router, routing::any};
use bytes::Bytes;
use fastcore_leads::Endpoint;
use http::{
    Response, StatusCode,
    header::{CACHE_CONTROL, CONTENT_LENGTH, CONTENT_TYPE},
};
use tower_service::Service;
use warp::Filter;

/// The service over axum.
pub(crate) fn axum(endpoint: Endpoint) -> Router {
    let readiness = endpoint.clone();
    Router::new()
        .route("/healthz", any(async || healthz().map(axum::body::Body::from)))
        .route(
            "/readyz",
            any(async move || {
                let response: Response<axum::body::Body> = readyz(readiness).await.map(axum::body::Body::from);
                response
            }),
        )
        .merge(fastcore_leads_axum::router(endpoint))
        .fallback(async || not_found().map(axum::body::Body::from))
}

/// The service over warp.
pub(crate) fn warp(
    endpoint: Endpoint,
) -> impl Service<
    http::Request<hyper::body::Incoming>,
    Response = warp::reply::Response,
    Error = Infallible,
    Future: Send + 'static,
> + Clone
+ Send
+ 'static {
    let readiness = endpoint.clone();
    let healthz = exactly("/healthz").map(healthz);
    let readyz = exactly("/readyz").then(move || readyz(readiness.clone()));
    let leads = fastcore_leads_warp::filter(endpoint);
    warp::service(leads.or(healthz).or(readyz).or(warp::any().map(not_found)))
}

fn exactly(path: &'static str) -> impl Filter<Extract = (), Error = warp::Rejection> + Clone {
    warp::path::full()
        .and_then(move |full: warp::path::FullPath| {
            std::future::ready(if full.as_str() == path { Ok(()) } else { Err(warp::reject::not_found()) })
        })
        .untuple_one()
}

/// Alive: the process answers.
fn healthz() -> Response<Bytes> {
    text(StatusCode::OK, "ok\n")
}

/// Ready: the store answers, and its tables are of this version.
async fn readyz(endpoint: Endpoint) -> Response<Bytes> {
    match endpoint.ready().await {
        Ok(()) => text(StatusCode::OK, "ready\n"),
        Err(error) => {
            tracing::warn!(%error, "not ready");
            text(StatusCode::SERVICE_UNAVAILABLE, "the store does not answer\n")
        }
    }
}

fn not_found() -> Response<Bytes> {
    text(StatusCode::NOT_FOUND, "not found\n")
}

fn text(status: StatusCode, text: &'static str) -> Response<Bytes> {
    let mut response = Response::new(Bytes::from_static(text.as_bytes()));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, http::HeaderValue::from_static("text/plain; charset=utf-8"));
    response.headers_mut().insert(CONTENT_LENGTH, text.len().into());
    response.headers_mut().insert(CACHE_CONTROL, http::HeaderValue::from_static("no-store"));
    response
}
