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
use tokio::{sync::Notify, task::JoinHandle, time::Instant};
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
    /// How long a visitor waits for FASTCore before the lead goes to the spool.
    pub deadline: Duration,
    /// How long one attempt may take.
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
    deadline: Duration,
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
            deadline: settings.deadline,
            is_down: AtomicBool::new(false),
            wake: Notify::new(),
        });
        let worker = Worker(tokio::spawn(worker::run(Arc::clone(&shared))));
        Ok((Self { shared }, worker))
    }

    /// Returns once the lead is committed in FASTCore or safe in the spool: the id that it was stored under.
    ///
    /// # Errors
    /// [`Undeliverable`] where neither is possible. It may have reached FASTCore all the same; sending it again is safe.
    pub async fn deliver(&self, envelope: Envelope) -> Result<Uuid, Undeliverable> {
        let Shared { spool, is_down, wake, .. } = &*self.shared;
        let mut place = Place::Waiting;
        let was_asked = !is_down.load(Ordering::Relaxed);
        if was_asked {
            match self.send(&envelope).await {
                Outcome::Delivered => return Ok(envelope.request_id()),
                Outcome::Refused => place = Place::Refused,
                Outcome::Unavailable(_) => is_down.store(true, Ordering::Relaxed),
                Outcome::Misconfigured => {}
            }
        }
        let stored = spool.put(envelope.clone(), place).await;
        wake.notify_one();
        if stored.is_err() && !was_asked && self.send(&envelope).await == Outcome::Delivered {
            return Ok(envelope.request_id());
        }
        stored.map(|()| envelope.request_id())
    }

    async fn send(&self, envelope: &Envelope) -> Outcome {
        self.shared.client.send_until(envelope, Instant::now() + self.shared.deadline).await
    }
}

impl std::fmt::Debug for Forward {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Forward").finish_non_exhaustive()
    }
}
