//! Rows as a driver reads them: one tuple for each table, in the order of its columns.

use chrono::{DateTime, Utc};
use serde_json::Value;
use uuid::Uuid;

use super::sqlite::{read_id, read_instant, read_json};
use crate::{
    audit::AuditRecord,
    store::{StoreError, StoredLead},
};

/// A row of `lead_inbox`, with ids, instants and JSON of these types: PostgreSQL has its own, SQLite has texts.
pub type LeadColumns<Id = Uuid, Instant = DateTime<Utc>, Json = Value> = (
    Id,
    Instant,
    String,
    String,
    Option<String>,
    Option<String>,
    Option<String>,
    String,
    bool,
    String,
    Id,
    String,
    Option<Json>,
    String,
    Option<Instant>,
);

/// A row of `audit_log`, as [`LeadColumns`].
pub type AuditColumns<Id = Uuid, Instant = DateTime<Utc>, Json = Value> =
    (Id, Instant, String, Option<String>, Option<Id>, Id, Option<i32>, Option<Json>);

/// Rows of `lead_inbox` in PostgreSQL.
pub fn pg_leads(rows: Vec<LeadColumns>) -> Vec<StoredLead> {
    rows.into_iter().map(lead).collect()
}

/// Rows of `audit_log` in PostgreSQL.
pub fn pg_records(rows: Vec<AuditColumns>) -> Vec<AuditRecord> {
    rows.into_iter().map(record).collect()
}

/// Rows of `lead_inbox` in SQLite.
///
/// # Errors
/// [`StoreErrorKind::Internal`](crate::StoreErrorKind::Internal) where an id, an instant or JSON is none: no version of ours
/// writes such a row.
pub fn sqlite_leads(rows: Vec<LeadColumns<String, String, String>>) -> Result<Vec<StoredLead>, StoreError> {
    let read = |row: LeadColumns<String, String, String>| {
        let (id, at, name, email, phone, company, service, message, consent, source, request, ip, meta, status, erased) =
            row;
        let (id, at, request) = (read_id(&id)?, read_instant(&at)?, read_id(&request)?);
        let (meta, erased) = (read_json(meta.as_deref())?, erased.as_deref().map(read_instant).transpose()?);
        let row =
            (id, at, name, email, phone, company, service, message, consent, source, request, ip, meta, status, erased);
        Ok(lead(row))
    };
    rows.into_iter().map(read).collect()
}

/// Rows of `audit_log` in SQLite.
///
/// # Errors
/// As [`sqlite_leads`].
pub fn sqlite_records(rows: Vec<AuditColumns<String, String, String>>) -> Result<Vec<AuditRecord>, StoreError> {
    let read = |row: AuditColumns<String, String, String>| {
        let (id, at, event, actor, lead, request, status, details) = row;
        let lead = lead.as_deref().map(read_id).transpose()?;
        let (request, details) = (read_id(&request)?, read_json(details.as_deref())?);
        Ok(record((read_id(&id)?, read_instant(&at)?, event, actor, lead, request, status, details)))
    };
    rows.into_iter().map(read).collect()
}

fn lead(row: LeadColumns) -> StoredLead {
    StoredLead {
        id: row.0.into(),
        created_at_utc: row.1,
        name: row.2,
        email: row.3,
        phone: row.4,
        company: row.5,
        service: row.6,
        message: row.7,
        consent: row.8,
        source: row.9,
        request_id: row.10,
        ip_hash: row.11,
        meta_json: row.12,
        status: row.13,
        erased_at_utc: row.14,
    }
}

fn record(row: AuditColumns) -> AuditRecord {
    AuditRecord::new(row.0, row.1, row.2, row.3, row.4, row.5, row.6, row.7)
}
