use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use async_trait::async_trait;
use fastcore_leads::{
    StoreError,
    sql::engine::{self, BoxFuture, PgIngest},
};
use sqlx::{PgPool, Postgres, pool::PoolConnection, postgres::PgConnectOptions};

use super::session::On;
use crate::error::while_connecting;

/// A pool, and the servers that it may connect to.
pub(super) struct Pool {
    pub(super) inner: PgPool,
    /// None: the pool is the host's.
    pub(super) servers: Option<Arc<[PgConnectOptions]>>,
    pub(super) server: AtomicUsize,
}

impl Pool {
    /// From now on connects to the next server.
    fn turn_to_the_next(&self) {
        let Some(servers) = self.servers.as_ref().filter(|servers| servers.len() > 1) else { return };
        let next = self.server.fetch_add(1, Ordering::Relaxed) + 1;
        self.inner.set_connect_options(servers[next % servers.len()].clone());
    }
}

#[async_trait]
impl engine::Pool for Pool {
    type Connection = On<PoolConnection<Postgres>>;

    async fn acquire(&self) -> Result<Self::Connection, StoreError> {
        let acquired = self.inner.acquire().await;
        if acquired.is_err() {
            self.turn_to_the_next();
        }
        acquired.map(On).map_err(while_connecting)
    }

    fn close(connection: Self::Connection) {
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

    fn is_ours(&self) -> bool {
        self.servers.is_some()
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
