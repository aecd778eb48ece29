//! Moves.

use std::{pin::pin, sync::Arc, task::Poll};

use tokio::task::JoinSet;

use super::{
    Actor, HashMap, InboxError, Insertion, LeadState, LeadStatus, NewLead, Random, Store, assert_in_step,
    assert_unchanged, audit, because, body, get, in_status, insert, marie, named, parse, trail,
};
use crate::{
    inbox::{InboxExt, Note, Target},
    lead::{LeadId, limits::MAX_NOTES},
    testing::lead,
};

/// From received to archived, each step with its audit row: event, actor, reason, from where to where.
pub async fn a_lead_goes_its_way(store: Store) {
    use LeadStatus::{Archived, Processing, Received, Resolved};

    let id = insert(&store, lead()).await;
    let first = get(&store, id).await;
    for (from, to, event) in [
        (Received, Processing, audit::LEAD_PROCESSED),
        (Processing, Received, audit::LEAD_RETURNED),
        (Received, Processing, audit::LEAD_PROCESSED),
        (Processing, Resolved, audit::LEAD_RESOLVED),
        (Resolved, Processing, audit::LEAD_PROCESSED),
        (Processing, Resolved, audit::LEAD_RESOLVED),
        (Resolved, Archived, audit::LEAD_ARCHIVED),
    ] {
        let reason = because("rappelé, devis envoyé");
        let moved = store.transition(id, from, to, marie(), reason).await.expect("allowed");
        assert_eq!(moved.status, to.as_str());
        assert_eq!(get(&store, id).await, moved);
        let last = trail(&store, id).await.pop().expect("a row");
        assert_eq!((last.event.as_str(), last.actor.as_str()), (event, "marie"));
        assert_eq!((last.lead_id, last.request_id, last.status_code), (Some(id), first.request_id, None));
        let details = serde_json::json!({"from": from.as_str(), "to": to.as_str(), "reason": "rappelé, devis envoyé"});
        assert_eq!(last.details, details);
        assert_in_step(&store, id).await;
    }
    let mut last = get(&store, id).await;
    last.status.clone_from(&first.status);
    assert_eq!(last, first, "nothing but the status changed");
    assert_eq!(trail(&store, id).await.len(), 8);
}

/// All pairs of statuses.
pub async fn every_other_move_is_refused_and_writes_nothing(store: Store) {
    use LeadStatus::{Archived, Processing, Received, Resolved};

    let allowed = [
        (Received, Processing),
        (Processing, Resolved),
        (Resolved, Archived),
        (Processing, Received),
        (Resolved, Processing),
    ];
    for &from in LeadStatus::ALL {
        for &to in LeadStatus::ALL {
            let id = in_status(&store, from).await;
            let (before, rows) = (get(&store, id).await, trail(&store, id).await.len());
            let result = store.transition(id, from, to, marie(), None).await;
            if allowed.contains(&(from, to)) || (to == Archived && from != Archived) {
                assert!(result.is_ok(), "{from} to {to}: {result:?}");
                assert_eq!(trail(&store, id).await.len(), rows + 1);
            } else {
                assert!(
                    matches!(result, Err(InboxError::IllegalMove { from: f, to: t }) if (f, t) == (from, to)),
                    "{from} to {to}: {result:?}"
                );
                assert_unchanged(&store, &before, rows).await;
            }
        }
    }
    let unknown = LeadId::from_uuid(uuid::Uuid::now_v7());
    let result = store.transition(unknown, Received, Processing, marie(), None).await;
    assert!(matches!(result, Err(InboxError::NotFound)), "{result:?}");
    assert!(trail(&store, unknown).await.is_empty());
}

/// The caller looked, somebody else was quicker.
pub async fn a_move_from_a_status_that_changed_is_refused(store: Store) {
    use LeadStatus::{Archived, Processing, Received};

    let id = in_status(&store, Processing).await;
    let (before, rows) = (get(&store, id).await, trail(&store, id).await.len());
    for to in [Processing, Archived, Received] {
        let result = store.transition(id, Received, to, marie(), None).await;
        assert!(matches!(result, Err(InboxError::StatusChanged { current: Processing })), "{result:?}");
        assert_unchanged(&store, &before, rows).await;
    }
}

