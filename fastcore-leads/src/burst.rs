//! In a burst of leads the ingest goes first: a lead that is not taken in is lost, one that is told of a minute later is not.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use tokio::time::Instant;

use crate::ingest::Commits;

/// More leads a second than these are a burst.
const LEADS_PER_SECOND: f64 = 500.0;
/// How long leads are counted for.
const WINDOW: Duration = Duration::from_millis(200);
/// How long a burst lasts at most: what goes on for longer is the usual, and others are told beside it.
const LONGEST: Duration = Duration::from_secs(60);
/// How many events are told each time in a burst.
#[cfg(feature = "outbox")]
pub(crate) const AT_ONCE: u32 = 50;
/// How often others are told in a burst.
#[cfg(feature = "outbox")]
pub(crate) const REST: Duration = Duration::from_secs(1);

pub(crate) struct Burst {
    commits: Arc<Commits>,
    sample: Mutex<Sample>,
}

struct Sample {
    at: Instant,
    leads: u64,
    burst_since: Option<Instant>,
}

impl Burst {
    pub(crate) fn of(commits: Arc<Commits>) -> Self {
        let sample = Sample { at: Instant::now(), leads: commits.leads(), burst_since: None };
        Self { commits, sample: Mutex::new(sample) }
    }

    /// Returns once something was committed.
    #[cfg(feature = "outbox")]
    pub(crate) async fn next_commit(&self) {
        self.commits.next().await;
    }

    /// Whether there is one just now.
    #[allow(clippy::cast_precision_loss, reason = "a rate need not be exact to the last of so many")]
    pub(crate) fn is_on(&self) -> bool {
        let (now, leads) = (Instant::now(), self.commits.leads());
        let mut sample = self.sample.lock().unwrap_or_else(PoisonError::into_inner);
        let elapsed = now - sample.at;
        if elapsed >= WINDOW {
            let per_second = (leads - sample.leads) as f64 / elapsed.as_secs_f64();
            let burst_since = sample.burst_since.unwrap_or(now);
            sample.burst_since = (per_second > LEADS_PER_SECOND).then_some(burst_since);
            (sample.at, sample.leads) = (now, leads);
        }
        sample.burst_since.is_some_and(|since| now - since < LONGEST)
    }

    /// Whether so many leads came lately as make a burst, however long they have come for.
    #[cfg(feature = "proof")]
    pub(crate) fn is_busy(&self) -> bool {
        self.sample.lock().unwrap_or_else(PoisonError::into_inner).burst_since.is_some()
    }
}
