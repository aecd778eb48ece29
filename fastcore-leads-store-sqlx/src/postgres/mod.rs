//! PostgreSQL.

mod inbox;
mod lease;
mod migrate;
mod options;
mod rows;

use std::{
    collections::HashSet,
    fmt,
    sync::{Arc, Mutex, atomic::AtomicBool},
    time::Duration,
};

use async_trait::async_trait;
use fastcore_leads::{
    Insertion, LeadDatabase, LeadStore, NewLead, StoreError, StoreErrorKind, StoredLead, settle,
    sql::postgres::{self as sql, Columns},
    unsettled,
};
use sqlx::{PgConnection, PgPool, Postgres, pool::PoolConnection, raw_sql};
use tokio::time::timeout;
use uuid::Uuid;

pub use self::options::PgOptions;
use self::{lease::Lease, rows::LeadRow};
use crate::error::{while_connecting, while_running};

/// Keeps leads in PostgreSQL.
///
/// A batch is one prepared statement and one round trip. Writing connections are kept between batches, up to half of the
/// pool's, and are never given back to the pool in doubt: one that did not answer in time is closed.
#[derive(Clone)]
pub struct PgLeadStore {
    shared: Arc<Shared>,
}

struct Shared {
    pool: PgPool,
    timeout: Duration,
    /// Connections that are ready to write.
    idle: Mutex<Vec<PoolConnection<Postgres>>>,
    max_idle: usize,
    is_watching: AtomicBool,
}

impl PgLeadStore {
    /// Connects with [`PgOptions::new`]'s settings.
    ///
    /// # Errors
    /// [`StoreErrorKind::Internal`] where the URL cannot be read, [`StoreErrorKind::Unavailable`] where the database
    /// cannot be reached in time.
    pub async fn connect(url: &str) -> Result<Self, StoreError> {
        PgOptions::new().connect(url).await
    }

    /// Uses a pool that the host has already. As many of its connections as write at once are kept for writing, at most half of them.
    ///
    /// `acquire_timeout` of the pool does not matter: waiting for a connection is bounded by
    /// [`with_timeout`](Self::with_timeout). Set a `statement_timeout` of about as much on the pool's connections, so that
    /// the server gives up too, and `client_min_messages` to `error`: sqlx logs notices, and a trigger of yours may put a
    /// row's content into one.
    pub fn from_pool(pool: PgPool) -> Self {
        Self::over(pool, options::DEFAULT_TIMEOUT)
    }

    fn over(pool: PgPool, timeout: Duration) -> Self {
        let max_idle = (pool.options().get_max_connections() / 2) as usize;
        let shared = Shared { pool, timeout, idle: Mutex::default(), max_idle, is_watching: AtomicBool::new(false) };
        Self { shared: Arc::new(shared) }
    }

    /// How long one call may take. Default 2 s. Migrations are not bound by it.
    pub fn with_timeout(self, timeout: Duration) -> Self {
        Self::over(self.shared.pool.clone(), timeout)
    }

    /// The pool.
    pub fn pool(&self) -> &PgPool {
        &self.shared.pool
    }

    /// Writes leads on a connection of the host's, in the transaction that it is in, if any: the host's own rows and the
    /// leads are then committed together, or not at all.
    ///
    /// A lead counts as taken in only once the host has committed: do not answer 201 before. The atomicity of
    /// [`LeadStore::insert`] holds only within the host's transaction; after an error, roll it back.
    ///
    /// # Errors
    /// As [`LeadStore::insert`].
    pub async fn insert_on(connection: &mut PgConnection, batch: &[NewLead]) -> Result<Vec<Insertion>, StoreError> {
        let inserted = insert_new(connection, batch).await.map_err(running)?;
        let rest = unsettled(batch, &inserted);
        // A statement of its own: the first one's snapshot does not show rows that came in between.
        let existing =
            if rest.is_empty() { Vec::new() } else { find_confirmed(connection, &rest).await.map_err(running)? };
        settle(batch, &inserted, &existing)
    }

    async fn read<T>(
        &self,
        query: impl AsyncFnOnce(&mut PgConnection) -> Result<T, sqlx::Error>,
    ) -> Result<T, StoreError> {
        let work = async {
            let mut lease = Lease::take_from_pool(&self.shared.pool).await?;
            let result = query(lease.connection()?).await.map_err(running)?;
            lease.give_back();
            Ok(result)
        };
        timeout(self.shared.timeout, work).await.unwrap_or_else(|_| Err(StoreErrorKind::TimedOut.into()))
    }

