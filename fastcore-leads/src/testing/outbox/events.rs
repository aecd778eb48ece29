use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
};

use tokio::task::JoinSet;
use uuid::Uuid;

use super::{Outbox, all_events, claim_all, deliver_to, marie, process, receive, sequence_all, sequences, to_crm};
use crate::{
    inbox::{InboxExt, LeadFilter, Target},
    lead::{LeadId, LeadStatus, Service},
    outbox::{Event, EventType, Subscription},
};

/// Numbers follow on each other, each row has one, and of one lead they follow its trail.
pub async fn each_audit_row_is_numbered_once(store: Outbox) {
    let mut ids = Vec::new();
    for _ in 0..5 {
        let id = receive(&store, |_| ()).await;
        process(&store, id).await;
        ids.push(id);
    }
    store.withdraw_consent(ids[0], marie(), None).await.expect("withdrawn");
    store.erase(Target::Lead(ids[1]), marie(), None).await.expect("erased");
    let first = store.sequence(7).await.expect("sequence");
    assert!((7..=12).contains(&first), "as many as were asked for, and others of the same leads: {first}");
    assert_eq!(store.sequence(7).await.expect("sequence"), 12 - first, "and then the rest");
    assert_eq!(store.sequence(7).await.expect("sequence"), 0, "each once");

    let events = all_events(&store).await;
    assert_eq!(events.iter().map(|event| event.sequence).collect::<Vec<_>>(), (1..=12).collect::<Vec<_>>());
    assert_eq!(store.last_sequence().await.expect("last"), 12);
    assert_follows_trails(&store, &events, &ids).await;
    let types = |id: LeadId| -> Vec<_> {
        events.iter().filter(|event| event.lead_id == id).map(|event| event.event_type).collect()
    };
    assert_eq!(types(ids[0]), [EventType::Received, EventType::StatusChanged, EventType::ConsentWithdrawn]);
    assert_eq!(types(ids[1]), [EventType::Received, EventType::StatusChanged, EventType::Erased]);
    let moved = events.iter().find(|event| event.event_type == EventType::StatusChanged).expect("moved");
    assert_eq!((moved.from.as_deref(), moved.to.as_deref()), (Some("received"), Some("processing")));
}

/// Four who write, two who number: each row gets one number, and of a lead the older row the smaller one.
pub async fn writers_and_sequencers_at_once_lose_nothing(store: Outbox) {
    let mut writers = JoinSet::new();
    for _ in 0..4 {
        let store = Arc::clone(&store);
        writers.spawn(async move {
            let mut ids = Vec::new();
            for i in 0..15 {
                let id = receive(&store, |_| ()).await;
                if i % 3 == 0 {
                    process(&store, id).await;
                }
                ids.push(id);
            }
            ids
        });
    }
    let (done, is_done) = tokio::sync::watch::channel(false);
    let mut sequencers = JoinSet::new();
    for _ in 0..2 {
        let (store, is_done) = (Arc::clone(&store), is_done.clone());
        sequencers.spawn(async move {
            while !*is_done.borrow() {
                store.sequence(10).await.expect("sequence");
                tokio::task::yield_now().await;
            }
        });
    }
    let ids: Vec<LeadId> = writers.join_all().await.concat();
    done.send_replace(true);
    sequencers.join_all().await;
    sequence_all(&store).await;
    let events = all_events(&store).await;
    assert_eq!(events.len(), 80);
    assert_eq!(events.iter().map(|event| event.sequence).collect::<Vec<_>>(), (1..=80).collect::<Vec<_>>());
    assert_follows_trails(&store, &events, &ids).await;
}

/// Each row of the trails is an event, in the trail's order.
async fn assert_follows_trails(store: &Outbox, events: &[Event], ids: &[LeadId]) {
    let mut of_lead: HashMap<LeadId, Vec<Uuid>> = HashMap::new();
    for event in events {
        of_lead.entry(event.lead_id).or_default().push(event.audit_id);
    }
    for id in ids {
        let trail = store.audit_trail(*id).await.expect("audit_trail");
        let expected: Vec<_> = trail.iter().map(|record| record.id).collect();
        assert_eq!(of_lead.get(id), Some(&expected), "each row is told once, in the order of the trail");
    }
}

/// What somebody reads, and what they take with them, is noted and numbered; but nobody is told.
pub async fn nobody_is_told_of_who_reads(store: Outbox) {
    let id = receive(&store, |_| ()).await;
    let lead = store.get(id).await.expect("get").expect("it is there");
    store.note_revealed(&[lead], &marie()).await.expect("noted");
    store.note_exported(&LeadFilter::default(), "csv", &marie()).await.expect("noted");
    process(&store, id).await;
    sequence_all(&store).await;
    assert_eq!(store.last_sequence().await.expect("last"), 4);
    let told: Vec<_> = all_events(&store).await.iter().map(|event| event.event_type).collect();
    assert_eq!(told, [EventType::Received, EventType::StatusChanged]);
}

