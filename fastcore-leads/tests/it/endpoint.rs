//! The endpoint as a function: every row of the contract's error table, and what an answer holds.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use async_trait::async_trait;
use bytes::Bytes;
use fastcore_leads::{
    Actor, AuditProblem, ConsentPolicy, Endpoint, EventsProblem, InboxProblem, Ingest, Insertion, LeadStore,
    MemoryLeadStore, NewLead, Problem, StoreError, StoreErrorKind, Token, TokenSet,
    testing::{self, Logs, TOKEN, body, post},
};
use http::{Request, Response, StatusCode};
use http_body_util::{Empty, Full};
use serde_json::Value;

use crate::bodies::{Broken, Pieces, Silent, Watched};

fn endpoint() -> Endpoint {
    endpoint_over(MemoryLeadStore::new())
}

fn endpoint_over(store: impl LeadStore + 'static) -> Endpoint {
    Endpoint::new(Ingest::builder(store).start(), TokenSet::parse(TOKEN).unwrap())
}

fn json(answer: &Response<Bytes>) -> Value {
    serde_json::from_slice(answer.body()).unwrap()
}

#[track_caller]
fn assert_problem(answer: &Response<Bytes>, problem: Problem) -> Value {
    assert_eq!(answer.status(), problem.status());
    assert_eq!(answer.headers()["content-type"], "application/problem+json");
    assert_eq!(answer.headers()["cache-control"], "no-store");
    let body = json(answer);
    assert_eq!(body["status"], problem.status().as_u16());
    assert_eq!(body["ok"], false);
    assert_eq!(body["error"], problem.as_str());
    assert_eq!(body["title"], problem.title());
    assert!(body["type"].as_str().unwrap().ends_with(&format!("/{}", problem.as_str())));
    body
}

#[tokio::test]
async fn a_lead_is_created_and_a_retry_gets_the_same_answer() {
    let endpoint = endpoint();
    let sent = body().to_string();
    let first = endpoint.handle(post(sent.clone())).await;
    assert_eq!(first.status(), StatusCode::CREATED);
    assert_eq!(first.headers()["content-type"], "application/json");
    assert_eq!(first.headers()["cache-control"], "no-store");
    assert!(!first.headers().contains_key("idempotency-replayed"));
    let answer = json(&first);
    assert_eq!(answer.as_object().unwrap().len(), 3);
    assert_eq!(answer["status"], "received");
    assert_eq!(uuid::Uuid::parse_str(answer["leadId"].as_str().unwrap()).unwrap().get_version_num(), 7);
    let timestamp = answer["timestamp"].as_str().unwrap();
    assert_eq!(timestamp.len(), "2026-11-22T10:30:45.123456Z".len());
    assert!(timestamp.ends_with('Z'));

    let retry = endpoint.handle(post(sent)).await;
    assert_eq!(retry.status(), StatusCode::CREATED);
    assert_eq!(retry.headers()["idempotency-replayed"], "true");
    assert_eq!(retry.body(), first.body());
}

#[tokio::test]
async fn a_quarantined_lead_gets_the_same_answer_as_any() {
    let endpoint = endpoint();
    let mut sent = body();
    sent["meta"]["suspicion"] = serde_json::json!(["honeypot"]);
    let answer = json(&endpoint.handle(post(sent.to_string())).await);
    assert_eq!(answer["status"], "received");
    assert!(!answer.to_string().contains("honeypot"));
}

#[tokio::test]
async fn meta_may_differ_in_a_retry_and_content_may_not() {
    let endpoint = endpoint();
    let sent = body();
    endpoint.handle(post(sent.to_string())).await;
    for (pointer, value) in [
        ("/meta/timestamp_utc", "2024-01-04T00:00:00Z"),
        ("/meta/ip_hash", "another"),
        ("/meta/user_agent_hash", "another"),
        ("/name", "  Jean Dupont "),
        ("/email", "jean@EXAMPLE.COM"),
    ] {
        let mut retry = sent.clone();
        *retry.pointer_mut(pointer).unwrap() = value.into();
        let answer = endpoint.handle(post(retry.to_string())).await;
        assert_eq!(answer.status(), StatusCode::CREATED, "{pointer}");
        assert_eq!(answer.headers()["idempotency-replayed"], "true");
    }
    let mut spelt = sent.clone();
    for message in ["un\r\ndeux\r\rtrois\r\nquatre", "un\ndeux\n\ntrois\nquatre"] {
        spelt["message"] = message.into();
        spelt["meta"]["request_id"] = "f47ac10b-58cc-4372-a567-0e02b2c3d480".into();
        assert_eq!(endpoint.handle(post(spelt.to_string())).await.status(), StatusCode::CREATED, "{message:?}");
    }
    for (pointer, value) in [
        ("/name", "Jeanne Dupont".into()),
        ("/email", "jeanne@example.com".into()),
        ("/phone", Value::Null),
        ("/company", "Other".into()),
        ("/service", "ponts".into()),
        ("/message", "Un tout autre message, plus long.".into()),
        ("/consent", false.into()),
    ] {
        let mut other = sent.clone();
        *other.pointer_mut(pointer).unwrap() = value;
        assert_problem(&endpoint.handle(post(other.to_string())).await, Problem::RequestIdConflict);
    }
}

