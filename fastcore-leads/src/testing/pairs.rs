//! The suite for an adapter over a store: what only shows when both are in place.
//!
//! [`pair_conformance!`](crate::pair_conformance) takes a function that serves an endpoint, as
//! [`http_conformance!`](crate::http_conformance) does, and one that answers a fresh store, as
//! [`store_conformance!`](crate::store_conformance) does.

use std::{collections::HashSet, sync::Arc};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    task::JoinSet,
};
use uuid::Uuid;

use super::{
    Random, TOKEN, body,
    http::{Answer, Serve, Server, exchange, lead_request},
    stores::Store,
};
use crate::{
    endpoint::Endpoint,
    ingest::Ingest,
    lead::{LeadId, RequestId},
    token::TokenSet,
};

macro_rules! cases {
    ($($name:ident)*) => {
        /// The names of all cases.
        pub const CASES: &[&str] = &[$(stringify!($name)),*];

        /// Makes each case of the suite a test.
        #[macro_export]
        macro_rules! pair_conformance {
            ($serve:path, $fresh:path) => {
                $(
                    #[tokio::test(flavor = "multi_thread")]
                    async fn $name() {
                        let (store, _guard) = $fresh().await;
                        $crate::testing::pairs::$name($serve, store).await;
                    }
                )*
            };
        }
    };
}

cases! {
    what_is_answered_is_what_is_stored
    a_retry_and_a_conflict_write_nothing
    a_refused_request_writes_nothing
    a_race_over_http_makes_one_lead
    a_dropped_handler_leaves_a_whole_lead_or_none
    clients_may_go_away_at_any_byte
}

/// 201: id and instant of the answer are those of both rows.
pub async fn what_is_answered_is_what_is_stored(serve: Serve, store: Store) {
    let server = mount(serve, &store).await;
    let sent = body();
    let answer = exchange(server.address, &lead_request(&sent)).await;
    assert_eq!(answer.status, 201);
    let row = store.get(lead_id(&answer)).await.expect("get").expect("the lead is there");
    assert_eq!(answer.json()["timestamp"], crate::time::format(row.created_at_utc));
    assert_eq!(sent["meta"]["request_id"], row.request_id.to_string());
    assert_eq!((sent["name"].as_str(), sent["message"].as_str()), (Some(&*row.name), Some(&*row.message)));
    let trail = store.audit_trail(lead_id(&answer)).await.expect("audit_trail");
    assert_eq!((trail.len(), trail[0].created_at), (1, row.created_at_utc));
}

/// The original answer, byte for byte; then 409.
pub async fn a_retry_and_a_conflict_write_nothing(serve: Serve, store: Store) {
    let server = mount(serve, &store).await;
    let mut sent = body();
    let first = exchange(server.address, &lead_request(&sent)).await;
    let retry = exchange(server.address, &lead_request(&sent)).await;
    assert_eq!((retry.status, retry.header("idempotency-replayed")), (201, Some("true")));
    assert_eq!(retry.body, first.body);
    sent["company"] = "Another".into();
    assert_eq!(exchange(server.address, &lead_request(&sent)).await.status, 409);
    let row = store.get(lead_id(&first)).await.expect("get").expect("the lead is there");
    assert_eq!(row.company.as_deref(), Some("ACME SAS"));
    assert_eq!(store.audit_trail(lead_id(&first)).await.expect("audit_trail").len(), 1);
}

/// Neither a lead that is not valid nor one without a token.
pub async fn a_refused_request_writes_nothing(serve: Serve, store: Store) {
    let server = mount(serve, &store).await;
    let mut sent = body();
    let id = sent["meta"]["request_id"].as_str().and_then(|id| id.parse::<RequestId>().ok());
    let wrong = String::from_utf8_lossy(&lead_request(&sent)).replace(TOKEN, "wrong-token-0123456789");
    assert_eq!(exchange(server.address, wrong.as_bytes()).await.status, 401);
    sent["email"] = "nobody".into();
    assert_eq!(exchange(server.address, &lead_request(&sent)).await.status, 422);
    assert_eq!(store.find(id.expect("a request id")).await.expect("find"), None);
}

