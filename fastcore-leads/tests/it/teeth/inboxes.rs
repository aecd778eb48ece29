use std::sync::Arc;

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use fastcore_leads::{
    AuditRecord, LeadFilter, LeadId, LeadInbox, LeadPage, LeadStatus, LeadStore, MemoryLeadStore, RequestId,
    StoreError, StoredLead,
    audit::LEAD_RECEIVED,
    inbox::{Change, Cursor, Due, Erasure, InboxError, Search, SearchCursor, SearchPage, Tally, Target, Unless},
    testing::inbox,
    uuid::Uuid,
};

use super::assert_failed_for;

#[derive(Clone, Copy, PartialEq)]
enum Fault {
    AuditsNoMove,
    AuditsAMoveTwice,
    MovesWhateverWasSeen,
    SwallowsRefusals,
    KeepsHashes,
    ForgetsTheTombstone,
    ErasesByCase,
    OverlooksContact,
    StartsOver,
    TurnsThePage,
    ShowsTheQuarantine,
    IgnoresTheFilter,
    CountsOneShort,
    TalliesWhatIsNotAskedFor,
    ForgetsWhoReads,
    NotesEachLook,
    FindsOneWordOfTwo,
    FindsTheErased,
    FindsTheRestAgain,
    FindsWhatIsNotShown,
    TurnsBackToTheStart,
    KnowsOnlyItsOwnIds,
    ForgetsAnErasure,
    FindsMoreThanIsShown,
}

struct Broken {
    inner: MemoryLeadStore,
    fault: Fault,
}

fastcore_leads::__delegate_store! { self => &self.inner; [impl LeadStore for Broken] }

#[async_trait]
impl LeadInbox for Broken {
    async fn get(&self, id: LeadId) -> Result<Option<StoredLead>, StoreError> {
        let row = self.inner.get(id).await?;
        Ok(row.map(|mut row| {
            let is_erased = row.erased_at_utc.is_some();
            match self.fault {
                Fault::KeepsHashes if is_erased => "abc123def456".clone_into(&mut row.ip_hash),
                Fault::ForgetsTheTombstone => row.erased_at_utc = None,
                _ => {}
            }
            row
        }))
    }

    async fn find(&self, request_id: RequestId) -> Result<Option<StoredLead>, StoreError> {
        self.inner.find(request_id).await
    }

    async fn audit_trail(&self, id: LeadId) -> Result<Vec<AuditRecord>, StoreError> {
        let mut trail = self.inner.audit_trail(id).await?;
        match self.fault {
            Fault::AuditsNoMove => trail.retain(|record| record.event == LEAD_RECEIVED),
            Fault::AuditsAMoveTwice if trail.len() > 1 => trail.push(trail[trail.len() - 1].clone()),
            _ => {}
        }
        Ok(trail)
    }

    async fn page(&self, filter: &LeadFilter, after: Option<Cursor>, limit: u32) -> Result<LeadPage, StoreError> {
        let mut filter = filter.clone();
        match self.fault {
            Fault::ShowsTheQuarantine if filter.statuses.is_empty() => filter.statuses = LeadStatus::ALL.to_vec(),
            Fault::IgnoresTheFilter => filter.service = None,
            _ => {}
        }
        let after = after.filter(|_| self.fault != Fault::StartsOver);
        let mut page = self.inner.page(&filter, after, limit).await?;
        if self.fault == Fault::TurnsThePage {
            page.leads.reverse();
        }
        Ok(page)
    }

    async fn page_before(&self, filter: &LeadFilter, before: Cursor, limit: u32) -> Result<LeadPage, StoreError> {
        if self.fault == Fault::TurnsBackToTheStart {
            return self.inner.page(filter, None, limit).await;
        }
        self.inner.page_before(filter, before, limit).await
    }

    async fn between(&self, first: Uuid, last: Uuid, limit: u32) -> Result<Vec<StoredLead>, StoreError> {
        let mut leads = self.inner.between(first, last, limit).await?;
        if self.fault == Fault::KnowsOnlyItsOwnIds {
            leads.retain(|lead| (first..=last).contains(&lead.id.as_uuid()));
        }
        Ok(leads)
    }

    async fn erased(&self, after: Erasure, limit: u32) -> Result<Vec<StoredLead>, StoreError> {
        let mut leads = self.inner.erased(after, limit).await?;
        if self.fault == Fault::ForgetsAnErasure {
            leads.pop();
        }
        Ok(leads)
    }

    async fn search(
        &self,
        search: &Search,
        filter: &LeadFilter,
        after: Option<SearchCursor>,
        limit: u32,
    ) -> Result<SearchPage, StoreError> {
        let everything = LeadFilter::default();
        let filter = if self.fault == Fault::FindsWhatIsNotShown { &everything } else { filter };
        let mut page = self.inner.search(search, filter, after, limit).await?;
        match self.fault {
            Fault::FindsOneWordOfTwo if page.leads.is_empty() => {
                page = self.inner.search(&"el".parse().unwrap(), filter, after, limit).await?;
            }
            Fault::FindsTheErased => {
                for id in self.inner.audit_log().iter().filter_map(|record| record.lead_id) {
                    let lead = self.inner.get(id).await?;
                    page.leads.extend(lead.filter(|lead| lead.erased_at_utc.is_some()));
                }
            }
            Fault::FindsTheRestAgain if page.next.is_some() => page.leads.truncate(limit as usize - 1),
            _ => {}
        }
        Ok(page)
    }

    async fn index(&self, limit: u32) -> Result<u32, StoreError> {
        self.inner.index(limit).await
    }

    async fn find_by_email(&self, email: &str, limit: u32) -> Result<Vec<StoredLead>, StoreError> {
        let limit = if self.fault == Fault::FindsMoreThanIsShown { u32::MAX } else { limit };
        self.inner.find_by_email(email, limit).await
    }

