//! Rows as the database holds them: ids and instants are text.

use fastcore_leads::{
    AuditRecord, StoreError, StoredLead,
    sql::sqlite::{read_id, read_instant, read_json},
};
use sqlx::FromRow;

#[derive(FromRow)]
pub(super) struct LeadRow {
    id: String,
    created_at_utc: String,
    name: String,
    email: String,
    phone: Option<String>,
    company: Option<String>,
    service: Option<String>,
    message: String,
    consent: bool,
    source: String,
    request_id: String,
    ip_hash: String,
    meta_json: Option<String>,
    status: String,
    erased_at_utc: Option<String>,
}

impl TryFrom<LeadRow> for StoredLead {
    type Error = StoreError;

    fn try_from(row: LeadRow) -> Result<Self, StoreError> {
        Ok(Self {
            id: read_id(&row.id)?.into(),
            created_at_utc: read_instant(&row.created_at_utc)?,
            name: row.name,
            email: row.email,
            phone: row.phone,
            company: row.company,
            service: row.service,
            message: row.message,
            consent: row.consent,
            source: row.source,
            request_id: read_id(&row.request_id)?,
            ip_hash: row.ip_hash,
            meta_json: read_json(row.meta_json.as_deref())?,
            status: row.status,
            erased_at_utc: row.erased_at_utc.as_deref().map(read_instant).transpose()?,
        })
    }
}

#[derive(FromRow)]
pub(super) struct AuditRow {
    id: String,
    created_at_utc: String,
    event: String,
    actor: Option<String>,
    lead_id: Option<String>,
    request_id: String,
    status_code: Option<i32>,
    details_json: Option<String>,
}

impl TryFrom<AuditRow> for AuditRecord {
    type Error = StoreError;

    fn try_from(row: AuditRow) -> Result<Self, StoreError> {
        Ok(Self::new(
            read_id(&row.id)?,
            read_instant(&row.created_at_utc)?,
            row.event,
            row.actor,
            row.lead_id.as_deref().map(read_id).transpose()?,
            read_id(&row.request_id)?,
            row.status_code,
            read_json(row.details_json.as_deref())?,
        ))
    }
}
