use std::{borrow::Cow, fmt, fs, io, sync::Arc, time::Duration};

use chrono::{DateTime, Utc};
use serde::Deserialize;

use super::{Folder, Place, Spool, folder::contents, layout, layout::Walk, lock::Exclusive};
use crate::{
    client::envelope::Envelope,
    inbox::is_same_address,
    lead::{ConsentPolicy, Lead, RequestId},
    mask_email,
};

/// A draft that is younger may be under way.
const BEING_WRITTEN: Duration = Duration::from_secs(60);

/// A lead of a spool. `Debug` shows the address masked, and nothing else of the person.
#[derive(Clone, PartialEq)]
pub struct SpooledLead {
    place: Place,
    email: String,
    envelope: Envelope,
}

impl SpooledLead {
    /// Whether it waits, or why it does not.
    pub fn place(&self) -> Place {
        self.place
    }

    /// The id that it is sent under.
    pub fn request_id(&self) -> RequestId {
        self.envelope.request_id()
    }

    /// When the visitor sent it.
    pub fn sent_at(&self) -> DateTime<Utc> {
        self.envelope.sent_at()
    }

    /// The visitor's address.
    pub fn email(&self) -> &str {
        &self.email
    }

    /// Whether it is of this address, in any case.
    pub fn is_of(&self, email: &str) -> bool {
        is_same_address(&self.email, email)
    }

    /// The body of its request, JSON.
    pub fn body(&self) -> &[u8] {
        self.envelope.body()
    }

    /// The lead; none if it breaks a rule that is newer than the file.
    pub fn lead(&self) -> Option<Lead> {
        Lead::parse(self.body(), ConsentPolicy::Recorded).ok()
    }
}

impl fmt::Debug for SpooledLead {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SpooledLead")
            .field("place", &self.place)
            .field("request_id", &self.request_id())
            .field("email", &mask_email(&self.email))
            .finish_non_exhaustive()
    }
}

/// A file of a spool that holds no lead, or is encrypted under a key that is not here.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{file} holds no lead that can be read here: is its key missing?")]
pub struct Unreadable {
    /// Where it is.
    pub place: Place,
    /// The file's name.
    pub file: String,
}

/// What [`Spool::erase`] did.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SpoolErasure {
    /// The leads that were removed.
    pub erased: Vec<RequestId>,
    /// Files that cannot be read here: the address may be in them too.
    pub unreadable: usize,
}

