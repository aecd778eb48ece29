//! How audit rows get their numbers.
//!
//! In PostgreSQL the sequencer scans the log in the order of transactions, from its mark on. What a transaction before the mark wrote has
//! its number; those behind it may still commit in any order. A scan remembers, as its next mark, the oldest transaction that was under way
//! when it began: whatever is older, it sees. It looks at so many rows a pass, so that none takes long however many there are: behind a dump
//! that was restored in another cluster, whose transactions have numbers of their own, it goes through all of the log. All that one
//! transaction wrote is looked at in one pass.

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
/// And so many at most: they are one parameter of a statement.
const MOST_AT_ONCE: i64 = 10_000;

/// The mark before all rows.
const START: &str = "1";

/// Where the sequencer is.
#[derive(Clone, Debug)]
pub(in crate::sql) struct Sequencer {
    /// The last number.
    pub(in crate::sql) last: i64,
    /// All before has a number; on the way through all rows, where the scan goes on.
    mark: String,
    /// Where the scan goes on.
    from: String,
    /// The mark once the scan has ended. None where it begins.
    next_mark: Option<String>,
    /// Whether it is on its way through all rows: the database is in another cluster than before.
    is_sweeping: bool,
    /// Whether it is noted where the scan goes on.
    has_scan: bool,
}

/// The sequencer's row. Older versions change the first three of its columns alone.
#[derive(Deserialize)]
pub(in crate::sql) struct SequencerRow {
    last: i64,
    mark: String,
    /// The cluster that the mark is of, with `sweeping ` before it on the way through all rows.
    system_identifier: String,
    /// The cluster that the database is in.
    here: String,
    /// The cluster that the two below are of.
    scanned_in: Option<String>,
    scanned_to: Option<i64>,
    next_mark: Option<i64>,
    /// Transactions from here on had not begun.
    xmax: Option<i64>,
}

impl SequencerRow {
    pub(in crate::sql) fn read(self) -> Sequencer {
        let Self { last, mark, system_identifier, here, scanned_in, scanned_to, next_mark, xmax } = self;
        let has_scan = scanned_in.is_some();
        let (is_ours, next_mark) = (scanned_in.as_ref() == Some(&here), next_mark.map(|mark| mark.to_string()));
        let next_mark = next_mark.filter(|_| is_ours);
        if system_identifier == here {
            // Another version may have moved the mark past the scan, or ended it: then it begins anew.
            let is_behind = |scanned: &i64| mark.parse().is_ok_and(|mark: i64| mark <= *scanned);
            let has_begun = |scanned: &i64| xmax.is_some_and(|xmax| *scanned <= xmax);
            let scanned_to = scanned_to.filter(|scanned| is_ours && is_behind(scanned) && has_begun(scanned));
            let scanned_to = scanned_to.map(|scanned| scanned.to_string());
            let next_mark = next_mark.filter(|_| scanned_to.is_some());
            let from = scanned_to.unwrap_or_else(|| mark.clone());
            return Sequencer { last, mark, from, next_mark, is_sweeping: false, has_scan };
        }
        if system_identifier.strip_prefix(SWEEPING) == Some(here.as_str()) {
            // Nobody knows what was under way when another version began.
            let next_mark = next_mark.or_else(|| Some(START.to_owned()));
            return Sequencer { last, from: mark.clone(), mark, next_mark, is_sweeping: true, has_scan };
        }
        Sequencer { last, mark, from: START.to_owned(), next_mark: None, is_sweeping: true, has_scan }
    }
}

/// What stands before the cluster on the way through all rows.
const SWEEPING: &str = "sweeping ";

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
    /// The same, where the pass before in the same call had come further than what was noted.
    pub(in crate::sql) fn going_on(self, before: Option<Reached>) -> Self {
        match before {
            Some(Reached { from: Some(from), next_mark, .. }) if !self.is_sweeping => {
                Self { from, next_mark: Some(next_mark), ..self }
            }
            _ => self,
        }
    }

    /// Whether a pass that numbered nothing has to be noted. Where it does not, the next call looks at these rows again: they are few, or
    /// a transaction that is open still keeps the mark where it is, and then nothing would be gained.
    pub(in crate::sql) fn is_changed_by(&self, reached: &Reached) -> bool {
        let has_moved = reached.next_mark != self.mark && (reached.is_far || self.next_mark.is_some());
        self.is_sweeping || reached.is_end() && (self.has_scan || has_moved)
    }
}

