use std::{
    sync::{Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

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
        *state = Some(Open { until: Instant::now() + jittered(pause), pause });
    }

    pub(super) fn succeeded(&self) {
        *self.lock() = None;
    }

    fn lock(&self) -> MutexGuard<'_, Option<Open>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Between half and one and a half: those who failed together do not come back together.
pub(super) fn jittered(pause: Duration) -> Duration {
    let mut byte = [128];
    // Without random numbers everybody waits alike, which is allowed.
    let _ = getrandom::fill(&mut byte);
    pause.mul_f64(0.5 + f64::from(byte[0]) / 256.0)
}
