#![doc = include_str!("../README.md")]
#![cfg_attr(docsrs, feature(doc_cfg))]

pub mod audit;
#[cfg(any(feature = "outbox", feature = "proof"))]
mod burst;
#[cfg(feature = "client")]
#[cfg_attr(docsrs, doc(cfg(feature = "client")))]
pub mod client;
pub mod contract;
pub mod endpoint;
pub mod inbox;
mod ingest;
mod jitter;
pub mod lead;
mod mask;
#[cfg(feature = "metrics")]
#[cfg_attr(docsrs, doc(cfg(feature = "metrics")))]
pub mod metrics;
pub mod outbox;
mod pace;
#[cfg(feature = "client")]
mod private;
pub mod proof;
#[cfg(feature = "client")]
#[cfg_attr(docsrs, doc(cfg(feature = "client")))]
pub mod pseudonym;
pub mod sql;
mod store;
#[cfg(feature = "testing")]
#[cfg_attr(docsrs, doc(cfg(feature = "testing")))]
pub mod testing;
mod text;
mod time;
pub mod token;
pub mod transport;

/// The versions that this crate's types are of.
pub use {bytes, chrono, http, http_body, serde_json, uuid};

#[doc(hidden)]
pub use async_trait::async_trait as __async_trait;

#[cfg(feature = "proof")]
#[cfg_attr(docsrs, doc(cfg(feature = "proof")))]
pub use self::endpoint::{AuditEndpoint, AuditProblem};
pub use self::{
    audit::{Actor, AuditRecord},
    endpoint::{
        Endpoint, EventsEndpoint, EventsProblem, INBOUND_EVENTS_PATH, INBOUND_LEADS_PATH, InboxEndpoint, InboxProblem,
        Problem,
    },
    inbox::{LeadFilter, LeadPage},
    ingest::{Commits, Ingest, IngestBuilder, IngestError, Ingested},
    lead::{ConsentPolicy, EmailAddress, Lead, LeadDraft, LeadId, LeadStatus, ParseError, RequestId, Service},
    mask::mask_email,
    store::{
        Insertion, LeadDatabase, LeadInbox, LeadLog, LeadMigrations, LeadOutbox, LeadStore, MemoryLeadStore, NewLead,
        Receipt, StoreError, StoreErrorKind, StoredLead, settle, unsettled,
    },
    token::{Scope, Token, TokenSet},
    transport::Transport,
};

/// A valid request body, to try things with.
pub const SAMPLE_LEAD: &str = include_str!("sample-lead.json");
