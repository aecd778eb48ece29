//! The bounded queue in front of the writers: FIFO, by count and by bytes.

use std::{
    sync::{Arc, PoisonError, RwLock},
    time::Duration,
};

use tokio::{
    sync::{Mutex, OwnedSemaphorePermit, Semaphore, mpsc, oneshot, watch},
    time::{Instant, timeout_at},
};

use tracing::Span;

use super::{IngestError, Ingested, metrics::Metrics, outcome::Entry};
use crate::store::NewLead;

/// The senders' end.
pub(super) struct Queue {
    jobs: RwLock<Option<mpsc::Sender<Job>>>,
    bytes: Arc<Semaphore>,
    metrics: Arc<Metrics>,
    writers: watch::Receiver<()>,
}

impl Queue {
    pub(super) fn new(capacity: usize, bytes: usize, metrics: Arc<Metrics>) -> (Self, Inbox) {
        let (sender, receiver) = mpsc::channel(capacity.min(Semaphore::MAX_PERMITS));
        let (alive, writers) = watch::channel(());
        let bytes = Arc::new(Semaphore::new(bytes.min(Semaphore::MAX_PERMITS)));
        let inbox =
            Inbox { jobs: Arc::new(Mutex::new(receiver)), _alive: Arc::new(alive), metrics: Arc::clone(&metrics) };
        (Self { jobs: RwLock::new(Some(sender)), bytes, metrics, writers }, inbox)
    }

    /// Queues a job, or refuses it at once: waiting would only hide that the store is too slow.
    pub(super) fn push(&self, job: Job) -> Result<(), IngestError> {
        let (size, jobs) = (job.size(), self.sender());
        let pushed = jobs.and_then(|jobs| {
            let permit = Arc::clone(&self.bytes).try_acquire_many_owned(permits(size)).ok()?;
            let place = jobs.try_reserve().ok()?;
            self.metrics.queued(size);
            place.send(Job { _permit: Some(permit), ..job });
            Some(())
        });
        pushed.ok_or_else(|| {
            self.metrics.refused();
            IngestError::Unavailable
        })
    }

    /// Queues a job once there is room, for a caller that has more to send and would only come back. The job's time to
    /// live begins when it has its place.
    pub(super) async fn push_when_there_is_room(&self, job: Job) -> Result<(), IngestError> {
        let (size, jobs) = (job.size(), self.sender().ok_or(IngestError::Unavailable)?);
        let end = Instant::now() + job.time_to_live;
        let room = async {
            let permit = Arc::clone(&self.bytes).acquire_many_owned(permits(size)).await.ok()?;
            Some((permit, jobs.reserve().await.ok()?))
        };
        match timeout_at(end, room).await {
            Ok(Some((permit, place))) if self.is_open() => {
                self.metrics.queued(size);
                place.send(Job { _permit: Some(permit), expires: Instant::now() + job.time_to_live, ..job });
                Ok(())
            }
            _ => {
                self.metrics.refused();
                Err(IngestError::Unavailable)
            }
        }
    }

    fn sender(&self) -> Option<mpsc::Sender<Job>> {
        self.jobs.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(super) fn close(&self) {
        self.jobs.write().unwrap_or_else(PoisonError::into_inner).take();
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
pub(super) struct Inbox {
    jobs: Arc<Mutex<mpsc::Receiver<Job>>>,
    metrics: Arc<Metrics>,
    _alive: Arc<watch::Sender<()>>,
}

impl Inbox {
    /// Waits for a job, then takes along what else has queued up. Empty once the queue is closed and drained.
    pub(super) async fn take(&self, max: usize, max_bytes: usize) -> Vec<Job> {
        let mut jobs = self.jobs.lock().await;
        let mut batch = Vec::new();
        let mut bytes = 0;
        let mut next = jobs.recv().await;
        while let Some(job) = next {
            bytes += job.size();
            batch.push(job);
            if batch.len() >= max || bytes >= max_bytes {
                break;
            }
            next = jobs.try_recv().ok();
        }
        self.metrics.taken(batch.len(), bytes);
        batch
    }
}

/// A lead on its way to a writer, and the caller that waits for it.
pub(super) struct Job {
    entry: Arc<Entry>,
    expires: Instant,
    time_to_live: Duration,
    /// The caller's, so that a batch's span can name what it stands for.
    span: Span,
    reply: oneshot::Sender<Answer>,
    /// Its share of the queue's bytes, given back when it is answered.
    _permit: Option<OwnedSemaphorePermit>,
}

/// What a caller is told.
pub(super) type Answer = Result<Ingested, IngestError>;

/// A byte is a permit.
fn permits(size: usize) -> u32 {
    u32::try_from(size).unwrap_or(u32::MAX)
}

impl Job {
    /// A job, and where its answer comes.
    pub(super) fn new(entry: Arc<Entry>, time_to_live: Duration) -> (Self, oneshot::Receiver<Answer>) {
        let (reply, answer) = oneshot::channel();
        let (expires, span) = (Instant::now() + time_to_live, Span::current());
        (Self { entry, expires, time_to_live, span, reply, _permit: None }, answer)
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

    /// Tells the caller; where it has gone away, writes the log line in its stead.
    pub(super) fn answer(self, result: Answer) {
        if let Err(result) = self.reply.send(result) {
            self.entry.log(result.as_ref());
        }
    }
}