/// Neither its coming nor its end is told, unless it was released.
pub async fn nobody_is_told_of_a_lead_in_quarantine(store: Outbox) {
    let suspicious = |sent: &mut serde_json::Value| sent["meta"]["suspicion"] = serde_json::json!(["honeypot"]);
    let spam = receive(&store, suspicious).await;
    store.erase(Target::Lead(spam), marie(), None).await.expect("erased");
    let archived = receive(&store, suspicious).await;
    let seen = LeadStatus::Quarantined;
    store.transition(archived, seen, LeadStatus::Archived, marie(), None).await.expect("archived");
    let real = receive(&store, suspicious).await;
    sequence_all(&store).await;
    assert_eq!(all_events(&store).await, [], "nothing is told of what is held back");
    assert_eq!(store.last_sequence().await.expect("last"), 5);

    store.release(real, marie(), None).await.expect("released");
    process(&store, real).await;
    store.erase(Target::Lead(real), marie(), None).await.expect("erased");
    sequence_all(&store).await;
    let told: Vec<_> = all_events(&store).await.iter().map(|event| (event.lead_id, event.event_type)).collect();
    let expected = [EventType::Released, EventType::StatusChanged, EventType::Erased].map(|kind| (real, kind));
    assert_eq!(told, expected);
}

/// A reader who remembers the last number it saw misses nothing, and sees nothing twice.
pub async fn events_are_read_from_a_place_on(store: Outbox) {
    for _ in 0..10 {
        receive(&store, |_| ()).await;
    }
    sequence_all(&store).await;
    let all = all_events(&store).await;
    let (mut seen, mut place) = (Vec::new(), 0);
    loop {
        let page = store.events(place, 3).await.expect("events");
        let Some(last) = page.last() else { break };
        place = last.sequence;
        seen.extend(page);
    }
    assert_eq!(seen, all);
}

/// What was before is not told to somebody who came later.
pub async fn a_new_destination_is_sent_what_happens_from_then_on(store: Outbox) {
    receive(&store, |_| ()).await;
    sequence_all(&store).await;
    assert_eq!(store.fan_out(&to_crm(), 100).await.expect("fan_out"), 0, "nobody knows it");
    store.subscribe("crm").await.expect("subscribe");
    let id = receive(&store, |_| ()).await;
    store.subscribe("crm").await.expect("again");
    deliver_to(&store, &to_crm()).await;
    let deliveries = claim_all(&store).await;
    assert_eq!(deliveries.iter().map(|delivery| delivery.event.lead_id).collect::<Vec<_>>(), [id]);
}

/// However many fan out at once.
pub async fn each_event_is_entered_once_for_a_destination(store: Outbox) {
    store.subscribe("crm").await.expect("subscribe");
    for _ in 0..30 {
        receive(&store, |_| ()).await;
    }
    sequence_all(&store).await;
    let mut tasks = JoinSet::new();
    for _ in 0..4 {
        let store = Arc::clone(&store);
        tasks.spawn(async move {
            for _ in 0..20 {
                store.fan_out(&to_crm(), 4).await.expect("fan_out");
            }
        });
    }
    tasks.join_all().await;
    deliver_to(&store, &to_crm()).await;
    let deliveries = claim_all(&store).await;
    let mut numbers = sequences(&deliveries);
    numbers.sort_unstable();
    assert_eq!(numbers, (1..=30).collect::<Vec<_>>(), "each event once");
    let audited: HashSet<_> = deliveries.iter().map(|delivery| delivery.event.audit_id).collect();
    assert_eq!(audited.len(), 30);
}

/// By event, by service, by site.
pub async fn a_destination_is_sent_what_it_wants(store: Outbox) {
    let wishes = [
        Subscription { services: vec![Service::Ponts], ..to_crm() },
        Subscription {
            destination: "others".to_owned(),
            sources: vec!["de.fast-techservices.com".to_owned(), "it's".to_owned()],
            events: vec![EventType::Received],
            ..Subscription::default()
        },
    ];
    for wish in &wishes {
        store.subscribe(&wish.destination).await.expect("subscribe");
    }
    let ponts = receive(&store, |sent| sent["service"] = "ponts".into()).await;
    let none = receive(&store, |sent| sent["service"] = serde_json::Value::Null).await;
    let german = receive(&store, |sent| {
        sent["service"] = "cabines".into();
        sent["meta"]["source"] = "de.fast-techservices.com".into();
    })
    .await;
    for id in [ponts, none, german] {
        process(&store, id).await;
    }
    for wish in &wishes {
        deliver_to(&store, wish).await;
    }
    let filter = crate::outbox::DeliveryFilter::default();
    let records = store.deliveries(&filter, None, 100).await.expect("deliveries");
    let mut sent: Vec<_> = records
        .iter()
        .map(|record| (record.destination.as_str(), record.event.lead_id, record.event.event_type))
        .collect();
    sent.sort();
    let (received, moved) = (EventType::Received, EventType::StatusChanged);
    assert_eq!(sent, [("crm", ponts, received), ("crm", ponts, moved), ("others", german, received)]);
}
