//! Group commit: a writer takes what has queued up, writes it in one transaction, and answers after COMMIT.

use std::{
    collections::VecDeque,
    future::poll_fn,
    panic::{AssertUnwindSafe, catch_unwind},
    pin::pin,
    sync::Arc,
    task::Poll,
    time::{Duration, Instant as StdInstant},
};

use tokio::{
    sync::mpsc::UnboundedSender,
    time::{Instant, sleep, timeout_at},
};
use tracing::{Instrument, Span};

use super::{
    Commits, IngestError,
    metrics::Metrics,
    queue::{Batch, Intake, Job},
};
use crate::{
    jitter,
    store::{Insertion, LeadStore, NewLead, StoreError, StoreErrorKind},
};

/// How long a transaction that was rolled back waits before it runs again, times the number of the attempt.
const BACKOFF: Duration = Duration::from_millis(5);
/// How long one waits that found the database away: twice as long each time, up to a second, and by chance half or all of it.
const PAUSE: Duration = Duration::from_millis(100);
const MAX_PAUSE: Duration = Duration::from_secs(1);

pub(super) struct Writer {
    pub(super) inserter: Inserter,
    pub(super) intake: Intake,
    pub(super) stuck: UnboundedSender<Job>,
    pub(super) max_batch: usize,
    pub(super) max_batch_bytes: usize,
}

impl Writer {
    /// Writes batches until the queue is closed and empty.
    pub(super) async fn run(self) {
        loop {
            let taken = self.intake.take(self.max_batch, self.max_batch_bytes).await;
            if taken.jobs.is_empty() {
                return;
            }
            let span = span_of(&taken);
            self.write(taken.jobs).instrument(span).await;
            drop(taken.turn);
            self.intake.has_room();
        }
    }

