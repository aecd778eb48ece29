use std::{collections::HashSet, sync::Arc, time::Duration};

use tokio::task::JoinSet;

use super::{
    DESTINATION, Outbox, claim, claim_all, deliver_to, marie, process, receive, sequence_all, sequences, settle,
    settled, to_crm,
};
use crate::{
    inbox::{InboxExt, Target},
    outbox::{Claim, DeliveryFilter, DeliveryState, Settled, Subscription},
    time,
};

async fn with_leads(store: &Outbox, leads: usize) {
    store.subscribe("crm").await.expect("subscribe");
    for _ in 0..leads {
        receive(store, |_| ()).await;
    }
    deliver_to(store, &to_crm()).await;
}

fn all() -> DeliveryFilter {
    DeliveryFilter::default()
}

/// Of those who claim at once, one gets it; once its lease is over, it is due again.
pub async fn a_delivery_is_handed_to_one_caller(store: Outbox) {
    with_leads(&store, 20).await;
    let mut tasks = JoinSet::new();
    for _ in 0..4 {
        let store = Arc::clone(&store);
        tasks.spawn(async move {
            let mut mine = Vec::new();
            for _ in 0..10 {
                mine.extend(store.claim(&claim(3, Duration::from_secs(600))).await.expect("claim"));
            }
            mine
        });
    }
    let claimed = tasks.join_all().await.concat();
    let numbers = sequences(&claimed);
    assert_eq!(numbers.iter().collect::<HashSet<_>>().len(), numbers.len(), "handed out twice");
    assert_eq!(numbers.len(), 20);
    assert!(claimed.iter().all(|delivery| (delivery.attempt, delivery.claim) == (1, 1)));
    assert_eq!(claim_all(&store).await, [], "all are taken");

    // One whose lease is over is due again.
    receive(&store, |_| ()).await;
    deliver_to(&store, &to_crm()).await;
    let short = store.claim(&claim(1, Duration::from_millis(1))).await.expect("claim");
    assert_eq!(short.len(), 1);
    let again = loop {
        let again = claim_all(&store).await;
        if !again.is_empty() {
            break again;
        }
        tokio::task::yield_now().await;
    };
    assert_eq!((sequences(&again), again[0].attempt, again[0].claim), (sequences(&short), 2, 2));
}

/// A worker that was thought lost comes back: the claim made since counts, not its own.
pub async fn a_late_settlement_changes_nothing(store: Outbox) {
    with_leads(&store, 1).await;
    let late = store.claim(&claim(1, Duration::ZERO)).await.expect("claim").remove(0);
    let current = claim_all(&store).await.remove(0);
    for result in [Settled::Delivered, Settled::Dead, Settled::Retry(Duration::ZERO)] {
        assert_eq!(settle(&store, &late, result).await, 0, "a late settlement counts");
    }
    assert_eq!(claim_all(&store).await, [], "it is taken still");
    assert_eq!(settle(&store, &current, Settled::Delivered).await, 1);
    assert_eq!(settle(&store, &current, Settled::Dead).await, 0, "settled for good");
    let records = store.deliveries(&all(), None, 10).await.expect("deliveries");
    assert_eq!((records[0].state, records[0].last_status), (DeliveryState::Delivered, Some(200)));
}

/// With the delay that was asked for.
pub async fn what_failed_is_due_again_and_counted(store: Outbox) {
    with_leads(&store, 2).await;
    for attempt in 1..=3 {
        let claimed = claim_all(&store).await;
        assert_eq!(claimed.iter().map(|delivery| delivery.attempt).collect::<Vec<_>>(), [attempt; 2]);
        let results =
            claimed.iter().map(|delivery| settled(delivery, Settled::Retry(Duration::ZERO))).collect::<Vec<_>>();
        assert_eq!(store.settle(&results).await.expect("settle"), 2);
    }
    let claimed = claim_all(&store).await;
    let results: Vec<_> =
        claimed.iter().map(|delivery| settled(delivery, Settled::Retry(Duration::from_secs(600)))).collect();
    store.settle(&results).await.expect("settle");
    assert_eq!(claim_all(&store).await, [], "not before its time");
    let records = store.deliveries(&all(), None, 10).await.expect("deliveries");
    let now = time::now();
    for record in records {
        let wait = (record.due_at - now).num_seconds();
        assert!((500..=600).contains(&wait), "due in {wait} s");
        assert_eq!((record.state, record.attempts), (DeliveryState::Due, 4));
    }
}

/// Until it is settled for good.
pub async fn of_one_lead_the_older_event_goes_first(store: Outbox) {
    store.subscribe("crm").await.expect("subscribe");
    let id = receive(&store, |_| ()).await;
    process(&store, id).await;
    store.erase(Target::Lead(id), marie(), None).await.expect("erased");
    deliver_to(&store, &to_crm()).await;
    let first = claim_all(&store).await;
    assert_eq!(sequences(&first), [1], "the older event goes first");
    assert_eq!(claim_all(&store).await, [], "while it is under way, the others wait");
    settle(&store, &first[0], Settled::Retry(Duration::ZERO)).await;
    let again = claim_all(&store).await;
    assert_eq!(sequences(&again), [1], "the older event goes first");
    settle(&store, &again[0], Settled::Dead).await;
    let second = claim_all(&store).await;
    assert_eq!(sequences(&second), [2], "one that is given up stands in nobody's way");
    settle(&store, &second[0], Settled::Delivered).await;
    assert_eq!(sequences(&claim_all(&store).await), [3]);
}

