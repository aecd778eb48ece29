use std::{
    collections::{BTreeMap, BTreeSet, HashMap, HashSet},
    fmt,
    time::Duration,
};

use serde_json::Value;
use tokio::time::sleep;
use uuid::Uuid;

use super::{
    Checkpoint, Folder, FolderError, InvalidCheckpoint, LogEntry, NoteVerifier, SignedNote, TILE_WIDTH, Tile, TileId,
    entry_bytes, leaf_hash, root, sealer::blocking, tiles_of_root, tree::balanced,
};
use crate::{
    audit::AUDIT_REDACTED,
    store::{LeadLog, StoreError},
};

/// Tiles of leaves that are read at once.
const AT_ONCE: u64 = 16;
/// Rows that are looked at at once for whether they are in the log at all.
const STRAYS_AT_ONCE: u32 = 10_000;
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
        let state = store.sealed().await?;
        let mut heads = Vec::new();
        for note in &self.checkpoints {
            heads.push(Checkpoint::open(note, &self.known)?);
        }
        if let Some(folder) = self.folder.clone() {
            for note in blocking(move || Ok([folder.all()?, folder.last()?.into_iter().collect()].concat())).await? {
                heads.push(Checkpoint::open(&note, &self.known)?);
            }
        }
        let mut is_forged = false;
        if let Some(note) = state.checkpoint.as_deref().filter(|_| !self.known.is_empty()) {
            let opened = note.parse().map_err(InvalidCheckpoint::Note);
            let opened = opened.and_then(|note| Checkpoint::open(&note, &self.known));
            is_forged = opened.is_err();
            heads.extend(opened);
        }
        heads.sort_by_key(|head| head.size);
        heads.dedup();
        let mut walk = Walk::new(state.size, &heads, self.folder);
        if is_forged {
            walk.report.add(Finding::Checkpoint);
        }
        if heads.is_empty() && state.size > 0 && !self.known.is_empty() {
            walk.report.add(Finding::Unsigned);
        }
        let tiles = state.size.div_ceil(TILE_WIDTH);
        for first in (0..tiles).step_by(AT_ONCE as usize) {
            walk.tiles(store, first, tiles.min(first + AT_ONCE)).await?;
            progress(walk.report.rows, state.size);
        }
        walk.finish(store, &heads).await?;
        Ok(walk.report)
    }
}

/// What was found in a log.
#[derive(Clone, Debug, Default)]
pub struct Report {
    /// Rows that were looked at.
    pub rows: u64,
    /// Heads that the log was held against, the smallest first.
    pub heads: Vec<Checkpoint>,
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
    /// The checkpoint that the database keeps is not of the log's key.
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
            Self::Checkpoint => f.write_str("the checkpoint in the database is not signed by the log's key"),
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

struct Walk {
    size: u64,
    report: Report,
    folder: Option<Folder>,
    /// How many leaves were published with tiles.
    published: u64,
    /// Leaves' tiles that are needed to the end: those at the edge of a checkpoint.
    kept: BTreeSet<TileId>,
    /// What was computed, from the leaves as they are in the database.
    tiles: BTreeMap<TileId, Tile>,
    /// Rows without a salt.
    unsalted: HashMap<String, u64>,
    /// Rows that others say were redacted.
    explained: HashSet<String>,
}

impl Walk {
    fn new(size: u64, heads: &[Checkpoint], folder: Option<Folder>) -> Self {
        let sizes = heads.iter().map(|head| head.size.min(size)).chain([size]);
        Self {
            size,
            report: Report { heads: heads.to_vec(), ..Report::default() },
            published: folder.as_ref().and_then(|_| heads.last()).map_or(0, |head| head.size),
            folder,
            kept: sizes.flat_map(tiles_of_root).filter(|id| id.level == 0).collect(),
            tiles: BTreeMap::new(),
            unsalted: HashMap::new(),
            explained: HashSet::new(),
        }
    }