    async fn counts(&self) -> Result<Vec<(String, u64)>, StoreError> {
        let mut counts = self.inner.counts().await?;
        if self.fault == Fault::CountsOneShort {
            counts.pop();
        }
        Ok(counts)
    }

    async fn tally(&self, filter: &LeadFilter) -> Result<Vec<Tally>, StoreError> {
        let everything = LeadFilter::default();
        self.inner.tally(if self.fault == Fault::TalliesWhatIsNotAskedFor { &everything } else { filter }).await
    }

    async fn first_contacts(&self, ids: &[LeadId]) -> Result<Vec<(LeadId, DateTime<Utc>)>, StoreError> {
        self.inner.first_contacts(ids).await
    }

    async fn due(&self, due: &Due) -> Result<Vec<StoredLead>, StoreError> {
        let is_overlooked = due.unless == Unless::Contact && self.fault == Fault::OverlooksContact;
        let unless = if is_overlooked { Unless::Never } else { due.unless };
        self.inner.due(&Due { unless, ..*due }).await
    }

    async fn change(&self, change: &Change) -> Result<Vec<StoredLead>, InboxError> {
        match (self.fault, self.inner.change(change).await, change.target()) {
            (Fault::MovesWhateverWasSeen, Err(InboxError::StatusChanged { .. }), Target::Lead(id))
            | (Fault::SwallowsRefusals, Err(InboxError::IllegalMove { .. }), Target::Lead(id)) => {
                Ok(vec![self.inner.get(*id).await?.unwrap()])
            }
            (Fault::ErasesByCase, Ok(mut rows), Target::Email(_)) => {
                rows.truncate(1);
                Ok(rows)
            }
            (_, result, _) => result,
        }
    }

    async fn append(&self, records: &[AuditRecord]) -> Result<(), StoreError> {
        let mut records = records.to_vec();
        match self.fault {
            Fault::ForgetsWhoReads => records.clear(),
            Fault::NotesEachLook => records.iter_mut().for_each(|record| record.id = Uuid::now_v7()),
            _ => {}
        }
        self.inner.append(&records).await
    }
}

macro_rules! bites {
    ($($name:ident: $fault:ident, $case:ident, $reason:literal;)*) => {
        $(
            #[tokio::test]
            async fn $name() {
                let store = Broken { inner: MemoryLeadStore::new(), fault: Fault::$fault };
                let result = tokio::spawn(inbox::$case(Arc::new(store))).await;
                assert_failed_for(result, $reason);
            }
        )*
    };
}

bites! {
    a_move_without_its_audit_row: AuditsNoMove, a_lead_goes_its_way, "LEAD_RECEIVED";
    a_move_with_two: AuditsAMoveTwice, a_random_history_can_be_rebuilt_from_its_trail, "a row for what was done";
    a_move_from_a_status_that_nobody_saw: MovesWhateverWasSeen, a_move_from_a_status_that_changed_is_refused, "Ok";
    a_refusal_that_nobody_hears: SwallowsRefusals, every_other_move_is_refused_and_writes_nothing, "Ok";
    a_tombstone_with_hashes: KeepsHashes, an_erased_lead_is_a_tombstone, "abc123def456";
    an_erasure_without_a_tombstone: ForgetsTheTombstone, an_erased_lead_is_a_tombstone, "left: None";
    an_erasure_that_minds_case: ErasesByCase, all_leads_of_an_address_are_erased_in_any_case, "left == right";
    an_address_without_an_end: FindsMoreThanIsShown, all_leads_of_an_address_are_erased_in_any_case, "left == right";
    a_purge_of_whom_one_talked_to: OverlooksContact, contact_keeps_a_lead, "left == right";
    a_walk_in_a_circle: StartsOver, a_walk_sees_each_older_lead_once, "the newest comes first";
    a_page_upside_down: TurnsThePage, a_walk_sees_each_older_lead_once, "the newest comes first";
    a_quarantine_with_an_open_door: ShowsTheQuarantine, a_quarantined_lead_is_on_no_default_page_until_released,
        "left: (1, 1)";
    a_filter_with_a_hole: IgnoresTheFilter, pages_show_what_the_filter_says, "left == right";
    a_tally_of_other_leads: TalliesWhatIsNotAskedFor, leads_are_tallied_by_what_they_have_in_common, "left == right";
    a_reader_in_the_dark: ForgetsWhoReads, who_reads_a_lead_is_noted_once_an_hour, "each reader once";
    a_reader_who_fills_the_log: NotesEachLook, who_reads_a_lead_is_noted_once_an_hour, "each reader once";
    a_search_for_any_of_its_words: FindsOneWordOfTwo, leads_are_found_by_the_beginnings_of_their_words, "left == right";
    an_erasure_that_a_search_does_not_hear_of: FindsTheErased, an_erased_lead_is_not_found, "left == right";
    a_page_of_what_was_found_with_a_hole: FindsTheRestAgain, a_walk_through_what_was_found_sees_each_once, "left == right";
    a_search_through_the_filter: FindsWhatIsNotShown, a_walk_through_what_was_found_sees_each_once, "left == right";
    a_walk_back_to_the_start: TurnsBackToTheStart, a_walk_back_sees_the_same_pages, "left == right";
    a_request_that_nobody_knows: KnowsOnlyItsOwnIds, a_lead_is_found_by_the_beginning_of_an_id, "[]";
    an_erasure_that_is_not_listed: ForgetsAnErasure, what_was_erased_is_listed_in_its_order, "left == right";
    a_status_that_does_not_count: CountsOneShort, leads_are_counted_by_status, "left == right";
}
