use std::time::Duration;

use chrono::{DateTime, Utc};

use crate::outbox::{DestinationStatus, Settled};

pub(in crate::outbox) struct Metrics;

#[allow(clippy::unused_self, reason = "as its counterpart has it")]
impl Metrics {
    pub(in crate::outbox) fn begin() -> Self {
        Self
    }

    pub(in crate::outbox) fn attempted(&self, _: &str, _: Settled, _: Duration) {}

    pub(in crate::outbox) fn stands(&self, _: &DestinationStatus) {}

    pub(in crate::outbox) fn unanswered(&self, _: u64) {}

    pub(in crate::outbox) fn oldest_unanswered(&self, _: Option<DateTime<Utc>>) {}
}
