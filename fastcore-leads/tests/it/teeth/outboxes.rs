use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use fastcore_leads::{
    LeadId, LeadInbox, LeadLog, LeadOutbox, LeadStore, MemoryLeadStore, StoreError,
    chrono::{DateTime, Utc},
    outbox::{
        CheckpointDelivery, Claim, Delivery, DeliveryFilter, DeliveryRecord, DestinationStatus, Event, EventType,
        Settlement, Subject, Subscription,
    },
    testing::{log, outbox},
};

use super::assert_failed_for;

#[derive(Clone, Copy, PartialEq)]
enum Fault {
    MissesALateRow,
    TellsOfTheQuarantine,
    FansOutForStrangers,
    IgnoresWishes,
    ClaimsWithoutALease,
    SettlesWhateverTheClaim,
    LosesASettlement,
    ForgetsAttempts,
    LetsTheYoungerGoFirst,
    SendsToThePaused,
    NeverRests,
    ForgetsTheDead,
    CountsTheErased,
}

struct Broken {
    inner: MemoryLeadStore,
    fault: Fault,
}

fastcore_leads::__delegate_store! { self => &self.inner; [impl LeadStore for Broken] }
fastcore_leads::__delegate_inbox! { self => &self.inner; [impl LeadInbox for Broken] }
fastcore_leads::__delegate_log! { self => &self.inner; [impl LeadLog for Broken] }

#[async_trait]
impl LeadOutbox for Broken {
    async fn sequence(&self, limit: u32) -> Result<u32, StoreError> {
        self.inner.sequence(limit).await
    }

    async fn events(&self, after: u64, limit: u32) -> Result<Vec<Event>, StoreError> {
        let mut events = self.inner.events(after, limit).await?;
        match self.fault {
            Fault::MissesALateRow if events.len() > 50 => {
                events.remove(40);
            }
            Fault::TellsOfTheQuarantine if events.is_empty() => {
                let lead_id = LeadId::from_uuid(uuid::Uuid::nil());
                let (event_type, occurred_at) = (EventType::Received, DateTime::<Utc>::MIN_UTC);
                let audit_id = uuid::Uuid::nil();
                events.push(Event { sequence: 1, audit_id, event_type, lead_id, occurred_at, from: None, to: None });
            }
            _ => {}
        }
        Ok(events)
    }

    async fn last_sequence(&self) -> Result<u64, StoreError> {
        self.inner.last_sequence().await
    }

    async fn subscribe(&self, destination: &str) -> Result<(), StoreError> {
        self.inner.subscribe(destination).await
    }

    async fn unsubscribe(&self, destination: &str) -> Result<bool, StoreError> {
        self.inner.unsubscribe(destination).await
    }

    async fn fan_out(&self, subscription: &Subscription, limit: u32) -> Result<u32, StoreError> {
        let mut subscription = subscription.clone();
        match self.fault {
            Fault::FansOutForStrangers if self.inner.destinations().await?.is_empty() => return Ok(1),
            Fault::IgnoresWishes => subscription.services.clear(),
            _ => {}
        }
        self.inner.fan_out(&subscription, limit).await
    }

    async fn claim(&self, claim: &Claim) -> Result<Vec<Delivery>, StoreError> {
        let mut claim = claim.clone();
        match self.fault {
            Fault::ClaimsWithoutALease => claim.lease = Duration::ZERO,
            Fault::NeverRests => claim.pause = Duration::ZERO,
            Fault::SendsToThePaused => {
                self.inner.pause(&claim.destination, false).await?;
            }
            _ => {}
        }
        let mut claimed = self.inner.claim(&claim).await?;
        match self.fault {
            Fault::ForgetsAttempts => claimed.iter_mut().for_each(|delivery| delivery.attempt = 1),
            Fault::LetsTheYoungerGoFirst => claimed.iter_mut().for_each(|delivery| delivery.event.sequence += 1),
            _ => {}
        }
        Ok(claimed)
    }

    async fn settle(&self, settlements: &[Settlement]) -> Result<u32, StoreError> {
        let mut settlements = settlements.to_vec();
        if self.fault == Fault::SettlesWhateverTheClaim {
            let current = self.inner.deliveries(&DeliveryFilter::default(), None, 100).await?;
            for settlement in &mut settlements {
                settlement.claim = current[0].attempts;
            }
        }
        if self.fault == Fault::LosesASettlement {
            settlements.pop();
        }
        self.inner.settle(&settlements).await
    }

    async fn claim_checkpoint(
        &self,
        destination: &str,
        lease: Duration,
    ) -> Result<Option<CheckpointDelivery>, StoreError> {
        let lease = if self.fault == Fault::ClaimsWithoutALease { Duration::ZERO } else { lease };
        self.inner.claim_checkpoint(destination, lease).await
    }

