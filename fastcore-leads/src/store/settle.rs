use std::collections::{HashMap, HashSet};

use uuid::Uuid;

use super::{Insertion, NewLead, StoreError, StoreErrorKind, StoredLead};

/// Puts a batch's outcomes together, in its order: for a store that knows which of its ids the database took, and has
/// read the rows that have the other leads' request ids.
///
/// # Errors
/// [`StoreErrorKind::Contention`] where a row that was in a lead's way is gone again: to be run once more.
pub fn settle(
    batch: &[NewLead],
    inserted: &HashSet<Uuid>,
    existing: &[StoredLead],
) -> Result<Vec<Insertion>, StoreError> {
    let by_request: HashMap<Uuid, &StoredLead> = existing.iter().map(|row| (row.request_id, row)).collect();
    batch
        .iter()
        .map(|new| {
            if inserted.contains(&new.id().as_uuid()) {
                return Ok(Insertion::Inserted);
            }
            let row = by_request.get(&new.lead().meta().request_id().as_uuid());
            row.map(|row| row.answer_to(new)).ok_or_else(|| StoreErrorKind::Contention.into())
        })
        .collect()
}

/// The request ids of the leads that the database did not take.
pub fn unsettled(batch: &[NewLead], inserted: &HashSet<Uuid>) -> Vec<Uuid> {
    let left = batch.iter().filter(|new| !inserted.contains(&new.id().as_uuid()));
    left.map(|new| new.lead().meta().request_id().as_uuid()).collect()
}
