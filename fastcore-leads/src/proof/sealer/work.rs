//! What a sealer does: it seals, signs and publishes.

use std::{
    collections::BTreeMap,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, AtomicU32, Ordering},
    },
    time::Duration,
};

use tokio::{task::spawn_blocking, time::Instant};

use super::SealError;
use crate::{
    proof::{
        Checkpoint, Folder, FolderError, Hash, InvalidCheckpoint, LogEntry, NoteKey, NoteVerifier, Salt, SealState,
        SignedNote, TILE_WIDTH, Tile, TileId, WitnessError, entry_bytes, grow, leaf_hash, metrics::Metrics, root,
        tiles_of_consistency, tiles_of_root, witness::check_extension,
    },
    store::{LeadLog, StoreError, StoreErrorKind},
};

/// Rows that are numbered or sealed in one transaction, and the fewest that are sealed where so many take too long.
const AT_ONCE: u32 = 4096;
const LEAST_AT_ONCE: u32 = 64;
/// How long it goes on without signing what is sealed, where there is always more.
const SIGNING: Duration = Duration::from_secs(5);
/// Tiles that are published at once.
const TILES_AT_ONCE: usize = 64;

/// A note, and the head that it is of.
type Signed = (SignedNote, Checkpoint);

pub(super) struct Work {
    store: Arc<dyn LeadLog>,
    keys: Vec<NoteKey>,
    known: Vec<NoteVerifier>,
    folder: Option<Folder>,
    metrics: Metrics,
    /// Rows of the next transaction.
    at_once: AtomicU32,
    /// Whether there was more in the last pass than one takes.
    is_behind: AtomicBool,
    /// What was signed here last, and when.
    signed: Mutex<Option<(Checkpoint, Instant)>>,
    /// How long it is between two checkpoints that are published, and when the last one was.
    between: Duration,
    published_at: Mutex<Option<Instant>>,
}

impl Work {
    pub(super) fn new(store: Arc<dyn LeadLog>, keys: Vec<NoteKey>, folder: Option<Folder>, between: Duration) -> Self {
        Self {
            store,
            known: keys.iter().map(NoteKey::verifier).collect(),
            keys,
            folder,
            metrics: Metrics::begin(),
            at_once: AtomicU32::new(AT_ONCE),
            is_behind: AtomicBool::new(false),
            signed: Mutex::default(),
            between,
            published_at: Mutex::default(),
        }
    }

    /// Seals some, and signs once there is no more, or it was signed some time ago. Publishes where it is time, or in the last step.
    /// Returns whether there is more.
    pub(super) async fn step(&self, is_last: bool) -> Result<bool, SealError> {
        let has_more = match self.pass().await {
            // Fewer rows may do where so many take too long.
            Err(SealError::Store(error)) if error.kind() == StoreErrorKind::TimedOut => {
                let at_once = self.at_once.load(Ordering::Relaxed);
                self.at_once.store((at_once / 2).max(LEAST_AT_ONCE), Ordering::Relaxed);
                return Err(error.into());
            }
            passed => passed?,
        };
        let at_once = self.at_once.load(Ordering::Relaxed);
        self.at_once.store((at_once * 2).min(AT_ONCE), Ordering::Relaxed);
        if !has_more || is_last || self.signed().is_none_or(|(_, at)| at.elapsed() > SIGNING) {
            let published_at = *self.published_at.lock().unwrap_or_else(PoisonError::into_inner);
            let is_time = published_at.is_none_or(|at| at.elapsed() >= self.between);
            self.publish(is_time || is_last).await?;
        }
        Ok(has_more)
    }