    async fn settle_checkpoint(
        &self,
        delivery: &CheckpointDelivery,
        has_arrived: bool,
        rest: Duration,
    ) -> Result<bool, StoreError> {
        let mut delivery = delivery.clone();
        match self.fault {
            Fault::SettlesWhateverTheClaim => delivery.claim = 2,
            Fault::LosesASettlement => return Ok(true),
            _ => {}
        }
        self.inner.settle_checkpoint(&delivery, has_arrived, rest).await
    }

    async fn subjects(&self, ids: &[LeadId]) -> Result<Vec<Subject>, StoreError> {
        let mut subjects = self.inner.subjects(ids).await?;
        if self.fault == Fault::CountsTheErased {
            subjects
                .iter_mut()
                .filter(|subject| subject.earlier_leads > 0)
                .for_each(|subject| subject.earlier_leads = 2);
        }
        Ok(subjects)
    }

    async fn pause(&self, destination: &str, is_paused: bool) -> Result<bool, StoreError> {
        self.inner.pause(destination, is_paused).await
    }

    async fn destinations(&self) -> Result<Vec<DestinationStatus>, StoreError> {
        self.inner.destinations().await
    }

    async fn deliveries(
        &self,
        filter: &DeliveryFilter,
        after: Option<(u64, &str)>,
        limit: u32,
    ) -> Result<Vec<DeliveryRecord>, StoreError> {
        self.inner.deliveries(filter, after, limit).await
    }

    async fn replay(&self, filter: &DeliveryFilter) -> Result<u64, StoreError> {
        if self.fault == Fault::ForgetsTheDead {
            return Ok(0);
        }
        self.inner.replay(filter).await
    }

    async fn forget_delivered(&self, before: DateTime<Utc>) -> Result<u64, StoreError> {
        self.inner.forget_delivered(before).await
    }
}

macro_rules! bites {
    ($($name:ident: $fault:ident in $suite:ident::$case:ident, $reason:literal;)*) => {
        $(
            #[tokio::test]
            async fn $name() {
                let store = Broken { inner: MemoryLeadStore::new(), fault: Fault::$fault };
                let result = tokio::spawn($suite::$case(Arc::new(store))).await;
                assert_failed_for(result, $reason);
            }
        )*
    };
}

bites! {
    a_late_row_that_is_missed: MissesALateRow in outbox::writers_and_sequencers_at_once_lose_nothing, "left: 79";
    a_quarantine_that_is_told_of: TellsOfTheQuarantine in outbox::nobody_is_told_of_a_lead_in_quarantine, "nothing is told";
    a_stranger_who_is_told: FansOutForStrangers in outbox::a_new_destination_is_sent_what_happens_from_then_on, "nobody knows it";
    wishes_that_nobody_minds: IgnoresWishes in outbox::a_destination_is_sent_what_it_wants, "left == right";
    a_claim_without_a_lease: ClaimsWithoutALease in outbox::a_delivery_is_handed_to_one_caller, "handed out twice";
    a_claim_without_fencing: SettlesWhateverTheClaim in outbox::a_late_settlement_changes_nothing, "a late settlement counts";
    a_lost_settlement: LosesASettlement in outbox::what_failed_is_due_again_and_counted, "left: 1";
    attempts_that_do_not_count: ForgetsAttempts in outbox::what_failed_is_due_again_and_counted, "left: [1, 1]";
    a_younger_event_that_goes_first: LetsTheYoungerGoFirst in outbox::of_one_lead_the_older_event_goes_first,
        "the older event goes first";
    a_pause_that_is_none: SendsToThePaused in outbox::a_paused_destination_is_sent_nothing, "paused";
    a_rest_that_is_none: NeverRests in outbox::a_destination_rests_between_two_claims, "it rests";
    dead_that_stay_dead: ForgetsTheDead in outbox::the_dead_are_kept_and_sent_again_on_demand, "left: 0";
    erased_leads_that_count: CountsTheErased in outbox::earlier_leads_of_an_address_are_counted, "left == right";
    a_checkpoint_without_a_lease: ClaimsWithoutALease in log::a_checkpoint_goes_to_each_destination_once, "handed out twice";
    a_checkpoint_whose_settlement_is_lost: LosesASettlement in log::a_checkpoint_goes_to_each_destination_once, "a newer one";
    a_checkpoint_without_fencing: SettlesWhateverTheClaim in log::a_checkpoint_that_did_not_arrive_is_sent_again, "a late settlement counts";
}
