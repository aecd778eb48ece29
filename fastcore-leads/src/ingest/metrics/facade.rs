use std::time::Duration;

use metrics::{Counter, Gauge, Histogram, counter, gauge, histogram};

use super::super::{IngestBuilder, outcome};
use crate::{
    metrics::{
        BATCH_LEADS, COMMIT_DURATION, DURATION, LEADS, QUEUE_BYTES, QUEUE_LEADS, QUEUE_REFUSED, SETTING, TRANSACTIONS,
    },
    store::{StoreError, StoreErrorKind},
};

/// Handles that are looked up once: each call is an atomic operation or two.
pub(in super::super) struct Metrics {
    outcomes: Vec<(&'static str, Counter, Histogram)>,
    queue_leads: Gauge,
    queue_bytes: Gauge,
    queue_refused: Counter,
    batch_leads: Histogram,
    commit_duration: Histogram,
    committed: Counter,
}

impl Metrics {
    #[allow(clippy::cast_precision_loss, reason = "no setting is that large")]
    pub(in super::super) fn new(settings: &IngestBuilder) -> Self {
        for (name, value) in [
            ("queue_capacity", settings.queue_capacity as f64),
            ("queue_bytes", settings.queue_bytes as f64),
            ("max_batch", settings.max_batch as f64),
            ("max_batch_bytes", settings.max_batch_bytes as f64),
            ("writers", settings.writers as f64),
            ("deadline_seconds", settings.deadline.as_secs_f64()),
        ] {
            gauge!(SETTING, "name" => name).set(value);
        }
        // Alarms on an increase do not see a series that begins with its first event.
        for kind in StoreErrorKind::ALL {
            counter!(TRANSACTIONS, "result" => kind.as_str()).increment(0);
        }
        let outcomes = outcome::NAMES
            .into_iter()
            .map(|name| (name, counter!(LEADS, "outcome" => name), histogram!(DURATION, "outcome" => name)))
            .collect();
        Self {
            outcomes,
            queue_leads: gauge!(QUEUE_LEADS),
            queue_bytes: gauge!(QUEUE_BYTES),
            queue_refused: counter!(QUEUE_REFUSED),
            batch_leads: histogram!(BATCH_LEADS),
            commit_duration: histogram!(COMMIT_DURATION),
            committed: counter!(TRANSACTIONS, "result" => "committed"),
        }
    }

    #[allow(clippy::cast_precision_loss, reason = "the queue's bound is far below")]
    pub(in super::super) fn queued(&self, bytes: usize) {
        self.queue_leads.increment(1.0);
        self.queue_bytes.increment(bytes as f64);
    }

    pub(in super::super) fn refused(&self) {
        self.queue_refused.increment(1);
    }

    #[allow(clippy::cast_precision_loss, reason = "the queue's bound is far below")]
    pub(in super::super) fn taken(&self, leads: usize) {
        self.queue_leads.decrement(leads as f64);
    }

    #[allow(clippy::cast_precision_loss, reason = "the queue's bound is far below")]
    pub(in super::super) fn given_back(&self, bytes: usize) {
        self.queue_bytes.decrement(bytes as f64);
    }

    #[allow(clippy::cast_precision_loss, reason = "the batch's bound is far below")]
    pub(in super::super) fn attempted(&self, leads: usize, elapsed: Duration, error: Option<&StoreError>) {
        match error {
            None => {
                self.committed.increment(1);
                self.batch_leads.record(leads as f64);
                self.commit_duration.record(elapsed.as_secs_f64());
            }
            Some(error) => counter!(TRANSACTIONS, "result" => error.kind().as_str()).increment(1),
        }
    }

    pub(in super::super) fn settled(&self, name: &'static str, elapsed: Duration) {
        if let Some((_, count, duration)) = self.outcomes.iter().find(|(outcome, ..)| *outcome == name) {
            count.increment(1);
            duration.record(elapsed.as_secs_f64());
        }
    }
}
