use std::collections::BTreeMap;

use super::{
    Checkpoint, Hash, InvalidCheckpoint, NoteKey, NoteVerifier, SignedNote, Tile, TileId, consistency_proof, root,
    verify_consistency,
};

/// A checkpoint with a witness's cosignature.
#[derive(Clone, Debug)]
pub struct Cosigned {
    /// The checkpoint: what the witness is to have seen from now on.
    pub note: SignedNote,
    /// Its head.
    pub head: Checkpoint,
}

/// Cosigns a checkpoint that extends what this witness saw last, at an instant in seconds since 1970
/// ([tlog-witness](https://c2sp.org/tlog-witness)). `tiles` are the [`tiles_of_consistency`](super::tiles_of_consistency) and the
/// [`tiles_of_root`](super::tiles_of_root) of it.
///
/// # Errors
/// [`WitnessError`] if the log has not signed it, or if it does not extend what was seen: then the log has forked, or was put back. Keep
/// both: they prove it.
pub fn cosign(
    note: &SignedNote,
    known: &[NoteVerifier],
    seen: Option<&Checkpoint>,
    tiles: &BTreeMap<TileId, Tile>,
    key: &NoteKey,
    seconds: u64,
) -> Result<Cosigned, WitnessError> {
    let head = Checkpoint::open(note, known)?;
    check_extension(seen, &head, tiles)?;
    let mut note = note.clone();
    key.cosign(&mut note, seconds);
    Ok(Cosigned { note, head })
}

/// Whether a head extends another, by the tiles of the tree that it is of.
pub(super) fn check_extension(
    seen: Option<&Checkpoint>,
    head: &Checkpoint,
    tiles: &BTreeMap<TileId, Tile>,
) -> Result<(), WitnessError> {
    let found = root(head.size, tiles).ok_or(WitnessError::NoTiles)?;
    if found != head.root {
        return Err(WitnessError::OtherTiles);
    }
    let Some(seen) = seen else { return Ok(()) };
    if seen.origin != head.origin {
        return Err(WitnessError::OtherLog);
    }
    if seen.size > head.size {
        return Err(WitnessError::Shorter { seen: seen.size, size: head.size });
    }
    let proof: Vec<Hash> = consistency_proof(seen.size, head.size, tiles).ok_or(WitnessError::NoTiles)?;
    if seen.size > 0 && !verify_consistency(seen.size, &seen.root, head.size, &head.root, &proof) {
        return Err(WitnessError::Forked { seen: seen.size, size: head.size });
    }
    Ok(())
}

/// The checkpoint is not one to cosign.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum WitnessError {
    /// It is none, or the log has not signed it.
    #[error(transparent)]
    Checkpoint(#[from] InvalidCheckpoint),
    /// It is of another log than the one that was seen.
    #[error("the checkpoint is of another log than the one that was seen")]
    OtherLog,
    /// The log had more leaves.
    #[error("the log had {seen} entries and has {size}: it was cut off, or put back to an earlier state")]
    Shorter {
        /// Leaves that were seen.
        seen: u64,
        /// Leaves that it has.
        size: u64,
    },
    /// The log had other leaves.
    #[error(
        "the log of {size} entries is not a continuation of the {seen} that were seen: entries that were sealed are other ones now"
    )]
    Forked {
        /// Leaves that were seen.
        seen: u64,
        /// Leaves that it has.
        size: u64,
    },
    /// The tiles are of another tree.
    #[error("the tiles do not make the root that the checkpoint has")]
    OtherTiles,
    /// Tiles are missing.
    #[error("tiles of the log are missing, or too short")]
    NoTiles,
}
