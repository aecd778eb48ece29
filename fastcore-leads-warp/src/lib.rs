#![doc = include_str!("../README.md")]

mod body;

use std::future::ready;

use bytes::{Buf, Bytes};
use fastcore_leads::{Endpoint, EventsEndpoint, INBOUND_EVENTS_PATH, INBOUND_LEADS_PATH, InboxEndpoint};
use futures_core::Stream;
use http::{HeaderMap, Method, Request, Response, Uri};
use warp::{Filter, Rejection, Reply, any, filters::path::Tail, path, query, reject};

use self::body::StreamedBody;

/// Returns a filter that serves `POST /inbound/leads`, to combine with a service's own by `.or(...)`, or to put behind a prefix by
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

/// Returns a filter that serves the feed of events, `GET /inbound/events`, to combine with [`filter()`] or to mount elsewhere.
pub fn events_filter(endpoint: EventsEndpoint) -> impl Filter<Extract = (impl Reply,), Error = Rejection> + Clone {
    exactly(INBOUND_EVENTS_PATH)
        .and(warp::method())
        .and(query::raw().or(any().map(String::new)).unify())
        .and(warp::header::headers_cloned())
        .then(move |method, query, headers| events(endpoint.clone(), method, query, headers))
}

/// Returns a filter that serves the proofs of the audit log, to combine with [`filter()`]. Needs the feature `proof`.
#[cfg(feature = "proof")]
pub fn audit_filter(
    endpoint: fastcore_leads::AuditEndpoint,
) -> impl Filter<Extract = (impl Reply,), Error = Rejection> + Clone {
    served(fastcore_leads::AuditEndpoint::serves)
        .and(warp::method())
        .and(warp::header::headers_cloned())
        .then(move |path, method, headers| audit(endpoint.clone(), method, path, headers))
}

/// Returns a filter that serves the inbox, for the staff. Mount it on a port of its own, or put it behind a prefix: it and
/// [`filter()`] both answer `/inbound/leads`.
pub fn inbox_filter(endpoint: InboxEndpoint) -> impl Filter<Extract = (impl Reply,), Error = Rejection> + Clone {
    served(InboxEndpoint::serves)
        .and(warp::method())
        .and(query::raw().or(any().map(String::new)).unify())
        .and(warp::header::headers_cloned())
        .and(warp::body::stream())
        .then(move |path: String, method, query: String, headers, body| {
            let target = if query.is_empty() { path } else { format!("{path}?{query}") };
            inbox(endpoint.clone(), method, target, headers, body)
        })
}

/// The whole of what is left of the path.
fn exactly(path: &'static str) -> impl Filter<Extract = (), Error = Rejection> + Clone {
    served(move |tail| tail == path).map(|_| ()).untuple_one()
}

/// What is left of the path, if it is one that is served.
fn served(serves: impl Fn(&str) -> bool + Clone + Send) -> impl Filter<Extract = (String,), Error = Rejection> + Clone {
    path::tail().and_then(move |tail: Tail| {
        let path = format!("/{}", tail.as_str());
        ready(if serves(&path) { Ok(path) } else { Err(reject::not_found()) })
    })
}

/// A request, put together again; the target was one before.
fn request<B>(method: Method, target: String, headers: HeaderMap, body: B) -> Request<B> {
    let mut request = Request::new(body);
    *request.method_mut() = method;
    *request.uri_mut() = Uri::try_from(target).unwrap_or_default();
    *request.headers_mut() = headers;
    request
}

/// The handler, for a path of the host's own choice. Takes what [`warp::method`], [`warp::header::headers_cloned`] and
/// [`warp::body::stream`] extract.
pub async fn ingest<B: Buf>(
    endpoint: Endpoint,
    method: Method,
    headers: HeaderMap,
    body: impl Stream<Item = Result<B, warp::Error>>,
) -> Response<Bytes> {
    let target = INBOUND_LEADS_PATH.to_owned();
    endpoint.handle(request(method, target, headers, StreamedBody(Box::pin(body)))).await
}

/// The handler of the feed, for a path of the host's own choice. Takes what [`warp::method`], [`warp::query::raw`] and
/// [`warp::header::headers_cloned`] extract.
pub async fn events(endpoint: EventsEndpoint, method: Method, query: String, headers: HeaderMap) -> Response<Bytes> {
    endpoint.handle(request(method, format!("{INBOUND_EVENTS_PATH}?{query}"), headers, ())).await
}

/// With the feature `proof`, the handler of the proofs, for a path of the host's own choice; `path` is the one that the endpoint looks at.
#[cfg(feature = "proof")]
pub async fn audit(
    endpoint: fastcore_leads::AuditEndpoint,
    method: Method,
    path: String,
    headers: HeaderMap,
) -> Response<Bytes> {
    endpoint.handle(request(method, path, headers, ())).await
}

/// The handler of the inbox, for a path of the host's own choice; `target` is the path that the endpoint looks at, and the query.
pub async fn inbox<B: Buf>(
    endpoint: InboxEndpoint,
    method: Method,
    target: String,
    headers: HeaderMap,
    body: impl Stream<Item = Result<B, warp::Error>>,
) -> warp::reply::Response {
    let request = request(method, target, headers, StreamedBody(Box::pin(body)));
    let (head, body) = endpoint.handle(request).await.into_parts();
    match body.into_bytes() {
        Ok(whole) => Response::from_parts(head, whole).into_response(),
        Err(pieces) => {
            let mut response = warp::reply::stream(pieces).into_response();
            *response.status_mut() = head.status;
            *response.headers_mut() = head.headers;
            response
        }
    }
}