impl Dialect {
    /// Locks the sequencer's row, and waits for whoever has it: what it numbers was not committed when it looked. Answers a
    /// [`SequencerRow`].
    pub(in crate::sql) fn lock_sequencer(self) -> Statement {
        Statement::of(
            self,
            match self {
                Self::Postgres => {
                    "SELECT json_build_object('last', last_sequence, 'mark', mark::text, 'system_identifier', system_identifier,
                            'here', here.id, 'scanned_in', scanned_in, 'scanned_to', scanned_to, 'next_mark', next_mark,
                            'xmax', pg_snapshot_xmax(pg_current_snapshot())::text::bigint)::text AS answer
                       FROM lead_sequencer, (SELECT system_identifier::text AS id FROM pg_control_system()) AS here
                        FOR UPDATE OF lead_sequencer"
                }
                Self::Sqlite => {
                    "SELECT json_object('last', last_sequence, 'mark', mark, 'system_identifier', '', 'here', '') AS answer
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
        let looks = (i64::from(limit) * LOOKS).clamp(LEAST_LOOKS, MOST_LOOKS);
        let limit = statement.bind(Param::BigInt(limit.into()));
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
                let is_ours = if sequencer.is_sweeping {
                    ""
                } else {
                    " AND written_in < pg_snapshot_xmax(pg_current_snapshot())::text::bigint"
                };
                let xmin = "pg_snapshot_xmin(pg_current_snapshot())::text::bigint";
                let next_mark = match &sequencer.next_mark {
                    Some(mark) => format!("least({}::text::bigint, {xmin})::text", statement.text(mark)),
                    None => format!("{xmin}::text"),
                };
                // Each row that is looked at costs: no more are looked at than it takes, and they are counted only where there are too few
                // new ones. A common table expression would be read to its end.
                let looked = format!(
                    "(SELECT id, lead_id, written_in FROM audit_log \
                       WHERE written_in >= {from}::text::bigint AND written_in > 0{is_ours} \
                       ORDER BY written_in FETCH FIRST {looks} ROWS WITH TIES)"
                );
                let room = if sequencer.next_mark.is_none() {
                    limit.clone()
                } else {
                    format!(
                        "(SELECT greatest({limit}, least(count(*) / {SHARE}, {MOST_AT_ONCE})) FROM audit_log \
                          WHERE written_in = {from}::text::bigint AND written_in > 0)"
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
                let here = "(SELECT system_identifier::text FROM pg_control_system())";
                let (next_mark, prefix) = (
                    statement.text(&reached.next_mark),
                    if reached.is_end() || !sequencer.is_sweeping { "" } else { SWEEPING },
                );
                let (mark, scan) = match &reached.from {
                    None => (
                        format!("{next_mark}::text::bigint"),
                        "scanned_in = NULL, scanned_to = NULL, next_mark = NULL".to_owned(),
                    ),
                    Some(from) => {
                        let from = statement.text(from);
                        // As other versions have it: what is before the mark has its number, or was looked at on the way through all.
                        let mark = if sequencer.is_sweeping {
                            format!("{from}::text::bigint")
                        } else {
                            format!("least({from}::text::bigint, {next_mark}::text::bigint)")
                        };
                        (
                            mark,
                            format!(
                                "scanned_in = {here}, scanned_to = {from}::text::bigint, next_mark = {next_mark}::text::bigint"
                            ),
                        )
                    }
                };
                format!(
                    "UPDATE lead_sequencer SET last_sequence = {last}, mark = {mark}, {scan}, system_identifier = '{prefix}' || {here}"
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
