mod work;

use std::{fmt, sync::Arc, time::Duration};

use tokio::{
    sync::watch,
    task::JoinHandle,
    time::{Instant, sleep},
};

use self::work::Work;
pub(super) use self::work::blocking;
use super::{Folder, FolderError, InvalidCheckpoint, InvalidNote, NoteKey, WitnessError};
use crate::{
    burst::Burst,
    ingest::Commits,
    jitter, pace,
    store::{LeadLog, StoreError},
};

/// How often it looks for new rows.
const POLL: Duration = Duration::from_secs(1);
/// How long it rests after a pass at least where there is more.
const REST: Duration = Duration::from_millis(20);
/// How often it publishes at most: what is published is kept for years.
const PUBLISHING: Duration = Duration::from_secs(10);
/// How often it is measured how far it is behind.
const MEASURING: Duration = Duration::from_secs(5);
/// How long it rests where something is in its way.
const AFTER_FAILURE: Duration = Duration::from_secs(5);

/// Seals audit rows behind the ingest, and signs and publishes checkpoints.
///
/// Many processes may seal one log: each leaf is written by one of them. It works on a task of its own, and stops when it is dropped. In a
/// burst of leads, of more than 500 a second for up to a minute, the ingest goes first, and nothing is sealed.
///
/// What it signs extends what it or another signed before, as far as the database and the folder know; where it does not, as after a
/// restore, it signs nothing more and says so, until an operator starts a new origin. Leads are taken in all the same.
pub struct Sealer {
    stop: watch::Sender<bool>,
    task: JoinHandle<()>,
}

impl Sealer {
    /// Configures a sealer that signs with a key, whose name is the log's origin.
    pub fn builder(store: impl LeadLog + 'static, key: NoteKey) -> SealerBuilder {
        SealerBuilder {
            store: Arc::new(store),
            keys: vec![key],
            folder: None,
            publish_every: PUBLISHING,
            commits: Commits::new(),
            poll: POLL,
        }
    }

    /// Seals and signs what there is, up to some thousand rows, and returns once that is done.
    pub async fn shutdown(self) {
        self.stop.send_replace(true);
        // One that panicked has nothing to be waited for.
        let _ = self.task.await;
    }
}

impl fmt::Debug for Sealer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sealer").finish_non_exhaustive()
    }
}

/// Settings of a [`Sealer`].
pub struct SealerBuilder {
    store: Arc<dyn LeadLog>,
    keys: Vec<NoteKey>,
    folder: Option<Folder>,
    publish_every: Duration,
    commits: Arc<Commits>,
    poll: Duration,
}

impl SealerBuilder {
    /// Signs with another key as well: the next one, during a rotation. Its name may be another.
    pub fn also_signed_by(mut self, key: NoteKey) -> Self {
        self.keys.push(key);
        self
    }

    /// Publishes checkpoints and tiles to a folder. Default: checkpoints stay in the database, which does not keep its owner from
    /// computing all of it anew.
    pub fn publish(self, folder: Folder) -> Self {
        Self { folder: Some(folder), ..self }
    }

    /// How often it publishes at most: each time, one more checkpoint is kept for good. In between, the last checkpoint is in the
    /// database alone, from where receipts, [`GET /audit/checkpoint`](crate::AuditEndpoint) and
    /// [destinations](crate::outbox) have theirs. Default: every 10 s.
    pub fn publish_every(self, publish_every: Duration) -> Self {
        Self { publish_every, ..self }
    }

    /// Follows an ingest in the same process, by [`IngestBuilder::followed_by`](crate::IngestBuilder::followed_by), to know its bursts.
    pub fn follow(self, commits: Arc<Commits>) -> Self {
        Self { commits, ..self }
    }

    /// How often it looks for new rows, half as often or half as often again by chance. Default: 1 s.
    pub fn poll(self, poll: Duration) -> Self {
        Self { poll, ..self }
    }

