//! Stores that do one thing.

use std::future::pending;

use async_trait::async_trait;

use crate::store::{Insertion, LeadDatabase, LeadStore, NewLead, StoreError, StoreErrorKind};

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
