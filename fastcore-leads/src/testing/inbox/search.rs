//! Leads are found by their words.

use serde_json::{Value, json};

use super::{Actor, LeadId, LeadInbox, LeadStatus, NewLead, Random, Store, body, insert, marie, parse};
use crate::{
    inbox::{InboxExt, LeadFilter, Search, SearchCursor, Target},
    lead::Service,
    store::LeadStore,
};

/// By each member that a person would search for, and by nothing else; in any case, with accents and without.
pub async fn leads_are_found_by_the_beginnings_of_their_words(store: Store) {
    let lead = |name: &str, email: &str, more: Value| {
        let mut sent = body();
        for member in ["phone", "company", "service"] {
            sent.as_object_mut().expect("an object").remove(member);
        }
        sent["name"] = name.into();
        sent["email"] = email.into();
        sent["message"] = "Bonjour, merci de me rappeler.".into();
        for (member, value) in more.as_object().expect("an object") {
            sent[member] = value.clone();
        }
        parse(&sent)
    };
    let first =
        insert(&store, lead("Élodie O'Brien", "e.obrien@straße.example", json!({"phone": "+33.6.12.34.56.78"}))).await;
    let second =
        insert(&store, lead("Jean DuPré", "jean@usine.example", json!({"company": "Grues Œrsted & Cie"}))).await;
    let third = insert(
        &store,
        lead("田中 太郎", "tanaka@usine.example", json!({"service": "ponts", "phone": "06 12 34 56 79", "message": "Un pont de 12 t, levée rapide: l'été 2026."})),
    )
    .await;
    indexed(&store).await;
    for (text, expected) in [
        ("elodie", &[first][..]),
        ("ÉLO obr", &[first]),
        ("obrien o'brien", &[first]),
        ("e.obrien@STRASSE.example", &[first]),
        ("06 12 34 56 7", &[third, first]),
        ("0033 6 12 34 56 78", &[first]),
        ("+33 (0)6 12 34 56 79", &[third]),
        ("+33 6 12 34 56 7", &[first]),
        ("06 12 34 / 06 12", &[third]),
        ("12 2026", &[third]),
        ("2026 12 t", &[third]),
        ("2026 120", &[]),
        ("dupre", &[second]),
        ("dupré jean usine", &[second]),
        ("oersted", &[second]),
        ("usine", &[third, second]),
        ("田", &[third]),
        ("郎太", &[third]),
        ("pont ete levee", &[third]),
        ("12 t", &[third]),
        ("ponts", &[third]),
        ("rappel", &[second, first]),
        // A letter is a word, not the beginning of one.
        ("l", &[third]),
        ("r", &[]),
        // Each word has to be there; what a word ends with is not looked for.
        ("elodie dupre", &[]),
        ("lodie", &[]),
        ("received", &[]),
    ] {
        let page =
            store.search(&text.parse().expect("a search"), &LeadFilter::default(), None, 10).await.expect("search");
        let found: Vec<_> = page.leads.iter().map(|lead| lead.id).collect();
        assert_eq!(found, expected, "{text}");
        assert_eq!((page.next, page.is_complete), (None, true), "{text}");
    }
}

