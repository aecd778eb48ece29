mod heads;
mod walk;

use std::{fmt, time::Duration};

use tokio::time::sleep;

use self::{heads::Heads, walk::Walk};
use super::{
    Checkpoint, Folder, FolderError, InvalidCheckpoint, NoteVerifier, SealState, SignedNote, TILE_WIDTH, TileId,
};
use crate::store::{LeadLog, StoreError};

/// Tiles of leaves that are read at once.
const AT_ONCE: u64 = 16;
/// How often, and how long apart, it is looked for the entry that tells of a redaction, which is there before a sealer's next pass.
const ATTEMPTS: u32 = 8;
const BETWEEN_ATTEMPTS: Duration = Duration::from_millis(250);
/// Findings that a report names; more are counted.
const MOST_FINDINGS: usize = 1000;

/// Goes through a whole log: each row that is sealed, each hash of the tree, each checkpoint.
///
/// It reads, and changes nothing. Leads may be taken in and sealed meanwhile.
#[derive(Debug, Default)]
pub struct Audit {
    known: Vec<NoteVerifier>,
    checkpoints: Vec<SignedNote>,
    folder: Option<Folder>,
}

impl Audit {
    /// Looks at what is in the database alone: a keeper may have computed all of it anew.
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes signatures of these keys for the log's own: all that it ever had, and its witnesses'.
    pub fn known(mut self, keys: impl IntoIterator<Item = NoteVerifier>) -> Self {
        self.known.extend(keys);
        self
    }

    /// Holds the log against a checkpoint that somebody kept outside of the database.
    pub fn against(mut self, checkpoint: SignedNote) -> Self {
        self.checkpoints.push(checkpoint);
        self
    }

    /// Holds the log against all that was published to a folder: with its tiles, each row that is not what it was is named.
    pub fn published(self, folder: Folder) -> Self {
        Self { folder: Some(folder), ..self }
    }

    /// Goes through it. `progress` is told how many rows have been looked at, and of how many.
    ///
    /// # Errors
    /// [`AuditError`] if the database or the folder cannot be read, or a checkpoint is not of a key that is known: nothing is then said
    /// of the log.
    pub async fn run(
        self,
        store: &dyn LeadLog,
        mut progress: impl FnMut(u64, u64) + Send,
    ) -> Result<Report, AuditError> {
        let mut heads = Heads::default();
        for note in &self.checkpoints {
            heads.add(Checkpoint::open(note, &self.known)?);
        }
        let mut published = 0;
        if let Some(folder) = self.folder.clone() {
            let of_folder = Heads::published(folder, self.known.clone()).await?;
            published = of_folder.largest();
            heads.extend(of_folder);
        }
        // What was published meanwhile was sealed before.
        let state = sealed_so_far(store, heads.largest()).await?;
        if let Some(note) = state.checkpoint.as_deref().filter(|_| !self.known.is_empty()) {
            let opened = note.parse().map_err(InvalidCheckpoint::Note);
            heads.take(opened.and_then(|note| Checkpoint::open(&note, &self.known)));
        }
        heads.sort();
        let (forged, is_unsigned) = (heads.forged, heads.last.is_none() && state.size > 0 && !self.known.is_empty());
        let folder = self.folder.map(|folder| (folder, published));
        let mut walk = Walk::new(state.size, heads, folder);
        (0..forged).for_each(|_| walk.report.add(Finding::Checkpoint));
        if is_unsigned {
            walk.report.add(Finding::Unsigned);
        }
        let tiles = state.size.div_ceil(TILE_WIDTH);
        let mut first = 0;
        // Whatever the database says of its size: behind its last row there is nothing.
        while first < tiles && walk.has_more {
            walk.tiles(store, first, tiles.min(first + AT_ONCE)).await?;
            first += AT_ONCE;
            progress(walk.report.rows, state.size);
        }
        walk.finish(store).await?;
        Ok(walk.report)
    }
}

/// What was found in a log.
#[derive(Clone, Debug, Default)]
pub struct Report {
    /// Rows that were looked at.
    pub rows: u64,
    /// How many checkpoints the log was held against. Of one head, however often it was signed, there is one.
    pub checkpoints: u64,
    /// The last of them: that of the most entries.
    pub last: Option<Checkpoint>,
    /// Rows that were redacted, as other rows of the log say.
    pub redacted: Vec<String>,
    /// What is not as it should be, the first row first; up to a thousand.
    pub findings: Vec<Finding>,
    /// How many there are.
    pub found: u64,
}

