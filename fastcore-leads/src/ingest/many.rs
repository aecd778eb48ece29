//! The direct way for many leads: an importer shares the transactions, and the queue, with everybody else.

use std::{collections::VecDeque, sync::Arc};

use tokio::{
    sync::oneshot,
    time::{Instant, timeout_at},
};

use super::{
    Ingest, IngestBuilder, IngestError, Ingested,
    outcome::Entry,
    queue::{Answer, Job},
};
use crate::{audit::Actor, lead::Lead, store::NewLead};

impl Ingest {
    /// Writes many leads, each with its audit row, and answers a result for each, in their order.
    ///
    /// As [`ingest_each`](Self::ingest_each), for as many leads as fit into memory.
    pub async fn ingest_many(
        &self,
        leads: impl IntoIterator<Item = Lead>,
        actor: Actor,
    ) -> Vec<Result<Ingested, IngestError>> {
        let mut results = Vec::new();
        self.ingest_each(leads, actor, |_, result| results.push(result)).await;
        results
    }

    /// Writes leads as they come, and tells the result of each once it is settled, in their order, with its place
    /// (from 0). For an importer: as fast as the same number of concurrent callers, and it holds only a window of the
    /// leads in memory.
    ///
    /// Leaves room for others: it fills at most half of the queue, waits for room where [`ingest`](Self::ingest) would be
    /// refused, and has fewer leads under way where the store gets slow. Dropping the future stops after the leads that
    /// are under way; none is half-written.
    ///
    /// A lead that fails does not stop those after it: where [`IngestError::is_retryable`], run it again later. What is
    /// there already is told as replayed, so that an import may simply be started again.
    ///
    /// ```
    /// use fastcore_leads::{Actor, Ingest, Lead, MemoryLeadStore};
    ///
    /// # tokio::runtime::Builder::new_current_thread().enable_time().build()?.block_on(async {
    /// let ingest = Ingest::builder(MemoryLeadStore::new()).start();
    /// let lead = Lead::parse(fastcore_leads::SAMPLE_LEAD.as_bytes(), Default::default())?;
    /// let leads = std::iter::repeat_n(lead, 1000);
    /// let mut received = 0;
    /// ingest.ingest_each(leads, Actor::SITE_INGEST, |_, result| {
    ///     received += usize::from(result.is_ok_and(|ingested| !ingested.replayed));
    /// }).await;
    /// assert_eq!(received, 1);
    /// # Ok::<(), Box<dyn std::error::Error>>(()) }).map_err(|error| error.to_string())?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub async fn ingest_each(
        &self,
        leads: impl IntoIterator<Item = Lead>,
        actor: Actor,
        mut tell: impl FnMut(usize, Result<Ingested, IngestError>),
    ) {
        let mut window = self.window.clone();
        let (mut under_way, mut bytes) = (VecDeque::<Pending>::new(), 0);
        let mut place = 0;
        let mut told = |result| {
            tell(place, result);
            place += 1;
        };
        for lead in leads {
            while window.is_full(under_way.len(), bytes) {
                let Some(first) = under_way.pop_front() else { break };
                bytes -= first.bytes;
                told(self.settle(first, &mut window).await);
            }
            let pending = self.send(NewLead::new(lead, actor.clone())).await;
            bytes += pending.bytes;
            under_way.push_back(pending);
        }
        while let Some(first) = under_way.pop_front() {
            told(self.settle(first, &mut window).await);
        }
    }

    async fn send(&self, new: NewLead) -> Pending {
        let entry = Entry::new(new, &self.metrics);
        let (job, answer) = Job::new(Arc::clone(&entry), self.deadline);
        let bytes = job.size();
        let state = match self.queue.push_when_there_is_room(job).await {
            Ok(()) => State::Queued { since: Instant::now(), answer },
            Err(error) => State::Refused(error),
        };
        Pending { entry, bytes, state }
    }

    async fn settle(&self, pending: Pending, window: &mut Window) -> Answer {
        let result = match pending.state {
            State::Refused(error) => Err(error),
            State::Queued { since, answer } => {
                let answer = timeout_at(since + self.deadline, answer).await;
                let is_slow = since.elapsed() > self.deadline / 4;
                window.adapt(is_slow);
                answer.ok().and_then(Result::ok).unwrap_or(Err(IngestError::Unavailable))
            }
        };
        pending.entry.log(result.as_ref());
        result
    }
}

/// A lead that was sent and is not settled.
struct Pending {
    entry: Arc<Entry>,
    bytes: usize,
    state: State,
}

enum State {
    Queued { since: Instant, answer: oneshot::Receiver<Answer> },
    Refused(IngestError),
}

/// How many leads one importer has under way: one more for each that was quick, half as many after one that was slow.
#[derive(Clone)]
pub(super) struct Window {
    leads: usize,
    max_leads: usize,
    max_bytes: usize,
}

impl Window {
    /// Enough for full batches in all writers and as many behind them, but never more than half of the queue.
    pub(super) fn beside_others(settings: &IngestBuilder) -> Self {
        let full = settings.max_batch.saturating_mul(settings.writers).saturating_mul(2);
        let max_leads = full.min(settings.queue_capacity / 2).max(1);
        Self { leads: max_leads.min(64), max_leads, max_bytes: settings.queue_bytes / 2 }
    }

    fn is_full(&self, leads: usize, bytes: usize) -> bool {
        leads >= self.leads || bytes > self.max_bytes
    }

    fn adapt(&mut self, is_slow: bool) {
        self.leads = if is_slow { self.leads / 2 } else { self.leads + 1 }.clamp(1, self.max_leads);
    }
}
