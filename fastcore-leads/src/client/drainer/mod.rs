//! Empties the spool, hour by hour, with pauses that grow while FASTCore is down.

mod files;

use std::{
    collections::HashMap,
    io,
    panic::AssertUnwindSafe,
    path::PathBuf,
    pin::pin,
    sync::{Arc, atomic::Ordering},
    time::{Duration, Instant},
};

use chrono::Utc;
use futures_util::{FutureExt, StreamExt, future, stream::FuturesUnordered};
use tokio::time::sleep;

use self::files::Files;
use super::{
    AsideReason, Shared, Spool,
    answer::Verdict,
    spool::{Counts, File, Found, Tended, Walk},
};
use crate::jitter;

pub(super) struct Settings {
    pub(super) aside_after: Duration,
    pub(super) longest_pause: Duration,
}

const FIRST_PAUSE: Duration = Duration::from_millis(250);
/// How often an empty spool is looked into: another process may have left something.
const IDLE: Duration = Duration::from_secs(5);
/// How often the lock is touched, and looked at.
const TICK: Duration = Duration::from_millis(500);
/// How often files are counted that nobody goes through: other processes put and remove too.
const COUNT_EVERY: Duration = Duration::from_secs(60);
/// So many leads in a row that cannot be delivered end a round: the others would fare alike.
const MAX_FAILURES: usize = 3;
/// Leads that are sent at once, at most: it begins with one, and each that gets through makes room for one more.
const MAX_AT_ONCE: usize = 64;
/// Leads whose failures are remembered.
const MAX_REMEMBERED: usize = 10_000;
/// A lead that FASTCore has a fault with is tried so often at least.
const MIN_TRIES: u32 = 5;

/// How a round ended.
enum Round {
    /// Nothing is left.
    Empty,
    /// Something is left, though something was delivered.
    Going,
    /// Nothing was delivered; FASTCore asked to wait so long at least.
    Stuck(Duration),
    /// Somebody else delivers.
    NotOurs,
}

pub(super) async fn run(shared: Arc<Shared>, settings: Settings) {
    let Some(spool) = shared.spool.clone() else { return };
    // Given up also where this task is dropped, so that the next one need not wait.
    let _release = Release(spool.clone());
    let longest_pause = settings.longest_pause;
    let mut drainer = Drainer {
        shared: &shared,
        spool,
        settings,
        failures: HashMap::new(),
        tries: 0,
        has_told_of_keys: false,
        counted: None,
        tended: None,
    };
    let mut pause = FIRST_PAUSE;
    loop {
        // A fault in one round must not end the delivery for good.
        let round = AssertUnwindSafe(drainer.round()).catch_unwind().await.unwrap_or_else(|_| {
            tracing::error!("a fault while delivering spooled leads; they are tried again");
            Round::Stuck(longest_pause)
        });
        let rest = match round {
            Round::Empty => {
                pause = FIRST_PAUSE;
                // Whoever comes next finds out by himself whether FASTCore answers.
                shared.breaker.succeeded();
                drainer.rest_unless_woken(IDLE).await;
                continue;
            }
            Round::NotOurs => TICK,
            Round::Going => {
                pause = FIRST_PAUSE;
                jitter::around(pause)
            }
            Round::Stuck(asked) => {
                let rest = jitter::around(pause).max(asked);
                pause = (pause * 2).min(longest_pause);
                rest
            }
        };
        drainer.rest(rest).await;
    }
}

struct Release(Spool);

impl Drop for Release {
    fn drop(&mut self) {
        self.0.release_lock();
    }
}

struct Drainer<'a> {
    shared: &'a Arc<Shared>,
    spool: Spool,
    settings: Settings,
    /// Leads that failed, by file: they are tried behind those that did not, and those first that were tried longest ago, so that leads that
    /// FASTCore stumbles over, however many there are, do not keep the others back.
    failures: HashMap<PathBuf, Failure>,
    /// Leads that were tried since the start.
    tries: u64,
    has_told_of_keys: bool,
    counted: Option<Instant>,
    /// When the lock was last looked after, and whether it is ours.
    tended: Option<(Instant, bool)>,
}

/// A lead that failed.
#[derive(Default)]
struct Failure {
    /// How many had been tried when it was last tried.
    tried: u64,
    /// FASTCore's faults with it since something else last came of it.
    faults: Option<Faults>,
    /// Since when it is known that it cannot be opened.
    locked: Option<Instant>,
}

struct Faults {
    tries: u32,
    since: Instant,
    /// How many had got through by then.
    got_through: u64,
}

/// What a round has come to.
#[derive(Default)]
struct Progress {
    asked: Duration,
    failures_in_a_row: usize,
    has_delivered: bool,
    at_once: usize,
}

