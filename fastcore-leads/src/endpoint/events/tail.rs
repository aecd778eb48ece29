//! The end of the log, which many may wait at while one task asks the database.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use tokio::{
    sync::{Mutex, OwnedMutexGuard, watch},
    time::{Instant, sleep, sleep_until, timeout},
};

use crate::{
    ingest::Commits,
    jitter, pace,
    store::{LeadOutbox, StoreError, StoreErrorKind},
};

/// Rows that are numbered in one transaction, and transactions of one look: few enough that nobody waits long for it.
const AT_ONCE: u32 = 500;
const PASSES: u32 = 10;
/// How long it rests between two looks at least.
const REST: Duration = Duration::from_millis(100);

pub(super) struct Tail {
    pub(super) store: Arc<dyn LeadOutbox>,
    commits: Arc<Commits>,
    poll: Duration,
    reached: watch::Sender<Reached>,
    closing: watch::Sender<bool>,
    /// Held by the look that is under way.
    looking: Mutex<()>,
    /// How many looks were begun.
    begun: AtomicU64,
    /// Held by the task that asks on behalf of all who wait.
    asking: Arc<Mutex<()>>,
}

/// What was seen last.
#[derive(Clone, Copy, Default)]
struct Reached {
    last: u64,
    /// The look that saw it.
    look: u64,
    /// How many looks of the task failed, and why the last one did.
    failures: (u64, Option<StoreErrorKind>),
}

impl Tail {
    pub(super) fn new(store: Arc<dyn LeadOutbox>, commits: Arc<Commits>, poll: Duration) -> Arc<Self> {
        Arc::new(Self {
            store,
            commits,
            poll,
            reached: watch::Sender::new(Reached::default()),
            closing: watch::Sender::new(false),
            looking: Mutex::new(()),
            begun: AtomicU64::new(0),
            asking: Arc::default(),
        })
    }

    /// Numbers what has been committed by now, and returns the last number. Those who ask at once share a look. It goes on where the
    /// caller goes away: a transaction that is given up costs the ingest a connection.
    pub(super) async fn look(self: &Arc<Self>) -> Result<u64, StoreError> {
        let (tail, asked_after) = (Arc::clone(self), self.begun.load(Ordering::Acquire));
        let look = async move {
            let _turn = tail.looking.lock().await;
            let seen = *tail.reached.borrow();
            if seen.look > asked_after {
                return Ok(seen.last);
            }
            let number = tail.begun.fetch_add(1, Ordering::AcqRel) + 1;
            let mut passes = 0;
            while tail.store.sequence(AT_ONCE).await? >= AT_ONCE && passes < PASSES {
                passes += 1;
            }
            let last = tail.store.last_sequence().await?;
            tail.reached.send_modify(|reached| (reached.last, reached.look) = (last, number));
            Ok(last)
        };
        tokio::spawn(look).await.unwrap_or_else(|_| Err(StoreErrorKind::Internal.into()))
    }

    /// Waits for a number behind this one, and returns it. None where there is none until then, or nobody is to wait any more.
    pub(super) async fn wait(self: &Arc<Self>, after: u64, until: Instant) -> Result<Option<u64>, StoreError> {
        let (mut reached, mut closing) = (self.reached.subscribe(), self.closing.subscribe());
        let failures = reached.borrow().failures.0;
        let is_news = |reached: &Reached| reached.last > after || reached.failures.0 > failures;
        loop {
            self.have_asked();
            tokio::select! {
                biased;
                _ = closing.wait_for(|is_closing| *is_closing) => return Ok(None),
                // Its sender lives as long as this.
                Ok(news) = reached.wait_for(is_news) => {
                    return match news.failures {
                        (_, Some(kind)) if news.last <= after => Err(kind.into()),
                        _ => Ok(Some(news.last)),
                    };
                }
                () = sleep_until(until) => return Ok(None),
                // The task may have ended just then.
                () = sleep(self.poll) => {}
            }
        }
    }

    /// Has a task ask the database for as long as somebody waits.
    fn have_asked(self: &Arc<Self>) {
        if let Ok(turn) = Arc::clone(&self.asking).try_lock_owned() {
            tokio::spawn(Arc::clone(self).ask(turn));
        }
    }

    async fn ask(self: Arc<Self>, _turn: OwnedMutexGuard<()>) {
        while self.reached.receiver_count() > 0 && !self.is_closing() {
            let _ = timeout(jitter::around(self.poll), self.commits.next()).await;
            let begun = Instant::now();
            if let Err(error) = self.look().await {
                self.reached.send_modify(|reached| reached.failures = (reached.failures.0 + 1, Some(error.kind())));
            }
            sleep(pace::rest_after(begun, REST)).await;
        }
    }

    pub(super) fn is_closing(&self) -> bool {
        *self.closing.borrow()
    }

    pub(super) fn close(&self) {
        self.closing.send_replace(true);
    }
}
