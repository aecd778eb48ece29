use std::{collections::BTreeMap, fmt, str::FromStr};

use base64::{Engine, engine::general_purpose::STANDARD};
use chrono::TimeDelta;

use super::{
    Checkpoint, Hash, InvalidCheckpoint, NoteVerifier, Salt, SignedNote, TILE_WIDTH, Tile, TileId, checkpoint::decimal,
    entry_bytes, inclusion_proof, leaf::ENTRY_PREFIX, leaf_hash, tiles_of_inclusion, verify_inclusion,
};
use crate::{
    audit::LEAD_RECEIVED,
    lead::LeadId,
    store::{LeadLog, StoreError, StoreErrorKind},
};

/// The first line.
const HEADER: &str = "c2sp.org/tlog-proof@v1";
/// A tree has no more levels than that.
const MAX_HASHES: usize = 64;

/// Shows that a log has an entry: the entry, its place, its way to the root, and a checkpoint
/// ([tlog-proof](https://c2sp.org/tlog-proof)). It is verified without the log, by the log's public key alone; `extra` is the entry.
#[derive(Clone, PartialEq, Eq)]
pub struct Receipt {
    /// What is in the log: [`entry_bytes`](super::entry_bytes).
    pub entry: Vec<u8>,
    /// Its place, counted from 0.
    pub index: u64,
    /// The hashes beside its way to the root, from below.
    pub proof: Vec<Hash>,
    /// A checkpoint of the log.
    pub checkpoint: SignedNote,
}

impl Receipt {
    /// The receipt of a lead, by the checkpoint that was signed last.
    ///
    /// # Errors
    /// [`StoreError`] if the database does not answer;
    /// [`StoreErrorKind::Internal`](crate::StoreErrorKind::Internal) if what it holds is not what was sealed.
    pub async fn of(store: &dyn LeadLog, id: LeadId) -> Result<ReceiptState, StoreError> {
        let torn = || StoreError::new(StoreErrorKind::Internal).with_reason("the audit log is not as it was sealed");
        let Some(index) = store.receipt_of(id).await? else {
            return if is_gone(store, id).await? { Err(torn()) } else { Ok(ReceiptState::NotSealed) };
        };
        let Some(note) = store.sealed().await?.checkpoint else { return Ok(ReceiptState::NotSealed) };
        let checkpoint: SignedNote = note.parse().map_err(|_| torn())?;
        let head: Checkpoint = checkpoint.text().parse().map_err(|_| torn())?;
        if index >= head.size {
            return Ok(ReceiptState::NotSealed);
        }
        let leaves = TileId::of_leaves(index / TILE_WIDTH);
        let ids: Vec<_> = tiles_of_inclusion(index, head.size).into_iter().chain([leaves]).collect();
        let tiles: BTreeMap<TileId, Tile> = store.tiles(&ids).await?.into_iter().map(|tile| (tile.id, tile)).collect();
        let place = usize::try_from(index % TILE_WIDTH).map_err(|_| torn())?;
        let salt = tiles.get(&leaves).and_then(|tile| tile.salts.get(place)).ok_or_else(torn)?;
        if salt.is_removed() {
            return Ok(ReceiptState::Redacted);
        }
        let entry = store.entries(index, 1).await?.into_iter().next().ok_or_else(torn)?;
        let proof = inclusion_proof(index, head.size, &tiles).ok_or_else(torn)?;
        let receipt = Self { entry: entry_bytes(&entry, salt), index, proof, checkpoint };
        let is_shown = verify_inclusion(&leaf_hash(&receipt.entry), index, head.size, &receipt.proof, &head.root);
        if is_shown { Ok(ReceiptState::Sealed(Box::new(receipt))) } else { Err(torn()) }
    }

    /// The row, as canonical JSON. None where the entry is none.
    pub fn row(&self) -> Option<&str> {
        let json = self.entry.strip_prefix(ENTRY_PREFIX).and_then(|rest| rest.get(Salt::LEN..))?;
        std::str::from_utf8(json).ok()
    }

