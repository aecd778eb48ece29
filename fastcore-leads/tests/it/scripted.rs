use std::{
    collections::HashSet,
    sync::{Arc, Mutex},
};

use async_trait::async_trait;
use fastcore_leads::{Insertion, LeadStore, MemoryLeadStore, NewLead, StoreError, StoreErrorKind, testing};
use tokio::sync::Semaphore;

/// A store that does as it is told, and remembers what it was asked.
pub(crate) struct Scripted {
    pub(crate) inner: MemoryLeadStore,
    /// One permit a call; a call waits for its permit.
    pub(crate) gate: Semaphore,
    /// What the next calls answer instead of writing; each says whether it writes all the same.
    faults: Mutex<Vec<(StoreErrorKind, bool)>>,
    pub(crate) poison: Mutex<HashSet<String>>,
    batches: Mutex<Vec<usize>>,
}

impl Scripted {
    pub(crate) fn new(permits: usize, faults: &[(StoreErrorKind, bool)]) -> Arc<Self> {
        Arc::new(Self {
            inner: MemoryLeadStore::new(),
            gate: Semaphore::new(permits),
            faults: Mutex::new(faults.iter().rev().copied().collect()),
            poison: Mutex::default(),
            batches: Mutex::default(),
        })
    }

    pub(crate) fn open() -> Arc<Self> {
        Self::new(Semaphore::MAX_PERMITS, &[])
    }

    pub(crate) fn batches(&self) -> Vec<usize> {
        self.batches.lock().unwrap().clone()
    }
}

#[async_trait]
impl LeadStore for Scripted {
    async fn insert(&self, batch: &[NewLead]) -> Result<Vec<Insertion>, StoreError> {
        self.batches.lock().unwrap().push(batch.len());
        self.gate.acquire().await.unwrap().forget();
        if batch.iter().any(|new| self.poison.lock().unwrap().contains(new.lead().name())) {
            return Err(StoreErrorKind::Rejected.into());
        }
        let fault = self.faults.lock().unwrap().pop();
        if let Some((kind, writes)) = fault {
            if writes {
                self.inner.insert(batch).await?;
            }
            return Err(kind.into());
        }
        self.inner.insert(batch).await
    }

    async fn ready(&self) -> Result<(), StoreError> {
        Ok(())
    }
}

pub(crate) fn named(name: &str) -> fastcore_leads::Lead {
    let mut body = testing::body();
    body["name"] = name.into();
    testing::parse(&body)
}

/// Lets all that can run do so.
pub(crate) async fn settle() {
    for _ in 0..100 {
        tokio::task::yield_now().await;
    }
}
