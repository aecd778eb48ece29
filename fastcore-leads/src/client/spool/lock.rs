//! One drainer, many writers. Two drainers would harm nothing, as a request id never makes a second lead; they would only do the
//! work twice.
//!
//! `drainer.lock` holds the id of whoever delivers, who touches it every few seconds; one that was not touched for a while belongs to
//! somebody who died, and is taken over. Where the word `locked` follows the id, its owner holds the operating system's lock on the file
//! too (`flock`), which ends with the process: who gets that lock need not wait. Who must not have a lead delivered meanwhile, such as to
//! erase it, makes `drainer.wanted`: the drainer then ends what it has begun, and gives the lock up. Files that are touched, so that it
//! works between languages and containers; `drainer.guard` is locked for the moment that it takes to look and to take.

use std::{
    fs::{self, File},
    io,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    thread,
    time::{Duration, Instant, SystemTime},
};

use uuid::Uuid;

use super::Disk;
use crate::private;

/// A lock that was not touched for so long was left behind. Longer than an attempt may take.
const STALE: Duration = Duration::from_secs(15);
/// How long the drainer may take to end what it has begun, or to count as gone.
const PATIENCE: Duration = Duration::from_secs(30);
const LOOK_AGAIN: Duration = Duration::from_millis(50);
/// What follows an owner's id, where the operating system's lock is held too.
const LOCKED: &str = " locked";

pub(in crate::client) struct Lock {
    root: PathBuf,
    held: PathBuf,
    wanted: PathBuf,
    guard: PathBuf,
    owner: String,
    disk: Arc<dyn Disk>,
    /// The file, locked, while this is the owner.
    locked: Mutex<Option<File>>,
}

/// How it is with the lock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::client) enum Tended {
    /// It is held here.
    Ours,
    /// It is held here, and somebody wants it.
    Wanted,
    /// It is not held here.
    NotOurs,
}

impl Lock {
    pub(super) fn new(root: &Path, disk: Arc<dyn Disk>) -> Self {
        Self {
            root: root.to_owned(),
            held: root.join("drainer.lock"),
            wanted: root.join("drainer.wanted"),
            guard: root.join("drainer.guard"),
            owner: format!("{}{LOCKED}", Uuid::now_v7()),
            disk,
            locked: Mutex::default(),
        }
    }

    /// Takes the lock, or keeps it. Leaves it to whoever wants it, unless it is held here already: then the holder ends what it has
    /// begun, and [releases](Self::release) it.
    pub(in crate::client) fn tend(&self) -> io::Result<Tended> {
        let _guard = self.guard();
        match (is_fresh(&self.wanted)?, self.is_held()) {
            (true, true) => touch(&self.held).map(|()| Tended::Wanted),
            (true, false) => Ok(Tended::NotOurs),
            (false, _) => Ok(if self.hold()? { Tended::Ours } else { Tended::NotOurs }),
        }
    }

    /// Gives the lock up, where it is held.
    pub(in crate::client) fn release(&self) {
        let _guard = self.guard();
        if self.is_held() {
            let _ = fs::remove_file(&self.held);
        }
        *self.locked() = None;
    }

    fn take(&self) -> io::Result<bool> {
        let _guard = self.guard();
        self.hold()
    }

    /// Under the guard.
    fn hold(&self) -> io::Result<bool> {
        if self.is_held() {
            return touch(&self.held).map(|()| true);
        }
        if self.held.try_exists()? {
            if is_fresh(&self.held)? && !self.is_let_go() {
                return Ok(false);
            }
            // Left behind.
            fs::remove_file(&self.held)?;
        }
        match private::create(&self.held) {
            Ok(file) => {
                let written = self.write(file);
                if written.is_err() {
                    // Without an owner it would be taken for somebody's.
                    let _ = fs::remove_file(&self.held);
                }
                written.map(|()| true)
            }
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(false),
            Err(error) => Err(error),
        }
    }

    fn is_held(&self) -> bool {
        fs::read_to_string(&self.held).is_ok_and(|owner| owner == self.owner)
    }

    /// Whether the owner held the operating system's lock, and does not any more: it has ended.
    fn is_let_go(&self) -> bool {
        let is_locked = fs::read_to_string(&self.held).is_ok_and(|owner| owner.ends_with(LOCKED));
        is_locked && File::open(&self.held).is_ok_and(|file| file.try_lock().is_ok())
    }

    /// Writes the owner into the file that was made, and keeps it locked.
    fn write(&self, mut file: File) -> io::Result<()> {
        private::give_to_owner_of(&self.root, &self.held);
        // First, so that nobody finds the word without the lock. Where a file system has no locks, the touching is enough.
        let _ = file.try_lock();
        self.disk.write_owner(&mut file, self.owner.as_bytes())?;
        *self.locked() = Some(file);
        Ok(())
    }

    /// Nobody else looks or takes meanwhile. Where a file system has no locks, two may take over at once, and one of them finds out
    /// when it tends the lock.
    fn guard(&self) -> Option<File> {
        let is_new = !self.guard.exists();
        let file = private::open_or_create(&self.guard).ok()?;
        if is_new {
            private::give_to_owner_of(&self.root, &self.guard);
        }
        file.lock().ok().map(|()| file)
    }

    fn locked(&self) -> MutexGuard<'_, Option<File>> {
        self.locked.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The lock, taken from the drainer. Given back when dropped.
pub(super) struct Exclusive {
    lock: Lock,
    touched: Instant,
}

impl Exclusive {
    /// Waits until nobody delivers.
    pub(super) fn take(root: &Path, disk: Arc<dyn Disk>) -> io::Result<Self> {
        // An owner of its own: the drainer may be in this very process.
        let taken = Self { lock: Lock::new(root, disk), touched: Instant::now() };
        let end = Instant::now() + PATIENCE;
        loop {
            taken.ask()?;
            if taken.lock.take()? {
                return Ok(taken);
            }
            if Instant::now() > end {
                return Err(io::ErrorKind::TimedOut.into());
            }
            thread::sleep(LOOK_AGAIN);
        }
    }

    /// Keeps the lock through work that takes long.
    pub(super) fn tend(&mut self) -> io::Result<()> {
        if self.touched.elapsed() > STALE / 10 {
            self.touched = Instant::now();
            self.ask()?;
            if !self.lock.take()? {
                return Err(io::ErrorKind::TimedOut.into());
            }
        }
        Ok(())
    }

    fn ask(&self) -> io::Result<()> {
        match private::create(&self.lock.wanted) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => touch(&self.lock.wanted),
            Err(error) => Err(error),
            Ok(_) => {
                private::give_to_owner_of(&self.lock.root, &self.lock.wanted);
                Ok(())
            }
        }
    }
}

impl Drop for Exclusive {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.lock.wanted);
        self.lock.release();
    }
}

/// Touches a file, unless that was done a moment ago: a disk has better things to do.
fn touch(path: &Path) -> io::Result<()> {
    let file = File::options().write(true).open(path)?;
    let is_recent = file.metadata()?.modified()?.elapsed().is_ok_and(|age| age < STALE / 5);
    if is_recent { Ok(()) } else { file.set_modified(SystemTime::now()) }
}

/// Whether a file is there and was touched not long ago. A time that is to come is no better than one long past: a clock was set.
fn is_fresh(path: &Path) -> io::Result<bool> {
    let metadata = match fs::metadata(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(false),
        metadata => metadata?,
    };
    let modified = metadata.modified()?;
    let apart = modified.elapsed().unwrap_or_else(|ahead| ahead.duration());
    Ok(apart < STALE)
}
