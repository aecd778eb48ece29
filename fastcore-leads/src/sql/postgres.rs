//! PostgreSQL 14 and later.

use std::time::Duration;

use chrono::{DateTime, Utc};
use uuid::Uuid;

use super::Migration;
use crate::{
    lead::Service,
    store::{NewLead, StoreError, StoreErrorKind},
};

/// All steps of the schema, in order.
pub const MIGRATIONS: &[Migration] = &[
    Migration {
        // It made another unique index beside one that had another name.
        former: &["4fffcc77b1438305df6d2e96ef1d6e5ea340c91da6f7bd6d8dc9da9900885fca"],
        ..Migration::new(1, "ingest", include_str!("../../sql/postgres/migrations/0001_ingest.sql"))
    },
    Migration {
        version: 2,
        name: "inbox",
        before: &[
            include_str!("../../sql/postgres/migrations/0002_drop_unfinished.sql"),
            "CREATE INDEX CONCURRENTLY IF NOT EXISTS ix_lead_inbox_status_created_at
                 ON lead_inbox (status, created_at_utc, id) WHERE erased_at_utc IS NULL",
            "CREATE INDEX CONCURRENTLY IF NOT EXISTS ix_lead_inbox_email
                 ON lead_inbox (lower(email), created_at_utc) WHERE erased_at_utc IS NULL",
        ],
        sql: include_str!("../../sql/postgres/migrations/0002_inbox.sql"),
        // It built the indexes in its transaction.
        former: &["bf3b4f44303c5f498c2898df305b73f5385d10f827be58ae2aa55c85dfc3c80c"],
    },
    Migration::new(3, "compatibility", include_str!("../../sql/postgres/migrations/0003_compatibility.sql")),
    Migration {
        before: &[
            include_str!("../../sql/postgres/migrations/0004_written_in.sql"),
            include_str!("../../sql/postgres/migrations/0004_drop_unfinished.sql"),
            "CREATE INDEX CONCURRENTLY IF NOT EXISTS ix_audit_log_written_in ON audit_log (written_in) WHERE written_in > 0",
        ],
        ..Migration::new(4, "outbox", include_str!("../../sql/postgres/migrations/0004_outbox.sql"))
    },
    Migration::new(5, "search", include_str!("../../sql/postgres/migrations/0005_search.sql")),
    Migration {
        before: &[
            include_str!("../../sql/postgres/migrations/0006_drop_unfinished.sql"),
            "CREATE INDEX CONCURRENTLY IF NOT EXISTS ix_lead_inbox_erased_at
                 ON lead_inbox (erased_at_utc, id) WHERE erased_at_utc IS NOT NULL",
        ],
        ..Migration::new(6, "erasures", include_str!("../../sql/postgres/migrations/0006_erasures.sql"))
    },
    Migration {
        before: &["DROP INDEX CONCURRENTLY IF EXISTS ix_audit_log_request_id"],
        ..Migration::new(7, "fewer_indexes", include_str!("../../sql/postgres/migrations/0007_fewer_indexes.sql"))
    },
    Migration::new(8, "proof", include_str!("../../sql/postgres/migrations/0008_proof.sql")),
    Migration::new(9, "scan", include_str!("../../sql/postgres/migrations/0009_scan.sql")),
    Migration {
        before: &[
            // The planner does not use the statistics of a partial index's expression: without these it expects one lead in two hundred
            // to be from any address.
            "CREATE STATISTICS IF NOT EXISTS st_lead_inbox_email ON (lower(email)) FROM lead_inbox",
            "ANALYZE lead_inbox",
            include_str!("../../sql/postgres/migrations/0010_vacuum.sql"),
        ],
        ..Migration::new(10, "large_tables", include_str!("../../sql/postgres/migrations/0010_large_tables.sql"))
    },
];

/// Makes the bookkeeping table where it is missing.
pub const CREATE_MIGRATIONS_TABLE: &str = include_str!("../../sql/postgres/migrations_table.sql");
/// Whether the bookkeeping table is there. Answers: a boolean.
pub const HAS_MIGRATIONS_TABLE: &str = "SELECT (to_regclass('fastcore_leads_migrations') IS NOT NULL)::text AS answer";
/// The rows of the bookkeeping table. Answers: version, checksum, `readable_from`.
pub const APPLIED_MIGRATIONS: &str = include_str!("../../sql/postgres/applied_migrations.sql");
/// Notes a migration, before its statements are run: version, name, checksum.
pub const RECORD_MIGRATION: &str =
    "INSERT INTO fastcore_leads_migrations (version, name, checksum) VALUES ($1::text::integer, $2, $3)";
