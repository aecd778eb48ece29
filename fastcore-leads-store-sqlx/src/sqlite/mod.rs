//! SQLite.

mod inbox;
mod migrate;
mod rows;
mod transaction;

use std::{collections::HashSet, fmt, str::FromStr, sync::Arc, time::Duration};

use async_trait::async_trait;
use fastcore_leads::{
    Insertion, LeadDatabase, LeadStore, NewLead, StoreError, StoreErrorKind, StoredLead, settle,
    sql::{SqliteLocation, sqlite as sql},
};
use sqlx::{
    ConnectOptions, Sqlite, SqliteConnection, SqlitePool,
    pool::PoolConnection,
    raw_sql,
    sqlite::{SqliteConnectOptions, SqlitePoolOptions},
};
use tokio::{
    sync::{Semaphore, SemaphorePermit},
    time::timeout,
};
use uuid::Uuid;

use self::{rows::LeadRow, transaction::in_transaction};
use crate::error::{while_connecting, while_running};

/// How long a call waits for a connection, or for its turn to write.
const ACQUIRE_TIMEOUT: Duration = Duration::from_secs(2);
/// Connections of a pool of our own: one writes, the others read meanwhile.
const MAX_CONNECTIONS: u32 = 4;

/// Keeps leads in a SQLite file: nothing to install, one machine.
///
/// Writes are transactions of their own task, one at a time, so that a caller that goes away leaves none half-done. The
/// file is in WAL mode with `synchronous=FULL`: a commit survives a power cut.
#[derive(Clone)]
pub struct SqliteLeadStore {
    pool: SqlitePool,
    /// SQLite has one writer at a time: waiting here is fairer, and cheaper, than its busy handler.
    writer: Arc<Semaphore>,
    /// A pool of our own sets its connections up once, a host's is set up when it is about to write.
    is_hosts: bool,
}

impl SqliteLeadStore {
    /// Opens a file, and makes it where it is missing: `sqlite:path/to/file.db`.
    ///
    /// # Errors
    /// [`StoreErrorKind::Internal`] where the URL cannot be read, [`StoreErrorKind::Unavailable`] where the file cannot
    /// be opened.
    pub async fn connect(url: &str) -> Result<Self, StoreError> {
        let location = SqliteLocation::parse(url)?;
        // Each connection to memory is a database of its own.
        let is_memory = location == SqliteLocation::Memory;
        let options = match location {
            SqliteLocation::File(path) => SqliteConnectOptions::new().filename(path),
            SqliteLocation::Memory => SqliteConnectOptions::from_str("sqlite::memory:").map_err(while_connecting)?,
        };
        let pool = SqlitePoolOptions::new()
            .max_connections(if is_memory { 1 } else { MAX_CONNECTIONS })
            .min_connections(u32::from(is_memory))
            .idle_timeout(None)
            .max_lifetime(None)
            .acquire_timeout(ACQUIRE_TIMEOUT)
            .test_before_acquire(false)
            .after_connect(|connection, _| {
                Box::pin(async move { raw_sql(sql::SET_UP_CONNECTION).execute(connection).await.map(|_| ()) })
            })
            .connect_lazy_with(options.create_if_missing(true).disable_statement_logging());
        let store = Self { is_hosts: false, ..Self::from_pool(pool) };
        migrate::use_wal(&store.pool).await?;
        Ok(store)
    }

    /// Uses a pool that the host has already. WAL mode is the host's choice; `synchronous=FULL` and
    /// `recursive_triggers` are set on each connection that writes leads, and stay set on it.
    pub fn from_pool(pool: SqlitePool) -> Self {
        Self { pool, writer: Arc::new(Semaphore::new(1)), is_hosts: true }
    }

    /// The pool.
    pub fn pool(&self) -> &SqlitePool {
        &self.pool
    }

    /// Writes leads on a connection of the host's, in the transaction that it is in: the host's own rows and the leads
    /// are then committed together, or not at all. Begin it with `BEGIN IMMEDIATE`.
    ///
    /// A lead counts as taken in only once the host has committed: do not answer 201 before.
    ///
    /// # Errors
    /// As [`LeadStore::insert`]; after an error, roll the transaction back.
    pub async fn insert_on(connection: &mut SqliteConnection, batch: &[NewLead]) -> Result<Vec<Insertion>, StoreError> {
        let parts = Parts::of(batch);
        // Outside of a transaction the two inserts would be committed one by one.
        raw_sql(sql::SAVEPOINT).execute(&mut *connection).await.map_err(running)?;
        let written = write_on(connection, &parts).await;
        let end = if written.is_ok() { sql::RELEASE } else { sql::ROLLBACK_TO_SAVEPOINT };
        let ended = raw_sql(end).execute(&mut *connection).await.map_err(running);
        let (inserted, existing) = written?;
        ended?;
        settle(batch, &inserted, &existing)
    }