    /// The head that it is of, once the log's key is found to have signed it and the entry is found to be in it.
    ///
    /// # Errors
    /// [`InvalidReceipt`] if the log has not signed the checkpoint, or the entry is not in its tree.
    pub fn verify(&self, known: &[NoteVerifier]) -> Result<Checkpoint, InvalidReceipt> {
        let head = Checkpoint::open(&self.checkpoint, known)?;
        let leaf = leaf_hash(&self.entry);
        if verify_inclusion(&leaf, self.index, head.size, &self.proof, &head.root) {
            Ok(head)
        } else {
            Err(InvalidReceipt::NotIncluded)
        }
    }
}

/// Whether a lead is there whose row is not.
async fn is_gone(store: &dyn LeadLog, id: LeadId) -> Result<bool, StoreError> {
    let Some(lead) = store.get(id).await? else { return Ok(false) };
    // What other programs write may come a moment before its row.
    if lead.created_at_utc + TimeDelta::minutes(1) >= crate::time::now() {
        return Ok(false);
    }
    Ok(store.audit_trail(id).await?.iter().all(|record| record.event != LEAD_RECEIVED))
}

impl FromStr for Receipt {
    type Err = InvalidReceipt;

    fn from_str(text: &str) -> Result<Self, InvalidReceipt> {
        let (head, checkpoint) = text.split_once("\n\n").ok_or(InvalidReceipt::Form)?;
        let mut lines = head.split('\n');
        let mut line = || lines.next().ok_or(InvalidReceipt::Form);
        if line()? != HEADER {
            return Err(InvalidReceipt::Form);
        }
        let entry = line()?.strip_prefix("extra ").ok_or(InvalidReceipt::Form)?;
        let index = line()?.strip_prefix("index ").and_then(decimal).ok_or(InvalidReceipt::Form)?;
        let proof: Vec<Hash> = lines.map(str::parse).collect::<Result<_, _>>().map_err(|_| InvalidReceipt::Form)?;
        if proof.len() > MAX_HASHES {
            return Err(InvalidReceipt::Form);
        }
        let entry = STANDARD.decode(entry).map_err(|_| InvalidReceipt::Form)?;
        let checkpoint = checkpoint.parse().map_err(InvalidCheckpoint::Note)?;
        Ok(Self { entry, index, proof, checkpoint })
    }
}

impl fmt::Display for Receipt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{HEADER}\nextra {}\nindex {}", STANDARD.encode(&self.entry), self.index)?;
        self.proof.iter().try_for_each(|hash| writeln!(f, "{hash}"))?;
        write!(f, "\n{}", self.checkpoint)
    }
}

impl fmt::Debug for Receipt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Receipt").field("index", &self.index).finish_non_exhaustive()
    }
}

/// Whether there is a receipt of a lead.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ReceiptState {
    /// Here it is.
    Sealed(Box<Receipt>),
    /// There is no row of such a lead, or none that the last checkpoint has: that takes some seconds.
    NotSealed,
    /// The row was redacted: nothing can be shown of it any more.
    Redacted,
}

impl ReceiptState {
    /// The receipt, if there is one.
    pub fn sealed(self) -> Option<Receipt> {
        if let Self::Sealed(receipt) = self { Some(*receipt) } else { None }
    }
}

/// The text is no receipt, or does not show what it says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum InvalidReceipt {
    /// It has other lines.
    #[error("this is no receipt: it has the lines of a `c2sp.org/tlog-proof@v1`, with an `extra`")]
    Form,
    /// The checkpoint in it is none, or its log has not signed it.
    #[error(transparent)]
    Checkpoint(#[from] InvalidCheckpoint),
    /// The entry is not in the tree.
    #[error("the receipt's entry is not in the tree that its checkpoint is of")]
    NotIncluded,
}
