use std::{str::FromStr, sync::atomic::AtomicUsize, time::Duration};

use fastcore_leads::{
    StoreError,
    sql::{
        PgHost, PgUrl, SslMode,
        engine::{DEFAULT_TIMEOUT, Engine, MAX_IDLE, PgConnections},
        postgres as sql,
    },
};
use sqlx::{
    ConnectOptions,
    postgres::{PgConnectOptions, PgPoolOptions, PgSslMode},
    raw_sql,
};

use super::{PgLeadStore, pool::Pool};
use crate::error::while_connecting;

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

    /// How many connections there may be, at least 1. Default 10; up to half of them write. Where more are to be kept
    /// open, this bound holds. With a single one, a commit that waits for a standby and is given up may be on a second.
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
    /// [`StoreErrorKind::Internal`](fastcore_leads::StoreErrorKind::Internal) where the URL cannot be read,
    /// [`StoreErrorKind::Unavailable`](fastcore_leads::StoreErrorKind::Unavailable) where the database cannot be reached in
    /// time.
    pub async fn connect(self, url: &str) -> Result<PgLeadStore, StoreError> {
        let url = PgUrl::parse(url)?;
        if cfg!(not(feature = "tls")) {
            url.without_tls()?;
        }
        let servers = url.hosts.iter().map(|host| server(&url, host)).collect::<Result<Vec<_>, _>>()?;
        let connect_timeout = url.connect_timeout_within(self.timeout);
        self.connect_to(servers, connect_timeout, url.is_read_write).await
    }

    /// Connects with options of sqlx's own, for what a URL cannot say.
    ///
    /// # Errors
    /// [`StoreErrorKind::Unavailable`](fastcore_leads::StoreErrorKind::Unavailable) where the database cannot be reached in
    /// time.
    pub async fn connect_with(self, options: PgConnectOptions) -> Result<PgLeadStore, StoreError> {
        let timeout = self.timeout;
        self.connect_to(vec![options], timeout, false).await
    }

    async fn connect_to(
        self,
        servers: Vec<PgConnectOptions>,
        connect_timeout: Duration,
        is_read_write: bool,
    ) -> Result<PgLeadStore, StoreError> {
        // No float is read or written, and PgBouncer refuses a setting that it does not know.
        let servers: Vec<_> =
            servers.into_iter().map(|server| server.extra_float_digits(None).disable_statement_logging()).collect();
        let pool = PgPoolOptions::new()
            .after_connect(move |connection, _| {
                Box::pin(async move {
                    raw_sql(sql::SET_UP_CONNECTION).execute(&mut *connection).await?;
                    if !is_read_write {
                        return Ok(());
                    }
                    let is_read_only: String = sqlx::query_scalar(sql::IS_READ_ONLY).fetch_one(connection).await?;
                    if is_read_only == "true" {
                        return Err(std::io::Error::other("the server takes no writes").into());
                    }
                    Ok(())
                })
            })
            .min_connections(self.min_connections.min(self.max_connections))
            .max_connections(self.max_connections)
            .acquire_timeout(connect_timeout)
            .idle_timeout(MAX_IDLE)
            .test_before_acquire(false)
            .connect_lazy_with(servers[0].clone());
        let pool = Pool { inner: pool, servers: Some(servers.into()), server: AtomicUsize::new(0) };
        let connections = PgConnections::over(pool, self.timeout);
        connections.open(1).await?;
        Ok(PgLeadStore { engine: Engine::new(connections) })
    }
}

fn server(url: &PgUrl, host: &PgHost) -> Result<PgConnectOptions, StoreError> {
    let mut options = match &url.options {
        // Only a URL takes them as they are.
        Some(text) => {
            let encoded: String = text.bytes().map(|byte| format!("%{byte:02X}")).collect();
            PgConnectOptions::from_str(&format!("postgres://localhost/?options={encoded}")).map_err(while_connecting)?
        }
        None => PgConnectOptions::new_without_pgpass(),
    };
    options = match host {
        PgHost::Tcp(name, port) => options.host(name).port(*port),
        PgHost::Unix(directory, port) => options.socket(directory).port(*port),
    };
    options = options.application_name(&url.application_name).ssl_mode(match url.ssl_mode {
        SslMode::Disable => PgSslMode::Disable,
        SslMode::Prefer => PgSslMode::Prefer,
        SslMode::Require => PgSslMode::Require,
        SslMode::VerifyCa => PgSslMode::VerifyCa,
        SslMode::VerifyFull => PgSslMode::VerifyFull,
    });
    if let Some(user) = &url.user {
        options = options.username(user);
    }
    if let Some(password) = &url.password {
        options = options.password(password);
    }
    if let Some(database) = &url.database {
        options = options.database(database);
    }
    if let Some(file) = &url.ssl_root_cert {
        options = options.ssl_root_cert(file);
    }
    if let Some((cert, key)) = &url.ssl_client_cert {
        options = options.ssl_client_cert(cert).ssl_client_key(key);
    }
    Ok(options)
}

impl Default for PgOptions {
    fn default() -> Self {
        Self::new()
    }
}
