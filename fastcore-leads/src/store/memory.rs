use std::{
    collections::HashMap,
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use async_trait::async_trait;
use uuid::Uuid;

use super::{Insertion, LeadInbox, LeadStore, NewLead, StoreError, StoredLead};
use crate::{
    audit::{AuditRecord, LEAD_RECEIVED},
    lead::{LeadId, RequestId},
};

/// Keeps leads in memory: the reference that other stores are measured by, for tests and examples.
///
/// It is atomic, but nothing in it outlives the process: not for leads that matter.
#[derive(Clone, Default)]
pub struct MemoryLeadStore {
    state: Arc<Mutex<State>>,
}

#[derive(Default)]
struct State {
    by_request: HashMap<Uuid, StoredLead>,
    requests: HashMap<Uuid, Uuid>,
    audit: Vec<AuditRecord>,
}

impl MemoryLeadStore {
    /// An empty store.
    pub fn new() -> Self {
        Self::default()
    }

    /// How many leads it holds.
    pub fn len(&self) -> usize {
        self.lock().by_request.len()
    }

    /// Whether it holds none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for MemoryLeadStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MemoryLeadStore").field("leads", &self.len()).finish()
    }
}

#[async_trait]
impl LeadStore for MemoryLeadStore {
    async fn insert(&self, batch: &[NewLead]) -> Result<Vec<Insertion>, StoreError> {
        let mut state = self.lock();
        Ok(batch.iter().map(|new| state.insert(new)).collect())
    }

    async fn ready(&self) -> Result<(), StoreError> {
        Ok(())
    }
}

#[async_trait]
impl LeadInbox for MemoryLeadStore {
    async fn get(&self, id: LeadId) -> Result<Option<StoredLead>, StoreError> {
        let state = self.lock();
        let request = state.requests.get(&id.as_uuid());
        Ok(request.and_then(|request| state.by_request.get(request)).cloned())
    }

    async fn find(&self, request_id: RequestId) -> Result<Option<StoredLead>, StoreError> {
        Ok(self.lock().by_request.get(&request_id.as_uuid()).cloned())
    }

    async fn audit_trail(&self, id: LeadId) -> Result<Vec<AuditRecord>, StoreError> {
        Ok(self.lock().audit.iter().filter(|record| record.lead_id == Some(id)).cloned().collect())
    }
}

impl State {
    fn insert(&mut self, new: &NewLead) -> Insertion {
        let row = StoredLead::from_new(new);
        if let Some(existing) = self.by_request.get(&row.request_id) {
            return existing.answer_to(new);
        }
        self.audit.push(AuditRecord::new(
            new.audit_id(),
            new.created_at(),
            LEAD_RECEIVED.to_owned(),
            Some(new.actor().as_str().to_owned()),
            Some(row.id),
            row.request_id,
            Some(201),
            serde_json::from_str(&new.audit_details_json()).ok(),
        ));
        self.requests.insert(row.id, row.request_id);
        self.by_request.insert(row.request_id, row);
        Insertion::Inserted
    }
}