    /// Seals and signs what there is, and returns how many entries the log has then. Another process may seal meanwhile.
    ///
    /// # Errors
    /// [`SealError`].
    pub async fn seal_all(self) -> Result<u64, SealError> {
        let work = self.work();
        loop {
            if !work.pass().await? {
                return work.publish(true).await;
            }
        }
    }

    /// Starts it.
    ///
    /// # Panics
    /// If called outside of a tokio runtime.
    pub fn start(self) -> Sealer {
        let (stop, stopped) = watch::channel(false);
        let (poll, burst) = (self.poll, Burst::of(Arc::clone(&self.commits)));
        Sealer { stop, task: tokio::spawn(run(self.work(), burst, poll, stopped)) }
    }

    fn work(self) -> Work {
        Work::new(self.store, self.keys, self.folder, self.publish_every)
    }
}

impl fmt::Debug for SealerBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SealerBuilder").field("keys", &self.keys).field("folder", &self.folder).finish_non_exhaustive()
    }
}

async fn run(work: Work, burst: Burst, poll: Duration, mut stopped: watch::Receiver<bool>) {
    let (mut failing, mut measured) = (None, None::<Instant>);
    loop {
        let is_last = *stopped.borrow();
        let started = Instant::now();
        let mut rest = jitter::around(poll);
        // In a burst nothing is tried: what was in the way may be so still.
        let mut has_changed = false;
        if !burst.is_on() || is_last {
            let result = work.step(is_last).await;
            match &result {
                // Beside those who send leads it is slower than where nobody does.
                Ok(true) if burst.is_busy() => rest = pace::rest_after(started, REST),
                Ok(true) => rest = REST,
                Ok(false) => {}
                Err(_) => rest = AFTER_FAILURE,
            }
            has_changed = tell(&mut failing, result.err().map(|error| error.to_string()));
        }
        if has_changed || is_last || measured.is_none_or(|at| at.elapsed() > MEASURING) {
            measured = Some(Instant::now());
            work.measure(failing.is_some()).await;
        }
        // What was written until then is sealed as well: nobody might do so for long.
        if is_last {
            return;
        }
        tokio::select! {
            () = sleep(rest) => {}
            asked = stopped.wait_for(|is_stopped| *is_stopped) => {
                if asked.is_err() {
                    return;
                }
            }
        }
    }
}

/// Says once what is in the way, and once that nothing is any more. Returns whether that has changed.
fn tell(failing: &mut Option<String>, now: Option<String>) -> bool {
    if *failing == now {
        return false;
    }
    if let Some(problem) = &now {
        tracing::error!("the audit log is not sealed: {problem}");
    } else {
        tracing::info!("the audit log is sealed again");
    }
    *failing = now;
    true
}

/// The log cannot be sealed, or its head is not one to sign.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SealError {
    /// The database cannot be asked.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// It cannot be published.
    #[error(transparent)]
    Folder(#[from] FolderError),
    /// What was signed before is not readable, or not of a key that is known here.
    #[error("what was signed before: {0}")]
    Checkpoint(#[from] InvalidCheckpoint),
    /// The head does not extend what was signed before.
    #[error("{0}. Nothing is signed until an operator starts a new origin (`leadctl audit restart`)")]
    Fork(#[from] WitnessError),
    /// What was signed before is of another origin.
    #[error(
        "what was signed before is of the origin `{origin}`: use its key, or start a new origin (`leadctl audit restart`)"
    )]
    OtherOrigin {
        /// Which one.
        origin: String,
    },
    /// The log was begun anew since it had this origin.
    #[error("the log was begun anew since it had the origin `{origin}`: seal it with a key of another name")]
    FormerOrigin {
        /// Which one.
        origin: String,
    },
    /// Hashes of the tree are missing.
    #[error("hashes of the tree are missing in the database: see `leadctl audit verify`")]
    Torn,
    /// The head cannot be signed.
    #[error(transparent)]
    Note(#[from] InvalidNote),
    /// No salt can be made.
    #[error("the system has no random numbers")]
    NoRandomness,
}
