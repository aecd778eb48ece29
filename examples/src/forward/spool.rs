use std::{
    fs::{self, File, OpenOptions},
    io::{self, Write},
    os::unix::fs::{DirBuilderExt, OpenOptionsExt},
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, SystemTime},
};

use metrics::{counter, gauge};
use uuid::Uuid;

use super::{Envelope, Undeliverable};
use crate::metrics::{SPOOL_AGE, SPOOL_LEADS, SPOOL_REFUSED, SPOOLED};

const DRAFT: &str = "draft";
/// A draft that is older belongs to a process that died: nobody was told that its lead is safe.
const STALE: Duration = Duration::from_secs(3600);

/// Where in the spool.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    /// To be delivered.
    Waiting,
    /// Kept for a person to look at.
    Refused,
}

/// Leads on disk, a file each, named by the request id. A lead that was put is on the disk, not only in its cache.
///
/// A request id follows from the content, so files of one name hold the same: processes that share a folder can put and
/// remove what they like, and nothing is lost.
pub(super) struct Spool {
    folder: Arc<Folder>,
}

struct Folder {
    waiting: PathBuf,
    refused: PathBuf,
    capacity: usize,
    /// How many wait, as far as this process knows; the worker counts anew.
    waiting_leads: AtomicUsize,
}

impl Spool {
    pub(super) fn open(path: &Path, capacity: usize) -> io::Result<Self> {
        let refused = path.join("refused");
        fs::DirBuilder::new().recursive(true).mode(0o700).create(&refused)?;
        let folder = Folder { waiting: path.to_owned(), refused, capacity, waiting_leads: AtomicUsize::new(0) };
        for made in path.ancestors().take(2) {
            sync(if made.as_os_str().is_empty() { Path::new(".") } else { made })?;
        }
        folder.remove_stale_drafts()?;
        folder.report()?;
        Ok(Self { folder: Arc::new(folder) })
    }

    /// Keeps a lead; returns once it is on the disk.
    pub(super) async fn put(&self, envelope: Envelope, place: Place) -> Result<(), Undeliverable> {
        let request_id = envelope.request_id();
        self.blocking(move |folder| folder.put(&envelope, place)).await.map_err(|error| {
            tracing::error!(%request_id, kind = %error.kind(), "a lead cannot be spooled: look at the disk");
            Undeliverable
        })
    }

    /// The files that wait, the oldest first.
    pub(super) async fn waiting(&self) -> io::Result<Vec<PathBuf>> {
        self.blocking(Folder::report).await
    }

    /// Reads a file. `None` where it is not there any more, or holds no lead and was put aside.
    pub(super) async fn read(&self, path: PathBuf) -> io::Result<Option<Envelope>> {
        self.blocking(move |folder| match fs::read(&path) {
            Ok(bytes) => match Envelope::from_bytes(&bytes) {
                Some(envelope) => Ok(Some(envelope)),
                None => folder.refuse(&path).map(|()| None),
            },
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        })
        .await
    }

    /// Takes a file that is delivered out of the spool.
    pub(super) async fn remove(&self, path: PathBuf) -> io::Result<()> {
        self.blocking(move |_| match fs::remove_file(&path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            _ => Ok(()),
        })
        .await
    }

    /// Puts a file aside for a person to look at.
    pub(super) async fn refuse(&self, path: PathBuf) -> io::Result<()> {
        self.blocking(move |folder| folder.refuse(&path)).await
    }

    async fn blocking<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Folder) -> io::Result<T> + Send + 'static,
    ) -> io::Result<T> {
        let folder = Arc::clone(&self.folder);
        tokio::task::spawn_blocking(move || work(&folder)).await.unwrap_or_else(|error| Err(io::Error::other(error)))
    }
}

impl Folder {
    fn put(&self, envelope: &Envelope, place: Place) -> io::Result<()> {
        let folder = if place == Place::Waiting { &self.waiting } else { &self.refused };
        let path = folder.join(format!("{}.json", envelope.request_id()));
        if path.try_exists()? {
            return sync(folder);
        }
        if place == Place::Waiting && self.waiting_leads.load(Ordering::Relaxed) >= self.capacity {
            return Err(io::ErrorKind::StorageFull.into());
        }
        let draft = folder.join(format!("{}.{DRAFT}", Uuid::now_v7()));
        if let Err(error) = write(&draft, &envelope.to_bytes()).and_then(|()| fs::rename(&draft, &path)) {
            let _ = fs::remove_file(&draft);
            return Err(error);
        }
        counter!(SPOOLED).increment(1);
        match place {
            Place::Waiting => {
                self.waiting_leads.fetch_add(1, Ordering::Relaxed);
                gauge!(SPOOL_LEADS).increment(1.0);
            }
            Place::Refused => gauge!(SPOOL_REFUSED).increment(1.0),
        }
        sync(folder)
    }

    fn refuse(&self, path: &Path) -> io::Result<()> {
        let name = path.file_name().unwrap_or_default();
        fs::rename(path, self.refused.join(name))?;
        sync(&self.refused)?;
        sync(&self.waiting)
    }

    /// Counts what there is, for the metrics, and answers the files that wait, the oldest first.
    #[allow(clippy::cast_precision_loss, reason = "as many files fit in no folder")]
    fn report(&self) -> io::Result<Vec<PathBuf>> {
        let mut waiting = leads_in(&self.waiting)?;
        waiting.sort();
        let oldest = waiting.first().and_then(|(modified, _)| modified.elapsed().ok()).unwrap_or_default();
        self.waiting_leads.store(waiting.len(), Ordering::Relaxed);
        gauge!(SPOOL_LEADS).set(waiting.len() as f64);
        gauge!(SPOOL_AGE).set(oldest.as_secs_f64());
        gauge!(SPOOL_REFUSED).set(leads_in(&self.refused)?.len() as f64);
        Ok(waiting.into_iter().map(|(_, path)| path).collect())
    }

    fn remove_stale_drafts(&self) -> io::Result<()> {
        for folder in [&self.waiting, &self.refused] {
            for (modified, path) in files_in(folder, DRAFT)? {
                if modified.elapsed().is_ok_and(|age| age > STALE) {
                    fs::remove_file(path)?;
                }
            }
        }
        Ok(())
    }
}

fn leads_in(folder: &Path) -> io::Result<Vec<(SystemTime, PathBuf)>> {
    files_in(folder, "json")
}

fn files_in(folder: &Path, extension: &str) -> io::Result<Vec<(SystemTime, PathBuf)>> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.extension().is_some_and(|found| found == extension) {
            match fs::metadata(&path) {
                Ok(metadata) => found.push((metadata.modified()?, path)),
                // Delivered by another process meanwhile.
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) => return Err(error),
            }
        }
    }
    Ok(found)
}

fn write(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
    file.write_all(bytes)?;
    file.sync_all()
}

/// A name is on the disk once its folder is.
fn sync(folder: &Path) -> io::Result<()> {
    File::open(folder)?.sync_all()
}
