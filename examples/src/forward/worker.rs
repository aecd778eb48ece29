//! Empties the spool: the oldest lead first, with pauses that grow while FASTCore is down.

use std::{
    collections::{HashMap, HashSet},
    panic::AssertUnwindSafe,
    path::{Path, PathBuf},
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

use futures_util::FutureExt;
use tokio::time::{sleep, timeout};

use super::{
    Shared,
    client::{Outcome, jittered},
};

const FIRST_PAUSE: Duration = Duration::from_millis(250);
const LONGEST_PAUSE: Duration = Duration::from_secs(15);
/// How often an empty spool is looked into: another process may have left something.
const IDLE: Duration = Duration::from_secs(30);
/// So many leads that cannot be delivered end a round: the others would fare alike.
const MAX_FAILURES: usize = 3;

/// How a round ended.
enum Round {
    /// Nothing is left.
    Empty,
    /// Something is left, though something was delivered.
    Going,
    /// Nothing was delivered; FASTCore asked to wait so long at least.
    Stuck(Duration),
}

pub(super) async fn run(shared: Arc<Shared>) {
    let mut pause = FIRST_PAUSE;
    let mut failures = HashMap::new();
    loop {
        // A fault in one round must not end the delivery for good.
        let round = AssertUnwindSafe(deliver_all(&shared, &mut failures)).catch_unwind().await.unwrap_or_else(|_| {
            tracing::error!("a fault while delivering spooled leads; they are tried again");
            Round::Stuck(LONGEST_PAUSE)
        });
        match round {
            Round::Empty => {
                pause = FIRST_PAUSE;
                // Whoever comes next finds out by himself whether FASTCore answers.
                shared.is_down.store(false, Ordering::Relaxed);
                let _ = timeout(IDLE, shared.wake.notified()).await;
            }
            Round::Going => {
                pause = FIRST_PAUSE;
                sleep(jittered(pause)).await;
            }
            Round::Stuck(asked) => {
                sleep(jittered(pause).max(asked)).await;
                pause = (pause * 2).min(LONGEST_PAUSE);
            }
        }
    }
}

/// Delivers the oldest first, but what failed before behind what did not: one lead that FASTCore stumbles over does not
/// keep the others back.
async fn deliver_all(shared: &Shared, failures: &mut HashMap<PathBuf, u32>) -> Round {
    let mut waiting = match shared.spool.waiting().await {
        Ok(waiting) => waiting,
        Err(error) => {
            tracing::error!(kind = %error.kind(), "the spool cannot be read: look at the disk");
            // What comes is not to be put there.
            shared.is_down.store(false, Ordering::Relaxed);
            return Round::Stuck(LONGEST_PAUSE);
        }
    };
    let there: HashSet<&PathBuf> = waiting.iter().collect();
    failures.retain(|path, _| there.contains(path));
    waiting.sort_by_key(|path| failures.get(path).copied().unwrap_or_default());
    let (mut asked, mut failed, mut delivered) = (Duration::ZERO, 0, false);
    for path in waiting {
        // Counted before: a fault counts too.
        *failures.entry(path.clone()).or_default() += 1;
        match deliver(shared, &path).await {
            Some(Outcome::Delivered | Outcome::Refused) => {
                failures.remove(&path);
                (failed, delivered) = (0, true);
            }
            Some(Outcome::Unavailable(wait)) => {
                asked = asked.max(wait.unwrap_or_default());
                failed += 1;
            }
            Some(Outcome::Misconfigured) => failed += 1,
            None => {}
        }
        if failed >= MAX_FAILURES {
            break;
        }
    }
    // Counted anew, for the metrics too: what cannot be read is still there.
    match shared.spool.waiting().await {
        Ok(left) if left.is_empty() => Round::Empty,
        _ if delivered => Round::Going,
        _ => Round::Stuck(asked),
    }
}

/// What came of one file; nothing where it could not be read, or is not there any more.
async fn deliver(shared: &Shared, path: &Path) -> Option<Outcome> {
    let trouble = |error: std::io::Error| {
        tracing::error!(kind = %error.kind(), "a spooled lead cannot be read or removed: look at the disk");
    };
    let envelope = shared.spool.read(path.to_owned()).await.map_err(trouble).ok()??;
    let outcome = shared.client.send(&envelope).await;
    if matches!(outcome, Outcome::Delivered | Outcome::Refused) {
        // FASTCore answers: whoever comes now need not go by way of the spool.
        shared.is_down.store(false, Ordering::Relaxed);
    }
    let done = match outcome {
        Outcome::Delivered => {
            tracing::info!(request_id = %envelope.request_id(), "spooled lead delivered");
            shared.spool.remove(path.to_owned()).await
        }
        Outcome::Refused => shared.spool.refuse(path.to_owned()).await,
        Outcome::Unavailable(_) | Outcome::Misconfigured => Ok(()),
    };
    done.map_err(trouble).ok().map(|()| outcome)
}
