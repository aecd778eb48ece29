//! The conformance suite for [`LeadOutbox`]: numbers, fan-out, claims, settlements, replay.
//!
//! [`outbox_conformance!`](crate::outbox_conformance) makes each case a test of its own, on a fresh store, as
//! [`store_conformance!`](crate::store_conformance) does.

mod deliveries;
mod events;

use std::{sync::Arc, time::Duration};

pub use self::{deliveries::*, events::*};
use super::{body, parse};
use crate::{
    audit::Actor,
    inbox::InboxExt,
    lead::{LeadId, LeadStatus},
    outbox::{Claim, Delivery, Event, Settled, Settlement, Subscription},
    store::{Insertion, LeadOutbox, NewLead},
};

/// A store under test.
pub type Outbox = Arc<dyn LeadOutbox>;

macro_rules! cases {
    ($($name:ident)*) => {
        /// The names of all cases, so that nobody can run fewer unnoticed.
        pub const CASES: &[&str] = &[$(stringify!($name)),*];

        /// Makes each case of the suite a test. Takes an async function without arguments that answers a fresh store,
        /// and whatever has to live as long as it does.
        #[macro_export]
        macro_rules! outbox_conformance {
            ($fresh:path) => {
                $(
                    #[tokio::test(flavor = "multi_thread")]
                    async fn $name() {
                        let (store, _guard) = $fresh().await;
                        $crate::testing::outbox::$name(store).await;
                    }
                )*
            };
        }
    };
}

cases! {
    each_audit_row_is_numbered_once
    writers_and_sequencers_at_once_lose_nothing
    nobody_is_told_of_a_lead_in_quarantine
    nobody_is_told_of_who_reads
    events_are_read_from_a_place_on
    a_new_destination_is_sent_what_happens_from_then_on
    each_event_is_entered_once_for_a_destination
    a_destination_is_sent_what_it_wants
    a_delivery_is_handed_to_one_caller
    a_late_settlement_changes_nothing
    what_failed_is_due_again_and_counted
    of_one_lead_the_older_event_goes_first
    a_paused_destination_is_sent_nothing
    a_destination_rests_between_two_claims
    the_dead_are_kept_and_sent_again_on_demand
    what_arrived_is_forgotten_in_time
    a_destination_that_is_forgotten_leaves_nothing
    a_walk_over_what_is_due_goes_on_where_it_stopped
    a_queue_holds_nothing_of_a_person
    earlier_leads_of_an_address_are_counted
}

const DESTINATION: &str = "crm";

fn marie() -> Actor {
    Actor::new("marie").expect("a name")
}

fn to_crm() -> Subscription {
    Subscription { destination: DESTINATION.to_owned(), ..Subscription::default() }
}

/// A lead, varied.
async fn receive(store: &Outbox, vary: impl FnOnce(&mut serde_json::Value)) -> LeadId {
    let mut sent = body();
    vary(&mut sent);
    let new = NewLead::new(parse(&sent), Actor::SITE_INGEST);
    let id = new.id();
    assert_eq!(store.insert(&[new]).await.expect("insert"), [Insertion::Inserted]);
    id
}

async fn process(store: &Outbox, id: LeadId) {
    let (seen, to) = (LeadStatus::Received, LeadStatus::Processing);
    store.transition(id, seen, to, marie(), None).await.expect("moved");
}

/// Numbers all there is.
async fn sequence_all(store: &Outbox) {
    while store.sequence(100).await.expect("sequence") > 0 {}
}

async fn all_events(store: &Outbox) -> Vec<Event> {
    store.events(0, 10_000).await.expect("events")
}

/// Numbers, and enters for a destination, all there is.
async fn deliver_to(store: &Outbox, subscription: &Subscription) {
    sequence_all(store).await;
    while store.fan_out(subscription, 100).await.expect("fan_out") > 0 {}
}

fn claim(limit: u32, lease: Duration) -> Claim {
    Claim { destination: DESTINATION.to_owned(), limit, lease, after: None, pause: Duration::ZERO }
}

/// Claims for longer than a test takes.
async fn claim_all(store: &Outbox) -> Vec<Delivery> {
    store.claim(&claim(10_000, Duration::from_secs(600))).await.expect("claim")
}

fn settled(delivery: &Delivery, result: Settled) -> Settlement {
    Settlement {
        destination: delivery.destination.clone(),
        sequence: delivery.event.sequence,
        claim: delivery.claim,
        result,
        status: Some(200),
    }
}

async fn settle(store: &Outbox, delivery: &Delivery, result: Settled) -> u32 {
    store.settle(&[settled(delivery, result)]).await.expect("settle")
}

fn sequences(deliveries: &[Delivery]) -> Vec<u64> {
    deliveries.iter().map(|delivery| delivery.event.sequence).collect()
}