#[tokio::test]
async fn the_method_is_checked_first() {
    for method in ["GET", "HEAD", "PUT", "PATCH", "DELETE", "OPTIONS", "BREW"] {
        let request = Request::builder().method(method).body(Empty::<Bytes>::new()).unwrap();
        let answer = endpoint().handle(request).await;
        assert_problem(&answer, Problem::MethodNotAllowed);
        assert_eq!(answer.headers()["allow"], "POST");
    }
}

#[tokio::test]
async fn the_token_is_checked_before_a_byte_of_the_body_is_read() {
    let reads = Arc::new(AtomicUsize::new(0));
    let request = |authorization: Option<&str>| {
        let mut request = Request::post("/inbound/leads").header("content-type", "application/json");
        if let Some(value) = authorization {
            request = request.header("authorization", value);
        }
        request.body(Watched(Arc::clone(&reads))).unwrap()
    };
    let none = endpoint().handle(request(None)).await;
    assert_problem(&none, Problem::Unauthorized);
    assert_eq!(none.headers()["www-authenticate"], r#"Bearer realm="fastcore""#);
    let wrong = endpoint().handle(request(Some("Bearer wrong-token-0123456789"))).await;
    assert_problem(&wrong, Problem::Unauthorized);
    assert_eq!(wrong.headers()["www-authenticate"], r#"Bearer realm="fastcore", error="invalid_token""#);
    let basic = endpoint().handle(request(Some("Basic abc"))).await;
    assert_eq!(basic.headers()["www-authenticate"], r#"Bearer realm="fastcore""#);
    assert_eq!(reads.load(Ordering::Relaxed), 0);
    assert_problem(&endpoint().handle(request(Some(&format!("Bearer {TOKEN}")))).await, Problem::MalformedBody);
    assert_eq!(reads.load(Ordering::Relaxed), 1);
}

#[tokio::test]
async fn the_type_is_checked_before_the_body() {
    let request = |types: &[&str], coding: Option<&str>| {
        let mut request = Request::post("/inbound/leads").header("authorization", format!("Bearer {TOKEN}"));
        for value in types {
            request = request.header("content-type", *value);
        }
        if let Some(coding) = coding {
            request = request.header("content-encoding", coding);
        }
        request.body(Full::new(Bytes::from(body().to_string()))).unwrap()
    };
    for accepted in ["application/json", "Application/JSON", "application/json; charset=utf-8", "application/json ;v=1"]
    {
        assert_eq!(endpoint().handle(request(&[accepted], None)).await.status(), StatusCode::CREATED, "{accepted}");
    }
    assert_eq!(endpoint().handle(request(&["application/json"], Some("identity"))).await.status(), StatusCode::CREATED);
    for refused in ["text/plain", "application/jsonp", "application/ld+json", "", "application/x-www-form-urlencoded"] {
        assert_problem(&endpoint().handle(request(&[refused], None)).await, Problem::UnsupportedMediaType);
    }
    assert_problem(&endpoint().handle(request(&[], None)).await, Problem::UnsupportedMediaType);
    let twice = ["application/json", "application/json"];
    assert_problem(&endpoint().handle(request(&twice, None)).await, Problem::UnsupportedMediaType);
    assert_problem(
        &endpoint().handle(request(&["application/json"], Some("gzip"))).await,
        Problem::UnsupportedMediaType,
    );
}

#[tokio::test]
async fn the_size_is_checked_while_streaming() {
    let limit = fastcore_leads::lead::limits::MAX_BODY_BYTES;
    let padded = |length: usize| {
        let body = body().to_string();
        format!("{body}{}", " ".repeat(length - body.len()))
    };
    assert_eq!(endpoint().handle(post(padded(limit))).await.status(), StatusCode::CREATED);
    assert_problem(&endpoint().handle(post(padded(limit + 1))).await, Problem::BodyTooLarge);
    for piece in [1, 7, 1000, 40_000] {
        let chunked = |text: String| post("").map(|_| Pieces { left: text.into(), piece });
        assert_eq!(endpoint().handle(chunked(padded(limit))).await.status(), StatusCode::CREATED);
        assert_problem(&endpoint().handle(chunked(padded(limit + 1))).await, Problem::BodyTooLarge);
    }
    let mut announced = post("{}");
    announced.headers_mut().insert("content-length", "32769".parse().unwrap());
    assert_problem(&endpoint().handle(announced).await, Problem::BodyTooLarge);
}

#[tokio::test]
async fn a_body_that_breaks_off_is_malformed_and_one_that_never_ends_is_late() {
    let broken = post("").map(|_| Broken);
    assert_problem(&endpoint().handle(broken).await, Problem::MalformedBody);
    let silent = post("").map(|_| Silent);
    assert_problem(&endpoint().body_timeout(Duration::from_millis(1)).handle(silent).await, Problem::RequestTimeout);
}

#[tokio::test]
async fn faults_are_listed_with_pointers_and_codes() {
    let mut sent = body();
    sent["email"] = "nobody".into();
    sent["message"] = "court".into();
    let answer = endpoint().handle(post(sent.to_string())).await;
    let problem = assert_problem(&answer, Problem::ValidationError);
    assert_eq!(problem["detail"], "2 members are not valid");
    assert_eq!(problem["errors"][0]["pointer"], "/email");
    assert_eq!(problem["errors"][0]["code"], "email_invalid");
    assert_eq!(problem["errors"][0]["detail"], "must be an email address");
    assert_eq!(problem["errors"][1]["pointer"], "/message");
    assert_eq!(problem["errors"][1]["code"], "too_short");
    assert_eq!(problem["errors"][1]["detail"], "must have at least 20 characters");
    let old = endpoint().validation_as_bad_request().handle(post(sent.to_string())).await;
    assert_eq!(old.status(), StatusCode::BAD_REQUEST);
    assert_eq!(json(&old)["error"], "validation_error");
    assert_eq!(json(&old)["status"], 400);
}

#[tokio::test]
async fn consent_can_be_required() {
    let mut sent = body();
    sent["consent"] = false.into();
    assert_eq!(endpoint().handle(post(sent.to_string())).await.status(), StatusCode::CREATED);
    let strict = endpoint().consent_policy(ConsentPolicy::Required);
    let problem = assert_problem(&strict.handle(post(sent.to_string())).await, Problem::ValidationError);
    assert_eq!(problem["errors"][0]["code"], "consent_required");
    assert_eq!(problem["detail"], "1 member is not valid");
}

#[tokio::test]
async fn a_token_can_be_bound_to_sources() {
    let token = Token::new(TOKEN).unwrap().for_sources(["other.example"]).acting_as(Actor::new("other").unwrap());
    let endpoint = Endpoint::new(Ingest::builder(MemoryLeadStore::new()).start(), TokenSet::new([token]).unwrap());
    assert_problem(&endpoint.handle(post(body().to_string())).await, Problem::SourceForbidden);
    let mut sent = body();
    sent["meta"]["source"] = "other.example".into();
    assert_eq!(endpoint.handle(post(sent.to_string())).await.status(), StatusCode::CREATED);
}

#[tokio::test]
async fn a_stores_outcomes_and_errors_become_answers() {
    let erased = endpoint_over(Always(|| Ok(Insertion::Erased)));
    assert_problem(&erased.handle(post(body().to_string())).await, Problem::LeadErased);
    let conflict = endpoint_over(Always(|| Ok(Insertion::Conflict)));
    assert_problem(&conflict.handle(post(body().to_string())).await, Problem::RequestIdConflict);
    for kind in [
        StoreErrorKind::Internal,
        StoreErrorKind::Rejected,
        StoreErrorKind::SchemaMismatch,
        StoreErrorKind::Misconfigured,
    ] {
        let endpoint = endpoint_over(Fails(kind));
        let answer = endpoint.handle(post(body().to_string())).await;
        let problem = assert_problem(&answer, Problem::Internal);
        assert_eq!(problem["detail"], Problem::Internal.detail());
    }
    for kind in [StoreErrorKind::Unavailable, StoreErrorKind::TimedOut, StoreErrorKind::OutcomeUnknown] {
        let answer = endpoint_over(Fails(kind)).retry_after_seconds(7).handle(post(body().to_string())).await;
        assert_problem(&answer, Problem::Unavailable);
        assert_eq!(answer.headers()["retry-after"], "7");
    }
    assert!(endpoint_over(Fails(StoreErrorKind::Unavailable)).ready().await.is_err());
    assert!(endpoint().ready().await.is_ok());
}

/// Each kind of refusal is in the log, with pointers and codes, and a flood of one of them does not fill it.
#[tokio::test]
async fn refusals_are_logged_with_pointers_and_codes_and_no_more_than_ten_a_minute() {
    let logs = Logs::global();
    let endpoint = endpoint();
    let mut sent = body();
    // In nobody else's request.
    sent["meta"]["suspicion"] = vec!["ok", "ok", "ok", "NOT ok", "ok", "ok", "CANARY!"].into();
    sent["email"] = "CANARY".into();
    for _ in 0..50 {
        endpoint.handle(post(sent.to_string())).await;
    }
    let lines = logs.lines();
    let ours: Vec<_> = lines.iter().filter(|line| line.contains("/meta/suspicion/6 suspicion_invalid")).collect();
    assert_eq!(ours.len(), 10);
    for line in ours {
        assert!(line.starts_with("WARN") && line.contains("validation_error"), "{line}");
        assert!(line.contains("/email email_invalid, /meta/suspicion/3 suspicion_invalid"), "{line}");
        assert!(!line.contains("CANARY"), "{line}");
    }
}

#[tokio::test]
async fn no_answer_echoes_a_value() {
    let mut sent = body();
    for member in ["name", "email", "phone", "company", "service", "message", "consent"] {
        sent[member] = format!("CANARY{}", "x".repeat(3000)).into();
    }
    for member in ["source", "request_id", "ip_hash", "user_agent_hash", "timestamp_utc", "consent", "suspicion"] {
        sent["meta"][member] = format!("CANARY {}", "x".repeat(300)).into();
    }
    let answer = endpoint().handle(post(sent.to_string())).await;
    assert_problem(&answer, Problem::ValidationError);
    let malformed = endpoint().handle(post(r#"{"name":"CANARY"#)).await;
    for answer in [answer, malformed] {
        assert!(!String::from_utf8_lossy(answer.body()).contains("CANARY"));
    }
}

#[test]
fn the_list_of_problems_is_the_contracts() {
    let table: Vec<_> = Problem::ALL.iter().map(|p| (p.status().as_u16(), p.as_str())).collect();
    assert_eq!(
        table,
        [
            (400, "malformed_body"),
            (401, "unauthorized"),
            (403, "scope_missing"),
            (403, "source_forbidden"),
            (405, "method_not_allowed"),
            (408, "request_timeout"),
            (409, "request_id_conflict"),
            (410, "lead_erased"),
            (413, "body_too_large"),
            (415, "unsupported_media_type"),
            (422, "validation_error"),
            (500, "internal"),
            (503, "unavailable"),
        ]
    );
}

#[test]
fn the_page_lists_every_problem_and_code() {
    let page = include_str!("../../docs/problems.md");
    macro_rules! assert_listed {
        ($list:ty) => {
            for problem in <$list>::ALL {
                let (status, word) = (problem.status().as_u16(), problem.as_str());
                let row = format!("| {status} | `{word}` | {} | {} |", problem.title(), problem.detail());
                assert!(page.contains(&row), "{row}");
            }
        };
    }
    assert_listed!(Problem);
    assert_listed!(AuditProblem);
    assert_listed!(EventsProblem);
    assert_listed!(InboxProblem);
    for code in fastcore_leads::lead::ViolationCode::ALL {
        let row = format!("| `{code}` | {} |", code.rule());
        assert!(page.contains(&row), "{row}");
    }
    let rows = page.lines().filter(|line| line.starts_with("| ") && line.contains('`')).count();
    let problems = Problem::ALL.len() + AuditProblem::ALL.len() + EventsProblem::ALL.len() + InboxProblem::ALL.len();
    assert_eq!(rows, problems + fastcore_leads::lead::ViolationCode::ALL.len() + 4, "and the heads of four tables");
}

struct Always<F>(F);

#[async_trait]
impl<F: Fn() -> Result<Insertion, StoreError> + Send + Sync> LeadStore for Always<F> {
    async fn insert(&self, batch: &[NewLead]) -> Result<Vec<Insertion>, StoreError> {
        batch.iter().map(|_| (self.0)()).collect()
    }

    async fn ready(&self) -> Result<(), StoreError> {
        (self.0)().map(|_| ())
    }
}

struct Fails(StoreErrorKind);

#[async_trait]
impl LeadStore for Fails {
    async fn insert(&self, _: &[NewLead]) -> Result<Vec<Insertion>, StoreError> {
        Err(StoreError::new(self.0).with_driver_error("CANARY"))
    }

    async fn ready(&self) -> Result<(), StoreError> {
        Err(StoreError::new(self.0))
    }
}

#[tokio::test]
async fn the_sample_is_a_lead() {
    let answer = endpoint().handle(post(fastcore_leads::SAMPLE_LEAD)).await;
    assert_eq!(answer.status(), StatusCode::CREATED);
    assert_eq!(testing::lead().name(), "Jean Dupont");
}
