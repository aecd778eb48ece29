//! Who is told of a lead, and how: events in the order of commits, and their deliveries.
//!
//! Whatever is told was audited first, in the transaction that did it: the ingest path pays nothing for it, rows that other
//! programs write are told too, and nothing is told that did not happen.
//! [`LeadOutbox`](crate::LeadOutbox) is what a store implements.

mod delivery;
mod event;

pub use self::{
    delivery::{
        Claim, Delivery, DeliveryFilter, DeliveryRecord, DeliveryState, DestinationStatus, Place, Settled, Settlement,
        Subject, Subscription, UnknownDeliveryState,
    },
    event::{AuditedEvent, Event, EventType, UnknownEventType},
};
