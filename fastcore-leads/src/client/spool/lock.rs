//! One drainer, many writers. Two drainers would harm nothing, as a request id never makes a second lead; they would only do the
//! work twice.
//!
//! `drainer.lock` holds the id of whoever delivers, who touches it twice a second; one that was not touched for a while belongs to
//! somebody who died, and is taken over. Where the word `locked` follows the id, its owner holds the operating system's lock on the file
//! too (`flock`), which ends with the process: who gets that lock need not wait. Who must not have a lead delivered meanwhile, such as to erase it, makes `drainer.wanted`:
//! the drainer then ends what it has begun, and gives the lock up. Files that are touched, so that it works between languages and containers.

use std::{
    fs::{self, File},
    io::{self, Write},
    path::{Path, PathBuf},
    sync::{Mutex, PoisonError},
    thread,
    time::{Duration, Instant, SystemTime},
};

use uuid::Uuid;

use crate::private;

/// A lock that was not touched for so long was left behind. Longer than an attempt may take.
const STALE: Duration = Duration::from_secs(15);
/// How long the drainer may take to end what it has begun, or to count as gone.
const PATIENCE: Duration = Duration::from_secs(30);
const LOOK_AGAIN: Duration = Duration::from_millis(50);

pub(in crate::client) struct Lock {
    held: PathBuf,
    wanted: PathBuf,
    owner: String,
    /// The file, locked, while this is the owner.
    locked: Mutex<Option<File>>,
}

/// What follows an owner's id, where the operating system's lock is held too.
const LOCKED: &str = " locked";

impl Lock {
    pub(super) fn new(root: &Path) -> Self {
        let owner = format!("{}{LOCKED}", Uuid::now_v7());
        Self { held: root.join("drainer.lock"), wanted: root.join("drainer.wanted"), owner, locked: Mutex::default() }
    }

    /// Takes the lock, or keeps it; gives it up where somebody wants it. Returns whether it is held.
    pub(in crate::client) fn tend(&self) -> io::Result<bool> {
        if is_fresh(&self.wanted)? {
            self.release();
            return Ok(false);
        }
        self.hold()
    }

    fn hold(&self) -> io::Result<bool> {
        match fs::read_to_string(&self.held) {
            Ok(owner) if owner == self.owner => touch(&self.held).map(|()| true),
            Ok(owner) if is_fresh(&self.held)? && !self.is_let_go(&owner) => Ok(false),
            // Left behind. Where two take it over at once, the later one has it.
            Ok(_) => {
                let draft = self.held.with_extension(Uuid::now_v7().to_string());
                self.write(private::create(&draft)?)?;
                fs::rename(&draft, &self.held)?;
                Ok(fs::read_to_string(&self.held)? == self.owner)
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => match private::create(&self.held) {
                Ok(file) => self.write(file).map(|()| true),
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(false),
                Err(error) => Err(error),
            },
            Err(error) => Err(error),
        }
    }

    /// Whether the owner held the operating system's lock, and does not any more: it has ended.
    fn is_let_go(&self, owner: &str) -> bool {
        owner.ends_with(LOCKED) && File::open(&self.held).is_ok_and(|file| file.try_lock().is_ok())
    }

    /// Writes the owner into a file that nobody else knows yet, and keeps it locked.
    fn write(&self, mut file: File) -> io::Result<()> {
        // First, so that nobody finds the word without the lock. Where a file system has no locks, the touching is enough.
        let _ = file.try_lock();
        file.write_all(self.owner.as_bytes())?;
        *self.locked.lock().unwrap_or_else(PoisonError::into_inner) = Some(file);
        Ok(())
    }

    /// Gives the lock up, where it is held.
    pub(in crate::client) fn release(&self) {
        if fs::read_to_string(&self.held).is_ok_and(|owner| owner == self.owner) {
            let _ = fs::remove_file(&self.held);
        }
        *self.locked.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }
}

/// The lock, taken from the drainer. Given back when dropped.
pub(super) struct Exclusive {
    lock: Lock,
    touched: Instant,
}

impl Exclusive {
    /// Waits until nobody delivers.
    pub(super) fn take(root: &Path) -> io::Result<Self> {
        // An owner of its own: the drainer may be in this very process.
        let taken = Self { lock: Lock::new(root), touched: Instant::now() };
        let end = Instant::now() + PATIENCE;
        loop {
            taken.ask()?;
            if taken.lock.hold()? {
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
            self.lock.hold()?;
        }
        Ok(())
    }

    fn ask(&self) -> io::Result<()> {
        match private::create(&self.lock.wanted) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => touch(&self.lock.wanted),
            made => made.map(drop),
        }
    }
}

impl Drop for Exclusive {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.lock.wanted);
        self.lock.release();
    }
}

fn touch(path: &Path) -> io::Result<()> {
    File::options().write(true).open(path)?.set_modified(SystemTime::now())
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
