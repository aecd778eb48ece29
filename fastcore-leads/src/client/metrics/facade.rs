use std::time::Duration;

use metrics::{counter, gauge, histogram};

use crate::{
    client::spool::Counts,
    metrics::{FORWARD_ATTEMPTS, FORWARD_DURATION, SPOOL_AGE, SPOOL_BYTES, SPOOL_LEADS, SPOOL_REFUSED, SPOOLED},
};

/// Every `result` of [`FORWARD_ATTEMPTS`].
const RESULTS: [&str; 9] =
    ["delivered", "erased", "conflict", "refused", "failing", "unavailable", "unreachable", "misconfigured", "foreign"];

pub(in crate::client) struct Metrics;

#[allow(clippy::unused_self, reason = "nothing is reported before it was begun")]
impl Metrics {
    /// Reports the counters from the start: an alarm on an increase does not see a series that begins with its first event.
    pub(in crate::client) fn begin() -> Self {
        for result in RESULTS {
            counter!(FORWARD_ATTEMPTS, "result" => result).increment(0);
        }
        counter!(SPOOLED).increment(0);
        Self
    }

    pub(in crate::client) fn attempted(&self, result: &'static str, elapsed: Duration) {
        histogram!(FORWARD_DURATION).record(elapsed.as_secs_f64());
        counter!(FORWARD_ATTEMPTS, "result" => result).increment(1);
    }

    pub(in crate::client) fn spooled(&self) {
        counter!(SPOOLED).increment(1);
    }

    #[allow(clippy::cast_precision_loss, reason = "as many files fit on no disk")]
    pub(in crate::client) fn spool(&self, counts: Counts) {
        gauge!(SPOOL_LEADS).set(counts.waiting as f64);
        gauge!(SPOOL_BYTES).set(counts.waiting_bytes as f64);
        gauge!(SPOOL_REFUSED).set(counts.aside as f64);
    }

    pub(in crate::client) fn oldest(&self, age: Duration) {
        gauge!(SPOOL_AGE).set(age.as_secs_f64());
    }
}