/// Run first in a migration's transaction: one process at a time, and none that holds up ingest for long behind a lock
/// that it waits for. Both end with the transaction, so a pooler in transaction mode does no harm.
pub const LOCK_MIGRATIONS: &str = "SET LOCAL statement_timeout = 0; SET LOCAL lock_timeout = '5min'; SELECT pg_advisory_xact_lock(7310582648013472901);
     SET LOCAL lock_timeout = '10s'";
/// Run first on a connection that migrates. It is closed afterwards.
pub const SET_UP_MIGRATIONS: &str = "SET statement_timeout = 0; SET lock_timeout = '5min'";
/// Asks for the right to build indexes, until [`UNLOCK_INDEXES`] or the end of the connection. Answers: a boolean.
///
/// A lock of the session's: an index is built outside of any transaction. Behind a pooler in transaction mode it may outlive
/// its process; migrate on a connection of your own there.
pub const TRY_LOCK_INDEXES: &str = "SELECT pg_try_advisory_lock(7310582648013472902)::text AS answer";
/// Gives up the right to build indexes.
pub const UNLOCK_INDEXES: &str = "SELECT pg_advisory_unlock(7310582648013472902)";

/// What stands in the way of adopting tables that somebody else made. Answers: sentences, as they are.
pub const ADOPTION_PROBLEMS: &str = include_str!("../../sql/postgres/adoption_problems.sql");

/// What a connection of our own runs first: the server keeps notices to itself, since drivers log them and a trigger may put
/// a row's content into one; nor does it log the values of a statement that fails. A commit waits for the disk also where the
/// server's default is that it does not. Either end notices within a minute that the other is gone, and a firewall in between
/// sees that the connection is in use. No statement here runs for so long that compiling it would pay.
pub const SET_UP_CONNECTION: &str = "SET client_min_messages = error; SET log_parameter_max_length_on_error = 0; \
     SET tcp_keepalives_idle = 30; SET tcp_keepalives_interval = 10; SET tcp_keepalives_count = 3; SET jit = off; \
     SELECT set_config('synchronous_commit', 'on', false) WHERE current_setting('synchronous_commit') = 'off'";

/// Whether leads can be written, as far as the catalogue says, which no lock on a table hides: the tables with the columns that
/// are written, and the rights. Answers: a boolean.
pub const IS_SET_UP: &str = "SELECT (
            (SELECT count(*) FROM pg_attribute
              WHERE attrelid IN (to_regclass('lead_inbox'), to_regclass('audit_log')) AND NOT attisdropped
                AND attname IN ('id', 'created_at_utc', 'name', 'email', 'phone', 'company', 'service', 'message', 'consent',
                                'source', 'request_id', 'ip_hash', 'meta_json', 'status', 'event', 'actor', 'lead_id',
                                'details_json')) = 21
            AND coalesce(has_table_privilege(to_regclass('lead_inbox'), 'INSERT, SELECT'), false)
            AND coalesce(has_table_privilege(to_regclass('audit_log'), 'INSERT'), false))::text AS answer";

/// Whether a connection to another machine is in clear. Answers: a boolean.
pub const IS_IN_CLEAR: &str =
    "SELECT (NOT ssl AND inet_server_addr() IS DISTINCT FROM inet_client_addr())::text AS answer
       FROM pg_stat_ssl WHERE pid = pg_backend_pid()";

/// The server gives up on a statement when nobody waits for it any more.
pub fn set_timeout(timeout: Duration) -> String {
    format!("SET statement_timeout = {}", timeout.as_millis().clamp(1, 86_400_000))
}

/// What a connection that is to be kept for writing leads runs first: a row that another transaction holds is not waited for
/// so long that the other leads of the batch miss their deadline. Answers: the number of the server's process, and since when
/// it serves this connection.
pub const SET_UP_WRITER: &str = "SELECT json_build_array(pg_backend_pid(), coalesce(
            (SELECT backend_start::text FROM pg_stat_activity WHERE pid = pg_backend_pid()), ''),
            set_config('lock_timeout', '100ms', false))::text AS answer";
