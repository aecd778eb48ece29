use std::{
    collections::HashSet,
    sync::atomic::{AtomicU32, Ordering},
};

use crate::store::NewLead;

/// How many batches are not expected to be new once one was not: whoever sends leads again sends more than one.
const WARY: u32 = 64;

/// Whether a batch's leads are likely to be new, all of them: such a batch costs a database less, and one that was wrongly thought to be
/// new costs a second attempt.
#[derive(Debug, Default)]
pub(super) struct Novelty {
    wary: AtomicU32,
}

impl Novelty {
    /// Whether all of these are likely to be new.
    pub(super) fn is_likely(&self, batch: &[NewLead]) -> bool {
        let fewer = |wary: u32| wary.checked_sub(1);
        if self.wary.fetch_update(Ordering::Relaxed, Ordering::Relaxed, fewer).is_ok() {
            return false;
        }
        let mut seen = HashSet::with_capacity(batch.len());
        batch.iter().all(|new| seen.insert(new.lead().meta().request_id()))
    }

    /// Some were not.
    pub(super) fn was_mistaken(&self) {
        self.wary.store(WARY, Ordering::Relaxed);
    }
}
