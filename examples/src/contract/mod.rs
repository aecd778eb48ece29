//! The wire contract, published: a JSON Schema, OpenAPI documents, and conformance vectors.
//!
//! All of them are made here, from the limits that the parser uses, and kept in the repository's folder `contract`; a test
//! finds them changed, `cargo run --bin contract` writes them anew.

mod openapi;
mod schema;
mod vectors;

use std::path::PathBuf;

use serde_json::Value;

pub use self::{
    openapi::{document as openapi, inbox as inbox_openapi},
    vectors::{Body, InboxVector, InboxVerdict, Policy, Vector, Verdict, all as vectors, inbox as inbox_vectors},
};

/// A published file: its name in the folder `contract`, and what it holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct File {
    /// Its name.
    pub name: &'static str,
    /// Its whole text.
    pub text: String,
}

/// The folder `contract` of this repository.
pub fn folder() -> PathBuf {
    [env!("CARGO_MANIFEST_DIR"), "..", "fastcore-leads", "contract"].iter().collect()
}

/// Everything that is published, made anew.
pub fn files() -> Vec<File> {
    let lines = vectors().iter().map(|vector| format!("{}\n", vector.to_json())).collect();
    let inbox_lines = inbox_vectors().iter().map(|vector| format!("{}\n", vector.to_json())).collect();
    vec![
        File { name: "lead.schema.json", text: pretty(&lead_schema()) },
        File { name: "openapi.json", text: pretty(&openapi()) },
        File { name: "inbox.openapi.json", text: pretty(&inbox_openapi("/staff")) },
        File { name: "vectors.jsonl", text: lines },
        File { name: "inbox.vectors.jsonl", text: inbox_lines },
    ]
}

/// The JSON Schema (draft 2020-12) of a request body.
///
/// It accepts whatever the parser accepts; [`Vector::is_beyond_schema`] tells what it cannot say.
pub fn lead_schema() -> Value {
    let mut schema = serde_json::json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": "https://fast-techservices.com/schemas/lead.schema.json",
    });
    if let (Value::Object(head), Value::Object(lead)) = (&mut schema, schema::document()) {
        head.extend(lead);
    }
    schema
}

fn pretty(value: &Value) -> String {
    format!("{value:#}\n")
}
