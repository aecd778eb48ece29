//! Pages and counts.

use std::{
    collections::HashSet,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use serde_json::json;
use tokio::task::{JoinSet, yield_now};

use super::{LeadInbox, LeadStatus, NewLead, Store, body, get, in_status, insert, parse};
use crate::{
    audit::Actor,
    inbox::{Cursor, LeadFilter, MAX_PAGE},
    lead::{LeadId, Service},
    store::LeadStore,
    testing::lead,
};

/// Page after page while others arrive.
pub async fn a_walk_sees_each_older_lead_once(store: Store) {
    walk(store, 3000).await;
}

/// The same with so many leads.
pub async fn walk(store: Store, leads: usize) {
    let mut older = HashSet::new();
    while older.len() < leads {
        let batch: Vec<_> =
            (0..500.min(leads - older.len())).map(|_| NewLead::new(lead(), Actor::SITE_INGEST)).collect();
        store.insert(&batch).await.expect("insert");
        older.extend(batch.iter().map(NewLead::id));
    }
    let is_over = Arc::new(AtomicBool::new(false));
    // Ends with this function, also where that fails.
    let mut arriving = JoinSet::new();
    arriving.spawn({
        let (store, is_over) = (Arc::clone(&store), Arc::clone(&is_over));
        async move {
            let mut arrived = 0;
            while !is_over.load(Ordering::Relaxed) || arrived == 0 {
                store.insert(&[NewLead::new(lead(), Actor::SITE_INGEST)]).await.expect("insert");
                arrived += 1;
                yield_now().await;
            }
        }
    });
    let (mut seen, mut after, mut last) = (HashSet::new(), None, None::<Cursor>);
    loop {
        yield_now().await;
        let page = store.page(&LeadFilter::default(), after, MAX_PAGE).await.expect("page");
        for lead in &page.leads {
            let place = Cursor::at(lead);
            assert!(last.is_none_or(|last| place < last), "the newest comes first");
            last = Some(place);
            assert!(seen.insert(lead.id), "a lead was seen twice");
        }
        // As a web page hands it on.
        after = page.next.map(|next| next.to_string().parse().expect("a cursor"));
        if after.is_none() {
            break;
        }
    }
    is_over.store(true, Ordering::Relaxed);
    arriving.join_all().await;
    assert_eq!(older.difference(&seen).count(), 0, "older leads were missed");
}

/// With a filter and without, and with leads between whose instants there is no difference.
pub async fn a_walk_back_sees_the_same_pages(store: Store) {
    let batch: Vec<_> = (0..7).map(|_| NewLead::new(lead(), Actor::SITE_INGEST)).collect();
    store.insert(&batch).await.expect("insert");
    in_status(&store, LeadStatus::Processing).await;
    let received = LeadFilter { statuses: vec![LeadStatus::Received], ..LeadFilter::default() };
    for filter in [LeadFilter::default(), received] {
        let (mut pages, mut after) = (Vec::new(), None);
        loop {
            let page = store.page(&filter, after, 3).await.expect("page");
            after = page.next;
            pages.push(page);
            if after.is_none() {
                break;
            }
        }
        assert_eq!((pages.len(), pages[0].previous), (3, None));
        for place in (1..pages.len()).rev() {
            let before = pages[place].previous.expect("there is a page in front");
            let page = store.page_before(&filter, before, 3).await.expect("page");
            assert_eq!(page, pages[place - 1]);
            assert_eq!(store.page(&filter, page.next, 3).await.expect("page"), pages[place]);
        }
        let newest = pages[0].leads.first().map(Cursor::at).expect("a lead");
        assert_eq!(store.page_before(&filter, newest, 3).await.expect("page").leads, []);
    }
}

/// One member at a time, and all together.
pub async fn pages_show_what_the_filter_says(store: Store) {
    let mut ids = Vec::new();
    for (email, service, source) in [
        ("a@example.com", Some("ponts"), "site-a"),
        ("b@example.com", Some("cabines"), "site-a"),
        ("A@example.com", None, "site-b"),
        ("c@example.com", Some("ponts"), "site-b"),
    ] {
        let mut sent = body();
        (sent["email"], sent["service"], sent["meta"]["source"]) = (email.into(), json!(service), source.into());
        ids.push(insert(&store, parse(&sent)).await);
        tokio::time::sleep(std::time::Duration::from_millis(2)).await;
    }
    let processing = in_status(&store, LeadStatus::Processing).await;
    let second = get(&store, ids[1]).await.created_at_utc;
    let shown = async |filter: LeadFilter| -> Vec<LeadId> {
        store.page(&filter, None, 10).await.expect("page").leads.iter().map(|lead| lead.id).collect()
    };
    let all = LeadFilter::default;
    assert_eq!(shown(all()).await, [processing, ids[3], ids[2], ids[1], ids[0]]);
    assert_eq!(shown(LeadFilter { statuses: vec![LeadStatus::Processing], ..all() }).await, [processing]);
    let two = vec![LeadStatus::Received, LeadStatus::Processing, LeadStatus::Received];
    assert_eq!(shown(LeadFilter { statuses: two, ..all() }).await.len(), 5);
    assert_eq!(shown(LeadFilter { service: Some(Service::Ponts), ..all() }).await, [ids[3], ids[0]]);
    assert_eq!(shown(LeadFilter { sources: vec!["site-b".to_owned()], ..all() }).await, [ids[3], ids[2]]);
    let sources = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
    assert_eq!(shown(LeadFilter { sources: sources(&["site-b", "nobody's", "'"]), ..all() }).await, [ids[3], ids[2]]);
    let both = LeadFilter { sources: sources(&["site-a", "site-b"]), service: Some(Service::Ponts), ..all() };
    assert_eq!(shown(both).await, [ids[3], ids[0]]);
    assert_eq!(shown(LeadFilter { email: Some(" a@EXAMPLE.com".to_owned()), ..all() }).await, [ids[2], ids[0]]);
    assert_eq!(shown(LeadFilter { received_before: Some(second), ..all() }).await, [ids[0]]);
    let (from, before) = (Some(second), Some(get(&store, ids[3]).await.created_at_utc));
    assert_eq!(shown(LeadFilter { received_from: from, received_before: before, ..all() }).await, [ids[2], ids[1]]);
    let narrow = LeadFilter {
        statuses: vec![LeadStatus::Received],
        service: Some(Service::Ponts),
        sources: vec!["site-a".to_owned()],
        received_from: None,
        received_before: before,
        email: Some("a@example.com".to_owned()),
    };
    assert_eq!(shown(narrow).await, [ids[0]]);
    for odd in ["' OR 1=1 --", "%", ""] {
        assert!(shown(LeadFilter { email: Some(odd.to_owned()), ..all() }).await.is_empty());
        assert!(shown(LeadFilter { sources: vec![odd.to_owned()], ..all() }).await.is_empty());
    }
    // No page is empty for want of a limit, and none is larger than allowed.
    assert_eq!(store.page(&all(), None, 0).await.expect("page").leads.len(), 1);
    assert_eq!(store.page(&all(), None, u32::MAX).await.expect("page").next, None);
    let first = store.page(&all(), None, 5).await.expect("page");
    assert_eq!((first.leads.len(), first.next), (5, None), "a page that holds all has none behind it");
}

/// All statuses, zeros too.
pub async fn leads_are_counted_by_status(store: Store) {
    for &status in LeadStatus::ALL {
        for _ in 0..=usize::from(status == LeadStatus::Resolved) {
            in_status(&store, status).await;
        }
    }
    let counts = store.counts().await.expect("counts");
    let expected: Vec<_> = LeadStatus::ALL
        .iter()
        .map(|&status| (status.to_string(), if status == LeadStatus::Resolved { 2 } else { 1 }))
        .collect();
    assert_eq!(counts, expected);
}
