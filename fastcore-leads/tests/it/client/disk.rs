//! What the spool asks of a disk, and what it says where the disk fails.

use std::{
    fs::File,
    io,
    path::Path,
    sync::{Arc, Condvar, Mutex},
};

use fastcore_leads::client::{Client, Delivery, Disk, Spool, SpoolOptions, StdDisk};
use tokio::task::JoinSet;

use super::{Fake, counts, files, folder, lead, until};

const MESSAGE: &str = "Notre cabine de peinture perd de la pression.";

/// A disk that tells what it did, and fails where it is told to.
#[derive(Clone, Default)]
struct Watched {
    steps: Arc<Mutex<Vec<String>>>,
    fault: Arc<Mutex<Option<(&'static str, io::ErrorKind)>>>,
    /// While it is shut, no flush of a folder ends.
    is_shut: Arc<(Mutex<bool>, Condvar)>,
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

    fn shut(&self, is_shut: bool) {
        *self.is_shut.0.lock().unwrap() = is_shut;
        self.is_shut.1.notify_all();
    }

    fn flushes_go_on(&self) {
        let (is_shut, opened) = &*self.is_shut;
        drop(opened.wait_while(is_shut.lock().unwrap(), |is_shut| *is_shut).unwrap());
    }

    fn count(&self, step: &str) -> usize {
        self.steps.lock().unwrap().iter().filter(|found| *found == step).count()
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

    fn write_owner(&self, file: &mut File, owner: &[u8]) -> io::Result<()> {
        match *self.fault.lock().unwrap() {
            Some(("write", kind)) => Err(kind.into()),
            _ => StdDisk.write_owner(file, owner),
        }
    }

    fn sync(&self, file: &File) -> io::Result<()> {
        self.step("sync", None)?;
        StdDisk.sync(file)
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.step("rename", Some(to))?;
        StdDisk.rename(from, to)
    }

    fn make_folder(&self, path: &Path) -> io::Result<()> {
        self.step("make_folder", Some(path))?;
        StdDisk.make_folder(path)
    }

    fn sync_folder(&self, path: &Path) -> io::Result<()> {
        self.flushes_go_on();
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
    let makes_folders = |step: &String| step == "create draft" || step.contains("_folder ");
    assert!(before.iter().all(makes_folders), "{before:?}");
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
    let disk = Watched::default();
    let client = disk.client(&Fake::away(), &folder);
    client.deliver(&lead("Le premier message fait le dossier.")).await.unwrap();
    disk.steps.lock().unwrap().clear();
    // One flush begins, and the others come meanwhile: the next one is for all of them.
    disk.shut(true);
    let mut calls = JoinSet::new();
    for number in 0..LEADS {
        let client = client.clone();
        calls.spawn(async move { client.deliver(&lead(&format!("{MESSAGE} Numéro {number}."))).await.unwrap() });
    }
    super::until("all are written", || {
        disk.count("sync") == LEADS && files(&folder).iter().all(|file| !is_draft(file))
    })
    .await;
    assert_eq!(disk.count("sync_folder 2024-01-03T10"), 0, "none is confirmed before a flush");
    disk.shut(false);
    calls.join_all().await;
    let flushes = disk.count("sync_folder 2024-01-03T10");
    assert!((1..=3).contains(&flushes), "{flushes} flushes of the folder for {LEADS} leads");
    assert_eq!(counts(&folder), (LEADS + 1, 0));
}

fn is_draft(file: &Path) -> bool {
    file.extension().is_some_and(|kind| kind == "draft")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failed_flush_fails_everybody_whom_it_was_to_serve() {
    let (_dir, folder) = folder();
    std::fs::create_dir_all(folder.join("2024-01-03T10")).unwrap();
    std::fs::write(folder.join("2024-01-03T10/notes.txt"), "so that the folder stays").unwrap();
    let disk = Watched::default();
    let client = disk.client(&Fake::away(), &folder);
    disk.shut(true);
    disk.fails(Some(("sync_folder", io::ErrorKind::Other)));
    let mut calls = JoinSet::new();
    for number in 0..16 {
        let client = client.clone();
        calls.spawn(async move { client.deliver(&lead(&format!("{MESSAGE} Numéro {number}."))).await });
    }
    super::until("all are written", || disk.count("sync") == 16).await;
    disk.shut(false);
    assert!(calls.join_all().await.iter().all(Result::is_err));
}

#[tokio::test]
async fn a_folder_that_cannot_be_made_is_told_and_nothing_is_confirmed() {
    let (_dir, folder) = folder();
    let disk = Watched::default();
    let client = disk.client(&Fake::away(), &folder);
    disk.fails(Some(("make_folder", io::ErrorKind::StorageFull)));
    assert!(client.deliver(&lead(MESSAGE)).await.is_err());
    assert_eq!(counts(&folder), (0, 0));
    disk.fails(None);
    assert!(client.deliver(&lead(MESSAGE)).await.is_ok());
}

#[tokio::test]
async fn a_full_disk_takes_no_leads_and_still_empties() {
    let (_dir, folder) = folder();
    let (disk, fake) = (Watched::default(), Fake::away());
    drop({
        let client = disk.client(&fake, &folder);
        client.deliver(&lead(MESSAGE)).await.unwrap();
        client
    });
    disk.fails(Some(("write", io::ErrorKind::StorageFull)));
    let client = disk.client(&fake, &folder);
    // Neither goes it there, nor does it go through.
    client.deliver(&lead("Notre second message, que personne ne prend.")).await.unwrap_err();
    assert!(!client.takes_leads().await);
    fake.is_back();
    until("it is delivered", || fake.messages() == [MESSAGE] && counts(&folder) == (0, 0)).await;
}
