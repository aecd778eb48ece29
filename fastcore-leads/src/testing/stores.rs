//! The conformance suite for stores: what [`LeadStore`](crate::LeadStore)'s contract promises, a function a case.
//!
//! [`store_conformance!`](crate::store_conformance) makes each case a test of its own, on a fresh store:
//!
//! ```
//! mod memory {
//!     async fn fresh() -> (std::sync::Arc<dyn fastcore_leads::LeadInbox>, ()) {
//!         (std::sync::Arc::new(fastcore_leads::MemoryLeadStore::new()), ())
//!     }
//!
//!     fastcore_leads::store_conformance!(fresh);
//! }
//! # fn main() {}
//! ```

use std::{
    future::{Future, poll_fn},
    pin::pin,
    slice,
    sync::Arc,
    task::Poll,
};

use serde_json::{Value, json};
use tokio::task::JoinSet;

use super::{body, new_lead, parse};
use crate::{
    audit::{Actor, LEAD_RECEIVED},
    ingest::Ingest,
    lead::{Lead, LeadStatus},
    store::{Insertion, LeadInbox, NewLead, StoreErrorKind, StoredLead},
};

/// A store under test.
pub type Store = Arc<dyn LeadInbox>;

macro_rules! cases {
    ($($name:ident)*) => {
        /// The names of all cases, so that nobody can run fewer unnoticed.
        pub const CASES: &[&str] = &[$(stringify!($name)),*];

        /// Makes each case of the suite a test. Takes an async function without arguments that answers a fresh store,
        /// and whatever has to live as long as it does.
        #[macro_export]
        macro_rules! store_conformance {
            ($fresh:path) => {
                $(
                    #[tokio::test(flavor = "multi_thread")]
                    async fn $name() {
                        let (store, _guard) = $fresh().await;
                        $crate::testing::stores::$name(store).await;
                    }
                )*
            };
        }
    };
}

cases! {
    a_lead_and_its_audit_row_are_written_with_one_instant
    all_text_comes_back_as_it_was_sent
    what_is_optional_may_be_none
    a_suspicious_lead_is_quarantined
    a_retry_is_answered_with_the_original
    other_content_is_a_conflict
    outcomes_come_in_the_order_of_the_batch
    duplicates_within_a_batch_make_one_lead
    a_batch_that_ran_before_is_inserted_again
    a_batch_may_be_empty
    a_batch_may_be_large
    a_large_batch_may_hold_what_was_there
    what_is_unknown_is_none
    a_race_of_one_request_has_one_winner
    overlapping_batches_do_not_deadlock
    a_dropped_insert_is_whole_or_nothing
    a_migrated_store_is_ready
}

/// Both rows are there, complete, and share the instant of the receipt.
pub async fn a_lead_and_its_audit_row_are_written_with_one_instant(store: Store) {
    let new = new_lead();
    assert_eq!(insert_one(&store, &new).await, Insertion::Inserted);
    assert_stored(&store, &new).await;
}

/// Quotes, emoji, line breaks and what looks like SQL.
pub async fn all_text_comes_back_as_it_was_sent(store: Store) {
    let texts = [
        "O'Brien; DROP TABLE lead_inbox; --",
        "Zoë 🙂 \"x\" \\ %s ?1 $1",
        "日本語 e\u{301} \u{202e}rtl",
        "{\"a\":[null]}",
    ];
    for text in texts {
        let mut sent = body();
        sent["name"] = text.into();
        sent["company"] = text.into();
        sent["message"] = format!("{text}\n\r\n\t{text} {text}").into();
        sent["meta"]["user_agent_hash"] = "'\"\\".into();
        sent["meta"]["consent"] = json!({"version": text, "locale": "fr-FR", "given_at": "2026-01-02T03:04:05+01:00"});
        let new = from_body(&sent);
        assert_eq!(insert_one(&store, &new).await, Insertion::Inserted);
        assert_stored(&store, &new).await;
    }
}

/// A lead with the required members only.
pub async fn what_is_optional_may_be_none(store: Store) {
    let mut sent = body();
    for member in ["phone", "company", "service"] {
        sent[member] = Value::Null;
    }
    sent["meta"]["user_agent_hash"] = Value::Null;
    sent["consent"] = false.into();
    let new = from_body(&sent);
    assert_eq!(insert_one(&store, &new).await, Insertion::Inserted);
    let row = assert_stored(&store, &new).await;
    assert_eq!((row.phone, row.company, row.service, row.consent), (None, None, None, false));
}

/// The status and the reasons are kept.
pub async fn a_suspicious_lead_is_quarantined(store: Store) {
    let mut sent = body();
    sent["meta"]["suspicion"] = json!(["honeypot", "too_fast"]);
    let new = from_body(&sent);
    insert_one(&store, &new).await;
    let row = assert_stored(&store, &new).await;
    assert_eq!(row.status, LeadStatus::Quarantined.as_str());
    assert_eq!(row.meta_json.map(|meta| meta["suspicion"].clone()), Some(json!(["honeypot", "too_fast"])));
}

