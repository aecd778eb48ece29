use std::{
    ops::{Deref, DerefMut},
    panic::{AssertUnwindSafe, catch_unwind},
    pin::pin,
    task::{Context, Poll, Waker},
    thread,
    time::Duration,
};

use diesel::{
    Connection as _, SqliteConnection,
    connection::SimpleConnection,
    r2d2::{ConnectionManager, Pool, PooledConnection},
};
use fastcore_leads::{
    StoreError, StoreErrorKind,
    sql::{
        SqliteLocation,
        engine::{PATIENCE, Work},
        sqlite as sql,
    },
};
use tokio::{
    sync::{mpsc, oneshot},
    time::timeout,
};

use super::session::On;

/// How many calls may wait for a thread.
const QUEUE: usize = 64;

/// What work is done on.
pub(super) type Connection = On<Held>;

/// Does its work, and says whether the connection is as good as before.
type Job = Box<dyn FnOnce(Result<&mut Connection, StoreError>) -> bool + Send>;

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
                let is_good = catch_unwind(AssertUnwindSafe(|| job(source.connection(&mut held)))).unwrap_or(false);
                // A file's connection stays with the thread, a host's goes back.
                if !is_good || matches!(source, Source::Pool(_)) {
                    held = None;
                }
            }
        });
        Self { jobs }
    }

    /// Runs work on the thread. It runs to its end also where this future is dropped, or the time is over.
    pub(super) async fn run<T: Send + 'static>(
        &self,
        work: Work<Connection, T>,
        patience: Option<Duration>,
    ) -> Result<T, StoreError> {
        let gone = || StoreError::new(StoreErrorKind::Unavailable);
        let (reply, answer) = oneshot::channel();
        let job: Job = Box::new(move |connection| {
            let result = connection.and_then(|connection| at_once(work(connection)));
            // What stayed unexplained is no row's fault: nothing was written.
            let result = result.map_err(|error| error.explained_as(StoreErrorKind::Unavailable, None));
            let is_good = result.as_ref().err().is_none_or(StoreError::leaves_connection);
            let _ = reply.send(result);
            is_good
        });
        timeout(PATIENCE, self.jobs.send(job)).await.map_err(|_| gone())?.map_err(|_| gone())?;
        let answer = async {
            // Sent but never answered: it panicked.
            answer.await.map_err(|_| StoreError::new(StoreErrorKind::Internal).with_reason("the store panicked"))?
        };
        match patience {
            Some(patience) => timeout(patience, answer).await.unwrap_or_else(|_| Err(StoreErrorKind::TimedOut.into())),
            None => answer.await,
        }
    }
}

/// The outcome of a future that never waits, as what core does on a connection of diesel's.
pub(super) fn at_once<T>(work: impl Future<Output = Result<T, StoreError>>) -> Result<T, StoreError> {
    match pin!(work).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(result) => result,
        Poll::Pending => Err(StoreErrorKind::Internal.into()),
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

impl Deref for Held {
    type Target = SqliteConnection;

    fn deref(&self) -> &SqliteConnection {
        match self {
            Self::Own(connection) => connection,
            Self::Pooled(connection) => connection,
        }
    }
}

impl DerefMut for Held {
    fn deref_mut(&mut self) -> &mut SqliteConnection {
        match self {
            Self::Own(connection) => connection,
            Self::Pooled(connection) => connection,
        }
    }
}

impl Source {
    fn connection<'h>(&self, held: &'h mut Option<Connection>) -> Result<&'h mut Connection, StoreError> {
        match held {
            Some(connection) => Ok(connection),
            None => Ok(held.insert(On(self.open()?))),
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
            Self::Pool(pool) => Held::Pooled(pool.get_timeout(PATIENCE).map_err(|error| refused(error.into()))?),
        };
        // A host may have left a transaction open, and leads written in it would never be committed. SQLite refuses this,
        // without harm, where there is none.
        let _ = held.batch_execute(sql::ROLLBACK);
        held.batch_execute(sql::SET_UP_CONNECTION).map_err(|error| refused(error.into()))?;
        if matches!(held, Held::Own(_)) {
            held.batch_execute(sql::SET_UP_OWN).map_err(|error| refused(error.into()))?;
        }
        Ok(held)
    }
}
