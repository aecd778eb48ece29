//! The direct way for many leads: an importer shares the transactions, and the queue, with everybody else.

use std::{
    collections::VecDeque,
    future::poll_fn,
    pin::{Pin, pin},
    task::{Context, Poll},
    time::Duration,
};

use futures_core::Stream;
use tokio::{task::yield_now, time::Instant};

use super::{
    Ingest, IngestBuilder, IngestError, Ingested,
    outcome::Submission,
    queue::{Answer, Job, Waiting},
};
use crate::{audit::Actor, lead::Lead, store::NewLead};

impl Ingest {
    /// Writes many leads, each with its audit row, and answers a result for each, in their order.
    ///
    /// As [`ingest_each`](Self::ingest_each), for as many leads as fit into memory.
    pub async fn ingest_many(
        &self,
        leads: impl IntoIterator<Item = Lead, IntoIter: Unpin>,
        actor: Actor,
    ) -> Vec<Result<Ingested, IngestError>> {
        let mut results = Vec::new();
        self.ingest_each(Ready(leads.into_iter()), actor, |_, result| results.push(result)).await;
        results
    }

    /// Writes leads as they come, and tells the result of each once it is settled, in their order, with its place
    /// (from 0). For an importer: as fast as the same number of concurrent callers, and it holds only a window of the
    /// leads in memory.
    ///
    /// An iterator becomes a stream with `futures_util::stream::iter`; it must not block for long, since it is asked on the
    /// runtime's thread.
    ///
    /// Leaves room for others: one importer fills at most half of the queue, waits for room where [`ingest`](Self::ingest) would be
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
    /// let leads = futures_util::stream::iter(std::iter::repeat_n(lead, 1000));
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
        leads: impl Stream<Item = Lead>,
        actor: Actor,
        mut tell: impl FnMut(usize, Result<Ingested, IngestError>),
    ) {
        let mut under_way = UnderWay { window: self.window.clone(), leads: VecDeque::new(), bytes: 0 };
        let mut place = 0;
        let mut told = |answer: Answer| {
            tell(place, answer.result);
            place += 1;
        };
        let mut leads = pin!(leads);
        let mut count = 0_usize;
        loop {
            while let Some(answer) = under_way.settled() {
                told(answer);
            }
            while under_way.is_full() {
                let Some(first) = under_way.pop() else { break };
                told(under_way.settle(first).await);
            }
            let next = poll_fn(|context| match leads.as_mut().poll_next(context) {
                Poll::Ready(next) => Poll::Ready(Next::Lead(next)),
                Poll::Pending => under_way.poll_first(context).map(Next::Answer),
            });
            let lead = match next.await {
                Next::Lead(Some(lead)) => lead,
                Next::Lead(None) => break,
                Next::Answer(answer) => {
                    told(answer);
                    continue;
                }
            };
            let pending = self.send(self.new_lead(lead, actor.clone())).await;
            under_way.push(pending);
            // Where the leads come slowly, and from the thread that the writers run on, these get their turn.
            if count.is_multiple_of(TURN) {
                yield_now().await;
            }
            count += 1;
        }
        while let Some(first) = under_way.pop() {
            told(under_way.settle(first).await);
        }
    }

    async fn send(&self, new: NewLead) -> Pending {
        let (job, waiting) = Job::new(Submission::new(new, &self.metrics), self.deadline);
        let bytes = job.size();
        let pushed = self.queue.push_when_there_is_room(job).await;
        let since = Instant::now();
        Pending { waiting, refused: pushed.err(), bytes, since, deadline: self.deadline }
    }
}

/// How many leads an importer sends before others get their turn.
const TURN: usize = 16;

/// What an importer waits for.
#[allow(clippy::large_enum_variant, reason = "taken apart at once")]
enum Next {
    Lead(Option<Lead>),
    Answer(Answer),
}

/// A stream that never waits.
struct Ready<I>(I);

impl<I: Iterator<Item = Lead> + Unpin> Stream for Ready<I> {
    type Item = Lead;

    fn poll_next(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Lead>> {
        Poll::Ready(self.0.next())
    }
}

/// A lead that was sent and is not settled.
struct Pending {
    waiting: Waiting,
    refused: Option<IngestError>,
    bytes: usize,
    since: Instant,
    deadline: Duration,
}

/// The leads of one importer that are not settled, in their order.
struct UnderWay {
    window: ImportWindow,
    leads: VecDeque<Pending>,
    bytes: usize,
}

impl UnderWay {
    fn is_full(&self) -> bool {
        self.leads.len() >= self.window.leads || self.bytes > self.window.max_bytes
    }

    fn push(&mut self, pending: Pending) {
        self.bytes += pending.bytes;
        self.leads.push_back(pending);
    }

    fn pop(&mut self) -> Option<Pending> {
        let first = self.leads.pop_front()?;
        self.bytes -= first.bytes;
        Some(first)
    }

    /// The answer to the first of them, if it is there already.
    fn settled(&mut self) -> Option<Answer> {
        let first = self.leads.front_mut()?;
        let answer = if first.refused.is_none() { first.waiting.now()? } else { return None };
        self.window.adapt(first.since, first.deadline, answer);
        self.pop();
        Some(answer)
    }

    /// The answer to the first of them, once it is there.
    fn poll_first(&mut self, context: &mut Context<'_>) -> Poll<Answer> {
        let Some(first) = self.leads.front_mut() else { return Poll::Pending };
        if let Some(error) = first.refused {
            return self.pop().map_or(Poll::Pending, |first| Poll::Ready(first.waiting.refused(error)));
        }
        let (since, deadline) = (first.since, first.deadline);
        first.waiting.poll(context).map(|answer| {
            self.window.adapt(since, deadline, answer);
            self.pop();
            answer
        })
    }

    async fn settle(&mut self, pending: Pending) -> Answer {
        if let Some(error) = pending.refused {
            return pending.waiting.refused(error);
        }
        let (since, deadline) = (pending.since, pending.deadline);
        let answer = pending.waiting.until(since + deadline).await;
        self.window.adapt(since, deadline, answer);
        answer
    }
}

/// How many leads one importer has under way: one more for each that was quick, half as many after one that was slow.
#[derive(Clone)]
pub(super) struct ImportWindow {
    leads: usize,
    max_leads: usize,
    max_bytes: usize,
}

impl ImportWindow {
    /// Enough for full batches in all writers and as many behind them, but never more than half of the queue.
    pub(super) fn beside_others(settings: &IngestBuilder) -> Self {
        let full = settings.max_batch.saturating_mul(settings.writers).saturating_mul(2);
        let max_leads = full.min(settings.queue_capacity / 2).max(1);
        Self { leads: max_leads.min(64), max_leads, max_bytes: settings.queue_bytes / 2 }
    }

    fn adapt(&mut self, since: Instant, deadline: Duration, answer: Answer) {
        let is_slow = answer.at.saturating_duration_since(since) > deadline / 4;
        self.leads = if is_slow { self.leads / 2 } else { self.leads + 1 }.clamp(1, self.max_leads);
    }
}