/// Same request, same content, other `meta`: the first receipt, and no row more.
pub async fn a_retry_is_answered_with_the_original(store: Store) {
    let sent = body();
    let first = from_body(&sent);
    insert_one(&store, &first).await;
    let mut retried = sent.clone();
    retried["name"] = " Jean Dupont ".into();
    retried["meta"]["timestamp_utc"] = "2025-01-01T00:00:00Z".into();
    retried["meta"]["ip_hash"] = "another".into();
    for _ in 0..3 {
        let outcome = insert_one(&store, &from_body(&retried)).await;
        assert_eq!(outcome, Insertion::Replayed(first.receipt()), "a replay answers the original receipt");
    }
    assert_stored(&store, &first).await;
}

/// Same request, another member of content: nothing is written.
pub async fn other_content_is_a_conflict(store: Store) {
    let sent = body();
    let first = from_body(&sent);
    insert_one(&store, &first).await;
    let others: [(&str, Value); 7] = [
        ("name", "Jeanne Dupont".into()),
        ("email", "jeanne@example.com".into()),
        ("phone", Value::Null),
        ("company", "Other".into()),
        ("service", "ponts".into()),
        ("message", "Un tout autre message, bien plus long.".into()),
        ("consent", false.into()),
    ];
    for (member, value) in others {
        let mut other = sent.clone();
        other[member] = value;
        assert_eq!(insert_one(&store, &from_body(&other)).await, Insertion::Conflict, "{member}");
    }
    assert_stored(&store, &first).await;
}

/// New, replayed and conflicting leads, mixed: each outcome stands where its lead does.
pub async fn outcomes_come_in_the_order_of_the_batch(store: Store) {
    let old = body();
    let first = from_body(&old);
    insert_one(&store, &first).await;
    let mut other = old.clone();
    other["name"] = "Somebody Else".into();
    let batch = [new_lead(), from_body(&old), new_lead(), from_body(&other), new_lead()];
    let outcomes = insert(&store, &batch).await;
    let expected = [
        Insertion::Inserted,
        Insertion::Replayed(first.receipt()),
        Insertion::Inserted,
        Insertion::Conflict,
        Insertion::Inserted,
    ];
    assert_eq!(outcomes, expected, "outcomes stand in the order of the batch");
    for i in [0, 2, 4] {
        assert_stored(&store, &batch[i]).await;
    }
    assert_stored(&store, &first).await;
}

/// The first one wins, the others are replays of it or conflicts with it.
pub async fn duplicates_within_a_batch_make_one_lead(store: Store) {
    let sent = body();
    let mut other = sent.clone();
    other["name"] = "Somebody Else".into();
    let batch = [from_body(&sent), from_body(&sent), from_body(&other), from_body(&sent)];
    let outcomes = insert(&store, &batch).await;
    let replayed = Insertion::Replayed(batch[0].receipt());
    assert_eq!(outcomes, [Insertion::Inserted, replayed, Insertion::Conflict, replayed]);
    assert_stored(&store, &batch[0]).await;
}

/// As after a connection that broke in COMMIT: the same batch, run again, is no replay.
pub async fn a_batch_that_ran_before_is_inserted_again(store: Store) {
    let batch: Vec<_> = (0..5).map(|_| new_lead()).collect();
    for _ in 0..3 {
        assert_eq!(insert(&store, &batch).await, [Insertion::Inserted; 5]);
    }
    for new in &batch {
        assert_stored(&store, new).await;
    }
}

/// No lead, no outcome.
pub async fn a_batch_may_be_empty(store: Store) {
    assert!(insert(&store, &[]).await.is_empty());
}

/// 500 leads, each as large as the limits allow.
pub async fn a_batch_may_be_large(store: Store) {
    let mut sent = body();
    sent["name"] = "🙂".repeat(80).into();
    sent["company"] = "🙂".repeat(120).into();
    sent["phone"] = "9".repeat(30).into();
    sent["message"] = "🙂".repeat(2000).into();
    sent["meta"]["source"] = "🙂".repeat(50).into();
    sent["meta"]["ip_hash"] = "a".repeat(128).into();
    sent["email"] = format!("{}@{}.{}.{}.com", "a".repeat(64), "b".repeat(61), "c".repeat(61), "d".repeat(61)).into();
    let batch: Vec<_> = (0..500)
        .map(|_| {
            sent["meta"]["request_id"] = uuid::Uuid::now_v7().to_string().into();
            from_body(&sent)
        })
        .collect();
    assert!(insert(&store, &batch).await.iter().all(|outcome| *outcome == Insertion::Inserted));
    assert_stored(&store, &batch[0]).await;
    assert_stored(&store, &batch[499]).await;
}