/// Until it is taken up again.
pub async fn a_paused_destination_is_sent_nothing(store: Outbox) {
    with_leads(&store, 2).await;
    assert!(store.pause("crm", true).await.expect("pause"));
    assert!(!store.pause("crm", true).await.expect("pause"), "it is paused already");
    assert!(!store.pause("nobody", true).await.expect("pause"), "nobody knows it");
    assert_eq!(claim_all(&store).await, [], "paused");
    receive(&store, |_| ()).await;
    deliver_to(&store, &to_crm()).await;
    let status = store.destinations().await.expect("destinations").remove(0);
    assert_eq!((status.destination.as_str(), status.position, status.due, status.dead), ("crm", 3, 3, 0));
    assert!(status.paused_at.is_some() && status.oldest_due.is_some());
    assert!(store.pause("crm", false).await.expect("resume"));
    assert_eq!(claim_all(&store).await.len(), 3, "what came meanwhile was kept");
}

/// So that somebody gets one mail, and not one for each lead.
pub async fn a_destination_rests_between_two_claims(store: Outbox) {
    store.subscribe("crm").await.expect("subscribe");
    let resting = Claim { pause: Duration::from_secs(600), ..claim(10, Duration::from_secs(600)) };
    assert_eq!(store.claim(&resting).await.expect("claim"), [], "nothing is due");
    receive(&store, |_| ()).await;
    deliver_to(&store, &to_crm()).await;
    assert_eq!(store.claim(&resting).await.expect("claim").len(), 1, "a claim of nothing starts no rest");
    receive(&store, |_| ()).await;
    deliver_to(&store, &to_crm()).await;
    assert_eq!(store.claim(&resting).await.expect("claim"), [], "it rests");
}

/// They are due again, and count from the start.
pub async fn the_dead_are_kept_and_sent_again_on_demand(store: Outbox) {
    with_leads(&store, 3).await;
    let claimed = claim_all(&store).await;
    settle(&store, &claimed[0], Settled::Delivered).await;
    settle(&store, &claimed[1], Settled::Dead).await;
    let status = store.destinations().await.expect("destinations").remove(0);
    assert_eq!((status.due, status.dead), (1, 1));
    let dead = DeliveryFilter { state: Some(DeliveryState::Dead), ..all() };
    let records = store.deliveries(&dead, None, 10).await.expect("deliveries");
    assert_eq!(records.iter().map(|record| record.event.sequence).collect::<Vec<_>>(), sequences(&claimed[1..2]));

    assert_eq!(
        store.replay(&DeliveryFilter { destination: Some("nobody".to_owned()), ..all() }).await.expect("replay"),
        0
    );
    assert_eq!(store.replay(&dead).await.expect("replay"), 1);
    assert_eq!(settle(&store, &claimed[1], Settled::Delivered).await, 1, "the claim stands until the next");
    assert_eq!(store.replay(&all()).await.expect("replay"), 2, "what is due already stays as it is");
    let mut again = claim_all(&store).await;
    again.sort_by_key(|delivery| delivery.event.sequence);
    assert_eq!(sequences(&again), sequences(&claimed[..2]));
    assert!(again.iter().all(|delivery| (delivery.attempt, delivery.claim) == (1, 2)), "{again:?}");
    let lead = DeliveryFilter { lead_id: Some(claimed[2].event.lead_id), ..all() };
    assert_eq!(store.deliveries(&lead, None, 10).await.expect("deliveries").len(), 1);
    let later = DeliveryFilter { since: Some(time::now() + chrono::TimeDelta::hours(1)), ..all() };
    assert_eq!(store.deliveries(&later, None, 10).await.expect("deliveries"), []);
}

/// What was given up is not.
pub async fn what_arrived_is_forgotten_in_time(store: Outbox) {
    with_leads(&store, 4).await;
    let claimed = claim_all(&store).await;
    for (delivery, result) in claimed.iter().zip([Settled::Delivered, Settled::Skipped, Settled::Dead]) {
        settle(&store, delivery, result).await;
    }
    assert_eq!(store.forget_delivered(time::now() - chrono::TimeDelta::hours(1)).await.expect("forget"), 0);
    assert_eq!(store.forget_delivered(time::now() + chrono::TimeDelta::hours(1)).await.expect("forget"), 2);
    let left = store.deliveries(&all(), None, 10).await.expect("deliveries");
    let states: Vec<_> = left.iter().map(|record| record.state).collect();
    assert_eq!(states, [DeliveryState::Dead, DeliveryState::Due]);
    deliver_to(&store, &to_crm()).await;
    assert_eq!(store.deliveries(&all(), None, 10).await.expect("deliveries").len(), 2, "and does not come back");
}

