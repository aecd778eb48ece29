//! When a writer begins while another is at work.
//!
//! Two transactions at once pay where many leads wait. Where few do, each gets fewer of them, and a commit of its own: it is
//! quicker then to wait for the other one's end, and to take along what comes meanwhile.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::Duration,
};

use tokio::{
    sync::Notify,
    time::{Instant, timeout_at},
};

/// So many leads are worth a transaction beside another.
const ENOUGH: usize = 32;
/// Where batches are smaller than this, lately, nobody waits: a lead by itself is written soonest at once.
const FEW: usize = 4;
/// The longest that leads wait for another transaction: it may be stuck.
const PATIENCE: Duration = Duration::from_millis(5);
/// What a batch's size counts in [`Turns::lately`], where the sizes before count the rest.
const WEIGHT: usize = 8;

/// Who writes, and whether one more may.
pub(super) struct Turns {
    enough: usize,
    writing: AtomicUsize,
    /// How many leads a batch has, times [`WEIGHT`], where the last counts most.
    lately: AtomicUsize,
    is_enough: AtomicBool,
    changed: Notify,
}

impl Turns {
    /// Where a batch, or the queue, holds fewer leads than are worth a transaction, as many as it holds are.
    pub(super) fn new(most: usize) -> Arc<Self> {
        Arc::new(Self {
            enough: ENOUGH.min(most),
            writing: AtomicUsize::new(0),
            lately: AtomicUsize::new(0),
            is_enough: AtomicBool::new(false),
            changed: Notify::new(),
        })
    }

    /// Notes how many leads wait, and whether they and those under way are so large that none should wait for more.
    pub(super) fn waiting(&self, leads: usize, are_large: bool) {
        if (leads >= self.enough || are_large)
            && self.writing.load(Ordering::Relaxed) > 0
            && !self.is_enough.swap(true, Ordering::Relaxed)
        {
            self.changed.notify_one();
        }
    }

    /// Returns when it is worth while to begin: nobody else is at work, or enough leads wait.
    pub(super) async fn come(&self, waiting: impl Fn() -> usize) {
        let end = Instant::now() + PATIENCE;
        loop {
            let is_alone = self.writing.load(Ordering::Relaxed) == 0;
            let is_idle = self.lately.load(Ordering::Relaxed) < FEW * WEIGHT;
            let is_enough = self.is_enough.swap(false, Ordering::Relaxed) || waiting() >= self.enough;
            if is_alone || is_idle || is_enough || timeout_at(end, self.changed.notified()).await.is_err() {
                return;
            }
        }
    }

    /// Begins to write a batch.
    pub(super) fn begin(self: &Arc<Self>, leads: usize) -> Turn {
        let lately = self.lately.load(Ordering::Relaxed);
        self.lately.store(lately - lately / WEIGHT + leads, Ordering::Relaxed);
        self.writing.fetch_add(1, Ordering::Relaxed);
        self.is_enough.store(false, Ordering::Relaxed);
        Turn(Arc::clone(self))
    }
}

/// Given back when the batch is written.
pub(super) struct Turn(Arc<Turns>);

impl Drop for Turn {
    fn drop(&mut self) {
        self.0.writing.fetch_sub(1, Ordering::Relaxed);
        self.0.changed.notify_one();
    }
}