    async fn write(&self, batch: &[NewLead]) -> Result<Vec<Insertion>, StoreError> {
        let mut lease = self.shared.lease().await?;
        let result = Self::insert_on(lease.connection()?, batch).await;
        // After these the connection is as good as before; after any other error it is closed, and so are those kept.
        match result.as_ref().map_err(StoreError::kind) {
            Ok(_) | Err(StoreErrorKind::Rejected | StoreErrorKind::Contention) => self.shared.keep(lease),
            Err(_) => self.shared.forget_idle(),
        }
        result
    }
}

impl fmt::Debug for PgLeadStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PgLeadStore").field("timeout", &self.shared.timeout).finish_non_exhaustive()
    }
}

#[async_trait]
impl LeadStore for PgLeadStore {
    async fn insert(&self, batch: &[NewLead]) -> Result<Vec<Insertion>, StoreError> {
        let result = timeout(self.shared.timeout, self.write(batch)).await;
        result.unwrap_or_else(|_| {
            self.shared.forget_idle();
            Err(StoreErrorKind::TimedOut.into())
        })
    }

    async fn ready(&self) -> Result<(), StoreError> {
        let (is_read_only, applied) = self
            .read(async |connection| {
                let is_read_only = sqlx::query_scalar(sql::IS_READ_ONLY).fetch_one(&mut *connection).await?;
                Ok((is_read_only, migrate::applied(connection).await?))
            })
            .await?;
        sql::check_writable(is_read_only)?;
        Ok(fastcore_leads::sql::SchemaMismatch::check(sql::MIGRATIONS, &applied)?)
    }
}

#[async_trait]
impl LeadDatabase for PgLeadStore {
    /// Also adopts the tables of the FastAPI service in place. Needs no right to create tables where there is nothing to
    /// do, and is not bound by the timeout.
    async fn migrate(&self) -> Result<(), StoreError> {
        migrate::run(&self.shared.pool).await
    }

    async fn durability_warnings(&self) -> Result<Vec<&'static str>, StoreError> {
        self.read(async |connection| {
            let settings: Vec<(String, String)> =
                sqlx::query_as(sql::DURABILITY_SETTINGS).fetch_all(connection).await?;
            Ok(sql::durability_warnings(&settings))
        })
        .await
    }

    async fn missing_guards(&self) -> Result<Vec<String>, StoreError> {
        self.read(async |connection| sqlx::query_scalar(sql::MISSING_GUARDS).fetch_all(connection).await).await
    }
}

/// Runs the one statement; answers the ids of the leads that are new.
async fn insert_new(connection: &mut PgConnection, batch: &[NewLead]) -> Result<HashSet<Uuid>, sqlx::Error> {
    let columns = Columns::of(batch);
    let ids: Vec<Uuid> = sqlx::query_scalar(sql::INSERT)
        .bind(columns.ids)
        .bind(columns.audit_ids)
        .bind(columns.created_at_utc)
        .bind(columns.names)
        .bind(columns.emails)
        .bind(columns.phones)
        .bind(columns.companies)
        .bind(columns.services)
        .bind(columns.messages)
        .bind(columns.consents)
        .bind(columns.sources)
        .bind(columns.request_ids)
        .bind(columns.ip_hashes)
        .bind(columns.meta_json)
        .bind(columns.statuses)
        .bind(columns.actors)
        .bind(columns.details_json)
        .fetch_one(connection)
        .await?;
    Ok(ids.into_iter().collect())
}

async fn find(connection: &mut PgConnection, request_ids: &[Uuid]) -> Result<Vec<StoredLead>, sqlx::Error> {
    let rows: Vec<LeadRow> = sqlx::query_as(sql::FIND_BY_REQUEST).bind(request_ids).fetch_all(connection).await?;
    Ok(rows.into_iter().map(StoredLead::from).collect())
}

/// Leads that an earlier transaction wrote, once they are as durable as one that was just committed.
async fn find_confirmed(connection: &mut PgConnection, request_ids: &[Uuid]) -> Result<Vec<StoredLead>, sqlx::Error> {
    let existing = find(&mut *connection, request_ids).await?;
    raw_sql(sql::CONFIRM).execute(connection).await?;
    Ok(existing)
}

fn running(error: sqlx::Error) -> StoreError {
    while_running(error, sql::kind_of)
}
