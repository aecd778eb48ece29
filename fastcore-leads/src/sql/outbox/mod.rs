//! The statements behind [`LeadOutbox`](crate::LeadOutbox), for both databases. Each answers one text a row, `answer`, which is
//! JSON, unless it says otherwise.

mod deliveries;
mod rows;

use std::{borrow::Cow, time::Duration};

use chrono::TimeDelta;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

pub(super) use self::rows::{DueRow, EventRow, Numbered, RecordRow, StatusRow, Unnumbered};
use super::inbox::{COLUMNS, Dialect, Param, Statement};
use crate::{
    audit,
    lead::LeadStatus,
    outbox::{EventType, MAX_EARLIER_LEADS},
    time,
};

/// Where the sequencer is: its last number, its mark, and how it goes on from there.
pub(super) type Sequencer = (i64, String, Stage);

/// How the sequencer looks for rows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Stage {
    /// From the mark on.
    Following,
    /// The database is in another cluster than before, whose transactions have numbers of their own: through all rows.
    Moved,
    /// On its way through all rows, as far as the mark.
    Sweeping,
}

impl Dialect {
    /// Locks the sequencer's row, and waits for whoever has it: what it numbers was not committed when it looked. Answers a
    /// [`Sequencer`].
    pub(super) fn lock_sequencer(self) -> Statement {
        Statement::of(
            self,
            match self {
                Self::Postgres => {
                    "SELECT json_build_array(last_sequence, mark::text,
                            CASE system_identifier WHEN here.id THEN 'following' WHEN 'sweeping ' || here.id THEN 'sweeping'
                                                   ELSE 'moved' END)::text AS answer
                       FROM lead_sequencer, (SELECT system_identifier::text AS id FROM pg_control_system()) AS here
                        FOR UPDATE OF lead_sequencer"
                }
                Self::Sqlite => "SELECT json_array(last_sequence, mark, 'following') AS answer FROM lead_sequencer",
            },
        )
    }

    /// Audit rows that have no number, from the mark on: up to so many, and whatever else of their leads has none, so that of
    /// one lead none is left behind. Answers [`Unnumbered`]s: the rows, the oldest first, and the next mark.
    pub(super) fn unnumbered(self, mark: &str, stage: Stage, limit: u32) -> Statement {
        let mut statement = Statement::new(self);
        let mark = statement.text(mark);
        let limit = statement.bind(Param::BigInt(limit.into()));
        let (details, received, released) = (self.details(), audit::LEAD_RECEIVED, audit::LEAD_RELEASED);
        let quarantined = LeadStatus::Quarantined;
        let [status, from, to] = ["status", "from", "to"].map(|member| details("audited", member));
        let is_held_back = self.boolean(&format!(
            "EXISTS (SELECT 1 FROM audit_log AS first WHERE first.lead_id = audited.lead_id \
                     AND first.event = '{received}' AND {} = '{quarantined}') \
             AND NOT EXISTS (SELECT 1 FROM audit_log AS later WHERE later.lead_id = audited.lead_id \
                             AND later.event = '{released}')",
            details("first", "status")
        ));
        let answer = self.json_array(&format!(
            "audited.id, audited.created_at_utc, audited.event, audited.lead_id, {status}, {from}, {to}, {is_held_back}"
        ));
        // Asked for by an index, whatever the planner thinks of the table.
        let is_new = "(SELECT 1 FROM lead_event WHERE lead_event.audit_id = audited.id) IS NULL";
        let end = match self {
            Self::Postgres => self.json_array("next_mark::text, found"),
            Self::Sqlite => self.json_array("next_mark, found"),
        };
        statement.text = Cow::Owned(match self {
            // Of a lead of the page by the index on leads, whatever else: hence the sum, which is no other index's.
            // One statement, so one snapshot: what it does not see was written by transactions that are not older than its
            // xmin. A number behind its xmax is of another cluster's transaction.
            Self::Postgres => {
                let xmin = "pg_snapshot_xmin(pg_current_snapshot())::text::bigint";
                let (is_ours, next) = match stage {
                    Stage::Following => (
                        " AND audited.written_in < pg_snapshot_xmax(pg_current_snapshot())::text::bigint",
                        format!("least({xmin}, max(written_in))"),
                    ),
                    Stage::Moved | Stage::Sweeping => ("", "max(written_in)".to_owned()),
                };
                format!(
                    "WITH page AS MATERIALIZED (\
                         SELECT audited.id, audited.lead_id, audited.written_in FROM audit_log AS audited \
                          WHERE audited.written_in >= {mark}::text::bigint AND audited.written_in > 0{is_ours} AND {is_new} \
                          ORDER BY audited.written_in LIMIT {limit}), \
                     wanted AS (\
                         SELECT id FROM page UNION \
                         SELECT audited.id FROM page JOIN audit_log AS audited ON audited.lead_id = page.lead_id \
                          WHERE audited.written_in + 0 > 0 AND {is_new}), \
                     summary AS (\
                         SELECT count(*) AS found, \
                                CASE WHEN count(*) < {limit} THEN {xmin} ELSE {next} END AS next_mark FROM page) \
                     (SELECT {answer} AS answer FROM wanted JOIN audit_log AS audited ON audited.id = wanted.id \
                       ORDER BY audited.created_at_utc, audited.id) \
                     UNION ALL SELECT {end} FROM summary"
                )
            }
            Self::Sqlite => format!(
                "WITH page AS MATERIALIZED (\
                     SELECT audited.id, audited.rowid AS place FROM audit_log AS audited \
                      WHERE audited.rowid > coalesce((SELECT rowid FROM audit_log WHERE id = {mark}), 0) AND {is_new} \
                      ORDER BY audited.rowid LIMIT {limit}), \
                 summary AS (\
                     SELECT count(*) AS found, coalesce((SELECT id FROM page ORDER BY place DESC LIMIT 1), {mark}) AS next_mark \
                       FROM page) \
                 SELECT answer FROM (SELECT {answer} AS answer FROM audit_log AS audited JOIN page ON page.id = audited.id \
                                      ORDER BY page.place) \
                 UNION ALL SELECT {end} FROM summary"
            ),
        });
        statement
    }

    /// Enters events. Answers nothing.
    pub(super) fn number(self, events: &[Numbered]) -> Statement {
        let text = match self {
            Self::Postgres => {
                "INSERT INTO lead_event (sequence, audit_id, created_at_utc, type, lead_id, from_status, to_status)
                 SELECT sequence, audit_id, created_at_utc, type, lead_id, from_status, to_status
                   FROM jsonb_to_recordset($1::jsonb) AS new (
                            sequence bigint, audit_id uuid, created_at_utc timestamptz, type text, lead_id uuid,
                            from_status text, to_status text)"
            }
            Self::Sqlite => {
                "INSERT INTO lead_event (sequence, audit_id, created_at_utc, type, lead_id, from_status, to_status)
                 SELECT value ->> '$.sequence', value ->> '$.audit_id', value ->> '$.created_at_utc', value ->> '$.type',
                        value ->> '$.lead_id', value ->> '$.from_status', value ->> '$.to_status'
                   FROM json_each(?1)"
            }
        };
        Statement::of(self, text).with(json(events))
    }

    /// Notes where the sequencer is, and how it goes on from there. Answers nothing.
    pub(super) fn mark(self, last_sequence: i64, mark: &str, stage: Stage) -> Statement {
        let mut statement = Statement::new(self);
        let (last, mark) = (statement.bind(Param::BigInt(last_sequence)), statement.text(mark));
        statement.text = Cow::Owned(match self {
            Self::Postgres => {
                let prefix = if stage == Stage::Following { "" } else { "sweeping " };
                format!(
                    "UPDATE lead_sequencer SET last_sequence = {last}, mark = {mark}::text::bigint, system_identifier =
                            '{prefix}' || (SELECT system_identifier::text FROM pg_control_system())"
                )
            }
            Self::Sqlite => format!("UPDATE lead_sequencer SET last_sequence = {last}, mark = {mark}"),
        });
        statement
    }

    /// The last number. Answers it.
    pub(super) fn last_sequence(self) -> Statement {
        Statement::of(self, "SELECT CAST(last_sequence AS text) AS answer FROM lead_sequencer")
    }

    /// Events behind a number, in order. Answers [`EventRow`]s.
    pub(super) fn events(self, after: i64, limit: u32) -> Statement {
        let mut statement = Statement::new(self);
        let (after, limit) = (statement.bind(Param::BigInt(after)), statement.bind(Param::BigInt(limit.into())));
        let answer = self.json_array(EVENT);
        statement.text = Cow::Owned(format!(
            "SELECT {answer} AS answer FROM lead_event AS event WHERE event.sequence > {after} AND {} \
             ORDER BY event.sequence LIMIT {limit}",
            is_told(&[])
        ));
        statement
    }

    /// Leads by their ids. Columns: those of [`StoredLead`](crate::StoredLead).
    pub(super) fn leads_by_id(self, ids: &[Uuid]) -> Statement {
        let mut statement = Statement::new(self);
        let is_one = statement.is_one_of("id", ids);
        statement.text = Cow::Owned(format!("SELECT {COLUMNS} FROM lead_inbox WHERE {is_one}"));
        statement
    }

    /// How many leads came from the same address before each of these. Answers id and number. An erased one has no address; that it is
    /// erased is not asked here, since the planner would take the index on addresses for it.
    pub(super) fn earlier_leads(self, ids: &[Uuid]) -> Statement {
        let mut statement = Statement::new(self);
        let is_one = statement.is_one_of("lead.id", ids);
        let answer = self.json_array(&format!(
            "lead.id, (SELECT count(*) FROM (SELECT 1 FROM lead_inbox AS earlier \
                 WHERE lower(earlier.email) = lower(lead.email) AND earlier.erased_at_utc IS NULL \
                 AND earlier.created_at_utc < lead.created_at_utc LIMIT {MAX_EARLIER_LEADS}) AS counted)"
        ));
        statement.text = Cow::Owned(format!("SELECT {answer} AS answer FROM lead_inbox AS lead WHERE {is_one}"));
        statement
    }

    fn skip_locked(self, table: &str) -> String {
        match self {
            Self::Postgres => format!(" FOR UPDATE OF {table} SKIP LOCKED"),
            // One transaction writes at a time.
            Self::Sqlite => String::new(),
        }
    }

    /// A condition as JSON has it.
    fn boolean(self, condition: &str) -> String {
        match self {
            Self::Postgres => condition.to_owned(),
            Self::Sqlite => format!("json(iif({condition}, 'true', 'false'))"),
        }
    }

    /// A member of an audit row's details, as a text.
    fn details(self) -> fn(&str, &str) -> String {
        match self {
            Self::Postgres => |row, member| format!("{row}.details_json ->> '{member}'"),
            // Whoever wrote it, it may be no JSON.
            Self::Sqlite => |row, member| {
                format!("iif(json_valid({row}.details_json), CAST({row}.details_json ->> '$.{member}' AS TEXT), NULL)")
            },
        }
    }
}

