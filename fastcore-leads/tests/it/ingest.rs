//! The workflow: groups, splits, retries, deadlines, draining. Time is paused: nothing here waits for a while.

use std::{
    collections::HashSet,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use async_trait::async_trait;
use fastcore_leads::{
    Actor, Ingest, IngestError, Insertion, LeadStore, MemoryLeadStore, NewLead, RequestId, StoreError, StoreErrorKind,
    testing::lead,
};
use tokio::{
    task::JoinSet,
    time::{Instant, sleep},
};

use crate::scripted::{Scripted, named, settle};

#[tokio::test(start_paused = true)]
async fn what_queues_up_during_a_commit_shares_the_next_one() {
    let store = Scripted::new(0, &[]);
    let ingest = Ingest::builder(Arc::clone(&store)).writers(1).max_batch(4).start();
    let calls: Vec<_> = (0..8)
        .map(|_| {
            let ingest = ingest.clone();
            tokio::spawn(async move { ingest.ingest(lead(), Actor::SITE_INGEST).await })
        })
        .collect();
    settle().await;
    assert!(calls.iter().all(|call| !call.is_finished()), "nobody is answered before a commit");
    let first = store.batches()[0];
    store.gate.add_permits(1);
    settle().await;
    assert_eq!(calls.iter().filter(|call| call.is_finished()).count(), first);
    store.gate.add_permits(10);
    for call in calls {
        assert!(call.await.unwrap().is_ok());
    }
    assert!(store.batches().iter().all(|size| *size <= 4));
    assert!(store.batches().len() <= 4, "{:?}", store.batches());
    assert_eq!(store.inner.len(), 8);
}

#[tokio::test(start_paused = true)]
async fn a_batch_is_bounded_by_bytes() {
    let store = Scripted::new(0, &[]);
    let ingest = Ingest::builder(Arc::clone(&store)).writers(1).max_batch_bytes(1).start();
    let calls: Vec<_> = (0..3)
        .map(|_| {
            tokio::spawn({
                let ingest = ingest.clone();
                async move { ingest.ingest(lead(), Actor::SITE_INGEST).await }
            })
        })
        .collect();
    store.gate.add_permits(3);
    for call in calls {
        assert!(call.await.unwrap().is_ok());
    }
    assert_eq!(store.batches(), [1, 1, 1]);
}

#[tokio::test(start_paused = true)]
async fn a_refused_row_fails_alone() {
    for poisoned in 0..16 {
        let store = Scripted::new(0, &[]);
        store.poison.lock().unwrap().insert("poison".to_owned());
        let ingest = Ingest::builder(Arc::clone(&store)).writers(1).start();
        let blocker = tokio::spawn({
            let ingest = ingest.clone();
            async move { ingest.ingest(lead(), Actor::SITE_INGEST).await }
        });
        settle().await;
        let calls: Vec<_> = (0..16)
            .map(|i| {
                let ingest = ingest.clone();
                let lead = if i == poisoned { named("poison") } else { lead() };
                tokio::spawn(async move { ingest.ingest(lead, Actor::SITE_INGEST).await })
            })
            .collect();
        settle().await;
        store.gate.add_permits(1000);
        assert!(blocker.await.unwrap().is_ok());
        for (i, call) in calls.into_iter().enumerate() {
            let result = call.await.unwrap();
            if i == poisoned {
                assert_eq!(result, Err(IngestError::Internal));
            } else {
                assert!(!result.unwrap().replayed);
            }
        }
        assert_eq!(store.batches()[1], 16);
        assert_eq!(store.inner.len(), 16);
    }
}

#[tokio::test(start_paused = true)]
async fn an_unknown_outcome_is_resolved_by_running_the_batch_once_more() {
    for was_written in [true, false] {
        let store = Scripted::new(100, &[(StoreErrorKind::OutcomeUnknown, was_written)]);
        let ingest = Ingest::builder(Arc::clone(&store)).start();
        let ingested = ingest.ingest(lead(), Actor::SITE_INGEST).await.unwrap();
        assert!(!ingested.replayed, "its own row is no replay");
        assert_eq!((store.inner.len(), store.batches().len()), (1, 2));
    }
    let store = Scripted::new(100, &[(StoreErrorKind::OutcomeUnknown, true); 4]);
    let ingest = Ingest::builder(Arc::clone(&store)).start();
    assert!(!ingest.ingest(lead(), Actor::SITE_INGEST).await.unwrap().replayed, "its own row is no replay");
    assert_eq!((store.inner.len(), store.batches().len()), (1, 5));
}

/// What is left of the deadline is used, with pauses that grow.
#[tokio::test(start_paused = true)]
async fn an_absence_of_the_database_is_outlasted_within_the_deadline() {
    for kind in [StoreErrorKind::Unavailable, StoreErrorKind::TimedOut, StoreErrorKind::OutcomeUnknown] {
        let store = Scripted::new(100, &[(kind, false); 9]);
        let ingest = Ingest::builder(Arc::clone(&store)).deadline(Duration::from_secs(30)).start();
        let started = Instant::now();
        assert!(ingest.ingest(lead(), Actor::SITE_INGEST).await.is_ok(), "{kind:?}");
        assert!(started.elapsed() > Duration::from_secs(2), "{kind:?}: asked again after {:?}", started.elapsed());
        let store = Scripted::new(usize::MAX >> 4, &[(kind, false); 1000]);
        let ingest = Ingest::builder(Arc::clone(&store)).deadline(Duration::from_secs(30)).start();
        let started = Instant::now();
        assert_eq!(ingest.ingest(lead(), Actor::SITE_INGEST).await, Err(IngestError::Unavailable), "{kind:?}");
        assert!(started.elapsed() <= Duration::from_secs(30));
        let attempts = store.batches().len();
        assert!((25..80).contains(&attempts), "{kind:?}: {attempts} attempts in 30 s");
    }
}

/// Somebody else's transaction holds one request id: the other leads of its batch do not wait, and it comes in as soon as it
/// can.
#[tokio::test(start_paused = true)]
async fn only_a_stuck_lead_waits() {
    struct Holds {
        inner: MemoryLeadStore,
        held: Mutex<Option<RequestId>>,
        calls: AtomicUsize,
    }

    #[async_trait]
    impl LeadStore for Holds {
        async fn insert(&self, batch: &[NewLead]) -> Result<Vec<Insertion>, StoreError> {
            self.calls.fetch_add(1, Ordering::Relaxed);
            let held = *self.held.lock().unwrap();
            if batch.iter().any(|new| Some(new.lead().meta().request_id()) == held) {
                sleep(Duration::from_millis(100)).await;
                return Err(StoreErrorKind::Locked.into());
            }
            self.inner.insert(batch).await
        }

        async fn ready(&self) -> Result<(), StoreError> {
            Ok(())
        }
    }

    let stuck = lead();
    let store = Arc::new(Holds {
        inner: MemoryLeadStore::new(),
        held: Mutex::new(Some(stuck.meta().request_id())),
        calls: AtomicUsize::new(0),
    });
    let ingest = Ingest::builder(Arc::clone(&store)).writers(1).deadline(Duration::from_secs(10)).start();
    let started = Instant::now();
    let one = tokio::spawn({
        let (ingest, stuck) = (ingest.clone(), stuck.clone());
        async move { ingest.ingest(stuck, Actor::SITE_INGEST).await }
    });
    settle().await;
    let mut others = JoinSet::new();
    for i in 0..256 {
        let (ingest, sent) = (ingest.clone(), if i == 100 { stuck.clone() } else { lead() });
        others.spawn(async move { (i, ingest.ingest(sent, Actor::SITE_INGEST).await, started.elapsed()) });
    }
    for _ in 0..255 {
        let (i, result, elapsed) = others.join_next().await.unwrap().unwrap();
        assert!(i != 100 && result.is_ok() && elapsed < Duration::from_secs(1), "{i}: {result:?} after {elapsed:?}");
    }
    assert!(store.calls.load(Ordering::Relaxed) < 100, "not lead by lead");
    *store.held.lock().unwrap() = None;
    let mut results = [one.await.unwrap().unwrap(), others.join_next().await.unwrap().unwrap().1.unwrap()];
    results.sort_by_key(|ingested| ingested.replayed);
    assert!(!results[0].replayed && results[1].replayed, "one of the two is first");
    ingest.shutdown().await;
}

/// A table is locked: no lead is to blame, and none is tried on its own.
#[tokio::test(start_paused = true)]
async fn a_locked_table_is_waited_for_as_a_whole() {
    let store = Scripted::new(1000, &[(StoreErrorKind::Locked, false); 8]);
    let ingest = Ingest::builder(Arc::clone(&store)).writers(1).deadline(Duration::from_secs(30)).start();
    let results = ingest.ingest_many((0..64).map(|_| lead()), Actor::SITE_INGEST).await;
    assert!(results.iter().all(Result::is_ok));
    assert!(store.batches().len() < 20, "{:?}", store.batches());
}

#[tokio::test(start_paused = true)]
async fn contention_never_reaches_the_caller() {
    let store = Scripted::new(100, &[(StoreErrorKind::Contention, false); 10]);
    let ingest = Ingest::builder(Arc::clone(&store)).start();
    assert!(ingest.ingest(lead(), Actor::SITE_INGEST).await.is_ok());
    assert_eq!(store.batches().len(), 11);
}

#[tokio::test(start_paused = true)]
async fn a_silent_store_is_unavailable_by_the_deadline_and_then_works_again() {
    let store = Scripted::new(0, &[]);
    let ingest = Ingest::builder(Arc::clone(&store)).deadline(Duration::from_secs(2)).start();
    let started = Instant::now();
    assert_eq!(ingest.ingest(lead(), Actor::SITE_INGEST).await, Err(IngestError::Unavailable));
    assert_eq!(started.elapsed(), Duration::from_secs(2));
    store.gate.add_permits(100);
    assert!(ingest.ingest(lead(), Actor::SITE_INGEST).await.is_ok());
}

#[tokio::test(start_paused = true)]
async fn a_full_queue_refuses_at_once() {
    for by_bytes in [false, true] {
        let store = Scripted::new(0, &[]);
        let builder = Ingest::builder(Arc::clone(&store)).writers(1).max_batch(1);
        // The least that can be set.
        let bytes = 128 * 1024;
        let ingest = if by_bytes { builder.queue_bytes(0).start() } else { builder.queue_capacity(2).start() };
        let room = if by_bytes { bytes / lead().size_in_memory() } else { 3 };
        let mut waiting = Vec::new();
        for _ in 0..room {
            waiting.push(tokio::spawn({
                let ingest = ingest.clone();
                async move { ingest.ingest(lead(), Actor::SITE_INGEST).await }
            }));
            settle().await;
        }
        let started = Instant::now();
        assert_eq!(ingest.ingest(lead(), Actor::SITE_INGEST).await, Err(IngestError::Unavailable));
        assert_eq!(started.elapsed(), Duration::ZERO);
        store.gate.add_permits(1000);
        for call in waiting {
            assert!(call.await.unwrap().is_ok());
        }
        assert!(ingest.ingest(lead(), Actor::SITE_INGEST).await.is_ok());
    }
}

#[tokio::test(start_paused = true)]
async fn a_caller_that_goes_away_does_not_cancel_the_write() {
    let store = Scripted::new(0, &[]);
    let ingest = Ingest::builder(Arc::clone(&store)).start();
    let call = tokio::spawn({
        let ingest = ingest.clone();
        async move { ingest.ingest(lead(), Actor::SITE_INGEST).await }
    });
    settle().await;
    call.abort();
    settle().await;
    store.gate.add_permits(1);
    settle().await;
    assert_eq!(store.inner.len(), 1);
}

#[tokio::test(start_paused = true)]
async fn shutting_down_drains() {
    let store = Scripted::new(0, &[]);
    let ingest = Ingest::builder(Arc::clone(&store)).writers(2).max_batch(1).start();
    let calls: Vec<_> = (0..20)
        .map(|_| {
            tokio::spawn({
                let ingest = ingest.clone();
                async move { ingest.ingest(lead(), Actor::SITE_INGEST).await }
            })
        })
        .collect();
    settle().await;
    let shutdown = tokio::spawn({
        let ingest = ingest.clone();
        async move { ingest.shutdown().await }
    });
    settle().await;
    assert!(!shutdown.is_finished());
    assert_eq!(ingest.ingest(lead(), Actor::SITE_INGEST).await, Err(IngestError::Unavailable));
    store.gate.add_permits(100);
    shutdown.await.unwrap();
    for call in calls {
        assert!(call.await.unwrap().is_ok());
    }
    assert_eq!(store.inner.len(), 20);
    ingest.shutdown().await;
}

#[tokio::test(start_paused = true)]
async fn dropping_the_last_handle_finishes_what_is_queued() {
    let store = Scripted::open();
    let ingest = Ingest::builder(Arc::clone(&store)).start();
    let call = tokio::spawn(async move { ingest.ingest(lead(), Actor::SITE_INGEST).await });
    assert!(call.await.unwrap().is_ok());
    settle().await;
    assert_eq!(Arc::strong_count(&store), 1, "the writers have ended");
}

#[tokio::test]
async fn a_race_of_one_request_has_one_winner() {
    let ingest = Ingest::builder(MemoryLeadStore::new()).start();
    for _ in 0..50 {
        let lead = lead();
        let calls: Vec<_> = (0..64)
            .map(|_| {
                let (ingest, lead) = (ingest.clone(), lead.clone());
                tokio::spawn(async move { ingest.ingest(lead, Actor::SITE_INGEST).await.unwrap() })
            })
            .collect();
        let mut receipts = HashSet::new();
        let mut winners = 0;
        for call in calls {
            let ingested = call.await.unwrap();
            receipts.insert(ingested.receipt.lead_id);
            winners += usize::from(!ingested.replayed);
        }
        assert_eq!((receipts.len(), winners), (1, 1));
    }
}

#[tokio::test]
async fn a_store_that_panics_over_a_lead_fails_that_one_alone() {
    struct Panics(MemoryLeadStore);

    #[async_trait]
    impl LeadStore for Panics {
        async fn insert(&self, batch: &[NewLead]) -> Result<Vec<Insertion>, StoreError> {
            assert!(!batch.iter().any(|new| new.lead().name() == "panic"), "planted");
            self.0.insert(batch).await
        }

        async fn ready(&self) -> Result<(), StoreError> {
            Ok(())
        }
    }

    let ingest = Ingest::builder(Panics(MemoryLeadStore::new())).writers(1).start();
    for _ in 0..4 {
        let calls: Vec<_> = (0..8)
            .map(|i| {
                let (ingest, lead) = (ingest.clone(), if i == 3 { named("panic") } else { lead() });
                tokio::spawn(async move { ingest.ingest(lead, Actor::SITE_INGEST).await })
            })
            .collect();
        for (i, call) in calls.into_iter().enumerate() {
            assert_eq!(call.await.unwrap().err(), (i == 3).then_some(IngestError::Internal));
        }
        assert!(ingest.ready().await.is_ok());
    }
    ingest.shutdown().await;
    assert_eq!(ingest.ready().await.unwrap_err().kind(), StoreErrorKind::Unavailable);
}

/// However long a lead may wait: whoever asks has given up by then.
#[tokio::test(start_paused = true)]
async fn a_store_that_does_not_say_whether_it_is_ready_is_not() {
    struct Silent;

    #[async_trait]
    impl LeadStore for Silent {
        async fn insert(&self, _: &[NewLead]) -> Result<Vec<Insertion>, StoreError> {
            std::future::pending().await
        }

        async fn ready(&self) -> Result<(), StoreError> {
            std::future::pending().await
        }
    }

    for (deadline, waited) in [(60_000, 1000), (200, 200)] {
        let ingest = Ingest::builder(Silent).deadline(Duration::from_millis(deadline)).start();
        let asked = Instant::now();
        assert_eq!(ingest.ready().await.unwrap_err().kind(), StoreErrorKind::TimedOut);
        assert_eq!(asked.elapsed().as_millis(), waited);
    }
}

/// A probe does not keep it from finding, say, the server that leads.
#[tokio::test(start_paused = true)]
async fn a_store_that_was_slow_to_be_ready_is_ready_for_the_next_probe() {
    #[derive(Default)]
    struct Slow(AtomicUsize);

    #[async_trait]
    impl LeadStore for Slow {
        async fn insert(&self, _: &[NewLead]) -> Result<Vec<Insertion>, StoreError> {
            std::future::pending().await
        }

        async fn ready(&self) -> Result<(), StoreError> {
            if self.0.fetch_add(1, Ordering::Relaxed) == 0 {
                sleep(Duration::from_millis(2800)).await;
            }
            Ok(())
        }
    }

    let store = Arc::new(Slow::default());
    let ingest = Ingest::builder(Arc::clone(&store)).deadline(Duration::from_secs(5)).start();
    for _ in 0..2 {
        assert_eq!(ingest.ready().await.unwrap_err().kind(), StoreErrorKind::TimedOut);
    }
    assert_eq!(store.0.load(Ordering::Relaxed), 1, "probes that were given up do not pile up");
    let asked = Instant::now();
    assert!(ingest.ready().await.is_ok());
    assert_eq!(asked.elapsed().as_millis(), 800);
}

#[test]
fn errors_say_whether_to_retry() {
    assert!(IngestError::Unavailable.is_retryable());
    for error in [IngestError::RequestIdConflict, IngestError::LeadErased, IngestError::Internal] {
        assert!(!error.is_retryable());
    }
}

#[test]
fn a_store_error_shows_no_row() {
    let driver = std::io::Error::other("Key (email)=(CANARY) already exists");
    let error = StoreError::new(StoreErrorKind::Rejected)
        .with_code("23505")
        .with_constraint(Some("ix_lead_inbox_request_id"))
        .with_driver_error(driver);
    let source = std::error::Error::source(&error).map(ToString::to_string).unwrap_or_default();
    let shown = format!("{error} {error:?} {error:#?} {source}");
    assert!(!shown.contains("CANARY"), "{shown}");
    assert!(shown.contains("23505") && shown.contains("ix_lead_inbox_request_id"));
    assert!(error.driver_error().unwrap().to_string().contains("CANARY"));
}
