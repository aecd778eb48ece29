//! The audit log against its own keeper: what shows, to somebody outside, that no sealed row was changed, removed, inserted or
//! moved.
//!
//! Triggers and roles keep a service from changing the log; whoever owns the database can switch them off. So each audit row becomes a
//! leaf of a Merkle tree (RFC 6962, RFC 9162), in the order in which [`LeadOutbox::sequence`](crate::LeadOutbox::sequence) numbers rows,
//! and the tree's head is signed, as a *checkpoint*, and published where the database's owner cannot take it back. [`LeadLog`] is what a
//! store implements. With the feature `proof`, a
#![cfg_attr(feature = "proof", doc = "[`Sealer`]")]
#![cfg_attr(not(feature = "proof"), doc = "`Sealer`")]
//! seals rows behind the ingest and signs checkpoints,
#![cfg_attr(feature = "proof", doc = "[`Audit`]")]
#![cfg_attr(not(feature = "proof"), doc = "`Audit`")]
//! goes through a whole log, and
#![cfg_attr(feature = "proof", doc = "[`Receipt`]")]
#![cfg_attr(not(feature = "proof"), doc = "`Receipt`")]
//! shows a sender that its lead is in it.
//!
//! A leaf is the SHA-256 of a zero byte and an entry: the text `fastcore-audit/1`, a salt of 16 random bytes, and the row as canonical
//! JSON (RFC 8785), as it is read back from the database. The salt stays in the database, since a masked address could be guessed: a hash
//! alone says nothing. Where a row is redacted its salt is removed, and the tree still holds.
//!
//! The formats are those of C2SP: [signed-note](https://c2sp.org/signed-note), [tlog-checkpoint](https://c2sp.org/tlog-checkpoint),
//! [tlog-tiles](https://c2sp.org/tlog-tiles), [tlog-proof](https://c2sp.org/tlog-proof) and
//! [tlog-cosignature](https://c2sp.org/tlog-cosignature). Other programs read them.
//!
//! What it does not show: a row that was removed before it was sealed, which takes some seconds; and a keeper that shows two
//! different logs to two people, unless a [witness](https://c2sp.org/tlog-witness) cosigns checkpoints.

#[cfg(feature = "proof")]
mod audit;
#[cfg(feature = "proof")]
mod checkpoint;
#[cfg(feature = "proof")]
mod folder;
mod hash;
#[cfg(feature = "proof")]
mod leaf;
mod log;
#[cfg(feature = "proof")]
mod metrics;
#[cfg(feature = "proof")]
mod note;
#[cfg(feature = "proof")]
mod receipt;
#[cfg(feature = "proof")]
mod sealer;
mod tile;
#[cfg(feature = "proof")]
mod tree;
#[cfg(feature = "proof")]
mod witness;

#[cfg(feature = "testing")]
pub(crate) use self::tree::balanced;
#[cfg(feature = "proof")]
#[cfg_attr(docsrs, doc(cfg(feature = "proof")))]
pub use self::{
    audit::{Audit, AuditError, Finding, Report},
    checkpoint::{Checkpoint, InvalidCheckpoint},
    folder::{Folder, FolderError},
    leaf::{entry_bytes, leaf_hash},
    note::{InvalidKey, InvalidNote, NoteKey, NoteVerifier, SignedNote},
    receipt::{InvalidReceipt, Receipt, ReceiptState},
    sealer::{SealError, Sealer, SealerBuilder},
    tree::{
        EMPTY_ROOT, Growth, consistency_proof, grow, inclusion_proof, node_hash, root, tiles_of_consistency,
        tiles_of_inclusion, tiles_of_root, verify_consistency, verify_inclusion,
    },
    witness::{Cosigned, WitnessError, cosign},
};
pub use self::{
    hash::{Hash, InvalidHash, Salt},
    log::{LogEntry, Seal, SealLag, SealState},
    tile::{TILE_WIDTH, Tile, TileId},
};
#[cfg(doc)]
use crate::LeadLog;
