use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

use tokio::sync::Notify;

/// What an [`Ingest`](super::Ingest) commits, for one that follows it in the same process: a dispatcher of the
/// [outbox](crate::outbox), or a feed of events.
#[derive(Debug, Default)]
pub struct Commits {
    wake: Notify,
    leads: AtomicU64,
}

impl Commits {
    /// None so far.
    pub fn new() -> Arc<Self> {
        Arc::default()
    }

    /// Notes that so many leads were committed, and wakes whoever follows. A host that writes leads by itself calls it after its
    /// COMMIT.
    pub fn add(&self, leads: usize) {
        self.leads.fetch_add(u64::try_from(leads).unwrap_or(u64::MAX), Ordering::Relaxed);
        self.wake.notify_one();
    }

    /// How many leads were committed so far.
    #[cfg(any(feature = "outbox", feature = "proof"))]
    pub(crate) fn leads(&self) -> u64 {
        self.leads.load(Ordering::Relaxed)
    }

    /// Returns once something was committed since it last returned. For one follower: of two that wait, one is woken.
    pub(crate) async fn next(&self) {
        self.wake.notified().await;
    }
}
