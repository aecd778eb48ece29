//! The wire contract as text, for a service that publishes it and for programs in other languages. The files are versioned with
//! this crate, and made from the limits that its parser uses.

/// JSON Schema (draft 2020-12) of a request's body.
pub const LEAD_SCHEMA: &str = include_str!("../contract/lead.schema.json");
/// OpenAPI 3.1 document of the endpoints for senders and for those who hear of leads.
pub const OPENAPI: &str = include_str!("../contract/openapi.json");
/// OpenAPI 3.1 document of the inbox, as mounted under `/staff`.
pub const INBOX_OPENAPI: &str = include_str!("../contract/inbox.openapi.json");
/// Conformance vectors: bodies with their verdict, one JSON object a line.
pub const VECTORS: &str = include_str!("../contract/vectors.jsonl");
/// Conformance vectors of the inbox: requests with their verdict, one JSON object a line.
pub const INBOX_VECTORS: &str = include_str!("../contract/inbox.vectors.jsonl");
