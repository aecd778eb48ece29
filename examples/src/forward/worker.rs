//! Empties the spool: the oldest lead first, with pauses that grow while FASTCore is down.

use std::{
    io,
    path::PathBuf,
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

use tokio::time::{Instant, sleep, timeout};

use super::{
    Shared,
    client::{Outcome, jittered},
};

const FIRST_PAUSE: Duration = Duration::from_millis(250);
const LONGEST_PAUSE: Duration = Duration::from_secs(15);
/// How often an empty spool is looked into: another process may have left something.
const IDLE: Duration = Duration::from_secs(30);

pub(super) async fn run(shared: Arc<Shared>) {
    let mut pause = FIRST_PAUSE;
    loop {
        match deliver_all(&shared).await {
            Ok(true) => {
                pause = FIRST_PAUSE;
                // FASTCore answers: whoever comes now need not go by way of the spool.
                shared.is_down.store(false, Ordering::Relaxed);
                let _ = timeout(IDLE, shared.wake.notified()).await;
            }
            Ok(false) => {
                sleep(jittered(pause)).await;
                pause = (pause * 2).min(LONGEST_PAUSE);
            }
            Err(error) => {
                tracing::error!(kind = %error.kind(), "the spool cannot be read or written: look at the disk");
                sleep(LONGEST_PAUSE).await;
            }
        }
    }
}

/// Whether the spool is empty now.
async fn deliver_all(shared: &Shared) -> io::Result<bool> {
    let mut is_empty = true;
    for path in shared.spool.waiting().await? {
        match deliver(shared, path).await? {
            Outcome::Delivered | Outcome::Refused => shared.is_down.store(false, Ordering::Relaxed),
            // The others would fare alike.
            Outcome::Unavailable => return Ok(false),
            // It may be this lead alone that FASTCore stumbles over.
            Outcome::Misconfigured => is_empty = false,
        }
    }
    // For the metrics.
    Ok(shared.spool.waiting().await?.is_empty() && is_empty)
}

async fn deliver(shared: &Shared, path: PathBuf) -> io::Result<Outcome> {
    let Some(mut envelope) = shared.spool.read(path.clone()).await? else {
        return Ok(Outcome::Delivered);
    };
    let outcome = shared.client.send_until(&mut envelope, Instant::now() + shared.deadline).await;
    match outcome {
        Outcome::Delivered => {
            tracing::info!(request_id = %envelope.request_id(), "spooled lead delivered");
            shared.spool.remove(path).await?;
        }
        Outcome::Refused => shared.spool.refuse(path).await?,
        Outcome::Unavailable | Outcome::Misconfigured => {}
    }
    Ok(outcome)
}
