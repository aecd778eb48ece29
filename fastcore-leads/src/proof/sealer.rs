use std::{
    collections::BTreeMap,
    fmt,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};

use tokio::{
    sync::watch,
    task::{JoinHandle, spawn_blocking},
    time::{Instant, sleep},
};

use super::{
    Checkpoint, Folder, FolderError, Hash, InvalidCheckpoint, InvalidNote, LogEntry, NoteKey, NoteVerifier, Salt,
    SealState, SignedNote, Tile, TileId, WitnessError, entry_bytes, grow, leaf_hash, metrics::Metrics, root,
    tiles_of_consistency, tiles_of_root, witness::check_extension,
};
use crate::{
    burst::Burst,
    ingest::Commits,
    jitter, pace,
    store::{LeadLog, StoreError, StoreErrorKind},
};

/// Rows of one transaction, and the fewest where so many take too long.
const AT_ONCE: u32 = 4096;
const LEAST_AT_ONCE: u32 = 64;
/// How long it goes on without signing what is sealed, where there is always more.
const SIGNING: Duration = Duration::from_secs(5);
/// Rows that are numbered at once.
const NUMBERED_AT_ONCE: u32 = 1000;
/// Tiles that are published at once.
const TILES_AT_ONCE: usize = 64;
/// How often it looks for new rows.
const POLL: Duration = Duration::from_secs(1);
/// How long it rests after a pass at least where there is more.
const REST: Duration = Duration::from_millis(20);
/// How often it is measured how far it is behind.
const MEASURING: Duration = Duration::from_secs(5);
/// How long it rests where something is in its way.
const AFTER_FAILURE: Duration = Duration::from_secs(5);

/// Seals audit rows behind the ingest, and signs and publishes checkpoints.
///
/// Many processes may seal one log: each leaf is written by one of them. It works on a task of its own, and stops when it is dropped. In a
/// burst of leads, of more than 500 a second for up to a minute, the ingest goes first, and nothing is sealed.
///
/// What it signs extends what it or another signed before, as far as the database and the folder know; where it does not, as after a
/// restore, it signs nothing more and says so, until an operator starts a new origin. Leads are taken in all the same.
pub struct Sealer {
    stop: watch::Sender<bool>,
    task: JoinHandle<()>,
}

impl Sealer {
    /// Configures a sealer that signs with a key, whose name is the log's origin.
    pub fn builder(store: impl LeadLog + 'static, key: NoteKey) -> SealerBuilder {
        SealerBuilder { store: Arc::new(store), keys: vec![key], folder: None, commits: Commits::new(), poll: POLL }
    }

    /// Seals and signs what there is, up to some thousand rows, and returns once that is done.
    pub async fn shutdown(self) {
        self.stop.send_replace(true);
        // One that panicked has nothing to be waited for.
        let _ = self.task.await;
    }
}

impl fmt::Debug for Sealer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sealer").finish_non_exhaustive()
    }
}

/// Settings of a [`Sealer`].
pub struct SealerBuilder {
    store: Arc<dyn LeadLog>,
    keys: Vec<NoteKey>,
    folder: Option<Folder>,
    commits: Arc<Commits>,
    poll: Duration,
}

impl SealerBuilder {
    /// Signs with another key as well: the next one, during a rotation. Its name may be another.
    pub fn also_signed_by(mut self, key: NoteKey) -> Self {
        self.keys.push(key);
        self
    }

    /// Publishes checkpoints and tiles to a folder. Default: checkpoints stay in the database, which does not keep its owner from
    /// computing all of it anew.
    pub fn publish(self, folder: Folder) -> Self {
        Self { folder: Some(folder), ..self }
    }

    /// Follows an ingest in the same process, by [`IngestBuilder::followed_by`](crate::IngestBuilder::followed_by), to know its bursts.
    pub fn follow(self, commits: Arc<Commits>) -> Self {
        Self { commits, ..self }
    }

    /// How often it looks for new rows, half as often or half as often again by chance. Default: 1 s.
    pub fn poll(self, poll: Duration) -> Self {
        Self { poll, ..self }
    }

    /// Seals and signs what there is, and returns how many entries the log has then. Another process may seal meanwhile.
    ///
    /// # Errors
    /// [`SealError`].
    pub async fn seal_all(self) -> Result<u64, SealError> {
        let work = self.work();
        loop {
            if !work.pass().await? {
                return work.publish().await;
            }
        }
    }

    /// Starts it.
    ///
    /// # Panics
    /// If called outside of a tokio runtime.
    pub fn start(self) -> Sealer {
        let (stop, stopped) = watch::channel(false);
        let (poll, burst) = (self.poll, Burst::of(Arc::clone(&self.commits)));
        Sealer { stop, task: tokio::spawn(run(self.work(), burst, poll, stopped)) }
    }

    fn work(self) -> Work {
        let known = self.keys.iter().map(NoteKey::verifier).collect();
        Work {
            store: self.store,
            keys: self.keys,
            known,
            folder: self.folder,
            metrics: Metrics::begin(),
            at_once: AtomicU32::new(AT_ONCE),
            signed: Mutex::default(),
        }
    }
}

impl fmt::Debug for SealerBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SealerBuilder").field("keys", &self.keys).field("folder", &self.folder).finish_non_exhaustive()
    }
}

