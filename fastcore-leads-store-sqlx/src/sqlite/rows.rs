//! Rows as the database holds them: ids and instants are text.

use chrono::{DateTime, Utc};
use fastcore_leads::{AuditRecord, StoreError, StoredLead};
use serde_json::Value;
use sqlx::FromRow;
use uuid::Uuid;

use super::unreadable;

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
            id: id(&row.id)?,
            created_at_utc: instant(&row.created_at_utc)?,
            name: row.name,
            email: row.email,
            phone: row.phone,
            company: row.company,
            service: row.service,
            message: row.message,
            consent: row.consent,
            source: row.source,
            request_id: id(&row.request_id)?,
            ip_hash: row.ip_hash,
            meta_json: json(row.meta_json.as_deref())?,
            status: row.status,
            erased_at_utc: row.erased_at_utc.as_deref().map(instant).transpose()?,
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
            id(&row.id)?,
            instant(&row.created_at_utc)?,
            row.event,
            row.actor,
            row.lead_id.as_deref().map(id).transpose()?,
            id(&row.request_id)?,
            row.status_code,
            json(row.details_json.as_deref())?,
        ))
    }
}

fn id(text: &str) -> Result<Uuid, StoreError> {
    Uuid::try_parse(text).map_err(|_| unreadable("an id is not a UUID"))
}

fn instant(text: &str) -> Result<DateTime<Utc>, StoreError> {
    text.parse().map_err(|_| unreadable("an instant is not RFC 3339"))
}

fn json(text: Option<&str>) -> Result<Option<Value>, StoreError> {
    text.map(serde_json::from_str).transpose().map_err(|_| unreadable("a JSON column holds no JSON"))
}