/// By place, in the order of coming due; and a list for operators by number.
pub async fn a_walk_over_what_is_due_goes_on_where_it_stopped(store: Outbox) {
    with_leads(&store, 10).await;
    let (mut seen, mut after) = (Vec::new(), None);
    loop {
        let some = Claim { after, ..claim(3, Duration::from_secs(600)) };
        let claimed = store.claim(&some).await.expect("claim");
        let Some(last) = claimed.last() else { break };
        after = Some(last.place);
        seen.extend(sequences(&claimed));
    }
    assert_eq!(seen, (1..=10).collect::<Vec<_>>());

    let (mut listed, mut after) = (Vec::new(), None::<(u64, String)>);
    loop {
        let place = after.as_ref().map(|(sequence, name)| (*sequence, name.as_str()));
        let page = store.deliveries(&all(), place, 4).await.expect("deliveries");
        let Some(last) = page.last() else { break };
        after = Some((last.event.sequence, last.destination.clone()));
        listed.extend(page.iter().map(|record| record.event.sequence));
    }
    assert_eq!(listed, seen);
}

/// What is to be said of a lead is read when it is sent: after an erasure, that is nothing.
pub async fn a_queue_holds_nothing_of_a_person(store: Outbox) {
    store.subscribe("crm").await.expect("subscribe");
    let id = receive(&store, |sent| sent["name"] = "CANARY Dupont".into()).await;
    deliver_to(&store, &to_crm()).await;
    let claimed = claim_all(&store).await;
    store.erase(Target::Lead(id), marie(), None).await.expect("erased");
    let subject = store.subjects(&[id, claimed[0].event.lead_id]).await.expect("subjects").remove(0);
    assert!(subject.lead.erased_at_utc.is_some() && subject.lead.name.is_empty());
    assert_eq!(subject.earlier_leads, 0);
    let records = store.deliveries(&all(), None, 10).await.expect("deliveries");
    assert!(!format!("{claimed:?} {records:?}").contains("CANARY"));
    assert_eq!(
        store.subjects(&[crate::LeadId::from_uuid(uuid::Uuid::now_v7())]).await.expect("subjects"),
        [],
        "nobody knows it"
    );
}

/// In any case of letters, those left out that are erased, in quarantine or of another source.
pub async fn earlier_leads_of_an_address_are_counted(store: Outbox) {
    let from = |email: &'static str| move |sent: &mut serde_json::Value| sent["email"] = email.into();
    let mut ids = Vec::new();
    for email in ["anne@example.com", "ANNE@example.com", "jean@example.com", "anne@EXAMPLE.com"] {
        ids.push(receive(&store, from(email)).await);
    }
    let elsewhere = receive(&store, |sent| {
        sent["email"] = "anne@example.com".into();
        sent["meta"]["source"] = "partner.example".into();
    });
    let elsewhere = elsewhere.await;
    let in_quarantine = |sent: &mut serde_json::Value| {
        sent["email"] = "anne@example.com".into();
        sent["meta"]["suspicion"] = serde_json::json!(["honeypot"]);
    };
    receive(&store, in_quarantine).await;
    ids.push(receive(&store, from("anne@example.com")).await);
    let earlier = async |id| store.subjects(&[id]).await.expect("subjects").remove(0).earlier_leads;
    assert_eq!((earlier(ids[0]).await, earlier(ids[1]).await), (0, 1));
    assert_eq!((earlier(ids[2]).await, earlier(ids[3]).await), (0, 2));
    assert_eq!((earlier(elsewhere).await, earlier(ids[4]).await), (0, 3));
    store.erase(Target::Lead(ids[0]), marie(), None).await.expect("erased");
    assert_eq!(earlier(ids[3]).await, 1);
}

/// Of another, all stays. Known anew, it is told what happens from then on.
pub async fn a_destination_that_is_forgotten_leaves_nothing(store: Outbox) {
    with_leads(&store, 3).await;
    let claimed = claim_all(&store).await;
    settle(&store, &claimed[0], Settled::Dead).await;
    let other = Subscription { destination: "other".to_owned(), ..Subscription::default() };
    store.subscribe("other").await.expect("subscribe");
    receive(&store, |_| ()).await;
    sequence_all(&store).await;
    assert_eq!(store.fan_out(&other, 10).await.expect("fan_out"), 1);
    assert!(store.unsubscribe(DESTINATION).await.expect("unsubscribe"));
    assert!(!store.unsubscribe(DESTINATION).await.expect("unsubscribe"), "it is not known any more");
    assert_eq!(store.fan_out(&to_crm(), 10).await.expect("fan_out"), 0);
    let left = store.deliveries(&all(), None, 10).await.expect("deliveries");
    assert_eq!(left.iter().map(|record| record.destination.as_str()).collect::<Vec<_>>(), ["other"]);
    assert_eq!(settle(&store, &claimed[1], Settled::Delivered).await, 0, "what was under way counts no more");
    store.subscribe(DESTINATION).await.expect("subscribe");
    assert_eq!(store.fan_out(&to_crm(), 10).await.expect("fan_out"), 0, "what was before is not told");
}
