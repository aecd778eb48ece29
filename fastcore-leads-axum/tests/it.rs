//! The adapter over real connections, by axum's own server.

#![allow(clippy::unwrap_used, missing_docs, reason = "tests")]

use axum::{Router, routing::get};
use fastcore_leads::{
    Endpoint, EventsEndpoint, InboxEndpoint, Ingest, MemoryLeadStore, TokenSet,
    testing::{
        BoxFuture, TOKEN, body,
        http::{Server, exchange, lead_request},
    },
};

mod conformance {
    fastcore_leads::http_conformance!(super::serve);
}

mod inbox {
    fastcore_leads::inbox_http_conformance!(super::serve_inbox);
}

mod feed {
    fastcore_leads::events_conformance!(super::serve_events);
}

#[cfg(feature = "proof")]
mod proofs {
    fastcore_leads::proofs_conformance!(super::serve_proofs);
}

fn serve(endpoint: Endpoint) -> BoxFuture<Server> {
    Box::pin(serve_router(fastcore_leads_axum::router(endpoint)))
}

async fn serve_router(router: Router) -> Server {
    Server::spawn(|listener| async move { axum::serve(listener, router).await.unwrap() }).await
}

fn serve_events(feed: EventsEndpoint) -> BoxFuture<Server> {
    Box::pin(serve_router(fastcore_leads_axum::events_router(feed)))
}

#[cfg(feature = "proof")]
fn serve_proofs(proofs: fastcore_leads::AuditEndpoint) -> BoxFuture<Server> {
    Box::pin(serve_router(fastcore_leads_axum::audit_router(proofs)))
}

fn serve_inbox(inbox: InboxEndpoint) -> BoxFuture<Server> {
    Box::pin(serve_router(fastcore_leads_axum::inbox_router(inbox)))
}

fn endpoint() -> Endpoint {
    Endpoint::new(Ingest::builder(MemoryLeadStore::new()).start(), TokenSet::parse(TOKEN).unwrap())
}

#[tokio::test]
async fn a_host_keeps_its_state_routes_and_404() {
    #[derive(Clone)]
    struct HostState(&'static str);

    let host: Router = Router::new()
        .route("/hello", get(|axum::extract::State(state): axum::extract::State<HostState>| async move { state.0 }))
        .merge(fastcore_leads_axum::router(endpoint()))
        .nest("/api/v1", fastcore_leads_axum::router(endpoint()))
        .fallback(|| async { "the host's own 404" })
        .with_state(HostState("hello"));
    let server = serve_router(host).await;
    let get = |path: &str| format!("GET {path} HTTP/1.1\r\nhost: x\r\n\r\n");
    assert_eq!(exchange(server.address, get("/hello").as_bytes()).await.body, b"hello");
    assert_eq!(exchange(server.address, get("/nothing").as_bytes()).await.body, b"the host's own 404");
    assert_eq!(exchange(server.address, get("/inbound/leads").as_bytes()).await.status, 405);
    let sent = String::from_utf8(lead_request(&body())).unwrap();
    assert_eq!(exchange(server.address, sent.as_bytes()).await.status, 201);
    let nested = sent.replace("/inbound/leads", "/api/v1/inbound/leads");
    assert_eq!(exchange(server.address, nested.as_bytes()).await.status, 201);
    let wrong = sent.replace(TOKEN, "wrong-token-0123456789");
    assert_eq!(exchange(server.address, wrong.as_bytes()).await.status, 401);
}

#[test]
fn no_case_of_the_suite_is_missing() {
    fastcore_leads::testing::assert_listed("conformance", fastcore_leads::testing::http::CASES);
    fastcore_leads::testing::assert_listed("inbox", fastcore_leads::testing::http::INBOX_CASES);
    fastcore_leads::testing::assert_listed("feed", fastcore_leads::testing::http::EVENTS_CASES);
    #[cfg(feature = "proof")]
    fastcore_leads::testing::assert_listed("proofs", fastcore_leads::testing::http::PROOFS_CASES);
}
