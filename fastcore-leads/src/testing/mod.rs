//! What tests of stores, adapters and services need: valid leads to vary, and a throw-away PostgreSQL.
//!
//! For tests only: the helpers panic where something is not as a test needs it.

#![allow(clippy::expect_used, clippy::unwrap_used, clippy::missing_panics_doc, reason = "helpers of tests")]

pub mod cluster;
pub mod databases;
pub mod http;
pub mod inbox;
pub mod log;
mod logs;
pub mod outbox;
pub mod pairs;
pub mod postgres;
pub mod proxy;
mod random;
mod sqlite;
pub mod stores;

use std::pin::Pin;

use ::http::Request;
use bytes::Bytes;
use http_body_util::Full;
use serde_json::Value;
use uuid::Uuid;

pub use self::{logs::Logs, random::Random, sqlite::TempDir};
use crate::{
    audit::Actor,
    lead::{ConsentPolicy, Lead},
    store::NewLead,
};

/// A future on the heap, as function pointers answer it.
pub type BoxFuture<T> = Pin<Box<dyn Future<Output = T> + Send>>;

/// A token that is long enough.
pub const TOKEN: &str = "a-token-for-tests-0123456789";

/// A transport behind which nobody answers.
#[derive(Clone, Copy, Debug)]
pub struct Nobody;

#[async_trait::async_trait]
impl crate::Transport for Nobody {
    async fn send(&self, _: Request<Bytes>) -> Result<::http::Response<Bytes>, crate::transport::Unreachable> {
        Err(crate::transport::Unreachable::new("nobody is there"))
    }
}

/// A valid request body under a fresh request id, to be varied.
pub fn body() -> Value {
    let mut body: Value = serde_json::from_str(crate::SAMPLE_LEAD).expect("the sample is JSON");
    body["meta"]["request_id"] = Uuid::now_v7().to_string().into();
    body
}

/// Parses a body that is valid.
pub fn parse(body: &Value) -> Lead {
    Lead::parse(body.to_string().as_bytes(), ConsentPolicy::Recorded).expect("the body is a lead")
}

/// A valid lead under a fresh request id.
pub fn lead() -> Lead {
    parse(&body())
}

/// A valid lead on its way into a store.
pub fn new_lead() -> NewLead {
    NewLead::new(lead(), Actor::SITE_INGEST)
}

/// A request as the site sends it.
pub fn post(body: impl Into<Bytes>) -> Request<Full<Bytes>> {
    Request::post(crate::INBOUND_LEADS_PATH)
        .header("content-type", "application/json")
        .header("authorization", format!("Bearer {TOKEN}"))
        .body(Full::new(body.into()))
        .expect("the request is well-formed")
}

/// Asks the running test program for its list of tests: each case of a suite must be in it, in this module.
pub fn assert_listed(module: &str, cases: &[&str]) {
    let program = std::env::current_exe().expect("a test program");
    let output = std::process::Command::new(program).arg("--list").output().expect("it runs");
    let list = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(!cases.is_empty());
    for case in cases {
        let line = format!("{module}::{case}: test");
        assert!(list.lines().any(|listed| listed == line), "{line} is missing");
    }
}
