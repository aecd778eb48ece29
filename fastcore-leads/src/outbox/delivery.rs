use std::time::Duration;

use chrono::{DateTime, Utc};

use super::{Event, EventType};
use crate::{lead::LeadId, lead::Service, store::StoredLead, text::as_word};

/// Which events a destination is sent.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Subscription {
    /// The destination's name: what its deliveries are known by.
    pub destination: String,
    /// Only events of these types. Empty: all.
    pub events: Vec<EventType>,
    /// Only of leads about these. Empty: of all, those that name none included.
    pub services: Vec<Service>,
    /// Only of leads from these sites (`meta.source`), exactly. Empty: from all.
    pub sources: Vec<String>,
}

impl Subscription {
    /// Whether an event of a lead is for this destination.
    pub fn wants(&self, event: EventType, lead: &StoredLead) -> bool {
        (self.events.is_empty() || self.events.contains(&event))
            && (self.services.is_empty()
                || lead.service.as_deref().is_some_and(|name| self.services.iter().any(|known| known.as_str() == name)))
            && (self.sources.is_empty() || self.sources.contains(&lead.source))
    }
}

/// Asks for deliveries that are due.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Claim {
    /// Of this destination.
    pub destination: String,
    /// So many, at most.
    pub limit: u32,
    /// How long nobody else gets them. What is not settled by then is due again.
    pub lease: Duration,
    /// Only deliveries behind this place in the order of their coming due. A dispatcher begins where it stopped, and at the
    /// start now and then: rows that an open snapshot keeps the database from removing need not be walked over each time.
    pub after: Option<Place>,
    /// How long nobody claims of this destination again, where this claim gets anything: zero for no such pause.
    pub pause: Duration,
}

/// A place in the order in which deliveries come due.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    /// When the delivery there was due.
    pub due_at: DateTime<Utc>,
    /// The sequence number of its event.
    pub sequence: u64,
}

/// An event to be sent to a destination: what a claim answers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Delivery {
    /// The destination's name.
    pub destination: String,
    /// What is to be told.
    pub event: Event,
    /// Which attempt this is, counted from 1.
    pub attempt: u32,
    /// Which claim this is: a result counts only where no later claim was made.
    pub claim: u32,
    /// Where it stood.
    pub place: Place,
}

/// What became of an attempt.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settlement {
    /// The destination's name.
    pub destination: String,
    /// The sequence number of the event.
    pub sequence: u64,
    /// The [`Delivery::claim`] that it settles.
    pub claim: u32,
    /// How it ended.
    pub result: Settled,
    /// What was answered: an HTTP status or an SMTP reply code. None where no answer came.
    pub status: Option<u16>,
}

/// How an attempt ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Settled {
    /// It arrived.
    Delivered,
    /// There is nothing to be said any more: the lead has been erased.
    Skipped,
    /// It is to be tried again, in so long.
    Retry(Duration),
    /// It is given up: kept, counted, and sent again only where an operator replays it.
    Dead,
}

/// Where a delivery is in its life.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum DeliveryState {
    /// To be sent, now or later.
    Due,
    /// Arrived.
    Delivered,
    /// Not sent: there was nothing to be said any more.
    Skipped,
    /// Given up.
    Dead,
}

impl DeliveryState {
    /// All states.
    pub const ALL: &[Self] = &[Self::Due, Self::Delivered, Self::Skipped, Self::Dead];

    /// The name, as stored.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Due => "due",
            Self::Delivered => "delivered",
            Self::Skipped => "skipped",
            Self::Dead => "dead",
        }
    }
}

as_word!(DeliveryState, UnknownDeliveryState);

/// The text names no [`DeliveryState`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a state of a delivery: due, delivered, skipped or dead")]
pub struct UnknownDeliveryState;

/// Which deliveries an operator looks at, or sends again.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DeliveryFilter {
    /// Only of this destination.
    pub destination: Option<String>,
    /// Only in this state.
    pub state: Option<DeliveryState>,
    /// Only of this lead.
    pub lead_id: Option<LeadId>,
    /// Only of events that happened at this instant or later.
    pub since: Option<DateTime<Utc>>,
}

impl DeliveryFilter {
    /// Whether it shows a delivery of an event, in a state.
    pub fn shows(&self, destination: &str, event: &Event, state: DeliveryState) -> bool {
        self.destination.as_ref().is_none_or(|name| name == destination)
            && self.state.is_none_or(|wanted| wanted == state)
            && self.lead_id.is_none_or(|id| id == event.lead_id)
            && self.since.is_none_or(|since| event.occurred_at >= since)
    }
}

/// A delivery as an operator sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeliveryRecord {
    /// The destination's name.
    pub destination: String,
    /// What is told.
    pub event: Event,
    /// Where it is in its life.
    pub state: DeliveryState,
    /// Attempts so far, since it was entered or last replayed.
    pub attempts: u32,
    /// When it is due, or was last.
    pub due_at: DateTime<Utc>,
    /// What was answered last: an HTTP status or an SMTP reply code.
    pub last_status: Option<u16>,
}

/// How a destination stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DestinationStatus {
    /// Its name.
    pub destination: String,
    /// The sequence number of the last event that was looked at for it; where it is told of checkpoints, when the last one was sent.
    pub position: u64,
    /// Since when nothing is sent to it, because of what it answered or by an operator's wish.
    pub paused_at: Option<DateTime<Utc>>,
    /// Deliveries that are due, now or later. A checkpoint that has not arrived yet is one of them.
    pub due: u64,
    /// Deliveries that were given up.
    pub dead: u64,
    /// When the oldest of those that are due happened, or was tried first if it is a checkpoint: how far behind the destination is.
    pub oldest_due: Option<DateTime<Utc>>,
}

/// A checkpoint of the audit log to be sent to a destination: the last one that was signed, whatever came before it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CheckpointDelivery {
    /// The destination's name.
    pub destination: String,
    /// How many entries the log has by it.
    pub size: u64,
    /// The checkpoint: a signed note.
    pub checkpoint: String,
    /// Which attempt this is since the last checkpoint that arrived, counted from 1.
    pub attempt: u32,
    /// Which claim this is: a result counts only where no later claim was made.
    pub claim: u32,
}

/// How far earlier leads of an address are counted: a machine may send without end, and each is looked at for each event.
pub const MAX_EARLIER_LEADS: u64 = 100;

/// A lead that an event tells of, as it is now.
#[derive(Clone, Debug, PartialEq)]
pub struct Subject {
    /// The lead.
    pub lead: StoredLead,
    /// How many leads came from the same address to the same source before it, and are neither erased nor in quarantine; counted up to
    /// [`MAX_EARLIER_LEADS`]. Of other sources, whoever hears of one source alone must learn nothing.
    pub earlier_leads: u64,
}

impl Subject {
    /// Whether there is something to be said of an event: of a lead that was erased, only that.
    pub fn is_told(&self, event: EventType) -> bool {
        self.lead.erased_at_utc.is_none() || event == EventType::Erased
    }
}
