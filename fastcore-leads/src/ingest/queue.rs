//! The bounded queue in front of the writers: FIFO, by count and by bytes.

use std::{
    future::Future,
    pin::{Pin, pin},
    sync::{Arc, PoisonError, RwLock},
    task::{Context, Poll},
    time::Duration,
};

use tokio::{
    sync::{Mutex, Notify, OwnedSemaphorePermit, Semaphore, mpsc, oneshot, watch},
    time::{Instant, timeout_at},
};
use tracing::Span;

use super::{
    IngestError, Ingested,
    metrics::Metrics,
    outcome::{Submission, conclude},
    turns::{Turn, Turns},
};
use crate::store::{Insertion, NewLead};

/// The senders' end.
pub(super) struct Queue {
    jobs: RwLock<Option<mpsc::Sender<Job>>>,
    bytes: Arc<Semaphore>,
    max_bytes: usize,
    metrics: Arc<Metrics>,
    turns: Arc<Turns>,
    /// Woken when there may be room.
    room: Arc<Notify>,
    writers: watch::Receiver<()>,
}

impl Queue {
    /// A queue of so many leads and bytes at most, behind which a batch has so many leads at most.
    pub(super) fn new(capacity: usize, max_bytes: usize, max_batch: usize, metrics: Arc<Metrics>) -> (Self, Intake) {
        let max_bytes = max_bytes.min(Semaphore::MAX_PERMITS);
        let (sender, receiver) = mpsc::channel(capacity.min(Semaphore::MAX_PERMITS));
        let (alive, writers) = watch::channel(());
        let room = Arc::new(Notify::new());
        let bytes = Arc::new(Semaphore::new(max_bytes));
        let turns = Turns::new(capacity.min(max_batch));
        let intake = Intake {
            jobs: Arc::new(Mutex::new(receiver)),
            _alive: Arc::new(alive),
            metrics: Arc::clone(&metrics),
            turns: Arc::clone(&turns),
            room: Arc::clone(&room),
        };
        (Self { jobs: RwLock::new(Some(sender)), bytes, max_bytes, metrics, turns, room, writers }, intake)
    }

    /// Queues a job, or refuses it at once: waiting would only hide that the store is too slow.
    pub(super) fn push(&self, job: Job) -> Result<(), IngestError> {
        self.try_push(job).map_err(|_| self.refused())
    }

    /// Queues a job once there is room, for a caller that has more to send and would only come back. The job's time to
    /// live begins when it has its place.
    ///
    /// It holds nothing while it waits, neither a place nor a share: others go on, and the queue can be closed.
    pub(super) async fn push_when_there_is_room(&self, mut job: Job) -> Result<(), IngestError> {
        let end = Instant::now() + job.time_to_live;
        loop {
            let mut room = pin!(self.room.notified());
            room.as_mut().enable();
            job.expires = Instant::now() + job.time_to_live;
            job = match self.try_push(job) {
                Ok(()) => return Ok(()),
                Err(job) => job,
            };
            if !self.is_open() || timeout_at(end, room).await.is_err() {
                return Err(self.refused());
            }
        }
    }

    fn try_push(&self, mut job: Job) -> Result<(), Job> {
        let (size, jobs) = (job.size(), self.jobs.read().unwrap_or_else(PoisonError::into_inner));
        let permits = u32::try_from(size).unwrap_or(u32::MAX);
        let place = jobs.as_ref().and_then(|jobs| jobs.try_reserve().ok());
        let permit = Arc::clone(&self.bytes).try_acquire_many_owned(permits).ok();
        let (Some(place), Some(permit)) = (place, permit) else { return Err(job) };
        job.share = Some(Share::new(permit, size, &self.metrics));
        place.send(job);
        let waiting = jobs.as_ref().map_or(0, |jobs| jobs.max_capacity() - jobs.capacity());
        self.turns.waiting(waiting, self.bytes.available_permits() < self.max_bytes / 2);
        Ok(())
    }

    fn refused(&self) -> IngestError {
        self.metrics.refused();
        IngestError::Unavailable
    }

    /// Takes no more.
    pub(super) fn close(&self) {
        self.jobs.write().unwrap_or_else(PoisonError::into_inner).take();
        self.room.notify_waiters();
    }

    /// Whether leads are taken, and somebody writes them.
    pub(super) fn is_open(&self) -> bool {
        let is_open = self.jobs.read().unwrap_or_else(PoisonError::into_inner).is_some();
        is_open && self.writers.has_changed().is_ok()
    }

    /// Waits until the last writer has ended.
    pub(super) async fn drained(&self) {
        let mut writers = self.writers.clone();
        while writers.changed().await.is_ok() {}
    }
}

/// The writers' end, shared by all of them.
#[derive(Clone)]
pub(super) struct Intake {
    jobs: Arc<Mutex<mpsc::Receiver<Job>>>,
    metrics: Arc<Metrics>,
    turns: Arc<Turns>,
    room: Arc<Notify>,
    _alive: Arc<watch::Sender<()>>,
}