/// A store may expect a large batch to be new. What it is mistaken in is found all the same, and again in the next.
pub async fn a_large_batch_may_hold_what_was_there(store: Store) {
    let old = body();
    let first = from_body(&old);
    insert_one(&store, &first).await;
    let mut other = old.clone();
    other["name"] = "Somebody Else".into();
    for round in ["a replay", "a conflict", "both", "twins"] {
        let twin = body();
        let mut batch: Vec<_> = (0..64).map(|_| new_lead()).collect();
        let mut expected = vec![Insertion::Inserted; 64];
        if ["a replay", "both"].contains(&round) {
            (batch[17], expected[17]) = (from_body(&old), Insertion::Replayed(first.receipt()));
        }
        if ["a conflict", "both"].contains(&round) {
            (batch[63], expected[63]) = (from_body(&other), Insertion::Conflict);
        }
        if round == "twins" {
            (batch[21], batch[43]) = (from_body(&twin), from_body(&twin));
            expected[43] = Insertion::Replayed(batch[21].receipt());
        }
        assert_eq!(insert(&store, &batch).await, expected, "{round}");
        for (new, outcome) in batch.iter().zip(expected) {
            let rows = store.audit_trail(new.id()).await.expect("audit_trail").len();
            assert_eq!(rows, usize::from(outcome == Insertion::Inserted), "audit rows: {round}");
        }
        assert_stored(&store, &batch[21]).await;
        assert_stored(&store, &first).await;
    }
    // More than a store may be wary for, and then the same once more.
    for _ in 0..70 {
        let news: Vec<_> = (0..16).map(|_| new_lead()).collect();
        assert_eq!(insert(&store, &news).await, [Insertion::Inserted; 16]);
        assert_eq!(insert(&store, &news[..1]).await, [Insertion::Inserted], "run before");
    }
    let news: Vec<_> = (0..64).map(|_| new_lead()).collect();
    for _ in 0..3 {
        assert_eq!(insert(&store, &news).await, [Insertion::Inserted; 64], "the same batch");
    }
    for new in &news {
        assert_eq!(store.audit_trail(new.id()).await.expect("audit_trail").len(), 1, "one audit row");
    }
}

/// Neither an error nor somebody else's lead.
pub async fn what_is_unknown_is_none(store: Store) {
    insert_one(&store, &new_lead()).await;
    let unknown = new_lead();
    assert_eq!(store.get(unknown.id()).await.expect("get"), None);
    assert_eq!(store.find(unknown.lead().meta().request_id()).await.expect("find"), None);
    assert_eq!(store.audit_trail(unknown.id()).await.expect("audit_trail"), []);
}

/// 64 tasks, 1,000 rounds: one lead, 63 replays of it, one audit row. In most rounds through the workflow, in batches of
/// any size; in some straight at the store, a transaction each, where every loser's audit row would show.
pub async fn a_race_of_one_request_has_one_winner(store: Store) {
    const TASKS: usize = 64;
    const ROUNDS: usize = 1000;
    for round in 0..ROUNDS {
        let lead = super::lead();
        if round % 20 == 0 {
            race_at_the_store(&store, &lead, TASKS).await;
            continue;
        }
        let max_batch = [1, 7, 256][round % 3];
        let minute = std::time::Duration::from_secs(60);
        let ingest = Ingest::builder(Arc::clone(&store)).writers(4).max_batch(max_batch).deadline(minute).start();
        let mut tasks = JoinSet::new();
        for _ in 0..TASKS {
            let (ingest, lead) = (ingest.clone(), lead.clone());
            tasks.spawn(async move { ingest.ingest(lead, Actor::SITE_INGEST).await });
        }
        let results: Vec<_> = tasks.join_all().await.into_iter().map(|result| result.expect("taken in")).collect();
        assert!(results.iter().all(|ingested| ingested.receipt == results[0].receipt), "one receipt for all");
        let winners = results.iter().filter(|ingested| !ingested.replayed).count();
        assert_eq!(winners, 1, "one lead, one answer that is no replay");
        assert_eq!(store.audit_trail(results[0].receipt.lead_id).await.expect("audit_trail").len(), 1, "one audit row");
        ingest.shutdown().await;
    }
}

