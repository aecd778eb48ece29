use std::time::Duration;

use crate::client::spool::Counts;

pub(in crate::client) struct Metrics;

#[allow(clippy::unused_self, reason = "as its counterpart has it")]
impl Metrics {
    pub(in crate::client) fn begin() -> Self {
        Self
    }

    pub(in crate::client) fn attempted(&self, _: &'static str, _: Duration) {}

    pub(in crate::client) fn spooled(&self) {}

    pub(in crate::client) fn spool(&self, _: Counts) {}

    pub(in crate::client) fn oldest(&self, _: Duration) {}
}
