use std::{
    fs::{self, File},
    io::{self, Write},
    path::Path,
};

use crate::private;

/// The steps of a file system that a [`Spool`](super::Spool) keeps a lead with. Each does the real thing; a test replaces those that
/// are to fail, or looks on.
pub trait Disk: Send + Sync + 'static {
    /// Makes a folder, and those above it, where they are missing, for their owner alone.
    ///
    /// # Errors
    /// What the file system says.
    fn make_folder(&self, path: &Path) -> io::Result<()> {
        private::make_folder(path)
    }

    /// Removes a file.
    ///
    /// # Errors
    /// What the file system says.
    fn remove(&self, path: &Path) -> io::Result<()> {
        fs::remove_file(path)
    }

    /// Makes a file that is not there yet, for its owner alone.
    ///
    /// # Errors
    /// What the file system says.
    fn create(&self, path: &Path) -> io::Result<File> {
        private::create(path)
    }

    /// Writes all of a file.
    ///
    /// # Errors
    /// What the file system says.
    fn write(&self, file: &mut File, bytes: &[u8]) -> io::Result<()> {
        file.write_all(bytes)
    }

    /// Writes all of the file that says who delivers.
    ///
    /// # Errors
    /// What the file system says.
    fn write_owner(&self, file: &mut File, owner: &[u8]) -> io::Result<()> {
        file.write_all(owner)
    }

    /// Flushes what was written to the disk: `fsync` (POSIX).
    ///
    /// # Errors
    /// What the file system says.
    fn sync(&self, file: &File) -> io::Result<()> {
        file.sync_all()
    }

    /// Gives a file another name, in one step.
    ///
    /// # Errors
    /// What the file system says.
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        fs::rename(from, to)
    }

    /// Flushes a folder's names to the disk: `fsync` of the folder.
    ///
    /// # Errors
    /// What the file system says.
    fn sync_folder(&self, path: &Path) -> io::Result<()> {
        private::sync_folder(path)
    }
}

/// The file system as it is.
#[derive(Clone, Copy, Debug, Default)]
pub struct StdDisk;

impl Disk for StdDisk {}