async fn race_at_the_store(store: &Store, lead: &Lead, tasks: usize) {
    let news: Vec<_> = (0..tasks).map(|_| NewLead::new(lead.clone(), Actor::SITE_INGEST)).collect();
    let mut inserts = JoinSet::new();
    for new in news.clone() {
        let store = Arc::clone(store);
        inserts.spawn(async move {
            // A store may be too busy for so many at once: as a sender would, it is asked again.
            loop {
                match store.insert(slice::from_ref(&new)).await {
                    Ok(outcomes) => return (new, outcomes[0]),
                    Err(error) => assert_ne!(error.kind(), StoreErrorKind::Internal, "{error}"),
                }
            }
        });
    }
    let outcomes = inserts.join_all().await;
    let winners: Vec<_> = outcomes.iter().filter(|(_, outcome)| *outcome == Insertion::Inserted).collect();
    assert_eq!(winners.len(), 1, "one lead, one answer that is no replay");
    let receipt = winners[0].0.receipt();
    for (new, outcome) in &outcomes {
        let is_winner = new.receipt() == receipt;
        assert!(is_winner || *outcome == Insertion::Replayed(receipt), "a loser is told of the winner");
        let rows = store.audit_trail(new.id()).await.expect("audit_trail").len();
        assert_eq!(rows, usize::from(is_winner), "one audit row");
    }
}

/// The same keys in opposite orders, from several tasks at once.
pub async fn overlapping_batches_do_not_deadlock(store: Store) {
    for _ in 0..20 {
        let bodies: Vec<_> = (0..50).map(|_| body()).collect();
        let mut tasks = JoinSet::new();
        for task in 0..8 {
            let store = Arc::clone(&store);
            let mut batch: Vec<_> = bodies.iter().map(from_body).collect();
            if task % 2 == 1 {
                batch.reverse();
            }
            tasks.spawn(async move { insert(&store, &batch).await });
        }
        let outcomes = tasks.join_all().await.concat();
        let inserted = outcomes.iter().filter(|outcome| **outcome == Insertion::Inserted).count();
        assert_eq!(inserted, bodies.len());
    }
}

/// Dropped after one poll, two, three and so on: the lead has its audit row or is not there, and the store goes on.
pub async fn a_dropped_insert_is_whole_or_nothing(store: Store) {
    for polls in 0..200 {
        let new = new_lead();
        let finished = {
            let batch = [new.clone()];
            let mut insertion = pin!(store.insert(&batch));
            let mut left = polls;
            poll_fn(|context| {
                if left == 0 {
                    return Poll::Ready(false);
                }
                left -= 1;
                match insertion.as_mut().poll(context) {
                    Poll::Ready(result) => Poll::Ready(result.is_ok()),
                    Poll::Pending => {
                        // Polled again at once or when something happened, whichever the scheduler likes.
                        if left % 2 == 0 {
                            context.waker().wake_by_ref();
                        }
                        Poll::Pending
                    }
                }
            })
            .await
        };
        // The row may land a moment later: a retry settles it either way.
        let outcome = insert_one(&store, &new).await;
        assert_eq!(outcome, Insertion::Inserted, "after {polls} polls (finished: {finished})");
        assert_stored(&store, &new).await;
    }
}

/// A fresh store says that it is ready.
pub async fn a_migrated_store_is_ready(store: Store) {
    assert!(store.ready().await.is_ok());
}

/// Inserts a batch that must not fail.
async fn insert(store: &Store, batch: &[NewLead]) -> Vec<Insertion> {
    let outcomes = store.insert(batch).await.expect("the batch is written");
    assert_eq!(outcomes.len(), batch.len(), "one outcome for each lead");
    outcomes
}

async fn insert_one(store: &Store, new: &NewLead) -> Insertion {
    insert(store, slice::from_ref(new)).await[0]
}

fn from_body(body: &Value) -> NewLead {
    NewLead::new(parse(body), Actor::SITE_INGEST)
}

/// The lead's row is as it was sent, under its id and its request id, and has exactly one audit row.
async fn assert_stored(store: &Store, new: &NewLead) -> StoredLead {
    let row = store.get(new.id()).await.expect("get").expect("the lead is there");
    assert_eq!(row.created_at_utc, new.created_at(), "the instant of the receipt");
    assert!(row == StoredLead::from_new(new), "the row is the lead as it was sent");
    let found = store.find(new.lead().meta().request_id()).await.expect("find");
    assert!(found.as_ref() == Some(&row), "found by its request id");
    let trail = store.audit_trail(new.id()).await.expect("audit_trail");
    assert_eq!(trail.len(), 1, "one audit row");
    let audit = &trail[0];
    assert_eq!(audit.created_at, new.created_at(), "the audit row has the lead's instant");
    assert_eq!(
        (audit.id, audit.event.as_str(), audit.actor.as_str(), audit.lead_id, audit.request_id, audit.status_code),
        (new.audit_id(), LEAD_RECEIVED, new.actor().as_str(), Some(new.id()), row.request_id, Some(201)),
    );
    let details: Value = serde_json::from_str(&new.audit_details_json()).expect("JSON");
    assert_eq!(audit.details, details);
    row
}
