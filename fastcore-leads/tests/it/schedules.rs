//! Thousands of schedules, each from a seed that a failure names: callers that come, go away and repeat each other, a store
//! that hesitates and fails, shutting down in the middle. Time is paused, so a lost wake-up shows as time that passes.

use std::{
    collections::{HashMap, HashSet},
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use async_trait::async_trait;
use fastcore_leads::{
    Actor, Ingest, IngestError, Ingested, Insertion, Lead, LeadInbox, LeadStore, MemoryLeadStore, NewLead, RequestId,
    StoreError, StoreErrorKind,
    testing::{Random, lead},
};
use tokio::{
    task::{JoinSet, yield_now},
    time::{Instant, sleep},
};

use crate::scripted::{named, settle};

const SCHEDULES: usize = 2000;
const POISON: &str = "poison";

/// A store that takes its time, and fails in every way that a real one may.
struct Capricious {
    inner: MemoryLeadStore,
    random: Mutex<Random>,
    is_perfect: bool,
    order: Mutex<Vec<RequestId>>,
}

impl Capricious {
    fn draw(&self, end: usize) -> usize {
        self.random.lock().unwrap().below(end)
    }
}

#[async_trait]
impl LeadStore for Capricious {
    async fn insert(&self, batch: &[NewLead]) -> Result<Vec<Insertion>, StoreError> {
        self.order.lock().unwrap().extend(batch.iter().map(|new| new.lead().meta().request_id()));
        for _ in 0..self.draw(6) {
            yield_now().await;
        }
        if self.is_perfect {
            return self.inner.insert(batch).await;
        }
        if self.draw(4) == 0 {
            sleep(Duration::from_millis(self.draw(3000) as u64)).await;
        }
        if batch.iter().any(|new| new.lead().name() == POISON) {
            return Err(StoreErrorKind::Rejected.into());
        }
        let kind = match self.draw(24) {
            0 => StoreErrorKind::Unavailable,
            1 => StoreErrorKind::TimedOut,
            2..4 => StoreErrorKind::OutcomeUnknown,
            4..6 => StoreErrorKind::Contention,
            // As a panic would, but for its message: there are thousands.
            6 => std::panic::resume_unwind(Box::new("planted")),
            _ => return self.inner.insert(batch).await,
        };
        // What is unknown may have been written.
        if matches!(kind, StoreErrorKind::TimedOut | StoreErrorKind::OutcomeUnknown) && self.draw(2) == 0 {
            self.inner.insert(batch).await?;
        }
        Err(kind.into())
    }

    async fn ready(&self) -> Result<(), StoreError> {
        Ok(())
    }
}

/// One schedule: who calls, and the workflow's settings.
struct Schedule {
    random: Random,
    store: Arc<Capricious>,
    deadline: Duration,
    writers: usize,
}

impl Schedule {
    fn new(seed: u64, is_perfect: bool) -> Self {
        let mut random = Random::new(seed);
        let store = Arc::new(Capricious {
            inner: MemoryLeadStore::new(),
            random: Mutex::new(Random::new(seed ^ 1)),
            is_perfect,
            order: Mutex::default(),
        });
        let deadline = Duration::from_millis(100 + random.below(3000) as u64);
        let writers = 1 + random.below(3);
        Self { random, store, deadline, writers }
    }

    fn start(&mut self, queue_capacity: usize) -> Ingest {
        Ingest::builder(Arc::clone(&self.store))
            .deadline(self.deadline)
            .writers(self.writers)
            .queue_capacity(queue_capacity)
            .max_batch(1 + self.random.below(8))
            .start()
    }

    /// A fresh lead, one that others send too, or one that the store refuses.
    fn lead(&mut self, shared: &[Lead]) -> Lead {
        match self.random.below(10) {
            0..2 => shared[self.random.below(shared.len())].clone(),
            2 => named(POISON),
            _ => lead(),
        }
    }
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap()
}

#[test]
fn every_caller_is_told_the_truth_in_time_whatever_happens() {
    let mut seeds = Random::from_env();
    for _ in 0..SCHEDULES {
        let seed = seeds.below(usize::MAX) as u64;
        runtime().block_on(one_schedule(seed));
    }
}

async fn one_schedule(seed: u64) {
    let mut schedule = Schedule::new(seed, false);
    let capacity = 1 + schedule.random.below(16);
    let ingest = schedule.start(capacity);
    let shared: Vec<Lead> = (0..3).map(|_| lead()).collect();
    // Callers that wait for an answer.
    let inside = Arc::new(AtomicUsize::new(0));
    let mut callers = JoinSet::new();
    for _ in 0..=schedule.random.below(40) {
        let (ingest, lead, deadline) = (ingest.clone(), schedule.lead(&shared), schedule.deadline);
        let inside = Arc::clone(&inside);
        let (start, yields) = (schedule.random.below(4000) as u64, schedule.random.below(4));
        let patience = schedule.random.one_in(5).then(|| Duration::from_millis(schedule.random.below(1500) as u64));
        callers.spawn(async move {
            sleep(Duration::from_millis(start)).await;
            for _ in 0..yields {
                yield_now().await;
            }
            let (started, id) = (Instant::now(), lead.meta().request_id());
            let call = ingest.ingest(lead, Actor::SITE_INGEST);
            inside.fetch_add(1, Ordering::Relaxed);
            // Some callers go away.
            let result = match patience {
                Some(patience) => tokio::time::timeout(patience, call).await.ok(),
                None => Some(call.await),
            };
            inside.fetch_sub(1, Ordering::Relaxed);
            let result = result?;
            assert!(started.elapsed() <= deadline, "seed {seed}: a caller waited {:?}", started.elapsed());
            Some((id, result))
        });
    }
    let importer = tokio::spawn({
        let (ingest, leads) = (ingest.clone(), (0..schedule.random.below(30)).map(|_| lead()).collect::<Vec<_>>());
        let ids: Vec<_> = leads.iter().map(|lead| lead.meta().request_id()).collect();
        async move {
            let results = ingest.ingest_many(leads, Actor::SITE_INGEST).await;
            assert_eq!(results.len(), ids.len(), "seed {seed}");
            ids.into_iter().zip(results).collect::<Vec<_>>()
        }
    });
    if schedule.random.one_in(2) {
        sleep(Duration::from_millis(schedule.random.below(4000) as u64)).await;
        ingest.shutdown().await;
        let now = Instant::now();
        settle().await;
        assert_eq!(inside.load(Ordering::Relaxed), 0, "seed {seed}: shut down with leads unanswered");
        assert_eq!(now.elapsed(), Duration::ZERO);
    }
    let mut results: Vec<_> = callers.join_all().await.into_iter().flatten().collect();
    results.extend(importer.await.unwrap());
    ingest.shutdown().await;
    settle().await;
    // The schedule's own, and that of the workflow's last handle.
    assert_eq!(Arc::strong_count(&schedule.store), 2, "seed {seed}: a writer is left");
    check(&schedule.store.inner, &results).await.unwrap_or_else(|fault| panic!("seed {seed}: {fault}"));
}

/// An acknowledged lead is there, with one audit row, under the id that each caller was told; one caller at most is first.
async fn check(
    store: &MemoryLeadStore,
    results: &[(RequestId, Result<Ingested, IngestError>)],
) -> Result<(), &'static str> {
    let mut firsts = HashSet::new();
    let mut told = HashMap::new();
    for (id, result) in results {
        let Ok(ingested) = result else { continue };
        if !ingested.replayed && !firsts.insert(*id) {
            return Err("two callers were told that they were the first");
        }
        if *told.entry(*id).or_insert(ingested.receipt) != ingested.receipt {
            return Err("two callers of one request were told different leads");
        }
        let row = store.find(*id).await.unwrap().ok_or("an acknowledged lead is lost")?;
        if row.receipt() != ingested.receipt || store.audit_trail(row.id).await.unwrap().len() != 1 {
            return Err("the rows are not what was acknowledged");
        }
    }
    Ok(())
}

