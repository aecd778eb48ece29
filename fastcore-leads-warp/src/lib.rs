#![doc = include_str!("../README.md")]

mod body;

use std::future::ready;

use bytes::{Buf, Bytes};
use fastcore_leads::{Endpoint, INBOUND_LEADS_PATH};
use futures_core::Stream;
use http::{HeaderMap, Method, Request, Response};
use warp::{Filter, Rejection, Reply, filters::path::Tail, path, reject};

use self::body::StreamedBody;

/// A filter for the one path, to be combined with a service's own by `.or(...)`, or put behind a prefix by
/// `warp::path("api").and(filter(endpoint))`.
///
/// All methods are taken, since the endpoint itself answers those that it does not support. Once the path matches, the
/// filter replies and never rejects; any other path is rejected as not found, for the host's next filter.
pub fn filter(endpoint: Endpoint) -> impl Filter<Extract = (impl Reply,), Error = Rejection> + Clone {
    path::tail()
        .and_then(|tail: Tail| {
            let is_ours = INBOUND_LEADS_PATH.strip_prefix('/') == Some(tail.as_str());
            ready(if is_ours { Ok(()) } else { Err(reject::not_found()) })
        })
        .untuple_one()
        .and(warp::method())
        .and(warp::header::headers_cloned())
        .and(warp::body::stream())
        .then(move |method, headers, body| ingest(endpoint.clone(), method, headers, body))
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
