use std::{sync::PoisonError, time::Duration};

use diesel::QueryResult;
use diesel_async::{
    AsyncPgConnection, SimpleAsyncConnection,
    pooled_connection::deadpool::{Object, Pool, PoolError},
};
use fastcore_leads::{StoreError, StoreErrorKind, sql::postgres as sql};
use tokio::time::{Instant, sleep};

use super::Shared;

/// How long to wait before a connection is tried again.
const PAUSE: Duration = Duration::from_millis(50);

/// A connection in use. Dropped half-way, by an error, a timeout or a caller that goes away, it is closed: nobody else is
/// handed a connection that still waits for an answer.
pub(super) struct Lease(Option<Object<AsyncPgConnection>>);

impl Lease {
    /// Takes a connection that is in no transaction, or opens one: again and again for as long as that may take, so that a database that restarts is
    /// waited for.
    pub(super) async fn take_from_pool(pool: &Pool<AsyncPgConnection>, patience: Duration) -> Result<Self, StoreError> {
        let end = Instant::now() + patience;
        loop {
            match pool.get().await {
                Ok(connection) => {
                    let mut lease = Self(Some(connection));
                    match end_left_open(lease.connection()?).await {
                        Ok(()) => return Ok(lease),
                        Err(_) if Instant::now() + PAUSE < end => {}
                        Err(error) => {
                            return Err(StoreError::new(StoreErrorKind::Unavailable).with_driver_error(error));
                        }
                    }
                }
                Err(PoolError::Backend(_)) if Instant::now() + PAUSE < end => sleep(PAUSE).await,
                Err(error) => return Err(StoreError::new(StoreErrorKind::Unavailable).with_driver_error(error)),
            }
        }
    }

    pub(super) fn connection(&mut self) -> Result<&mut AsyncPgConnection, StoreError> {
        self.0.as_deref_mut().ok_or_else(|| StoreErrorKind::Internal.into())
    }

    /// Whether it was opened for this lease.
    pub(super) fn is_fresh(&self) -> bool {
        self.0.as_ref().is_some_and(|connection| Object::metrics(connection).recycle_count == 0)
    }

    /// Gives the connection back to the pool: it has answered all that it was asked.
    pub(super) fn give_back(mut self) {
        drop(self.0.take());
    }
}

/// The pool hands on what a host's raw `BEGIN`, or its cancelled transaction, left open: leads written there would be
/// acknowledged and never committed.
async fn end_left_open(connection: &mut AsyncPgConnection) -> QueryResult<()> {
    match connection.batch_execute(sql::END_LEFT_OPEN).await {
        // The transaction has failed, or the connection is dead.
        Err(_) => connection.batch_execute(sql::ROLLBACK).await,
        ended => ended,
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        if let Some(connection) = self.0.take() {
            drop(Object::take(connection));
        }
    }
}

impl Shared {
    /// A connection to write on: one that wrote before, or a new one.
    pub(super) async fn lease(&self) -> Result<Lease, StoreError> {
        let idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner).pop();
        match idle {
            Some(connection) => Ok(Lease(Some(connection))),
            None => Lease::take_from_pool(&self.pool, self.timeout).await,
        }
    }

    /// Closes the connections that are kept: where one of them is dead, so are the others.
    pub(super) fn forget_idle(&self) {
        let idle = std::mem::take(&mut *self.idle.lock().unwrap_or_else(PoisonError::into_inner));
        drop(idle.into_iter().map(|connection| Lease(Some(connection))).collect::<Vec<_>>());
    }

    /// Keeps the connection for the next batch.
    pub(super) fn keep(&self, mut lease: Lease) {
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        if idle.len() < self.max_idle && !self.pool.is_closed() {
            idle.extend(lease.0.take());
        } else {
            lease.give_back();
        }
    }
}
