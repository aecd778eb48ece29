use std::fmt;

use serde::Serialize;
use serde_json::Value;

use crate::{audit::AuditRecord, store::StoredLead, time};

/// All that is held on an email address, for the person who asks for it (GDPR, articles 15 and 20): serialise it as JSON.
#[derive(Clone, Serialize)]
pub struct Export {
    /// The address that was asked for.
    pub email: String,
    /// When it was put together, RFC 3339.
    pub exported_at_utc: String,
    /// The leads, newest first.
    pub leads: Vec<ExportedLead>,
}

/// A lead and what happened to it, columns as they are stored.
#[derive(Clone, Serialize)]
#[allow(missing_docs, reason = "each field is the column of the same name")]
pub struct ExportedLead {
    pub id: String,
    pub created_at_utc: String,
    pub name: String,
    pub email: String,
    pub phone: Option<String>,
    pub company: Option<String>,
    pub service: Option<String>,
    pub message: String,
    pub consent: bool,
    pub source: String,
    pub request_id: String,
    pub ip_hash: String,
    pub meta_json: Option<Value>,
    pub status: String,
    /// What happened to it, oldest first.
    pub audit: Vec<ExportedEvent>,
}

/// A row of the audit log.
#[derive(Clone, Serialize)]
#[allow(missing_docs, reason = "each field is the column of the same name")]
pub struct ExportedEvent {
    pub created_at_utc: String,
    pub event: String,
    pub actor: String,
    pub details: Value,
}

impl ExportedLead {
    /// Puts a lead and its trail together.
    pub fn new(lead: StoredLead, trail: Vec<AuditRecord>) -> Self {
        Self {
            id: lead.id.to_string(),
            created_at_utc: time::format(lead.created_at_utc),
            name: lead.name,
            email: lead.email,
            phone: lead.phone,
            company: lead.company,
            service: lead.service,
            message: lead.message,
            consent: lead.consent,
            source: lead.source,
            request_id: lead.request_id.to_string(),
            ip_hash: lead.ip_hash,
            meta_json: lead.meta_json,
            status: lead.status,
            audit: trail.into_iter().map(ExportedEvent::from).collect(),
        }
    }
}

impl From<AuditRecord> for ExportedEvent {
    fn from(record: AuditRecord) -> Self {
        Self {
            created_at_utc: time::format(record.created_at),
            event: record.event,
            actor: record.actor,
            details: record.details,
        }
    }
}

impl fmt::Debug for Export {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Export").field("leads", &self.leads.len()).finish_non_exhaustive()
    }
}

impl fmt::Debug for ExportedLead {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ExportedLead").field("id", &self.id).finish_non_exhaustive()
    }
}

impl fmt::Debug for ExportedEvent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ExportedEvent").field("event", &self.event).finish_non_exhaustive()
    }
}