/// What [`SET_UP_WRITER`] does about locks, where nothing is to be known of the server's process.
pub const SET_LOCK_TIMEOUT: &str = "SET lock_timeout = '100ms'";
/// Those settings of [`pooled_role`] that a session does not have. Answers: names, as they are.
pub const MISSING_OF_POOLED_ROLE: &str = "SELECT name AS answer FROM (VALUES
            ('client_min_messages', current_setting('client_min_messages') IN ('error', 'fatal', 'panic')),
            ('log_parameter_max_length_on_error', current_setting('log_parameter_max_length_on_error') = '0'),
            ('synchronous_commit', current_setting('synchronous_commit') <> 'off'),
            ('lock_timeout', current_setting('lock_timeout') <> '0'),
            ('statement_timeout', current_setting('statement_timeout') <> '0')) AS wanted (name, is_there)
      WHERE NOT is_there";
/// Whether the server still works for a connection that was abandoned. Parameters: what [`SET_UP_WRITER`] answered. Answers: a
/// boolean.
pub const IS_AT_WORK: &str = "SELECT EXISTS (
            SELECT FROM pg_stat_activity
             WHERE pid = $1::text::integer AND backend_start::text = $2 AND pid <> pg_backend_pid()
               AND state NOT LIKE 'idle%')::text AS answer";

/// Ends a transaction that a connection from a pool may have been left in, as by a host's `begin()` that was cancelled:
/// what is written in it is never committed. Says nothing where there is none. Refused inside a transaction that has
/// failed, which [`ROLLBACK`] ends.
pub const END_LEFT_OPEN: &str = "BEGIN; ROLLBACK";
/// Ends the transaction that a connection is in.
pub const ROLLBACK: &str = "ROLLBACK";
/// How a change to the inbox begins: it waits longer for the rows that it locks than an insert does, and then sees what was
/// committed meanwhile, whatever the database's default is.
pub const BEGIN_CHANGE: &str = "BEGIN ISOLATION LEVEL READ COMMITTED; SET LOCAL lock_timeout = '1s'";
/// How a transaction ends well.
pub const COMMIT: &str = "COMMIT";

/// Writes a batch. Parameters: the fields of [`Columns`], in order. Answers one row: an array
/// of the ids of the leads that are new. Fails, and writes nothing, where a trigger keeps an audit row out.
pub const INSERT: &str =
    concat!(include_str!("../../sql/postgres/batch.sql"), include_str!("../../sql/postgres/insert.sql"));
/// As [`INSERT`], for leads that are all new: fails, and writes nothing, where one is not, or where a trigger keeps it out.
pub const INSERT_NEW: &str =
    concat!(include_str!("../../sql/postgres/batch.sql"), include_str!("../../sql/postgres/insert_new.sql"));
/// Run once leads were found that an earlier transaction wrote, before a caller is told of them. Where the database
/// replicates synchronously, its commit waits until the standby has whatever was committed before it: a row is visible from
/// the moment that somebody stops waiting for the standby, and a look-up by itself waits for nobody. Needs no privilege.
pub const CONFIRM: &str = "SELECT pg_logical_emit_message(true, 'fastcore_leads', '')";
/// Whether the server takes no writes, as a standby does. Answers: a boolean.
pub const IS_READ_ONLY: &str =
    "SELECT (pg_is_in_recovery() OR current_setting('transaction_read_only')::boolean)::text AS answer";
/// Writes the new values of changed leads. Parameter: a JSON array of rows.
pub const REWRITE_LEADS: &str = include_str!("../../sql/postgres/rewrite_leads.sql");
/// Writes their audit rows. Parameter: a JSON array of rows.
pub const APPEND_AUDIT: &str = include_str!("../../sql/postgres/append_audit.sql");
/// The audit log's triggers that are missing, or do not fire under every `session_replication_role`. Answers: names, as they are.
pub const MISSING_GUARDS: &str =
    "SELECT wanted.name AS answer FROM (VALUES ('audit_log_no_change'), ('audit_log_no_row_change')) AS wanted (name)
      WHERE NOT EXISTS (
          SELECT FROM pg_trigger
           WHERE tgname = wanted.name AND tgrelid = to_regclass('audit_log') AND tgenabled = 'A')";
