//! Many leads by the direct way. Time is paused.

use std::{sync::Arc, time::Duration};

use fastcore_leads::{Actor, Ingest, IngestError, StoreErrorKind, testing::lead};
use tokio::{task::yield_now, time::Instant};

use crate::scripted::{Scripted, named, settle};

fn actor() -> Actor {
    Actor::new("importer").unwrap()
}

/// Lets one call of the store go on at each interval.
fn commit_every(store: &Arc<Scripted>, interval: Duration) -> tokio::task::JoinHandle<()> {
    let store = Arc::clone(store);
    tokio::spawn(async move {
        loop {
            tokio::time::sleep(interval).await;
            store.gate.add_permits(1);
        }
    })
}

#[tokio::test(start_paused = true)]
async fn each_lead_gets_its_result_in_its_place() {
    let store = Scripted::new(0, &[]);
    let commits = commit_every(&store, Duration::from_millis(2));
    store.poison.lock().unwrap().insert("poison".to_owned());
    let ingest = Ingest::builder(Arc::clone(&store)).start();
    let known = lead();
    ingest.ingest(known.clone(), actor()).await.unwrap();
    let leads = (0..5000).map(|i| match i % 1000 {
        7 => named("poison"),
        8 => known.clone(),
        _ => lead(),
    });
    let results = ingest.ingest_many(leads, actor()).await;
    assert_eq!(results.len(), 5000);
    for (i, result) in results.into_iter().enumerate() {
        match i % 1000 {
            7 => assert_eq!(result, Err(IngestError::Internal)),
            8 => assert!(result.unwrap().replayed),
            _ => assert!(!result.unwrap().replayed),
        }
    }
    assert_eq!(store.inner.len(), 5000 - 10 + 1);
    commits.abort();
    let batches = store.batches();
    assert!(batches.contains(&256), "an importer fills the batches: {batches:?}");
}

#[tokio::test(start_paused = true)]
async fn an_importer_leaves_room_for_others_and_waits_where_they_are_refused() {
    for by_bytes in [false, true] {
        let store = Scripted::new(0, &[]);
        let builder = Ingest::builder(Arc::clone(&store)).writers(1).max_batch(128).deadline(Duration::from_secs(3600));
        let (size, room) = (lead().size_in_memory(), 400);
        let ingest = if by_bytes { builder.queue_bytes(size * room) } else { builder.queue_capacity(room / 4) }.start();
        let import = tokio::spawn({
            let ingest = ingest.clone();
            async move { ingest.ingest_many((0..2000).map(|_| lead()), actor()).await }
        });
        // Until it has grown its window as far as it may.
        for _ in 0..4 {
            settle().await;
            store.gate.add_permits(1);
        }
        settle().await;
        // Fill what the importer has left; the last is refused at once.
        let mut others = Vec::new();
        loop {
            let ingest = ingest.clone();
            let other = tokio::spawn(async move { ingest.ingest(lead(), actor()).await });
            settle().await;
            if other.is_finished() {
                assert_eq!(other.await.unwrap(), Err(IngestError::Unavailable));
                break;
            }
            others.push(other);
        }
        let half = if by_bytes { room / 2 - 1 } else { room / 4 / 2 };
        assert!(others.len() >= half, "the importer left room for {} others, not for {half}", others.len());
        assert!(others.len() < half + 130, "the importer makes little use of its half: {} others", others.len());
        assert!(!import.is_finished());
        store.gate.add_permits(10_000);
        for other in others {
            assert!(other.await.unwrap().is_ok());
        }
        assert!(import.await.unwrap().iter().all(Result::is_ok), "no lead of an import is refused for want of room");
    }
}

/// 300 ms a batch of 4, and 1 s for each lead: a window of a fixed size would time out.
#[tokio::test(start_paused = true)]
async fn a_slow_store_has_fewer_leads_under_way() {
    let store = Scripted::new(0, &[]);
    let ingest = Ingest::builder(Arc::clone(&store)).writers(1).max_batch(4).deadline(Duration::from_secs(1)).start();
    let slowly = commit_every(&store, Duration::from_millis(300));
    let results = ingest.ingest_many((0..400).map(|_| lead()), actor()).await;
    slowly.abort();
    let late = results.iter().filter(|result| result.is_err()).count();
    assert!(late < 100, "{late} of 400 were not written in time");
    assert!(results[200..].iter().all(Result::is_ok), "it does not settle down");
}

#[tokio::test(start_paused = true)]
async fn an_import_without_a_store_ends_and_says_what_may_be_tried_again() {
    let store = Scripted::new(1000, &[(StoreErrorKind::Unavailable, false); 50]);
    // Too short for a second attempt.
    let ingest = Ingest::builder(store).max_batch(1).deadline(Duration::from_millis(50)).start();
    let results = ingest.ingest_many((0..100).map(|_| lead()), actor()).await;
    let lost = results.iter().filter(|result| result.is_err_and(IngestError::is_retryable)).count();
    assert_eq!((lost, results.iter().filter(|result| result.is_ok()).count()), (50, 50));
    ingest.shutdown().await;
    let started = Instant::now();
    let results = ingest.ingest_many((0..10).map(|_| lead()), actor()).await;
    assert_eq!(results, [Err(IngestError::Unavailable); 10]);
    assert_eq!(started.elapsed(), Duration::ZERO);
}

/// What a future answers when it is polled for the first time.
pub(crate) async fn polled_once<T>(mut future: std::pin::Pin<&mut (impl Future<Output = T> + ?Sized)>) -> Option<T> {
    std::future::poll_fn(|context| match future.as_mut().poll(context) {
        std::task::Poll::Ready(value) => std::task::Poll::Ready(Some(value)),
        std::task::Poll::Pending => std::task::Poll::Ready(None),
    })
    .await
}

/// Closing waits for nobody who has not got a place yet.
#[tokio::test(start_paused = true)]
async fn shutting_down_does_not_wait_for_an_import_that_nobody_polls() {
    let store = Scripted::new(0, &[]);
    let ingest = Ingest::builder(Arc::clone(&store)).writers(1).max_batch(1).queue_capacity(2).start();
    let mut import = Box::pin(ingest.ingest_many((0..100).map(|_| lead()), actor()));
    let mut others = Vec::new();
    for _ in 0..3 {
        let ingest = ingest.clone();
        others.push(tokio::spawn(async move { ingest.ingest(lead(), actor()).await }));
        settle().await;
    }
    assert!(polled_once(import.as_mut()).await.is_none(), "it waits for a place");
    store.gate.add_permits(100);
    ingest.shutdown().await;
    for other in others {
        other.await.unwrap().unwrap();
    }
    assert!(import.await.iter().any(Result::is_err));
}

#[tokio::test(start_paused = true)]
async fn a_dropped_import_stops_after_what_is_under_way() {
    let store = Scripted::new(0, &[]);
    let ingest = Ingest::builder(Arc::clone(&store)).start();
    let import = tokio::spawn({
        let ingest = ingest.clone();
        async move { ingest.ingest_many((0..100_000).map(|_| lead()), actor()).await }
    });
    for _ in 0..100 {
        yield_now().await;
    }
    import.abort();
    assert!(import.await.unwrap_err().is_cancelled());
    store.gate.add_permits(1000);
    ingest.shutdown().await;
    assert!((1..=1024).contains(&store.inner.len()), "{} were written", store.inner.len());
}
