use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    thread,
    time::Duration,
};

use diesel::{
    Connection, SqliteConnection,
    connection::SimpleConnection,
    r2d2::{ConnectionManager, Pool, PooledConnection},
};
use fastcore_leads::{
    StoreError, StoreErrorKind,
    sql::{SqliteLocation, sqlite as sql},
};
use tokio::{
    sync::{mpsc, oneshot},
    time::timeout,
};

use super::transaction::unavailable;

/// How long a call waits for a place in the queue.
const PATIENCE: Duration = Duration::from_secs(2);
/// How many calls may wait for a thread.
const QUEUE: usize = 64;

type Job = Box<dyn FnOnce(Result<&mut SqliteConnection, StoreError>) + Send>;

/// A thread with a connection of its own, behind a bounded channel. It ends when the last handle is dropped.
#[derive(Clone)]
pub(super) struct Worker {
    jobs: mpsc::Sender<Job>,
}

impl Worker {
    pub(super) fn start(source: Source) -> Self {
        let (jobs, mut inbox) = mpsc::channel::<Job>(QUEUE);
        // A thread that cannot be started drops its end of the channel: each call then answers "unavailable".
        let _ = thread::Builder::new().name("fastcore-leads-sqlite".to_owned()).spawn(move || {
            let mut held = None;
            while let Some(job) = inbox.blocking_recv() {
                // One that panics must not take the thread with it, nor leave its connection in doubt.
                if catch_unwind(AssertUnwindSafe(|| job(source.connection(&mut held)))).is_err() {
                    held = None;
                }
                source.give_back(&mut held);
            }
        });
        Self { jobs }
    }

    /// Runs work on the thread. It runs to its end also where this future is dropped.
    pub(super) async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut SqliteConnection) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        let gone = || StoreError::new(StoreErrorKind::Unavailable);
        let (reply, answer) = oneshot::channel();
        let job: Job = Box::new(move |connection| {
            let _ = reply.send(connection.and_then(work));
        });
        timeout(PATIENCE, self.jobs.send(job)).await.map_err(|_| gone())?.map_err(|_| gone())?;
        // Sent but never answered: it panicked.
        answer.await.map_err(|_| StoreError::new(StoreErrorKind::Internal).with_reason("the store panicked"))?
    }
}

/// Where connections come from.
#[derive(Clone)]
pub(super) enum Source {
    At(SqliteLocation),
    Pool(Pool<ConnectionManager<SqliteConnection>>),
}

/// The connection that a thread holds between two calls.
pub(super) enum Held {
    Own(SqliteConnection),
    Pooled(PooledConnection<ConnectionManager<SqliteConnection>>),
}

impl Source {
    pub(super) fn parse(url: &str) -> Result<Self, StoreError> {
        SqliteLocation::parse(url).map(Self::At)
    }

    pub(super) fn is_memory(&self) -> bool {
        matches!(self, Self::At(SqliteLocation::Memory))
    }

    fn connection<'h>(&self, held: &'h mut Option<Held>) -> Result<&'h mut SqliteConnection, StoreError> {
        if held.is_none() {
            *held = Some(self.open()?);
        }
        match held {
            Some(Held::Own(connection)) => Ok(connection),
            Some(Held::Pooled(connection)) => Ok(connection),
            None => Err(StoreErrorKind::Internal.into()),
        }
    }

    /// A file's connection stays with the thread, a host's goes back.
    fn give_back(&self, held: &mut Option<Held>) {
        if matches!(self, Self::Pool(_)) {
            *held = None;
        }
    }

    fn open(&self) -> Result<Held, StoreError> {
        let refused = |error: Box<dyn std::error::Error + Send + Sync>| {
            StoreError::new(StoreErrorKind::Unavailable).with_driver_error(error)
        };
        let mut held = match self {
            Self::At(location) => {
                let name = match location {
                    SqliteLocation::File(path) => path,
                    SqliteLocation::Memory => ":memory:",
                };
                Held::Own(SqliteConnection::establish(name).map_err(|error| refused(error.into()))?)
            }
            Self::Pool(pool) => Held::Pooled(pool.get().map_err(|error| refused(error.into()))?),
        };
        let connection = match &mut held {
            Held::Own(connection) => connection,
            Held::Pooled(connection) => connection,
        };
        // A host may have left a transaction open, and leads written in it would never be committed. SQLite refuses this,
        // without harm, where there is none.
        let _ = connection.batch_execute(sql::ROLLBACK);
        connection.batch_execute(sql::SET_UP_CONNECTION).map_err(unavailable)?;
        Ok(held)
    }
}
