use std::{
    num::NonZeroU32,
    sync::atomic::{AtomicU32, Ordering},
    time::Duration,
};

use governor::{
    DefaultKeyedRateLimiter, Quota, RateLimiter,
    clock::{Clock, DefaultClock},
};

/// Limits how often one visitor, known by the hash of the address, may do something.
pub(crate) struct Limiter {
    visitors: DefaultKeyedRateLimiter<String>,
    clock: DefaultClock,
    checks: AtomicU32,
}

/// How many checks lie between two tidyings-up: so visitors who are long gone take no memory.
const TIDY_UP_EVERY: u32 = 1024;

impl Limiter {
    pub(crate) fn new(per_minute: u32) -> Self {
        let quota = Quota::per_minute(NonZeroU32::new(per_minute).unwrap_or(NonZeroU32::MIN));
        Self { visitors: RateLimiter::keyed(quota), clock: DefaultClock::default(), checks: AtomicU32::new(0) }
    }

    /// Counts one more.
    ///
    /// # Errors
    /// How long to wait, in whole seconds, if there were too many.
    pub(crate) fn check(&self, visitor: &str) -> Result<(), u64> {
        if self.checks.fetch_add(1, Ordering::Relaxed) % TIDY_UP_EVERY == TIDY_UP_EVERY - 1 {
            self.visitors.retain_recent();
            self.visitors.shrink_to_fit();
        }
        self.visitors.check_key(&visitor.to_owned()).map_err(|not_until| {
            let wait: Duration = not_until.wait_time_from(self.clock.now());
            wait.as_secs() + 1
        })
    }
}