#[test]
fn no_wake_up_is_lost_and_nobody_overtakes() {
    let mut seeds = Random::from_env();
    for _ in 0..SCHEDULES {
        let seed = seeds.below(usize::MAX) as u64;
        runtime().block_on(one_perfect_schedule(seed));
    }
}

/// A store that always answers, without waiting for anything: then no time may pass, or somebody slept who should not.
async fn one_perfect_schedule(seed: u64) {
    let mut schedule = Schedule::new(seed, true);
    let ingest = schedule.start(1000);
    let began = Instant::now();
    let sent = Arc::new(Mutex::new(Vec::new()));
    let mut callers = JoinSet::new();
    for _ in 0..=schedule.random.below(40) {
        let (ingest, sent, yields) = (ingest.clone(), Arc::clone(&sent), schedule.random.below(30));
        callers.spawn(async move {
            for _ in 0..yields {
                yield_now().await;
            }
            let lead = lead();
            sent.lock().unwrap().push(lead.meta().request_id());
            ingest.ingest(lead, Actor::SITE_INGEST).await
        });
    }
    let results = callers.join_all().await;
    ingest.shutdown().await;
    assert!(results.iter().all(Result::is_ok), "seed {seed}: {results:?}");
    assert_eq!(began.elapsed(), Duration::ZERO, "seed {seed}: a wake-up was lost");
    let written = schedule.store.order.lock().unwrap().clone();
    let sent = sent.lock().unwrap().clone();
    if schedule.writers == 1 {
        assert_eq!(written, sent, "seed {seed}: first come is not first served");
    } else {
        assert_eq!(written.iter().collect::<HashSet<_>>(), sent.iter().collect(), "seed {seed}");
    }
}