/// 16 tasks that look and move, on a few leads: each trail is a legal path, a row a step.
pub async fn racing_moves_are_a_legal_path(store: Store) {
    let mut seeds = Random::from_env();
    let mut ids = Vec::new();
    for _ in 0..3 {
        ids.push(insert(&store, lead()).await);
    }
    let mut tasks = JoinSet::new();
    for task in 0..16 {
        let (store, ids) = (Arc::clone(&store), ids.clone());
        let mut random = Random::new(seeds.below(1 << 31) as u64);
        tasks.spawn(async move {
            let mut steps: HashMap<LeadId, usize> = HashMap::new();
            for _ in 0..12 {
                let id = ids[random.below(ids.len())];
                let seen: LeadStatus = get(&store, id).await.status.parse().expect("a status");
                // Putting away is the end: rarely.
                let all = &LeadStatus::ALL[..if random.one_in(12) { 4 } else { 3 }];
                let to = all[random.below(all.len())];
                let actor = Actor::new(format!("task {task}")).expect("a name");
                match store.transition(id, seen, to, actor, None).await {
                    Ok(row) => {
                        assert_eq!(row.status, to.as_str());
                        *steps.entry(id).or_default() += 1;
                    }
                    Err(InboxError::StatusChanged { current }) => assert_ne!(current, seen),
                    Err(InboxError::IllegalMove { from, .. }) => assert_eq!(from, seen),
                    Err(error) => panic!("{error}"),
                }
            }
            steps
        });
    }
    let mut steps: HashMap<LeadId, usize> = HashMap::new();
    for task in tasks.join_all().await {
        for (id, count) in task {
            *steps.entry(id).or_default() += count;
        }
    }
    for id in ids {
        assert_eq!(trail(&store, id).await.len(), 1 + steps.get(&id).copied().unwrap_or(0), "a row for each step");
        assert_in_step(&store, id).await;
    }
}

/// Everything that can happen to a lead, in any order; after each step, row and trail agree.
pub async fn a_random_history_can_be_rebuilt_from_its_trail(store: Store) {
    let mut random = Random::from_env();
    for _ in 0..12 {
        let mut sent = body();
        if random.one_in(3) {
            sent["meta"]["suspicion"] = serde_json::json!(["too_fast"]);
        }
        let id = insert(&store, parse(&sent)).await;
        let mut expected = LeadState::from_trail(&trail(&store, id).await).expect("a trail");
        for _ in 0..10 {
            let rows = trail(&store, id).await.len();
            let to = LeadStatus::ALL[random.below(LeadStatus::ALL.len())];
            let result = match random.below(14) {
                12 => store.add_note(id, Note::new("rappeler lundi").expect("a note"), marie()).await.map(|_| expected),
                13 => {
                    let seen = get(&store, id).await.assignee().map(named);
                    store.assign(id, seen, random.one_in(2).then(marie), marie(), None).await.map(|_| expected)
                }
                0 => store
                    .erase(Target::Lead(id), marie(), None)
                    .await
                    .map(|_| LeadState { is_erased: true, ..expected }),
                1 | 2 => store
                    .withdraw_consent(id, marie(), None)
                    .await
                    .map(|_| LeadState { is_consent_withdrawn: true, ..expected }),
                3 | 4 => store
                    .release(id, marie(), None)
                    .await
                    .map(|_| LeadState { status: LeadStatus::Received, ..expected }),
                _ => store
                    .transition(id, expected.status, to, marie(), None)
                    .await
                    .map(|_| LeadState { status: to, ..expected }),
            };
            let written = usize::from(result.is_ok());
            expected = result.unwrap_or(expected);
            let now = trail(&store, id).await;
            assert_eq!(now.len(), rows + written, "a row for what was done, none for what was not");
            assert_eq!(LeadState::from_trail(&now), Ok(expected));
            assert_in_step(&store, id).await;
        }
    }
}

/// However far a change got when its caller went away.
pub async fn a_dropped_change_is_whole_or_nothing(store: Store) {
    for polls in 0..24 {
        let id = insert(&store, lead()).await;
        {
            let mut change = pin!(store.transition(id, LeadStatus::Received, LeadStatus::Processing, marie(), None));
            let mut left = polls;
            std::future::poll_fn(|context| {
                left -= 1;
                if left < 0 || change.as_mut().poll(context).is_ready() {
                    return Poll::Ready(());
                }
                Poll::Pending
            })
            .await;
        }
        // A change of its own waits for the one that may still be under way.
        let archived = store.transition(id, LeadStatus::Received, LeadStatus::Archived, marie(), None).await;
        assert!(matches!(archived, Ok(_) | Err(InboxError::StatusChanged { .. })), "{archived:?}");
        assert_in_step(&store, id).await;
        assert_eq!(trail(&store, id).await.len(), 2, "after {polls} polls");
    }
}

