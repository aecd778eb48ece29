use std::{fmt, sync::Arc, time::Duration};

use chrono::{DateTime, Utc};
use tokio::{
    runtime::Handle,
    sync::{Semaphore, mpsc},
};

use super::{
    Clock, Commits, Ingest,
    many::ImportWindow,
    metrics::Metrics,
    queue::Queue,
    stuck::StuckLane,
    writer::{Inserter, Writer},
};
use crate::store::LeadStore;

const MIN_DEADLINE: Duration = Duration::from_millis(1);
const MAX_DEADLINE: Duration = Duration::from_secs(3600);
/// Room for any lead, the largest that a body can hold included.
const MIN_QUEUE_BYTES: usize = 128 * 1024;

/// Settings of [`Ingest`], each with a default that suits a website's leads.
#[must_use = "call `start`"]
pub struct IngestBuilder {
    store: Arc<dyn LeadStore>,
    pub(super) deadline: Duration,
    pub(super) queue_capacity: usize,
    pub(super) queue_bytes: usize,
    pub(super) max_batch: usize,
    pub(super) max_batch_bytes: usize,
    pub(super) writers: usize,
    clock: Option<Clock>,
    keeps_instants: bool,
    committed: Vec<Arc<Commits>>,
}

impl IngestBuilder {
    pub(super) fn new(store: Arc<dyn LeadStore>) -> Self {
        Self {
            store,
            deadline: Duration::from_secs(2),
            queue_capacity: 4096,
            queue_bytes: 16 * 1024 * 1024,
            max_batch: 256,
            max_batch_bytes: 1024 * 1024,
            writers: 2,
            clock: None,
            keeps_instants: false,
            committed: Vec::new(),
        }
    }

    /// How long a caller waits at most, from the call to the answer. Default 2 s, from a millisecond to an hour.
    ///
    /// Longer rides out a longer absence of the database: 30 s outlast a fail-over of 5 s. Shorter tells the sender sooner to
    /// come back.
    pub fn deadline(mut self, deadline: Duration) -> Self {
        self.deadline = deadline.clamp(MIN_DEADLINE, MAX_DEADLINE);
        self
    }

    /// How many leads may wait; one more is refused at once. Default 4096, at least 1.
    ///
    /// More absorbs a longer burst; fewer keeps memory and waiting times down.
    pub fn queue_capacity(mut self, leads: usize) -> Self {
        self.queue_capacity = leads.max(1);
        self
    }

    /// How many bytes of leads may wait or be under way; one lead more is refused at once. Default 16 MiB, at least
    /// 128 KiB.
    ///
    /// More absorbs a burst of long messages; fewer bounds the memory that a flood of them can take.
    pub fn queue_bytes(mut self, bytes: usize) -> Self {
        self.queue_bytes = bytes.max(MIN_QUEUE_BYTES);
        self
    }

    /// How many leads share a transaction at most. Default 256, at least 1; 1 is a transaction per lead.
    ///
    /// More saves commits under load; fewer keeps each transaction short.
    pub fn max_batch(mut self, leads: usize) -> Self {
        self.max_batch = leads.max(1);
        self
    }

    /// How many bytes of leads share a transaction at most; a batch goes over by less than one lead. Default 1 MiB.
    ///
    /// More saves commits where messages are long; fewer keeps each statement, and what is sent again after a fault, small.
    pub fn max_batch_bytes(mut self, bytes: usize) -> Self {
        self.max_batch_bytes = bytes;
        self
    }

    /// How many transactions may be under way at once. Default 2, at least 1.
    ///
    /// Two let the database work on one batch while the answers of another go out; SQLite writes one at a time anyway.
    /// More make batches smaller. One beside another begins once 32 leads wait, or after 5 ms, where leads come in numbers.
    pub fn writers(mut self, writers: usize) -> Self {
        self.writers = writers.max(1);
        self
    }

    /// What tells the instant at which a lead is received. Default: the system's clock. For tests, and for hosts that have a
    /// clock of their own; deadlines go by Tokio's.
    pub fn clock(mut self, clock: impl Fn() -> DateTime<Utc> + Send + Sync + 'static) -> Self {
        self.clock = Some(Arc::new(clock));
        self
    }

    /// Leads are received when their senders say (`meta.timestamp_utc`), and not when they are taken in: for imports. One that says
    /// a later instant than now is received now. Pages and retention go by it.
    pub fn keeping_instants(mut self) -> Self {
        self.keeps_instants = true;
        self
    }

    /// Notes here what is committed, and wakes whoever follows: a dispatcher of the [outbox](crate::outbox) in the same process, a feed
    /// of events. Each needs one of its own.
    pub fn followed_by(mut self, commits: Arc<Commits>) -> Self {
        self.committed.push(commits);
        self
    }

    /// As [`start`](Self::start), on a runtime whose handle the host has: to be called from any thread.
    pub fn start_on(self, runtime: &Handle) -> Ingest {
        let _guard = runtime.enter();
        self.start()
    }

    /// Starts the writers. Says in one `tracing` event, and with the feature `metrics` in gauges, how it is set.
    ///
    /// # Panics
    /// Outside of a Tokio runtime with its timer enabled, as [`tokio::spawn`] does.
    pub fn start(self) -> Ingest {
        tracing::info!(
            deadline_ms = u64::try_from(self.deadline.as_millis()).unwrap_or(u64::MAX),
            queue_capacity = self.queue_capacity,
            queue_bytes = self.queue_bytes,
            max_batch = self.max_batch,
            max_batch_bytes = self.max_batch_bytes,
            writers = self.writers,
            "ingest workflow started"
        );
        let metrics = Arc::new(Metrics::new(&self));
        let (queue, intake) = Queue::new(self.queue_capacity, self.queue_bytes, self.max_batch, Arc::clone(&metrics));
        let queue = Arc::new(queue);
        let window = ImportWindow::beside_others(&self);
        let inserter = Inserter {
            store: Arc::clone(&self.store),
            metrics: Arc::clone(&metrics),
            deadline: self.deadline,
            committed: self.committed,
        };
        let (stuck, receiver) = mpsc::unbounded_channel();
        for _ in 0..self.writers {
            let writer = Writer {
                inserter: inserter.clone(),
                intake: intake.clone(),
                stuck: stuck.clone(),
                max_batch: self.max_batch,
                max_batch_bytes: self.max_batch_bytes,
            };
            tokio::spawn(writer.run());
        }
        tokio::spawn(StuckLane { inserter, stuck: receiver, _intake: intake }.run());
        Ingest {
            queue,
            store: self.store,
            deadline: self.deadline,
            metrics,
            clock: self.clock,
            keeps_instants: self.keeps_instants,
            window,
            probe: Arc::new(Semaphore::new(1)),
        }
    }
}

impl fmt::Debug for IngestBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("IngestBuilder")
            .field("deadline", &self.deadline)
            .field("queue_capacity", &self.queue_capacity)
            .field("queue_bytes", &self.queue_bytes)
            .field("max_batch", &self.max_batch)
            .field("max_batch_bytes", &self.max_batch_bytes)
            .field("writers", &self.writers)
            .finish_non_exhaustive()
    }
}
