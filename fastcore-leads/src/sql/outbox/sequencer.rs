//! How audit rows get their numbers.
//!
//! In PostgreSQL the sequencer scans the log in the order of transactions, from its mark on. What a transaction before the mark wrote has
//! its number; those behind it may still commit in any order. A scan remembers, as its next mark, the oldest transaction that was under way
//! when it began: whatever is older, it sees. It looks at so many rows a pass, so that none takes long however many there are: behind a dump
//! that was restored in another cluster, whose transactions have numbers of their own, it goes through all of the log.

use std::borrow::Cow;

use serde::Deserialize;

use super::{Numbered, json};
use crate::{
    audit,
    lead::LeadStatus,
    sql::inbox::{Dialect, Param, Statement},
};

/// For each row that is to be numbered, how many are looked at, and how many at least and at most.
const LOOKS: i64 = 100;
const LEAST_LOOKS: i64 = 1000;
const MOST_LOOKS: i64 = 100_000;
/// A pass that looked at more rows than this is noted, so that they are not looked at again.
const FAR: i64 = 1000;
/// Of a transaction in the middle of which the scan stopped, one row in so many is numbered at least: all of it is looked at again.
const SHARE: i64 = 16;

/// Where the sequencer is.
#[derive(Clone, Debug, Deserialize)]
pub(in crate::sql) struct Sequencer {
    /// The last number.
    pub(in crate::sql) last: i64,
    /// All before has a number.
    mark: String,
    /// Where the scan goes on.
    from: String,
    /// The mark once the scan has ended. None where it begins.
    next_mark: Option<String>,
    stage: Stage,
}

/// Which rows a scan looks at.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Stage {
    /// From the mark on.
    Following,
    /// The database is in another cluster than before: all rows, from the start.
    Moved,
    /// On its way through all rows.
    Sweeping,
}

/// How far a pass came.
#[derive(Clone, Debug, Deserialize)]
pub(in crate::sql) struct Reached {
    /// Where the scan goes on. None where it has ended.
    from: Option<String>,
    next_mark: String,
    /// Whether it is worth being noted, also where nothing was numbered.
    is_far: bool,
}

impl Reached {
    /// Whether there is nothing more to be looked at.
    pub(in crate::sql) fn is_end(&self) -> bool {
        self.from.is_none()
    }
}

impl Sequencer {
    /// Whether a pass that numbered nothing has to be noted. Where it does not, the next one looks at a few rows again.
    pub(in crate::sql) fn is_changed_by(&self, reached: &Reached) -> bool {
        reached.is_far || !reached.is_end() || self.next_mark.is_some() || self.stage != Stage::Following
    }
}