/// The settings that durability hangs on, and those that have statements logged with their values. Answers: name, value.
pub const SETTINGS: &str = "SELECT json_build_array(name, setting)::text AS answer FROM pg_settings
      WHERE name IN ('fsync', 'synchronous_commit', 'full_page_writes', 'synchronous_standby_names',
                     'log_statement', 'log_min_duration_statement', 'log_min_duration_sample', 'log_transaction_sample_rate',
                     'log_parameter_max_length', 'auto_explain.log_min_duration')";

/// The statements of a set-up with two roles: an owner that migrates, and a writer that services connect as, which can add to
/// the audit log and read it, and do nothing else to it. To be run by a superuser, or by the owner of the tables, after the
/// owner has migrated; running them again does no harm. The roles must exist, and the tables stand in the schema `public`.
/// A role that owned the tables before, such as the FastAPI service's, loses them: let that service connect as the writer.
pub fn grants(owner: &str, writer: &str) -> String {
    let (owner, writer) = (quoted(owner), quoted(writer));
    let outbox = ["lead_event", "lead_sequencer", "lead_destination", "lead_delivery"];
    let search = ["lead_search", "lead_search_progress"];
    let proof = ["audit_tile", "audit_seal"];
    let tables = [&["lead_inbox", "audit_log", super::MIGRATIONS_TABLE][..], &outbox, &search, &proof].concat();
    let ownership: String = tables.iter().map(|table| format!("ALTER TABLE {table} OWNER TO {owner};\n")).collect();
    let all = tables.join(", ");
    format!(
        "BEGIN;\n{ownership}\
         ALTER STATISTICS st_lead_inbox_email OWNER TO {owner};\n\
         ALTER FUNCTION lead_inbox_fill_in() OWNER TO {owner};\n\
         ALTER FUNCTION audit_log_is_append_only() OWNER TO {owner};\n\
         ALTER FUNCTION lead_search_forget() OWNER TO {owner};\n\
         REVOKE ALL ON FUNCTION lead_search_forget() FROM PUBLIC, {writer};\n\
         ALTER FUNCTION lead_search_state() OWNER TO {owner};\n\
         ALTER FUNCTION lead_search_found(text[], bigint, integer) OWNER TO {owner};\n\
         REVOKE ALL ON {all} FROM PUBLIC, {writer};\n\
         REVOKE CREATE ON SCHEMA public FROM PUBLIC, {writer};\n\
         GRANT USAGE, CREATE ON SCHEMA public TO {owner};\n\
         GRANT USAGE ON SCHEMA public TO {writer};\n\
         GRANT SELECT, INSERT, UPDATE ON lead_inbox TO {writer};\n\
         GRANT SELECT, INSERT ON audit_log TO {writer};\n\
         GRANT SELECT ON {migrations} TO {writer};\n\
         GRANT SELECT, INSERT ON lead_event TO {writer};\n\
         GRANT SELECT, UPDATE ON lead_sequencer TO {writer};\n\
         GRANT SELECT, INSERT, UPDATE ON lead_destination TO {writer};\n\
         GRANT SELECT, INSERT, UPDATE, DELETE ON lead_delivery TO {writer};\n\
         GRANT SELECT, INSERT ON lead_search TO {writer};\n\
         GRANT SELECT, UPDATE ON lead_search_progress TO {writer};\n\
         GRANT SELECT, INSERT, UPDATE ON audit_tile TO {writer};\n\
         GRANT SELECT, UPDATE ON audit_seal TO {writer};\n\
         COMMIT;\n",
        migrations = super::MIGRATIONS_TABLE
    )
}

/// The statements that have a role bring along what a connection of our own is set to, for services that connect through a pooler in
/// transaction mode (`pooler=transaction` in a [`PgUrl`](super::PgUrl)): what one session sets there, another one has. The server gives up
/// on a statement after `statement_timeout`: no less than the store's own time limit.
///
/// To be run by the role itself, or by a superuser. Connections that the pooler opens later have it: tell PgBouncer to `RECONNECT`.
pub fn pooled_role(writer: &str, statement_timeout: Duration) -> String {
    let writer = quoted(writer);
    let statement_timeout = format!("{}ms", statement_timeout.as_millis().clamp(1, 86_400_000));
    [
        ("client_min_messages", "error"),
        ("log_parameter_max_length_on_error", "0"),
        (SYNCHRONOUS_COMMIT, "on"),
        ("jit", "off"),
        ("lock_timeout", "100ms"),
        ("statement_timeout", &statement_timeout),
    ]
    .map(|(name, value)| format!("ALTER ROLE {writer} SET {name} = '{value}';\n"))
    .concat()
}

