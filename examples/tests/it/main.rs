//! The programs as their users run them: real processes, real databases, real connections.

#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs, reason = "tests")]

mod newcomer;
mod operation;
mod privacy;
mod service;
