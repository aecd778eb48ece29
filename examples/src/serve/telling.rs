//! Tells others of leads, where there is a file that says whom.

use std::{path::PathBuf, sync::Arc};

use fastcore_leads::Commits;
use fastcore_leads_examples::destinations::{self, Told};
use tokio::{
    signal::unix::{SignalKind, signal},
    sync::oneshot,
    task::JoinHandle,
};

use crate::database::Database;

/// What tells others. It begins once the database is there.
pub(crate) struct Telling {
    stop: oneshot::Sender<()>,
    task: JoinHandle<()>,
}

impl Telling {
    /// Begins with destinations that were read from a file. SIGHUP has it read again.
    pub(crate) fn start(file: PathBuf, told: Told, database: Database, commits: Arc<Commits>) -> Self {
        let (stop, stopped) = oneshot::channel();
        Self { stop, task: tokio::spawn(tell(file, told, database, commits, stopped)) }
    }

    /// Claims nothing more, and waits for what is under way.
    pub(crate) async fn finish(self) {
        let _ = self.stop.send(());
        let _ = self.task.await;
    }
}

async fn tell(
    file: PathBuf,
    mut told: Told,
    database: Database,
    commits: Arc<Commits>,
    mut stopped: oneshot::Receiver<()>,
) {
    let mut reload = signal(SignalKind::hangup()).ok();
    let mut hangup = async || match &mut reload {
        Some(signal) => signal.recv().await,
        None => std::future::pending().await,
    };
    let opened = loop {
        tokio::select! {
            opened = database.opened() => break opened,
            _ = hangup() => told = read_again(&file).unwrap_or(told),
            _ = &mut stopped => return,
        }
    };
    announce(&told);
    let dispatcher = told.dispatcher(opened).follow(commits).start();
    loop {
        tokio::select! {
            _ = hangup() => {
                if let Some(told) = read_again(&file) {
                    announce(&told);
                    dispatcher.replace(told.destinations, told.service_level);
                }
            }
            _ = &mut stopped => break,
        }
    }
    dispatcher.shutdown().await;
}

/// None where it cannot be used: then the former destinations stay.
fn read_again(file: &std::path::Path) -> Option<Told> {
    match destinations::read(file) {
        Ok(told) => Some(told),
        Err(problem) => {
            tracing::error!("the destinations stay as they were: {problem}");
            None
        }
    }
}

fn announce(told: &Told) {
    tracing::info!(destinations = told.names(), "others are told of leads");
}
