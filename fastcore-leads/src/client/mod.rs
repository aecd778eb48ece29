//! The sender's half: a lead reaches FASTCore, or waits safely on this disk until it does.
//!
//! [`Client::deliver`] tries once, within a time limit that a visitor will wait for. If FASTCore does not take the lead then, the
//! lead goes into the [`Spool`], a folder with one file per lead, and a task of the client's delivers it from there. The request id
//! follows from what the visitor wrote, so that a lead is one lead however often and whichever way it is sent.
//!
//! An answer is believed only if it is FASTCore's: 201 with a `leadId`, 410 with `lead_erased`, and so on. Whatever else comes from
//! that address (a parking page, a firewall's page) leaves the lead where it is, and is told of in the log and the metrics.
//!
//! ```no_run
//! use fastcore_leads::{ConsentPolicy, Lead, SAMPLE_LEAD};
//! use fastcore_leads::client::{Client, Delivery, Spool, SpoolOptions};
//! # use fastcore_leads::Transport;
//! # async fn example(transport: impl Transport) -> Result<(), Box<dyn std::error::Error>> {
//!
//! let spool = Spool::open("spool", SpoolOptions::new())?;
//! // Feature `reqwest` brings a transport: `ReqwestTransport::new(Duration::from_secs(3))?`.
//! let client = Client::builder("https://fastcore.example.com", "a-token-of-the-site", transport)?
//!     .spool(spool)
//!     .start();
//! let lead = Lead::parse(SAMPLE_LEAD.as_bytes(), ConsentPolicy::Recorded)?;
//! match client.deliver(&lead).await? {
//!     Delivery::Delivered { .. } => println!("stored"),
//!     Delivery::Spooled { .. } => println!("safe, and on its way"),
//! }
//! # Ok(())
//! # }
//! ```

mod answer;
mod breaker;
mod builder;
mod drainer;
mod envelope;
mod metrics;
mod sender;
mod spool;

use std::{
    fmt,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
};

use tokio::{
    sync::{Notify, watch},
    task::AbortHandle,
};
use tracing::Instrument;

use self::{answer::Verdict, breaker::Breaker, metrics::Metrics, sender::Sender};
pub use self::{
    builder::{ClientBuilder, ClientError, MAX_TIMEOUT},
    envelope::request_id,
    spool::{
        AsideReason, Disk, KeyError, Place, Spool, SpoolErasure, SpoolKeys, SpoolOptions, SpooledLead, StdDisk,
        Unreadable,
    },
};
use crate::{
    client::envelope::Envelope,
    lead::{Lead, LeadId, RequestId},
};

/// Hands leads to FASTCore. Clones share one spool and one task that empties it, which ends when the last clone is dropped; what
/// waits then stays in the spool.
#[derive(Clone)]
pub struct Client {
    shared: Arc<Shared>,
    _drainer: Arc<Option<Drainer>>,
}

/// What became of a lead.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Delivery {
    /// FASTCore has stored it, now or before.
    Delivered {
        /// The id that it was sent under.
        request_id: RequestId,
        /// Its id in FASTCore; none if it was erased there since.
        lead_id: Option<LeadId>,
    },
    /// It is on this disk: FASTCore did not take it yet, or refuses it, and then it is kept for a person to look at.
    Spooled {
        /// The id that it is sent under.
        request_id: RequestId,
    },
}

impl Delivery {
    /// The id that the lead is sent under: a reference that the visitor can name.
    pub fn request_id(&self) -> RequestId {
        match self {
            Self::Delivered { request_id, .. } | Self::Spooled { request_id } => *request_id,
        }
    }
}

/// The lead could be given to nobody.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Undeliverable {
    /// FASTCore did not take it, and there is no spool, or it is full or cannot be written. It may have reached FASTCore all the same;
    /// sending it again is safe.
    #[error("FASTCore did not take the lead, and it cannot be kept: send it again later")]
    Unavailable,
    /// FASTCore will never take it, and it could not be kept for a person to look at. Sending it again changes nothing.
    #[error("FASTCore refuses the lead for good, and it cannot be kept: do not send it again")]
    Refused,
}

struct Shared {
    sender: Sender,
    spool: Option<Spool>,
    /// Deliveries under way: they go on if their caller goes away.
    under_way: watch::Sender<usize>,
    /// Open while FASTCore does not answer: callers do not wait for it then.
    breaker: Breaker,
    /// Whether FASTCore said something final of the last lead that it was asked to take.
    is_taking: AtomicBool,
    /// Leads that FASTCore said something final of.
    got_through: AtomicU64,
    /// Tells the drainer that there is something to deliver.
    wake: Notify,
    metrics: Metrics,
}

/// The task that empties the spool, ended when this is dropped.
struct Drainer(AbortHandle);

impl Drop for Drainer {
    fn drop(&mut self) {
        self.0.abort();
    }
}

