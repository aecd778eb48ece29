use std::{
    io,
    sync::{Mutex, MutexGuard, PoisonError},
};

/// A number of files and their bytes. What this process writes and removes is in it at once; what others do, from the next count on.
#[derive(Default)]
pub(super) struct Tally {
    state: Mutex<State>,
}

#[derive(Clone, Copy, Default)]
struct State {
    held: Amount,
    /// Of those, what has no file yet.
    being_written: Amount,
    /// What was ever written, and removed.
    written: Amount,
    removed: Amount,
}

#[derive(Clone, Copy, Default)]
struct Amount {
    leads: u64,
    bytes: u64,
}

/// Room for one file. Given back when dropped, unless it is used.
pub(super) struct Room<'a> {
    tally: &'a Tally,
    bytes: u64,
    is_used: bool,
}

/// What was written and removed before a count began.
#[derive(Clone, Copy)]
pub(super) struct Begun {
    written: Amount,
    removed: Amount,
}

impl Tally {
    /// Takes room for one file.
    pub(super) fn take(&self, bytes: u64, max_leads: u64, max_bytes: u64) -> io::Result<Room<'_>> {
        let mut state = self.lock();
        if state.held.leads >= max_leads || state.held.bytes + bytes > max_bytes {
            return Err(io::ErrorKind::QuotaExceeded.into());
        }
        state.held.add(bytes);
        state.being_written.add(bytes);
        Ok(Room { tally: self, bytes, is_used: false })
    }

    /// One file more, which is there already, whatever the bounds are.
    pub(super) fn add(&self, bytes: u64) {
        let mut state = self.lock();
        state.held.add(bytes);
        // A count that is under way may have missed it.
        state.written.add(bytes);
    }

    /// One file less.
    pub(super) fn let_go(&self, bytes: u64) {
        let mut state = self.lock();
        state.held.subtract(bytes);
        state.removed.add(bytes);
    }

    pub(super) fn begin_count(&self) -> Begun {
        let State { written, removed, .. } = *self.lock();
        Begun { written, removed }
    }

    /// Takes over what was counted. The count may have missed what was written meanwhile or is being written, and have seen what was
    /// removed meanwhile: within these bounds what is known here holds.
    pub(super) fn end_count(&self, begun: Begun, leads: u64, bytes: u64) {
        let mut state = self.lock();
        let State { held, being_written, written, removed } = *state;
        let between = |held: u64, counted: u64, removed: u64, written: u64| {
            held.clamp(counted.saturating_sub(removed), counted + written)
        };
        state.held = Amount {
            leads: between(
                held.leads,
                leads,
                removed.leads - begun.removed.leads,
                written.leads - begun.written.leads + being_written.leads,
            ),
            bytes: between(
                held.bytes,
                bytes,
                removed.bytes - begun.removed.bytes,
                written.bytes - begun.written.bytes + being_written.bytes,
            ),
        };
    }

    pub(super) fn get(&self) -> (u64, u64) {
        let held = self.lock().held;
        (held.leads, held.bytes)
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Room<'_> {
    /// The file is there.
    pub(super) fn keep(mut self) {
        self.is_used = true;
    }
}

impl Drop for Room<'_> {
    fn drop(&mut self) {
        let mut state = self.tally.lock();
        state.being_written.subtract(self.bytes);
        if self.is_used {
            state.written.add(self.bytes);
        } else {
            state.held.subtract(self.bytes);
        }
    }
}

impl Amount {
    fn add(&mut self, bytes: u64) {
        self.leads += 1;
        self.bytes += bytes;
    }

    fn subtract(&mut self, bytes: u64) {
        self.leads = self.leads.saturating_sub(1);
        self.bytes = self.bytes.saturating_sub(bytes);
    }
}
