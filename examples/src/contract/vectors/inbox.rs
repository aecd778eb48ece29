//! Conformance vectors of the inbox: requests with the verdict that every implementation of it must reach.

use fastcore_leads::lead::limits;
use serde_json::{Value, json};

use super::Body;

/// One request and its verdict.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InboxVector {
    /// What it shows; no two have the same.
    pub name: String,
    /// The method.
    pub method: &'static str,
    /// The path; `{id}` stands for a lead that was received, and is nobody's yet.
    pub path: &'static str,
    /// The query, without its `?`.
    pub query: &'static str,
    /// The schema of the body in the OpenAPI document; none where there is no body.
    pub schema: Option<&'static str>,
    /// The body; none where nothing is sent.
    pub body: Option<Body>,
    /// What must come of it.
    pub verdict: InboxVerdict,
}

/// What must come of a request to the inbox.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum InboxVerdict {
    /// 200 or 204.
    Accepted,
    /// 400 `invalid_query`.
    InvalidQuery,
    /// 400 `malformed_body`.
    Malformed,
    /// 413 `body_too_large`.
    TooLarge,
    /// 422 `validation_error`.
    Invalid,
}

impl InboxVerdict {
    /// The name, as published: the problem's, if it is one.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Accepted => "accepted",
            Self::InvalidQuery => "invalid_query",
            Self::Malformed => "malformed_body",
            Self::TooLarge => "body_too_large",
            Self::Invalid => "validation_error",
        }
    }
}

impl InboxVector {
    /// One line of the published file.
    pub fn to_json(&self) -> Value {
        let mut line = json!({"name": self.name, "method": self.method, "path": self.path});
        if !self.query.is_empty() {
            line["query"] = self.query.into();
        }
        match &self.body {
            Some(Body::Json(value)) => line["body"] = value.clone(),
            Some(Body::Bytes(bytes)) => line["body_text"] = String::from_utf8_lossy(bytes).into(),
            None => {}
        }
        line["verdict"] = self.verdict.as_str().into();
        line
    }
}

const MOVE: Operation = Operation("POST", "/inbound/leads/{id}/status", "Move");
const SEARCH: Operation = Operation("POST", "/inbound/leads/search", "Search");
const NOTE: Operation = Operation("POST", "/inbound/leads/{id}/notes", "Note");
const ASSIGN: Operation = Operation("POST", "/inbound/leads/{id}/assignee", "Assignment");
const WITHDRAW: Operation = Operation("POST", "/inbound/leads/{id}/consent-withdrawal", "Reason");
const ERASE: Operation = Operation("DELETE", "/inbound/leads/{id}", "Reason");
const EXPORT: Operation = Operation("POST", "/inbound/subjects/export", "Person");
const ERASE_SUBJECT: Operation = Operation("POST", "/inbound/subjects/erase", "Erasure");

