//! The conformance suite for adapters that mount the proofs of the audit log.
//!
//! [`proofs_conformance!`](crate::proofs_conformance) makes each case a test of its own, as
//! [`http_conformance!`](crate::http_conformance) does.

use std::{net::SocketAddr, sync::Arc};

use super::{Answer, Server, client, stores::Away};
use crate::{
    audit::Actor,
    endpoint::{AuditEndpoint, AuditProblem},
    inbox::{InboxExt, Target},
    proof::{Checkpoint, Hash, NoteKey, Receipt, Tile, TileId, root},
    store::{LeadStore, MemoryLeadStore, NewLead, StoreErrorKind},
    testing::{
        BoxFuture, TOKEN, body,
        log::{Log, key, receive, redact, sealer},
        parse,
    },
    token::{Scope, Token, TokenSet},
};

/// Serves proofs by the adapter under test.
pub type ServeProofs = fn(AuditEndpoint) -> BoxFuture<Server>;

macro_rules! cases {
    ($($name:ident)*) => {
        /// The names of all cases.
        pub const PROOFS_CASES: &[&str] = &[$(stringify!($name)),*];

        /// Makes each case of the suite a test. Takes a function that serves proofs.
        #[macro_export]
        macro_rules! proofs_conformance {
            ($serve:path) => {
                $(
                    #[tokio::test(flavor = "multi_thread")]
                    async fn $name() {
                        $crate::testing::http::$name($serve).await;
                    }
                )*
            };
        }
    };
}

cases! {
    a_checkpoint_and_its_tiles_are_served
    a_receipt_is_served_to_whoever_sent_the_lead
    each_problem_of_the_proofs_can_be_reached
    a_token_of_some_sources_gets_receipts_of_these_alone
}

/// What is served makes the root that was signed.
pub async fn a_checkpoint_and_its_tiles_are_served(serve: ServeProofs) {
    let (store, key) = sealed(300).await;
    let server = serve(AuditEndpoint::new(store, tokens([Scope::Audit]))).await;
    let answer = get(server.address, "/audit/checkpoint").await;
    assert_eq!(answer.header("content-type"), Some("text/plain; charset=utf-8"));
    let note = String::from_utf8_lossy(&answer.body).parse().expect("a note");
    let head = Checkpoint::open(&note, &[key.verifier()]).expect("signed");
    assert_eq!(head.size, 300);
    let mut tiles = std::collections::BTreeMap::new();
    for (id, path) in [
        (TileId::of_leaves(0), "/audit/tile/0/000"),
        (TileId::of_leaves(1), "/audit/tile/0/001.p/44"),
        (TileId { level: 1, number: 0 }, "/audit/tile/1/000.p/1"),
    ] {
        let answer = get(server.address, path).await;
        assert_eq!(answer.header("content-type"), Some("application/octet-stream"));
        assert_eq!(answer.body.len() as u64, id.width(300) * Hash::LEN as u64);
        tiles.insert(id, Tile::from_bytes(id, &answer.body, &[]).expect("hashes"));
    }
    assert_eq!(root(300, &tiles), Some(head.root));
    for path in [
        "/audit/tile/0/002",
        "/audit/tile/0/001",
        "/audit/tile/0/001.p/45",
        "/audit/tile/9/000",
        "/audit/tile/00/000",
        "/audit/tile/0/0",
        "/audit/tile/0/x000/000",
        "/audit/tile/0/000.p/0",
        "/audit/tile/0/000.p/256",
        "/audit/tile/0/999/999",
    ] {
        let answer = ask(server.address, "GET", path, TOKEN).await;
        assert_eq!((answer.status, answer.json()["error"].as_str()), (404, Some("not_found")), "{path}");
        assert_eq!(ask(server.address, "PUT", path, TOKEN).await.status, 405, "{path}");
    }
}

/// By the lead's id, and by the request's.
pub async fn a_receipt_is_served_to_whoever_sent_the_lead(serve: ServeProofs) {
    let (store, key) = sealed(3).await;
    let sent = receive(&*store, 1).await;
    sealer(&store, &key).seal_all().await.expect("sealed");
    for scope in [Scope::Ingest, Scope::Read] {
        let server = serve(AuditEndpoint::new(Arc::clone(&store), tokens([scope]))).await;
        for id in [sent[0].id().to_string(), sent[0].lead().meta().request_id().to_string()] {
            let answer = get(server.address, &format!("/inbound/leads/{id}/receipt")).await;
            assert_eq!(answer.header("content-type"), Some("text/plain; charset=utf-8"));
            assert!(answer.body.len() <= 3 * 1024, "{} bytes", answer.body.len());
            let receipt: Receipt = String::from_utf8_lossy(&answer.body).parse().expect("a receipt");
            assert_eq!(receipt.verify(&[key.verifier()]).expect("it holds").size, 4);
            assert!(receipt.row().expect("a row").contains(&sent[0].id().to_string()));
        }
    }
}

