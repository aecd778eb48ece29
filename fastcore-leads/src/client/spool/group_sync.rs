use std::{
    collections::HashMap,
    io,
    panic::{self, AssertUnwindSafe},
    path::{Path, PathBuf},
    sync::{Arc, Condvar, Mutex, MutexGuard, OnceLock, PoisonError},
};

use super::Disk;

/// Flushes of folders, shared: of those who wait for one while another is under way, one flushes for all. A flush serves those who
/// came before it began, as what they renamed is in it.
#[derive(Default)]
pub(super) struct GroupSync {
    folders: Mutex<HashMap<PathBuf, Arc<Group>>>,
}

#[derive(Default)]
struct Group {
    state: Mutex<State>,
    ended: Condvar,
}

#[derive(Default)]
struct State {
    is_running: bool,
    next: Arc<Round>,
}

/// One flush, and what came of it.
type Round = OnceLock<Result<(), io::ErrorKind>>;

/// Folders that are remembered: there is one an hour.
const MAX_FOLDERS: usize = 64;

impl GroupSync {
    pub(super) fn sync(&self, folder: &Path, disk: &dyn Disk) -> io::Result<()> {
        let group = {
            let mut folders = lock(&self.folders);
            if folders.len() >= MAX_FOLDERS {
                folders.retain(|_, group| Arc::strong_count(group) > 1);
            }
            Arc::clone(folders.entry(folder.to_owned()).or_default())
        };
        group.sync(|| disk.sync_folder(folder))
    }
}

impl Group {
    fn sync(&self, flush: impl FnOnce() -> io::Result<()>) -> io::Result<()> {
        let mut state = lock(&self.state);
        let mine = Arc::clone(&state.next);
        loop {
            if let Some(done) = mine.get() {
                return done.map_err(io::Error::from);
            }
            if !state.is_running {
                break;
            }
            state = self.ended.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
        state.is_running = true;
        let round = std::mem::take(&mut state.next);
        drop(state);
        // Whoever waits for this round is told, also where the flush ends in a panic.
        let flushed = panic::catch_unwind(AssertUnwindSafe(flush))
            .unwrap_or_else(|_| Err(io::Error::other("a fault while flushing a folder")));
        // Nobody else sets it: who runs a round has taken it out.
        let _ = round.set(flushed.as_ref().copied().map_err(io::Error::kind));
        lock(&self.state).is_running = false;
        self.ended.notify_all();
        flushed
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
