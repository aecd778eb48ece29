//! The service in either framework: the lead endpoint, and the rest of its paths.

use std::{convert::Infallible, net::IpAddr};

use axum::Router;
use bytes::{Buf, Bytes};
use fastcore_leads::{AuditEndpoint, Endpoint, EventsEndpoint, InboxEndpoint};
use fastcore_leads_examples::staff::{Staff, StaffBody};
use futures_util::{Stream, TryStreamExt};
use http::{Extensions, HeaderMap, Method, Request, Response, Uri};
use http_body::Frame;
use http_body_util::StreamBody;
use tower_service::Service;
use warp::{Filter, Reply, filters::path::FullPath};

use crate::{options::StaffPath, rest::Rest, server::Peer};

/// What the service is made of. What is none is not there.
#[derive(Clone)]
pub(crate) struct Parts {
    pub(crate) endpoint: Option<Endpoint>,
    pub(crate) feed: Option<EventsEndpoint>,
    pub(crate) proofs: Option<AuditEndpoint>,
    pub(crate) inbox: Option<(StaffPath, InboxEndpoint)>,
    pub(crate) staff: Option<Staff>,
    pub(crate) rest: Rest,
}

/// The service over axum.
pub(crate) fn axum(parts: Parts) -> Router {
    let Parts { endpoint, feed, proofs, inbox, staff, rest } = parts;
    let mut router = Router::new();
    if let Some(endpoint) = endpoint {
        router = router.merge(fastcore_leads_axum::router(endpoint));
    }
    if let Some(feed) = feed {
        router = router.merge(fastcore_leads_axum::events_router(feed));
    }
    if let Some(proofs) = proofs {
        router = router.merge(fastcore_leads_axum::audit_router(proofs));
    }
    if let Some((path, inbox)) = inbox {
        router = router.nest(path.as_str(), fastcore_leads_axum::inbox_router(inbox));
    }
    router.fallback(async move |request: axum::extract::Request| {
        if let Some(staff) = staff.filter(|staff| staff.serves(request.uri().path())) {
            let peer = peer(request.extensions());
            return staff.handle(request, peer).await.map(|body| match body {
                StaffBody::Whole(bytes) => axum::body::Body::from(bytes),
                StaffBody::Pieces(pieces) => axum::body::Body::from_stream(pieces),
            });
        }
        rest.answer(request).await.map(axum::body::Body::from)
    })
}

/// The service over warp.
pub(crate) fn warp(
    parts: Parts,
) -> impl Service<
    Request<hyper::body::Incoming>,
    Response = warp::reply::Response,
    Error = Infallible,
    Future: Send + 'static,
> + Clone
+ Send
+ 'static {
    let Parts { endpoint, feed, proofs, inbox, staff, rest } = parts;
    let query = warp::query::raw().map(Some).or(warp::any().map(|| None)).unify();
    let others = warp::method()
        .and(warp::path::full())
        .and(query)
        .and(warp::header::headers_cloned())
        .and(warp::ext::optional::<Peer>())
        .and(warp::body::stream())
        .then(move |method, path: FullPath, query: Option<String>, headers, peer, body| {
            let (rest, staff) = (rest.clone(), staff.clone());
            async move {
                let request = request(method, &path, query.as_deref(), headers, peer, body);
                let Some(staff) = staff.filter(|staff| staff.serves(path.as_str())) else {
                    return rest.answer(request).await.into_response();
                };
                let peer = self::peer(request.extensions());
                let (head, body) = staff.handle(request, peer).await.into_parts();
                let mut response = match body {
                    StaffBody::Whole(bytes) => return Response::from_parts(head, bytes).into_response(),
                    StaffBody::Pieces(pieces) => warp::reply::stream(pieces).into_response(),
                };
                *response.status_mut() = head.status;
                *response.headers_mut() = head.headers;
                response
            }
        });
    let mut service = others.boxed();
    if let Some((path, inbox)) = inbox {
        let prefix = path
            .segments()
            .fold(warp::any().boxed(), |prefix, segment| prefix.and(warp::path(segment.to_owned())).boxed());
        let inbox = prefix.and(fastcore_leads_warp::inbox_filter(inbox));
        service = inbox.map(Reply::into_response).or(service).unify().boxed();
    }
    if let Some(proofs) = proofs {
        service = fastcore_leads_warp::audit_filter(proofs).map(Reply::into_response).or(service).unify().boxed();
    }
    if let Some(feed) = feed {
        service = fastcore_leads_warp::events_filter(feed).map(Reply::into_response).or(service).unify().boxed();
    }
    if let Some(endpoint) = endpoint {
        service = fastcore_leads_warp::filter(endpoint).map(Reply::into_response).or(service).unify().boxed();
    }
    warp::service(service)
}

/// Where a request comes from. The accept loop always says.
pub(crate) fn peer(extensions: &Extensions) -> IpAddr {
    extensions.get::<Peer>().map_or(IpAddr::from([0, 0, 0, 0]), |peer| peer.0)
}

/// Puts together again what warp takes apart.
fn request<B: Buf>(
    method: Method,
    path: &FullPath,
    query: Option<&str>,
    headers: HeaderMap,
    peer: Option<Peer>,
    body: impl Stream<Item = Result<B, warp::Error>> + Send + 'static,
) -> Request<impl http_body::Body<Data = Bytes> + 'static> {
    let whole = |mut data: B| Frame::data(data.copy_to_bytes(data.remaining()));
    let mut request = Request::new(StreamBody::new(Box::pin(body.map_ok(whole))));
    *request.method_mut() = method;
    let target = query.map_or_else(|| path.as_str().to_owned(), |query| format!("{}?{query}", path.as_str()));
    // It was a target before.
    *request.uri_mut() = Uri::try_from(target).unwrap_or_default();
    *request.headers_mut() = headers;
    if let Some(peer) = peer {
        request.extensions_mut().insert(peer);
    }
    request
}
