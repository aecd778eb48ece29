use std::{
    fs,
    io::{self, Read},
    path::{Path, PathBuf},
    sync::Arc,
    time::Instant,
};

use tokio::sync::{Mutex, Semaphore};

use super::{
    AsideReason, Counts, MAX_WRITES, Place, SpoolKeys, SpoolOptions, group_sync::GroupSync, layout, layout::Walk,
    lock::Lock, tally::Tally,
};
use crate::{client::envelope::Envelope, lead::limits::MAX_BODY_BYTES, private};

/// A file that is longer holds no lead.
const MAX_FILE_BYTES: u64 = 4 * MAX_BODY_BYTES as u64;

/// A spool's folder, and what this process knows of it. Its methods block.
pub(in crate::client) struct Folder {
    pub(super) root: PathBuf,
    pub(super) options: SpoolOptions,
    pub(in crate::client) lock: Lock,
    pub(super) writes: Semaphore,
    pub(super) syncs: GroupSync,
    pub(super) waiting: Tally,
    pub(super) aside: Tally,
    /// When it was last seen whether a file can be written, and what came of it.
    pub(super) tried_out: Mutex<Option<(Instant, bool)>>,
}

impl Folder {
    pub(super) fn new(root: PathBuf, options: SpoolOptions) -> Self {
        Self {
            lock: Lock::new(&root, Arc::clone(&options.disk)),
            root,
            options,
            writes: Semaphore::new(MAX_WRITES),
            syncs: GroupSync::default(),
            waiting: Tally::default(),
            aside: Tally::default(),
            tried_out: Mutex::default(),
        }
    }

    /// Makes the folder where it is missing, and sees to it that its own name is on the disk.
    pub(super) fn make(&self) -> io::Result<()> {
        self.options.disk.make_folder(&self.root)?;
        for made in self.root.ancestors().take(2) {
            self.options.disk.sync_folder(made)?;
        }
        // Which may be none of ours, and not for us to open.
        let _ = self.root.ancestors().nth(2).map(|above| self.options.disk.sync_folder(above));
        Ok(())
    }

    pub(super) fn put(&self, envelope: &Envelope, place: Place) -> io::Result<bool> {
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

    pub(super) fn try_out(&self) -> io::Result<()> {
        // Given back at once.
        self.waiting.take(MAX_BODY_BYTES as u64, self.options.max_leads, self.options.max_bytes)?;
        let disk = &self.options.disk;
        let draft = self.root.join(layout::draft_of("trial"));
        // As much as the longest lead takes: a file without anything in it may have room on a disk that has none.
        let tried = self.with_folder(&self.root, || disk.create(&draft));
        let tried =
            tried.and_then(|mut file| disk.write(&mut file, &vec![0; MAX_BODY_BYTES]).and_then(|()| disk.sync(&file)));
        let _ = disk.remove(&draft);
        tried
    }

    /// Writes beside the name, so that the name never stands for half a lead.
    pub(super) fn write(&self, folder: &Path, path: &Path, bytes: &[u8]) -> io::Result<()> {
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
    pub(super) fn with_folder<T>(&self, folder: &Path, work: impl Fn() -> io::Result<T>) -> io::Result<T> {
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
    pub(super) fn sync(&self, folder: &Path) -> io::Result<()> {
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
    pub(in crate::client) fn read(&self, path: &Path) -> io::Result<Found> {
        let bytes = match contents(path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Found::Gone),
            read => read?,
        };
        let length = bytes.as_ref().map_or(0, |bytes| bytes.len() as u64);
        if bytes.as_ref().is_some_and(|bytes| self.is_locked(path, bytes)) {
            return Ok(Found::Locked);
        }
        if let Some(envelope) = bytes.and_then(|bytes| self.open_file(path, bytes)) {
            return Ok(Found::Lead(envelope, length));
        }
        tracing::error!("a file of the spool holds no lead that can be read here; it is put aside");
        self.put_aside(path, AsideReason::Unreadable).map(|()| Found::Aside)
    }

    fn is_locked(&self, path: &Path, bytes: &[u8]) -> bool {
        let is_encrypted = layout::name_in(path).is_some_and(|(_, is_encrypted)| is_encrypted);
        is_encrypted
            && SpoolKeys::key_of(bytes)
                .is_some_and(|key| !self.options.keys.as_ref().is_some_and(|keys| keys.have(key)))
    }

    pub(super) fn open_file(&self, path: &Path, bytes: Vec<u8>) -> Option<Envelope> {
        let body = match layout::name_in(path) {
            Some((name, true)) => self.options.keys.as_ref()?.open(&bytes, name)?,
            _ => bytes,
        };
        Envelope::from_body(body)
    }

    /// Takes a lead that is delivered out of the spool.
    pub(in crate::client) fn remove(&self, path: &Path, bytes: u64) -> io::Result<()> {
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
    pub(in crate::client) fn put_aside(&self, path: &Path, reason: AsideReason) -> io::Result<()> {
        let bytes = fs::symlink_metadata(path).map_or(0, |metadata| metadata.len());
        self.move_to(path, &layout::aside(&self.root, reason))?;
        self.waiting.let_go(bytes);
        self.aside.add(bytes);
        Ok(())
    }

    /// Moves a file to another folder, and sees to it that it is on the disk there. Where it is gone, another process was faster.
    pub(super) fn move_to(&self, path: &Path, folder: &Path) -> io::Result<()> {
        let Some(name) = path.file_name() else { return Ok(()) };
        let moved = self.with_folder(folder, || match self.options.disk.rename(path, &folder.join(name)) {
            Err(error) if error.kind() == io::ErrorKind::NotFound && !path.exists() => Ok(()),
            moved => moved,
        });
        moved.and_then(|()| self.sync(folder))
    }

    /// Counts what there is, and tidies up: old drafts, folders that are empty.
    pub(in crate::client) fn count(&self) -> io::Result<Counts> {
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

    pub(super) fn counts(&self) -> Counts {
        let ((waiting, waiting_bytes), (aside, aside_bytes)) = (self.waiting.get(), self.aside.get());
        Counts { waiting, waiting_bytes, aside, aside_bytes }
    }

    pub(super) fn tally(&self, place: Place) -> &Tally {
        match place {
            Place::Waiting => &self.waiting,
            Place::Aside(_) => &self.aside,
        }
    }

    /// The leads that wait, by hour.
    pub(in crate::client) fn waiting(&self) -> io::Result<Walk> {
        self.with_folder(&self.root, || Walk::waiting(&self.root))
    }
}

/// What became of reading a file.
pub(in crate::client) enum Found {
    /// And the bytes of its file.
    Lead(Envelope, u64),
    /// Another process delivered it meanwhile.
    Gone,
    /// It is encrypted under a key that is not here.
    Locked,
    /// It was put aside: it holds no lead that can be read.
    Aside,
}

/// What a file holds; nothing where it is too long for a lead.
pub(super) fn contents(path: &Path) -> io::Result<Option<Vec<u8>>> {
    let mut bytes = Vec::new();
    fs::File::open(path)?.take(MAX_FILE_BYTES + 1).read_to_end(&mut bytes)?;
    Ok((bytes.len() as u64 <= MAX_FILE_BYTES).then_some(bytes))
}