    async fn acquire(&self) -> Result<PoolConnection<Sqlite>, StoreError> {
        transaction::acquire(&self.pool).await
    }

    async fn acquire_to_write(&self) -> Result<PoolConnection<Sqlite>, StoreError> {
        let mut connection = self.acquire().await?;
        if self.is_hosts {
            raw_sql(sql::SET_UP_CONNECTION).execute(&mut *connection).await.map_err(running)?;
        }
        Ok(connection)
    }

    /// Waits for its turn to write.
    async fn turn(&self) -> Result<SemaphorePermit<'_>, StoreError> {
        let unavailable = || StoreError::new(StoreErrorKind::Unavailable);
        let turn = timeout(ACQUIRE_TIMEOUT, self.writer.acquire()).await;
        turn.map_err(|_| unavailable())?.map_err(|_| unavailable())
    }

    async fn write(self, parts: Parts) -> Result<Written, StoreError> {
        let _turn = self.turn().await?;
        let mut connection = self.acquire_to_write().await?;
        in_transaction(&mut connection, async |connection| write_on(connection, &parts).await).await
    }
}

impl fmt::Debug for SqliteLeadStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SqliteLeadStore").finish_non_exhaustive()
    }
}

#[async_trait]
impl LeadStore for SqliteLeadStore {
    async fn insert(&self, batch: &[NewLead]) -> Result<Vec<Insertion>, StoreError> {
        // A task of its own: were this future dropped between BEGIN and COMMIT, the connection would stay in between.
        let write = tokio::spawn(self.clone().write(Parts::of(batch)));
        let (inserted, existing) = write.await.map_err(|_| StoreError::new(StoreErrorKind::Internal))??;
        settle(batch, &inserted, &existing)
    }

    async fn ready(&self) -> Result<(), StoreError> {
        let applied = migrate::applied(&mut *self.acquire().await?).await?;
        Ok(fastcore_leads::sql::SchemaMismatch::check(sql::MIGRATIONS, &applied)?)
    }
}

#[async_trait]
impl LeadDatabase for SqliteLeadStore {
    async fn migrate(&self) -> Result<(), StoreError> {
        migrate::run(&self.pool).await
    }

    async fn durability_warnings(&self) -> Result<Vec<&'static str>, StoreError> {
        let mut connection = self.acquire_to_write().await?;
        let mode: String = sqlx::query_scalar(sql::JOURNAL_MODE).fetch_one(&mut *connection).await.map_err(running)?;
        let level: i32 = sqlx::query_scalar(sql::SYNCHRONOUS).fetch_one(&mut *connection).await.map_err(running)?;
        Ok(sql::durability_warnings(&mode, level))
    }

    async fn missing_guards(&self) -> Result<Vec<String>, StoreError> {
        sqlx::query_scalar(sql::MISSING_GUARDS).fetch_all(&mut *self.acquire().await?).await.map_err(running)
    }
}

/// What a batch's statements are run with.
struct Parts {
    leads: String,
    request_ids: String,
    count: usize,
}

impl Parts {
    fn of(batch: &[NewLead]) -> Self {
        Self {
            leads: sql::batch_json(batch),
            request_ids: sql::ids_json(batch.iter().map(|new| new.lead().meta().request_id().as_uuid())),
            count: batch.len(),
        }
    }
}

/// Which leads are new, and the rows that the others' request ids have already.
type Written = (HashSet<Uuid>, Vec<StoredLead>);

async fn write_on(connection: &mut SqliteConnection, parts: &Parts) -> Result<Written, StoreError> {
    let ids: Vec<String> =
        sqlx::query_scalar(sql::INSERT_LEADS).bind(&parts.leads).fetch_all(&mut *connection).await.map_err(running)?;
    let inserted = ids.iter().map(|id| sql::read_id(id)).collect::<Result<HashSet<_>, _>>()?;
    sqlx::query(sql::INSERT_AUDIT)
        .bind(&parts.leads)
        .bind(sql::ids_json(inserted.iter().copied()))
        .execute(&mut *connection)
        .await
        .map_err(running)?;
    let existing =
        if inserted.len() == parts.count { Vec::new() } else { find(connection, &parts.request_ids).await? };
    Ok((inserted, existing))
}

async fn find(connection: &mut SqliteConnection, request_ids: &str) -> Result<Vec<StoredLead>, StoreError> {
    let rows: Vec<LeadRow> =
        sqlx::query_as(sql::FIND_BY_REQUEST).bind(request_ids).fetch_all(connection).await.map_err(running)?;
    rows.into_iter().map(StoredLead::try_from).collect()
}

fn running(error: sqlx::Error) -> StoreError {
    while_running(error, |code| code.parse().map_or(StoreErrorKind::Internal, sql::kind_of))
}
