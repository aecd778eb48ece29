//! Stores that do one thing.

use std::{
    future::pending,
    sync::atomic::{AtomicUsize, Ordering},
};

use async_trait::async_trait;

use crate::store::{
    Insertion, LeadDatabase, LeadInbox, LeadStore, MemoryLeadStore, NewLead, StoreError, StoreErrorKind,
};

/// Answers each lead with this.
pub(super) struct Outcome(pub(super) Insertion);

#[async_trait]
impl LeadStore for Outcome {
    async fn insert(&self, batch: &[NewLead]) -> Result<Vec<Insertion>, StoreError> {
        Ok(vec![self.0; batch.len()])
    }

    async fn ready(&self) -> Result<(), StoreError> {
        Ok(())
    }
}

/// Fails with this. The driver's error quotes the row, as drivers do.
pub(super) struct Down(pub(super) StoreErrorKind);

#[async_trait]
impl LeadStore for Down {
    async fn insert(&self, batch: &[NewLead]) -> Result<Vec<Insertion>, StoreError> {
        let row = batch.first().map(|new| new.lead().name().to_owned()).unwrap_or_default();
        Err(StoreError::new(self.0).with_code("XX000").with_driver_error(row))
    }

    async fn ready(&self) -> Result<(), StoreError> {
        Err(self.0.into())
    }
}

/// Is not there.
pub(super) struct Away(pub(super) StoreErrorKind);

crate::delegate_store!(Away, self => Err::<&Box<dyn LeadDatabase>, _>(StoreError::new(self.0))?);

/// Is there for so many calls, and then away.
pub(super) struct Failing {
    pub(super) store: MemoryLeadStore,
    pub(super) calls: AtomicUsize,
}

impl Failing {
    fn next(&self) -> Result<&MemoryLeadStore, StoreError> {
        let left = self.calls.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(1));
        if left.is_ok() { Ok(&self.store) } else { Err(StoreErrorKind::Unavailable.into()) }
    }
}

crate::__delegate_store! { self => self.next()?; [impl LeadStore for Failing] }
crate::__delegate_inbox! { self => self.next()?; [impl LeadInbox for Failing] }

/// Is there for so many calls, and then panics.
pub(super) struct Panicking {
    pub(super) store: MemoryLeadStore,
    pub(super) calls: AtomicUsize,
}

impl Panicking {
    fn next(&self) -> &MemoryLeadStore {
        let left = self.calls.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(1));
        assert!(left.is_ok(), "planned: no more calls");
        &self.store
    }
}

crate::__delegate_store! { self => self.next(); [impl LeadStore for Panicking] }
crate::__delegate_inbox! { self => self.next(); [impl LeadInbox for Panicking] }

/// Never answers.
pub(super) struct Silent;

#[async_trait]
impl LeadStore for Silent {
    async fn insert(&self, _: &[NewLead]) -> Result<Vec<Insertion>, StoreError> {
        pending().await
    }

    async fn ready(&self) -> Result<(), StoreError> {
        pending().await
    }
}
