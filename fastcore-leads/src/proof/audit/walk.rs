use std::collections::{BTreeMap, HashMap, HashSet};

use serde_json::Value;
use tokio::time::sleep;
use uuid::Uuid;

use super::{AT_ONCE, ATTEMPTS, AuditError, BETWEEN_ATTEMPTS, Finding, Heads, Report};
use crate::{
    audit::AUDIT_REDACTED,
    proof::{
        Folder, LogEntry, Salt, TILE_WIDTH, Tile, TileId, entry_bytes, leaf_hash, root, sealer::blocking,
        tree::balanced,
    },
    store::LeadLog,
};

/// Tiles above the leaves that are read at once.
const TILES_AT_ONCE: usize = 16;
/// Rows that are looked at at once for whether they are in the log at all.
const STRAYS_AT_ONCE: u32 = 10_000;

/// A walk through a log, from its first entry to its last.
pub(super) struct Walk {
    size: u64,
    pub(super) report: Report,
    /// A folder, and how many leaves were published to it with their tiles.
    folder: Option<(Folder, u64)>,
    heads: Heads,
    /// How many of them have been looked at.
    looked_at: usize,
    /// What was computed above the leaves, from the leaves as they are in the database.
    tiles: BTreeMap<TileId, Tile>,
    /// Whether there were entries in the last step.
    pub(super) has_more: bool,
    /// Rows without a salt.
    unsalted: HashMap<String, u64>,
    /// Rows that others say were redacted.
    explained: HashSet<String>,
}

impl Walk {
    /// The heads are sorted.
    pub(super) fn new(size: u64, heads: Heads, folder: Option<(Folder, u64)>) -> Self {
        let (checkpoints, last) = (heads.sorted().len() as u64, heads.last.clone());
        Self {
            size,
            report: Report { checkpoints, last, ..Report::default() },
            folder,
            heads,
            looked_at: 0,
            tiles: BTreeMap::new(),
            has_more: true,
            unsalted: HashMap::new(),
            explained: HashSet::new(),
        }
    }

    /// Looks at the tiles of leaves from one to another.
    pub(super) async fn tiles(&mut self, store: &dyn LeadLog, first: u64, end: u64) -> Result<(), AuditError> {
        let ids: Vec<_> = (first..end).map(TileId::of_leaves).collect();
        // First the tiles: a row that is redacted in between is then looked at once more.
        let mut tiles: HashMap<TileId, Tile> =
            store.tiles(&ids).await?.into_iter().map(|tile| (tile.id, tile)).collect();
        let rows = (end * TILE_WIDTH).min(self.size) - first * TILE_WIDTH;
        let entries = store.entries(first * TILE_WIDTH, u32::try_from(rows).unwrap_or(u32::MAX)).await?;
        self.has_more = !entries.is_empty() || !tiles.is_empty();
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
            self.redacted(index, row_id);
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
        let is_removed = salt.is_some_and(Salt::is_removed);
        if is_removed {
            self.redacted(entry.index, entry.row_id.clone());
        }
        Ok(is_removed)
    }

    /// A row is redacted once, at its one place.
    fn redacted(&mut self, index: u64, row_id: Option<String>) {
        let row_id = row_id.map(|row_id| normal(&row_id));
        match row_id {
            Some(row_id) if !self.unsalted.contains_key(&row_id) => drop(self.unsalted.insert(row_id, index)),
            row_id => self.report.add(Finding::Unexplained { index, row_id }),
        }
    }

    /// Computes what is above a tile, and looks at the heads of trees that end in it.
    fn keep(&mut self, tile: Tile) {
        let (leaves, mut id, mut hashes) = (tile.id, tile.id, tile.hashes.clone());
        let end = id.number * TILE_WIDTH + hashes.len() as u64;
        self.tiles.insert(id, tile);
        while hashes.len() as u64 == TILE_WIDTH {
            let above = TileId { level: id.level + 1, number: id.number / TILE_WIDTH };
            let tile = self.tiles.entry(above).or_insert(Tile { id: above, hashes: Vec::new(), salts: Vec::new() });
            // Behind a tile that is too short nothing fits any more.
            if tile.hashes.len() as u64 != id.number % TILE_WIDTH {
                break;
            }
            tile.hashes.push(balanced(&hashes));
            (id, hashes) = (above, tile.hashes.clone());
        }
        self.look_at_heads(end);
        self.tiles.remove(&leaves);
    }

    /// Looks at the heads of so many leaves or fewer, in their order.
    fn look_at_heads(&mut self, size: u64) {
        while let Some((signed, head)) = self.heads.sorted().get(self.looked_at).filter(|(signed, _)| *signed <= size) {
            let signed = *signed;
            let is_root = root(signed, &self.tiles) == Some(*head);
            self.looked_at += 1;
            if !is_root {
                self.report.add(Finding::Root { signed });
            }
        }
    }

    async fn published_tile(&self, id: TileId) -> Result<Option<Tile>, AuditError> {
        match self.folder.clone() {
            Some((folder, published)) if id.width(published) > 0 => {
                Ok(blocking(move || folder.tile(id, published)).await?)
            }
            _ => Ok(None),
        }
    }

    /// Looks at what is above the leaves, at the checkpoints, and at rows that are no leaves.
    pub(super) async fn finish(&mut self, store: &dyn LeadLog) -> Result<(), AuditError> {
        let computed: Vec<_> = self.tiles.values().filter(|tile| tile.id.level > 0).cloned().collect();
        for some in computed.chunks(TILES_AT_ONCE) {
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
        let left: Vec<_> = self.heads.sorted()[self.looked_at..].iter().map(|(signed, _)| *signed).collect();
        for signed in left {
            let size = self.size;
            self.report.add(if signed > size { Finding::CutOff { signed, size } } else { Finding::Root { signed } });
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
            for row_id in strays {
                self.report.add(Finding::Inserted { row_id });
            }
            let Some(last) = last else { return Ok(()) };
            after = last;
        }
    }
}

/// The row that an entry says was redacted, if it is of that kind.
fn redacts(entry: &LogEntry) -> Option<String> {
    let row = entry.row.as_ref().filter(|row| row["event"] == AUDIT_REDACTED)?;
    let details: Value = serde_json::from_str(row["details_json"].as_str()?).ok()?;
    details["row_id"].as_str().map(normal)
}

/// An id as it is compared, however it is written.
fn normal(row_id: &str) -> String {
    Uuid::try_parse(row_id).map_or_else(|_| row_id.to_owned(), |id| id.hyphenated().to_string())
}