impl Dialect {
    /// Locks the sequencer's row, and waits for whoever has it: what it numbers was not committed when it looked. Answers a
    /// [`Sequencer`].
    pub(in crate::sql) fn lock_sequencer(self) -> Statement {
        Statement::of(
            self,
            match self {
                // Another version may have moved the mark past the scan.
                Self::Postgres => {
                    "SELECT json_build_object('last', last_sequence, 'mark', mark::text, 'stage', stage,
                            'from', CASE stage WHEN 'moved' THEN 1 WHEN 'sweeping' THEN coalesce(scanned_to, 1)
                                               ELSE greatest(mark, scanned_to) END::text,
                            'next_mark', CASE WHEN stage <> 'moved' THEN next_mark END::text)::text AS answer
                       FROM lead_sequencer, (SELECT system_identifier::text AS id FROM pg_control_system()) AS here,
                            LATERAL (SELECT CASE system_identifier WHEN here.id THEN 'following'
                                                                   WHEN 'sweeping ' || here.id THEN 'sweeping'
                                                                   ELSE 'moved' END AS stage) AS now
                        FOR UPDATE OF lead_sequencer"
                }
                Self::Sqlite => {
                    "SELECT json_object('last', last_sequence, 'mark', mark, 'stage', 'following', 'from', mark) AS answer
                       FROM lead_sequencer"
                }
            },
        )
    }

    /// Audit rows that have no number, from where the scan is: up to so many, and whatever else of their leads has none, so that of
    /// one lead none is left behind. Answers [`Unnumbered`](super::Unnumbered)s: the rows, the oldest first, and how far it came.
    pub(in crate::sql) fn unnumbered(self, sequencer: &Sequencer, limit: u32) -> Statement {
        let mut statement = Statement::new(self);
        let from = statement.text(&sequencer.from);
        let limit_given = i64::from(limit);
        let limit = statement.bind(Param::BigInt(limit_given));
        let (details, received, released) = (self.details(), audit::LEAD_RECEIVED, audit::LEAD_RELEASED);
        let quarantined = LeadStatus::Quarantined;
        let [status, from_status, to_status] = ["status", "from", "to"].map(|member| details("audited", member));
        let is_held_back = self.boolean(&format!(
            "EXISTS (SELECT 1 FROM audit_log AS first WHERE first.lead_id = audited.lead_id \
                     AND first.event = '{received}' AND {} = '{quarantined}') \
             AND NOT EXISTS (SELECT 1 FROM audit_log AS later WHERE later.lead_id = audited.lead_id \
                             AND later.event = '{released}')",
            details("first", "status")
        ));
        let answer = self.json_array(&format!(
            "audited.id, audited.created_at_utc, audited.event, audited.lead_id, {status}, {from_status}, {to_status}, {is_held_back}"
        ));
        // Asked for by an index, whatever the planner thinks of the table.
        let is_new = "(SELECT 1 FROM lead_event WHERE lead_event.audit_id = audited.id) IS NULL";
        statement.text = Cow::Owned(match self {
            // One statement, so one snapshot: what it does not see was written by transactions that are not older than its
            // xmin. All that one transaction wrote is seen, or nothing of it: hence the ties. A number behind the xmax is of another
            // cluster's transaction. Of a lead of the page by the index on leads, whatever else: hence the sum, which is no other
            // index's.
            Self::Postgres => {
                let is_ours = match sequencer.stage {
                    Stage::Following => " AND written_in < pg_snapshot_xmax(pg_current_snapshot())::text::bigint",
                    Stage::Moved | Stage::Sweeping => "",
                };
                let looks = (limit_given * LOOKS).clamp(LEAST_LOOKS, MOST_LOOKS);
                let next_mark = match &sequencer.next_mark {
                    Some(mark) => format!("{}::text", statement.text(mark)),
                    None => "pg_snapshot_xmin(pg_current_snapshot())::text".to_owned(),
                };
                // Each row that is looked at costs: no more are than are asked for, and they are counted where there are too few new ones.
                let looked = format!(
                    "(SELECT id, lead_id, written_in FROM audit_log \
                       WHERE written_in >= {from}::text::bigint AND written_in > 0{is_ours} \
                       ORDER BY written_in FETCH FIRST {looks} ROWS WITH TIES)"
                );
                let room = if sequencer.next_mark.is_none() {
                    limit.clone()
                } else {
                    format!(
                        "(SELECT greatest({limit}, count(*) / {SHARE}) FROM audit_log WHERE written_in = {from}::text::bigint)"
                    )
                };
                format!(
                    "WITH room AS MATERIALIZED (SELECT {room}::bigint AS rows), \
                     page AS MATERIALIZED (\
                         SELECT audited.id, audited.lead_id, audited.written_in FROM {looked} AS audited WHERE {is_new} \
                          ORDER BY audited.written_in LIMIT (SELECT rows FROM room)), \
                     wanted AS (\
                         SELECT id FROM page UNION \
                         SELECT audited.id FROM page JOIN audit_log AS audited ON audited.lead_id = page.lead_id \
                          WHERE audited.written_in + 0 > 0 AND {is_new}), \
                     found AS MATERIALIZED (\
                         SELECT count(*) >= (SELECT rows FROM room) AS is_full, max(written_in) AS last FROM page), \
                     seen AS MATERIALIZED (\
                         SELECT count(*) AS count, max(written_in) AS last FROM {looked} AS looked \
                          WHERE NOT (SELECT is_full FROM found)) \
                     (SELECT {answer} AS answer FROM wanted JOIN audit_log AS audited ON audited.id = wanted.id \
                       ORDER BY audited.created_at_utc, audited.id) \
                     UNION ALL \
                     SELECT json_build_object('next_mark', {next_mark}, 'is_far', seen.count > {FAR}, \
                                'from', CASE WHEN found.is_full THEN found.last \
                                             WHEN seen.count >= {looks} THEN seen.last + 1 END::text)::text \
                       FROM seen, found"
                )
            }
            Self::Sqlite => format!(
                "WITH page AS MATERIALIZED (\
                     SELECT audited.id, audited.rowid AS place FROM audit_log AS audited \
                      WHERE audited.rowid > coalesce((SELECT rowid FROM audit_log WHERE id = {from}), 0) AND {is_new} \
                      ORDER BY audited.rowid LIMIT {limit}) \
                 SELECT answer FROM (SELECT {answer} AS answer FROM audit_log AS audited JOIN page ON page.id = audited.id \
                                      ORDER BY page.place) \
                 UNION ALL \
                 SELECT json_object('next_mark', coalesce((SELECT id FROM page ORDER BY place DESC LIMIT 1), {from}), \
                            'is_far', json('false'), \
                            'from', (SELECT id FROM page WHERE (SELECT count(*) FROM page) >= {limit} ORDER BY place DESC LIMIT 1))"
            ),
        });
        statement
    }

    /// Enters events. Answers nothing.
    pub(in crate::sql) fn number(self, events: &[Numbered]) -> Statement {
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

    /// Notes where the sequencer is behind a pass that numbered so many. Answers nothing.
    pub(in crate::sql) fn mark(self, sequencer: &Sequencer, numbered: i64, reached: &Reached) -> Statement {
        let mut statement = Statement::new(self);
        let last = statement.bind(Param::BigInt(sequencer.last + numbered));
        statement.text = Cow::Owned(match self {
            Self::Postgres => {
                // Behind a move nothing is known to have a number until the end of the scan.
                let mark = match (reached.is_end(), sequencer.stage) {
                    (true, _) => &reached.next_mark,
                    (false, Stage::Moved) => &sequencer.from,
                    (false, _) => &sequencer.mark,
                };
                let mark = statement.text(mark);
                let (scanned_to, next_mark) = match &reached.from {
                    Some(from) => {
                        let (from, next_mark) = (statement.text(from), statement.text(&reached.next_mark));
                        (format!("{from}::text::bigint"), format!("{next_mark}::text::bigint"))
                    }
                    None => ("NULL".to_owned(), "NULL".to_owned()),
                };
                let is_following = reached.is_end() || sequencer.stage == Stage::Following;
                let prefix = if is_following { "" } else { "sweeping " };
                format!(
                    "UPDATE lead_sequencer SET last_sequence = {last}, mark = {mark}::text::bigint, scanned_to = {scanned_to}, \
                            next_mark = {next_mark}, system_identifier = \
                            '{prefix}' || (SELECT system_identifier::text FROM pg_control_system())"
                )
            }
            Self::Sqlite => {
                let mark = statement.text(&reached.next_mark);
                format!("UPDATE lead_sequencer SET last_sequence = {last}, mark = {mark}")
            }
        });
        statement
    }

    /// The last number. Answers it.
    pub(in crate::sql) fn last_sequence(self) -> Statement {
        Statement::of(self, "SELECT CAST(last_sequence AS text) AS answer FROM lead_sequencer")
    }
}