    /// Looks at the tiles of leaves from one to another.
    async fn tiles(&mut self, store: &dyn LeadLog, first: u64, end: u64) -> Result<(), AuditError> {
        let ids: Vec<_> = (first..end).map(TileId::of_leaves).collect();
        // First the tiles: a row that is redacted in between is then looked at once more.
        let mut tiles: HashMap<TileId, Tile> =
            store.tiles(&ids).await?.into_iter().map(|tile| (tile.id, tile)).collect();
        let rows = (end * TILE_WIDTH).min(self.size) - first * TILE_WIDTH;
        let entries = store.entries(first * TILE_WIDTH, u32::try_from(rows).unwrap_or(u32::MAX)).await?;
        let mut entries = entries.into_iter().peekable();
        for id in ids {
            let mut tile = tiles.remove(&id).unwrap_or(Tile { id, hashes: Vec::new(), salts: Vec::new() });
            let width = id.width(self.size);
            if (tile.hashes.len() as u64) < width || tile.salts.len() != tile.hashes.len() {
                self.report.add(Finding::Tile(id));
            }
            tile.hashes.truncate(usize::try_from(width).unwrap_or(usize::MAX));
            let published = self.published_tile(id).await?;
            for place in 0..width {
                let index = id.number * TILE_WIDTH + place;
                let entry = entries.next_if(|entry| entry.index == index);
                let entry = entry.unwrap_or(LogEntry { index, row_id: None, row: None });
                self.leaf(store, &tile, &entry, published.as_ref()).await?;
            }
            self.keep(tile);
        }
        Ok(())
    }

    async fn leaf(
        &mut self,
        store: &dyn LeadLog,
        tile: &Tile,
        entry: &LogEntry,
        published: Option<&Tile>,
    ) -> Result<(), AuditError> {
        let (index, place) = (entry.index, usize::try_from(entry.index % TILE_WIDTH).unwrap_or(usize::MAX));
        let row_id = entry.row_id.clone();
        self.report.rows += 1;
        self.explained.extend(redacts(entry));
        let (Some(hash), Some(salt)) = (tile.hashes.get(place), tile.salts.get(place)) else {
            return Ok(());
        };
        let is_published = |tile: &Tile| tile.hashes.get(place).is_none_or(|published| published == hash);
        if !published.is_none_or(is_published) {
            self.report.add(Finding::Resealed { index, row_id });
        } else if salt.is_removed() {
            match row_id {
                Some(row_id) => drop(self.unsalted.insert(row_id, index)),
                None => self.report.add(Finding::Unexplained { index, row_id }),
            }
        } else if leaf_hash(&entry_bytes(entry, salt)) != *hash {
            if !self.was_redacted_meanwhile(store, tile.id, entry, place).await? {
                self.report.add(match row_id {
                    Some(row_id) if entry.row.is_some() => Finding::Changed { index, row_id },
                    row_id => Finding::Gone { index, row_id },
                });
            }
        } else if entry.row.is_none() {
            self.report.add(Finding::GoneBefore { index, row_id });
        }
        Ok(())
    }

    async fn was_redacted_meanwhile(
        &mut self,
        store: &dyn LeadLog,
        id: TileId,
        entry: &LogEntry,
        place: usize,
    ) -> Result<bool, AuditError> {
        let tiles = store.tiles(&[id]).await?;
        let salt = tiles.first().and_then(|tile| tile.salts.get(place));
        let (true, Some(row_id)) = (salt.is_some_and(super::Salt::is_removed), &entry.row_id) else { return Ok(false) };
        self.unsalted.insert(row_id.clone(), entry.index);
        Ok(true)
    }

    /// Computes what is above a tile.
    fn keep(&mut self, tile: Tile) {
        let (mut id, mut hashes) = (tile.id, tile.hashes.clone());
        if self.kept.contains(&id) {
            self.tiles.insert(id, tile);
        }
        while hashes.len() as u64 == TILE_WIDTH {
            let above = TileId { level: id.level + 1, number: id.number / TILE_WIDTH };
            let tile = self.tiles.entry(above).or_insert(Tile { id: above, hashes: Vec::new(), salts: Vec::new() });
            // Behind a tile that is too short nothing fits any more.
            if tile.hashes.len() as u64 != id.number % TILE_WIDTH {
                return;
            }
            tile.hashes.push(balanced(&hashes));
            (id, hashes) = (above, tile.hashes.clone());
        }
    }

