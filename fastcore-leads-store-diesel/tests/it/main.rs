//! The store against real databases.

#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs, reason = "tests")]

#[cfg(feature = "postgres")]
mod postgres;
#[cfg(feature = "sqlite")]
mod sqlite;