/// The audit log keeps it for ever.
pub async fn a_reason_must_not_name_the_person(store: Store) {
    let id = insert(&store, lead()).await;
    let before = get(&store, id).await;
    let mut sent = body();
    sent["name"] = "He\u{301}le\u{300}ne Martin-Lefe\u{300}vre".into();
    sent["meta"]["request_id"] = uuid::Uuid::now_v7().to_string().into();
    let helene = insert(&store, parse(&sent)).await;
    sent["name"] = "Li-Na Wu".into();
    sent["meta"]["request_id"] = uuid::Uuid::now_v7().to_string().into();
    let li_na = insert(&store, parse(&sent)).await;
    for (id, text) in [
        (helene, "Helene a rappelé"),
        (helene, "madame Lefèvre"),
        (helene, "HÉLÈNE"),
        (helene, "M. Martin"),
        (li_na, "li-na a rappelé"),
    ] {
        let result = store.erase(Target::Lead(id), marie(), because(text)).await;
        assert!(matches!(result, Err(InboxError::ReasonNamesPerson)), "{text}: {result:?}");
    }
    for text in ["Jean a rappelé", "mme DUPONT", "chez acme sas", "numéro +33612345678"] {
        let result = store.transition(id, LeadStatus::Received, LeadStatus::Processing, marie(), because(text)).await;
        assert!(matches!(result, Err(InboxError::ReasonNamesPerson)), "{text}: {result:?}");
        let result = store.erase(Target::Lead(id), marie(), because(text)).await;
        assert!(matches!(result, Err(InboxError::ReasonNamesPerson)), "{text}: {result:?}");
    }
    assert_unchanged(&store, &before, 1).await;
    let harmless = because("des jeans, pas de panne");
    assert!(store.transition(id, LeadStatus::Received, LeadStatus::Processing, marie(), harmless).await.is_ok());
}

/// A row in the log for each, with nothing of what it says; a retry of the lead's request is still the same lead.
pub async fn a_note_stays_with_its_lead_and_goes_with_it(store: Store) {
    let sent = body();
    let new = NewLead::new(parse(&sent), Actor::SITE_INGEST);
    let id = new.id();
    assert_eq!(store.insert(&[new]).await.expect("insert"), [Insertion::Inserted]);
    let text = "Jean rappelle lundi,\nau +33 6 12 34 56 78";
    for count in 1..=MAX_NOTES {
        let stored = store.add_note(id, Note::new(text).expect("a note"), marie()).await.expect("noted");
        let notes = stored.meta_json.as_ref().and_then(|meta| meta["notes"].as_array()).expect("notes");
        assert_eq!(
            (notes.len(), &notes[count - 1]["text"], &notes[count - 1]["by"]),
            (count, &text.into(), &"marie".into())
        );
        assert_eq!(get(&store, id).await, stored);
        assert_in_step(&store, id).await;
    }
    let full = store.add_note(id, Note::new(text).expect("a note"), marie()).await;
    assert!(matches!(full, Err(InboxError::TooManyNotes)), "{full:?}");
    let rows = trail(&store, id).await;
    assert_eq!(rows.iter().filter(|row| row.event == audit::LEAD_NOTED).count(), MAX_NOTES);
    assert!(rows.iter().all(|row| !row.details.to_string().contains("lundi")), "the log keeps it for ever");

    let again = store.insert(&[NewLead::new(parse(&sent), Actor::SITE_INGEST)]).await.expect("insert");
    assert!(matches!(again[..], [Insertion::Replayed(_)]), "{again:?}");
    store.erase(Target::Lead(id), marie(), None).await.expect("erased");
    assert_eq!(get(&store, id).await.meta_json, None);
    let late = store.add_note(id, Note::new(text).expect("a note"), marie()).await;
    assert!(matches!(late, Err(InboxError::Erased)), "{late:?}");
}

/// Whoever saw it with somebody else is told to look again.
pub async fn a_lead_is_given_to_one_at_a_time(store: Store) {
    let (jean, none) = (named("jean"), None::<Actor>);
    let id = insert(&store, lead()).await;
    let given = store.assign(id, None, Some(marie()), jean.clone(), None).await.expect("given");
    assert_eq!(given.assignee(), Some("marie"));
    let before = get(&store, id).await;
    for seen in [none.clone(), Some(jean.clone())] {
        let late = store.assign(id, seen, Some(jean.clone()), jean.clone(), None).await;
        assert!(matches!(late, Err(InboxError::AssigneeChanged)), "{late:?}");
    }
    assert_unchanged(&store, &before, 2).await;
    let reason = because("en congé");
    let free = store.assign(id, Some(marie()), none, jean, reason).await.expect("given back");
    assert_eq!(free.assignee(), None);
    let rows = trail(&store, id).await;
    let told: Vec<_> = rows[1..].iter().map(|row| (row.event.as_str(), row.actor.as_str(), &row.details)).collect();
    let (first, last) =
        (serde_json::json!({"assignee": "marie"}), serde_json::json!({"assignee": null, "reason": "en congé"}));
    assert_eq!(told, [(audit::LEAD_ASSIGNED, "jean", &first), (audit::LEAD_ASSIGNED, "jean", &last)]);
    assert_in_step(&store, id).await;
}
