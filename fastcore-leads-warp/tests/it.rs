//! The adapter over real connections, by warp's own server.

#![allow(clippy::unwrap_used, missing_docs, reason = "tests")]

use fastcore_leads::{
    Endpoint, EventsEndpoint, InboxEndpoint, Ingest, MemoryLeadStore, TokenSet,
    testing::{
        BoxFuture, TOKEN, body,
        http::{Server, exchange, lead_request},
    },
};
use warp::Filter;

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
    Box::pin(Server::spawn(|listener| warp::serve(fastcore_leads_warp::filter(endpoint)).incoming(listener).run()))
}

fn serve_events(feed: EventsEndpoint) -> BoxFuture<Server> {
    Box::pin(Server::spawn(|listener| warp::serve(fastcore_leads_warp::events_filter(feed)).incoming(listener).run()))
}

#[cfg(feature = "proof")]
fn serve_proofs(proofs: fastcore_leads::AuditEndpoint) -> BoxFuture<Server> {
    Box::pin(Server::spawn(|listener| warp::serve(fastcore_leads_warp::audit_filter(proofs)).incoming(listener).run()))
}

fn serve_inbox(inbox: InboxEndpoint) -> BoxFuture<Server> {
    Box::pin(Server::spawn(|listener| warp::serve(fastcore_leads_warp::inbox_filter(inbox)).incoming(listener).run()))
}

fn endpoint() -> Endpoint {
    Endpoint::new(Ingest::builder(MemoryLeadStore::new()).start(), TokenSet::parse(TOKEN).unwrap())
}

#[tokio::test]
async fn a_host_keeps_its_routes_and_fallback() {
    let host = warp::path!("hello")
        .map(|| "hello")
        .or(fastcore_leads_warp::filter(endpoint()))
        .or(warp::path("api").and(fastcore_leads_warp::filter(endpoint())))
        .or(warp::any().map(|| "the host's own 404"));
    let server = Server::spawn(|listener| warp::serve(host).incoming(listener).run()).await;
    let get = |path: &str| format!("GET {path} HTTP/1.1\r\nhost: x\r\n\r\n");
    assert_eq!(exchange(server.address, get("/hello").as_bytes()).await.body, b"hello");
    assert_eq!(exchange(server.address, get("/nothing").as_bytes()).await.body, b"the host's own 404");
    assert_eq!(exchange(server.address, get("/inbound/leads").as_bytes()).await.status, 405);
    let sent = String::from_utf8(lead_request(&body())).unwrap();
    assert_eq!(exchange(server.address, sent.as_bytes()).await.status, 201);
    let nested = sent.replace("/inbound/leads", "/api/inbound/leads");
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
