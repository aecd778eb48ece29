use std::{
    sync::{Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use crate::jitter;

const FIRST_PAUSE: Duration = Duration::from_secs(1);
const LONGEST_PAUSE: Duration = Duration::from_secs(15);

/// Keeps callers from waiting for a FASTCore that is away: after a failure nobody asks for a while, then one caller does.
#[derive(Default)]
pub(super) struct Breaker {
    state: Mutex<Option<Open>>,
}

struct Open {
    until: Instant,
    pause: Duration,
}

impl Breaker {
    /// Whether to ask FASTCore. After a pause one caller is let through to see whether it is back.
    pub(super) fn lets_through(&self) -> bool {
        match &mut *self.lock() {
            None => true,
            Some(open) if Instant::now() < open.until => false,
            Some(open) => {
                // The others wait for what this one finds.
                open.until = Instant::now() + open.pause;
                true
            }
        }
    }

    pub(super) fn failed(&self) {
        let mut state = self.lock();
        let pause = state.as_ref().map_or(FIRST_PAUSE, |open| (open.pause * 2).min(LONGEST_PAUSE));
        *state = Some(Open { until: Instant::now() + jitter::around(pause), pause });
    }

    pub(super) fn succeeded(&self) {
        *self.lock() = None;
    }

    fn lock(&self) -> MutexGuard<'_, Option<Open>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