impl Spool {
    /// Goes through all leads, those that wait first, by hour. What comes or goes meanwhile may be missed.
    ///
    /// # Errors
    /// What the file system says if the spool's folder cannot be read.
    pub fn leads(&self) -> io::Result<impl Iterator<Item = Result<SpooledLead, Unreadable>> + use<'_>> {
        let files = Walk::everything(&self.folder.root)?.filter(|file| !file.is_draft());
        Ok(files.filter_map(|file| self.folder.inspect(&file)))
    }

    /// Removes all leads of an address, in any case, drafts of them too, wherever they are. Waits until nobody delivers. What was
    /// under way before may be in FASTCore, or on its way into its database: erase it there afterwards. To be sure that none comes
    /// back, have FASTCore store the [leads](Self::leads) first, under their request ids, and then erase the person there: an erased
    /// request id is never stored again.
    ///
    /// # Errors
    /// What the file system says; nothing is half removed, and it may be called again. [`TimedOut`](io::ErrorKind::TimedOut) if the
    /// drainer does not let go within 30 s.
    pub fn erase(&self, email: &str) -> io::Result<SpoolErasure> {
        let mut exclusive = Exclusive::take(&self.folder.root, Arc::clone(&self.folder.options.disk))?;
        let mut erasure = SpoolErasure::default();
        for file in Walk::everything(&self.folder.root)? {
            exclusive.tend()?;
            match self.folder.inspect(&file) {
                Some(Ok(lead)) if lead.is_of(email) => {
                    match self.folder.options.disk.remove(&file.path) {
                        Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
                        removed => removed?,
                    }
                    // What is erased must not come back with a power cut.
                    file.path.parent().map_or(Ok(()), |folder| self.folder.sync(folder))?;
                    if !file.is_draft() {
                        erasure.erased.push(lead.request_id());
                    }
                }
                Some(Err(_)) if !file.is_draft() => erasure.unreadable += 1,
                // Half a lead may be of this person as well. One that is still being written is left alone.
                Some(Err(_)) => {
                    if let Ok(metadata) = fs::symlink_metadata(&file.path) {
                        layout::remove_if_older(&file.path, &metadata, BEING_WRITTEN);
                    }
                }
                _ => {}
            }
        }
        self.folder.count()?;
        Ok(erasure)
    }

    /// Has leads that were put aside delivered again: one of them, or all. Those that cannot be read stay where they are. Returns
    /// how many of them wait now.
    ///
    /// # Errors
    /// What the file system says; those that were moved wait, the others are where they were.
    /// [`TimedOut`](io::ErrorKind::TimedOut) as for [`erase`](Self::erase).
    pub fn retry(&self, request_id: Option<RequestId>) -> io::Result<usize> {
        // Nobody erases meanwhile, who would find a lead in neither place.
        let mut exclusive = Exclusive::take(&self.folder.root, Arc::clone(&self.folder.options.disk))?;
        let mut moved = 0;
        for file in Walk::everything(&self.folder.root)? {
            exclusive.tend()?;
            if file.is_draft() || file.place == Place::Waiting {
                continue;
            }
            let Some(Ok(lead)) = self.folder.inspect(&file) else { continue };
            if request_id.is_none_or(|request_id| request_id == lead.request_id()) {
                let folder = layout::folder_of(&self.folder.root, Place::Waiting, lead.sent_at());
                self.folder.move_to(&file.path, &folder)?;
                moved += 1;
            }
        }
        self.folder.count()?;
        Ok(moved)
    }
}

impl Folder {
    /// Reads a file, and leaves it where it is; nothing where it is gone.
    fn inspect(&self, file: &layout::File) -> Option<Result<SpooledLead, Unreadable>> {
        let bytes = match contents(&file.path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return None,
            read => read.ok().flatten(),
        };
        let lead = bytes.and_then(|bytes| self.open_file(&file.path, bytes)).and_then(|envelope| {
            let email = email(envelope.body())?;
            Some(SpooledLead { place: file.place, email, envelope })
        });
        let name = || file.path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        Some(lead.ok_or_else(|| Unreadable { place: file.place, file: name() }))
    }

    /// When the lead was sent that waits longest. Of the oldest hour's leads so many are looked at.
    pub(in crate::client) fn oldest(&self) -> io::Result<Option<DateTime<Utc>>> {
        const LOOKED_AT: usize = 64;
        let mut files = self.waiting()?.filter(|file| !file.is_draft()).peekable();
        let Some(hour) = files.peek().and_then(|file| file.path.parent()).map(std::path::Path::to_owned) else {
            return Ok(None);
        };
        let of_that_hour = files.take_while(|file| file.path.parent() == Some(&hour)).take(LOOKED_AT);
        // What cannot be read has waited since it was written, at least.
        let written_at = |file: &layout::File| {
            fs::metadata(&file.path).and_then(|metadata| metadata.modified()).ok().map(DateTime::from)
        };
        let waits_since =
            |file: layout::File| self.inspect(&file)?.map_or_else(|_| written_at(&file), |lead| Some(lead.sent_at()));
        Ok(of_that_hour.filter_map(waits_since).min())
    }
}

fn email(body: &[u8]) -> Option<String> {
    #[derive(Deserialize)]
    struct Body<'a> {
        #[serde(borrow)]
        email: Cow<'a, str>,
    }
    serde_json::from_slice::<Body<'_>>(body).ok().map(|body| body.email.into_owned())
}
