use std::time::Duration;

use async_trait::async_trait;
use chrono::{DateTime, Utc};

use super::{LeadInbox, StoreError};
use crate::{
    lead::LeadId,
    outbox::{
        CheckpointDelivery, Claim, Delivery, DeliveryFilter, DeliveryRecord, DestinationStatus, Event, Settlement,
        Subject, Subscription,
    },
};

/// Keeps what others are to be told of leads: events in the order of commits, and their deliveries.
///
/// # Contract
///
/// **Events are audit rows.** Whoever wrote a row, in whatever program, it gets exactly one sequence number, by
/// [`sequence`](Self::sequence): after it was committed, and after every event of the same lead that was committed before it.
/// Rows that are older than the tables of this trait get none.
///
/// **Deliveries** are unique by destination and event. [`claim`](Self::claim) hands each to one caller at a time;
/// [`settle`](Self::settle) counts only where no later claim was made. No row of a delivery holds anything of a lead but its id.
///
/// **Checkpoints** of the audit log go to destinations too, each to those that ask for them by
/// [`claim_checkpoint`](Self::claim_checkpoint): there is no queue, since the last one says what those before it said.
///
/// **Cancellation** as in [`LeadStore`](crate::LeadStore)'s contract.
#[async_trait]
pub trait LeadOutbox: LeadInbox {
    /// Numbers audit rows that have no number yet: up to so many, and others of the same leads. Returns how many it numbered:
    /// fewer than asked for where there are no more. Waits for another process that is at it. Behind
    /// a dump that was restored in another cluster it looks at all rows once: at some hundred thousand a second.
    ///
    /// # Errors
    /// [`StoreError`] where the database does not answer.
    async fn sequence(&self, limit: u32) -> Result<u32, StoreError>;

    /// Events behind a sequence number, in order, up to so many.
    ///
    /// # Errors
    /// [`StoreError`] where the database does not answer.
    async fn events(&self, after: u64, limit: u32) -> Result<Vec<Event>, StoreError>;

    /// The last sequence number that was given.
    ///
    /// # Errors
    /// [`StoreError`] where the database does not answer.
    async fn last_sequence(&self) -> Result<u64, StoreError>;

    /// Enters a destination where it is not known. It is sent what is numbered from now on: [`sequence`](Self::sequence) what
    /// there is first.
    ///
    /// # Errors
    /// [`StoreError`] where the database does not answer.
    async fn subscribe(&self, destination: &str) -> Result<(), StoreError>;

    /// Forgets a destination, with whatever waits for it or was given up. Returns whether it was known. A dispatcher that still has it
    /// enters it anew once it is started again: take it out of the configuration first.
    ///
    /// # Errors
    /// [`StoreError`] where the database does not answer; then some of its deliveries may be gone already.
    async fn unsubscribe(&self, destination: &str) -> Result<bool, StoreError>;

    /// Enters deliveries of events that a destination has not been looked at for, up to so many events. Returns how many events
    /// it looked at: fewer than asked for where there are no more, none where the destination is not known.
    ///
    /// # Errors
    /// [`StoreError`] where the database does not answer.
    async fn fan_out(&self, subscription: &Subscription, limit: u32) -> Result<u32, StoreError>;

    /// Takes deliveries that are due, the longest due first. Of one lead, an event is handed out only once the older ones are
    /// settled for good. A destination that is paused gets none.
    ///
    /// # Errors
    /// [`StoreError`] where the database does not answer.
    async fn claim(&self, claim: &Claim) -> Result<Vec<Delivery>, StoreError>;

    /// Notes what became of attempts. Returns how many counted.
    ///
    /// # Errors
    /// [`StoreError`] where the database does not answer: then none of them counts.
    async fn settle(&self, settlements: &[Settlement]) -> Result<u32, StoreError>;

    /// Takes the last checkpoint of the audit log for a destination, unless one of as many entries arrived there, or it is paused, or it
    /// rests still. Nobody else gets one for it while the lease lasts.
    ///
    /// # Errors
    /// [`StoreError`] where the database does not answer.
    async fn claim_checkpoint(
        &self,
        destination: &str,
        lease: Duration,
    ) -> Result<Option<CheckpointDelivery>, StoreError>;

    /// Notes whether a checkpoint arrived, and lets the destination rest. Returns whether that counted: not where it was claimed again
    /// since.
    ///
    /// # Errors
    /// [`StoreError`] where the database does not answer: then it is sent again.
    async fn settle_checkpoint(
        &self,
        delivery: &CheckpointDelivery,
        has_arrived: bool,
        rest: Duration,
    ) -> Result<bool, StoreError>;

    /// Leads as they are now, in no particular order. Those that are not there are left out.
    ///
    /// # Errors
    /// [`StoreError`] where the database does not answer.
    async fn subjects(&self, ids: &[LeadId]) -> Result<Vec<Subject>, StoreError>;

    /// Stops sending to a destination, or goes on. Returns whether that changed anything.
    ///
    /// # Errors
    /// [`StoreError`] where the database does not answer.
    async fn pause(&self, destination: &str, is_paused: bool) -> Result<bool, StoreError>;

    /// How each destination stands, by name.
    ///
    /// # Errors
    /// [`StoreError`] where the database does not answer.
    async fn destinations(&self) -> Result<Vec<DestinationStatus>, StoreError>;

    /// Deliveries that a filter shows, by sequence number and destination, up to so many, behind one of them.
    ///
    /// # Errors
    /// [`StoreError`] where the database does not answer.
    async fn deliveries(
        &self,
        filter: &DeliveryFilter,
        after: Option<(u64, &str)>,
        limit: u32,
    ) -> Result<Vec<DeliveryRecord>, StoreError>;

    /// Makes deliveries that a filter shows due again at once, and their attempts count from the start; those that are due
    /// already stay as they are. Returns how many.
    ///
    /// # Errors
    /// [`StoreError`] where the database does not answer; then some of them may be due already.
    async fn replay(&self, filter: &DeliveryFilter) -> Result<u64, StoreError>;

    /// Removes deliveries that arrived, or were skipped, before an instant. Returns how many.
    ///
    /// # Errors
    /// [`StoreError`] where the database does not answer.
    async fn forget_delivered(&self, before: DateTime<Utc>) -> Result<u64, StoreError>;
}
