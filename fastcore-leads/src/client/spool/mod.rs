//! Leads on this disk, a file each.
//!
//! What others lost on disk they lost in a shared file with a position beside it. Here each lead is a file of its own, written
//! beside its name, flushed, renamed, and its folder flushed, in this order: a lead that was put is on the disk, not only in its
//! cache. A request id follows from the content, so files of one name hold the same: processes that share a folder can put and
//! remove what they like, and nothing is lost.
//!
//! ```text
//! spool/
//!   2026-11-27T14/                leads that wait, by the hour (UTC) that they were sent in
//!     <request id>.json           the request's body; encrypted: <request id>.sealed
//!     <uuid>.draft                being written
//!   refused/conflict/, invalid/, failing/, unreadable/     kept for a person to look at
//!   drainer.lock                  who delivers
//! ```

mod disk;
mod group_sync;
mod inspect;
mod layout;
mod lock;
mod place;
mod seal;
mod tally;

use std::{
    fmt, fs,
    io::{self, Read},
    path::{Path, PathBuf},
    sync::Arc,
    time::{Duration, Instant},
};

use tokio::sync::{Mutex, Semaphore};

pub use self::{
    disk::{Disk, StdDisk},
    inspect::{SpoolErasure, SpooledLead, Unreadable},
    place::{AsideReason, Place},
    seal::{KeyError, SpoolKeys},
};
use self::{group_sync::GroupSync, lock::Lock, tally::Tally};
pub(super) use self::{
    layout::{File, Walk},
    lock::Tended,
};
use super::envelope::Envelope;
use crate::{lead::limits::MAX_BODY_BYTES, private};

/// Leads that are written at once: each holds a thread and a few file handles.
const MAX_WRITES: usize = 64;
/// How often it is tried whether a file can be written, at most.
const TRY_OUT_EVERY: Duration = Duration::from_secs(1);
/// A file that is longer holds no lead.
const MAX_FILE_BYTES: u64 = 4 * MAX_BODY_BYTES as u64;

/// Bounds of a [`Spool`], and whether it is encrypted.
#[derive(Clone)]
pub struct SpoolOptions {
    max_leads: u64,
    max_bytes: u64,
    keys: Option<SpoolKeys>,
    disk: Arc<dyn Disk>,
}

impl SpoolOptions {
    /// 100,000 leads, 1 GiB, not encrypted.
    pub fn new() -> Self {
        Self { max_leads: 100_000, max_bytes: 1 << 30, keys: None, disk: Arc::new(StdDisk) }
    }

    /// How many leads may wait, and how many may be put aside. One more is refused; what waits already may be put aside beyond that.
    pub fn max_leads(mut self, max_leads: u64) -> Self {
        self.max_leads = max_leads;
        self
    }

    /// How many bytes the leads that wait may take, and those that are put aside. What a file takes beyond its length does not
    /// count.
    pub fn max_bytes(mut self, max_bytes: u64) -> Self {
        self.max_bytes = max_bytes;
        self
    }

    /// Encrypts what is written (XChaCha20-Poly1305), and reads what was encrypted under one of the keys.
    pub fn keys(mut self, keys: SpoolKeys) -> Self {
        self.keys = Some(keys);
        self
    }

    /// Writes through another [`Disk`]: a seam for tests.
    pub fn disk(mut self, disk: impl Disk) -> Self {
        self.disk = Arc::new(disk);
        self
    }
}

impl Default for SpoolOptions {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for SpoolOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SpoolOptions")
            .field("max_leads", &self.max_leads)
            .field("max_bytes", &self.max_bytes)
            .field("keys", &self.keys)
            .finish_non_exhaustive()
    }
}

/// Leads that wait on this disk. Clones share one folder, which any number of processes may share too.
///
/// The folder holds personal data: it is made for its owner alone. Methods that are not `async` block: call them where that does
/// no harm.
#[derive(Clone)]
pub struct Spool {
    folder: Arc<Folder>,
}

/// How much there is, as far as this process knows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Counts {
    pub(super) waiting: u64,
    pub(super) waiting_bytes: u64,
    pub(super) aside: u64,
    pub(super) aside_bytes: u64,
}

/// What became of reading a file.
pub(super) enum Found {
    /// And the bytes of its file.
    Lead(Envelope, u64),
    /// Another process delivered it meanwhile.
    Gone,
    /// It was put aside: it holds no lead, or is encrypted under a key that is not here.
    Aside,
}

impl Spool {
    /// Opens a folder, making it where it is missing, and counts what it holds. Blocks: about 0.3 s for 100,000 leads.
    ///
    /// # Errors
    /// What the file system says if the folder cannot be made, read or flushed.
    pub fn open(path: impl Into<PathBuf>, options: SpoolOptions) -> io::Result<Self> {
        let path = path.into();
        let folder = Folder {
            lock: Lock::new(&path),
            root: path,
            options,
            writes: Semaphore::new(MAX_WRITES),
            syncs: GroupSync::default(),
            waiting: Tally::default(),
            aside: Tally::default(),
            tried_out: Mutex::default(),
        };
        folder.make()?;
        folder.count()?;
        Ok(Self { folder: Arc::new(folder) })
    }