impl Drainer<'_> {
    async fn round(&mut self) -> Round {
        if !self.holds_lock(false).await {
            self.count_if_due().await;
            return Round::NotOurs;
        }
        let walk = match self.spool.blocking(super::spool::Folder::waiting).await {
            Ok(walk) => walk,
            Err(error) => {
                tracing::error!(kind = %error.kind(), "the spool cannot be read: look at the disk");
                // What comes is not to be put there.
                self.shared.breaker.succeeded();
                return Round::Stuck(self.settings.longest_pause);
            }
        };
        let mut progress = Progress { at_once: 1, ..Progress::default() };
        let is_through = self.deliver_all(walk, &mut progress).await;
        let left = if is_through { self.count().await } else { self.count_if_due().await };
        match left {
            Some(counts) if counts.waiting == 0 => Round::Empty,
            _ if !self.tended.is_some_and(|(_, is_ours)| is_ours) => Round::NotOurs,
            _ if progress.has_delivered => Round::Going,
            _ => Round::Stuck(progress.asked),
        }
    }

    /// Delivers what waits, what failed before last. Returns whether it went through all of it.
    async fn deliver_all(&mut self, walk: Walk, progress: &mut Progress) -> bool {
        let mut files = Files::of(walk);
        let (shared, spool) = (Arc::clone(self.shared), self.spool.clone());
        let mut under_way = FuturesUnordered::new();
        let mut goes_on = true;
        loop {
            while goes_on && under_way.len() < progress.at_once {
                if !self.holds_lock(!under_way.is_empty()).await {
                    goes_on = false;
                    break;
                }
                let Some(file) = files.next(&spool, &self.failures).await else { break };
                self.count_try(&file.path);
                under_way.push(deliver(&shared, &spool, file));
            }
            let Some((file, came_to)) = under_way.next().await else { return goes_on };
            // Touched also while what was begun is ended.
            goes_on &= self.holds_lock(true).await;
            self.judge(&file, came_to, progress).await;
            goes_on &= progress.failures_in_a_row < MAX_FAILURES;
        }
    }

    /// A lead that fails is tried behind the others next time. Counted before it is tried: a fault counts too.
    fn count_try(&mut self, path: &PathBuf) {
        self.tries += 1;
        if self.failures.len() < MAX_REMEMBERED || self.failures.contains_key(path) {
            self.failures.entry(path.clone()).or_default().tried = self.tries;
        }
    }

    async fn judge(&mut self, file: &File, came_to: CameTo, progress: &mut Progress) {
        let verdict = match came_to {
            // Neither says anything of FASTCore.
            CameTo::Nothing => {
                self.failures.remove(&file.path);
                return;
            }
            CameTo::Locked => return self.judge_locked(file).await,
            CameTo::Verdict(verdict) => verdict,
        };
        match verdict {
            Verdict::Stored(_) | Verdict::Erased | Verdict::Refused(_) => {
                self.failures.remove(&file.path);
                progress.failures_in_a_row = 0;
                progress.has_delivered = true;
                progress.at_once = (progress.at_once + 1).min(MAX_AT_ONCE);
                return;
            }
            Verdict::Failing => self.judge_fault(file).await,
            Verdict::Unavailable(wait) => {
                progress.asked = progress.asked.max(wait.unwrap_or_default());
                self.forget_faults(file);
            }
            Verdict::Misconfigured | Verdict::Foreign => self.forget_faults(file),
        }
        progress.failures_in_a_row += 1;
        progress.at_once = 1;
    }

    /// FASTCore has a fault with this lead; perhaps always.
    async fn judge_fault(&mut self, file: &File) {
        let (got_through, aside_after) = (self.shared.got_through.load(Ordering::Relaxed), self.settings.aside_after);
        let Some(failure) = self.failures.get_mut(&file.path) else { return };
        let faults = failure.faults.get_or_insert(Faults { tries: 0, since: Instant::now(), got_through });
        faults.tries += 1;
        let is_hopeless =
            faults.tries >= MIN_TRIES && faults.since.elapsed() >= aside_after && faults.got_through < got_through;
        if is_hopeless {
            tracing::error!("FASTCore always has a fault with a lead that others get past; it is put aside");
            self.put_aside(file, AsideReason::Failing).await;
        }
    }

    /// It is encrypted under a key that is not here. Where several processes share the spool and get a new key one after the other, it will be.
    async fn judge_locked(&mut self, file: &File) {
        if !std::mem::replace(&mut self.has_told_of_keys, true) {
            tracing::error!(
                "spooled leads wait that are encrypted under a key that this process does not have: give it all keys"
            );
        }
        let Some(failure) = self.failures.get_mut(&file.path) else { return };
        if failure.locked.get_or_insert_with(Instant::now).elapsed() >= self.settings.aside_after {
            tracing::error!("a lead that cannot be decrypted here is put aside");
            self.put_aside(file, AsideReason::Unreadable).await;
        }
    }

    async fn put_aside(&mut self, file: &File, reason: AsideReason) {
        let path = file.path.clone();
        let moved = self.spool.blocking(move |folder| folder.put_aside(&path, reason));
        moved.await.unwrap_or_else(trouble);
        self.failures.remove(&file.path);
    }

    /// It was not FASTCore's fault this time: not always, then.
    fn forget_faults(&mut self, file: &File) {
        if let Some(failure) = self.failures.get_mut(&file.path) {
            failure.faults = None;
        }
    }

    /// Takes the lock, or keeps it. Where somebody wants it, it is given up once nothing is under way any more.
    async fn holds_lock(&mut self, is_under_way: bool) -> bool {
        match self.tended {
            Some((when, is_ours)) if is_ours && when.elapsed() < TICK => true,
            _ => {
                let tended = self.spool.blocking(move |folder| {
                    let tended = folder.lock.tend()?;
                    if tended == Tended::Wanted && !is_under_way {
                        folder.lock.release();
                    }
                    Ok(tended)
                });
                let is_ours = tended.await.map_or_else(
                    |error| {
                        tracing::error!(kind = %error.kind(), "the spool's lock cannot be written: look at the disk");
                        // To deliver needs no room, and makes some. Two that do so at once only do the work twice.
                        matches!(error.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded)
                    },
                    |tended| tended == Tended::Ours,
                );
                self.tended = Some((Instant::now(), is_ours));
                is_ours
            }
        }
    }

    /// Rests, and keeps the lock meanwhile.
    async fn rest(&mut self, how_long: Duration) {
        let end = Instant::now() + how_long;
        while let Some(left) = end.checked_duration_since(Instant::now()) {
            sleep(left.min(TICK)).await;
            self.holds_lock(false).await;
        }
    }

    async fn rest_unless_woken(&mut self, how_long: Duration) {
        let shared = Arc::clone(self.shared);
        future::select(pin!(shared.wake.notified()), pin!(self.rest(how_long))).await;
    }

    async fn count_if_due(&mut self) -> Option<Counts> {
        match self.counted {
            Some(when) if when.elapsed() < COUNT_EVERY => None,
            _ => self.count().await,
        }
    }

    /// Counts what there is, for the bounds and the metrics.
    async fn count(&mut self) -> Option<Counts> {
        self.counted = Some(Instant::now());
        let counted = self.spool.blocking(|folder| Ok((folder.count()?, folder.oldest()?))).await;
        let (counts, oldest) = counted.map_err(trouble).ok()?;
        if counts.waiting == 0 {
            self.failures.clear();
        }
        let age = oldest.and_then(|sent_at| (Utc::now() - sent_at).to_std().ok()).unwrap_or_default();
        self.shared.metrics.spool(counts);
        self.shared.metrics.oldest(age);
        Some(counts)
    }
}

