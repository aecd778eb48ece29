//! The bounded queue in front of the writers: FIFO, by count and by bytes.

use std::{
    sync::{Arc, PoisonError, RwLock},
    time::Duration,
};

use tokio::{
    sync::{Mutex, OwnedSemaphorePermit, Semaphore, mpsc, oneshot, watch},
    time::Instant,
};

use super::{IngestError, Ingested, outcome::Entry};
use crate::store::NewLead;

/// The senders' end.
pub(super) struct Queue {
    jobs: RwLock<Option<mpsc::Sender<Job>>>,
    bytes: Arc<Semaphore>,
    writers: watch::Receiver<()>,
}

impl Queue {
    pub(super) fn new(capacity: usize, bytes: usize) -> (Self, Inbox) {
        let (sender, receiver) = mpsc::channel(capacity.min(Semaphore::MAX_PERMITS));
        let (alive, writers) = watch::channel(());
        let bytes = Arc::new(Semaphore::new(bytes.min(Semaphore::MAX_PERMITS)));
        let inbox = Inbox { jobs: Arc::new(Mutex::new(receiver)), _alive: Arc::new(alive) };
        (Self { jobs: RwLock::new(Some(sender)), bytes, writers }, inbox)
    }

    /// Queues a job, or refuses it at once: waiting would only hide that the store is too slow.
    pub(super) fn push(&self, mut job: Job) -> Result<(), IngestError> {
        let size = u32::try_from(job.size()).unwrap_or(u32::MAX);
        let permit = Arc::clone(&self.bytes).try_acquire_many_owned(size).map_err(|_| IngestError::Unavailable)?;
        job.permit = Some(permit);
        let jobs = self.jobs.read().unwrap_or_else(PoisonError::into_inner);
        let sender = jobs.as_ref().ok_or(IngestError::Unavailable)?;
        sender.try_send(job).map_err(|_| IngestError::Unavailable)
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
        batch
    }
}

/// A lead on its way to a writer, and the caller that waits for it.
pub(super) struct Job {
    pub(super) new: NewLead,
    expires: Instant,
    entry: Entry,
    reply: oneshot::Sender<Result<Ingested, IngestError>>,
    permit: Option<OwnedSemaphorePermit>,
}

impl Job {
    pub(super) fn new(
        new: NewLead,
        entry: Entry,
        reply: oneshot::Sender<Result<Ingested, IngestError>>,
        deadline: Duration,
    ) -> Self {
        Self { new, expires: Instant::now() + deadline, entry, reply, permit: None }
    }

    fn size(&self) -> usize {
        self.new.lead().size_in_memory()
    }

    pub(super) fn expires(&self) -> Instant {
        self.expires
    }

    /// Tells the caller; where it has gone away, writes the log line in its stead.
    pub(super) fn answer(self, result: Result<Ingested, IngestError>) {
        if let Err(result) = self.reply.send(result) {
            self.entry.log(result.as_ref());
        }
    }
}
