mod log;
mod outbox;

use std::{
    collections::{BTreeMap, HashMap},
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use uuid::Uuid;

use super::{Insertion, LeadInbox, LeadStore, NewLead, StoreError, StoredLead};
use crate::{
    audit::{AuditRecord, LEAD_RECEIVED, LEAD_REVEALED, LEAD_UNANSWERED},
    inbox::{
        CONTACTS, Change, Cursor, Due, Erasure, InboxError, LeadFilter, LeadPage, Search, SearchCursor, SearchPage,
        Tally, Target, Unless, is_same_address, page_size,
    },
    lead::{LeadId, LeadStatus, RequestId},
    sql::inbox::{MAX_LOCKED, counts_of},
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
    outbox: outbox::Outbox,
    log: log::Log,
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

    /// All rows of the audit log, those of no lead too.
    #[cfg(feature = "testing")]
    #[doc(hidden)]
    pub fn audit_log(&self) -> Vec<AuditRecord> {
        self.lock().audit.clone()
    }

    /// Puts a lead into a status, also one that no version knows.
    #[cfg(feature = "testing")]
    #[doc(hidden)]
    pub fn set_status(&self, id: LeadId, status: &str) {
        for lead in self.lock().by_request.values_mut().filter(|lead| lead.id == id) {
            status.clone_into(&mut lead.status);
        }
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
        Ok(self.lock().trail(id.as_uuid()).cloned().collect())
    }

    async fn page(&self, filter: &LeadFilter, after: Option<Cursor>, limit: u32) -> Result<LeadPage, StoreError> {
        let mut leads =
            self.lock().select(|lead| filter.shows(lead) && after.is_none_or(|after| Cursor::at(lead) < after));
        leads.reverse();
        leads.truncate(page_size(limit) as usize + 1);
        Ok(LeadPage::after(after, leads, limit))
    }

    async fn page_before(&self, filter: &LeadFilter, before: Cursor, limit: u32) -> Result<LeadPage, StoreError> {
        let mut leads = self.lock().select(|lead| filter.shows(lead) && Cursor::at(lead) > before);
        leads.truncate(page_size(limit) as usize + 1);
        Ok(LeadPage::before(leads, limit))
    }

    async fn between(&self, first: Uuid, last: Uuid, limit: u32) -> Result<Vec<StoredLead>, StoreError> {
        let lies = |id: Uuid| (first..=last).contains(&id);
        let state = self.lock();
        let mut leads = state.select(|lead| lies(lead.id.as_uuid()));
        leads.truncate(limit as usize);
        let by_request = state.select(|lead| lies(lead.request_id));
        leads.extend(by_request.into_iter().take(limit as usize));
        Ok(leads)
    }

    async fn erased(&self, after: Erasure, limit: u32) -> Result<Vec<StoredLead>, StoreError> {
        let mut leads = self.lock().select(|lead| Erasure::of(lead).is_some_and(|erasure| erasure > after));
        leads.sort_by_key(Erasure::of);
        leads.truncate(page_size(limit) as usize);
        Ok(leads)
    }

    async fn search(
        &self,
        search: &Search,
        filter: &LeadFilter,
        after: Option<SearchCursor>,
        limit: u32,
    ) -> Result<SearchPage, StoreError> {
        let limit = page_size(limit) as usize;
        let state = self.lock();
        let mut page = SearchPage { is_complete: true, ..SearchPage::default() };
        // In the order in which they came.
        for (index, record) in state.audit.iter().enumerate().rev() {
            let place = index as u64 + 1;
            let id = record.lead_id.filter(|_| record.event == LEAD_RECEIVED).map(LeadId::as_uuid);
            let request = id.and_then(|id| state.requests.get(&id));
            let Some(lead) = request.and_then(|request| state.by_request.get(request)) else { continue };
            if after.is_none_or(|after| place < after.0) && filter.shows(lead) && search.finds(lead) {
                if page.leads.len() == limit {
                    page.next = Some(SearchCursor(place + 1));
                    break;
                }
                page.leads.push(lead.clone());
            }
        }
        Ok(page)
    }

    async fn index(&self, _limit: u32) -> Result<u32, StoreError> {
        Ok(0)
    }

    async fn find_by_email(&self, email: &str, limit: u32) -> Result<Vec<StoredLead>, StoreError> {
        let mut leads = self.lock().select(|lead| lead.erased_at_utc.is_none() && is_same_address(email, &lead.email));
        leads.reverse();
        leads.truncate(limit as usize);
        Ok(leads)
    }

    async fn counts(&self) -> Result<Vec<(String, u64)>, StoreError> {
        let mut counts = HashMap::<String, u64>::new();
        for lead in self.lock().by_request.values().filter(|lead| lead.erased_at_utc.is_none()) {
            *counts.entry(lead.status.clone()).or_default() += 1;
        }
        Ok(counts_of(counts.into_iter().collect()))
    }

    async fn tally(&self, filter: &LeadFilter) -> Result<Vec<Tally>, StoreError> {
        let mut tallies = BTreeMap::new();
        for lead in self.lock().by_request.values().filter(|lead| filter.shows(lead)) {
            let day = lead.created_at_utc.date_naive();
            let group = (lead.status.clone(), lead.service.clone(), lead.source.clone(), day);
            *tallies.entry(group).or_default() += 1;
        }
        let read = |((status, service, source, day), leads)| Tally { status, service, source, day, leads };
        Ok(tallies.into_iter().map(read).collect())
    }

    async fn first_contacts(&self, ids: &[LeadId]) -> Result<Vec<(LeadId, DateTime<Utc>)>, StoreError> {
        let state = self.lock();
        let mut first = HashMap::new();
        for record in state.audit.iter().filter(|record| CONTACTS.contains(&record.event.as_str())) {
            if let Some(id) = record.lead_id.filter(|id| ids.contains(id)) {
                let at = first.entry(id).or_insert(record.created_at);
                *at = record.created_at.min(*at);
            }
        }
        Ok(first.into_iter().collect())
    }

    async fn due(&self, due: &Due) -> Result<Vec<StoredLead>, StoreError> {
        Ok(self.lock().due(due))
    }

    async fn change(&self, change: &Change) -> Result<Vec<StoredLead>, InboxError> {
        let mut state = self.lock();
        let rows = match change.target() {
            Target::Lead(id) => state.select(|lead| lead.id == *id),
            Target::Email(email) => {
                let mut rows = state.select(|lead| lead.erased_at_utc.is_none() && is_same_address(email, &lead.email));
                rows.truncate(MAX_LOCKED as usize);
                rows
            }
            Target::Due(due) => state.due(due),
        };
        let rewrites = change.decide(rows, |id| {
            state.trail(id).filter(|record| record.event != LEAD_REVEALED).map(|record| record.created_at).max()
        })?;
        for rewrite in &rewrites {
            state.by_request.insert(rewrite.row.request_id, rewrite.row.clone());
            state.audit.push(rewrite.audit.clone());
        }
        Ok(rewrites.into_iter().map(|rewrite| rewrite.row).collect())
    }

    async fn append(&self, records: &[AuditRecord]) -> Result<(), StoreError> {
        let mut state = self.lock();
        for record in records {
            if !state.audit.iter().any(|known| known.id == record.id) {
                state.audit.push(record.clone());
            }
        }
        Ok(())
    }
}

impl State {
    /// Oldest first.
    fn select(&self, is_wanted: impl Fn(&StoredLead) -> bool) -> Vec<StoredLead> {
        let mut leads: Vec<_> = self.by_request.values().filter(|lead| is_wanted(lead)).cloned().collect();
        leads.sort_by_key(Cursor::at);
        leads
    }

    fn trail(&self, id: Uuid) -> impl Iterator<Item = &AuditRecord> {
        self.audit.iter().filter(move |record| record.lead_id.map(LeadId::as_uuid) == Some(id))
    }

    fn due(&self, due: &Due) -> Vec<StoredLead> {
        let mut leads = self.select(|lead| {
            lead.erased_at_utc.is_none()
                && due.reaches(&lead.status)
                && lead.created_at_utc < due.before
                && due.after.is_none_or(|after| Cursor::at(lead) > after)
                && due.until.is_none_or(|until| Cursor::at(lead) <= until)
        });
        leads.truncate(due.limit as usize);
        leads.retain(|lead| match due.unless {
            Unless::Never => true,
            Unless::Contact => !self.has_contact_since(lead, due.before),
            Unless::Touched => !self.is_touched_since(lead, due.before),
        });
        leads
    }

    fn is_touched_since(&self, lead: &StoredLead, instant: DateTime<Utc>) -> bool {
        let is_touch = |record: &AuditRecord| {
            record.event == LEAD_UNANSWERED || (record.created_at >= instant && record.event != LEAD_REVEALED)
        };
        self.trail(lead.id.as_uuid()).any(is_touch)
    }

    fn has_contact_since(&self, lead: &StoredLead, instant: DateTime<Utc>) -> bool {
        let is_later = |later: &StoredLead| {
            later.erased_at_utc.is_none()
                && later.status != LeadStatus::Quarantined.as_str()
                && later.created_at_utc >= instant
                && is_same_address(&later.email, &lead.email)
        };
        let is_contact =
            |record: &AuditRecord| record.created_at >= instant && CONTACTS.contains(&record.event.as_str());
        self.trail(lead.id.as_uuid()).any(is_contact) || self.by_request.values().any(is_later)
    }

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
            Some(row.id.as_uuid()),
            row.request_id,
            Some(201),
            serde_json::from_str(&new.audit_details_json()).ok(),
        ));
        self.requests.insert(row.id.as_uuid(), row.request_id);
        self.by_request.insert(row.request_id, row);
        Insertion::Inserted
    }
}