/// Page after page, the newest first; while others arrive, each that was there is seen once.
pub async fn a_walk_through_what_was_found_sees_each_once(store: Store) {
    let mut leads = Vec::new();
    for number in 0..60 {
        let mut sent = body();
        sent["name"] = if number % 3 == 0 { "Somebody Else" } else { "Jean Martin" }.into();
        sent["service"] = if number % 2 == 0 { "ponts" } else { "cabines" }.into();
        leads.push(insert(&store, parse(&sent)).await);
    }
    store.transition(leads[1], LeadStatus::Received, LeadStatus::Archived, marie(), None).await.expect("moved");
    indexed(&store).await;
    let martins = (0..60).filter(|number| number % 3 > 0);
    let all = LeadFilter::default();
    let ponts = LeadFilter { service: Some(Service::Ponts), ..LeadFilter::default() };
    let archived = LeadFilter { statuses: vec![LeadStatus::Archived], ..LeadFilter::default() };
    let of = |wanted: &dyn Fn(usize) -> bool| -> Vec<LeadId> {
        martins.clone().rev().filter(|number| wanted(*number)).map(|number| leads[number]).collect()
    };
    for (filter, expected) in [
        (all, of(&|_| true)),
        (ponts, of(&|number| number % 2 == 0)),
        (archived, vec![leads[1]]),
        (LeadFilter { sources: vec!["nobody.example".to_owned()], ..LeadFilter::default() }, Vec::new()),
    ] {
        for limit in [1, 7, 40, 1000] {
            let (mut seen, mut after) = (Vec::new(), None::<SearchCursor>);
            loop {
                let page =
                    store.search(&"mart jean".parse().expect("a search"), &filter, after, limit).await.expect("search");
                assert!(page.leads.len() <= limit as usize, "more than were asked for");
                seen.extend(page.leads.iter().map(|lead| lead.id));
                let Some(next) = page.next else { break };
                assert!(after.is_none_or(|after| next < after), "the walk goes on");
                after = Some(next);
                insert(&store, parse(&body())).await;
                store.index(100).await.expect("index");
            }
            assert_eq!(seen, expected);
        }
    }
}

/// Neither one that was entered, nor one that was erased before.
pub async fn an_erased_lead_is_not_found(store: Store) {
    let martin = |email: &str| {
        let mut sent = body();
        sent["name"] = "Jean Martin".into();
        sent["email"] = email.into();
        parse(&sent)
    };
    let kept = insert(&store, martin("jean@example.com")).await;
    let early = insert(&store, martin("jean@example.com")).await;
    store.erase(Target::Lead(early), marie(), None).await.expect("erased");
    let late = insert(&store, martin("jean@example.com")).await;
    indexed(&store).await;
    for _ in 0..2 {
        insert(&store, martin("somebody.else@example.com")).await;
    }
    indexed(&store).await;
    assert_eq!(found(&store, "martin").await.len(), 4);
    store.erase(Target::Lead(late), marie(), None).await.expect("erased");
    store.erase(Target::Email("somebody.else@example.com".to_owned()), marie(), None).await.expect("erased");
    assert_eq!(found(&store, "martin").await, [kept]);
    // Nor what is told of the erasures.
    indexed(&store).await;
    assert_eq!(found(&store, "martin").await, [kept]);
}

/// As the rule says that each lead is compared with.
pub async fn random_searches_find_what_they_should(store: Store) {
    let mut random = Random::from_env();
    let words = ["grue", "grues", "Pont", "pontet", "éléments", "Œuvre", "x", "12", "125000", "a.b@c", "d'Arc", "ΟΔΟΣ"];
    let mut pick = |most: usize| -> String {
        let count = 1 + random.below(most);
        let picked: Vec<_> = (0..count).map(|_| words[random.below(words.len())]).collect();
        picked.join(" ")
    };
    let mut leads = Vec::new();
    for _ in 0..40 {
        let mut sent = body();
        sent["message"] = format!("{} and some more of it", pick(6)).into();
        let new = NewLead::new(parse(&sent), Actor::SITE_INGEST);
        leads.push(new.id());
        store.insert(&[new]).await.expect("insert");
    }
    indexed(&store).await;
    for _ in 0..60 {
        let text = pick(3);
        let text: String = text.chars().take(text.chars().count().div_ceil(2).max(1)).collect();
        let Ok(search) = text.parse::<Search>() else { continue };
        let mut expected = Vec::new();
        for id in leads.iter().rev() {
            let lead = store.get(*id).await.expect("get").expect("the lead is there");
            expected.extend(search.finds(&lead).then_some(*id));
        }
        assert_eq!(found(&store, &text).await, expected, "{text}");
    }
}

async fn found(store: &Store, text: &str) -> Vec<LeadId> {
    let page =
        store.search(&text.parse().expect("a search"), &LeadFilter::default(), None, 1000).await.expect("search");
    page.leads.iter().map(|lead| lead.id).collect()
}

/// All that was committed is entered.
async fn indexed(store: &Store) {
    while store.index(7).await.expect("index") > 0 {}
    let page = store.search(&"x".parse().expect("a search"), &LeadFilter::default(), None, 1).await.expect("search");
    assert!(page.is_complete, "some are not entered");
}
