use std::time::Duration;

use chrono::{DateTime, Utc};
use metrics::{counter, gauge, histogram};

use crate::{
    metrics::{
        DELIVERIES_DEAD, DELIVERIES_DUE, DELIVERY_ATTEMPTS, DELIVERY_DURATION, DELIVERY_LAG, DESTINATION_PAUSED,
        OLDEST_UNANSWERED, UNANSWERED,
    },
    outbox::{DestinationStatus, Settled},
    time,
};

/// Every `result` of [`DELIVERY_ATTEMPTS`].
const RESULTS: [&str; 3] = ["delivered", "failed", "dead"];

pub(in crate::outbox) struct Metrics;

#[allow(clippy::unused_self, reason = "nothing is reported before it was begun")]
impl Metrics {
    pub(in crate::outbox) fn begin() -> Self {
        Self
    }

    pub(in crate::outbox) fn attempted(&self, destination: &str, verdict: Settled, elapsed: Duration) {
        let result = match verdict {
            Settled::Delivered | Settled::Skipped => RESULTS[0],
            Settled::Retry(_) => RESULTS[1],
            Settled::Dead => RESULTS[2],
        };
        counter!(DELIVERY_ATTEMPTS, "destination" => destination.to_owned(), "result" => result).increment(1);
        histogram!(DELIVERY_DURATION, "destination" => destination.to_owned()).record(elapsed.as_secs_f64());
    }

    #[allow(clippy::cast_precision_loss, reason = "a gauge need not be exact to the last of so many")]
    pub(in crate::outbox) fn stands(&self, status: &DestinationStatus) {
        let name = || status.destination.clone();
        // From the start: an alarm on an increase does not see a series that begins with its first event.
        for result in RESULTS {
            counter!(DELIVERY_ATTEMPTS, "destination" => name(), "result" => result).increment(0);
        }
        let lag = status.oldest_due.map_or(0.0, seconds_since);
        gauge!(DELIVERY_LAG, "destination" => name()).set(lag);
        gauge!(DELIVERIES_DUE, "destination" => name()).set(status.due as f64);
        gauge!(DELIVERIES_DEAD, "destination" => name()).set(status.dead as f64);
        let is_paused = if status.paused_at.is_some() { 1.0 } else { 0.0 };
        gauge!(DESTINATION_PAUSED, "destination" => name()).set(is_paused);
    }

    pub(in crate::outbox) fn unanswered(&self, leads: u64) {
        counter!(UNANSWERED).increment(leads);
    }

    pub(in crate::outbox) fn oldest_unanswered(&self, received_at: Option<DateTime<Utc>>) {
        gauge!(OLDEST_UNANSWERED).set(received_at.map_or(0.0, seconds_since));
    }
}

fn seconds_since(instant: DateTime<Utc>) -> f64 {
    (time::now() - instant).as_seconds_f64().max(0.0)
}
