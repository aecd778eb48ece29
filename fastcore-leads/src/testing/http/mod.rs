//! The conformance suite for adapters: requests over real connections, and the answers that the contract demands.
//!
//! [`http_conformance!`](crate::http_conformance) makes each case a test of its own. It takes an async function that
//! serves an endpoint by the adapter under test, on a free port, and answers the address and whatever has to live as
//! long as the server.

mod client;
mod events;
mod inbox;
mod proofs;
mod stores;

use std::{net::SocketAddr, sync::Arc, time::Duration};

use serde_json::Value;
use tokio::{net::TcpListener, task::JoinHandle};

use self::stores::{Down, Outcome};
pub use self::{
    client::{Answer, authorized, chunked, exchange, lead_request, request, try_exchange},
    events::*,
    inbox::*,
    proofs::*,
};
use super::{BoxFuture, Logs, TOKEN, body};
use crate::{
    endpoint::{Endpoint, INBOUND_LEADS_PATH, Problem},
    ingest::Ingest,
    lead::limits::MAX_BODY_BYTES,
    store::{Insertion, MemoryLeadStore, StoreErrorKind},
    token::{Scope, Token, TokenSet},
};

/// A server under test: where it listens. It ends when dropped.
#[derive(Debug)]
pub struct Server {
    /// The address.
    pub address: SocketAddr,
    task: JoinHandle<()>,
}

