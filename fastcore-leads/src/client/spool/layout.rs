//! Which file is where.

use std::{
    collections::VecDeque,
    ffi::OsStr,
    fs::{self, FileType, Metadata, ReadDir},
    io,
    path::{Path, PathBuf},
    time::Duration,
};

use chrono::{DateTime, NaiveDateTime, Utc};
use uuid::Uuid;

use super::{AsideReason, Place};
use crate::lead::RequestId;

const DRAFT: &str = "draft";
const PLAIN: &str = "json";
const SEALED: &str = "sealed";
const ASIDE: &str = "refused";
const HOUR: &str = "%Y-%m-%dT%H";

/// A draft that is older belongs to a process that died: nobody was told that its lead is safe.
pub(super) const STALE: Duration = Duration::from_secs(3600);

/// Where a lead belongs that was sent at an instant.
pub(super) fn folder_of(root: &Path, place: Place, sent_at: DateTime<Utc>) -> PathBuf {
    match place {
        Place::Waiting => root.join(sent_at.format(HOUR).to_string()),
        Place::Aside(reason) => aside(root, reason),
    }
}

pub(super) fn aside(root: &Path, reason: AsideReason) -> PathBuf {
    root.join(ASIDE).join(reason.as_str())
}

pub(super) fn name_of(request_id: RequestId, is_sealed: bool) -> String {
    format!("{request_id}.{}", if is_sealed { SEALED } else { PLAIN })
}

/// A name for a lead that is being written: its own, something that nobody else has, and the word.
pub(super) fn draft_of(name: &str) -> String {
    format!("{name}.{}.{DRAFT}", Uuid::now_v7())
}

/// The name that a lead has or will have once it is written, and whether it is encrypted under that name.
pub(super) fn name_in(path: &Path) -> Option<(&str, bool)> {
    let name = path.file_name()?.to_str()?;
    let name = match name.strip_suffix(DRAFT).and_then(|rest| rest.strip_suffix('.')) {
        Some(rest) => rest.rsplit_once('.')?.0,
        None => name,
    };
    Some((name, has_extension(Path::new(name), SEALED)))
}

/// A file of the spool.
#[derive(Clone, Debug)]
pub(in crate::client) struct File {
    pub(in crate::client) path: PathBuf,
    pub(super) place: Place,
    is_draft: bool,
}

impl File {
    /// Whether it is being written, or was left behind by a process that died while it wrote.
    pub(in crate::client) fn is_draft(&self) -> bool {
        self.is_draft
    }
}

/// Goes through files one by one: one folder is open at a time, and no list is kept. What is no file of the spool (a folder of such a
/// name, a link, a person's notes) is passed over, and a folder that cannot be read too.
pub(in crate::client) struct Walk {
    folders: VecDeque<(PathBuf, Place)>,
    open: Option<(ReadDir, Place)>,
}

impl Walk {
    /// The leads that wait, by hour; first those that an earlier version left in the spool's own folder.
    pub(super) fn waiting(root: &Path) -> io::Result<Self> {
        let mut folders: Vec<PathBuf> = folders_in(root)?.filter(|path| is_hour(path)).collect();
        folders.sort();
        let folders = std::iter::once(root.to_owned()).chain(folders).map(|path| (path, Place::Waiting)).collect();
        Ok(Self { folders, open: None })
    }

    /// The leads that wait and those that were put aside.
    pub(super) fn everything(root: &Path) -> io::Result<Self> {
        let mut walk = Self::waiting(root)?;
        let aside_without_reason = (root.join(ASIDE), Place::Aside(AsideReason::Invalid));
        let aside = AsideReason::ALL.map(|reason| (aside(root, reason), Place::Aside(reason)));
        walk.folders.extend(std::iter::once(aside_without_reason).chain(aside));
        Ok(walk)
    }
}

impl Iterator for Walk {
    type Item = File;

    fn next(&mut self) -> Option<File> {
        loop {
            if let Some((open, place)) = &mut self.open {
                for entry in open.by_ref() {
                    let Ok(entry) = entry else { continue };
                    let path = entry.path();
                    let is_draft = has_extension(&path, DRAFT);
                    let is_lead = is_draft || has_extension(&path, PLAIN) || has_extension(&path, SEALED);
                    if is_lead && entry.file_type().is_ok_and(|kind| kind.is_file()) {
                        return Some(File { path, place: *place, is_draft });
                    }
                }
            }
            let (folder, place) = self.folders.pop_front()?;
            match fs::read_dir(&folder) {
                Ok(read) => self.open = Some((read, place)),
                Err(error) => {
                    self.open = None;
                    if error.kind() != io::ErrorKind::NotFound {
                        tracing::error!(kind = %error.kind(), "a folder of the spool cannot be read: look at the disk");
                    }
                }
            }
        }
    }
}

/// Removes a draft that nobody writes any more.
pub(super) fn remove_if_older(draft: &Path, metadata: &Metadata, than: Duration) {
    let age = metadata.modified().ok().and_then(|modified| modified.elapsed().ok());
    if age.is_some_and(|age| age > than) {
        let _ = fs::remove_file(draft);
    }
}

/// Removes the folders of hours that are over and empty: who writes into one meanwhile makes it again.
pub(super) fn remove_empty_folders(root: &Path) {
    let now = Utc::now().format(HOUR).to_string();
    let is_over = |path: &PathBuf| is_hour(path) && path.file_name().is_some_and(|name| name < OsStr::new(&now));
    for folder in folders_in(root).into_iter().flatten().filter(is_over) {
        // One that is not empty is not removed.
        let _ = fs::remove_dir(folder);
    }
}

fn folders_in(root: &Path) -> io::Result<impl Iterator<Item = PathBuf>> {
    let is_folder = |kind: io::Result<FileType>| kind.is_ok_and(|kind| kind.is_dir());
    Ok(fs::read_dir(root)?.flatten().filter(move |entry| is_folder(entry.file_type())).map(|entry| entry.path()))
}

fn is_hour(path: &Path) -> bool {
    let name = path.file_name().and_then(OsStr::to_str).unwrap_or_default();
    NaiveDateTime::parse_from_str(&format!("{name}:00"), &format!("{HOUR}:%M")).is_ok()
}

fn has_extension(path: &Path, extension: &str) -> bool {
    path.extension().is_some_and(|found| found == extension)
}