/// 32 connections, one request id: one answer without the replay header.
pub async fn a_race_over_http_makes_one_lead(serve: Serve, store: Store) {
    let server = mount(serve, &store).await;
    for _ in 0..5 {
        let sent = lead_request(&body());
        let mut tasks = JoinSet::new();
        for _ in 0..32 {
            let (address, sent) = (server.address, sent.clone());
            tasks.spawn(async move { exchange(address, &sent).await });
        }
        let answers = tasks.join_all().await;
        assert!(answers.iter().all(|answer| answer.status == 201));
        let bodies: HashSet<_> = answers.iter().map(|answer| answer.body.clone()).collect();
        let first = answers.iter().filter(|answer| answer.header("idempotency-replayed").is_none()).count();
        assert_eq!((bodies.len(), first), (1, 1));
        assert_eq!(store.audit_trail(lead_id(&answers[0])).await.expect("audit_trail").len(), 1);
    }
}

/// Dropped after one poll of the handler, two, three and so on, as servers do when a client goes away.
pub async fn a_dropped_handler_leaves_a_whole_lead_or_none(_: Serve, store: Store) {
    let tokens = TokenSet::parse(TOKEN).expect("long enough");
    let endpoint = Endpoint::new(Ingest::builder(Arc::clone(&store)).start(), tokens);
    for polls in 0..20 {
        let sent = body();
        let id = sent["meta"]["request_id"].as_str().and_then(|id| id.parse::<RequestId>().ok());
        {
            let mut handling = std::pin::pin!(endpoint.handle(super::post(sent.to_string())));
            let mut left = polls;
            std::future::poll_fn(|context| {
                left -= 1;
                if left < 0 || handling.as_mut().poll(context).is_ready() {
                    return std::task::Poll::Ready(());
                }
                std::task::Poll::Pending
            })
            .await;
        }
        // A retry settles it either way, and finds nothing half-done.
        assert_eq!(endpoint.handle(super::post(sent.to_string())).await.status(), 201);
        let row = store.find(id.expect("a request id")).await.expect("find").expect("the lead is there");
        assert_eq!(store.audit_trail(row.id).await.expect("audit_trail").len(), 1, "after {polls} polls");
    }
}

/// Of the request, or of the answer.
pub async fn clients_may_go_away_at_any_byte(serve: Serve, store: Store) {
    let mut random = Random::from_env();
    let server = mount(serve, &store).await;
    let mut clients = JoinSet::new();
    for _ in 0..48 {
        let sent = body();
        let request = lead_request(&sent);
        // Half of them send all, and read some.
        let (some, answered) = (random.below(request.len()), random.below(300));
        let (end, read) = if random.one_in(2) { (some, 0) } else { (request.len(), answered) };
        let address = server.address;
        clients.spawn(async move {
            let mut stream = TcpStream::connect(address).await.expect("the server listens");
            let _ = stream.write_all(&request[..end]).await;
            let _ = stream.read_exact(&mut vec![0; read]).await;
            drop(stream);
            sent
        });
    }
    for sent in clients.join_all().await {
        let answer = exchange(server.address, &lead_request(&sent)).await;
        assert_eq!(answer.status, 201);
        assert_eq!(store.audit_trail(lead_id(&answer)).await.expect("audit_trail").len(), 1);
        let id = sent["meta"]["request_id"].as_str().and_then(|id| id.parse::<RequestId>().ok());
        let row = store.find(id.expect("a request id")).await.expect("find").expect("the lead is there");
        assert_eq!(row.id, lead_id(&answer));
    }
}

async fn mount(serve: Serve, store: &Store) -> Server {
    let tokens = TokenSet::parse(TOKEN).expect("long enough");
    serve(Endpoint::new(Ingest::builder(Arc::clone(store)).start(), tokens)).await
}

fn lead_id(answer: &Answer) -> LeadId {
    let id = answer.json()["leadId"].as_str().and_then(|id| Uuid::try_parse(id).ok());
    LeadId::from_uuid(id.expect("a lead id"))
}
