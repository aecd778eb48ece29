use std::time::Duration;

use crate::jitter;

const MINUTE: u64 = 60;
const HOUR: u64 = 60 * MINUTE;

/// How long is waited after each attempt that failed. Once all are used up, a delivery is given up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Schedule(Vec<Duration>);

impl Schedule {
    /// A schedule of one's own. Empty: one attempt, and no other.
    pub fn new(pauses: Vec<Duration>) -> Self {
        Self(pauses)
    }

    /// The last pause, by chance as well.
    pub(super) fn last(&self) -> Option<Duration> {
        self.0.last().copied().map(jitter::around)
    }

    /// How long to wait after an attempt, counted from 1; half as much or half as much again, by chance. None: it was the last.
    pub(super) fn after(&self, attempt: u32) -> Option<Duration> {
        let place = usize::try_from(attempt.saturating_sub(1)).ok()?;
        self.0.get(place).copied().map(jitter::around)
    }
}

impl Default for Schedule {
    /// About three days, as Standard Webhooks proposes ("Deliverability and reliability"): 5 s, 5 min, 30 min, 2 h, 5 h, 10 h,
    /// 14 h, 20 h and 24 h.
    fn default() -> Self {
        let seconds = [5, 5 * MINUTE, 30 * MINUTE, 2 * HOUR, 5 * HOUR, 10 * HOUR, 14 * HOUR, 20 * HOUR, 24 * HOUR];
        Self(seconds.map(Duration::from_secs).to_vec())
    }
}
