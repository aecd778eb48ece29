//! Checkpoints of the audit log, to a destination.

use std::{sync::Arc, time::Duration};

use tokio::{
    sync::watch,
    time::{Instant, sleep},
};

use super::Shared;
use crate::{
    jitter,
    outbox::{Attempt, AttemptOutcome, CheckpointDelivery, Destination, Settled},
    store::StoreError,
};

/// How much longer than an attempt may take nobody else sends one.
const MARGIN: Duration = Duration::from_secs(30);

pub(super) async fn run(shared: Arc<Shared>, destination: Destination, mut ended: watch::Receiver<bool>) {
    let mut herald = Herald { shared, destination, is_known: false, is_failing: false };
    while !*ended.borrow() {
        let result = herald.tell().await;
        herald.notice(result.err().as_ref());
        tokio::select! {
            () = sleep(jitter::around(herald.shared.poll)) => {}
            _ = ended.wait_for(|is_ended| *is_ended) => return,
        }
    }
}

struct Herald {
    shared: Arc<Shared>,
    destination: Destination,
    is_known: bool,
    is_failing: bool,
}

impl Herald {
    /// Sends the last checkpoint, where it is time and there is a new one.
    async fn tell(&mut self) -> Result<(), StoreError> {
        let (store, name) = (&self.shared.store, self.destination.name());
        if !self.is_known {
            store.subscribe(name).await?;
            self.is_known = true;
        }
        let lease = self.destination.answers_within() + MARGIN;
        let Some(delivery) = store.claim_checkpoint(name, lease).await? else { return Ok(()) };
        let started = Instant::now();
        let attempt = self.destination.send_checkpoint(&delivery).await;
        let verdict = self.destination.verdict_on_checkpoint(&attempt, delivery.attempt);
        self.shared.metrics.attempted(name, verdict, started.elapsed());
        self.report(&delivery, &attempt);
        if attempt.outcome == AttemptOutcome::Gone {
            store.pause(name, true).await?;
        }
        let (has_arrived, rest) = match verdict {
            Settled::Retry(pause) => (false, pause),
            _ => (true, self.destination.between_checkpoints()),
        };
        store.settle_checkpoint(&delivery, has_arrived, rest).await?;
        Ok(())
    }

    fn report(&self, delivery: &CheckpointDelivery, attempt: &Attempt) {
        let (destination, status) = (self.destination.name(), attempt.status);
        let (entries, number) = (delivery.size, delivery.attempt);
        match attempt.outcome {
            AttemptOutcome::Delivered => tracing::debug!(destination, entries, status, "a checkpoint was delivered"),
            AttemptOutcome::Failed => tracing::warn!(
                destination,
                entries,
                attempt = number,
                status,
                "a checkpoint was not delivered: the last one is tried again later"
            ),
            AttemptOutcome::Gone => super::say_gone(destination),
        }
    }

    fn notice(&mut self, error: Option<&StoreError>) {
        if let Some(error) = error
            && !self.is_failing
        {
            tracing::warn!(destination = self.destination.name(), %error, "checkpoints wait: the database cannot be asked");
        }
        self.is_failing = error.is_some();
    }
}
