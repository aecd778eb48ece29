use std::sync::{Arc, PoisonError, atomic::Ordering};

use fastcore_leads::{StoreError, StoreErrorKind, sql::postgres as sql};
use sqlx::{PgConnection, PgPool, Postgres, pool::PoolConnection, raw_sql};

use super::{Shared, while_connecting};

/// A connection in use. Dropped half-way, by an error, a timeout or a caller that goes away, it is closed: the pool pings
/// what it gets back without a limit, and would lose a place to a connection that no longer answers.
pub(super) struct Lease(Option<PoolConnection<Postgres>>);

impl Lease {
    /// Takes a connection that is in no transaction. Dead ones of the pool are closed, at most as many as it has.
    pub(super) async fn take_from_pool(pool: &PgPool) -> Result<Self, StoreError> {
        let mut dead = 0;
        loop {
            let mut lease = Self(Some(pool.acquire().await.map_err(while_connecting)?));
            match end_left_open(lease.connection()?).await {
                Ok(()) => return Ok(lease),
                Err(error) if dead == pool.options().get_max_connections() => return Err(while_connecting(error)),
                Err(_) => dead += 1,
            }
        }
    }

    pub(super) fn connection(&mut self) -> Result<&mut PgConnection, StoreError> {
        self.0.as_deref_mut().ok_or_else(|| StoreErrorKind::Internal.into())
    }

    /// Gives the connection back to the pool: it has answered all that it was asked.
    pub(super) fn give_back(mut self) {
        drop(self.0.take());
    }
}

/// The pool hands on what a host's cancelled `begin()`, or its raw `BEGIN`, left open: leads written there would be
/// acknowledged and never committed.
async fn end_left_open(connection: &mut PgConnection) -> Result<(), sqlx::Error> {
    match raw_sql(sql::END_LEFT_OPEN).execute(&mut *connection).await {
        // The transaction has failed.
        Err(sqlx::Error::Database(_)) => raw_sql(sql::ROLLBACK).execute(connection).await.map(|_| ()),
        ended => ended.map(|_| ()),
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        if let Some(connection) = self.0.take() {
            drop(connection.detach());
        }
    }
}

impl Shared {
    /// A connection to write on: one that wrote before, or a new one.
    pub(super) async fn lease(&self) -> Result<Lease, StoreError> {
        let idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner).pop();
        match idle {
            Some(connection) => Ok(Lease(Some(connection))),
            None => Lease::take_from_pool(&self.pool).await,
        }
    }

    /// Closes the connections that are kept: where one of them is dead, so are the others.
    pub(super) fn forget_idle(&self) {
        let idle = std::mem::take(&mut *self.idle.lock().unwrap_or_else(PoisonError::into_inner));
        drop(idle.into_iter().map(|connection| Lease(Some(connection))).collect::<Vec<_>>());
    }

    /// Keeps the connection for the next batch.
    pub(super) fn keep(self: &Arc<Self>, mut lease: Lease) {
        self.watch_for_the_pools_end();
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        if idle.len() < self.max_idle && !self.pool.is_closed() {
            idle.extend(lease.0.take());
        } else {
            lease.give_back();
        }
    }

    /// A host that closes its pool waits for all of its connections.
    fn watch_for_the_pools_end(self: &Arc<Self>) {
        if self.is_watching.swap(true, Ordering::Relaxed) {
            return;
        }
        let (closing, shared) = (self.pool.close_event(), Arc::downgrade(self));
        tokio::spawn(async move {
            closing.await;
            if let Some(shared) = shared.upgrade() {
                shared.forget_idle();
            }
        });
    }
}