/// The one of these settings without which acknowledged leads could be lost.
pub const SYNCHRONOUS_COMMIT: &str = "synchronous_commit";

/// What it means that a session lacks a setting of [`pooled_role`]: one of [`MISSING_OF_POOLED_ROLE`].
pub fn pooled_warning(missing: &str) -> Option<&'static str> {
    Some(match missing {
        "client_min_messages" => {
            "pooler=transaction, and the role has no client_min_messages = error: drivers may log what a trigger says of a lead \
             (`leadctl grants --pooler`)"
        }
        "log_parameter_max_length_on_error" => {
            "pooler=transaction, and the role has no log_parameter_max_length_on_error = 0: the server may log a lead that it refuses \
             (`leadctl grants --pooler`)"
        }
        SYNCHRONOUS_COMMIT => {
            "pooler=transaction, and synchronous_commit is off: a crash of the database would lose the leads acknowledged last \
             (`leadctl grants --pooler`)"
        }
        "lock_timeout" => {
            "pooler=transaction, and the role has no lock_timeout: one row that is locked holds up the leads beside it \
             (`leadctl grants --pooler`)"
        }
        "statement_timeout" => {
            "pooler=transaction, and the role has no statement_timeout: the server goes on with statements that nobody waits for \
             (`leadctl grants --pooler`)"
        }
        _ => return None,
    })
}

/// A name as SQL has it (PostgreSQL manual, 4.1.1 "Identifiers and Key Words").
fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

/// What is wrong with the [`SETTINGS`], if an acknowledged lead could be lost through it, or be read in the server's log.
pub fn settings_warnings(settings: &[(String, String)]) -> Vec<&'static str> {
    let value = |name: &str| settings.iter().find(|(known, _)| known == name).map_or("", |(_, value)| value.as_str());
    let has_standby = !value("synchronous_standby_names").is_empty();
    let fsync = match value("fsync") {
        "off" => Some("fsync is off: a crash of the machine can lose or corrupt acknowledged leads"),
        _ => None,
    };
    let commit = match (value("synchronous_commit"), has_standby) {
        ("off", _) => Some("synchronous_commit is off: a crash of the database loses the leads acknowledged last"),
        ("local", true) => {
            Some("synchronous_commit is local: a standby that takes over can lack the leads acknowledged last")
        }
        ("remote_write", true) => {
            Some("synchronous_commit is remote_write: a crash of both machines can lose the leads acknowledged last")
        }
        ("remote_apply" | "remote_write", false) => {
            Some("synchronous_commit asks for a standby, but synchronous_standby_names is empty: commits wait for none")
        }
        _ => None,
    };
    let pages = match value("full_page_writes") {
        "off" => Some("full_page_writes is off: a crash of the machine can corrupt acknowledged leads"),
        _ => None,
    };
    [fsync, commit, pages].into_iter().flatten().chain(leads_in_log(value)).collect()
}

/// PostgreSQL manual, 20.8 "Error Reporting and Logging": a statement is logged with the values that were sent with it, of which
/// a lead is made.
fn leads_in_log<'v>(value: impl Fn(&str) -> &'v str) -> impl Iterator<Item = &'static str> {
    let is_over = |name: &str, limit: f64| value(name).parse::<f64>().is_ok_and(|value| value > limit);
    let logs = matches!(value("log_statement"), "mod" | "all")
        || is_over("log_min_duration_statement", -1.0)
        || is_over("log_min_duration_sample", -1.0)
        || is_over("log_transaction_sample_rate", 0.0);
    let values = (logs && value("log_parameter_max_length") != "0")
        .then_some("the server logs statements with their values, which are leads: set log_parameter_max_length to 0");
    // A plan shows values too, whatever is said of parameters.
    let plans = is_over("auto_explain.log_min_duration", -1.0)
        .then_some("auto_explain logs plans, which show values of leads: set auto_explain.log_min_duration to -1");
    [values, plans].into_iter().flatten()
}

