//! The end of the log, which many may wait at while one asks the database.

use std::{sync::Arc, time::Duration};

use tokio::{
    sync::{Mutex, Notify, watch},
    time::{Instant, sleep, sleep_until, timeout},
};

use crate::{
    jitter,
    store::{LeadOutbox, StoreError},
};

/// Rows that are numbered in one transaction: few enough that nobody waits long for it.
const AT_ONCE: u32 = 500;
/// How long whoever asks rests at least, so that a busy ingest is not asked after each commit.
const REST: Duration = Duration::from_millis(100);

pub(super) struct Tail {
    pub(super) store: Arc<dyn LeadOutbox>,
    committed: Arc<Notify>,
    poll: Duration,
    last: watch::Sender<u64>,
    /// Held by the one who asks on behalf of all that wait.
    asking: Mutex<()>,
    closing: watch::Sender<bool>,
}

impl Tail {
    pub(super) fn new(store: Arc<dyn LeadOutbox>, committed: Arc<Notify>, poll: Duration) -> Self {
        let (last, closing) = (watch::Sender::new(0), watch::Sender::new(false));
        Self { store, committed, poll, last, asking: Mutex::new(()), closing }
    }

    /// Numbers what has been committed, whoever else does so too, and returns the last number.
    pub(super) async fn look(&self) -> Result<u64, StoreError> {
        while self.store.sequence(AT_ONCE).await? >= AT_ONCE {}
        let last = self.store.last_sequence().await?;
        // A database that was put back to an earlier state has fewer.
        self.last.send_if_modified(|known| std::mem::replace(known, last) != last);
        Ok(last)
    }

    /// Waits for a number behind this one, and returns it. None where there is none until then, or nobody is to wait any more.
    pub(super) async fn wait(&self, after: u64, until: Instant) -> Result<Option<u64>, StoreError> {
        let (mut last, mut closing) = (self.last.subscribe(), self.closing.subscribe());
        tokio::select! {
            biased;
            _ = closing.wait_for(|is_closing| *is_closing) => Ok(None),
            // Its sender lives as long as this.
            Ok(last) = last.wait_for(|last| *last > after) => Ok(Some(*last)),
            () = sleep_until(until) => Ok(None),
            error = self.ask() => Err(error),
        }
    }

    /// Asks again and again, as long as the database answers.
    async fn ask(&self) -> StoreError {
        let _turn = self.asking.lock().await;
        loop {
            let _ = timeout(jitter::around(self.poll), self.committed.notified()).await;
            if let Err(error) = self.look().await {
                return error;
            }
            sleep(REST).await;
        }
    }

    pub(super) fn close(&self) {
        self.closing.send_replace(true);
    }
}