/// The whole closed list, with the headers that belong to it.
pub async fn each_problem_of_the_proofs_can_be_reached(serve: ServeProofs) {
    let mut reached = Vec::new();
    let mut reach = |answer: &Answer, problem: AuditProblem| {
        assert_eq!(answer.status, problem.status().as_u16(), "{problem:?}");
        assert_eq!(answer.header("content-type"), Some("application/problem+json"));
        assert_eq!(answer.header("cache-control"), Some("no-store"));
        assert_eq!(answer.json()["error"], problem.as_str());
        let is_late = matches!(problem, AuditProblem::NotSealed | AuditProblem::Unavailable);
        assert_eq!(answer.header("retry-after").is_some(), is_late, "{problem:?}");
        assert_eq!(answer.header("allow").is_some(), problem == AuditProblem::MethodNotAllowed);
        assert_eq!(answer.header("www-authenticate").is_some(), problem == AuditProblem::Unauthorized);
        reached.push(problem);
    };
    let (store, key) = sealed(0).await;
    let sent = receive(&*store, 3).await;
    let receipt = |nth: usize| format!("/inbound/leads/{}/receipt", sent[nth].id());
    let server = serve(AuditEndpoint::new(Arc::clone(&store), tokens([Scope::Ingest]))).await;
    reach(&ask(server.address, "GET", &receipt(0), TOKEN).await, AuditProblem::NotSealed);
    for path in [&receipt(0), "/audit/checkpoint", "/audit/tile/0/000"] {
        reach(&ask(server.address, "GET", path, "wrong-token-0123456789").await, AuditProblem::Unauthorized);
        reach(&ask(server.address, "PUT", path, TOKEN).await, AuditProblem::MethodNotAllowed);
    }
    reach(&ask(server.address, "GET", "/audit/checkpoint", TOKEN).await, AuditProblem::NotFound);
    sealer(&store, &key).seal_all().await.expect("sealed");
    assert!(redact(&*store, &sent[1].audit_id().hyphenated().to_string()).await);
    reach(&ask(server.address, "GET", &receipt(1), TOKEN).await, AuditProblem::Redacted);
    store.erase(Target::Lead(sent[2].id()), Actor::SITE_INGEST, None).await.expect("erased");
    reach(&ask(server.address, "GET", &receipt(2), TOKEN).await, AuditProblem::LeadErased);
    let nobodys = format!("/inbound/leads/{}/receipt", uuid::Uuid::now_v7());
    for path in ["/inbound/leads/nothing/receipt", &nobodys] {
        reach(&ask(server.address, "GET", path, TOKEN).await, AuditProblem::LeadNotFound);
    }
    for (scope, path) in
        [(Scope::Audit, receipt(0).as_str()), (Scope::Events, "/audit/checkpoint"), (Scope::Work, "/audit/tile/0/000")]
    {
        let others = serve(AuditEndpoint::new(Arc::clone(&store), tokens([scope]))).await;
        reach(&ask(others.address, "GET", path, TOKEN).await, AuditProblem::ScopeMissing);
    }
    for (kind, problem) in [
        (StoreErrorKind::Unavailable, AuditProblem::Unavailable),
        (StoreErrorKind::TimedOut, AuditProblem::Unavailable),
        (StoreErrorKind::Internal, AuditProblem::Internal),
    ] {
        let server = serve(AuditEndpoint::new(Away(kind), tokens([Scope::Ingest]))).await;
        reach(&ask(server.address, "GET", &receipt(0), TOKEN).await, problem);
    }
    for problem in AuditProblem::ALL {
        assert!(reached.contains(problem), "{problem:?}");
    }
}

/// As it may post leads of these alone.
pub async fn a_token_of_some_sources_gets_receipts_of_these_alone(serve: ServeProofs) {
    let (memory, key) = (MemoryLeadStore::new(), key());
    let mut ids = Vec::new();
    for source in ["site.example", "other.example"] {
        let mut sent = body();
        sent["meta"]["source"] = source.into();
        let new = NewLead::new(parse(&sent), Actor::SITE_INGEST);
        ids.push(new.id());
        memory.insert(&[new]).await.expect("written");
    }
    let store: Log = Arc::new(memory);
    sealer(&store, &key).seal_all().await.expect("sealed");
    let token = Token::new(TOKEN).expect("long enough").with_scopes([Scope::Ingest]).for_sources(["site.example"]);
    let server = serve(AuditEndpoint::new(store, TokenSet::new([token]).expect("a token"))).await;
    for (id, status) in ids.into_iter().zip([200, 404]) {
        let answer = ask(server.address, "GET", &format!("/inbound/leads/{id}/receipt"), TOKEN).await;
        assert_eq!(answer.status, status);
    }
}

async fn sealed(leads: usize) -> (Log, NoteKey) {
    let (store, key): (Log, _) = (Arc::new(MemoryLeadStore::new()), key());
    receive(&*store, leads).await;
    sealer(&store, &key).seal_all().await.expect("sealed");
    (store, key)
}

fn tokens(scopes: impl IntoIterator<Item = Scope>) -> TokenSet {
    TokenSet::new([Token::new(TOKEN).expect("long enough").with_scopes(scopes)]).expect("a token")
}

async fn get(address: SocketAddr, path: &str) -> Answer {
    let answer = ask(address, "GET", path, TOKEN).await;
    assert_eq!(answer.status, 200, "{path}: {}", String::from_utf8_lossy(&answer.body));
    assert_eq!(answer.header("cache-control"), Some("no-store"));
    answer
}

async fn ask(address: SocketAddr, method: &str, path: &str, token: &str) -> Answer {
    client::ask(address, method, path, token, None).await
}
