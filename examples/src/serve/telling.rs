//! Tells others of leads, where there is a file that says whom.

use std::{path::PathBuf, sync::Arc};

use fastcore_leads::outbox::{Destination, Dispatcher};
use fastcore_leads_examples::destinations;
use tokio::{
    signal::unix::{SignalKind, signal},
    sync::{Notify, oneshot},
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
    pub(crate) fn start(
        file: PathBuf,
        destinations: Vec<Destination>,
        database: Database,
        committed: Arc<Notify>,
    ) -> Self {
        let (stop, stopped) = oneshot::channel();
        Self { stop, task: tokio::spawn(tell(file, destinations, database, committed, stopped)) }
    }

    /// Claims nothing more, and waits for what is under way.
    pub(crate) async fn finish(self) {
        let _ = self.stop.send(());
        let _ = self.task.await;
    }
}

async fn tell(
    file: PathBuf,
    mut destinations: Vec<Destination>,
    database: Database,
    committed: Arc<Notify>,
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
            _ = hangup() => destinations = read_again(&file).unwrap_or(destinations),
            _ = &mut stopped => return,
        }
    };
    announce(&destinations);
    let dispatcher = destinations
        .into_iter()
        .fold(Dispatcher::builder(opened).woken_by(committed), fastcore_leads::outbox::DispatcherBuilder::destination)
        .start();
    loop {
        tokio::select! {
            _ = hangup() => {
                if let Some(destinations) = read_again(&file) {
                    announce(&destinations);
                    dispatcher.replace(destinations);
                }
            }
            _ = &mut stopped => break,
        }
    }
    dispatcher.shutdown().await;
}

/// None where it cannot be used: then the former destinations stay.
fn read_again(file: &std::path::Path) -> Option<Vec<Destination>> {
    match destinations::read(file) {
        Ok(destinations) => Some(destinations),
        Err(problem) => {
            tracing::error!("the destinations stay as they were: {problem}");
            None
        }
    }
}

fn announce(destinations: &[Destination]) {
    let names: Vec<_> = destinations.iter().map(Destination::name).collect();
    tracing::info!(destinations = names.join(", "), "others are told of leads");
}
