use std::time::Duration;

use super::super::IngestBuilder;
use crate::store::StoreError;

/// Takes what it is told, and forgets it.
pub(in super::super) struct Metrics;

#[allow(clippy::unused_self, reason = "the other one uses it")]
impl Metrics {
    pub(in super::super) fn new(_: &IngestBuilder) -> Self {
        Self
    }

    pub(in super::super) fn queued(&self, _: usize) {}

    pub(in super::super) fn refused(&self) {}

    pub(in super::super) fn taken(&self, _: usize) {}

    pub(in super::super) fn given_back(&self, _: usize) {}

    pub(in super::super) fn attempted(&self, _: usize, _: Duration, _: Option<&StoreError>) {}

    pub(in super::super) fn settled(&self, _: &'static str, _: Duration) {}
}