impl Client {
    /// Begins to set up a client: FASTCore's base URL without the endpoint's path, the bearer token, and what sends requests.
    ///
    /// # Errors
    /// [`ClientError`] if the URL is not of a web service, or the token cannot stand in a header.
    pub fn builder(
        base_url: &str,
        token: &str,
        transport: impl crate::Transport,
    ) -> Result<ClientBuilder, ClientError> {
        ClientBuilder::new(base_url, token, transport)
    }

    /// Returns once the lead is stored in FASTCore or safe in the spool.
    ///
    /// Goes on if the caller goes away: a lead that arrived whole is not lost because its visitor did not wait. Takes the client's
    /// [timeout](ClientBuilder::timeout) at most, and the time of the disk; while FASTCore is known to be away, only the latter.
    /// Must be called in a tokio runtime.
    ///
    /// # Errors
    /// [`Undeliverable`] if it is neither.
    pub async fn deliver(&self, lead: &Lead) -> Result<Delivery, Undeliverable> {
        let (shared, envelope) = (Arc::clone(&self.shared), Envelope::new(lead));
        self.shared.under_way.send_modify(|deliveries| *deliveries += 1);
        let guard = UnderWay(Arc::clone(&self.shared));
        let delivery = async move {
            let _guard = guard;
            shared.deliver(&envelope).await
        };
        tokio::spawn(delivery.in_current_span()).await.unwrap_or(Err(Undeliverable::Unavailable))
    }

    /// Returns when no delivery is under way.
    pub async fn finish(&self) {
        // The sender lives as long as this.
        let _ = self.shared.under_way.subscribe().wait_for(|deliveries| *deliveries == 0).await;
    }

    /// Returns whether a lead that comes now has where to go, as far as that can be known without sending one: the spool has room and
    /// can be written, or FASTCore took the last lead that it was asked to.
    pub async fn takes_leads(&self) -> bool {
        let has_room = match &self.shared.spool {
            Some(spool) => spool.has_room().await,
            None => false,
        };
        has_room || self.shared.is_taking.load(Ordering::Relaxed)
    }

    /// The spool, if there is one.
    pub fn spool(&self) -> Option<&Spool> {
        self.shared.spool.as_ref()
    }
}

/// One delivery, counted out when it ends, also by a panic.
struct UnderWay(Arc<Shared>);

impl Drop for UnderWay {
    fn drop(&mut self) {
        self.0.under_way.send_modify(|deliveries| *deliveries -= 1);
    }
}

impl Shared {
    async fn deliver(&self, envelope: &Envelope) -> Result<Delivery, Undeliverable> {
        let was_asked = self.spool.is_none() || self.breaker.lets_through();
        let verdict = if was_asked { self.attempt(envelope).await } else { Verdict::Unavailable(None) };
        let mut delivery = self.settle(envelope, verdict).await;
        if delivery.is_err() && !was_asked {
            // There is no room to wait in: perhaps FASTCore is back.
            let verdict = self.attempt(envelope).await;
            if verdict.is_final() {
                delivery = self.settle(envelope, verdict).await;
            }
        }
        delivery
    }

    /// Sends a lead once, and remembers whether FASTCore answers.
    async fn attempt(&self, envelope: &Envelope) -> Verdict {
        let verdict = self.sender.send(envelope, &self.metrics).await;
        self.is_taking.store(verdict.is_final(), Ordering::Relaxed);
        match verdict {
            Verdict::Unavailable(_) => self.breaker.failed(),
            // A fault with one lead says nothing of the others, nor does a page of somebody else's: each is asked for anew.
            Verdict::Failing | Verdict::Misconfigured | Verdict::Foreign => {}
            Verdict::Stored(_) | Verdict::Erased | Verdict::Refused(_) => {
                self.got_through.fetch_add(1, Ordering::Relaxed);
                self.breaker.succeeded();
            }
        }
        verdict
    }

    /// Keeps on disk what FASTCore did not take.
    async fn settle(&self, envelope: &Envelope, verdict: Verdict) -> Result<Delivery, Undeliverable> {
        let request_id = envelope.request_id();
        let place = match verdict {
            Verdict::Stored(lead_id) => return Ok(Delivery::Delivered { request_id, lead_id: Some(lead_id) }),
            Verdict::Erased => return Ok(Delivery::Delivered { request_id, lead_id: None }),
            Verdict::Refused(reason) => Place::Aside(reason),
            Verdict::Unavailable(_) | Verdict::Failing | Verdict::Misconfigured | Verdict::Foreign => Place::Waiting,
        };
        let undeliverable = if place == Place::Waiting { Undeliverable::Unavailable } else { Undeliverable::Refused };
        let spool = self.spool.as_ref().ok_or(undeliverable)?;
        let kept = spool.put(envelope.clone(), place).await;
        self.metrics.spool(spool.counts());
        if place == Place::Waiting {
            self.wake.notify_one();
        }
        match kept {
            Ok(is_new) => {
                if is_new {
                    self.metrics.spooled();
                }
                Ok(Delivery::Spooled { request_id })
            }
            Err(error) => {
                tracing::error!(%request_id, kind = %error.kind(), "a lead cannot be spooled: look at the disk");
                Err(undeliverable)
            }
        }
    }
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client").finish_non_exhaustive()
    }
}