    async fn published_tile(&self, id: TileId) -> Result<Option<Tile>, AuditError> {
        let size = self.published.min(self.size);
        match &self.folder {
            Some(folder) if id.width(size) > 0 => {
                let folder = folder.clone();
                Ok(blocking(move || folder.tile(id, size)).await?)
            }
            _ => Ok(None),
        }
    }

    /// Looks at what is above the leaves, at the checkpoints, and at rows that are no leaves.
    async fn finish(&mut self, store: &dyn LeadLog, heads: &[Checkpoint]) -> Result<(), AuditError> {
        let computed: Vec<_> = self.tiles.values().filter(|tile| tile.id.level > 0).cloned().collect();
        for some in computed.chunks(AT_ONCE as usize) {
            let ids: Vec<_> = some.iter().map(|tile| tile.id).collect();
            let stored: HashMap<TileId, Tile> =
                store.tiles(&ids).await?.into_iter().map(|tile| (tile.id, tile)).collect();
            // It may have grown meanwhile.
            let is_stored =
                |tile: &&Tile| stored.get(&tile.id).is_some_and(|stored| stored.hashes.starts_with(&tile.hashes));
            for tile in some.iter().filter(|tile| !is_stored(tile)) {
                self.report.add(Finding::Tile(tile.id));
            }
        }
        for head in heads {
            if head.size > self.size {
                self.report.add(Finding::CutOff { signed: head.size, size: self.size });
            } else if root(head.size, &self.tiles) != Some(head.root) {
                self.report.add(Finding::Root { signed: head.size });
            }
        }
        self.explain(store).await?;
        self.strays(store).await
    }

    /// A redaction may not be sealed yet itself, or have its number only in a moment.
    async fn explain(&mut self, store: &dyn LeadLog) -> Result<(), AuditError> {
        let limit = u32::try_from(AT_ONCE * TILE_WIDTH).unwrap_or(u32::MAX);
        let (mut from, mut attempts) = (self.size, 0);
        while self.unsalted.keys().any(|row_id| !self.explained.contains(row_id)) {
            let entries = store.entries(from, limit).await?;
            match entries.last() {
                Some(last) => from = last.index + 1,
                None if attempts < ATTEMPTS => {
                    attempts += 1;
                    sleep(BETWEEN_ATTEMPTS).await;
                }
                None => break,
            }
            self.explained.extend(entries.iter().filter_map(redacts));
        }
        let mut unsalted: Vec<_> = self.unsalted.drain().collect();
        unsalted.sort_by_key(|(_, index)| *index);
        for (row_id, index) in unsalted {
            if self.explained.contains(&row_id) {
                self.report.redacted.push(row_id);
            } else {
                self.report.add(Finding::Unexplained { index, row_id: Some(row_id) });
            }
        }
        Ok(())
    }

    async fn strays(&mut self, store: &dyn LeadLog) -> Result<(), AuditError> {
        let mut after = String::new();
        loop {
            let (strays, last) = store.strays(&after, STRAYS_AT_ONCE).await?;
            strays.into_iter().for_each(|row_id| self.report.add(Finding::Inserted { row_id }));
            let Some(last) = last else { return Ok(()) };
            after = last;
        }
    }
}

/// The row that an entry says was redacted, if it is of that kind.
fn redacts(entry: &LogEntry) -> Option<String> {
    let row = entry.row.as_ref().filter(|row| row["event"] == AUDIT_REDACTED)?;
    // SQLite keeps details as a text.
    let details = match &row["details_json"] {
        Value::String(text) => serde_json::from_str(text).ok()?,
        details => details.clone(),
    };
    let row_id = details["row_id"].as_str()?;
    Some(Uuid::try_parse(row_id).map_or_else(|_| row_id.to_owned(), |id| id.hyphenated().to_string()))
}
