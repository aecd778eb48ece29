//! SQLite 3.51.3 and later.

use std::time::Duration;

use chrono::{DateTime, Utc};
use serde::Serialize;
use serde_json::Value;
use uuid::Uuid;

use super::Migration;
use crate::{
    lead::Service,
    store::{NewLead, StoreError, StoreErrorKind},
    time,
};

/// All steps of the schema, in order.
pub const MIGRATIONS: &[Migration] = &[
    Migration::new(1, "ingest", include_str!("../../sql/sqlite/migrations/0001_ingest.sql")),
    Migration::new(2, "inbox", include_str!("../../sql/sqlite/migrations/0002_inbox.sql")),
    Migration::new(3, "compatibility", include_str!("../../sql/sqlite/migrations/0003_compatibility.sql")),
    Migration::new(4, "outbox", include_str!("../../sql/sqlite/migrations/0004_outbox.sql")),
    Migration::new(5, "search", include_str!("../../sql/sqlite/migrations/0005_search.sql")),
    Migration::new(6, "erasures", include_str!("../../sql/sqlite/migrations/0006_erasures.sql")),
    Migration::new(7, "fewer_indexes", include_str!("../../sql/sqlite/migrations/0007_fewer_indexes.sql")),
    Migration::new(8, "proof", include_str!("../../sql/sqlite/migrations/0008_proof.sql")),
    Migration::new(9, "scan", include_str!("../../sql/sqlite/migrations/0009_scan.sql")),
];

/// Makes the bookkeeping table where it is missing.
pub const CREATE_MIGRATIONS_TABLE: &str = include_str!("../../sql/sqlite/migrations_table.sql");
/// Whether the bookkeeping table is there. Answers: a boolean.
pub const HAS_MIGRATIONS_TABLE: &str =
    "SELECT iif(EXISTS (SELECT 1 FROM sqlite_schema WHERE type = 'table' AND name = 'fastcore_leads_migrations'),
                 'true', 'false') AS answer";
/// The rows of the bookkeeping table. Answers: version, checksum, `readable_from`.
pub const APPLIED_MIGRATIONS: &str = include_str!("../../sql/sqlite/applied_migrations.sql");
/// Notes a migration, before its statements are run: version, name, checksum.
pub const RECORD_MIGRATION: &str =
    "INSERT INTO fastcore_leads_migrations (version, name, checksum) VALUES (?1, ?2, ?3)";

/// What a connection that writes leads runs first. FULL: in WAL mode, NORMAL can lose an acknowledged commit on power
/// loss. A connection that waits for another writer does so for [`BUSY_TIMEOUT`].
pub const SET_UP_CONNECTION: &str =
    "PRAGMA busy_timeout = 2000; PRAGMA synchronous = FULL; PRAGMA foreign_keys = ON; PRAGMA recursive_triggers = ON;
     PRAGMA secure_delete = ON";
/// How long a connection waits for another writer: the 2,000 ms of [`SET_UP_CONNECTION`] and [`USUAL_PATIENCE`].
pub const BUSY_TIMEOUT: Duration = Duration::from_secs(2);
/// What the connection of our own that writes runs besides. It makes what [`TAKE_IN`] writes to, for this connection alone. Not for one that
/// a host has: its `ALTER TABLE` would fail there, or rename the tables that the trigger names. The log beside the file is brought into it
/// once it has 4,000 pages (16 MiB) instead of 1,000: a page that many commits write is brought there once.
pub const SET_UP_OWN: &str = concat!(
    "PRAGMA wal_autocheckpoint = 4000;
     CREATE TEMP VIEW IF NOT EXISTS fastcore_leads_arrival AS SELECT NULL AS batch;
     CREATE TEMP TRIGGER IF NOT EXISTS fastcore_leads_take_in INSTEAD OF INSERT ON fastcore_leads_arrival BEGIN ",
    include_str!("../../sql/sqlite/only_own_triggers.sql"),
    "; ",
    include_str!("../../sql/sqlite/insert_leads.sql"),
    " FROM jsonb_each(jsonb(NEW.batch)); ",
    include_str!("../../sql/sqlite/all_were_written.sql"),
    "; ",
    include_str!("../../sql/sqlite/insert_audit.sql"),
    " FROM jsonb_each(jsonb(NEW.batch)); ",
    include_str!("../../sql/sqlite/all_were_written.sql"),
    "; END"
);
/// Run before tables are migrated: what names them on the connection itself would stand in the way.
pub const LET_GO: &str = "DROP VIEW IF EXISTS temp.fastcore_leads_arrival";
/// From here on a connection waits for no other.
pub const NO_PATIENCE: &str = "PRAGMA busy_timeout = 0";
/// From here on a connection waits as [`SET_UP_CONNECTION`] has it.
pub const USUAL_PATIENCE: &str = "PRAGMA busy_timeout = 2000";
/// Run after an erasure: what was written over is left neither in the file, which `secure_delete` sees to, nor in the log
/// beside it, which is then empty, unless others read from it.
pub const EMPTY_LOG: &str = "PRAGMA wal_checkpoint(TRUNCATE)";
/// Where the database is. Answers: a path, as it is.
pub const FILE: &str = "SELECT file AS answer FROM pragma_database_list WHERE name = 'main'";
/// Turns write-ahead logging on, once for a file: readers and the writer then do not block each other.
pub const USE_WAL: &str = "PRAGMA journal_mode = WAL";
/// The audit log's triggers that are missing. Answers: names, as they are.
pub const MISSING_GUARDS: &str =
    "WITH wanted (name) AS (VALUES ('audit_log_no_update'), ('audit_log_no_delete'), ('audit_log_no_replace'))
     SELECT name AS answer FROM wanted WHERE name NOT IN (SELECT name FROM sqlite_schema WHERE type = 'trigger' AND tbl_name = 'audit_log')";
