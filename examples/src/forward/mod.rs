//! The way from the site to FASTCore: at once where it answers, by way of a spool on disk where it does not.
//!
//! A lead that [`Forward::deliver`] took is either committed in FASTCore or safe on this disk, from where it is delivered
//! once FASTCore is back. Its request id stays the same all the way, so that however often it is sent it is one lead.

mod client;
mod envelope;
mod spool;
mod worker;

use std::{
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use reqwest::Url;
use tokio::{sync::Notify, task::JoinHandle};
use tokio_util::task::TaskTracker;
use tracing::Instrument;
use uuid::Uuid;

pub use self::envelope::Envelope;
use self::{
    client::{Client, Outcome},
    spool::{Place, Spool},
};

/// How to reach FASTCore, and what to do where that fails.
#[derive(Clone)]
pub struct Settings {
    /// FASTCore's address, without the endpoint's path.
    pub base_url: Url,
    /// The bearer token.
    pub token: String,
    /// How long one attempt may take; a visitor waits for one, then the lead goes to the spool.
    pub timeout: Duration,
    /// The folder of the spool. It holds personal data: it is made for its owner alone.
    pub spool: PathBuf,
    /// Leads that the spool holds at most.
    pub capacity: usize,
}

impl std::fmt::Debug for Settings {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Settings").field("spool", &self.spool).finish_non_exhaustive()
    }
}

/// Hands leads to FASTCore. Clones share one spool.
#[derive(Clone)]
pub struct Forward {
    shared: Arc<Shared>,
}

struct Shared {
    client: Client,
    spool: Spool,
    /// Deliveries under way. They go on where their visitor goes away.
    under_way: TaskTracker,
    /// Set while FASTCore does not answer: visitors do not wait for it then, the worker looks whether it is back.
    is_down: AtomicBool,
    /// Tells the worker that there is something to deliver.
    wake: Notify,
}

/// The lead could be given to nobody: FASTCore does not answer, and the spool is full or cannot be written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("FASTCore does not answer, and the spool is full or cannot be written")]
pub struct Undeliverable;

/// The task that empties the spool. It ends when this is dropped; what it has not delivered stays in the spool.
#[derive(Debug)]
pub struct Worker(JoinHandle<()>);

impl Drop for Worker {
    fn drop(&mut self) {
        self.0.abort();
    }
}

impl Forward {
    /// Opens the spool and begins to deliver what an earlier process left in it. In a tokio runtime.
    ///
    /// # Errors
    /// A sentence for the operator: the spool's folder cannot be used, or the client cannot be built.
    pub fn start(settings: Settings) -> Result<(Self, Worker), String> {
        let spool = Spool::open(&settings.spool, settings.capacity)
            .map_err(|error| format!("{}: {error}; make the folder writable", settings.spool.display()))?;
        crate::metrics::begin_site();
        let client = Client::new(settings.base_url, &settings.token, settings.timeout)?;
        let shared = Arc::new(Shared {
            client,
            spool,
            under_way: TaskTracker::new(),
            is_down: AtomicBool::new(false),
            wake: Notify::new(),
        });
        let worker = Worker(tokio::spawn(worker::run(Arc::clone(&shared))));
        Ok((Self { shared }, worker))
    }

    /// Returns once the lead is committed in FASTCore or safe in the spool: the id that it is stored under.
    ///
    /// Goes on where the caller goes away: a lead that arrived whole is not lost because its visitor did not wait.
    ///
    /// # Errors
    /// [`Undeliverable`] where neither is possible. It may have reached FASTCore all the same; sending it again is safe.
    pub async fn deliver(&self, envelope: Envelope) -> Result<Uuid, Undeliverable> {
        let shared = Arc::clone(&self.shared);
        let delivery = async move { shared.deliver(&envelope).await }.in_current_span();
        let delivery = self.shared.under_way.spawn(delivery);
        delivery.await.unwrap_or(Err(Undeliverable))
    }

    /// Returns when no delivery is under way any more. What comes later is delivered, but not waited for.
    pub async fn finish(&self) {
        self.shared.under_way.close();
        self.shared.under_way.wait().await;
    }
}

impl Shared {
    async fn deliver(&self, envelope: &Envelope) -> Result<Uuid, Undeliverable> {
        let was_asked = !self.is_down.load(Ordering::Relaxed);
        let mut outcome = if was_asked { self.client.send(envelope).await } else { Outcome::Unavailable(None) };
        if was_asked && matches!(outcome, Outcome::Unavailable(_)) {
            self.is_down.store(true, Ordering::Relaxed);
        }
        let mut stored = self.keep(envelope, outcome).await;
        if stored.is_err() && !was_asked {
            // There is no room to wait in: perhaps FASTCore is back.
            outcome = self.client.send(envelope).await;
            if matches!(outcome, Outcome::Delivered | Outcome::Refused) {
                self.is_down.store(false, Ordering::Relaxed);
                stored = self.keep(envelope, outcome).await;
            }
        }
        stored.map(|()| envelope.request_id())
    }

    /// Keeps on disk what FASTCore did not take.
    async fn keep(&self, envelope: &Envelope, outcome: Outcome) -> Result<(), Undeliverable> {
        match outcome {
            Outcome::Delivered => Ok(()),
            Outcome::Refused => self.spool.put(envelope.clone(), Place::Refused).await,
            Outcome::Unavailable(_) | Outcome::Misconfigured => {
                let stored = self.spool.put(envelope.clone(), Place::Waiting).await;
                self.wake.notify_one();
                stored
            }
        }
    }
}

impl std::fmt::Debug for Forward {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Forward").finish_non_exhaustive()
    }
}
