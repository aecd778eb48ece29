use async_trait::async_trait;

use super::{LeadOutbox, StoreError};
use crate::{
    audit::AuditRecord,
    lead::LeadId,
    proof::{LogEntry, Seal, SealLag, SealState, Tile, TileId},
};

/// Keeps the tree over the audit log: see [`proof`](crate::proof).
///
/// # Contract
///
/// **Entries** are audit rows at the places that their numbers give them: first the rows that are older than the tables of
/// [`LeadOutbox`], by time and id, and then the others, as [`sequence`](LeadOutbox::sequence) numbers them. The place of a row never
/// changes.
///
/// **Tiles** grow by [`seal`](Self::seal) alone, and change by [`redact`](Self::redact) alone.
///
/// **Cancellation** as in [`LeadStore`](crate::LeadStore)'s contract.
#[async_trait]
pub trait LeadLog: LeadOutbox {
    /// How far the log is sealed.
    ///
    /// # Errors
    /// [`StoreError`] if the database does not answer.
    async fn sealed(&self) -> Result<SealState, StoreError>;

    /// How far sealing is behind.
    ///
    /// # Errors
    /// [`StoreError`] if the database does not answer.
    async fn seal_lag(&self) -> Result<SealLag, StoreError>;

    /// Entries from a place on, sealed or not, up to so many, in order. A row that is gone has a place still, with a later one behind it.
    ///
    /// # Errors
    /// [`StoreError`] if the database does not answer.
    async fn entries(&self, from: u64, limit: u32) -> Result<Vec<LogEntry>, StoreError>;

    /// Adds leaves, in one atomic, durable step. Returns false, and writes nothing, if the tree has not as many leaves as it should have
    /// before: another process was quicker.
    ///
    /// # Errors
    /// [`StoreError`] if the database does not answer.
    async fn seal(&self, seal: &Seal) -> Result<bool, StoreError>;

    /// Those of these tiles that there are, in no order.
    ///
    /// # Errors
    /// [`StoreError`] if the database does not answer.
    async fn tiles(&self, ids: &[TileId]) -> Result<Vec<Tile>, StoreError>;

    /// Keeps a checkpoint of so many leaves, a signed note, unless the one that is kept has more, or as many and no fewer signatures.
    ///
    /// # Errors
    /// [`StoreError`] if the database does not answer.
    async fn keep_checkpoint(&self, size: u64, checkpoint: &str) -> Result<(), StoreError>;

    /// The place of the row that says that a lead was received. None where there is none, or it has no number yet.
    ///
    /// # Errors
    /// [`StoreError`] if the database does not answer.
    async fn receipt_of(&self, id: LeadId) -> Result<Option<u64>, StoreError>;

    /// Looks through the log for rows that have no place in it although later ones have: a page of so many rows, behind a place that an
    /// earlier call answered, or from the start if that is empty. Returns the ids of such rows, and where to go on; none at the end.
    ///
    /// # Errors
    /// [`StoreError`] if the database does not answer.
    async fn strays(&self, after: &str, limit: u32) -> Result<(Vec<String>, Option<String>), StoreError>;

    /// Removes what a sealed row says of people, its actor and its details but for a lead's first status, with the salt of its leaf, and appends a row that says so, in
    /// one atomic, durable step; that row is numbered then. Returns false, and writes nothing, if no sealed row has this id, or it tells of the
    /// log itself. It takes the rights of the table's owner.
    ///
    /// # Errors
    /// [`StoreError`]; [`StoreErrorKind::Misconfigured`](crate::StoreErrorKind::Misconfigured) if the database denies it.
    async fn redact(&self, row_id: &str, record: &AuditRecord) -> Result<bool, StoreError>;

    /// Forgets the tree and its checkpoint, so that all rows are sealed anew, keeps the origin that the log had, if it had one, and appends
    /// a row that says so, in one atomic, durable step.
    /// It takes the rights of the table's owner.
    ///
    /// # Errors
    /// As [`redact`](Self::redact).
    async fn restart_log(&self, former_origin: Option<&str>, record: &AuditRecord) -> Result<(), StoreError>;
}
