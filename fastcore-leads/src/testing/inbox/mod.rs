//! The conformance suite for [`LeadInbox`]: pages, moves, quarantine, consent, erasure, export, purge.
//!
//! [`inbox_conformance!`](crate::inbox_conformance) makes each case a test of its own, on a fresh store, as
//! [`store_conformance!`](crate::store_conformance) does.

mod lawful;
mod pages;
mod reading;
mod search;
mod work;

use std::collections::HashMap;

pub use self::{lawful::*, pages::*, reading::*, search::*, work::*};
use super::{Random, body, parse, stores::Store};
use crate::{
    audit::{self, Actor, AuditRecord},
    inbox::{InboxError, LeadState, Reason},
    lead::{Lead, LeadId, LeadStatus},
    store::{Insertion, LeadInbox, NewLead, StoredLead},
};

macro_rules! cases {
    ($($name:ident)*) => {
        /// The names of all cases, so that nobody can run fewer unnoticed.
        pub const CASES: &[&str] = &[$(stringify!($name)),*];

        /// Makes each case of the suite a test. Takes an async function without arguments that answers a fresh store,
        /// and whatever has to live as long as it does.
        #[macro_export]
        macro_rules! inbox_conformance {
            ($fresh:path) => {
                $(
                    #[tokio::test(flavor = "multi_thread")]
                    async fn $name() {
                        let (store, _guard) = $fresh().await;
                        $crate::testing::inbox::$name(store).await;
                    }
                )*
            };
        }
    };
}

cases! {
    a_lead_goes_its_way
    every_other_move_is_refused_and_writes_nothing
    a_move_from_a_status_that_changed_is_refused
    racing_moves_are_a_legal_path
    a_random_history_can_be_rebuilt_from_its_trail
    a_dropped_change_is_whole_or_nothing
    a_reason_must_not_name_the_person
    a_note_stays_with_its_lead_and_goes_with_it
    a_lead_is_given_to_one_at_a_time
    a_quarantined_lead_is_on_no_default_page_until_released
    consent_is_withdrawn_and_its_proof_stays
    an_erased_lead_is_a_tombstone
    all_leads_of_an_address_are_erased_in_any_case
    an_export_holds_all_that_is_held
    a_purge_erases_what_is_due_and_nothing_else
    contact_keeps_a_lead
    a_lead_that_nobody_answers_is_noted_once
    a_walk_sees_each_older_lead_once
    pages_show_what_the_filter_says
    a_walk_back_sees_the_same_pages
    a_lead_is_found_by_the_beginning_of_an_id
    what_was_erased_is_listed_in_its_order
    leads_are_counted_by_status
    leads_are_tallied_by_what_they_have_in_common
    first_contacts_are_the_first
    leads_are_found_by_the_beginnings_of_their_words
    a_walk_through_what_was_found_sees_each_once
    an_erased_lead_is_not_found
    random_searches_find_what_they_should
    who_reads_a_lead_is_noted_once_an_hour
    a_row_that_is_there_is_left_as_it_is
}

fn marie() -> Actor {
    named("marie")
}

fn named(name: &str) -> Actor {
    Actor::new(name).expect("a name")
}

#[allow(clippy::unnecessary_wraps, reason = "as the calls take it")]
fn because(text: &str) -> Option<Reason> {
    Some(Reason::new(text).expect("a reason"))
}

async fn insert(store: &Store, lead: Lead) -> LeadId {
    let new = NewLead::new(lead, Actor::SITE_INGEST);
    let id = new.id();
    assert_eq!(store.insert(&[new]).await.expect("insert"), [Insertion::Inserted]);
    id
}

async fn get(store: &Store, id: LeadId) -> StoredLead {
    store.get(id).await.expect("get").expect("the lead is there")
}

async fn trail(store: &Store, id: LeadId) -> Vec<AuditRecord> {
    store.audit_trail(id).await.expect("audit_trail")
}

/// The row is in the state that its trail tells.
async fn assert_in_step(store: &Store, id: LeadId) {
    let (row, trail) = (get(store, id).await, trail(store, id).await);
    let state = LeadState::from_trail(&trail).expect("the trail is whole");
    let is_consent_withdrawn = match row.erased_at_utc {
        // A tombstone has no consent to show.
        Some(_) => state.is_consent_withdrawn,
        None => row.meta_json.as_ref().is_some_and(|meta| meta.get("consent_withdrawn_at").is_some()),
    };
    let actual = LeadState {
        status: row.status.parse().expect("a status"),
        is_consent_withdrawn,
        is_erased: row.erased_at_utc.is_some(),
    };
    assert_eq!(state, actual);
    assert!(!(is_consent_withdrawn && row.consent));
}

/// Row and trail are as they were.
async fn assert_unchanged(store: &Store, before: &StoredLead, rows: usize) {
    assert_eq!(get(store, before.id).await, *before);
    assert_eq!(trail(store, before.id).await.len(), rows);
}

/// Brings a fresh lead into a status.
async fn in_status(store: &Store, status: LeadStatus) -> LeadId {
    use crate::inbox::InboxExt;
    use LeadStatus::{Archived, Processing, Quarantined, Received, Resolved};

    let mut sent = body();
    if status == Quarantined {
        sent["meta"]["suspicion"] = serde_json::json!(["honeypot"]);
    }
    let id = insert(store, parse(&sent)).await;
    let path: &[LeadStatus] = match status {
        Received | Quarantined => &[],
        Processing => &[Processing],
        Resolved => &[Processing, Resolved],
        Archived => &[Archived],
    };
    let mut seen = Received;
    for &to in path {
        store.transition(id, seen, to, marie(), None).await.expect("a step of its life");
        seen = to;
    }
    id
}
