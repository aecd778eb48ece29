use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use fastcore_leads::{
    AuditRecord, Insertion, LeadFilter, LeadId, LeadInbox, LeadMigrations, LeadPage, LeadStore, MemoryLeadStore,
    NewLead, RequestId, StoreError, StoreErrorKind, StoredLead,
    inbox::{Change, Cursor, Due, Erasure, InboxError, Search, SearchCursor, SearchPage, Tally},
    testing::{self, databases, stores},
    uuid::Uuid,
};

use super::assert_failed_for;

#[derive(Clone, Copy, PartialEq)]
enum Fault {
    LosesTheAuditRow,
    DoublesTheAuditRow,
    AuditsAtAnotherInstant,
    AnswersAReplayWithANewId,
    TakesAConflictForAReplay,
    SwapsOutcomes,
    WritesHalfABatch,
    AnswersBeforeItWrites,
    ForgetsAnOutcome,
    TakesItsOwnRowForAReplay,
    CutsText,
    TrimsTheMessage,
    ForgetsTheQuarantine,
    LetsEverybodyWin,
    RefusesLargeBatches,
    TakesLargeBatchesForNew,
    LeaksTheRow,
}

struct Broken {
    inner: MemoryLeadStore,
    fault: Fault,
    last: Mutex<Vec<NewLead>>,
}

#[async_trait]
impl LeadStore for Broken {
    async fn insert(&self, batch: &[NewLead]) -> Result<Vec<Insertion>, StoreError> {
        match self.fault {
            Fault::WritesHalfABatch => {
                self.inner.insert(&batch[..batch.len().div_ceil(2)]).await?;
                Ok(vec![Insertion::Inserted; batch.len()])
            }
            Fault::AnswersBeforeItWrites => {
                let late = std::mem::replace(&mut *self.last.lock().unwrap(), batch.to_vec());
                self.inner.insert(&late).await?;
                Ok(vec![Insertion::Inserted; batch.len()])
            }
            Fault::RefusesLargeBatches if batch.len() > 100 => Err(StoreErrorKind::Rejected.into()),
            Fault::TakesLargeBatchesForNew if batch.len() > 16 => {
                self.inner.insert(batch).await?;
                Ok(vec![Insertion::Inserted; batch.len()])
            }
            Fault::LeaksTheRow if batch.iter().any(|new| new.lead().name() == databases::CANARY) => {
                Err(StoreError::new(StoreErrorKind::Rejected).with_reason(databases::CANARY))
            }
            fault => {
                let mut outcomes = self.inner.insert(batch).await?;
                for (new, outcome) in batch.iter().zip(&mut outcomes) {
                    match (fault, *outcome) {
                        (Fault::AnswersAReplayWithANewId, Insertion::Replayed(_)) => {
                            *outcome = Insertion::Replayed(new.receipt());
                        }
                        (Fault::TakesAConflictForAReplay, Insertion::Conflict) => {
                            let row = self.inner.find(new.lead().meta().request_id()).await?;
                            *outcome = Insertion::Replayed(row.unwrap().receipt());
                        }
                        (Fault::TakesItsOwnRowForAReplay, Insertion::Inserted) => {
                            let mut seen = self.last.lock().unwrap();
                            if seen.iter().any(|other| other.id() == new.id()) {
                                *outcome = Insertion::Replayed(new.receipt());
                            }
                            seen.push(new.clone());
                        }
                        (Fault::LetsEverybodyWin, Insertion::Replayed(_)) => *outcome = Insertion::Inserted,
                        _ => {}
                    }
                }
                match fault {
                    Fault::SwapsOutcomes => outcomes.reverse(),
                    Fault::ForgetsAnOutcome => drop(outcomes.pop()),
                    _ => {}
                }
                Ok(outcomes)
            }
        }
    }

    async fn ready(&self) -> Result<(), StoreError> {
        Ok(())
    }
}

impl Broken {
    fn bend(&self, row: Option<StoredLead>) -> Option<StoredLead> {
        row.map(|mut row| {
            match self.fault {
                Fault::CutsText => row.name = row.name.chars().filter(char::is_ascii).collect(),
                Fault::TrimsTheMessage => row.message = row.message.replace("\n\n", "\n"),
                Fault::ForgetsTheQuarantine => "received".clone_into(&mut row.status),
                _ => {}
            }
            row
        })
    }
}

#[async_trait]
impl LeadInbox for Broken {
    async fn get(&self, id: LeadId) -> Result<Option<StoredLead>, StoreError> {
        Ok(self.bend(self.inner.get(id).await?))
    }

    async fn find(&self, request_id: RequestId) -> Result<Option<StoredLead>, StoreError> {
        Ok(self.bend(self.inner.find(request_id).await?))
    }

    async fn audit_trail(&self, id: LeadId) -> Result<Vec<AuditRecord>, StoreError> {
        let mut trail = self.inner.audit_trail(id).await?;
        match self.fault {
            Fault::LosesTheAuditRow => trail.clear(),
            Fault::DoublesTheAuditRow => trail.extend_from_within(..),
            Fault::AuditsAtAnotherInstant => {
                for row in &mut trail {
                    row.created_at += chrono::TimeDelta::microseconds(1);
                }
            }
            _ => {}
        }
        Ok(trail)
    }

    async fn page(&self, filter: &LeadFilter, after: Option<Cursor>, limit: u32) -> Result<LeadPage, StoreError> {
        self.inner.page(filter, after, limit).await
    }