/// How the file keeps its journal, and how often a connection waits for the disk. Answers: name, value.
pub const SETTINGS: &str = "SELECT json_array('journal_mode', journal_mode) AS answer FROM pragma_journal_mode
     UNION ALL SELECT json_array('synchronous', CAST(synchronous AS TEXT)) FROM pragma_synchronous";
/// How a transaction that writes begins: one that begins deferred fails at once when another got in between.
pub const BEGIN: &str = "BEGIN IMMEDIATE";
/// How it ends well.
pub const COMMIT: &str = "COMMIT";
/// How it ends badly.
pub const ROLLBACK: &str = "ROLLBACK";

/// Makes two statements one on a connection of a host's, in a transaction or not.
pub const SAVEPOINT: &str = "SAVEPOINT fastcore_leads";
/// How a savepoint ends well.
pub const RELEASE: &str = "RELEASE fastcore_leads";
/// How a savepoint ends badly.
pub const ROLLBACK_TO_SAVEPOINT: &str = "ROLLBACK TO fastcore_leads; RELEASE fastcore_leads";

/// Writes a batch whose leads are all new, and their audit rows, all or none: a statement that is a transaction by itself. Parameter:
/// [`batch_json`]. Needs [`SET_UP_OWN`]; is refused where others have triggers on the tables. In a transaction of several statements
/// SQLite keeps each page as it was, so that one of them can be undone alone; here it need not, and a driver sends one statement instead
/// of four.
pub const TAKE_IN: &str = "INSERT OR ABORT INTO fastcore_leads_arrival (batch) VALUES (?1)";
/// Writes the leads of a batch that are new: how many rows are written tells whether all are. Parameter: [`batch_json`].
pub const INSERT_LEADS: &str = concat!(
    include_str!("../../sql/sqlite/insert_leads.sql"),
    " FROM jsonb_each(jsonb(?1)) WHERE true ON CONFLICT (request_id) DO NOTHING"
);
/// Which leads of a batch [`INSERT_LEADS`] wrote, before their audit rows are written. Parameter: [`batch_json`]. Answers ids, as they
/// are.
pub const NEW_LEADS: &str = include_str!("../../sql/sqlite/new_leads.sql");
/// Writes the audit rows of new leads. Parameters: [`batch_json`], and [`ids_json`] of those that are new.
pub const INSERT_AUDIT: &str = concat!(
    include_str!("../../sql/sqlite/insert_audit.sql"),
    " FROM jsonb_each(jsonb(?1)) WHERE value ->> 0 IN (SELECT new.value FROM json_each(?2) AS new)"
);
/// Writes the new values of changed leads. Parameter: a JSON array of rows.
pub const REWRITE_LEADS: &str = include_str!("../../sql/sqlite/rewrite_leads.sql");
/// Writes their audit rows. Parameter: a JSON array of rows.
pub const APPEND_AUDIT: &str = include_str!("../../sql/sqlite/append_audit.sql");

