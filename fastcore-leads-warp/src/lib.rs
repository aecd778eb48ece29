#![doc = include_str!("../README.md")]

mod body;

use std::future::ready;

use bytes::{Buf, Bytes};
use fastcore_leads::{Endpoint, EventsEndpoint, INBOUND_EVENTS_PATH, INBOUND_LEADS_PATH};
use futures_core::Stream;
use http::{HeaderMap, Method, Request, Response, Uri};
use warp::{Filter, Rejection, Reply, any, filters::path::Tail, path, query, reject};

use self::body::StreamedBody;

/// A filter for the one path, to be combined with a service's own by `.or(...)`, or put behind a prefix by
/// `warp::path("api").and(filter(endpoint))`.
///
/// All methods are taken, since the endpoint itself answers those that it does not support. Once the path matches, the
/// filter replies and never rejects; any other path is rejected as not found, for the host's next filter.
pub fn filter(endpoint: Endpoint) -> impl Filter<Extract = (impl Reply,), Error = Rejection> + Clone {
    exactly(INBOUND_LEADS_PATH)
        .and(warp::method())
        .and(warp::header::headers_cloned())
        .and(warp::body::stream())
        .then(move |method, headers, body| ingest(endpoint.clone(), method, headers, body))
}

/// The same for the feed of events, to be combined with [`filter`] or mounted elsewhere.
pub fn events_filter(endpoint: EventsEndpoint) -> impl Filter<Extract = (impl Reply,), Error = Rejection> + Clone {
    exactly(INBOUND_EVENTS_PATH)
        .and(warp::method())
        .and(query::raw().or(any().map(String::new)).unify())
        .and(warp::header::headers_cloned())
        .then(move |method, query, headers| events(endpoint.clone(), method, query, headers))
}

/// The whole of what is left of the path.
fn exactly(path: &'static str) -> impl Filter<Extract = (), Error = Rejection> + Clone {
    path::tail()
        .and_then(move |tail: Tail| {
            let is_ours = path.strip_prefix('/') == Some(tail.as_str());
            ready(if is_ours { Ok(()) } else { Err(reject::not_found()) })
        })
        .untuple_one()
}

/// The handler, for a path of the host's own choice. Takes what [`warp::method`], [`warp::header::headers_cloned`] and
/// [`warp::body::stream`] extract.
pub async fn ingest<B: Buf>(
    endpoint: Endpoint,
    method: Method,
    headers: HeaderMap,
    body: impl Stream<Item = Result<B, warp::Error>>,
) -> Response<Bytes> {
    let mut request = Request::new(StreamedBody(Box::pin(body)));
    *request.method_mut() = method;
    *request.headers_mut() = headers;
    endpoint.handle(request).await
}

/// The handler of the feed, for a path of the host's own choice. Takes what [`warp::method`], [`warp::query::raw`] and
/// [`warp::header::headers_cloned`] extract.
pub async fn events(endpoint: EventsEndpoint, method: Method, query: String, headers: HeaderMap) -> Response<Bytes> {
    let mut request = Request::new(());
    *request.method_mut() = method;
    // It was part of a target before.
    *request.uri_mut() = Uri::try_from(format!("{INBOUND_EVENTS_PATH}?{query}")).unwrap_or_default();
    *request.headers_mut() = headers;
    endpoint.handle(request).await
}