    async fn page_before(&self, filter: &LeadFilter, before: Cursor, limit: u32) -> Result<LeadPage, StoreError> {
        self.inner.page_before(filter, before, limit).await
    }

    async fn between(&self, first: Uuid, last: Uuid, limit: u32) -> Result<Vec<StoredLead>, StoreError> {
        self.inner.between(first, last, limit).await
    }

    async fn erased(&self, after: Erasure, limit: u32) -> Result<Vec<StoredLead>, StoreError> {
        self.inner.erased(after, limit).await
    }

    async fn search(
        &self,
        search: &Search,
        filter: &LeadFilter,
        after: Option<SearchCursor>,
        limit: u32,
    ) -> Result<SearchPage, StoreError> {
        self.inner.search(search, filter, after, limit).await
    }

    async fn index(&self, limit: u32) -> Result<u32, StoreError> {
        self.inner.index(limit).await
    }

    async fn find_by_email(&self, email: &str, limit: u32) -> Result<Vec<StoredLead>, StoreError> {
        self.inner.find_by_email(email, limit).await
    }

    async fn counts(&self) -> Result<Vec<(String, u64)>, StoreError> {
        self.inner.counts().await
    }

    async fn tally(&self, filter: &LeadFilter) -> Result<Vec<Tally>, StoreError> {
        self.inner.tally(filter).await
    }

    async fn first_contacts(&self, ids: &[LeadId]) -> Result<Vec<(LeadId, DateTime<Utc>)>, StoreError> {
        self.inner.first_contacts(ids).await
    }

    async fn due(&self, due: &Due) -> Result<Vec<StoredLead>, StoreError> {
        self.inner.due(due).await
    }

    async fn change(&self, change: &Change) -> Result<Vec<StoredLead>, InboxError> {
        self.inner.change(change).await
    }

    async fn append(&self, records: &[AuditRecord]) -> Result<(), StoreError> {
        self.inner.append(records).await
    }
}

#[async_trait]
impl LeadMigrations for Broken {
    async fn migrate(&self) -> Result<(), StoreError> {
        Ok(())
    }

    async fn adoption_problems(&self) -> Result<Vec<String>, StoreError> {
        Ok(Vec::new())
    }

    async fn settings_warnings(&self) -> Result<Vec<&'static str>, StoreError> {
        Ok(Vec::new())
    }

    async fn missing_guards(&self) -> Result<Vec<String>, StoreError> {
        Ok(Vec::new())
    }
}

macro_rules! bites {
    ($($name:ident: $fault:ident, $case:ident, $reason:literal;)*) => {
        $(
            #[tokio::test]
            async fn $name() {
                let fault = Fault::$fault;
                let store = Broken { inner: MemoryLeadStore::new(), fault, last: Mutex::default() };
                let result = tokio::spawn(stores::$case(Arc::new(store))).await;
                assert_failed_for(result, $reason);
            }
        )*
    };
}

bites! {
    a_lost_audit_row: LosesTheAuditRow, a_lead_and_its_audit_row_are_written_with_one_instant, "one audit row";
    a_second_audit_row: DoublesTheAuditRow, a_retry_is_answered_with_the_original, "one audit row";
    another_instant: AuditsAtAnotherInstant, a_lead_and_its_audit_row_are_written_with_one_instant,
        "the audit row has the lead's instant";
    a_new_id_for_a_replay: AnswersAReplayWithANewId, a_retry_is_answered_with_the_original,
        "a replay answers the original receipt";
    a_conflict_overlooked: TakesAConflictForAReplay, other_content_is_a_conflict, "name";
    swapped_outcomes: SwapsOutcomes, outcomes_come_in_the_order_of_the_batch, "order of the batch";
    half_a_batch: WritesHalfABatch, a_batch_that_ran_before_is_inserted_again, "the lead is there";
    an_answer_before_the_write: AnswersBeforeItWrites, a_lead_and_its_audit_row_are_written_with_one_instant,
        "the lead is there";
    a_forgotten_outcome: ForgetsAnOutcome, a_batch_may_be_large, "one outcome for each lead";
    its_own_row_for_a_replay: TakesItsOwnRowForAReplay, a_batch_that_ran_before_is_inserted_again, "Replayed";
    cut_text: CutsText, all_text_comes_back_as_it_was_sent, "the row is the lead as it was sent";
    changed_line_breaks: TrimsTheMessage, all_text_comes_back_as_it_was_sent, "the row is the lead as it was sent";
    a_forgotten_quarantine: ForgetsTheQuarantine, a_suspicious_lead_is_quarantined, "the row is the lead as it was sent";
    many_winners: LetsEverybodyWin, a_race_of_one_request_has_one_winner, "one lead, one answer that is no replay";
    large_batches_refused: RefusesLargeBatches, a_batch_may_be_large, "the batch is written";
    large_batches_taken_for_new: TakesLargeBatchesForNew, a_large_batch_may_hold_what_was_there, "a replay";
}

#[tokio::test]
async fn a_leaked_row() {
    let mut refused = testing::body();
    refused["name"] = databases::CANARY.into();
    let store = Broken { inner: MemoryLeadStore::new(), fault: Fault::LeaksTheRow, last: Mutex::default() };
    let lead = testing::parse(&refused);
    let result = tokio::spawn(async move { databases::assert_refused_alone(Arc::new(store), lead).await }).await;
    assert_failed_for(result, "the error shows the row");
}
