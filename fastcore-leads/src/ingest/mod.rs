//! The ingest workflow: from a parsed lead to a committed row, or to an error that says whether to retry.

mod builder;
mod commits;
mod many;
mod metrics;
mod outcome;
mod queue;
mod stuck;
mod turns;
mod writer;

use std::{fmt, sync::Arc, time::Duration};

use chrono::{DateTime, Utc};
use tokio::{
    sync::Semaphore,
    time::{Instant, timeout},
};

pub use self::{
    builder::IngestBuilder,
    commits::Commits,
    outcome::{IngestError, Ingested},
};
use self::{
    many::ImportWindow,
    metrics::Metrics,
    outcome::Submission,
    queue::{Job, Queue},
};
use crate::{
    audit::Actor,
    lead::Lead,
    store::{LeadStore, NewLead, StoreError, StoreErrorKind},
};

/// The longest that a readiness probe waits for the store: orchestrators and balancers give up a probe after a second or two.
const READY_WITHIN: Duration = Duration::from_secs(1);

/// Tells what time it is.
type Clock = Arc<dyn Fn() -> DateTime<Utc> + Send + Sync>;

/// Takes leads in: queues them, writes them in groups, and answers each after its COMMIT.
///
/// Concurrent calls share a transaction: a writer takes what has queued up while the last commit was under way.
/// A lone lead waits on no timer, so an idle service is as quick as a direct insert; beside another transaction, leads wait
/// for its end, for more of them, or for 5 ms.
///
/// Clones share one queue. When the last clone is dropped, the writers finish what is queued and end.
///
/// ```
/// use fastcore_leads::{Actor, Ingest, Lead, MemoryLeadStore};
///
/// # tokio::runtime::Builder::new_current_thread().enable_time().build()?.block_on(async {
/// let ingest = Ingest::builder(MemoryLeadStore::new()).start();
/// let lead = Lead::parse(fastcore_leads::SAMPLE_LEAD.as_bytes(), Default::default())?;
/// let first = ingest.ingest(lead.clone(), Actor::SITE_INGEST).await?;
/// let retry = ingest.ingest(lead, Actor::SITE_INGEST).await?;
/// assert!(retry.replayed);
/// assert_eq!(first.receipt, retry.receipt);
/// # Ok::<(), Box<dyn std::error::Error>>(()) }).map_err(|error| error.to_string())?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone)]
pub struct Ingest {
    queue: Arc<Queue>,
    store: Arc<dyn LeadStore>,
    deadline: Duration,
    metrics: Arc<Metrics>,
    /// None: the system's.
    clock: Option<Clock>,
    keeps_instants: bool,
    /// How much of the queue one importer may fill.
    window: ImportWindow,
    /// Whose turn it is to ask whether the store is ready.
    probe: Arc<Semaphore>,
}

impl Ingest {
    /// Configures the workflow over a store.
    pub fn builder(store: impl LeadStore + 'static) -> IngestBuilder {
        IngestBuilder::new(Arc::new(store))
    }

    /// Writes one lead with its audit row, and returns once both are committed.
    ///
    /// The write goes on where the caller goes away: dropping this future never leaves a lead half-written. Emits one
    /// `tracing` event with the outcome.
    ///
    /// # Errors
    /// [`IngestError`]; [`IngestError::is_retryable`] says whether the same lead may be tried again, which is always
    /// safe with the same request id.
    pub async fn ingest(&self, lead: Lead, actor: Actor) -> Result<Ingested, IngestError> {
        self.run(self.new_lead(lead, actor)).await
    }

    /// As [`ingest`](Self::ingest), for a lead that was received at another instant, as by the system that it is imported
    /// from. Pages and retention go by it.
    ///
    /// # Errors
    /// As [`ingest`](Self::ingest).
    pub async fn ingest_at(
        &self,
        lead: Lead,
        actor: Actor,
        received_at: DateTime<Utc>,
    ) -> Result<Ingested, IngestError> {
        self.run(NewLead::received_at(lead, actor, received_at)).await
    }

    fn new_lead(&self, lead: Lead, actor: Actor) -> NewLead {
        let now = self.clock.as_ref().map(|clock| clock());
        let received_at = if self.keeps_instants {
            Some(lead.meta().timestamp_utc().min(now.unwrap_or_else(crate::time::now)))
        } else {
            now
        };
        match received_at {
            None => NewLead::new(lead, actor),
            Some(instant) => NewLead::received_at(lead, actor, instant),
        }
    }

    async fn run(&self, new: NewLead) -> Result<Ingested, IngestError> {
        let entry = Submission::new(new, &self.metrics);
        let end = Instant::now() + self.deadline;
        let (job, waiting) = Job::new(entry, self.deadline);
        match self.queue.push(job) {
            Ok(()) => waiting.until(end).await.result,
            Err(error) => waiting.refused(error).result,
        }
    }

    /// Whether leads are taken in: asks the store for a sign of life, for a readiness probe.
    ///
    /// # Errors
    /// What the store says; [`StoreErrorKind::TimedOut`] after a second, or after the deadline where that is less;
    /// [`StoreErrorKind::Unavailable`] once [`shutdown`](Self::shutdown) was called; [`StoreErrorKind::Internal`] if the store panics.
    pub async fn ready(&self) -> Result<(), StoreError> {
        if !self.queue.is_open() {
            return Err(StoreErrorKind::Unavailable.into());
        }
        let (store, deadline, turn) = (Arc::clone(&self.store), self.deadline, Arc::clone(&self.probe));
        let asked = async {
            let turn = turn.acquire_owned().await.map_err(|_| StoreErrorKind::Internal)?;
            // On a task of its own: where a probe gives up, a store that looks for the server that leads goes on, and has found it by the
            // next one. Until it has, the next one waits, so that no more than one is asked at a time.
            let asked = tokio::spawn(async move {
                let _turn = turn;
                timeout(deadline, store.ready()).await
            });
            asked.await.map_err(|_| StoreErrorKind::Internal)?.map_err(|_| StoreErrorKind::TimedOut)?
        };
        timeout(READY_WITHIN, asked).await.unwrap_or_else(|_| Err(StoreErrorKind::TimedOut.into()))
    }

    /// Takes no more leads, writes those that are queued, and returns when the last one is answered.
    ///
    /// Bound the wait with [`tokio::time::timeout`] where the store may hang: it never answers a lead that is not
    /// committed, so that giving up is safe.
    pub async fn shutdown(&self) {
        self.queue.close();
        self.queue.drained().await;
    }
}

impl fmt::Debug for Ingest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Ingest").field("deadline", &self.deadline).finish_non_exhaustive()
    }
}
