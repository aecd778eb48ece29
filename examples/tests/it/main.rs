//! The programs as their users run them: real processes, real databases, real connections.

#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs, reason = "tests")]

mod adapters;
mod alarms;
mod balanced;
mod cluster;
mod contract;
mod crash;
mod drivers;
mod feed;
mod forward;
mod golden;
mod http2;
mod inbox;
mod kills;
mod leadctl;
mod load;
mod mounts;
mod newcomer;
mod operation;
mod outage;
mod pairs;
mod pasted;
mod pooled;
mod privacy;
mod proxied;
mod pseudonyms;
mod roles;
mod running;
mod sealed;
mod service;
mod site;
mod spool;
mod staff;
mod stores;
mod telemetry;
mod telling;
mod told_kills;
mod visitor;
