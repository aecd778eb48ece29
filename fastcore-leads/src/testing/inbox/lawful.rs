//! Quarantine, consent, erasure, export, purge.

use chrono::{DateTime, Utc};
use serde_json::json;
use tokio::time::{Duration, sleep};

use super::{
    InboxError, Insertion, LeadInbox, LeadState, LeadStatus, NewLead, Store, assert_in_step, assert_unchanged, audit,
    because, body, get, in_status, insert, marie, parse, trail,
};
use crate::{
    audit::Actor,
    inbox::{Change, Due, Erasure, InboxExt, Retention, Target, Unless},
    lead::LeadId,
    sql::inbox::MAX_LOCKED,
    store::LeadStore,
    testing::lead,
};

/// With what a purge erased; by instants and ids.
pub async fn what_was_erased_is_listed_in_its_order(store: Store) {
    let mut erasures = Vec::new();
    for _ in 0..3 {
        let id = insert(&store, lead()).await;
        insert(&store, lead()).await;
        store.erase(Target::Lead(id), marie(), None).await.expect("erased");
        erasures.push(Erasure::of(&get(&store, id).await).expect("it is erased"));
        sleep(Duration::from_millis(2)).await;
    }
    let listed = async |after: Erasure, limit: u32| -> Vec<Erasure> {
        let leads = store.erased(after, limit).await.expect("erased");
        leads.iter().filter_map(Erasure::of).collect()
    };
    let all = Erasure::from(DateTime::UNIX_EPOCH);
    assert_eq!(listed(all, 2).await, erasures[..2]);
    assert_eq!(listed(erasures[1], 2).await, erasures[2..]);
    assert_eq!(listed(Erasure::from(erasures[1].erased_at), 10).await, erasures[1..]);
    assert_eq!(listed(erasures[2], 10).await, []);
}

/// Seen by who looks for it; released, it is a lead like any other.
pub async fn a_quarantined_lead_is_on_no_default_page_until_released(store: Store) {
    let id = in_status(&store, LeadStatus::Quarantined).await;
    let shown = async |statuses: Vec<LeadStatus>| {
        let filter = crate::LeadFilter { statuses, ..Default::default() };
        store.page(&filter, None, 10).await.expect("page").leads.len()
    };
    assert_eq!((shown(vec![]).await, shown(vec![LeadStatus::Quarantined]).await), (0, 1));
    let row = store.release(id, marie(), because("faux positif")).await.expect("released");
    assert_eq!(row.status, "received");
    assert_eq!((shown(vec![]).await, shown(vec![LeadStatus::Quarantined]).await), (1, 0));
    let last = trail(&store, id).await.pop().expect("a row");
    assert_eq!(last.event, audit::LEAD_RELEASED);
    assert_in_step(&store, id).await;
    let again = store.release(id, marie(), None).await;
    assert!(matches!(again, Err(InboxError::NotQuarantined { current: LeadStatus::Received })), "{again:?}");
    assert_eq!(trail(&store, id).await.len(), 2);
}

/// `consent` is false from then on, a retry of the request is still a retry, and it can be withdrawn once.
pub async fn consent_is_withdrawn_and_its_proof_stays(store: Store) {
    let mut sent = body();
    let proof = json!({"version": "2026-01", "locale": "fr-FR", "given_at": "2026-01-02T03:04:05Z"});
    sent["meta"]["consent"] = proof.clone();
    let id = insert(&store, parse(&sent)).await;
    let row = store.withdraw_consent(id, marie(), because("par téléphone")).await.expect("withdrawn");
    assert!(!row.consent);
    assert_eq!(get(&store, id).await, row);
    let meta = row.meta_json.clone().expect("meta");
    assert_eq!(meta["consent"], proof);
    let last = trail(&store, id).await.pop().expect("a row");
    assert_eq!((last.event.as_str(), &last.details["reason"]), (audit::CONSENT_WITHDRAWN, &"par téléphone".into()));
    assert_eq!(meta["consent_withdrawn_at"], crate::time::format(last.created_at));
    let retry = NewLead::new(parse(&sent), Actor::SITE_INGEST);
    assert_eq!(store.insert(&[retry]).await.expect("insert"), [Insertion::Replayed(row.receipt())]);
    let again = store.withdraw_consent(id, marie(), None).await;
    assert!(matches!(again, Err(InboxError::NoConsent)), "{again:?}");
    assert_unchanged(&store, &row, 2).await;
    sent["consent"] = false.into();
    sent["meta"]["request_id"] = uuid::Uuid::now_v7().to_string().into();
    let never = insert(&store, parse(&sent)).await;
    assert!(matches!(store.withdraw_consent(never, marie(), None).await, Err(InboxError::NoConsent)));
}

