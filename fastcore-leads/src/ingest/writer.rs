//! Group commit: a writer takes what has queued up, writes it in one transaction, and answers after COMMIT.

use std::{
    future::poll_fn,
    panic::{AssertUnwindSafe, catch_unwind},
    pin::pin,
    sync::Arc,
    task::Poll,
    time::{Duration, Instant as StdInstant},
};

use tokio::time::{Instant, sleep, timeout_at};
use tracing::{Instrument, Span};

use super::{
    IngestError,
    metrics::Metrics,
    outcome::conclude,
    queue::{Inbox, Job, Taken},
};
use crate::store::{Insertion, LeadStore, NewLead, StoreError, StoreErrorKind};

/// How long a transaction that was rolled back waits before it runs again, times the number of the attempt.
const BACKOFF: Duration = Duration::from_millis(5);

pub(super) struct Writer {
    pub(super) store: Arc<dyn LeadStore>,
    pub(super) inbox: Inbox,
    pub(super) metrics: Arc<Metrics>,
    pub(super) max_batch: usize,
    pub(super) max_batch_bytes: usize,
    pub(super) deadline: Duration,
}

impl Writer {
    /// Writes batches until the queue is closed and empty.
    pub(super) async fn run(self) {
        loop {
            let taken = self.inbox.take(self.max_batch, self.max_batch_bytes).await;
            if taken.batch.is_empty() {
                return;
            }
            let span = span_of(&taken);
            self.write(taken.batch).instrument(span).await;
            self.inbox.has_room();
        }
    }

    /// Writes a batch. One that the database refuses, or that a store fails over, is split until the leads at fault stand
    /// alone: the others land.
    async fn write(&self, batch: Vec<Job>) {
        let mut pending = vec![batch];
        while let Some(batch) = pending.pop() {
            let (batch, expired): (Vec<_>, Vec<_>) = batch.into_iter().partition(|job| job.expires() > Instant::now());
            // Their callers have been told to come back already.
            for job in expired {
                job.answer(Err(IngestError::Unavailable));
            }
            if batch.is_empty() {
                continue;
            }
            let (news, jobs): (Vec<NewLead>, Vec<Job>) =
                batch.into_iter().map(|job| (job.new_lead().clone(), job)).unzip();
            match self.insert(&news).await {
                Ok(insertions) => {
                    for (job, insertion) in jobs.into_iter().zip(insertions) {
                        let result = conclude(job.new_lead(), insertion);
                        job.answer(result);
                    }
                }
                Err(error) if may_be_one_leads_fault(&error) && jobs.len() > 1 => {
                    let mut first = jobs;
                    let second = first.split_off(first.len() / 2);
                    pending.push(second);
                    pending.push(first);
                }
                Err(error) => {
                    let answer = verdict(&error);
                    for job in jobs {
                        job.answer(Err(answer));
                    }
                }
            }
        }
    }

    /// Runs the store's insert; again where the database rolled it back, and once more where the outcome is unknown.
    async fn insert(&self, batch: &[NewLead]) -> Result<Vec<Insertion>, StoreError> {
        let end = Instant::now() + self.deadline;
        let mut attempt = 0;
        let mut was_unknown = false;
        loop {
            attempt += 1;
            let started = StdInstant::now();
            let silent = Err(StoreError::new(StoreErrorKind::TimedOut));
            let result = timeout_at(end, unless_it_panics(self.store.insert(batch))).await.unwrap_or(silent);
            let elapsed = started.elapsed();
            let elapsed_us = u64::try_from(elapsed.as_micros()).unwrap_or(u64::MAX);
            self.metrics.attempted(batch.len(), elapsed, result.as_ref().err());
            match result {
                Ok(insertions) if insertions.len() == batch.len() => {
                    tracing::debug!(leads = batch.len(), attempt, elapsed_us, "batch committed");
                    return Ok(insertions);
                }
                Ok(_) => {
                    tracing::error!(leads = batch.len(), "the store did not answer each lead of the batch");
                    return Err(StoreError::new(StoreErrorKind::Internal));
                }
                Err(error) => {
                    tracing::warn!(leads = batch.len(), attempt, elapsed_us, %error, "batch not committed");
                    match error.kind() {
                        StoreErrorKind::Contention if Instant::now() + BACKOFF * attempt < end => {
                            sleep(BACKOFF * attempt).await;
                        }
                        StoreErrorKind::OutcomeUnknown if !was_unknown && Instant::now() < end => was_unknown = true,
                        _ => return Err(error),
                    }
                }
            }
        }
    }
}

/// Follows from the spans of the callers, so that a trace leads from a request to its transaction.
fn span_of(taken: &Taken) -> Span {
    let span = tracing::debug_span!("lead batch", leads = taken.batch.len(), bytes = taken.bytes, queued = taken.left);
    if !span.is_disabled() {
        for job in &taken.batch {
            span.follows_from(job.span());
        }
    }
    span
}

/// A store that panics over a row must not take the writer with it.
async fn unless_it_panics<T>(insertion: impl Future<Output = Result<T, StoreError>>) -> Result<T, StoreError> {
    let mut insertion = pin!(insertion);
    poll_fn(|context| {
        catch_unwind(AssertUnwindSafe(|| insertion.as_mut().poll(context))).unwrap_or_else(|_| {
            Poll::Ready(Err(StoreError::new(StoreErrorKind::Internal).with_reason("the store panicked")))
        })
    })
    .await
}

fn may_be_one_leads_fault(error: &StoreError) -> bool {
    matches!(error.kind(), StoreErrorKind::Rejected | StoreErrorKind::Internal)
}

/// What callers are told about an error that is left after all attempts.
fn verdict(error: &StoreError) -> IngestError {
    match error.kind() {
        StoreErrorKind::Unavailable
        | StoreErrorKind::TimedOut
        | StoreErrorKind::OutcomeUnknown
        | StoreErrorKind::Contention
        | StoreErrorKind::Locked => IngestError::Unavailable,
        StoreErrorKind::Rejected
        | StoreErrorKind::SchemaMismatch
        | StoreErrorKind::Misconfigured
        | StoreErrorKind::Internal => IngestError::Internal,
    }
}