/// What [`LeadStore::ready`](crate::LeadStore::ready) answers where the server is [read-only](IS_READ_ONLY).
///
/// # Errors
/// [`StoreErrorKind::Unavailable`] where it is.
pub fn check_writable(is_read_only: bool) -> Result<(), StoreError> {
    if is_read_only {
        let reason = "the server is read-only, as a standby is: connect to the primary";
        return Err(StoreError::new(StoreErrorKind::Unavailable).with_reason(reason));
    }
    Ok(())
}

/// A batch as one array a column: the parameters of [`INSERT`] and [`INSERT_NEW`], in order. The leads stand in the order of their
/// request ids.
#[derive(Default)]
#[allow(missing_docs, reason = "each field is a column of the statement")]
pub struct Columns<'a> {
    pub ids: Vec<Uuid>,
    pub audit_ids: Vec<Uuid>,
    pub created_at_utc: Vec<DateTime<Utc>>,
    pub names: Vec<&'a str>,
    pub emails: Vec<&'a str>,
    pub phones: Vec<Option<&'a str>>,
    pub companies: Vec<Option<&'a str>>,
    pub services: Vec<Option<&'a str>>,
    pub messages: Vec<&'a str>,
    pub consents: Vec<bool>,
    pub sources: Vec<&'a str>,
    pub request_ids: Vec<Uuid>,
    pub ip_hashes: Vec<&'a str>,
    pub meta_json: Vec<String>,
    pub statuses: Vec<&'a str>,
    pub actors: Vec<&'a str>,
    pub details_json: Vec<String>,
}

impl<'a> Columns<'a> {
    /// Turns rows into columns.
    pub fn of(batch: &'a [NewLead]) -> Self {
        let mut columns = Self::default();
        let mut batch: Vec<&NewLead> = batch.iter().collect();
        // Of two with the same one, the first stays first.
        batch.sort_by_key(|new| new.lead().meta().request_id());
        for new in batch {
            let lead = new.lead();
            columns.ids.push(new.id().as_uuid());
            columns.audit_ids.push(new.audit_id());
            columns.created_at_utc.push(new.created_at());
            columns.names.push(lead.name());
            columns.emails.push(lead.email().as_str());
            columns.phones.push(lead.phone());
            columns.companies.push(lead.company());
            columns.services.push(lead.service().map(Service::as_str));
            columns.messages.push(lead.message());
            columns.consents.push(lead.consent());
            columns.sources.push(lead.meta().source());
            columns.request_ids.push(lead.meta().request_id().as_uuid());
            columns.ip_hashes.push(lead.meta().ip_hash());
            columns.meta_json.push(new.meta_json());
            columns.statuses.push(lead.initial_status().as_str());
            columns.actors.push(new.actor().as_str());
            columns.details_json.push(new.audit_details_json());
        }
        columns
    }
}

impl std::fmt::Debug for Columns<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Columns").field("ids", &self.ids).finish_non_exhaustive()
    }
}

/// What a SQLSTATE means for the workflow (PostgreSQL manual, appendix A).
pub fn kind_of(sqlstate: &str) -> StoreErrorKind {
    match (sqlstate.get(..2).unwrap_or_default(), sqlstate) {
        // Deadlock, serialisation failure: rolled back.
        ("40", "40001" | "40P01") => StoreErrorKind::Contention,
        // A lock not available in time.
        (_, "55P03") => StoreErrorKind::Locked,
        // Cancelled; a transaction, or its pause, that took too long.
        (_, "57014" | "25P03" | "25P04") => StoreErrorKind::TimedOut,
        // Shut down under a statement; a plan made before a migration; a transaction that had failed before; a prepared
        // statement that the server forgot: the connection is done for, another will do.
        ("08", _) | (_, "57P01" | "57P02" | "57P05" | "40003" | "0A000" | "25P02" | "26000") => {
            StoreErrorKind::OutcomeUnknown
        }
        // Out of connections, disk or memory; starting up; a standby; an I/O error.
        ("53", _) | (_, "57P03" | "57P04" | "25006" | "58030") => StoreErrorKind::Unavailable,
        // No such table, column, schema, database or function; no right; a role that may not log in: the same for each lead.
        ("28" | "3D" | "3F" | "42", _) => StoreErrorKind::Misconfigured,
        // A value that does not fit, a constraint, a limit, a trigger's RAISE.
        ("22" | "23" | "44" | "54" | "P0", _) => StoreErrorKind::Rejected,
        _ => StoreErrorKind::Internal,
    }
}