    /// Keeps a lead; returns once it is on the disk, and whether it was not there before.
    pub(super) async fn put(&self, envelope: Envelope, place: Place) -> io::Result<bool> {
        // It is never closed.
        let _permit = self.folder.writes.acquire().await.map_err(io::Error::other)?;
        self.blocking(move |folder| folder.put(&envelope, place)).await
    }

    pub(super) async fn blocking<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Folder) -> io::Result<T> + Send + 'static,
    ) -> io::Result<T> {
        let folder = Arc::clone(&self.folder);
        tokio::task::spawn_blocking(move || work(&folder)).await.unwrap_or_else(|error| Err(io::Error::other(error)))
    }

    /// Whether another lead could be put: there is room, and a file can be made and flushed.
    /// Looked at once a second at most, however often it is asked.
    pub(super) async fn has_room(&self) -> bool {
        let mut tried_out = self.folder.tried_out.lock().await;
        match *tried_out {
            Some((when, has_room)) if when.elapsed() < TRY_OUT_EVERY => has_room,
            _ => {
                let has_room = self.blocking(Folder::try_out).await.is_ok();
                *tried_out = Some((Instant::now(), has_room));
                has_room
            }
        }
    }

    pub(super) fn counts(&self) -> Counts {
        self.folder.counts()
    }

    /// Lets somebody else deliver.
    pub(super) fn release_lock(&self) {
        self.folder.lock.release();
    }
}

impl fmt::Debug for Spool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Spool").field("folder", &self.folder.root).finish_non_exhaustive()
    }
}

pub(super) struct Folder {
    root: PathBuf,
    options: SpoolOptions,
    pub(super) lock: Lock,
    writes: Semaphore,
    syncs: GroupSync,
    waiting: Tally,
    aside: Tally,
    /// When it was last seen whether a file can be written, and what came of it.
    tried_out: Mutex<Option<(Instant, bool)>>,
}

impl Folder {
    /// Makes the folder where it is missing, and sees to it that its own name is on the disk.
    fn make(&self) -> io::Result<()> {
        self.options.disk.make_folder(&self.root)?;
        for made in self.root.ancestors().take(2) {
            self.options.disk.sync_folder(made)?;
        }
        // Which may be none of ours, and not for us to open.
        let _ = self.root.ancestors().nth(2).map(|above| self.options.disk.sync_folder(above));
        Ok(())
    }

    fn put(&self, envelope: &Envelope, place: Place) -> io::Result<bool> {
        let folder = layout::folder_of(&self.root, place, envelope.sent_at());
        let name = layout::name_of(envelope.request_id(), self.options.keys.is_some());
        let path = folder.join(&name);
        if path.try_exists()? {
            self.sync(&folder)?;
            return Ok(false);
        }
        let bytes = match &self.options.keys {
            Some(keys) => keys.seal(envelope.body(), &name)?,
            None => envelope.body().to_vec(),
        };
        let room = self.tally(place).take(bytes.len() as u64, self.options.max_leads, self.options.max_bytes)?;
        self.with_folder(&folder, || self.write(&folder, &path, &bytes))?;
        room.keep();
        self.sync(&folder)?;
        Ok(true)
    }

    fn try_out(&self) -> io::Result<()> {
        // Given back at once.
        self.waiting.take(MAX_BODY_BYTES as u64, self.options.max_leads, self.options.max_bytes)?;
        let disk = &self.options.disk;
        let draft = self.root.join(layout::draft_of("trial"));
        let tried = self.with_folder(&self.root, || disk.create(&draft)).and_then(|file| disk.sync(&file));
        let _ = disk.remove(&draft);
        tried
    }

    /// Writes beside the name, so that the name never stands for half a lead.
    fn write(&self, folder: &Path, path: &Path, bytes: &[u8]) -> io::Result<()> {
        let disk = &self.options.disk;
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        let draft = folder.join(layout::draft_of(&name));
        let mut file = disk.create(&draft)?;
        let written = disk.write(&mut file, bytes).and_then(|()| disk.sync(&file));
        let written = written.and_then(|()| match disk.rename(&draft, path) {
            // Not the folder, but the draft was taken away: it is not written anew.
            Err(error) if error.kind() == io::ErrorKind::NotFound && folder.is_dir() => {
                Err(io::ErrorKind::Interrupted.into())
            }
            renamed => renamed,
        });
        if written.is_err() {
            let _ = disk.remove(&draft);
        }
        written
    }

