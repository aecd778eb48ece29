use std::{str::FromStr, time::Duration};

use fastcore_leads::{StoreError, StoreErrorKind, sql::postgres as sql};
use sqlx::{
    AssertSqlSafe, ConnectOptions, SqlSafeStr,
    postgres::{PgConnectOptions, PgPoolOptions},
    raw_sql,
};

use super::{Lease, PgLeadStore};

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

    /// How many connections are kept open also when there is nothing to do. Default 0.
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

    /// Connects to a database: `postgres://user:password@host:port/database`, with the parameters that sqlx knows.
    ///
    /// # Errors
    /// [`StoreErrorKind::Internal`] where the URL cannot be read, [`StoreErrorKind::Unavailable`] where the database
    /// cannot be reached in time.
    pub async fn connect(self, url: &str) -> Result<PgLeadStore, StoreError> {
        // The error would quote the URL, and with it the password.
        let options = PgConnectOptions::from_str(url).map_err(|_| {
            StoreError::new(StoreErrorKind::Internal)
                .with_reason("the database URL is not of the form postgres://user:password@host:port/database")
        })?;
        // No float is read or written, and PgBouncer refuses a setting that it does not know.
        let options = options.extra_float_digits(None);
        let setup = AssertSqlSafe(sql::set_up_connection(self.timeout)).into_sql_str();
        let pool = PgPoolOptions::new()
            .after_connect(move |connection, _| {
                let setup = setup.clone();
                Box::pin(async move { raw_sql(setup).execute(connection).await.map(|_| ()) })
            })
            .min_connections(self.min_connections.min(self.max_connections))
            .max_connections(self.max_connections)
            .acquire_timeout(self.timeout)
            .connect_lazy_with(options.disable_statement_logging());
        Lease::take_from_pool(&pool).await?.give_back();
        Ok(PgLeadStore::from_pool(pool).with_timeout(self.timeout))
    }
}

impl Default for PgOptions {
    fn default() -> Self {
        Self::new()
    }
}
