//! Leads whose row somebody else's transaction holds, as after a host's `insert_on`: they are tried again one by one, beside
//! the writers, so that only they wait.

use std::{collections::VecDeque, time::Duration};

use tokio::{
    sync::mpsc::UnboundedReceiver,
    time::{Instant, sleep},
};

use super::{
    IngestError,
    queue::{Intake, Job},
    writer::{Inserter, verdict},
};

/// How long all of them wait before each is tried again.
const PAUSE: Duration = Duration::from_millis(50);

pub(super) struct StuckLane {
    pub(super) inserter: Inserter,
    pub(super) stuck: UnboundedReceiver<Job>,
    /// Who drains the queue waits for these leads too.
    pub(super) _intake: Intake,
}

impl StuckLane {
    /// Tries until the writers have ended and nobody waits any more. The queue bounds how many there may be.
    pub(super) async fn run(mut self) {
        let mut waiting = VecDeque::new();
        loop {
            if waiting.is_empty() {
                let Some(job) = self.stuck.recv().await else { return };
                waiting.push_back(job);
            }
            while let Ok(job) = self.stuck.try_recv() {
                waiting.push_back(job);
            }
            for _ in 0..waiting.len() {
                let Some(job) = waiting.pop_front() else { break };
                waiting.extend(self.attempt(job).await);
            }
            sleep(PAUSE).await;
        }
    }

    /// Gives the lead back where it is still stuck.
    async fn attempt(&self, job: Job) -> Option<Job> {
        if job.expires() <= Instant::now() {
            job.answer(Err(IngestError::Unavailable));
            return None;
        }
        let batch = [job.new_lead().clone()];
        match self.inserter.insert_once(&batch, 1, job.expires()).await.map(|mut insertions| insertions.pop()) {
            Ok(Some(insertion)) => job.conclude(insertion),
            Ok(None) => job.answer(Err(IngestError::Internal)),
            Err(error) if verdict(&error) == IngestError::Unavailable => return Some(job),
            Err(error) => job.answer(Err(verdict(&error))),
        }
        None
    }
}
