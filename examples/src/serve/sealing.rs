//! Seals the audit log, where there is a file of keys.

use std::sync::Arc;

use fastcore_leads::{
    Commits,
    proof::{Folder, NoteKey, Sealer},
};
use tokio::{sync::oneshot, task::JoinHandle};

use crate::database::Database;

/// What seals the log, and with which keys, the log's own first.
pub(crate) struct Seals {
    pub(crate) key: NoteKey,
    pub(crate) also: Vec<NoteKey>,
    pub(crate) folder: Option<Folder>,
}

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

    /// Waits for what is under way.
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
    let Seals { key, also, folder } = seals;
    let published = folder.as_ref().map(|folder| folder.path().display().to_string());
    tracing::info!(key = %key.verifier(), published, "the audit log is sealed");
    let builder = also.into_iter().fold(Sealer::builder(opened, key), |builder, key| builder.also_signed_by(key));
    let builder = folder.into_iter().fold(builder.follow(commits), |builder, folder| builder.publish(folder));
    let sealer = builder.start();
    let _ = stopped.await;
    sealer.shutdown().await;
}
