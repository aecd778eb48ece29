//! Rows as the statements here answer them, and as they take them: JSON.

use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::{Reached, millis, signed, unsigned};
use crate::{
    lead::LeadId,
    outbox::{
        AuditedEvent, CheckpointDelivery, Delivery, DeliveryRecord, DeliveryState, DestinationStatus, Event, EventType,
        Place, Settled, Settlement,
    },
    sql::sqlite::{read_id, read_instant},
    store::{StoreError, StoreErrorKind},
    time,
};

/// What [`Dialect::unnumbered`](crate::sql::inbox::Dialect::unnumbered) answers.
#[derive(Deserialize)]
#[serde(untagged)]
pub(in crate::sql) enum Unnumbered {
    /// An audit row.
    Audited(String, String, String, Option<String>, Option<String>, Option<String>, Option<String>, bool),
    /// How far it came.
    End(Reached),
}

/// Audit rows, each with its id as it is stored.
type Rows = Vec<(String, AuditedEvent)>;

impl Unnumbered {
    /// The rows, and how far it came.
    pub(in crate::sql) fn read(answers: Vec<Self>) -> Result<(Rows, Reached), StoreError> {
        let (mut rows, mut end) = (Vec::new(), None);
        for answer in answers {
            match answer {
                Self::Audited(id, created_at, event, lead_id, status, from, to, is_held_back) => {
                    // Whoever wrote the row, it must not stand in the way of the others.
                    let created_at = read_instant(&created_at).unwrap_or_else(|_| time::now());
                    let lead_id = lead_id.and_then(|id| read_id(&id).ok());
                    rows.push((id, AuditedEvent { created_at, event, lead_id, status, from, to, is_held_back }));
                }
                Self::End(reached) => end = Some(reached),
            }
        }
        let missing = || StoreError::new(StoreErrorKind::Internal).with_reason("the database answered in another form");
        Ok((rows, end.ok_or_else(missing)?))
    }
}

/// An event to be entered.
#[derive(Serialize)]
pub(in crate::sql) struct Numbered {
    sequence: i64,
    audit_id: String,
    created_at_utc: String,
    r#type: Option<EventType>,
    lead_id: Option<Uuid>,
    from_status: Option<String>,
    to_status: Option<String>,
}

impl Numbered {
    pub(in crate::sql) fn of(audit_id: &str, row: &AuditedEvent, sequence: i64) -> Self {
        let event_type = EventType::of(row).filter(|_| read_id(audit_id).is_ok());
        let has_moved = event_type.is_some_and(EventType::is_move);
        Self {
            sequence,
            audit_id: audit_id.to_owned(),
            created_at_utc: time::format(row.created_at),
            r#type: event_type,
            lead_id: row.lead_id,
            from_status: row.from.clone().filter(|_| has_moved),
            to_status: row.to.clone().filter(|_| has_moved),
        }
    }
}

/// An event, as the columns of `EVENT`.
type EventColumns = (i64, Uuid, String, Uuid, String, Option<String>, Option<String>);

/// What a statement answers that asks for events.
#[derive(Deserialize)]
pub(in crate::sql) struct EventRow(i64, Uuid, String, Uuid, String, Option<String>, Option<String>);

impl EventRow {
    pub(in crate::sql) fn read(self) -> Result<Event, StoreError> {
        event((self.0, self.1, self.2, self.3, self.4, self.5, self.6))
    }
}

fn event((sequence, audit_id, event_type, lead_id, at, from, to): EventColumns) -> Result<Event, StoreError> {
    // Only events of known types are asked for.
    let event_type = event_type.parse().map_err(|_| StoreErrorKind::Internal)?;
    let (sequence, lead_id, occurred_at) = (unsigned(sequence), LeadId::from_uuid(lead_id), read_instant(&at)?);
    Ok(Event { sequence, audit_id, event_type, lead_id, occurred_at, from, to })
}

/// What a statement answers that asks for deliveries that are due.
#[derive(Deserialize)]
#[rustfmt::skip]
pub(in crate::sql) struct DueRow(
    u32, u32, String, i64, Uuid, String, Uuid, String, Option<String>, Option<String>,
);

impl DueRow {
    /// The delivery as it is once it is claimed.
    pub(in crate::sql) fn read(self, destination: &str) -> Result<Delivery, StoreError> {
        let event = event((self.3, self.4, self.5, self.6, self.7, self.8, self.9))?;
        Ok(Delivery {
            destination: destination.to_owned(),
            attempt: self.0.saturating_add(1),
            claim: self.1.saturating_add(1),
            place: Place { due_at: read_instant(&self.2)?, sequence: event.sequence },
            event,
        })
    }
}

/// What a statement answers that takes a checkpoint.
#[derive(Deserialize)]
pub(in crate::sql) struct CheckpointRow(i64, String, u32, u32);

impl CheckpointRow {
    pub(in crate::sql) fn read(self, destination: &str) -> CheckpointDelivery {
        CheckpointDelivery {
            destination: destination.to_owned(),
            size: unsigned(self.0),
            checkpoint: self.1,
            attempt: self.2,
            claim: self.3,
        }
    }
}

/// What a statement answers that asks how destinations stand.
#[derive(Deserialize)]
pub(in crate::sql) struct StatusRow(String, i64, Option<String>, u64, u64, Option<String>);

impl StatusRow {
    pub(in crate::sql) fn read(self) -> Result<DestinationStatus, StoreError> {
        let instant = |text: Option<String>| text.as_deref().map(read_instant).transpose();
        Ok(DestinationStatus {
            destination: self.0,
            position: unsigned(self.1),
            paused_at: instant(self.2)?,
            due: self.3,
            dead: self.4,
            oldest_due: instant(self.5)?,
        })
    }
}

/// What a statement answers that asks for deliveries.
#[derive(Deserialize)]
#[rustfmt::skip]
pub(in crate::sql) struct RecordRow(
    String, DeliveryState, u32, String, Option<u16>, i64, Uuid, String, Uuid, String, Option<String>, Option<String>,
);

impl RecordRow {
    pub(in crate::sql) fn read(self) -> Result<DeliveryRecord, StoreError> {
        Ok(DeliveryRecord {
            destination: self.0,
            state: self.1,
            attempts: self.2,
            due_at: read_instant(&self.3)?,
            last_status: self.4,
            event: event((self.5, self.6, self.7, self.8, self.9, self.10, self.11))?,
        })
    }
}

/// What became of an attempt, as the databases take it.
#[derive(Serialize)]
pub(super) struct SettledRow<'a> {
    destination: &'a str,
    sequence: i64,
    claim: u32,
    state: DeliveryState,
    delay_ms: i64,
    due_at: String,
    last_status: Option<u16>,
}

impl<'a> SettledRow<'a> {
    pub(super) fn of(settlement: &'a Settlement, now: DateTime<Utc>) -> Self {
        let (state, delay_ms) = match settlement.result {
            Settled::Delivered => (DeliveryState::Delivered, 0),
            Settled::Skipped => (DeliveryState::Skipped, 0),
            Settled::Retry(delay) => (DeliveryState::Due, millis(delay)),
            Settled::Dead => (DeliveryState::Dead, 0),
        };
        let due_at = now + TimeDelta::milliseconds(delay_ms);
        Self {
            destination: &settlement.destination,
            sequence: signed(settlement.sequence),
            claim: settlement.claim,
            state,
            delay_ms,
            due_at: time::format(due_at),
            last_status: settlement.status,
        }
    }
}