/// Nothing of the person is left; the row and its trail are.
pub async fn an_erased_lead_is_a_tombstone(store: Store) {
    for &status in LeadStatus::ALL {
        let id = in_status(&store, status).await;
        let before = get(&store, id).await;
        let rows = trail(&store, id).await.len();
        let erased = store.erase(Target::Lead(id), marie(), because("demande du 3 mai")).await.expect("erased");
        assert_eq!(erased, [id]);
        let row = get(&store, id).await;
        assert_eq!(
            (row.name.as_str(), row.email.as_str(), row.message.as_str(), row.ip_hash.as_str()),
            ("", "", "", "")
        );
        assert_eq!((&row.phone, &row.company, &row.meta_json), (&None, &None, &None));
        assert_eq!(
            (row.request_id, row.created_at_utc, &row.status),
            (before.request_id, before.created_at_utc, &before.status)
        );
        let trail_now = trail(&store, id).await;
        assert_eq!((trail_now.len(), trail_now[rows].event.as_str()), (rows + 1, audit::LEAD_ERASED));
        assert_eq!(row.erased_at_utc, Some(trail_now[rows].created_at));
        assert!(LeadState::from_trail(&trail_now).expect("the trail verifies").is_erased);

        // Whatever is tried with it, nothing happens.
        let mut retry = body();
        retry["meta"]["request_id"] = before.request_id.to_string().into();
        let retry = NewLead::new(parse(&retry), Actor::SITE_INGEST);
        assert_eq!(store.insert(&[retry]).await.expect("insert"), [Insertion::Erased]);
        let results = [
            store.transition(id, status, LeadStatus::Archived, marie(), None).await,
            store.release(id, marie(), None).await,
            store.withdraw_consent(id, marie(), None).await,
        ];
        assert!(results.iter().all(|result| matches!(result, Err(InboxError::Erased))), "{results:?}");
        assert!(matches!(store.erase(Target::Lead(id), marie(), None).await, Err(InboxError::Erased)));
        assert_unchanged(&store, &row, rows + 1).await;
        let filter = crate::LeadFilter { statuses: vec![status], ..Default::default() };
        assert!(store.page(&filter, None, 10).await.expect("page").leads.is_empty());
    }
    assert!(store.counts().await.expect("counts").iter().all(|(_, leads)| *leads == 0));
}

/// The person's, not the neighbour's; and more than a transaction's worth.
pub async fn all_leads_of_an_address_are_erased_in_any_case(store: Store) {
    let from = async |email: &str, suspicion: &[&str]| {
        let mut sent = body();
        sent["email"] = email.into();
        sent["meta"]["suspicion"] = json!(suspicion);
        insert(&store, parse(&sent)).await
    };
    // Letters beyond ASCII, a domain in Punycode, a letter and its accent apart: one person all the same.
    for (stored, asked) in [
        ("Élodie@example.org", "élodie@example.org"),
        ("noël@example.org", "NOËL@EXAMPLE.ORG"),
        ("jean@bücher.com", "jean@xn--bcher-kva.com"),
        ("jean@bücher.com", "JEAN@BÜCHER.COM"),
        ("zoé@example.org", "zoe\u{301}@example.org"),
    ] {
        let id = from(stored, &[]).await;
        assert_eq!(store.find_by_email(asked, 10).await.expect("found").len(), 1, "{asked} finds {stored}");
        let erased = store.erase(Target::Email(asked.to_owned()), marie(), None).await.expect("erased");
        assert_eq!(erased, [id], "{asked} is {stored}");
    }
    let mut theirs = vec![
        from("Jean.Dupont@example.com", &[]).await,
        from("jean.dupont@EXAMPLE.com", &[]).await,
        from("jean.dupont@example.com", &["honeypot"]).await,
    ];
    let other = from("jean.dupont2@example.com", &[]).await;
    let before = get(&store, other).await;
    let many = async |email: &str, leads: u32| {
        let mut sent = body();
        sent["email"] = email.into();
        let new = |_| {
            sent["meta"]["request_id"] = uuid::Uuid::now_v7().to_string().into();
            NewLead::new(parse(&sent), Actor::SITE_INGEST)
        };
        let leads: Vec<_> = (0..leads).map(new).collect();
        store.insert(&leads).await.expect("insert");
        leads.iter().map(NewLead::id).collect::<Vec<_>>()
    };
    // More than one transaction erases, under two spellings, which some databases take for one.
    let mut under_two = many("Zoé@example.org", MAX_LOCKED * 3 / 4).await;
    under_two.extend(many("ZOÉ@example.org", MAX_LOCKED * 5 / 4).await);
    let mut erased = store.erase(Target::Email("zoé@example.org".to_owned()), marie(), None).await.expect("erased");
    erased.sort_unstable();
    under_two.sort_unstable();
    assert_eq!(erased, under_two);
    theirs.extend(many("jean.dupont@example.com", MAX_LOCKED).await);
    let all = store.find_by_email("Jean.Dupont@example.com", u32::MAX).await.expect("found");
    assert_eq!(all.len(), theirs.len());
    assert!(all.is_sorted_by_key(|lead| std::cmp::Reverse(lead.created_at_utc)));
    // However many there are, no more than were asked for: the newest.
    let newest = store.find_by_email("Jean.Dupont@example.com", 2).await.expect("found");
    assert_eq!(
        newest.iter().map(|lead| lead.created_at_utc).collect::<Vec<_>>(),
        [&all[0], &all[1]].map(|lead| lead.created_at_utc)
    );
    let target = || Target::Email(" JEAN.DUPONT@example.com ".to_owned());
    let mut erased = store.erase(target(), marie(), None).await.expect("erased");
    erased.sort_unstable();
    theirs.sort_unstable();
    assert_eq!(erased, theirs);
    assert_unchanged(&store, &before, 1).await;
    assert_eq!(store.erase(target(), marie(), None).await.expect("nothing left"), []);
    assert!(store.export("jean.dupont@example.com").await.expect("export").leads.is_empty());
}

