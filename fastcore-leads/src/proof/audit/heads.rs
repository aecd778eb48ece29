use super::AuditError;
use crate::proof::{Checkpoint, Folder, Hash, InvalidCheckpoint, NoteVerifier, sealer::blocking};

/// The heads that a log is held against. Over years they are millions: of each, the size and the root are kept.
#[derive(Default)]
pub(super) struct Heads {
    seen: Vec<(u64, Hash)>,
    /// That of the most entries.
    pub(super) last: Option<Checkpoint>,
    /// How many checkpoints are none, or of a key that is not known.
    pub(super) forged: u64,
}

impl Heads {
    /// Those of all checkpoints in a folder.
    pub(super) async fn published(folder: Folder, known: Vec<NoteVerifier>) -> Result<Self, AuditError> {
        let heads = blocking(move || {
            let mut heads = Self::default();
            folder.each(|note| heads.take(Checkpoint::open(&note, &known)))?;
            if let Some(last) = folder.last()? {
                heads.take(Checkpoint::open(&last, &known));
            }
            Ok(heads)
        });
        Ok(heads.await?)
    }

    pub(super) fn take(&mut self, opened: Result<Checkpoint, InvalidCheckpoint>) {
        match opened {
            Ok(head) => self.add(head),
            Err(_) => self.forged += 1,
        }
    }

    pub(super) fn add(&mut self, head: Checkpoint) {
        let next = (head.size, head.root);
        // Most are signed twice, one behind the other.
        if self.seen.last() != Some(&next) {
            self.seen.push(next);
        }
        if self.last.as_ref().is_none_or(|last| last.size < head.size) {
            self.last = Some(head);
        }
    }

    pub(super) fn extend(&mut self, others: Self) {
        if others.largest() > self.largest() || self.last.is_none() {
            self.last = others.last;
        }
        self.seen.extend(others.seen);
        self.forged += others.forged;
    }

    /// How many entries the last one is of.
    pub(super) fn largest(&self) -> u64 {
        self.last.as_ref().map_or(0, |last| last.size)
    }

    pub(super) fn sort(&mut self) {
        self.seen.sort_unstable();
        self.seen.dedup();
    }

    pub(super) fn sorted(&self) -> &[(u64, Hash)] {
        &self.seen
    }
}