/// What came of one file.
enum CameTo {
    /// It could not be read, or is not there any more.
    Nothing,
    /// It is encrypted under a key that is not here.
    Locked,
    Verdict(Verdict),
}

async fn deliver(shared: &Shared, spool: &Spool, file: File) -> (File, CameTo) {
    let path = file.path.clone();
    let (envelope, bytes) = match spool.blocking(move |folder| folder.read(&path)).await {
        Ok(Found::Lead(envelope, bytes)) => (envelope, bytes),
        Ok(Found::Locked) => return (file, CameTo::Locked),
        Ok(Found::Gone | Found::Aside) => return (file, CameTo::Nothing),
        Err(error) => {
            trouble(error);
            return (file, CameTo::Nothing);
        }
    };
    let verdict = shared.attempt(&envelope).await;
    let path = file.path.clone();
    let done = match verdict {
        Verdict::Stored(_) | Verdict::Erased => {
            tracing::info!(request_id = %envelope.request_id(), "spooled lead delivered");
            spool.blocking(move |folder| folder.remove(&path, bytes)).await
        }
        Verdict::Refused(reason) => spool.blocking(move |folder| folder.put_aside(&path, reason)).await,
        Verdict::Failing | Verdict::Unavailable(_) | Verdict::Misconfigured | Verdict::Foreign => Ok(()),
    };
    match done {
        Ok(()) => (file, CameTo::Verdict(verdict)),
        Err(error) => {
            trouble(error);
            (file, CameTo::Nothing)
        }
    }
}

#[allow(clippy::needless_pass_by_value, reason = "for map_err")]
fn trouble(error: io::Error) {
    tracing::error!(kind = %error.kind(), "a spooled lead cannot be read or removed: look at the disk");
}
