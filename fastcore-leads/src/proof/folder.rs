use std::{
    fs::{self, File, OpenOptions},
    io::{self, BufRead, BufReader, ErrorKind, Read, Seek, SeekFrom, Write},
    path::{Path, PathBuf},
};

use super::{Checkpoint, InvalidNote, SignedNote, TILE_WIDTH, Tile, TileId};

/// The last checkpoint.
const CHECKPOINT: &str = "checkpoint";
/// All checkpoints, in the order in which they were published: it only grows.
const CHECKPOINTS: &str = "checkpoints";

/// Bytes of the end of it that are looked at: more than two notes have.
const END: u64 = 256 * 1024;
/// Held by whoever publishes.
const LOCK: &str = ".lock";

/// A folder that a log is published to, with the paths of [tlog-tiles](https://c2sp.org/tlog-tiles): `checkpoint` is the last one,
/// `checkpoints` has all of them, each behind the one before, and `tile/` the hashes. None of it is personal: hashes are salted. Put it
/// where the database's owner cannot change what was published, such as object storage that keeps versions, or a git repository.
///
/// Full tiles are written once and never again. Its methods block.
#[derive(Clone, Debug)]
pub struct Folder {
    path: PathBuf,
}

impl Folder {
    /// The folder at a path. It has to be there whenever it is read or written: one that is missing, such as a disk that is not mounted,
    /// is not the same as one that nothing was published to.
    pub fn at(path: impl Into<PathBuf>) -> Self {
        Self { path: path.into() }
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The checkpoint that was published last. Nobody's signature is looked at.
    ///
    /// # Errors
    /// [`FolderError`] if it cannot be read, or is no note.
    pub fn last(&self) -> Result<Option<SignedNote>, FolderError> {
        self.check()?;
        match fs::read_to_string(self.path.join(CHECKPOINT)) {
            Ok(note) => Ok(Some(note.parse()?)),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
            Err(error) => Err(self.failed(CHECKPOINT, error)),
        }
    }

    /// All checkpoints that were published, the oldest first. Over years they are many: [`each`](Self::each) does not hold them all.
    ///
    /// # Errors
    /// As [`last`](Self::last).
    pub fn all(&self) -> Result<Vec<SignedNote>, FolderError> {
        let mut notes = Vec::new();
        self.each(|note| notes.push(note))?;
        Ok(notes)
    }

    /// Hands over each checkpoint that was published, the oldest first. Nobody's signature is looked at. What an interrupted write left at
    /// the end is passed over.
    ///
    /// # Errors
    /// As [`last`](Self::last), and for a checkpoint of more than 256 KiB; some have been handed over then.
    pub fn each(&self, mut take: impl FnMut(SignedNote)) -> Result<(), FolderError> {
        self.check()?;
        let failed = |error| self.failed(CHECKPOINTS, error);
        let mut file = match File::open(self.path.join(CHECKPOINTS)) {
            Ok(file) => BufReader::new(file),
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
            Err(error) => return Err(failed(error)),
        };
        // Each note ends in an empty line behind its signatures; an interrupted write may have left one that does not.
        let (mut note, mut begun) = (Vec::new(), 0);
        loop {
            let room = END - note.len() as u64;
            if file.by_ref().take(room).read_until(b'\n', &mut note).map_err(failed)? == 0 {
                return if room == 0 { Err(InvalidNote::Form.into()) } else { Ok(()) };
            }
            let line = &note[begun..];
            if line == b"\n" && has_signatures(&note[..begun]) {
                let text = std::str::from_utf8(&note[..begun]).map_err(|_| InvalidNote::Form)?;
                take(text.parse()?);
                note.clear();
            }
            begun = note.len();
        }
    }

    /// A tile, with as many hashes as it has in a tree of so many leaves. None where it was not published.
    ///
    /// # Errors
    /// [`FolderError`] if it cannot be read, or has another length.
    pub fn tile(&self, id: TileId, size: u64) -> Result<Option<Tile>, FolderError> {
        let width = id.width(size);
        let full = (TILE_WIDTH, id.to_string());
        for (has, path) in [full, (width, partial(id, width))] {
            match fs::read(self.path.join(&path)) {
                Ok(bytes) => {
                    let tile = Tile::from_bytes(id, &bytes, &[]).filter(|tile| tile.hashes.len() as u64 == has);
                    let mut tile = tile.ok_or(FolderError::Tile { path })?;
                    tile.hashes.truncate(usize::try_from(width).unwrap_or(usize::MAX));
                    return Ok(Some(tile));
                }
                Err(error) if error.kind() == ErrorKind::NotFound => {}
                Err(error) => return Err(self.failed(&path, error)),
            }
        }
        Ok(None)
    }

    /// Writes a tile, and sees to it that it is on the disk.
    ///
    /// # Errors
    /// [`FolderError::Differs`] if the tile was published with other hashes; then nothing is written.
    pub fn put_tile(&self, tile: &Tile) -> Result<(), FolderError> {
        self.check()?;
        let (width, path) = (tile.hashes.len() as u64, tile.id.to_string());
        let name = if width == TILE_WIDTH { path.clone() } else { partial(tile.id, width) };
        match fs::read(self.path.join(&name)) {
            Ok(bytes) if bytes == tile.hash_bytes() => return Ok(()),
            // What an interrupted write left is shorter.
            Ok(bytes) if bytes.len() == tile.hash_bytes().len() => return Err(FolderError::Differs { path: name }),
            _ => {}
        }
        self.replace(&name, &tile.hash_bytes())?;
        if width == TILE_WIDTH {
            // What is a part of it is of no use any more.
            match fs::remove_dir_all(self.path.join(format!("{path}.p"))) {
                Err(error) if error.kind() != ErrorKind::NotFound => return Err(self.failed(&path, error)),
                _ => {}
            }
        }
        Ok(())
    }

    /// Publishes a checkpoint of so many entries, whose tiles are there, unless the last one has more: another process was quicker.
    ///
    /// # Errors
    /// [`FolderError`] if another process publishes just then, or a file cannot be written.
    pub fn put_checkpoint(&self, note: &SignedNote, size: u64) -> Result<(), FolderError> {
        self.check()?;
        let lock = File::create(self.path.join(LOCK)).map_err(|error| self.failed(LOCK, error))?;
        lock.lock().map_err(|error| self.failed(LOCK, error))?;
        let last = self.last()?.and_then(|last| last.text().parse::<Checkpoint>().ok());
        if last.is_some_and(|last| last.size > size) {
            return Ok(());
        }
        let append = || {
            let mut file = OpenOptions::new()
                .create(true)
                .read(true)
                .write(true)
                .truncate(false)
                .open(self.path.join(CHECKPOINTS))?;
            // It grows for years: its end is enough, in which there is a whole note at least.
            let begun = file.metadata()?.len().saturating_sub(END);
            let mut bytes = Vec::new();
            file.seek(SeekFrom::Start(begun))?;
            file.read_to_end(&mut bytes)?;
            // What an interrupted write left behind the last whole note is none.
            let end = begun + whole_notes(&bytes) as u64;
            file.set_len(end)?;
            file.seek(SeekFrom::Start(end))?;
            file.write_all(format!("{note}\n").as_bytes())?;
            file.sync_all()
        };
        append().map_err(|error| self.failed(CHECKPOINTS, error))?;
        self.replace(CHECKPOINT, note.to_string().as_bytes())
    }

    fn check(&self) -> Result<(), FolderError> {
        if self.path.is_dir() { Ok(()) } else { Err(FolderError::Missing { path: self.path.clone() }) }
    }

    /// Writes a file whole, or leaves the one that is there.
    fn replace(&self, name: &str, bytes: &[u8]) -> Result<(), FolderError> {
        let path = self.path.join(name);
        let beside = path.with_added_extension("new");
        let write = || {
            if let Some(folder) = path.parent() {
                fs::create_dir_all(folder)?;
            }
            let mut file = File::create(&beside)?;
            file.write_all(bytes)?;
            file.sync_all()?;
            fs::rename(&beside, &path)?;
            match path.parent() {
                #[cfg(unix)]
                Some(folder) => File::open(folder)?.sync_all(),
                _ => Ok(()),
            }
        };
        write().map_err(|error: io::Error| self.failed(name, error))
    }

    fn failed(&self, name: &str, source: io::Error) -> FolderError {
        FolderError::Io { path: self.path.join(name), source }
    }
}

fn partial(id: TileId, width: u64) -> String {
    format!("{id}.p/{width}")
}

/// How far notes are whole that stand one behind the other, each with an empty line behind its signatures.
fn whole_notes(notes: &[u8]) -> usize {
    let (mut whole, mut begun, mut at) = (0, 0, 0);
    for line in notes.split_inclusive(|byte| *byte == b'\n') {
        at += line.len();
        if line == b"\n" && has_signatures(&notes[begun..at - 1]) {
            (whole, begun) = (at, at);
        }
    }
    whole
}

/// Whether the last line is a signature, whole.
fn has_signatures(note: &[u8]) -> bool {
    let last = note.strip_suffix(b"\n").and_then(|note| note.rsplit(|byte| *byte == b'\n').next());
    last.is_some_and(|line| line.starts_with("\u{2014} ".as_bytes()))
}

/// A log cannot be published to a folder, or read from it.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum FolderError {
    /// The folder is not there.
    #[error("`{}` is no folder: is its disk mounted? Otherwise make it", path.display())]
    Missing {
        /// Where it should be.
        path: PathBuf,
    },
    /// A file cannot be read or written.
    #[error("`{}` cannot be read or written: {source}", path.display())]
    Io {
        /// Which one.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// A tile has not the hashes that it should have.
    #[error("the published `{path}` is no tile of this log")]
    Tile {
        /// Which one, in the folder.
        path: String,
    },
    /// A tile was published before, with other hashes.
    #[error("`{path}` was published with other hashes: what was sealed is not what it was; see `leadctl audit verify`")]
    Differs {
        /// Which one, in the folder.
        path: String,
    },
    /// A checkpoint is none.
    #[error("a published checkpoint cannot be read: {0}")]
    Checkpoint(#[from] InvalidNote),
}
