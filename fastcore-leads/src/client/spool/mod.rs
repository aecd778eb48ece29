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
mod folder;
mod group_sync;
mod inspect;
mod layout;
mod lock;
mod place;
mod seal;
mod tally;

use std::{
    fmt,
    io::{self},
    path::PathBuf,
    sync::Arc,
    time::{Duration, Instant},
};

pub use self::{
    disk::{Disk, StdDisk},
    inspect::{SpoolErasure, SpooledLead, Unreadable},
    place::{AsideReason, Place},
    seal::{KeyError, SpoolKeys},
};
pub(super) use self::{
    folder::{Folder, Found},
    layout::{File, Walk},
    lock::Tended,
};
use super::envelope::Envelope;

/// Leads that are written at once: each holds a thread and a few file handles.
const MAX_WRITES: usize = 64;
/// How often it is tried whether a file can be written, at most.
const TRY_OUT_EVERY: Duration = Duration::from_secs(1);

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

impl Spool {
    /// Opens a folder, making it where it is missing, and counts what it holds. Blocks: about 0.3 s for 100,000 leads.
    ///
    /// # Errors
    /// What the file system says if the folder cannot be made, read or flushed.
    pub fn open(path: impl Into<PathBuf>, options: SpoolOptions) -> io::Result<Self> {
        let folder = Folder::new(path.into(), options);
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
