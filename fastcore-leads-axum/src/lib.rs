#![doc = include_str!("../README.md")]

use axum::{
    Router,
    body::Body,
    extract::{Request, State},
    response::Response,
    routing::any,
};
use fastcore_leads::{
    Endpoint, EventsEndpoint, INBOUND_EVENTS_PATH, INBOUND_LEADS_PATH, InboxEndpoint, endpoint::inbox_paths,
};

/// Returns a router that serves `POST /inbound/leads`, to [`merge`](Router::merge) into a service's own or to [`nest`](Router::nest) under a
/// prefix. It fits a router of any state.
///
/// All methods are routed here, since the endpoint itself answers those that it does not take; unknown paths stay the
/// host's.
pub fn router<S>(endpoint: Endpoint) -> Router<S>
where
    S: Clone + Send + Sync + 'static,
{
    Router::new().route(INBOUND_LEADS_PATH, any(ingest).with_state(endpoint))
}

/// Returns a router that serves the feed of events, `GET /inbound/events`, to mount beside [`router`] or elsewhere.
pub fn events_router<S>(endpoint: EventsEndpoint) -> Router<S>
where
    S: Clone + Send + Sync + 'static,
{
    Router::new().route(INBOUND_EVENTS_PATH, any(events).with_state(endpoint))
}

/// Returns a router that serves the inbox, for the staff. Mount it on a port of its own, or [nest](Router::nest) it under a prefix:
/// it and [`router`] both answer `/inbound/leads`.
pub fn inbox_router<S>(endpoint: InboxEndpoint) -> Router<S>
where
    S: Clone + Send + Sync + 'static,
{
    inbox_paths().fold(Router::new(), |router, path| router.route(path, any(inbox))).with_state(endpoint)
}

/// Returns a router that serves the proofs of the audit log, to mount beside [`router`]. Needs the feature `proof`.
#[cfg(feature = "proof")]
pub fn audit_router<S>(endpoint: fastcore_leads::AuditEndpoint) -> Router<S>
where
    S: Clone + Send + Sync + 'static,
{
    let paths = fastcore_leads::endpoint::audit_paths();
    paths.fold(Router::new(), |router, path| router.route(path, any(audit))).with_state(endpoint)
}

/// The handler of [`router`], for a path of the host's own choice: `.route("/leads", any(ingest).with_state(endpoint))`.
pub async fn ingest(State(endpoint): State<Endpoint>, request: Request) -> Response {
    endpoint.handle(request).await.map(Body::from)
}

/// The handler of the feed, for a path of the host's own choice.
pub async fn events(State(endpoint): State<EventsEndpoint>, request: Request) -> Response {
    endpoint.handle(request).await.map(Body::from)
}

/// The handler of the proofs. It reads the request's path, so under a prefix it works only if the host strips that. Needs the feature `proof`.
#[cfg(feature = "proof")]
pub async fn audit(State(endpoint): State<fastcore_leads::AuditEndpoint>, request: Request) -> Response {
    endpoint.handle(request).await.map(Body::from)
}

/// The handler of the inbox. It reads the request's path, so under a prefix it works only if the host strips that.
pub async fn inbox(State(endpoint): State<InboxEndpoint>, request: Request) -> Response {
    endpoint.handle(request).await.map(Body::new)
}
