//! Conformance vectors: bodies with the verdict that every implementation of the contract must reach.
//!
//! The verdicts stand here by hand, not by asking the parser; tests hold parser, schema and endpoint to them.

mod inbox;
mod meta;
mod shapes;
mod suite;
mod texts;
mod values;

use fastcore_leads::lead::ViolationCode;
use serde_json::{Value, json};

pub use self::inbox::{InboxVector, InboxVerdict, inbox};
use self::suite::Suite;
use crate::hexadecimal;

/// One body and its verdict.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Vector {
    /// What it shows; no two have the same.
    pub name: String,
    /// What is sent.
    pub body: Body,
    /// What the service is set to.
    pub policy: Policy,
    /// What must come of it.
    pub verdict: Verdict,
    /// True where the body is refused for a reason that the JSON Schema cannot say: the schema accepts it.
    pub is_beyond_schema: bool,
}

/// What is sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Body {
    /// A JSON value.
    Json(Value),
    /// Bytes that JSON text cannot hold, or that JSON does not tell apart.
    Bytes(Vec<u8>),
}

/// What the service makes of `consent: false`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Policy {
    /// It is recorded: the default.
    ConsentRecorded,
    /// It is refused.
    ConsentRequired,
}

/// What must come of a body.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// 201.
    Accepted,
    /// 400 `malformed_body`.
    Malformed,
    /// 413 `body_too_large`.
    TooLarge,
    /// 422 `validation_error`, with these pointers and codes in this order.
    Invalid(Vec<(String, ViolationCode)>),
}

impl Vector {
    /// The body as it goes over the wire.
    pub fn bytes(&self) -> Vec<u8> {
        match &self.body {
            Body::Json(value) => value.to_string().into_bytes(),
            Body::Bytes(bytes) => bytes.clone(),
        }
    }

    /// One line of the published file. Bytes that are no UTF-8 are in hexadecimal.
    pub fn to_json(&self) -> Value {
        let mut line = json!({ "name": self.name });
        match &self.body {
            Body::Json(value) => line["body"] = value.clone(),
            Body::Bytes(bytes) => match std::str::from_utf8(bytes) {
                Ok(text) => line["body_text"] = text.into(),
                Err(_) => line["body_hex"] = hexadecimal(bytes).into(),
            },
        }
        if self.policy == Policy::ConsentRequired {
            line["policy"] = "consent_required".into();
        }
        line["verdict"] = match &self.verdict {
            Verdict::Accepted => "accepted",
            Verdict::Malformed => "malformed_body",
            Verdict::TooLarge => "body_too_large",
            Verdict::Invalid(_) => "validation_error",
        }
        .into();
        if let Verdict::Invalid(violations) = &self.verdict {
            let errors = violations.iter().map(|(pointer, code)| json!({"pointer": pointer, "code": code.as_str()}));
            line["errors"] = errors.collect();
        }
        if self.is_beyond_schema {
            line["beyond_schema"] = true.into();
        }
        line
    }
}

/// Every vector.
pub fn all() -> Vec<Vector> {
    let mut suite = Suite::new();
    shapes::add(&mut suite);
    texts::add(&mut suite);
    values::add(&mut suite);
    meta::add(&mut suite);
    suite.vectors
}