/// Leads, meta, consent proof, what happened to them; of nobody else.
pub async fn an_export_holds_all_that_is_held(store: Store) {
    let mut sent = body();
    sent["meta"]["consent"] = json!({"version": "v1", "locale": "fr", "given_at": "2026-01-02T03:04:05Z"});
    let id = insert(&store, parse(&sent)).await;
    store
        .transition(id, LeadStatus::Received, LeadStatus::Processing, marie(), because("appelé"))
        .await
        .expect("moved");
    let mut other = body();
    other["email"] = "other@example.com".into();
    insert(&store, parse(&other)).await;
    let export = store.export("JEAN@example.com").await.expect("export");
    let text = serde_json::to_value(&export).expect("JSON");
    let lead = &text["leads"][0];
    assert_eq!(text["leads"].as_array().map(Vec::len), Some(1));
    for member in ["name", "email", "phone", "company", "service", "message", "consent"] {
        assert_eq!(lead[member], sent[member], "{member}");
    }
    assert_eq!((&lead["ip_hash"], &lead["id"]), (&sent["meta"]["ip_hash"], &id.to_string().into()));
    assert_eq!(lead["meta_json"]["consent"], sent["meta"]["consent"]);
    assert_eq!(lead["meta_json"]["user_agent_hash"], sent["meta"]["user_agent_hash"]);
    assert_eq!((&lead["status"], lead["audit"].as_array().map(Vec::len)), (&"processing".into(), Some(2)));
    assert_eq!(lead["audit"][1]["details"]["reason"], "appelé");
}

/// More than a transaction's worth, of every status; a dry run says the same and changes nothing.
pub async fn a_purge_erases_what_is_due_and_nothing_else(store: Store) {
    let sent: Vec<_> = (0..450).map(|_| NewLead::new(lead(), Actor::SITE_INGEST)).collect();
    store.insert(&sent).await.expect("insert");
    let quarantined = in_status(&store, LeadStatus::Quarantined).await;
    let archived = in_status(&store, LeadStatus::Archived).await;
    // Instants are compared to the microsecond.
    sleep(Duration::from_millis(2)).await;

    let never = Retention { without_contact_days: None, quarantine_days: None };
    assert_eq!(store.purge(never, marie()).await.expect("purge").total(), 0);
    assert_eq!(store.purge(Retention::default(), marie()).await.expect("purge").total(), 0);
    let quarantine_only = Retention { without_contact_days: None, quarantine_days: Some(0) };
    assert_eq!(store.purge_dry_run(quarantine_only).await.expect("dry run").quarantined, 1);
    assert!(get(&store, quarantined).await.erased_at_utc.is_none(), "a dry run changes nothing");
    let report = store.purge(quarantine_only, marie()).await.expect("purge");
    assert_eq!((report.quarantined, report.without_contact), (1, 0));
    assert_eq!(trail(&store, quarantined).await[1].event, audit::LEAD_PURGED);
    let all = Retention { without_contact_days: Some(0), quarantine_days: Some(0) };
    let dry = store.purge_dry_run(all).await.expect("dry run");
    assert_eq!((dry.without_contact, dry.quarantined), (451, 0));
    assert_eq!(store.purge(all, marie()).await.expect("purge"), dry);
    assert_eq!(store.purge(all, marie()).await.expect("purge").total(), 0);
    assert!(get(&store, archived).await.erased_at_utc.is_some());
    for new in [&sent[0], &sent[449]] {
        assert_in_step(&store, new.id()).await;
        assert_eq!(trail(&store, new.id()).await.len(), 2);
    }
}