async fn run(work: Work, burst: Burst, poll: Duration, mut stopped: watch::Receiver<bool>) {
    let (mut failing, mut measured) = (None, None::<Instant>);
    loop {
        let is_last = *stopped.borrow();
        let started = Instant::now();
        let mut rest = jitter::around(poll);
        // In a burst nothing is tried: what was in the way may be so still.
        let mut has_changed = false;
        if !burst.is_on() || is_last {
            let result = work.step().await;
            match &result {
                // Beside those who send leads it is slower than where nobody does.
                Ok(true) if burst.is_busy() => rest = pace::rest_after(started, REST),
                Ok(true) => rest = REST,
                Ok(false) => {}
                Err(_) => rest = AFTER_FAILURE,
            }
            has_changed = tell(&mut failing, result.err().map(|error| error.to_string()));
        }
        if has_changed || is_last || measured.is_none_or(|at| at.elapsed() > MEASURING) {
            measured = Some(Instant::now());
            work.measure(failing.is_some()).await;
        }
        // What was written until then is sealed as well: nobody might do so for long.
        if is_last {
            return;
        }
        tokio::select! {
            () = sleep(rest) => {}
            asked = stopped.wait_for(|is_stopped| *is_stopped) => {
                if asked.is_err() {
                    return;
                }
            }
        }
    }
}

/// Says once what is in the way, and once that nothing is any more. Returns whether that has changed.
fn tell(failing: &mut Option<String>, now: Option<String>) -> bool {
    if *failing == now {
        return false;
    }
    match &now {
        Some(problem) => tracing::error!("the audit log is not sealed: {problem}"),
        None => tracing::info!("the audit log is sealed again"),
    }
    *failing = now;
    true
}

struct Work {
    store: Arc<dyn LeadLog>,
    keys: Vec<NoteKey>,
    known: Vec<NoteVerifier>,
    folder: Option<Folder>,
    metrics: Metrics,
    /// Rows of the next transaction.
    at_once: AtomicU32,
    /// What was signed here last, and when.
    signed: Mutex<Option<(Checkpoint, Instant)>>,
}

impl Work {
    /// Seals some, and signs once there is no more, or it was signed some time ago. Returns whether there is more.
    async fn step(&self) -> Result<bool, SealError> {
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
        if !has_more || self.signed().is_none_or(|(_, at)| at.elapsed() > SIGNING) {
            self.publish().await?;
        }
        Ok(has_more)
    }

    fn signed(&self) -> Option<(Checkpoint, Instant)> {
        self.signed.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Seals some rows. Returns whether there are more.
    async fn pass(&self) -> Result<bool, SealError> {
        let mut numbered = 0;
        while numbered < AT_ONCE {
            let some = self.store.sequence(NUMBERED_AT_ONCE).await?;
            numbered += some;
            if some < NUMBERED_AT_ONCE {
                break;
            }
        }
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

    /// Signs and publishes the head where it is not. Returns how many entries it has.
    async fn publish(&self) -> Result<u64, SealError> {
        let published = self.published().await?;
        let state = self.store.sealed().await?;
        let (kept, published) = self.check(&state, published)?;
        let size = state.size;
        // Also behind a rotation, so that the old key may be taken away however quiet it is.
        let is_signed = |(note, head): &(SignedNote, Checkpoint)| head.size >= size && note.names_all(&self.known);
        let is_new = |head: &Option<(SignedNote, Checkpoint)>| !head.as_ref().is_some_and(is_signed);
        let is_behind = self.folder.is_some() && is_new(&published);
        if size == 0 || !(is_new(&kept) || is_behind) {
            return Ok(size);
        }
        let signed = self.signed().map(|(head, _)| head);
        let known_heads = [&kept, &published].into_iter().flatten().map(|(_, head)| head.clone());
        let seen: Vec<_> = known_heads.chain(signed.filter(|head| head.size <= size)).collect();
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
        if let Some(folder) = &self.folder {
            self.publish_tiles(folder, published.map_or(0, |(_, head)| head.size), size).await?;
            let folder = folder.clone();
            blocking(move || folder.put_checkpoint(&note, size)).await?;
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
    ) -> Result<(Option<(SignedNote, Checkpoint)>, Option<(SignedNote, Checkpoint)>), SealError> {
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
                let numbers = first / super::TILE_WIDTH..end.div_ceil(super::TILE_WIDTH);
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

    async fn measure(&self, is_failing: bool) {
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

pub(super) async fn blocking<T: Send + 'static>(
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

/// The log cannot be sealed, or its head is not one to sign.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SealError {
    /// The database cannot be asked.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// It cannot be published.
    #[error(transparent)]
    Folder(#[from] FolderError),
    /// What was signed before is not readable, or not of a key that is known here.
    #[error("what was signed before: {0}")]
    Checkpoint(#[from] InvalidCheckpoint),
    /// The head does not extend what was signed before.
    #[error("{0}. Nothing is signed until an operator starts a new origin (`leadctl audit restart`)")]
    Fork(#[from] WitnessError),
    /// What was signed before is of another origin.
    #[error(
        "what was signed before is of the origin `{origin}`: use its key, or start a new origin (`leadctl audit restart`)"
    )]
    OtherOrigin {
        /// Which one.
        origin: String,
    },
    /// The log was begun anew since it had this origin.
    #[error("the log was begun anew since it had the origin `{origin}`: seal it with a key of another name")]
    FormerOrigin {
        /// Which one.
        origin: String,
    },
    /// Hashes of the tree are missing.
    #[error("hashes of the tree are missing in the database: see `leadctl audit verify`")]
    Torn,
    /// The head cannot be signed.
    #[error(transparent)]
    Note(#[from] InvalidNote),
    /// No salt can be made.
    #[error("the system has no random numbers")]
    NoRandomness,
}