    /// Writes a batch. One that the database refuses, or that a store fails over, is split until the leads at fault stand
    /// alone: the others land. So is one of which somebody else's transaction holds a row, but that lead's turn comes last,
    /// and beside the writers.
    async fn write(&self, batch: Vec<Job>) {
        let mut pending = VecDeque::from([batch]);
        while let Some(batch) = pending.pop_front() {
            let (batch, expired): (Vec<_>, Vec<_>) = batch.into_iter().partition(|job| job.expires() > Instant::now());
            // Their callers have been told to come back already.
            for job in expired {
                job.answer(Err(IngestError::Unavailable));
            }
            let Some(until) = batch.iter().map(Job::expires).max() else { continue };
            let (news, mut jobs): (Vec<NewLead>, Vec<Job>) =
                batch.into_iter().map(|job| (job.new_lead().clone(), job)).unzip();
            match self.inserter.insert(&news, until).await {
                Ok(insertions) => {
                    for (job, insertion) in jobs.into_iter().zip(insertions) {
                        job.conclude(insertion);
                    }
                }
                Err(error) if may_be_one_leads_fault(&error) && jobs.len() > 1 => {
                    let second = jobs.split_off(jobs.len() / 2);
                    pending.push_front(second);
                    pending.push_front(jobs);
                }
                Err(error) if error.kind() == StoreErrorKind::Locked && jobs.len() > 1 => {
                    // Into more than two: each part that holds the stuck lead waits for the lock in vain.
                    let size = jobs.len().isqrt().max(1);
                    while !jobs.is_empty() {
                        let rest = jobs.split_off(size.min(jobs.len()));
                        pending.push_back(std::mem::replace(&mut jobs, rest));
                    }
                }
                Err(error) if error.kind() == StoreErrorKind::Locked => {
                    tracing::warn!(%error, "a lead waits for another transaction that has its request id");
                    for job in jobs {
                        if let Err(unsent) = self.stuck.send(job) {
                            unsent.0.answer(Err(verdict(&error)));
                        }
                    }
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
}

/// Runs a store's insert, with what is done about errors that are no lead's fault.
#[derive(Clone)]
pub(super) struct Inserter {
    pub(super) store: Arc<dyn LeadStore>,
    pub(super) metrics: Arc<Metrics>,
    pub(super) deadline: Duration,
    pub(super) committed: Vec<Arc<Commits>>,
}

impl Inserter {
    /// Inserts; again where the database rolled it back, is away, or left the outcome unknown, for as long as somebody waits:
    /// inserts are idempotent.
    async fn insert(&self, batch: &[NewLead], until: Instant) -> Result<Vec<Insertion>, StoreError> {
        let end = Instant::now() + self.deadline;
        let mut attempt = 0;
        loop {
            attempt += 1;
            let error = match self.insert_once(batch, attempt, end).await {
                Ok(insertions) => return Ok(insertions),
                Err(error) => error,
            };
            let pause = match error.kind() {
                StoreErrorKind::Contention => BACKOFF * attempt,
                // On another connection it may be known at once.
                StoreErrorKind::OutcomeUnknown if attempt == 1 => Duration::ZERO,
                StoreErrorKind::Unavailable | StoreErrorKind::TimedOut | StoreErrorKind::OutcomeUnknown => {
                    pause(attempt)
                }
                // A table is locked, not a row: no lead is to blame.
                StoreErrorKind::Locked if self.is_locked_without_leads(end).await => {
                    tracing::warn!(leads = batch.len(), attempt, "a batch waits for a table that is locked");
                    pause(attempt)
                }
                _ => return Err(error),
            };
            if Instant::now() + pause >= until {
                return Err(error);
            }
            sleep(pause).await;
        }
    }

    async fn is_locked_without_leads(&self, end: Instant) -> bool {
        let probed = self.insert_once(&[], 1, end).await;
        probed.is_err_and(|error| error.kind() == StoreErrorKind::Locked)
    }

    pub(super) async fn insert_once(
        &self,
        batch: &[NewLead],
        attempt: u32,
        end: Instant,
    ) -> Result<Vec<Insertion>, StoreError> {
        let started = StdInstant::now();
        let silent = Err(StoreError::new(StoreErrorKind::TimedOut));
        let result = timeout_at(end, unless_it_panics(self.store.insert(batch))).await.unwrap_or(silent);
        let elapsed = started.elapsed();
        let elapsed_us = u64::try_from(elapsed.as_micros()).unwrap_or(u64::MAX);
        self.metrics.attempted(batch.len(), elapsed, result.as_ref().err());
        match result {
            Ok(insertions) if insertions.len() == batch.len() => {
                tracing::debug!(leads = batch.len(), attempt, elapsed_us, "batch committed");
                for committed in &self.committed {
                    committed.add(batch.len());
                }
                Ok(insertions)
            }
            Ok(_) => {
                tracing::error!(leads = batch.len(), "the store did not answer each lead of the batch");
                Err(StoreError::new(StoreErrorKind::Internal))
            }
            // Tried again in parts, or soon: whoever waits for longer is told of once.
            Err(error) if error.kind() == StoreErrorKind::Locked => {
                tracing::debug!(leads = batch.len(), attempt, elapsed_us, %error, "batch not committed");
                Err(error)
            }
            Err(error) => {
                tracing::warn!(leads = batch.len(), attempt, elapsed_us, %error, "batch not committed");
                Err(error)
            }
        }
    }
}

/// Grows, and differs between processes that lost the same database at once.
fn pause(attempt: u32) -> Duration {
    let longest = PAUSE.saturating_mul(1 << attempt.saturating_sub(1).min(10)).min(MAX_PAUSE);
    jitter::up_to(longest)
}

/// Follows from the spans of the callers, so that a trace leads from a request to its transaction.
fn span_of(taken: &Batch) -> Span {
    let span = tracing::debug_span!("lead batch", leads = taken.jobs.len(), bytes = taken.bytes, queued = taken.left);
    if !span.is_disabled() {
        for job in &taken.jobs {
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
pub(super) fn verdict(error: &StoreError) -> IngestError {
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