impl Report {
    /// Whether nothing was found.
    pub fn is_sound(&self) -> bool {
        self.found == 0
    }

    fn add(&mut self, finding: Finding) {
        self.found += 1;
        if self.findings.len() < MOST_FINDINGS {
            self.findings.push(finding);
        }
    }
}

/// Something in a log that is not as it was sealed. `Display` is a sentence, without anything of a row but its id.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Finding {
    /// A row is another than the one that was sealed at its place: it was changed, or another was put there.
    Changed {
        /// Its place.
        index: u64,
        /// Its id.
        row_id: String,
    },
    /// A row is gone.
    Gone {
        /// Its place.
        index: u64,
        /// Its id, where anything still says it.
        row_id: Option<String>,
    },
    /// A row was gone already when its place was sealed.
    GoneBefore {
        /// Its place.
        index: u64,
        /// Its id, where anything still says it.
        row_id: Option<String>,
    },
    /// A row's salt was removed, and no row of the log says why.
    Unexplained {
        /// Its place.
        index: u64,
        /// Its id, where anything still says it.
        row_id: Option<String>,
    },
    /// A row and its hash are others than those that were published.
    Resealed {
        /// Its place.
        index: u64,
        /// Its id, where anything still says it.
        row_id: Option<String>,
    },
    /// A row has no place in the log: it was put in past the log, before others that have one.
    Inserted {
        /// Its id.
        row_id: String,
    },
    /// Hashes of the tree are missing or are not what is below them.
    Tile(TileId),
    /// The log has fewer entries than a checkpoint says: it was cut off, or put back to an earlier state.
    CutOff {
        /// Entries by the checkpoint.
        signed: u64,
        /// Entries now.
        size: u64,
    },
    /// The first entries do not make the root that was signed: one of them is another now.
    Root {
        /// How many of them the checkpoint is of.
        signed: u64,
    },
    /// A checkpoint that the database keeps, or that was published, is not of the log's key.
    Checkpoint,
    /// Nothing is there that the log's key has signed, though entries are sealed.
    Unsigned,
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let named = |row: &Option<String>| {
            row.as_ref().map_or_else(|| "its id is gone too".to_owned(), |id| format!("row {id}"))
        };
        match self {
            Self::Changed { index, row_id } => write!(f, "entry {index}: row {row_id} is not what was sealed"),
            Self::Gone { index, row_id } => {
                write!(f, "entry {index}: the row that was sealed is gone ({})", named(row_id))
            }
            Self::GoneBefore { index, row_id } => {
                write!(f, "entry {index}: the row was gone before it was sealed ({})", named(row_id))
            }
            Self::Unexplained { index, row_id } => {
                write!(
                    f,
                    "entry {index}: its salt was removed, and no entry says that it was redacted ({})",
                    named(row_id)
                )
            }
            Self::Resealed { index, row_id } => {
                write!(f, "entry {index}: its hash is not the one that was published ({})", named(row_id))
            }
            Self::Inserted { row_id } => {
                write!(f, "row {row_id} is not in the log, though later rows are: it was put in afterwards")
            }
            Self::Tile(id) => write!(f, "{id}: its hashes are not those of the entries below it"),
            Self::CutOff { signed, size } => {
                write!(
                    f,
                    "{signed} entries were signed, and there are {size}: the log was cut off, or put back to an earlier state"
                )
            }
            Self::Root { signed } => {
                write!(
                    f,
                    "the first {signed} entries do not make the root that was signed: at least one of them is another now"
                )
            }
            Self::Checkpoint => {
                f.write_str("a checkpoint, in the database or published, is not signed by the log's key")
            }
            Self::Unsigned => {
                f.write_str("entries are sealed, but there is no checkpoint that the log's key has signed")
            }
        }
    }
}

/// A log cannot be gone through.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum AuditError {
    /// The database cannot be read.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The folder cannot be read.
    #[error(transparent)]
    Folder(#[from] FolderError),
    /// A checkpoint is none, or of a key that is not known.
    #[error(transparent)]
    Checkpoint(#[from] InvalidCheckpoint),
}

/// How far the log is sealed: as far as was published at least, if that comes in a moment, as on a replica.
async fn sealed_so_far(store: &dyn LeadLog, published: u64) -> Result<SealState, StoreError> {
    let mut state = store.sealed().await?;
    for _ in 0..ATTEMPTS {
        if state.size >= published {
            break;
        }
        sleep(BETWEEN_ATTEMPTS).await;
        state = store.sealed().await?;
    }
    Ok(state)
}