impl Server {
    /// Runs a server of the caller's on a free port.
    pub async fn spawn<F>(serve: impl FnOnce(TcpListener) -> F) -> Self
    where
        F: Future<Output = ()> + Send + 'static,
    {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port is free");
        let address = listener.local_addr().expect("it is bound");
        Self { address, task: tokio::spawn(serve(listener)) }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// Serves an endpoint by the adapter under test.
pub type Serve = fn(Endpoint) -> BoxFuture<Server>;

macro_rules! cases {
    ($($name:ident)*) => {
        /// The names of all cases.
        pub const CASES: &[&str] = &[$(stringify!($name)),*];

        /// Makes each case of the suite a test. Takes a function that serves an endpoint.
        #[macro_export]
        macro_rules! http_conformance {
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
    a_valid_lead_is_created
    a_missing_authorization_is_401
    a_wrong_token_is_401
    missing_members_are_422
    a_retry_gets_the_original_answer
    each_problem_can_be_reached
    methods_other_than_post_are_405
    the_token_is_asked_for_before_the_body
    bodies_are_bounded_in_both_framings
    a_body_that_breaks_off_leaves_no_lead
    a_client_that_goes_away_leaves_no_half_lead
    an_unavailable_store_is_503
    no_answer_holds_a_value
    other_paths_are_the_hosts
}

/// The four tests of the original design begin here: 201.
pub async fn a_valid_lead_is_created(serve: Serve) {
    let server = serve(endpoint(MemoryLeadStore::new())).await;
    let answer = exchange(server.address, &lead_request(&body())).await;
    assert_eq!(answer.status, 201);
    assert_eq!(answer.header("content-type"), Some("application/json"));
    assert_eq!(answer.header("cache-control"), Some("no-store"));
    assert_eq!(answer.header("idempotency-replayed"), None);
    let json = answer.json();
    assert_eq!(json["status"], "received");
    assert!(json["leadId"].is_string() && json["timestamp"].as_str().is_some_and(|text| text.ends_with('Z')));
}

/// The second of the four: 401.
pub async fn a_missing_authorization_is_401(serve: Serve) {
    let server = serve(endpoint(MemoryLeadStore::new())).await;
    let answer = exchange(server.address, &request("POST", &[("content-type", "application/json")], b"{}")).await;
    assert_problem(&answer, Problem::Unauthorized);
    assert_eq!(answer.header("www-authenticate"), Some(r#"Bearer realm="fastcore""#));
}

/// The third of the four: 401, and the client learns that its token is at fault.
pub async fn a_wrong_token_is_401(serve: Serve) {
    let server = serve(endpoint(MemoryLeadStore::new())).await;
    let headers = [("content-type", "application/json"), ("authorization", "Bearer invalid-token-0123456789")];
    let answer = exchange(server.address, &request("POST", &headers, b"{}")).await;
    assert_problem(&answer, Problem::Unauthorized);
    assert_eq!(answer.header("www-authenticate"), Some(r#"Bearer realm="fastcore", error="invalid_token""#));
}

/// The last of the four: 422.
pub async fn missing_members_are_422(serve: Serve) {
    let server = serve(endpoint(MemoryLeadStore::new())).await;
    let answer = exchange(server.address, &authorized(br#"{"name":"Test"}"#)).await;
    let problem = assert_problem(&answer, Problem::ValidationError);
    let pointers: Vec<_> = problem["errors"].as_array().expect("a list").iter().map(|e| e["pointer"].clone()).collect();
    assert_eq!(pointers, ["/email", "/message", "/consent", "/meta"]);
}

/// Byte by byte, and marked.
pub async fn a_retry_gets_the_original_answer(serve: Serve) {
    let store = MemoryLeadStore::new();
    let server = serve(endpoint(store.clone())).await;
    let sent = lead_request(&body());
    let first = exchange(server.address, &sent).await;
    for _ in 0..3 {
        let retry = exchange(server.address, &sent).await;
        assert_eq!((retry.status, retry.header("idempotency-replayed")), (201, Some("true")));
        assert_eq!(retry.body, first.body);
    }
    assert_eq!(store.len(), 1);
}

/// Each row of the contract's error table.
pub async fn each_problem_can_be_reached(serve: Serve) {
    let mut reached = Vec::new();
    let mut reach = |answer: &Answer, problem: Problem| {
        assert_problem(answer, problem);
        reached.push(problem);
    };
    let store = MemoryLeadStore::new();
    let server = serve(endpoint(store.clone())).await;
    reach(&exchange(server.address, &authorized(b"[]")).await, Problem::MalformedBody);
    reach(&exchange(server.address, &request("POST", &[], b"{}")).await, Problem::Unauthorized);
    reach(&exchange(server.address, &request("GET", &[], b"")).await, Problem::MethodNotAllowed);
    let mut sent = body();
    assert_eq!(exchange(server.address, &lead_request(&sent)).await.status, 201);
    sent["name"] = "Somebody Else".into();
    reach(&exchange(server.address, &lead_request(&sent)).await, Problem::RequestIdConflict);
    reach(&exchange(server.address, &authorized(&vec![b' '; MAX_BODY_BYTES + 1])).await, Problem::BodyTooLarge);
    let text = request("POST", &[("authorization", &format!("Bearer {TOKEN}")), ("content-type", "text/plain")], b"{}");
    reach(&exchange(server.address, &text).await, Problem::UnsupportedMediaType);
    reach(&exchange(server.address, &authorized(b"{}")).await, Problem::ValidationError);

    let impatient = endpoint(MemoryLeadStore::new()).body_timeout(Duration::from_millis(50));
    let server = serve(impatient).await;
    let whole = lead_request(&body());
    reach(&exchange(server.address, &whole[..whole.len() - 1]).await, Problem::RequestTimeout);

    let bound = Token::new(TOKEN).expect("long enough").for_sources(["other.example"]);
    let tokens = TokenSet::new([bound]).expect("a token");
    let server = serve(Endpoint::new(Ingest::builder(MemoryLeadStore::new()).start(), tokens)).await;
    reach(&exchange(server.address, &lead_request(&body())).await, Problem::SourceForbidden);
    let other = Token::new(TOKEN).expect("long enough").with_scopes([Scope::Events]);
    let tokens = TokenSet::new([other]).expect("a token");
    let server = serve(Endpoint::new(Ingest::builder(MemoryLeadStore::new()).start(), tokens)).await;
    reach(&exchange(server.address, &lead_request(&body())).await, Problem::ScopeMissing);
    let server = serve(endpoint(Outcome(Insertion::Erased))).await;
    reach(&exchange(server.address, &lead_request(&body())).await, Problem::LeadErased);
    let server = serve(endpoint(Down(StoreErrorKind::Internal))).await;
    reach(&exchange(server.address, &lead_request(&body())).await, Problem::Internal);
    let server = serve(endpoint(Down(StoreErrorKind::Unavailable))).await;
    reach(&exchange(server.address, &lead_request(&body())).await, Problem::Unavailable);

    for problem in Problem::ALL {
        assert!(reached.contains(problem), "{problem:?} was not reached");
    }
}

/// With `Allow`, whatever else the request holds.
pub async fn methods_other_than_post_are_405(serve: Serve) {
    let server = serve(endpoint(MemoryLeadStore::new())).await;
    for method in ["GET", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "BREW"] {
        let answer = exchange(server.address, &request(method, &[], b"")).await;
        assert_problem(&answer, Problem::MethodNotAllowed);
        assert_eq!(answer.header("allow"), Some("POST"), "{method}");
    }
    let head = exchange(server.address, &request("HEAD", &[], b"")).await;
    assert_eq!((head.status, head.header("allow")), (405, Some("POST")));
}

/// The body is announced and never sent: the answer comes all the same, without "100 Continue".
pub async fn the_token_is_asked_for_before_the_body(serve: Serve) {
    let server = serve(endpoint(MemoryLeadStore::new())).await;
    let head = format!(
        "POST {INBOUND_LEADS_PATH} HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\nexpect: 100-continue\r\n\
         content-length: 1000\r\n\r\n"
    );
    let answer = exchange(server.address, head.as_bytes()).await;
    assert_problem(&answer, Problem::Unauthorized);
}

/// 32 KiB are taken, one byte more is not, with `Content-Length` and chunked.
pub async fn bodies_are_bounded_in_both_framings(serve: Serve) {
    let server = serve(endpoint(MemoryLeadStore::new())).await;
    for (length, status) in [(MAX_BODY_BYTES, 201), (MAX_BODY_BYTES + 1, 413)] {
        for is_chunked in [false, true] {
            let lead = body().to_string();
            let padded = format!("{lead}{}", " ".repeat(length - lead.len()));
            let sent = if is_chunked { chunked(padded.as_bytes(), 1000, "") } else { authorized(padded.as_bytes()) };
            assert_eq!(exchange(server.address, &sent).await.status, status, "{length} bytes, chunked: {is_chunked}");
        }
    }
}

/// Half a body, then the end of the connection's sending side.
pub async fn a_body_that_breaks_off_leaves_no_lead(serve: Serve) {
    let store = MemoryLeadStore::new();
    let server = serve(endpoint(store.clone())).await;
    let whole = lead_request(&body());
    for cut in [whole.len() - 1, whole.len() - 100] {
        client::send_and_leave(server.address, &whole[..cut]).await;
    }
    assert_eq!(exchange(server.address, &whole).await.status, 201);
    assert_eq!(store.len(), 1);
}

/// The request is whole, but nobody waits for the answer.
pub async fn a_client_that_goes_away_leaves_no_half_lead(serve: Serve) {
    let store = MemoryLeadStore::new();
    let server = serve(endpoint(store.clone())).await;
    for _ in 0..50 {
        let sent = lead_request(&body());
        client::send_and_leave(server.address, &sent).await;
        assert_eq!(exchange(server.address, &sent).await.status, 201);
    }
    assert_eq!(store.len(), 50);
}

/// For each kind of failure that a retry can mend, and for a store that never answers.
pub async fn an_unavailable_store_is_503(serve: Serve) {
    for kind in [StoreErrorKind::Unavailable, StoreErrorKind::TimedOut, StoreErrorKind::OutcomeUnknown] {
        let server = serve(endpoint(Down(kind))).await;
        let answer = exchange(server.address, &lead_request(&body())).await;
        assert_problem(&answer, Problem::Unavailable);
        assert!(answer.header("retry-after").is_some_and(|seconds| seconds.parse::<u32>().is_ok()));
    }
    let ingest = Ingest::builder(stores::Silent).deadline(Duration::from_millis(10)).start();
    let server = serve(Endpoint::new(ingest, tokens())).await;
    assert_problem(&exchange(server.address, &lead_request(&body())).await, Problem::Unavailable);
}

/// A canary in every member, in the token and in the headers; through parse errors, faults and successes.
pub async fn no_answer_holds_a_value(serve: Serve) {
    const CANARY: &str = "CANARY-5c21";
    let logs = Logs::global();
    let mut bodies = Vec::new();
    for pointer in ["/name", "/email", "/phone", "/company", "/service", "/message"] {
        let mut valid = body();
        let text = match pointer {
            "/email" => format!("x.{CANARY}@example.com"),
            "/service" => "autre".to_owned(),
            _ => format!("Je suis {CANARY}"),
        };
        valid[&pointer[1..]] = if pointer == "/message" { format!("{text}, et voici.").into() } else { text.into() };
        bodies.push(valid.clone());
        valid[&pointer[1..]] = format!("{CANARY}\u{0}").into();
        bodies.push(valid);
    }
    for member in ["request_id", "ip_hash", "user_agent_hash", "timestamp_utc", "consent", "suspicion"] {
        let mut invalid = body();
        invalid["meta"][member] = format!("{CANARY} ").into();
        bodies.push(invalid);
    }
    let endpoints = [
        endpoint(MemoryLeadStore::new()),
        endpoint(Down(StoreErrorKind::Internal)),
        endpoint(Down(StoreErrorKind::Rejected)),
        endpoint(Down(StoreErrorKind::Unavailable)),
        endpoint(Outcome(Insertion::Conflict)),
    ];
    for endpoint in endpoints {
        let server = serve(endpoint).await;
        let mut requests: Vec<_> = bodies.iter().map(lead_request).collect();
        requests.push(authorized(format!(r#"{{"name":"{CANARY}"#).as_bytes()));
        let token = format!("Bearer {CANARY}-0123456789");
        requests.push(request("POST", &[("authorization", &token), ("content-type", CANARY)], CANARY.as_bytes()));
        for sent in requests {
            let answer = exchange(server.address, &sent).await;
            let shown = format!("{:?} {}", answer.headers, String::from_utf8_lossy(&answer.body));
            assert!(!shown.contains(CANARY), "{shown}");
        }
    }
    let lines = logs.lines();
    assert!(lines.iter().any(|line| line.contains("lead ingest")), "the events were seen");
    let leak = lines.iter().find(|line| line.contains(CANARY) || line.contains(TOKEN));
    assert_eq!(leak, None);
}

/// Neither 401 nor 405: whatever the host says of a path that it does not know.
pub async fn other_paths_are_the_hosts(serve: Serve) {
    let server = serve(endpoint(MemoryLeadStore::new())).await;
    for path in ["/", "/inbound", "/inbound/leads/", "/inbound/leads/1", "/inbound/leadsx", "/INBOUND/LEADS"] {
        let sent = String::from_utf8_lossy(&lead_request(&body())).replace(INBOUND_LEADS_PATH, path);
        assert_eq!(exchange(server.address, sent.as_bytes()).await.status, 404, "{path}");
    }
    let query = String::from_utf8_lossy(&lead_request(&body())).replace(INBOUND_LEADS_PATH, "/inbound/leads?a=b");
    assert_eq!(exchange(server.address, query.as_bytes()).await.status, 201);
}

fn tokens() -> TokenSet {
    TokenSet::parse(TOKEN).expect("long enough")
}

fn endpoint(store: impl crate::LeadStore + 'static) -> Endpoint {
    Endpoint::new(Ingest::builder(Arc::new(store)).start(), tokens())
}

#[track_caller]
fn assert_problem(answer: &Answer, problem: Problem) -> Value {
    assert_eq!(answer.status, problem.status().as_u16(), "{}", String::from_utf8_lossy(&answer.body));
    assert_eq!(answer.header("content-type"), Some("application/problem+json"));
    assert_eq!(answer.header("cache-control"), Some("no-store"));
    let json = answer.json();
    assert_eq!((&json["ok"], &json["error"]), (&Value::Bool(false), &Value::from(problem.as_str())));
    assert_eq!(json["status"], answer.status);
    json
}
