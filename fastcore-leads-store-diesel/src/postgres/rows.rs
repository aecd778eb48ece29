//! Rows as the database holds them.

use chrono::{DateTime, Utc};
use diesel::{Queryable, QueryableByName, Selectable, sql_types::Text};
use fastcore_leads::{AuditRecord, StoredLead, sql::Applied};
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
            id: row.id,
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

/// What [`StoredLead::answer_to`] looks at, read without diesel.
pub(super) fn read_bare(row: &tokio_postgres::Row) -> Result<StoredLead, tokio_postgres::Error> {
    Ok(StoredLead {
        id: row.try_get("id")?,
        created_at_utc: row.try_get("created_at_utc")?,
        name: row.try_get("name")?,
        email: row.try_get("email")?,
        phone: row.try_get("phone")?,
        company: row.try_get("company")?,
        service: row.try_get("service")?,
        message: row.try_get("message")?,
        consent: row.try_get("consent")?,
        source: row.try_get("source")?,
        request_id: row.try_get("request_id")?,
        ip_hash: row.try_get("ip_hash")?,
        meta_json: row.try_get("meta_json")?,
        status: row.try_get("status")?,
        erased_at_utc: row.try_get("erased_at_utc")?,
    })
}

#[derive(Queryable, Selectable)]
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

/// How many leads are in a status.
#[derive(QueryableByName)]
pub(super) struct StatusCount {
    #[diesel(sql_type = Text)]
    pub(super) status: String,
    #[diesel(sql_type = diesel::sql_types::BigInt)]
    pub(super) leads: i64,
}

/// When a lead was last audited.
#[derive(QueryableByName)]
pub(super) struct LastAudited {
    #[diesel(sql_type = diesel::sql_types::Uuid)]
    pub(super) lead_id: Uuid,
    #[diesel(sql_type = diesel::sql_types::Timestamptz)]
    pub(super) last: DateTime<Utc>,
}

/// A setting of the server.
#[derive(QueryableByName)]
pub(super) struct Setting {
    #[diesel(sql_type = Text)]
    pub(super) name: String,
    #[diesel(sql_type = Text)]
    pub(super) setting: String,
}

/// A trigger.
#[derive(QueryableByName)]
pub(super) struct Guard {
    #[diesel(sql_type = Text)]
    pub(super) name: String,
}

/// A row of the bookkeeping table.
#[derive(QueryableByName)]
pub(super) struct AppliedRow {
    #[diesel(sql_type = diesel::sql_types::Integer)]
    version: i32,
    #[diesel(sql_type = Text)]
    checksum: String,
    #[diesel(sql_type = diesel::sql_types::Nullable<diesel::sql_types::Integer>)]
    readable_from: Option<i32>,
}

impl From<AppliedRow> for Applied {
    fn from(row: AppliedRow) -> Self {
        Self { version: row.version, checksum: row.checksum, readable_from: row.readable_from }
    }
}

/// Whether something is so.
#[derive(QueryableByName)]
pub(super) struct Presence {
    #[diesel(sql_type = diesel::sql_types::Bool)]
    pub(super) present: bool,
}
