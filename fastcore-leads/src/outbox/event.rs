use chrono::{DateTime, Utc};
use uuid::Uuid;

use crate::{audit, lead::LeadId, lead::LeadStatus, text::as_word};

/// The type of what others are told of a checkpoint of the audit log, on the wire. It is of no lead, hence no [`EventType`].
pub const AUDIT_CHECKPOINT: &str = "audit.checkpoint";

/// What happened to a lead, as others are told of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub enum EventType {
    /// A lead was taken in. Not told of one that went to quarantine.
    Received,
    /// A lead was let out of quarantine: the first that is told of it.
    Released,
    /// Somebody moved a lead on.
    StatusChanged,
    /// The person took the consent back.
    ConsentWithdrawn,
    /// The lead was erased, at the person's wish or because its time was up.
    Erased,
    /// Nobody has worked on a lead for longer than the service level allows.
    Unanswered,
}

impl EventType {
    /// All types.
    pub const ALL: &[Self] =
        &[Self::Received, Self::Released, Self::StatusChanged, Self::ConsentWithdrawn, Self::Erased, Self::Unanswered];

    /// The name on the wire, such as `lead.received`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Received => "lead.received",
            Self::Released => "lead.released",
            Self::StatusChanged => "lead.status_changed",
            Self::ConsentWithdrawn => "lead.consent_withdrawn",
            Self::Erased => "lead.erased",
            Self::Unanswered => "lead.unanswered",
        }
    }

    /// Whether it tells from which status to which a lead was moved.
    pub(crate) fn is_move(self) -> bool {
        matches!(self, Self::StatusChanged | Self::Released)
    }

    /// What others are told of an audit row; `None` where they are told nothing. A lead that never left quarantine is nobody's
    /// business: neither its coming nor its end is told.
    pub fn of(row: &AuditedEvent) -> Option<Self> {
        row.lead_id?;
        let quarantined = Some(LeadStatus::Quarantined.as_str());
        match row.event.as_str() {
            audit::LEAD_RECEIVED if row.status.as_deref() != quarantined => Some(Self::Received),
            audit::LEAD_RELEASED => Some(Self::Released),
            audit::LEAD_PROCESSED | audit::LEAD_RESOLVED | audit::LEAD_RETURNED | audit::LEAD_ARCHIVED
                if row.from.as_deref() != quarantined =>
            {
                Some(Self::StatusChanged)
            }
            audit::CONSENT_WITHDRAWN if !row.is_held_back => Some(Self::ConsentWithdrawn),
            audit::LEAD_ERASED | audit::LEAD_PURGED if !row.is_held_back => Some(Self::Erased),
            audit::LEAD_UNANSWERED => Some(Self::Unanswered),
            _ => None,
        }
    }
}

as_word!(EventType, UnknownEventType);

/// The text names no [`EventType`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "not a type of event: lead.received, lead.released, lead.status_changed, lead.consent_withdrawn, lead.erased or \
     lead.unanswered"
)]
pub struct UnknownEventType;

/// An audit row as the sequencer reads it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AuditedEvent {
    /// When it happened.
    pub created_at: DateTime<Utc>,
    /// What happened, such as [`LEAD_RECEIVED`](audit::LEAD_RECEIVED).
    pub event: String,
    /// The lead that it happened to. Rows of other programs may name none: then nobody is told.
    pub lead_id: Option<Uuid>,
    /// The `status` of its details: where the lead's life begins, if elsewhere than usual.
    pub status: Option<String>,
    /// The `from` of its details: the status that the lead was moved from.
    pub from: Option<String>,
    /// The `to` of its details: the status that the lead was moved to.
    pub to: Option<String>,
    /// Whether its lead was put into quarantine when it came, and never let out.
    pub is_held_back: bool,
}

/// An event in the order of commits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    /// Its place, counted from 1. Numbers between two events belong to audit rows that nobody is told of.
    pub sequence: u64,
    /// The id of the audit row that it tells of.
    pub audit_id: Uuid,
    /// What happened.
    pub event_type: EventType,
    /// To which lead.
    pub lead_id: LeadId,
    /// When, in microseconds.
    pub occurred_at: DateTime<Utc>,
    /// The status that a lead was moved from, for [`EventType::StatusChanged`] and [`EventType::Released`].
    pub from: Option<String>,
    /// The status that a lead was moved to, as `from`.
    pub to: Option<String>,
}

impl Event {
    /// Returns what others know it by, however often and by whatever way they are told: `evt_...`.
    pub fn id(&self) -> String {
        format!("evt_{}", self.audit_id.simple())
    }
}
