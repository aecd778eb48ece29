//! Seals the audit log, where there is a file of keys.

use std::sync::Arc;

use fastcore_leads::Commits;
use fastcore_leads_examples::seals::Seals;
use tokio::{sync::oneshot, task::JoinHandle};

use crate::database::Database;

/// What seals. It begins once the database is there.
pub(crate) struct Sealing {
    stop: oneshot::Sender<()>,
    task: JoinHandle<()>,
}

impl Sealing {
    pub(crate) fn start(seals: Seals, database: Database, commits: Arc<Commits>) -> Self {
        let (stop, stopped) = oneshot::channel();
        Self { stop, task: tokio::spawn(seal(seals, database, commits, stopped)) }
    }

    /// Seals what was written last.
    pub(crate) async fn finish(self) {
        let _ = self.stop.send(());
        let _ = self.task.await;
    }
}

async fn seal(seals: Seals, database: Database, commits: Arc<Commits>, mut stopped: oneshot::Receiver<()>) {
    let opened = tokio::select! {
        opened = database.opened() => opened,
        _ = &mut stopped => return,
    };
    tracing::info!("sealing the audit log: {}", seals.described());
    let sealer = seals.sealer(opened).follow(commits).start();
    let _ = stopped.await;
    sealer.shutdown().await;
}
