//! What a change writes, as its statements take it.

use serde::Serialize;
use serde_json::Value;

use crate::{audit::AuditRecord, inbox::Rewrite, time};

/// The parameters of `REWRITE_LEADS` and `APPEND_AUDIT`.
pub(super) fn rewrites_json(rewrites: &[Rewrite]) -> (String, String) {
    let rows: Vec<_> = rewrites.iter().map(Row::of).collect();
    // Structs of text always serialise.
    (serde_json::to_string(&rows).unwrap_or_default(), records_json(rewrites.iter().map(|rewrite| &rewrite.audit)))
}

/// The parameter of `APPEND_AUDIT`.
pub(super) fn records_json<'a>(records: impl Iterator<Item = &'a AuditRecord>) -> String {
    serde_json::to_string(&records.map(Record::of).collect::<Vec<_>>()).unwrap_or_default()
}

#[derive(Serialize)]
struct Row<'a> {
    id: String,
    name: &'a str,
    email: &'a str,
    phone: Option<&'a str>,
    company: Option<&'a str>,
    message: &'a str,
    consent: bool,
    ip_hash: &'a str,
    meta_json: Option<&'a Value>,
    status: &'a str,
    erased_at_utc: Option<String>,
}

impl<'a> Row<'a> {
    fn of(rewrite: &'a Rewrite) -> Self {
        let row = &rewrite.row;
        Self {
            id: row.id.to_string(),
            name: &row.name,
            email: &row.email,
            phone: row.phone.as_deref(),
            company: row.company.as_deref(),
            message: &row.message,
            consent: row.consent,
            ip_hash: &row.ip_hash,
            meta_json: row.meta_json.as_ref(),
            status: &row.status,
            erased_at_utc: row.erased_at_utc.map(time::format),
        }
    }
}

#[derive(Serialize)]
struct Record<'a> {
    id: String,
    created_at_utc: String,
    event: &'a str,
    actor: &'a str,
    lead_id: Option<String>,
    request_id: String,
    status_code: Option<i32>,
    details_json: &'a Value,
}

impl<'a> Record<'a> {
    fn of(audit: &'a AuditRecord) -> Self {
        Self {
            id: audit.id.to_string(),
            created_at_utc: time::format(audit.created_at),
            event: &audit.event,
            actor: &audit.actor,
            lead_id: audit.lead_id.map(|id| id.to_string()),
            request_id: audit.request_id.to_string(),
            status_code: audit.status_code,
            details_json: &audit.details,
        }
    }
}
