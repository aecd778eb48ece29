//! Who is told of a lead, and how: events in the order of commits, and their deliveries.
//!
//! Whatever is told was audited first, in the transaction that did it: the ingest path pays nothing for it, rows that other
//! programs write are told too, and nothing is told that did not happen.
//! [`LeadOutbox`](crate::LeadOutbox) is what a store implements. With the feature `outbox`, a
#![cfg_attr(feature = "outbox", doc = "[`Dispatcher`]")]
#![cfg_attr(not(feature = "outbox"), doc = "`Dispatcher`")]
//! sends the deliveries.

mod body;
mod delivery;
#[cfg(feature = "outbox")]
mod destination;
#[cfg(feature = "outbox")]
mod dispatcher;
mod event;
#[cfg(feature = "outbox")]
#[cfg_attr(docsrs, doc(cfg(feature = "outbox")))]
pub mod mail;
#[cfg(feature = "outbox")]
mod message;
#[cfg(feature = "outbox")]
mod metrics;
#[cfg(feature = "outbox")]
mod schedule;
#[cfg(feature = "outbox")]
#[cfg_attr(docsrs, doc(cfg(feature = "outbox")))]
pub mod signature;
#[cfg(feature = "outbox")]
mod webhook;

pub(crate) use self::body::Body;
pub use self::{
    body::{Payload, UnknownPayload},
    delivery::{
        CheckpointDelivery, Claim, Delivery, DeliveryFilter, DeliveryRecord, DeliveryState, DestinationStatus,
        MAX_EARLIER_LEADS, Place, Settled, Settlement, Subject, Subscription, UnknownDeliveryState,
    },
    event::{AUDIT_CHECKPOINT, AuditedEvent, Event, EventType, UnknownEventType},
};
#[cfg(feature = "outbox")]
#[cfg_attr(docsrs, doc(cfg(feature = "outbox")))]
pub use self::{
    destination::{Attempt, AttemptOutcome, Destination},
    dispatcher::{Dispatcher, DispatcherBuilder},
    message::Message,
    schedule::Schedule,
    signature::{SigningKey, VerifyingKey},
    webhook::{InvalidWebhook, Webhook},
};
