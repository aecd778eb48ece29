//! Rows as the database holds them: ids and instants are text.

use diesel::{
    Queryable, QueryableByName, Selectable,
    sql_types::{Integer, Text},
};
use fastcore_leads::{
    AuditRecord, StoreError, StoredLead,
    sql::{
        Applied,
        sqlite::{read_id, read_instant, read_json},
    },
};

use crate::schema::sqlite::{audit_log, lead_inbox};

#[derive(Queryable, QueryableByName, Selectable)]
#[diesel(table_name = lead_inbox, check_for_backend(diesel::sqlite::Sqlite))]
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
            id: read_id(&row.id)?,
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

#[derive(Queryable, Selectable)]
#[diesel(table_name = audit_log, check_for_backend(diesel::sqlite::Sqlite))]
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
    #[diesel(sql_type = Text)]
    pub(super) lead_id: String,
    #[diesel(sql_type = Text)]
    pub(super) last: String,
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
    #[diesel(sql_type = Integer)]
    version: i32,
    #[diesel(sql_type = Text)]
    checksum: String,
    #[diesel(sql_type = diesel::sql_types::Nullable<Integer>)]
    readable_from: Option<i32>,
}

impl From<AppliedRow> for Applied {
    fn from(row: AppliedRow) -> Self {
        Self { version: row.version, checksum: row.checksum, readable_from: row.readable_from }
    }
}

/// Whether a table is there.
#[derive(QueryableByName)]
pub(super) struct Presence {
    #[diesel(sql_type = diesel::sql_types::Bool)]
    pub(super) present: bool,
}

/// How the file keeps its journal.
#[derive(QueryableByName)]
pub(super) struct JournalMode {
    #[diesel(sql_type = Text)]
    pub(super) journal_mode: String,
}

/// How often a connection waits for the disk.
#[derive(QueryableByName)]
pub(super) struct Synchronous {
    #[diesel(sql_type = Integer)]
    pub(super) synchronous: i32,
}