    /// Does what needs a folder, and again where the folder is not there, or is taken away by whoever tidies up.
    fn with_folder<T>(&self, folder: &Path, work: impl Fn() -> io::Result<T>) -> io::Result<T> {
        for _ in 0..3 {
            match work() {
                Err(error) if error.kind() == io::ErrorKind::NotFound => {
                    self.make()?;
                    self.options.disk.make_folder(folder)?;
                    for made in folder.ancestors().take_while(|made| *made != self.root) {
                        private::give_to_owner_of(&self.root, made);
                    }
                }
                done => return done,
            }
        }
        work()
    }

    /// Sees to it that what was renamed into a folder is on the disk, and the folder's own name too: whoever made the folder may
    /// not have come that far.
    fn sync(&self, folder: &Path) -> io::Result<()> {
        for folder in folder.ancestors() {
            match self.syncs.sync(folder, &*self.options.disk) {
                // What was in it was delivered meanwhile, and the empty folder removed.
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                synced => synced?,
            }
            if folder == self.root {
                break;
            }
        }
        Ok(())
    }

    /// Reads a file of a lead that waits.
    pub(super) fn read(&self, path: &Path) -> io::Result<Found> {
        let bytes = match contents(path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Found::Gone),
            read => read?,
        };
        let length = bytes.as_ref().map_or(0, |bytes| bytes.len() as u64);
        if let Some(envelope) = bytes.and_then(|bytes| self.open_file(path, bytes)) {
            return Ok(Found::Lead(envelope, length));
        }
        tracing::error!("a file of the spool holds no lead that can be read here; it is put aside");
        self.put_aside(path, AsideReason::Unreadable).map(|()| Found::Aside)
    }

    fn open_file(&self, path: &Path, bytes: Vec<u8>) -> Option<Envelope> {
        let body = match layout::name_in(path) {
            Some((name, true)) => self.options.keys.as_ref()?.open(&bytes, name)?,
            _ => bytes,
        };
        Envelope::from_body(body)
    }

    /// Takes a lead that is delivered out of the spool.
    pub(super) fn remove(&self, path: &Path, bytes: u64) -> io::Result<()> {
        match self.options.disk.remove(path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            removed => {
                removed?;
                self.waiting.let_go(bytes);
                Ok(())
            }
        }
    }

    /// Puts a file aside for a person to look at.
    pub(super) fn put_aside(&self, path: &Path, reason: AsideReason) -> io::Result<()> {
        let bytes = fs::symlink_metadata(path).map_or(0, |metadata| metadata.len());
        self.move_to(path, &layout::aside(&self.root, reason))?;
        self.waiting.let_go(bytes);
        self.aside.add(bytes);
        Ok(())
    }

    /// Moves a file to another folder, and sees to it that it is on the disk there. Where it is gone, another process was faster.
    fn move_to(&self, path: &Path, folder: &Path) -> io::Result<()> {
        let Some(name) = path.file_name() else { return Ok(()) };
        let moved = self.with_folder(folder, || match self.options.disk.rename(path, &folder.join(name)) {
            Err(error) if error.kind() == io::ErrorKind::NotFound && !path.exists() => Ok(()),
            moved => moved,
        });
        moved.and_then(|()| self.sync(folder))
    }

    /// Counts what there is, and tidies up: old drafts, folders that are empty.
    pub(super) fn count(&self) -> io::Result<Counts> {
        let before = (self.waiting.begin_count(), self.aside.begin_count());
        let mut counts = Counts::default();
        for found in Walk::everything(&self.root)? {
            let Ok(metadata) = fs::symlink_metadata(&found.path) else { continue };
            if found.is_draft() {
                layout::remove_if_older(&found.path, &metadata, layout::STALE);
                continue;
            }
            let (leads, bytes) = match found.place {
                Place::Waiting => (&mut counts.waiting, &mut counts.waiting_bytes),
                Place::Aside(_) => (&mut counts.aside, &mut counts.aside_bytes),
            };
            *leads += 1;
            *bytes += metadata.len();
        }
        layout::remove_empty_folders(&self.root);
        self.waiting.end_count(before.0, counts.waiting, counts.waiting_bytes);
        self.aside.end_count(before.1, counts.aside, counts.aside_bytes);
        Ok(counts)
    }

    fn counts(&self) -> Counts {
        let ((waiting, waiting_bytes), (aside, aside_bytes)) = (self.waiting.get(), self.aside.get());
        Counts { waiting, waiting_bytes, aside, aside_bytes }
    }

    fn tally(&self, place: Place) -> &Tally {
        match place {
            Place::Waiting => &self.waiting,
            Place::Aside(_) => &self.aside,
        }
    }

    /// The leads that wait, by hour.
    pub(super) fn waiting(&self) -> io::Result<Walk> {
        self.with_folder(&self.root, || Walk::waiting(&self.root))
    }
}

/// What a file holds; nothing where it is too long for a lead.
fn contents(path: &Path) -> io::Result<Option<Vec<u8>>> {
    let mut bytes = Vec::new();
    fs::File::open(path)?.take(MAX_FILE_BYTES + 1).read_to_end(&mut bytes)?;
    Ok((bytes.len() as u64 <= MAX_FILE_BYTES).then_some(bytes))
}
