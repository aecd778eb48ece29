//! When a second writer begins. Time is paused.

use std::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use async_trait::async_trait;
use fastcore_leads::{Actor, Ingest, Insertion, LeadStore, MemoryLeadStore, NewLead, StoreError, testing::lead};
use tokio::{
    task::JoinSet,
    time::{Instant, sleep},
};

/// A store that takes its time, and says how it was called.
struct Slow {
    takes: Mutex<Duration>,
    running: AtomicUsize,
    /// How many leads each insert had, and how many inserts ran then.
    seen: Mutex<Vec<(usize, usize)>>,
    inner: MemoryLeadStore,
}

impl Slow {
    fn new(takes: Duration) -> Arc<Self> {
        let running = AtomicUsize::new(0);
        Arc::new(Self { takes: takes.into(), running, seen: Mutex::default(), inner: MemoryLeadStore::new() })
    }

    /// What was seen since it was last asked.
    fn seen(&self) -> Vec<(usize, usize)> {
        std::mem::take(&mut self.seen.lock().unwrap())
    }
}

#[async_trait]
impl LeadStore for Slow {
    async fn insert(&self, batch: &[NewLead]) -> Result<Vec<Insertion>, StoreError> {
        let running = self.running.fetch_add(1, Ordering::Relaxed) + 1;
        self.seen.lock().unwrap().push((batch.len(), running));
        let takes = *self.takes.lock().unwrap();
        sleep(takes).await;
        self.running.fetch_sub(1, Ordering::Relaxed);
        self.inner.insert(batch).await
    }

    async fn ready(&self) -> Result<(), StoreError> {
        Ok(())
    }
}

/// So many callers, each of which sends its next lead once the last is taken in.
async fn send(ingest: &Ingest, callers: usize, leads_each: usize) {
    let mut tasks = JoinSet::new();
    for _ in 0..callers {
        let ingest = ingest.clone();
        tasks.spawn(async move {
            for _ in 0..leads_each {
                ingest.ingest(lead(), Actor::SITE_INGEST).await.unwrap();
            }
        });
    }
    tasks.join_all().await;
}

const COMMIT: Duration = Duration::from_millis(2);

#[tokio::test(start_paused = true)]
async fn few_leads_wait_for_one_transaction_and_many_share_two() {
    let store = Slow::new(COMMIT);
    let ingest = Ingest::builder(Arc::clone(&store)).max_batch(64).start();
    send(&ingest, 16, 20).await;
    store.seen();
    send(&ingest, 16, 50).await;
    let seen = store.seen();
    assert!(seen.iter().all(|(_, running)| *running == 1), "one transaction at a time: {seen:?}");
    assert!(seen.len() <= 2 * 50, "what comes meanwhile shares the next: {} transactions of 800 leads", seen.len());
    send(&ingest, 256, 20).await;
    let seen = store.seen();
    let beside = seen.iter().filter(|(_, running)| *running == 2).count();
    assert!(beside * 3 > seen.len(), "two transactions at a time: {seen:?}");
}

#[tokio::test(start_paused = true)]
async fn a_lone_lead_waits_for_nobody() {
    let store = Slow::new(COMMIT);
    let ingest = Ingest::builder(Arc::clone(&store)).start();
    for callers in [1, 2] {
        let started = Instant::now();
        send(&ingest, callers, 50).await;
        assert!(started.elapsed() <= COMMIT * 51, "{callers}: {:?}", started.elapsed());
    }
}

#[tokio::test(start_paused = true)]
async fn a_transaction_that_is_stuck_holds_up_its_own_leads_only() {
    let store = Slow::new(COMMIT);
    let ingest = Ingest::builder(Arc::clone(&store)).deadline(Duration::from_secs(10)).start();
    send(&ingest, 16, 50).await;
    *store.takes.lock().unwrap() = Duration::from_secs(5);
    let stuck = tokio::spawn({
        let ingest = ingest.clone();
        async move { send(&ingest, 1, 1).await }
    });
    while store.running.load(Ordering::Relaxed) == 0 {
        sleep(Duration::from_millis(1)).await;
    }
    *store.takes.lock().unwrap() = COMMIT;
    let started = Instant::now();
    send(&ingest, 1, 1).await;
    assert!(started.elapsed() < Duration::from_millis(20), "{:?}", started.elapsed());
    stuck.await.unwrap();
}
