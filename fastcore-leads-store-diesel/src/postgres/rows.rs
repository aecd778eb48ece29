//! Rows as the database holds them.

use chrono::{DateTime, Utc};
use diesel::{Queryable, QueryableByName, Selectable};
use fastcore_leads::{AuditRecord, StoredLead};
use serde_json::Value;
use uuid::Uuid;

use crate::schema::postgres::{audit_log, lead_inbox};

#[derive(Queryable, QueryableByName, Selectable)]
#[diesel(table_name = lead_inbox, check_for_backend(diesel::pg::Pg))]
pub(super) struct LeadRow {
    id: Uuid,
    created_at_utc: DateTime<Utc>,
    name: String,
    email: String,
    phone: Option<String>,
    company: Option<String>,
    service: Option<String>,
    message: String,
    consent: bool,
    source: String,
    request_id: Uuid,
    ip_hash: String,
    meta_json: Option<Value>,
    status: String,
    erased_at_utc: Option<DateTime<Utc>>,
}

impl From<LeadRow> for StoredLead {
    fn from(row: LeadRow) -> Self {
        Self {
            id: row.id.into(),
            created_at_utc: row.created_at_utc,
            name: row.name,
            email: row.email,
            phone: row.phone,
            company: row.company,
            service: row.service,
            message: row.message,
            consent: row.consent,
            source: row.source,
            request_id: row.request_id,
            ip_hash: row.ip_hash,
            meta_json: row.meta_json,
            status: row.status,
            erased_at_utc: row.erased_at_utc,
        }
    }
}

#[derive(QueryableByName)]
#[diesel(table_name = audit_log, check_for_backend(diesel::pg::Pg))]
pub(super) struct AuditRow {
    id: Uuid,
    created_at_utc: DateTime<Utc>,
    event: String,
    actor: Option<String>,
    lead_id: Option<Uuid>,
    request_id: Uuid,
    status_code: Option<i32>,
    details_json: Option<Value>,
}

impl From<AuditRow> for AuditRecord {
    fn from(row: AuditRow) -> Self {
        Self::new(
            row.id,
            row.created_at_utc,
            row.event,
            row.actor,
            row.lead_id,
            row.request_id,
            row.status_code,
            row.details_json,
        )
    }
}
