use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use async_trait::async_trait;
use fastcore_leads::{
    StoreError,
    sql::engine::{self, BoxFuture, PgIngest, Sessions},
};
use sqlx::{PgPool, Postgres, pool::PoolConnection, postgres::PgConnectOptions};
use tokio::runtime::{Builder, Handle, Runtime};

use super::session::On;
use crate::error::while_connecting;

/// A pool, and the servers that it may connect to.
pub(super) struct Pool {
    pub(super) inner: PgPool,
    /// None: the pool is the host's.
    pub(super) servers: Option<Arc<[PgConnectOptions]>>,
    pub(super) server: AtomicUsize,
    /// Whether a pooler stands between it and the server, which shares sessions.
    pub(super) is_pooled: bool,
}

impl Pool {
    /// From now on connects to the next server, unless somebody else has turned there already.
    fn turn_from(&self, seen: usize) {
        let Some(servers) = self.servers.as_ref().filter(|servers| servers.len() > 1) else { return };
        let next = seen.wrapping_add(1);
        if self.server.compare_exchange(seen, next, Ordering::Relaxed, Ordering::Relaxed).is_ok() {
            self.inner.set_connect_options(servers[next % servers.len()].clone());
        }
    }
}

#[async_trait]
impl engine::Pool for Pool {
    type Connection = On<PoolConnection<Postgres>>;

    async fn acquire(&self) -> Result<Self::Connection, StoreError> {
        let seen = self.server.load(Ordering::Relaxed);
        let acquired = self.inner.acquire().await;
        // Where all connections are in use, no server was asked.
        let is_busy =
            self.inner.size() as usize >= self.max_size() && matches!(acquired, Err(sqlx::Error::PoolTimedOut));
        if acquired.is_err() && !is_busy {
            self.turn_from(seen);
        }
        acquired.map(On).map_err(while_connecting)
    }

    fn close(connection: Self::Connection) {
        // Where the pool is to keep some open, sqlx starts a task at this, which needs a runtime also where none is left.
        let runtime = Handle::try_current().is_err().then(|| Builder::new_current_thread().build().ok()).flatten();
        let _guard = runtime.as_ref().map(Runtime::enter);
        drop(connection.0.detach());
    }

    fn close_idle(&self) {
        while let Some(connection) = self.inner.try_acquire() {
            drop(connection.detach());
        }
    }

    fn max_size(&self) -> usize {
        self.inner.options().get_max_connections() as usize
    }

    fn sessions(&self) -> Sessions {
        match &self.servers {
            None => Sessions::Host,
            Some(_) if self.is_pooled => Sessions::Pooled,
            Some(_) => Sessions::Own,
        }
    }

    fn is_closed(&self) -> bool {
        self.inner.is_closed()
    }

    fn closed(&self) -> BoxFuture<'static, ()> {
        Box::pin(self.inner.close_event())
    }

    async fn explaining(&self) -> Result<Option<Box<dyn PgIngest>>, StoreError> {
        Ok(None)
    }
}
