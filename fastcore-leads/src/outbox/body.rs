use serde::Serialize;
use serde_json::Value;
use uuid::Uuid;

#[cfg(feature = "outbox")]
use super::{AUDIT_CHECKPOINT, CheckpointDelivery};
use super::{Event, EventType, Subject};
use crate::{lead::LeadId, store::StoredLead, time};

/// How much of a lead others are told.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Payload {
    /// Ids, service, source and status: nothing personal. Whoever wants more asks for it.
    #[default]
    Thin,
    /// The whole lead as well. For receivers that may have personal data.
    Full,
}

impl std::str::FromStr for Payload {
    type Err = UnknownPayload;

    fn from_str(text: &str) -> Result<Self, UnknownPayload> {
        match text {
            "thin" => Ok(Self::Thin),
            "full" => Ok(Self::Full),
            _ => Err(UnknownPayload),
        }
    }
}

/// The text names no [`Payload`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a payload: thin or full")]
pub struct UnknownPayload;

/// What others are told of an event: the body of a webhook's request, and a feed's item.
#[derive(Serialize)]
pub(crate) struct Body<'a> {
    r#type: EventType,
    timestamp: String,
    data: Data<'a>,
}

impl<'a> Body<'a> {
    pub(crate) fn of(event: &'a Event, subject: &'a Subject, payload: Payload) -> Self {
        let lead = &subject.lead;
        Self {
            r#type: event.event_type,
            timestamp: time::format(event.occurred_at),
            data: Data {
                lead_id: lead.id,
                request_id: lead.request_id,
                sequence: event.sequence,
                service: lead.service.as_deref(),
                source: &lead.source,
                status: &lead.status,
                earlier_leads: subject.earlier_leads,
                moved: Moved::of(event),
                lead: (payload == Payload::Full && lead.erased_at_utc.is_none()).then(|| Lead::of(lead)),
            },
        }
    }
}

/// What others are told of a checkpoint: the body of a webhook's request. Nothing in it is of a person.
#[derive(Serialize)]
#[cfg(feature = "outbox")]
pub(super) struct CheckpointBody<'a> {
    r#type: &'static str,
    timestamp: String,
    data: CheckpointData<'a>,
}

#[cfg(feature = "outbox")]
impl<'a> CheckpointBody<'a> {
    pub(super) fn of(delivery: &'a CheckpointDelivery) -> Self {
        Self {
            r#type: AUDIT_CHECKPOINT,
            timestamp: time::format(time::now()),
            data: CheckpointData { size: delivery.size, checkpoint: &delivery.checkpoint },
        }
    }
}

#[derive(Serialize)]
#[cfg(feature = "outbox")]
struct CheckpointData<'a> {
    size: u64,
    checkpoint: &'a str,
}

#[derive(Serialize)]
struct Data<'a> {
    lead_id: LeadId,
    request_id: Uuid,
    sequence: u64,
    service: Option<&'a str>,
    source: &'a str,
    status: &'a str,
    earlier_leads: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    moved: Option<Moved<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    lead: Option<Lead<'a>>,
}

/// From which status to which a lead was moved.
#[derive(Serialize)]
struct Moved<'a> {
    from: &'a str,
    to: &'a str,
}

impl<'a> Moved<'a> {
    fn of(event: &'a Event) -> Option<Self> {
        Some(Self { from: event.from.as_deref()?, to: event.to.as_deref()? })
    }
}

/// The whole lead.
#[derive(Serialize)]
struct Lead<'a> {
    name: &'a str,
    email: &'a str,
    phone: Option<&'a str>,
    company: Option<&'a str>,
    message: &'a str,
    consent: bool,
    received_at: String,
    meta: Option<Value>,
}

impl<'a> Lead<'a> {
    fn of(lead: &'a StoredLead) -> Self {
        Self {
            name: &lead.name,
            email: &lead.email,
            phone: lead.phone.as_deref(),
            company: lead.company.as_deref(),
            message: &lead.message,
            consent: lead.consent,
            received_at: time::format(lead.created_at_utc),
            meta: lead.meta_for_others(),
        }
    }
}
