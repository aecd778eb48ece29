//! What is kept of those who read, and what is counted.

use std::sync::Arc;

use chrono::{DurationRound, TimeDelta};
use serde_json::json;
use uuid::Uuid;

use super::{LeadInbox, LeadStatus, Store, body, get, in_status, insert, marie, parse, trail};
use crate::{
    audit::{Actor, AuditRecord, LEAD_REVEALED},
    inbox::{InboxExt, LeadFilter, LeadState, Tally, Target},
    lead::{LeadId, Service},
    time,
};

/// However often they look, and by however many connections at once; each lead and each reader by itself.
pub async fn who_reads_a_lead_is_noted_once_an_hour(store: Store) {
    let hour = || time::now().duration_trunc(TimeDelta::hours(1)).expect("an hour");
    // The next hour may begin in between: then once more, with other leads.
    for _ in 0..2 {
        let began = hour();
        let ids = [in_status(&store, LeadStatus::Received).await, in_status(&store, LeadStatus::Processing).await];
        let leads = [get(&store, ids[0]).await, get(&store, ids[1]).await];
        let (marie, jean) = (marie(), Actor::new("jean").expect("a name"));
        let look = |actor: &Actor| {
            let (store, leads, actor) = (Arc::clone(&store), leads.clone(), actor.clone());
            async move { store.note_revealed(&leads, &actor).await.expect("noted") }
        };
        tokio::join!(look(&marie), look(&marie), look(&jean), look(&marie), look(&jean));
        look(&marie).await;
        if hour() != began {
            continue;
        }
        for id in ids {
            let trail = trail(&store, id).await;
            LeadState::from_trail(&trail).expect("the trail is whole");
            let revealed = trail.iter().filter(|record| record.event == LEAD_REVEALED);
            let mut readers: Vec<_> = revealed.map(|record| record.actor.as_str()).collect();
            readers.sort_unstable();
            assert_eq!(readers, ["jean", "marie"], "each reader once");
        }
        store
            .transition(ids[0], LeadStatus::Received, LeadStatus::Processing, marie.clone(), None)
            .await
            .expect("moved");
        store.erase(Target::Lead(ids[0]), marie.clone(), None).await.expect("erased");
        let (erased, rows) = (get(&store, ids[0]).await, trail(&store, ids[0]).await.len());
        store.note_revealed(&[erased], &Actor::new("paul").expect("a name")).await.expect("noted");
        assert_eq!(trail(&store, ids[0]).await.len(), rows, "of an erased lead there is nothing to see");
        return;
    }
    panic!("two hours went by");
}

/// Also where others come with it.
pub async fn a_row_that_is_there_is_left_as_it_is(store: Store) {
    let lead = get(&store, in_status(&store, LeadStatus::Received).await).await;
    let row = |id: Uuid, word: &str| {
        let (event, actor) = (LEAD_REVEALED.to_owned(), Some("marie".to_owned()));
        let details = Some(json!({ "to": word }));
        AuditRecord::new(id, time::now(), event, actor, Some(lead.id.as_uuid()), lead.request_id, None, details)
    };
    let (first, second) = (Uuid::now_v7(), Uuid::now_v7());
    store.append(&[row(first, "first")]).await.expect("appended");
    store.append(&[row(first, "again"), row(second, "second"), row(second, "twice")]).await.expect("appended");
    store.append(&[]).await.expect("nothing to append");
    let words: Vec<_> =
        trail(&store, lead.id).await.iter().skip(1).map(|record| record.details["to"].clone()).collect();
    assert_eq!(words, ["first", "second"]);
    store.note_exported(&LeadFilter::default(), "csv", &marie()).await.expect("noted: it belongs to no lead");
}

