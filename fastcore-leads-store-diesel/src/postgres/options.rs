use std::time::Duration;

use deadpool::{
    Runtime,
    managed::{Hook, HookError, Metrics},
};
use diesel_async::pooled_connection::{
    AsyncDieselConnectionManager, ManagerConfig, RecyclingMethod, deadpool::Pool as Deadpool,
};
use fastcore_leads::{
    StoreError, StoreErrorKind,
    sql::{
        PgUrl,
        engine::{DEFAULT_TIMEOUT, Engine, MAX_IDLE, PgConnections},
    },
};

use super::{PgLeadStore, connect::Target, pool::Pool};

/// How [`PgLeadStore`] connects.
#[derive(Clone, Debug)]
#[must_use = "call `connect`"]
pub struct PgOptions {
    min_connections: u32,
    max_connections: u32,
    timeout: Duration,
}

impl PgOptions {
    /// Up to 10 connections, opened as needed; 2 s for a call.
    pub fn new() -> Self {
        Self { min_connections: 0, max_connections: 10, timeout: DEFAULT_TIMEOUT }
    }

    /// How many connections are opened at once when connecting. Default 0.
    pub fn min_connections(mut self, connections: u32) -> Self {
        self.min_connections = connections;
        self
    }

    /// How many connections there may be, at least 1. Default 10; up to half of them write, and one is opened only to learn
    /// why a statement was refused. Where more are to be kept open, this bound holds. With a single one, a commit that waits
    /// for a standby and is given up may be on a second, as may the question why.
    pub fn max_connections(mut self, connections: u32) -> Self {
        self.max_connections = connections.max(1);
        self
    }

    /// How long one call may take, connecting included. Default 2 s. Migrations are not bound by it.
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    /// Connects to a database: `postgres://user:password@host:port/database`, as [`PgUrl`] reads it. Of several hosts, the
    /// next is tried where one does not answer.
    ///
    /// # Errors
    /// [`StoreErrorKind::Internal`] where the URL cannot be read, [`StoreErrorKind::Unavailable`] where the database
    /// cannot be reached in time.
    pub async fn connect(self, url: &str) -> Result<PgLeadStore, StoreError> {
        let target = Target::new(&PgUrl::parse(url)?, self.timeout)?;
        self.connect_to(target).await
    }

    /// Connects with options of tokio-postgres' own, for what a URL cannot say. `SslMode::Require` is `verify-full`, by the
    /// authorities that the system trusts.
    ///
    /// # Errors
    /// [`StoreErrorKind::Unavailable`] where the database cannot be reached in time.
    pub async fn connect_with(self, options: tokio_postgres::Config) -> Result<PgLeadStore, StoreError> {
        let target = Target::with(options)?;
        self.connect_to(target).await
    }

    async fn connect_to(self, target: Target) -> Result<PgLeadStore, StoreError> {
        let mut config = ManagerConfig::default();
        // A dead connection shows when it is taken.
        config.recycling_method = RecyclingMethod::Fast;
        config.custom_setup = Box::new({
            let target = target.clone();
            move |_| Box::pin(target.clone().connect())
        });
        let manager = AsyncDieselConnectionManager::new_with_config(String::new(), config);
        let is_fresh = Hook::sync_fn(|_, metrics: &Metrics| {
            if metrics.last_used() < MAX_IDLE { Ok(()) } else { Err(HookError::message("idle for too long")) }
        });
        let pool = Deadpool::builder(manager)
            .max_size((self.max_connections as usize - 1).max(1))
            .runtime(Runtime::Tokio1)
            .pre_recycle(is_fresh)
            .build()
            .map_err(|error| StoreError::new(StoreErrorKind::Internal).with_driver_error(error))?;
        let connections = PgConnections::over(Pool { pool, target: Some(target) }, self.timeout);
        connections.open(self.min_connections.min(self.max_connections - 1) as usize).await?;
        Ok(PgLeadStore { engine: Engine::new(connections) })
    }
}

impl Default for PgOptions {
    fn default() -> Self {
        Self::new()
    }
}