/// Method, path, and the schema of the body.
#[derive(Clone, Copy)]
struct Operation(&'static str, &'static str, &'static str);

/// Every vector of the inbox.
pub fn inbox() -> Vec<InboxVector> {
    let mut suite = Suite::default();
    moves(&mut suite);
    searches(&mut suite);
    notes(&mut suite);
    assignments(&mut suite);
    people(&mut suite);
    for operation in [WITHDRAW, ERASE] {
        suite.push(operation, "without a body", None, InboxVerdict::Accepted);
        suite.accepts(operation, "without a reason", json!({}));
        suite.accepts(operation, "a reason that is null", json!({"reason": null}));
        suite.accepts(operation, "a reason", json!({"reason": "par téléphone"}));
        suite.refuses(operation, "an unknown member", json!({"why": "x"}));
        suite.malformed(operation, "a list", "[]");
    }
    queries(&mut suite);
    suite.0
}

fn moves(suite: &mut Suite) {
    let with = |reason: Value| json!({"from": "received", "to": "processing", "reason": reason});
    suite.accepts(MOVE, "without a reason", json!({"from": "received", "to": "processing"}));
    suite.accepts(MOVE, "a reason that is null", with(Value::Null));
    suite.accepts(MOVE, "a reason of 200 characters", with("é".repeat(limits::REASON.max).into()));
    suite.refuses(MOVE, "a reason of 201 characters", with("é".repeat(limits::REASON.max + 1).into()));
    suite.refuses(MOVE, "an empty reason", with("".into()));
    suite.refuses(MOVE, "a reason of white space", with("  ".into()));
    suite.refuses(MOVE, "a reason with an address", with("a@example.com a écrit".into()));
    suite.refuses(MOVE, "a reason of two lines", with("a\nb".into()));
    suite.refuses(MOVE, "a reason that is a number", with(1.into()));
    suite.refuses(MOVE, "without from", json!({"to": "processing"}));
    suite.refuses(MOVE, "without to", json!({"from": "received"}));
    suite.refuses(MOVE, "an unknown status", json!({"from": "received", "to": "lost"}));
    suite.refuses(MOVE, "a status in capitals", json!({"from": "RECEIVED", "to": "processing"}));
    suite.refuses(MOVE, "an unknown member", json!({"from": "received", "to": "processing", "by": "me"}));
    suite.push(MOVE, "without a body", None, InboxVerdict::Malformed);
    suite.malformed(MOVE, "a list of its members' values", r#"["received","processing"]"#);
    suite.malformed(MOVE, "a member twice", r#"{"from":"received","to":"processing","to":"archived"}"#);
    suite.malformed(MOVE, "cut short", r#"{"from":"received","to"#);
    suite.malformed(MOVE, "null", "null");
    let large = with("x".repeat(limits::MAX_BODY_BYTES).into());
    suite.push(MOVE, "more than 32 KiB", Some(Body::Json(large)), InboxVerdict::TooLarge);
}

fn searches(suite: &mut Suite) {
    let with = |member: &str, value: Value| json!({"text": "jean", member: value});
    suite.accepts(SEARCH, "a word", json!({"text": "jean"}));
    suite.accepts(SEARCH, "200 characters", json!({"text": "é".repeat(limits::SEARCH.max)}));
    suite.accepts(SEARCH, "an id", json!({"text": "019ab8d1-3c55-7c1e-9d5e-3f2b1a0c4d6e"}));
    suite.accepts(SEARCH, "an address and a telephone number", json!({"text": "jean@example.com +33 6 12 34 56 78"}));
    suite.accepts(SEARCH, "statuses", with("status", json!(["received", "quarantined"])));
    suite.accepts(SEARCH, "a service", with("service", "ponts".into()));
    suite.accepts(SEARCH, "sources", with("source", json!(["a.example", "b.example"])));
    suite.accepts(SEARCH, "days", json!({"text": "jean", "from": "2026-01-01", "to": "2026-01-31T12:00:00Z"}));
    suite.accepts(SEARCH, "a place", with("after", "4711".into()));
    suite.accepts(SEARCH, "a limit", with("limit", 1000.into()));
    suite.accepts(SEARCH, "a limit that is written as 50.0", with("limit", 50.0.into()));
    suite.refuses(SEARCH, "a limit of one and a half", with("limit", 1.5.into()));
    suite.accepts(SEARCH, "masked", with("reveal", false.into()));
    suite.accepts(SEARCH, "a service that is null", with("service", Value::Null));
    suite.refuses(SEARCH, "201 characters", json!({"text": "é".repeat(limits::SEARCH.max + 1)}));
    suite.refuses(SEARCH, "no letter and no digit", json!({"text": " .,!"}));
    suite.refuses(SEARCH, "empty", json!({"text": ""}));
    suite.refuses(SEARCH, "without a text", json!({}));
    suite.refuses(SEARCH, "a limit of 0", with("limit", 0.into()));
    suite.refuses(SEARCH, "a limit of 1,001", with("limit", 1001.into()));
    suite.refuses(SEARCH, "an unknown status", with("status", json!(["lost"])));
    suite.refuses(SEARCH, "a status that is no list", with("status", "received".into()));
    suite.refuses(SEARCH, "an unknown service", with("service", "boats".into()));
    suite.refuses(SEARCH, "a source with a control character", with("source", json!(["a\u{0}"])));
    suite.refuses(SEARCH, "a place that is none", with("after", "x".into()));
    suite.refuses(SEARCH, "an unknown member", with("q", "jean".into()));
    suite.malformed(SEARCH, "a member twice", r#"{"text":"jean","text":"marie"}"#);
}

fn notes(suite: &mut Suite) {
    let with = |text: &str| json!({ "text": text });
    suite.accepts(NOTE, "one character", with("a"));
    suite.accepts(NOTE, "two lines and a tab", with("Jean Dupont\n\trappelle"));
    suite.accepts(NOTE, "an address", with("jean@example.com"));
    suite.accepts(NOTE, "1,000 characters", with(&"é".repeat(limits::NOTE.max)));
    suite.refuses(NOTE, "1,001 characters", with(&"é".repeat(limits::NOTE.max + 1)));
    suite.refuses(NOTE, "empty", with(""));
    suite.refuses(NOTE, "white space", with(" \n\t"));
    suite.refuses(NOTE, "a control character", with("a\u{7}b"));
    suite.refuses(NOTE, "null", json!({"text": null}));
    suite.refuses(NOTE, "without a text", json!({}));
    suite.refuses(NOTE, "an unknown member", json!({"text": "a", "by": "me"}));
}

fn assignments(suite: &mut Suite) {
    let to = |name: Value| json!({"from": null, "to": name});
    suite.accepts(ASSIGN, "to somebody", to("marie".into()));
    suite.accepts(ASSIGN, "to nobody", to(Value::Null));
    suite.accepts(ASSIGN, "a name of 50 characters", to("é".repeat(limits::ACTOR.max).into()));
    suite.accepts(ASSIGN, "a reason", json!({"from": null, "to": "marie", "reason": "en congé"}));
    suite.refuses(ASSIGN, "a name of 51 characters", to("é".repeat(limits::ACTOR.max + 1).into()));
    suite.refuses(ASSIGN, "an empty name", to("".into()));
    suite.refuses(ASSIGN, "a name with a control character", to("a\u{7}".into()));
    suite.refuses(ASSIGN, "without from", json!({"to": "marie"}));
    suite.refuses(ASSIGN, "without to", json!({"from": null}));
}

fn people(suite: &mut Suite) {
    let longest = format!("{}@example.com", "a".repeat(limits::MAX_EMAIL_BYTES - "@example.com".len()));
    for operation in [EXPORT, ERASE_SUBJECT] {
        suite.accepts(operation, "an address", json!({"email": "jean@example.com"}));
        suite.accepts(operation, "the longest address", json!({ "email": longest }));
        suite.refuses(operation, "a longer one", json!({"email": format!("a{longest}")}));
        suite.refuses(operation, "no address", json!({"email": "jean"}));
        suite.refuses(operation, "a control character", json!({"email": "jean\u{0}@example.com"}));
        suite.refuses(operation, "a list", json!({"email": ["jean@example.com"]}));
        suite.refuses(operation, "without an address", json!({}));
    }
    suite.refuses(EXPORT, "a reason", json!({"email": "jean@example.com", "reason": "asked"}));
    suite.accepts(ERASE_SUBJECT, "a reason", json!({"email": "jean@example.com", "reason": "asked"}));
}

fn queries(suite: &mut Suite) {
    let (list, counts) = ("/inbound/leads", "/inbound/leads/counts");
    for query in [
        "limit=1",
        "limit=1000",
        "status=received&status=archived",
        "service=ponts&source=a.example&source=b.example",
        "from=2026-01-01&to=2026-01-31T12:00:00%2B01:00",
        "after=1764000000000000_019ab8d13c557c1e9d5e3f2b1a0c4d6e",
        "reveal=false",
    ] {
        suite.query(list, query, InboxVerdict::Accepted);
    }
    for query in [
        "limit=0",
        "limit=1001",
        "limit=%2B5",
        "limit=1&limit=1",
        "status=lost",
        "service=",
        "from=soon",
        "from=2026-1-1",
        "from=2026-02-30",
        "after=x",
        "reveal=1",
        "q=jean",
        "source=%00",
        "source=%FF",
    ] {
        suite.query(list, query, InboxVerdict::InvalidQuery);
    }
    suite.query(counts, "from=2026-01-01&to=2026-12-31", InboxVerdict::Accepted);
    suite.query(counts, "from=2026-01-01&to=2025-12-31", InboxVerdict::InvalidQuery);
    suite.query(counts, "from=2024-01-01&to=2026-01-01", InboxVerdict::InvalidQuery);
    suite.query(counts, "limit=5", InboxVerdict::InvalidQuery);
    suite.query("/inbound/leads/contact-times", "service=ponts", InboxVerdict::Accepted);
    suite.query("/inbound/leads/contact-times", "status=received", InboxVerdict::InvalidQuery);
    suite.query("/inbound/leads.csv", "status=received", InboxVerdict::Accepted);
    suite.query("/inbound/leads.csv", "limit=5", InboxVerdict::InvalidQuery);
    suite.query("/inbound/leads/{id}", "reveal=false", InboxVerdict::Accepted);
    suite.query("/inbound/leads/{id}", "status=received", InboxVerdict::InvalidQuery);
}

#[derive(Default)]
struct Suite(Vec<InboxVector>);

impl Suite {
    fn accepts(&mut self, operation: Operation, what: &str, body: Value) {
        self.push(operation, what, Some(Body::Json(body)), InboxVerdict::Accepted);
    }

    fn refuses(&mut self, operation: Operation, what: &str, body: Value) {
        self.push(operation, what, Some(Body::Json(body)), InboxVerdict::Invalid);
    }

    fn malformed(&mut self, operation: Operation, what: &str, text: &str) {
        self.push(operation, what, Some(Body::Bytes(text.into())), InboxVerdict::Malformed);
    }

    fn push(&mut self, operation: Operation, what: &str, body: Option<Body>, verdict: InboxVerdict) {
        let Operation(method, path, schema) = operation;
        let (name, schema) = (format!("{method} {path} {what}"), Some(schema));
        self.0.push(InboxVector { name, method, path, query: "", schema, body, verdict });
    }

    fn query(&mut self, path: &'static str, query: &'static str, verdict: InboxVerdict) {
        let (name, method) = (format!("GET {path}?{query}"), "GET");
        self.0.push(InboxVector { name, method, path, query, schema: None, body: None, verdict });
    }
}
