//! PostgreSQL.

mod bare;
mod connect;
mod pool;
mod session;
#[cfg(feature = "tls")]
mod tls;

use std::time::Duration;

use diesel_async::{AsyncPgConnection, pooled_connection::deadpool::Pool as Deadpool};
use fastcore_leads::{
    Insertion, NewLead, StoreError, delegate_store,
    sql::{
        PgOptions, PgUrl,
        engine::{DEFAULT_TIMEOUT, Engine, PgConnections, pg_insert_on},
    },
};
use tokio_postgres::Config;

use self::{connect::Target, pool::Pool, session::On};

/// Keeps leads in PostgreSQL.
///
/// A batch is one prepared statement and one round trip. Connections that write are kept between batches: up to half of the
/// pool's, those included whose caller gave up and that the server still works for.
#[derive(Clone, Debug)]
pub struct PgLeadStore {
    engine: Engine<PgConnections<Pool>>,
}

impl PgLeadStore {
    /// Connects to a database: `postgres://user:password@host:port/database`, as [`PgUrl`] reads it. Of several hosts, the
    /// next is tried where one does not answer.
    ///
    /// # Errors
    /// [`StoreErrorKind::Internal`](fastcore_leads::StoreErrorKind::Internal) where the URL cannot be read,
    /// [`StoreErrorKind::Unavailable`](fastcore_leads::StoreErrorKind::Unavailable) where the database cannot be reached in
    /// time, [`StoreErrorKind::Misconfigured`](fastcore_leads::StoreErrorKind::Misconfigured) where `pooler=transaction` meets
    /// a role whose `synchronous_commit` is off.
    pub async fn connect(url: &str) -> Result<Self, StoreError> {
        Self::open(url, PgOptions::new()).await
    }

    /// As [`connect`](Self::connect), with settings.
    ///
    /// # Errors
    /// As [`connect`](Self::connect).
    pub async fn open(url: &str, options: PgOptions) -> Result<Self, StoreError> {
        pool::connect(Target::new(&PgUrl::parse(url)?, options.get_timeout())?, options).await
    }

    /// Connects with options of tokio-postgres' own, for what a URL cannot say. `SslMode::Require` is `verify-full`, by the
    /// authorities that the system trusts.
    ///
    /// Settings of the session are changed: behind a pooler in transaction mode, [`open`](Self::open) a URL instead.
    ///
    /// # Errors
    /// As [`connect`](Self::connect).
    pub async fn connect_with(server: Config, options: PgOptions) -> Result<Self, StoreError> {
        pool::connect(Target::with(server, options.get_timeout())?, options).await
    }

    /// Uses a pool that the host has already. As many of its connections as write at once are kept for writing, at most half
    /// of them. Their `lock_timeout` is set, and they are closed, not given back. Behind a pooler in transaction mode others
    /// would have that setting: [`open`](Self::open) a URL with `pooler=transaction` there.
    ///
    /// Waiting for a connection is bounded by [`with_timeout`](Self::with_timeout), whatever the pool's timeouts are. Set a
    /// `statement_timeout` of about as much on the pool's connections, so that the server gives up too.
    ///
    /// tokio-postgres logs notices: set `client_min_messages` to `error` where a trigger may put a row's content into one.
    /// `log_parameter_max_length_on_error = 0` keeps leads out of the server's log.
    ///
    /// diesel keeps SQLSTATEs to itself. Where it has no kind for an error, a store that connects by URL asks the server
    /// again and knows; a store over a host's pool runs the batch once more on another connection, and takes an error that
    /// stays for a passing one: the sender is told to retry, which is always safe.
    pub fn from_pool(pool: Deadpool<AsyncPgConnection>) -> Self {
        let pool = Pool { pool, target: None };
        Self { engine: Engine::new(PgConnections::over(pool, DEFAULT_TIMEOUT)) }
    }

    /// The same store with another limit for how long one call may take. Default 2 s. Migrations are not bound by it.
    pub fn with_timeout(self, timeout: Duration) -> Self {
        Self { engine: Engine::new(self.engine.connections().with_timeout(timeout)) }
    }

    /// The pool.
    pub fn pool(&self) -> &Deadpool<AsyncPgConnection> {
        &self.engine.connections().pool().pool
    }

    /// Writes leads on a connection of the host's, in the transaction that it is in, if any: the host's own rows and the
    /// leads are then committed together, or not at all.
    ///
    /// A lead counts as taken in only once the host has committed: do not answer 201 before. Until then, whoever else sends
    /// the same request id waits. The atomicity of [`LeadStore::insert`](fastcore_leads::LeadStore::insert) holds only within
    /// the host's transaction; after an error, roll it back.
    ///
    /// # Errors
    /// As [`LeadStore::insert`](fastcore_leads::LeadStore::insert).
    pub async fn insert_on(
        connection: &mut AsyncPgConnection,
        batch: &[NewLead],
    ) -> Result<Vec<Insertion>, StoreError> {
        pg_insert_on(&mut On(connection), batch).await
    }
}

delegate_store!(PgLeadStore, engine);
