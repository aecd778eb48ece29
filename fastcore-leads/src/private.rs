//! Files and folders that nobody but their owner may read.

use std::{
    fs::{self, File},
    io,
    path::Path,
};

/// Makes a folder, and those above it, where they are missing.
pub(crate) fn make_folder(path: &Path) -> io::Result<()> {
    let mut builder = fs::DirBuilder::new();
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.recursive(true).create(path)
}

/// Makes a file that is not there yet.
pub(crate) fn create(path: &Path) -> io::Result<File> {
    let mut options = fs::OpenOptions::new();
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.write(true).create_new(true).open(path)
}

/// Opens a file for writing, making it where it is missing.
pub(crate) fn open_or_create(path: &Path) -> io::Result<File> {
    match create(path) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => File::options().write(true).open(path),
        created => created,
    }
}

/// Gives what was made to the owner of a folder, where that can be done: an administrator who looks after a service's folder leaves
/// nothing there that the service cannot use.
pub(crate) fn give_to_owner_of(folder: &Path, made: &Path) {
    #[cfg(unix)]
    if let (Ok(folder), Ok(own)) = (fs::metadata(folder), fs::symlink_metadata(made)) {
        use std::os::unix::fs::{MetadataExt, lchown};

        if (folder.uid(), folder.gid()) != (own.uid(), own.gid()) {
            let _ = lchown(made, Some(folder.uid()), Some(folder.gid()));
        }
    }
    #[cfg(not(unix))]
    let _ = (folder, made);
}

/// Sees to it that a folder's names are on the disk, not only in its cache. Only Unix can say that of a folder.
pub(crate) fn sync_folder(path: &Path) -> io::Result<()> {
    let path = if path.as_os_str().is_empty() { Path::new(".") } else { path };
    if cfg!(unix) { File::open(path)?.sync_all() } else { Ok(()) }
}