    fn signed(&self) -> Option<(Checkpoint, Instant)> {
        self.signed.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Numbers and seals some rows. Returns whether there are more.
    pub(super) async fn pass(&self) -> Result<bool, SealError> {
        let has_more = if self.is_behind.load(Ordering::Relaxed) {
            // One page is numbered while the one before it is sealed.
            let (numbered, sealed) = tokio::join!(self.store.sequence(AT_ONCE), self.seal());
            sealed? || numbered? > 0
        } else {
            self.store.sequence(AT_ONCE).await?;
            self.seal().await?
        };
        self.is_behind.store(has_more, Ordering::Relaxed);
        Ok(has_more)
    }

    /// Seals some of the rows that have a number. Returns whether there are more.
    async fn seal(&self) -> Result<bool, SealError> {
        let published = self.published().await?;
        let state = self.store.sealed().await?;
        self.check(&state, published)?;
        let at_once = self.at_once.load(Ordering::Relaxed);
        let entries = self.store.entries(state.size, at_once).await?;
        if entries.is_empty() {
            return Ok(false);
        }
        let salts = salts(entries.len())?;
        let leaves: Vec<(Hash, Salt)> =
            entries.iter().zip(salts).map(|(entry, salt)| (leaf(entry, &salt), salt)).collect();
        let edge = self.tiles(tiles_of_root(state.size).into_iter().collect()).await?;
        let growth = grow(state.size, &edge, &leaves).ok_or(SealError::Torn)?;
        // Where another process was quicker, the next pass goes on from there.
        let is_written = self.store.seal(&growth.seal).await?;
        Ok(!is_written || entries.len() >= at_once as usize)
    }

    /// Signs the head where it is not, and publishes it where that is wanted. Returns how many entries it has.
    pub(super) async fn publish(&self, to_folder: bool) -> Result<u64, SealError> {
        let published = self.published().await?;
        let state = self.store.sealed().await?;
        let (kept, published) = self.check(&state, published)?;
        let size = state.size;
        // Also behind a rotation, so that the old key may be taken away however quiet it is.
        let is_signed = |(note, head): &Signed| head.size >= size && note.names_all(&self.known);
        let is_new = |head: &Option<Signed>| !head.as_ref().is_some_and(is_signed);
        let is_behind = to_folder && self.folder.is_some() && is_new(&published);
        if size == 0 || !(is_new(&kept) || is_behind) {
            return Ok(size);
        }
        let signed = self.signed().map(|(head, _)| head);
        // What was signed in between is in the database alone, which may have been put back.
        if let Some(signed) = signed.as_ref().filter(|head| head.size > size) {
            return Err(WitnessError::Shorter { seen: signed.size, size }.into());
        }
        let known_heads = [&kept, &published].into_iter().flatten().map(|(_, head)| head.clone());
        let seen: Vec<_> = known_heads.chain(signed).collect();
        let needed = seen.iter().flat_map(|head| tiles_of_consistency(head.size, size)).chain(tiles_of_root(size));
        let tiles = self.tiles(needed.collect()).await?;
        let origin = self.known.first().map_or("", NoteVerifier::name);
        let head = Checkpoint::new(origin, size, root(size, &tiles).ok_or(SealError::Torn)?);
        for seen in &seen {
            check_extension(Some(seen), &head, &tiles)?;
        }
        let mut note = head.sign(&self.keys)?;
        for (known, _) in [&kept, &published].into_iter().flatten() {
            // Signatures of others stay.
            note.merge(known);
        }
        *self.signed.lock().unwrap_or_else(PoisonError::into_inner) = Some((head, Instant::now()));
        // First a commit, which waits for a standby where there is one: what is published is on both machines.
        self.store.keep_checkpoint(size, &note.to_string()).await?;
        if let Some(folder) = self.folder.as_ref().filter(|_| to_folder) {
            let (is_first, path) = (published.is_none(), folder.path().to_owned());
            self.publish_tiles(folder, published.map_or(0, |(_, head)| head.size), size).await?;
            let folder = folder.clone();
            blocking(move || folder.put_checkpoint(&note, size)).await?;
            if let Some((_, kept)) = kept.filter(|_| is_first) {
                // A log that was put back cannot be told from one that goes on, where nothing is there that it should extend.
                tracing::warn!(
                    folder = %path.display(),
                    "nothing was published here before, though {} entries were signed: if the database was restored, hold it against what \
                     was published elsewhere (`leadctl audit verify --against`)",
                    kept.size
                );
            }
            *self.published_at.lock().unwrap_or_else(PoisonError::into_inner) = Some(Instant::now());
        }
        Ok(size)
    }

    /// What the folder has. Asked for before the database is: what others publish meanwhile is in that by then.
    async fn published(&self) -> Result<Option<SignedNote>, FolderError> {
        match self.folder.clone() {
            Some(folder) => blocking(move || folder.last()).await,
            None => Ok(None),
        }
    }

    /// The heads that the database and the folder have, each signed by a key of ours, and none with more entries than there are.
    fn check(
        &self,
        state: &SealState,
        published: Option<SignedNote>,
    ) -> Result<(Option<Signed>, Option<Signed>), SealError> {
        let kept = state.checkpoint.as_deref().map(str::parse).transpose().map_err(InvalidCheckpoint::Note)?;
        let origin = self.known.first().map_or("", NoteVerifier::name);
        if state.former_origin.as_deref() == Some(origin) {
            return Err(SealError::FormerOrigin { origin: origin.to_owned() });
        }
        let open = |note: Option<SignedNote>| -> Result<_, SealError> {
            let Some(note) = note else { return Ok(None) };
            let head: Checkpoint = note.text().parse()?;
            if head.origin != origin {
                return Err(SealError::OtherOrigin { origin: head.origin });
            }
            note.verify(&self.known).map_err(InvalidCheckpoint::Note)?;
            if head.size > state.size {
                return Err(WitnessError::Shorter { seen: head.size, size: state.size }.into());
            }
            Ok(Some((note, head)))
        };
        Ok((open(kept)?, open(published)?))
    }

    /// Publishes the tiles of the entries from one to another.
    async fn publish_tiles(&self, folder: &Folder, from: u64, to: u64) -> Result<(), SealError> {
        let mut ids = Vec::new();
        for level in 0..8 {
            let (first, end) = (from >> (8 * level), to >> (8 * level));
            if end > 0 && end > first {
                let numbers = first / TILE_WIDTH..end.div_ceil(TILE_WIDTH);
                ids.extend(numbers.map(|number| TileId { level, number }));
            }
        }
        for some in ids.chunks(TILES_AT_ONCE) {
            let tiles = self.tiles(some.to_vec()).await?;
            let folder = folder.clone();
            let put = move || {
                tiles.into_values().try_for_each(|mut tile| {
                    tile.hashes.truncate(usize::try_from(tile.id.width(to)).unwrap_or(usize::MAX));
                    folder.put_tile(&tile)
                })
            };
            blocking(put).await?;
        }
        Ok(())
    }

    async fn tiles(&self, ids: Vec<TileId>) -> Result<BTreeMap<TileId, Tile>, StoreError> {
        Ok(self.store.tiles(&ids).await?.into_iter().map(|tile| (tile.id, tile)).collect())
    }

    pub(super) async fn measure(&self, is_failing: bool) {
        let lag = self.store.seal_lag().await;
        self.metrics.stands(lag.ok().as_ref(), is_failing);
    }
}

fn leaf(entry: &LogEntry, salt: &Salt) -> Hash {
    leaf_hash(&entry_bytes(entry, salt))
}

fn salts(number: usize) -> Result<Vec<Salt>, SealError> {
    let mut bytes = vec![0; number * Salt::LEN];
    getrandom::fill(&mut bytes).map_err(|_| SealError::NoRandomness)?;
    Ok(bytes.as_chunks().0.iter().copied().map(Salt::new).collect())
}

pub(in crate::proof) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, FolderError> + Send + 'static,
) -> Result<T, FolderError> {
    match spawn_blocking(work).await {
        Ok(done) => done,
        Err(ended) => match ended.try_into_panic() {
            Ok(panic) => std::panic::resume_unwind(panic),
            // The runtime ends.
            Err(_) => std::future::pending().await,
        },
    }
}
