//! What the spool asks of a disk, and what it says where the disk fails.

use std::{
    collections::HashSet,
    fs::File,
    io,
    path::Path,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use fastcore_leads::client::{Client, Delivery, Disk, Spool, SpoolOptions, StdDisk};
use tokio::task::JoinSet;

use super::{Fake, counts, files, folder, lead};

const MESSAGE: &str = "Notre cabine de peinture perd de la pression.";

/// A disk that tells what it did, and fails where it is told to.
#[derive(Clone, Default)]
struct Watched {
    steps: Arc<Mutex<Vec<String>>>,
    fault: Arc<Mutex<Option<(&'static str, io::ErrorKind)>>>,
    folder_flush_takes: Duration,
}

impl Watched {
    fn step(&self, step: &'static str, path: Option<&Path>) -> io::Result<()> {
        let is_draft = path.and_then(Path::extension).is_some_and(|kind| kind == "draft");
        let name = path.and_then(Path::file_name).unwrap_or_default().to_string_lossy().into_owned();
        let name = if is_draft { "draft".to_owned() } else { name };
        self.steps.lock().unwrap().push(format!("{step} {name}").trim().to_owned());
        match *self.fault.lock().unwrap() {
            Some((at, kind)) if at == step => Err(kind.into()),
            _ => Ok(()),
        }
    }

    fn fails(&self, at: Option<(&'static str, io::ErrorKind)>) {
        *self.fault.lock().unwrap() = at;
    }

    fn client(&self, fake: &Fake, folder: &Path) -> Client {
        fake.client().spool(Spool::open(folder, SpoolOptions::new().disk(self.clone())).unwrap()).start()
    }
}

impl Disk for Watched {
    fn create(&self, path: &Path) -> io::Result<File> {
        self.step("create", Some(path))?;
        StdDisk.create(path)
    }

    fn write(&self, file: &mut File, bytes: &[u8]) -> io::Result<()> {
        // Half of it is there when the disk is full.
        StdDisk.write(file, &bytes[..bytes.len() / 2])?;
        self.step("write", None)?;
        StdDisk.write(file, &bytes[bytes.len() / 2..])
    }

    fn sync(&self, file: &File) -> io::Result<()> {
        self.step("sync", None)?;
        StdDisk.sync(file)
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.step("rename", Some(to))?;
        StdDisk.rename(from, to)
    }

    fn sync_folder(&self, path: &Path) -> io::Result<()> {
        std::thread::sleep(self.folder_flush_takes);
        self.step("sync_folder", Some(path))?;
        StdDisk.sync_folder(path)
    }
}

#[tokio::test]
async fn a_lead_is_written_flushed_renamed_and_its_folders_flushed_before_it_is_confirmed() {
    let (_dir, folder) = folder();
    let disk = Watched::default();
    let client = disk.client(&Fake::away(), &folder);
    disk.steps.lock().unwrap().clear();
    let delivery = client.deliver(&lead(MESSAGE)).await.unwrap();
    let name = format!("{}.json", delivery.request_id());
    let hour = "2024-01-03T10";
    let steps = disk.steps.lock().unwrap().clone();
    // The first one finds that there is no folder for its hour yet.
    let made = steps.iter().rposition(|step| step == "create draft").unwrap();
    let (before, steps) = steps.split_at(made);
    assert!(before.iter().all(|step| step == "create draft" || step.starts_with("sync_folder")), "{before:?}");
    let expected = [
        "create draft".to_owned(),
        "write".to_owned(),
        "sync".to_owned(),
        format!("rename {name}"),
        format!("sync_folder {hour}"),
        "sync_folder spool".to_owned(),
    ];
    assert_eq!(steps, expected);

    // The same again finds a file that another process may not have flushed yet.
    let again = lead(MESSAGE);
    client.deliver(&again).await.unwrap();
    disk.steps.lock().unwrap().clear();
    client.deliver(&again).await.unwrap();
    assert_eq!(*disk.steps.lock().unwrap(), expected[4..]);
}

#[tokio::test]
async fn a_disk_that_fails_at_any_step_loses_no_lead_that_was_confirmed() {
    for kind in [io::ErrorKind::StorageFull, io::ErrorKind::Other, io::ErrorKind::ReadOnlyFilesystem] {
        for step in ["create", "write", "sync", "rename", "sync_folder"] {
            let (_dir, folder) = folder();
            std::fs::create_dir_all(folder.join("2024-01-03T10")).unwrap();
            std::fs::write(folder.join("2024-01-03T10/notes.txt"), "so that the folder stays").unwrap();
            let disk = Watched::default();
            let fake = Fake::away();
            let client = disk.client(&fake, &folder);
            let first = lead(MESSAGE);
            disk.fails(Some((step, kind)));
            assert!(client.deliver(&first).await.is_err(), "{step} {kind}: it is not confirmed");
            let left = files(&folder);
            assert!(left.iter().all(|file| file.extension().is_none_or(|kind| kind != "draft")), "{step}: {left:?}");
            // Only where the name was there already, and may have got to the disk.
            assert_eq!(counts(&folder).0, usize::from(step == "sync_folder"), "{step} {kind}");
            disk.fails(None);
            let delivery = client.deliver(&first).await.unwrap();
            assert!(matches!(delivery, Delivery::Spooled { .. }));
            assert_eq!(counts(&folder), (1, 0), "{step} {kind}");
            fake.is_back();
            super::until("it is delivered", || fake.messages() == [MESSAGE]).await;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn leads_that_come_together_share_the_flushes_of_their_folder() {
    const LEADS: usize = 48;
    let (_dir, folder) = folder();
    let disk = Watched { folder_flush_takes: Duration::from_millis(20), ..Watched::default() };
    let client = disk.client(&Fake::away(), &folder);
    client.deliver(&lead("Le premier message fait le dossier.")).await.unwrap();
    disk.steps.lock().unwrap().clear();
    let mut calls = JoinSet::new();
    let done = Arc::new(AtomicUsize::new(0));
    for number in 0..LEADS {
        let (client, done) = (client.clone(), Arc::clone(&done));
        calls.spawn(async move {
            client.deliver(&lead(&format!("{MESSAGE} Numéro {number}."))).await.unwrap();
            done.fetch_add(1, Ordering::Relaxed);
        });
    }
    calls.join_all().await;
    let steps = disk.steps.lock().unwrap().clone();
    let count = |step: &str| steps.iter().filter(|found| *found == step).count();
    assert_eq!((count("sync"), done.load(Ordering::Relaxed)), (LEADS, LEADS));
    let flushes = count("sync_folder 2024-01-03T10");
    assert!((1..=LEADS / 2).contains(&flushes), "{flushes} flushes of the folder for {LEADS} leads");
    assert_eq!(counts(&folder), (LEADS + 1, 0));
    let names: HashSet<_> = files(&folder).into_iter().collect();
    assert!(names.len() > LEADS);
}

#[tokio::test]
async fn a_failed_flush_fails_everybody_whom_it_was_to_serve() {
    let (_dir, folder) = folder();
    let disk = Watched { folder_flush_takes: Duration::from_millis(50), ..Watched::default() };
    let client = disk.client(&Fake::away(), &folder);
    disk.fails(Some(("sync_folder", io::ErrorKind::Other)));
    let mut calls = JoinSet::new();
    for number in 0..16 {
        let client = client.clone();
        calls.spawn(async move { client.deliver(&lead(&format!("{MESSAGE} Numéro {number}."))).await });
    }
    assert!(calls.join_all().await.iter().all(Result::is_err));
}
