//! The core through its public interface.

#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs, reason = "tests")]

mod api;
mod audit;
mod bodies;
mod client;
mod conformance;
mod email;
mod endpoint;
mod fields;
mod ingest;
mod many;
mod meta;
mod metrics;
mod outbox;
mod proof;
mod properties;
mod pseudonyms;
mod schedules;
mod scripted;
mod tables;
mod teeth;
mod tokens;
mod turns;