/// By status, service, source and day; erased ones do not count.
pub async fn leads_are_tallied_by_what_they_have_in_common(store: Store) {
    let add = async |service: Option<&str>, source: &str| -> LeadId {
        let mut sent = body();
        sent["service"] = service.map_or(serde_json::Value::Null, Into::into);
        sent["meta"]["source"] = source.into();
        insert(&store, parse(&sent)).await
    };
    let began = time::now().date_naive();
    add(Some("ponts"), "a.example").await;
    let moved = add(Some("ponts"), "a.example").await;
    add(Some("ponts"), "a.example").await;
    add(None, "b.example").await;
    let erased = add(None, "b.example").await;
    in_status(&store, LeadStatus::Quarantined).await;
    store.transition(moved, LeadStatus::Received, LeadStatus::Processing, marie(), None).await.expect("moved");
    store.erase(Target::Lead(erased), marie(), None).await.expect("erased");

    let tally = async |filter: LeadFilter| {
        let mut tallies = store.tally(&filter).await.expect("tally");
        // Midnight may have come meanwhile.
        assert!(tallies.iter().all(|tally| tally.day >= began && tally.day <= time::now().date_naive()));
        for tally in &mut tallies {
            tally.day = began;
        }
        tallies.sort_by(|a, b| (&a.status, &a.source).cmp(&(&b.status, &b.source)));
        let summed = tallies.iter().map(|tally| tally.leads).sum::<u64>();
        (tallies, summed)
    };
    let row = |status: &str, service: Option<&str>, source: &str, leads| Tally {
        status: status.to_owned(),
        service: service.map(str::to_owned),
        source: source.to_owned(),
        day: began,
        leads,
    };
    let (all, sum) = tally(LeadFilter::default()).await;
    assert_eq!(sum, 4);
    if time::now().date_naive() == began {
        let expected = [
            row("processing", Some("ponts"), "a.example", 1),
            row("received", Some("ponts"), "a.example", 2),
            row("received", None, "b.example", 1),
        ];
        assert_eq!(all, expected);
    }
    let quarantined = LeadFilter { statuses: vec![LeadStatus::Quarantined], ..LeadFilter::default() };
    assert_eq!(tally(quarantined).await.1, 1);
    let narrow =
        LeadFilter { service: Some(Service::Ponts), sources: vec!["b.example".to_owned()], ..LeadFilter::default() };
    assert_eq!(tally(narrow).await.1, 0);
    let both = LeadFilter { sources: vec!["a.example".to_owned(), "b.example".to_owned()], ..LeadFilter::default() };
    assert_eq!(tally(both).await.1, 4);
    let later = LeadFilter { received_from: Some(time::now()), ..LeadFilter::default() };
    assert_eq!(tally(later).await.1, 0);
}

/// Its own or its request's, in any case, with hyphens or without; erased or not. Of those that begin alike, all are told.
pub async fn a_lead_is_found_by_the_beginning_of_an_id(store: Store) {
    let mut ids = Vec::new();
    for request in ["a1b2c3d4-0000-4000-8000-000000000001", "a1b2c3d4-ffff-4000-8000-000000000002"] {
        let mut sent = body();
        sent["meta"]["request_id"] = request.into();
        ids.push(insert(&store, parse(&sent)).await);
    }
    insert(&store, parse(&body())).await;
    let found = async |prefix: &str| -> Vec<LeadId> {
        let leads = store.find_by_prefix(prefix.parse().expect("a prefix")).await.expect("find_by_prefix");
        leads.iter().map(|lead| lead.id).collect()
    };
    let of_both = found("A1B2-c3d4").await;
    assert!(of_both.len() == 2 && ids.iter().all(|id| of_both.contains(id)), "{of_both:?}");
    assert_eq!(found("a1b2c3d40").await, [ids[0]]);
    assert_eq!(found("a1b2c3d4-ffff-4000-8000-000000000002").await, [ids[1]]);
    assert_eq!(found("a1b2c3d4-ffff-4000-8000-000000000003").await, []);
    store.erase(Target::Lead(ids[1]), marie(), None).await.expect("erased");
    assert_eq!(found(&ids[1].to_string()).await, [ids[1]]);
    // Ids begin with the time of their making, those of one moment alike.
    assert!(found(&ids[1].to_string()[..8]).await.contains(&ids[1]));
}

/// However often a lead is worked on after; notes and looks are no contact.
pub async fn first_contacts_are_the_first(store: Store) {
    use LeadStatus::{Archived, Processing, Received, Resolved};

    let mut ids = Vec::new();
    for _ in 0..3 {
        ids.push(insert(&store, parse(&body())).await);
    }
    for (from, to) in [(Received, Processing), (Processing, Resolved), (Resolved, Processing)] {
        store.transition(ids[0], from, to, marie(), None).await.expect("moved");
    }
    store.note_revealed(&[get(&store, ids[1]).await], &marie()).await.expect("noted");
    store.transition(ids[1], Received, Archived, marie(), None).await.expect("moved");
    let first = trail(&store, ids[0]).await[1].created_at;
    assert_eq!(store.first_contacts(&ids).await.expect("contacts"), [(ids[0], first)]);
    assert_eq!(store.first_contacts(&ids[1..]).await.expect("contacts"), []);
    assert_eq!(store.first_contacts(&[]).await.expect("contacts"), []);
}
