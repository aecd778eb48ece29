use std::time::Duration;

use deadpool::Runtime;
use diesel_async::pooled_connection::{AsyncDieselConnectionManager, ManagerConfig, RecyclingMethod, deadpool::Pool};
use fastcore_leads::{StoreError, StoreErrorKind};

use super::{Lease, PgLeadStore, connect::Target};

pub(super) const DEFAULT_TIMEOUT: Duration = Duration::from_secs(2);

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

    /// How many connections there may be, at least 1. Default 10; writing takes two of them. Where more are to be kept
    /// open, this bound holds.
    pub fn max_connections(mut self, connections: u32) -> Self {
        self.max_connections = connections.max(1);
        self
    }

    /// How long one call may take, connecting included. Default 2 s. Migrations are not bound by it.
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    /// Connects to a database: `postgres://user:password@host:port/database`, with the parameters that tokio-postgres
    /// knows.
    ///
    /// # Errors
    /// [`StoreErrorKind::Internal`] where the URL cannot be read, [`StoreErrorKind::Unavailable`] where the database
    /// cannot be reached in time.
    pub async fn connect(self, url: &str) -> Result<PgLeadStore, StoreError> {
        let target = Target::parse(url, self.timeout)?;
        let mut config = ManagerConfig::default();
        // A dead connection shows when it is used, and what was asked is asked again on a new one.
        config.recycling_method = RecyclingMethod::Fast;
        config.custom_setup = Box::new({
            let target = target.clone();
            move |_| Box::pin(target.clone().connect())
        });
        let manager = AsyncDieselConnectionManager::new_with_config(String::new(), config);
        let pool = Pool::builder(manager)
            .max_size(self.max_connections as usize)
            .runtime(Runtime::Tokio1)
            .wait_timeout(Some(self.timeout))
            .create_timeout(Some(self.timeout))
            .recycle_timeout(Some(self.timeout))
            .build()
            .map_err(|error| StoreError::new(StoreErrorKind::Internal).with_driver_error(error))?;
        let mut opened = vec![Lease::take_from_pool(&pool, self.timeout).await?];
        for _ in 1..self.min_connections.min(self.max_connections) {
            opened.push(Lease::take_from_pool(&pool, self.timeout).await?);
        }
        opened.into_iter().for_each(Lease::give_back);
        Ok(PgLeadStore::over(pool, self.timeout, Some(target)))
    }
}

impl Default for PgOptions {
    fn default() -> Self {
        Self::new()
    }
}
