//! A lead: what a visitor sent, parsed.
//!
//! [`Lead`] can only be made by its parser, so whoever holds one need not check it again.

mod body;
mod draft;
mod email;
pub mod limits;
pub(crate) mod parse;
mod raw;
mod values;
mod violation;

use std::fmt;

use chrono::{DateTime, Utc};

pub use self::{
    draft::{ConsentProofDraft, LeadDraft},
    email::{EmailAddress, InvalidEmail},
    parse::{ConsentPolicy, ParseError},
    values::{InvalidId, LeadId, LeadStatus, RequestId, Service, UnknownService, UnknownStatus},
    violation::{Violation, ViolationCode},
};

/// A lead as a visitor sent it, valid by construction.
///
/// Made by [`Lead::parse`] from a request body or by [`LeadDraft::parse`] from Rust values. Text is trimmed. `Debug`
/// shows nothing about the person but the masked address.
#[derive(Clone, PartialEq, Eq)]
pub struct Lead {
    name: String,
    email: EmailAddress,
    phone: Option<String>,
    company: Option<String>,
    service: Option<Service>,
    message: String,
    consent: bool,
    meta: LeadMeta,
}

impl Lead {
    /// The visitor's name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The visitor's email address.
    pub fn email(&self) -> &EmailAddress {
        &self.email
    }

    /// The visitor's telephone number, as written.
    pub fn phone(&self) -> Option<&str> {
        self.phone.as_deref()
    }

    /// The visitor's company.
    pub fn company(&self) -> Option<&str> {
        self.company.as_deref()
    }

    /// What the enquiry is about.
    pub fn service(&self) -> Option<Service> {
        self.service
    }

    /// The enquiry, with its line breaks as sent.
    pub fn message(&self) -> &str {
        &self.message
    }

    /// Whether the visitor agreed to be contacted.
    pub fn consent(&self) -> bool {
        self.consent
    }

    /// What the sender says about the lead.
    pub fn meta(&self) -> &LeadMeta {
        &self.meta
    }

    /// The status that the lead is stored with: quarantined where the sender saw something suspicious.
    pub fn initial_status(&self) -> LeadStatus {
        if self.meta.suspicion.is_empty() { LeadStatus::Received } else { LeadStatus::Quarantined }
    }

    /// About how many bytes of memory the lead takes; the ingest queue is bounded by it.
    pub fn size_in_memory(&self) -> usize {
        let optional = |text: &Option<String>| text.as_ref().map_or(0, String::len);
        size_of::<Self>()
            + self.name.len()
            + self.email.as_str().len()
            + optional(&self.phone)
            + optional(&self.company)
            + self.message.len()
            + self.meta.source.len()
            + self.meta.ip_hash.len()
            + optional(&self.meta.user_agent_hash)
            + self
                .meta
                .consent
                .as_ref()
                .map_or(0, |proof| proof.version().len() + proof.locale().len() + proof.given_at().len())
            + self.meta.suspicion.iter().map(|code| size_of::<String>() + code.len()).sum::<usize>()
    }
}

impl fmt::Debug for Lead {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Lead")
            .field("request_id", &self.meta.request_id)
            .field("email", &self.email)
            .field("service", &self.service)
            .field("source", &self.meta.source)
            .finish_non_exhaustive()
    }
}

/// What the sender of a lead says about it.
#[derive(Clone, PartialEq, Eq)]
pub struct LeadMeta {
    source: String,
    request_id: RequestId,
    ip_hash: String,
    user_agent_hash: Option<String>,
    timestamp_utc: DateTime<Utc>,
    consent: Option<ConsentProof>,
    suspicion: Vec<String>,
}

impl LeadMeta {
    /// The site that the lead comes from, such as `fast-techservices.com`.
    pub fn source(&self) -> &str {
        &self.source
    }

    /// The key that makes retries safe.
    pub fn request_id(&self) -> RequestId {
        self.request_id
    }

    /// The hash of the visitor's address.
    pub fn ip_hash(&self) -> &str {
        &self.ip_hash
    }

    /// The hash of the visitor's user agent.
    pub fn user_agent_hash(&self) -> Option<&str> {
        self.user_agent_hash.as_deref()
    }

    /// When the sender sent the lead, in microseconds.
    pub fn timestamp_utc(&self) -> DateTime<Utc> {
        self.timestamp_utc
    }

    /// Which text the visitor agreed to, and when.
    pub fn consent(&self) -> Option<&ConsentProof> {
        self.consent.as_ref()
    }

    /// What the sender found suspicious, such as `honeypot`; empty for most leads.
    pub fn suspicion(&self) -> &[String] {
        &self.suspicion
    }
}

impl fmt::Debug for LeadMeta {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LeadMeta")
            .field("source", &self.source)
            .field("request_id", &self.request_id)
            .finish_non_exhaustive()
    }
}

/// The text that a visitor agreed to, as the sender names it.
#[derive(Clone, PartialEq, Eq)]
pub struct ConsentProof {
    version: String,
    locale: String,
    given_at: String,
}

impl ConsentProof {
    /// The version of the text.
    pub fn version(&self) -> &str {
        &self.version
    }

    /// The text's language, a BCP 47 tag as sent.
    pub fn locale(&self) -> &str {
        &self.locale
    }

    /// When it was agreed to: RFC 3339 as sent.
    pub fn given_at(&self) -> &str {
        &self.given_at
    }
}

impl fmt::Debug for ConsentProof {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ConsentProof").finish_non_exhaustive()
    }
}
