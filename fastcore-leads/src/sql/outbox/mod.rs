//! The statements behind [`LeadOutbox`](crate::LeadOutbox), for both databases. Each answers one text a row, `answer`, which is
//! JSON, unless it says otherwise.

mod deliveries;
mod rows;
mod sequencer;

use std::{borrow::Cow, time::Duration};

use chrono::TimeDelta;
use serde::Serialize;
use uuid::Uuid;

pub(super) use self::{
    rows::{CheckpointRow, DueRow, EventRow, Numbered, RecordRow, StatusRow, Unnumbered},
    sequencer::{Reached, SequencerRow},
};
use super::inbox::{COLUMNS, Dialect, Param, Statement};
use crate::{
    outbox::{EventType, MAX_EARLIER_LEADS},
    time,
};

/// How many leads of an address are looked at for the number of its earlier ones: a machine may send without end.
const LOOKED_AT: u32 = 1_000;

impl Dialect {
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

    /// How many leads came from the same address to the same source before each of these, and are not in quarantine, of the last
    /// [`LOOKED_AT`] of the address. Answers id and number.
    /// An erased one has no address; that it is erased is not asked here, since the planner would take the index on addresses for it.
    pub(super) fn earlier_leads(self, ids: &[Uuid]) -> Statement {
        let mut statement = Statement::new(self);
        let is_one = statement.is_one_of("lead.id", ids);
        let answer = self.json_array(&format!(
            "lead.id, (SELECT count(*) FROM (SELECT 1 FROM (SELECT source, status FROM lead_inbox AS earlier \
                 WHERE lower(earlier.email) = lower(lead.email) AND earlier.erased_at_utc IS NULL \
                 AND earlier.created_at_utc < lead.created_at_utc \
                 ORDER BY earlier.created_at_utc DESC LIMIT {LOOKED_AT}) AS of_address \
                 WHERE of_address.source = lead.source AND of_address.status <> 'quarantined' \
                 LIMIT {MAX_EARLIER_LEADS}) AS counted)"
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