/// A move, or a later lead from the same address.
pub async fn contact_keeps_a_lead(store: Store) {
    let from = async |email: &str| {
        let mut sent = body();
        sent["email"] = email.into();
        insert(&store, parse(&sent)).await
    };
    let (silent, moved, wrote) =
        (from("silent@example.com").await, from("moved@example.com").await, from("wrote@example.com").await);
    let old = [from("archived@example.com").await, from("imitated@example.com").await];
    sleep(Duration::from_millis(2)).await;
    let before = crate::time::now();
    sleep(Duration::from_millis(2)).await;
    store.transition(moved, LeadStatus::Received, LeadStatus::Processing, marie(), None).await.expect("moved");
    store.transition(moved, LeadStatus::Processing, LeadStatus::Received, marie(), None).await.expect("moved back");
    from("WROTE@example.com").await;
    // Neither is contact: an operator that tidies up, and what somebody sends in another's name.
    let (archived, imitated) = (old[0], old[1]);
    store.transition(archived, LeadStatus::Received, LeadStatus::Archived, marie(), None).await.expect("archived");
    let mut spam = body();
    spam["email"] = "imitated@example.com".into();
    spam["meta"]["suspicion"] = json!(["honeypot"]);
    insert(&store, parse(&spam)).await;
    let due = async |status: LeadStatus, unless: Unless| -> Vec<LeadId> {
        let due = Due { status: Some(status), before, unless, after: None, until: None, limit: 10 };
        store.due(&due).await.expect("due").iter().map(|lead| lead.id).collect()
    };
    assert_eq!(due(LeadStatus::Received, Unless::Contact).await, [silent, imitated]);
    assert_eq!(due(LeadStatus::Archived, Unless::Contact).await, [archived]);
    assert_eq!(due(LeadStatus::Received, Unless::Never).await, [silent, moved, wrote, imitated]);
}

/// Of leads that nobody has touched for too long, each is noted once, however many look at once; and never again.
pub async fn a_lead_that_nobody_answers_is_noted_once(store: Store) {
    let from = async |address: &str| {
        let mut sent = body();
        sent["email"] = address.into();
        insert(&store, parse(&sent)).await
    };
    let (silent, moved, worked) =
        (from("silent@example.com").await, from("moved@example.com").await, from("worked@example.com").await);
    sleep(Duration::from_millis(2)).await;
    let before = crate::time::now();
    sleep(Duration::from_millis(2)).await;
    for (id, back) in [(moved, true), (worked, false)] {
        store.transition(id, LeadStatus::Received, LeadStatus::Processing, marie(), None).await.expect("moved");
        if back {
            store
                .transition(id, LeadStatus::Processing, LeadStatus::Received, marie(), None)
                .await
                .expect("moved back");
        }
    }
    // Who reads it does not work on it.
    store.note_revealed(&[get(&store, silent).await], &marie()).await.expect("noted");
    from("later@example.com").await;
    let note = async |before: DateTime<Utc>| -> Vec<LeadId> {
        let status = Some(LeadStatus::Received);
        let due = Due { status, before, unless: Unless::Touched, after: None, until: None, limit: 10 };
        let noted = store.change(&Change::unanswered(due, Actor::SERVICE_LEVEL)).await;
        noted.expect("noted").iter().map(|lead| lead.id).collect()
    };
    let (one, two, three, four) = tokio::join!(note(before), note(before), note(before), note(before));
    assert_eq!([one, two, three, four].concat(), [silent]);
    // What was touched meanwhile is due later; what was noted is never noted again.
    sleep(Duration::from_millis(2)).await;
    assert_eq!(note(crate::time::now()).await.iter().filter(|id| **id == silent).count(), 0);
    let trail = store.audit_trail(silent).await.expect("a trail");
    let events: Vec<_> = trail.iter().map(|record| record.event.as_str()).collect();
    assert_eq!(events, [audit::LEAD_RECEIVED, audit::LEAD_REVEALED, audit::LEAD_UNANSWERED]);
    assert_eq!(LeadState::from_trail(&trail).map(|state| state.status), Ok(LeadStatus::Received));
    let lead = store.get(silent).await.expect("an answer").expect("it is there");
    assert_eq!((lead.status.as_str(), lead.email.as_str()), ("received", "silent@example.com"));
}
