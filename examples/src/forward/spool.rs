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
    /// How many there are, as far as this process knows; the worker counts anew.
    waiting_leads: AtomicUsize,
    refused_leads: AtomicUsize,
}

impl Spool {
    pub(super) fn open(path: &Path, capacity: usize) -> io::Result<Self> {
        let folder = Folder {
            waiting: path.to_owned(),
            refused: path.join("refused"),
            capacity,
            waiting_leads: AtomicUsize::new(0),
            refused_leads: AtomicUsize::new(0),
        };
        folder.make()?;
        folder.report()?;
        Ok(Self { folder: Arc::new(folder) })
    }

    /// Keeps a lead; returns once it is on the disk.
    pub(super) async fn put(&self, envelope: Envelope, place: Place) -> Result<(), Undeliverable> {
        let request_id = envelope.request_id();
        self.blocking(move |folder| folder.made(|folder| folder.put(&envelope, place))).await.map_err(|error| {
            tracing::error!(%request_id, kind = %error.kind(), "a lead cannot be spooled: look at the disk");
            Undeliverable
        })
    }

    /// The files that wait, the oldest first.
    pub(super) async fn waiting(&self) -> io::Result<Vec<PathBuf>> {
        self.blocking(|folder| folder.made(Folder::report)).await
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
        self.blocking(move |folder| {
            match fs::remove_file(&path) {
                Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
                removed => removed?,
            }
            folder.count_out();
            Ok(())
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
    /// Makes the folders where they are missing, for their owner alone, and sees to it that they are on the disk.
    fn make(&self) -> io::Result<()> {
        fs::DirBuilder::new().recursive(true).mode(0o700).create(&self.refused)?;
        for made in self.refused.ancestors().take(3) {
            sync(if made.as_os_str().is_empty() { Path::new(".") } else { made })?;
        }
        Ok(())
    }

    /// Does what needs the folders, once more where somebody took them away meanwhile.
    fn made<T>(&self, work: impl Fn(&Self) -> io::Result<T>) -> io::Result<T> {
        match work(self) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => self.make().and_then(|()| work(self)),
            done => done,
        }
    }

    fn put(&self, envelope: &Envelope, place: Place) -> io::Result<()> {
        let (folder, leads) = match place {
            Place::Waiting => (&self.waiting, &self.waiting_leads),
            Place::Refused => (&self.refused, &self.refused_leads),
        };
        let path = folder.join(format!("{}.json", envelope.request_id()));
        if path.try_exists()? {
            return sync(folder);
        }
        if leads.load(Ordering::Relaxed) >= self.capacity {
            return Err(io::ErrorKind::StorageFull.into());
        }
        let draft = folder.join(format!("{}.{DRAFT}", Uuid::now_v7()));
        if let Err(error) = write(&draft, &envelope.to_bytes()).and_then(|()| fs::rename(&draft, &path)) {
            let _ = fs::remove_file(&draft);
            return Err(error);
        }
        counter!(SPOOLED).increment(1);
        leads.fetch_add(1, Ordering::Relaxed);
        gauge!(if place == Place::Waiting { SPOOL_LEADS } else { SPOOL_REFUSED }).increment(1.0);
        sync(folder)
    }

    fn refuse(&self, path: &Path) -> io::Result<()> {
        let name = path.file_name().unwrap_or_default();
        self.made(|folder| match fs::rename(path, folder.refused.join(name)) {
            // Not the folder, but the lead: another process was faster.
            Err(error) if error.kind() == io::ErrorKind::NotFound && !path.exists() => Ok(()),
            moved => moved,
        })?;
        self.count_out();
        self.refused_leads.fetch_add(1, Ordering::Relaxed);
        gauge!(SPOOL_REFUSED).increment(1.0);
        sync(&self.refused)?;
        sync(&self.waiting)
    }

    /// One lead waits no more.
    fn count_out(&self) {
        let less = |leads: usize| leads.checked_sub(1);
        let _ = self.waiting_leads.fetch_update(Ordering::Relaxed, Ordering::Relaxed, less);
        gauge!(SPOOL_LEADS).decrement(1.0);
    }

    /// Tidies up, counts what there is, for the metrics, and answers the files that wait, the oldest first.
    #[allow(clippy::cast_precision_loss, reason = "as many files fit in no folder")]
    fn report(&self) -> io::Result<Vec<PathBuf>> {
        self.remove_stale_drafts()?;
        let mut waiting = leads_in(&self.waiting)?;
        waiting.sort();
        let oldest = waiting.first().and_then(|(modified, _)| modified.elapsed().ok()).unwrap_or_default();
        // A person works in there: what cannot be counted for now must not stop the delivery.
        let refused = leads_in(&self.refused).map_or(0, |refused| refused.len());
        self.waiting_leads.store(waiting.len(), Ordering::Relaxed);
        self.refused_leads.store(refused, Ordering::Relaxed);
        gauge!(SPOOL_LEADS).set(waiting.len() as f64);
        gauge!(SPOOL_AGE).set(oldest.as_secs_f64());
        gauge!(SPOOL_REFUSED).set(refused as f64);
        Ok(waiting.into_iter().map(|(_, path)| path).collect())
    }

    fn remove_stale_drafts(&self) -> io::Result<()> {
        for (modified, path) in files_in(&self.waiting, DRAFT)? {
            if modified.elapsed().is_ok_and(|age| age > STALE) {
                fs::remove_file(path)?;
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