impl Statement {
    fn now(&mut self) -> String {
        self.later(Duration::ZERO)
    }

    /// By the database's clock, where it has one of its own.
    fn later(&mut self, delay: Duration) -> String {
        match self.dialect {
            Dialect::Postgres if delay.is_zero() => "now()".to_owned(),
            Dialect::Postgres => {
                let delay = self.bind(Param::BigInt(millis(delay)));
                format!("(now() + {delay}::bigint * interval '1 millisecond')")
            }
            Dialect::Sqlite => self.instant(time::now() + TimeDelta::milliseconds(millis(delay))),
        }
    }
}

/// The columns of [`EventRow`].
const EVENT: &str = "event.sequence, event.audit_id, event.type, event.lead_id, event.created_at_utc, event.from_status, \
                     event.to_status";

/// Whether an event is of one of these types, or of any that this version knows.
fn is_told(types: &[EventType]) -> String {
    let types = if types.is_empty() { EventType::ALL } else { types };
    let types: Vec<_> = types.iter().map(|known| format!("'{known}'")).collect();
    format!("event.type IN ({}) AND event.lead_id IS NOT NULL", types.join(", "))
}

/// Milliseconds, up to a century.
fn millis(delay: Duration) -> i64 {
    i64::try_from(delay.as_millis()).unwrap_or(i64::MAX).min(100 * 366 * 86_400_000)
}

/// A sequence number as the databases have it.
pub(super) fn signed(sequence: u64) -> i64 {
    i64::try_from(sequence).unwrap_or(i64::MAX)
}

fn unsigned(sequence: i64) -> u64 {
    u64::try_from(sequence).unwrap_or_default()
}

/// Structs of texts and numbers always serialise.
pub(super) fn json(rows: &(impl Serialize + ?Sized)) -> String {
    serde_json::to_string(rows).unwrap_or_default()
}
