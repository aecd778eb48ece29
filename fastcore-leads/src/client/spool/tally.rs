use std::{
    io,
    sync::{Mutex, MutexGuard, PoisonError},
};

/// A number of files and their bytes. Near enough: other processes put and remove too, and it is counted anew from time to time.
/// Where it errs, it errs on the side of too many: a bound holds.
#[derive(Default)]
pub(super) struct Tally {
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    held: Amount,
    /// Of those, what has no file yet.
    being_written: Amount,
    /// What was ever written.
    written: Amount,
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

/// What was written before a count began.
#[derive(Clone, Copy)]
pub(super) struct Begun(Amount);

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
        self.lock().held.add(bytes);
    }

    /// One file less.
    pub(super) fn let_go(&self, bytes: u64) {
        self.lock().held.subtract(bytes);
    }

    pub(super) fn begin_count(&self) -> Begun {
        Begun(self.lock().written)
    }

    /// Takes over what was counted, and adds what the count may have missed: what was written meanwhile, and what is being written.
    pub(super) fn end_count(&self, begun: Begun, leads: u64, bytes: u64) {
        let mut state = self.lock();
        let State { being_written, written, .. } = *state;
        state.held.leads = leads + (written.leads - begun.0.leads) + being_written.leads;
        state.held.bytes = bytes + (written.bytes - begun.0.bytes) + being_written.bytes;
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