impl Intake {
    /// Waits for a job, and until a transaction is worth while, then takes along what else has queued up. Empty once the
    /// queue is closed and drained.
    pub(super) async fn take(&self, max: usize, max_bytes: usize) -> Batch {
        let mut jobs = self.jobs.lock().await;
        let mut batch = Vec::new();
        let mut bytes = 0;
        let mut next = jobs.recv().await;
        if next.is_some() {
            self.turns.come(|| jobs.len() + 1).await;
        }
        while let Some(job) = next {
            bytes += job.size();
            batch.push(job);
            if batch.len() >= max || bytes >= max_bytes {
                break;
            }
            next = jobs.try_recv().ok();
        }
        self.metrics.taken(batch.len());
        self.has_room();
        let turn = self.turns.begin(batch.len());
        Batch { jobs: batch, bytes, left: jobs.len(), turn }
    }

    /// Wakes those that wait for room: jobs were taken, or answered.
    pub(super) fn has_room(&self) {
        self.room.notify_waiters();
    }
}

/// What a writer took.
pub(super) struct Batch {
    pub(super) jobs: Vec<Job>,
    pub(super) bytes: usize,
    /// How many jobs are still in the queue.
    pub(super) left: usize,
    pub(super) turn: Turn,
}

/// A lead on its way to a writer, and the caller that waits for it.
pub(super) struct Job {
    entry: Arc<Submission>,
    expires: Instant,
    time_to_live: Duration,
    /// The caller's, so that a batch's span can name what it stands for.
    span: Span,
    reply: oneshot::Sender<Answer>,
    /// Given back when it is answered.
    share: Option<Share>,
}

/// What a caller is told, and when it was settled.
#[derive(Clone, Copy)]
pub(super) struct Answer {
    pub(super) result: Result<Ingested, IngestError>,
    pub(super) at: Instant,
}

/// A job's share of the queue's bytes.
struct Share {
    _permit: OwnedSemaphorePermit,
    bytes: usize,
    metrics: Arc<Metrics>,
}

impl Share {
    fn new(permit: OwnedSemaphorePermit, bytes: usize, metrics: &Arc<Metrics>) -> Self {
        metrics.queued(bytes);
        Self { _permit: permit, bytes, metrics: Arc::clone(metrics) }
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        self.metrics.given_back(self.bytes);
    }
}

/// A caller's end: whoever is the last to know of the outcome tells it. A caller may go away with the answer unread.
pub(super) struct Waiting {
    entry: Arc<Submission>,
    answer: oneshot::Receiver<Answer>,
}

impl Waiting {
    /// Waits for the answer until an instant.
    pub(super) async fn until(mut self, end: Instant) -> Answer {
        let unavailable = || Answer { result: Err(IngestError::Unavailable), at: Instant::now() };
        let answer = timeout_at(end, &mut self.answer).await.ok().and_then(Result::ok).unwrap_or_else(unavailable);
        self.entry.log(answer);
        answer
    }

    /// The answer, if it is there already.
    pub(super) fn now(&mut self) -> Option<Answer> {
        let answer = self.answer.try_recv().ok()?;
        self.entry.log(answer);
        Some(answer)
    }

    /// The answer, once it is there.
    pub(super) fn poll(&mut self, context: &mut Context<'_>) -> Poll<Answer> {
        Pin::new(&mut self.answer).poll(context).map(|answer| {
            let gone = Answer { result: Err(IngestError::Unavailable), at: Instant::now() };
            let answer = answer.unwrap_or(gone);
            self.entry.log(answer);
            answer
        })
    }

    /// There will be no answer.
    pub(super) fn refused(self, error: IngestError) -> Answer {
        let answer = Answer { result: Err(error), at: Instant::now() };
        self.entry.log(answer);
        answer
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        // From here on the writer finds nobody; what it sent before is told here.
        self.answer.close();
        if let Ok(answer) = self.answer.try_recv() {
            self.entry.log(answer);
        }
    }
}

impl Job {
    /// A job, and where its answer comes.
    pub(super) fn new(entry: Arc<Submission>, time_to_live: Duration) -> (Self, Waiting) {
        let (reply, answer) = oneshot::channel();
        let (expires, span) = (Instant::now() + time_to_live, Span::current());
        let waiting = Waiting { entry: Arc::clone(&entry), answer };
        (Self { entry, expires, time_to_live, span, reply, share: None }, waiting)
    }

    pub(super) fn span(&self) -> &Span {
        &self.span
    }

    pub(super) fn size(&self) -> usize {
        self.new_lead().lead().size_in_memory()
    }

    pub(super) fn new_lead(&self) -> &NewLead {
        self.entry.new_lead()
    }

    pub(super) fn expires(&self) -> Instant {
        self.expires
    }

    /// Tells the caller what became of the lead.
    pub(super) fn conclude(self, insertion: Insertion) {
        let result = conclude(self.new_lead(), insertion);
        self.answer(result);
    }

    /// Tells the caller; where it has gone away, writes the log line in its stead.
    pub(super) fn answer(self, result: Result<Ingested, IngestError>) {
        let answer = Answer { result, at: Instant::now() };
        drop(self.share);
        if self.reply.send(answer).is_err() {
            self.entry.log(answer);
        }
    }
}
