//! The conformance suite for adapters that mount the feed of events.
//!
//! [`events_conformance!`](crate::events_conformance) makes each case a test of its own, as
//! [`http_conformance!`](crate::http_conformance) does.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use serde_json::Value;
use uuid::Uuid;

use super::{Answer, Server, client, stores::Away};
use crate::{
    audit::Actor,
    endpoint::{EventsEndpoint, EventsProblem, INBOUND_EVENTS_PATH},
    inbox::{InboxExt, Target},
    ingest::Commits,
    lead::{LeadId, LeadStatus},
    outbox::Payload,
    store::{LeadStore, MemoryLeadStore, NewLead, StoreErrorKind},
    testing::{BoxFuture, TOKEN, body, parse},
    token::{Scope, Token, TokenSet},
};

/// Serves a feed by the adapter under test.
pub type ServeEvents = fn(EventsEndpoint) -> BoxFuture<Server>;

macro_rules! cases {
    ($($name:ident)*) => {
        /// The names of all cases.
        pub const EVENTS_CASES: &[&str] = &[$(stringify!($name)),*];

        /// Makes each case of the suite a test. Takes a function that serves a feed.
        #[macro_export]
        macro_rules! events_conformance {
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
    events_are_handed_out_in_order_page_by_page
    who_waits_is_answered_once_something_happens
    who_waits_in_vain_keeps_the_cursor
    a_feed_that_closes_lets_nobody_wait
    a_cursor_of_another_log_is_refused
    each_problem_of_the_feed_can_be_reached
    a_token_of_some_sources_hears_of_these_alone
    of_an_erased_lead_its_erasure_alone_is_told
    a_feed_tells_as_much_of_a_lead_as_it_is_set_to
}

/// Each once, whatever the size of the pages.
pub async fn events_are_handed_out_in_order_page_by_page(serve: ServeEvents) {
    let store = MemoryLeadStore::new();
    let mut expected = Vec::new();
    for _ in 0..5 {
        expected.push(receive(&store, "site.example").await.to_string());
    }
    let server = serve(EventsEndpoint::new(store, tokens())).await;
    for limit in [1, 2, 5, 500] {
        let (mut told, mut cursor) = (Vec::new(), "0".to_owned());
        loop {
            let page = page(server.address, &format!("after={cursor}&limit={limit}")).await;
            let events = page["events"].as_array().expect("a list");
            assert!(events.len() <= limit);
            for event in events {
                assert_eq!(event["type"], "lead.received");
                assert!(event["id"].as_str().is_some_and(|id| id.starts_with("evt_")));
                told.push(event["data"]["lead_id"].as_str().expect("an id").to_owned());
            }
            page["next"].as_str().expect("a cursor").clone_into(&mut cursor);
            if page["more"] == false {
                break;
            }
        }
        assert_eq!(told, expected);
        assert_eq!(page(server.address, &format!("after={cursor}")).await["events"], Value::Array(Vec::new()));
    }
    assert_eq!(page(server.address, "").await["events"].as_array().map(Vec::len), Some(5), "from the first one");
}

/// Many of them, each with what was asked for, and none by the poll.
pub async fn who_waits_is_answered_once_something_happens(serve: ServeEvents) {
    let (store, committed) = (MemoryLeadStore::new(), Commits::new());
    let builder = EventsEndpoint::builder(store.clone(), tokens()).follow(Arc::clone(&committed));
    let feed = builder.poll(Duration::from_secs(3600)).build();
    let server = serve(feed.clone()).await;
    let before = receive(&store, "site.example").await;
    let cursor = page(server.address, "").await["next"].as_str().expect("a cursor").to_owned();
    let query = format!("after={cursor}&wait=60");
    let asked = || page(server.address, &query);
    let happens = async {
        so_many_wait(&feed, 3).await;
        let id = receive(&store, "site.example").await;
        committed.add(1);
        id
    };
    let (first, second, third, id) = tokio::join!(asked(), asked(), asked(), happens);
    for page in [first, second, third] {
        let told: Vec<_> =
            page["events"].as_array().into_iter().flatten().map(|event| &event["data"]["lead_id"]).collect();
        assert_eq!(told, [id.to_string().as_str()]);
        assert_ne!(told, [before.to_string().as_str()]);
    }
}

async fn so_many_wait(feed: &EventsEndpoint, requests: usize) {
    for _ in 0..30_000 {
        if feed.waiting() == requests {
            return;
        }
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    panic!("after 30 s not so many wait: {requests}");
}

/// The answer comes after the time that was asked for, and not before.
pub async fn who_waits_in_vain_keeps_the_cursor(serve: ServeEvents) {
    let store = MemoryLeadStore::new();
    receive(&store, "site.example").await;
    let server = serve(EventsEndpoint::new(store, tokens())).await;
    let cursor = page(server.address, "").await["next"].clone();
    let asked_at = std::time::Instant::now();
    let waited = page(server.address, &format!("after={}&wait=1", cursor.as_str().expect("a cursor"))).await;
    assert!(asked_at.elapsed() >= Duration::from_secs(1));
    assert_eq!((waited["events"].as_array().map(Vec::len), &waited["next"]), (Some(0), &cursor));
}

/// Those who wait, and those who come later.
pub async fn a_feed_that_closes_lets_nobody_wait(serve: ServeEvents) {
    let feed = EventsEndpoint::new(MemoryLeadStore::new(), tokens());
    let server = serve(feed.clone()).await;
    let closes = async {
        so_many_wait(&feed, 1).await;
        feed.close();
    };
    let (waited, ()) = tokio::join!(page(server.address, "wait=60"), closes);
    assert_eq!(waited["events"].as_array().map(Vec::len), Some(0));
    assert_eq!(page(server.address, "wait=60").await["next"], "0");
}

/// Put back to an earlier state it has other events under the same numbers: whoever asks is told, and misses nothing.
pub async fn a_cursor_of_another_log_is_refused(serve: ServeEvents) {
    let (before, after) = (MemoryLeadStore::new(), MemoryLeadStore::new());
    for store in [&before, &after] {
        for _ in 0..3 {
            receive(store, "site.example").await;
        }
    }
    let server = serve(EventsEndpoint::new(before, tokens())).await;
    let cursor = page(server.address, "limit=2").await["next"].as_str().expect("a cursor").to_owned();
    let server = serve(EventsEndpoint::new(after, tokens())).await;
    let refused = ask(server.address, "GET", &format!("after={cursor}&wait=60"), TOKEN).await;
    assert_eq!((refused.status, &refused.json()["error"]), (409, &Value::from("cursor_unknown")));
}

/// The whole closed list, with the headers that belong to it.
pub async fn each_problem_of_the_feed_can_be_reached(serve: ServeEvents) {
    let mut reached = Vec::new();
    let mut reach = |answer: &Answer, problem: EventsProblem| {
        assert_eq!(answer.status, problem.status().as_u16(), "{}", String::from_utf8_lossy(&answer.body));
        assert_eq!(answer.header("content-type"), Some("application/problem+json"));
        assert_eq!(answer.header("cache-control"), Some("no-store"));
        assert_eq!(answer.json()["error"], problem.as_str());
        reached.push(problem);
    };
    let store = MemoryLeadStore::new();
    receive(&store, "site.example").await;
    let server = serve(EventsEndpoint::builder(store, tokens()).max_waiting(0).build()).await;
    let address = server.address;
    for query in [
        "after=x",
        "after=-1",
        "after=+1",
        "after=%31",
        "after=",
        "after",
        "after=1&after=1",
        "wait=61",
        "wait=1.5",
        "limit=0",
        "limit=501",
        "cursor=1",
        "after=99999999999999999999",
        "after=1;wait=1",
    ] {
        reach(&ask(address, "GET", query, TOKEN).await, EventsProblem::InvalidQuery);
    }
    let wrong = ask(address, "GET", "", "wrong-token-0123456789").await;
    assert_eq!(wrong.header("www-authenticate"), Some(r#"Bearer realm="fastcore", error="invalid_token""#));
    reach(&wrong, EventsProblem::Unauthorized);
    for method in ["POST", "PUT", "DELETE", "OPTIONS"] {
        let answer = ask(address, method, "", TOKEN).await;
        assert_eq!(answer.header("allow"), Some("GET"));
        reach(&answer, EventsProblem::MethodNotAllowed);
    }
    let ahead = format!("after=2-{}", Uuid::now_v7().simple());
    reach(&ask(address, "GET", &ahead, TOKEN).await, EventsProblem::CursorUnknown);
    let next = ask(address, "GET", "", TOKEN).await.json()["next"].as_str().expect("a cursor").to_owned();
    let busy = ask(address, "GET", &format!("after={next}&wait=1"), TOKEN).await;
    assert_eq!(busy.header("retry-after"), Some("2"));
    reach(&busy, EventsProblem::Unavailable);

    let ingest = TokenSet::parse(TOKEN).expect("long enough");
    let server = serve(EventsEndpoint::new(MemoryLeadStore::new(), ingest)).await;
    reach(&ask(server.address, "GET", "", TOKEN).await, EventsProblem::ScopeMissing);
    for (kind, problem) in [
        (StoreErrorKind::Unavailable, EventsProblem::Unavailable),
        (StoreErrorKind::TimedOut, EventsProblem::Unavailable),
        (StoreErrorKind::Internal, EventsProblem::Internal),
    ] {
        let server = serve(EventsEndpoint::new(Away(kind), tokens())).await;
        reach(&ask(server.address, "GET", "wait=30", TOKEN).await, problem);
    }
    for problem in EventsProblem::ALL {
        assert!(reached.contains(problem), "{problem:?} was not reached");
    }
}

/// As it may post leads of these alone.
pub async fn a_token_of_some_sources_hears_of_these_alone(serve: ServeEvents) {
    let store = MemoryLeadStore::new();
    receive(&store, "other.example").await;
    let ours = receive(&store, "site.example").await;
    receive(&store, "other.example").await;
    let token = token().for_sources(["site.example"]);
    let server = serve(EventsEndpoint::new(store, TokenSet::new([token]).expect("a token"))).await;
    let page = page(server.address, "limit=1&wait=60").await;
    assert_eq!(page["events"].as_array().map(Vec::len), Some(1));
    assert_eq!(page["events"][0]["data"]["lead_id"], ours.to_string());
}

/// Nothing that came before it, and nothing of the person.
pub async fn of_an_erased_lead_its_erasure_alone_is_told(serve: ServeEvents) {
    let store = MemoryLeadStore::new();
    let id = receive(&store, "site.example").await;
    let marie = Actor::new("marie").expect("a name");
    store.transition(id, LeadStatus::Received, LeadStatus::Processing, marie.clone(), None).await.expect("a move");
    store.erase(Target::Lead(id), marie, None).await.expect("it is there");
    let server = serve(EventsEndpoint::builder(store, tokens()).payload(Payload::Full).build()).await;
    let page = page(server.address, "").await;
    assert_eq!(page["events"].as_array().map(Vec::len), Some(1));
    assert_eq!(page["events"][0]["type"], "lead.erased");
    assert_eq!(page["events"][0]["data"]["lead"], Value::Null);
}

/// Nothing personal unless it is asked for.
pub async fn a_feed_tells_as_much_of_a_lead_as_it_is_set_to(serve: ServeEvents) {
    let store = MemoryLeadStore::new();
    receive(&store, "site.example").await;
    let thin = serve(EventsEndpoint::new(store.clone(), tokens())).await;
    assert_eq!(page(thin.address, "").await["events"][0]["data"]["lead"], Value::Null);
    let full = serve(EventsEndpoint::builder(store, tokens()).payload(Payload::Full).build()).await;
    assert_eq!(page(full.address, "").await["events"][0]["data"]["lead"]["email"], body()["email"]);
}

fn token() -> Token {
    Token::new(TOKEN).expect("long enough").with_scopes([Scope::Events])
}

fn tokens() -> TokenSet {
    TokenSet::new([token()]).expect("a token")
}

async fn receive(store: &MemoryLeadStore, source: &str) -> LeadId {
    let mut sent = body();
    sent["meta"]["source"] = source.into();
    let new = NewLead::new(parse(&sent), Actor::SITE_INGEST);
    let id = new.id();
    store.insert(&[new]).await.expect("it is stored");
    id
}

async fn page(address: SocketAddr, query: &str) -> Value {
    let answer = ask(address, "GET", query, TOKEN).await;
    assert_eq!(answer.status, 200, "{}", String::from_utf8_lossy(&answer.body));
    assert_eq!(answer.header("content-type"), Some("application/json"));
    assert_eq!(answer.header("cache-control"), Some("no-store"));
    answer.json()
}

async fn ask(address: SocketAddr, method: &str, query: &str, token: &str) -> Answer {
    let target =
        if query.is_empty() { INBOUND_EVENTS_PATH.to_owned() } else { format!("{INBOUND_EVENTS_PATH}?{query}") };
    client::ask(address, method, &target, token, None).await
}