/// Leads and their audit rows as one JSON array, an array for each, which SQLite reads sooner than objects.
pub fn batch_json(batch: &[NewLead]) -> String {
    json_of(batch.iter().map(|new| {
        let lead = new.lead();
        Row(
            new.id().as_uuid(),
            time::format(new.created_at()),
            lead.name(),
            lead.email().as_str(),
            lead.phone(),
            lead.company(),
            lead.service().map(Service::as_str),
            lead.message(),
            lead.consent(),
            lead.meta().source(),
            lead.meta().request_id().as_uuid(),
            lead.meta().ip_hash(),
            new.meta_json(),
            lead.initial_status().as_str(),
            new.audit_id(),
            new.actor().as_str(),
            new.audit_details_json(),
        )
    }))
}

/// Ids as one JSON array.
pub fn ids_json(ids: impl IntoIterator<Item = Uuid>) -> String {
    json_of(ids.into_iter())
}

fn json_of<T: Serialize>(rows: impl Iterator<Item = T>) -> String {
    // Structs of text always serialise.
    serde_json::to_string(&rows.collect::<Vec<_>>()).unwrap_or_default()
}

/// Its values stand in the order of the statement's columns.
#[derive(Serialize)]
struct Row<'a>(
    Uuid,
    String,
    &'a str,
    &'a str,
    Option<&'a str>,
    Option<&'a str>,
    Option<&'static str>,
    &'a str,
    bool,
    &'a str,
    Uuid,
    &'a str,
    String,
    &'static str,
    Uuid,
    &'a str,
    String,
);

/// What an extended result code means for the workflow (SQLite, "Result and Error Codes").
pub fn kind_of(extended_code: i32) -> StoreErrorKind {
    match extended_code & 0xff {
        // BUSY, LOCKED: another process writes, and went on for longer than the busy timeout.
        5 | 6 => StoreErrorKind::Unavailable,
        // NOMEM, READONLY, IOERR, CORRUPT, FULL, CANTOPEN, PROTOCOL, NOTADB: the file cannot be written now.
        7 | 8 | 10 | 11 | 13 | 14 | 15 | 26 => StoreErrorKind::Unavailable,
        // ERROR, AUTH: a table or a column is missing, since the statements are always the same.
        1 | 23 => StoreErrorKind::Misconfigured,
        // INTERRUPT.
        9 => StoreErrorKind::TimedOut,
        // TOOBIG, CONSTRAINT, MISMATCH.
        18..=20 => StoreErrorKind::Rejected,
        _ => StoreErrorKind::Internal,
    }
}

/// Whether a result code says that another connection is at it: BUSY or LOCKED.
pub fn is_busy(code: &str) -> bool {
    code.parse::<i32>().is_ok_and(|code| matches!(code & 0xff, 5 | 6))
}

/// Fails where a table is missing, or a column that leads are written to: answers no row.
pub const PROBE: &str = "SELECT lead_inbox.erased_at_utc, audit_log.details_json FROM lead_inbox, audit_log LIMIT 0";

/// Reads an id back.
///
/// # Errors
/// [`StoreErrorKind::Internal`] where the text is not one: no version of ours writes such a row.
pub fn read_id(text: &str) -> Result<Uuid, StoreError> {
    Uuid::try_parse(text).map_err(|_| unreadable("an id is not a UUID"))
}

/// Reads an instant back.
///
/// # Errors
/// As [`read_id`].
pub fn read_instant(text: &str) -> Result<DateTime<Utc>, StoreError> {
    text.parse().map_err(|_| unreadable("an instant is not RFC 3339"))
}

/// Reads a JSON column back.
///
/// # Errors
/// As [`read_id`].
pub fn read_json(text: Option<&str>) -> Result<Option<Value>, StoreError> {
    text.map(serde_json::from_str).transpose().map_err(|_| unreadable("a JSON column holds no JSON"))
}

fn unreadable(reason: &'static str) -> StoreError {
    StoreError::new(StoreErrorKind::Internal).with_reason(reason)
}

/// What is wrong with the [`SETTINGS`], if an acknowledged lead could be lost through them.
pub fn settings_warnings(settings: &[(String, String)]) -> Vec<&'static str> {
    let value = |name: &str| settings.iter().find(|(known, _)| known == name).map_or("", |(_, value)| value.as_str());
    let mut warnings = Vec::new();
    match value("journal_mode") {
        "memory" => warnings.push("the database is in memory: all leads are lost when this process ends"),
        "off" => warnings.push("journal_mode is OFF: a crash can corrupt the database"),
        _ => {}
    }
    if matches!(value("synchronous"), "0" | "1") {
        warnings.push("synchronous is below FULL: a power cut loses the leads acknowledged last");
    }
    warnings
}
