//! SQLite.

mod session;

use std::{
    future::Future,
    ops::{Deref, DerefMut},
    str::FromStr,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
};

use async_trait::async_trait;
use fastcore_leads::{
    Insertion, NewLead, StoreError, StoreErrorKind, delegate_store,
    sql::{
        SqliteLocation,
        engine::{
            Connections, Engine, FileIdentity, MAX_CONNECTIONS, PATIENCE, SqliteIngest, Work, sqlite_insert,
            sqlite_insert_on, use_wal,
        },
        inbox::Dialect,
        sqlite as sql,
    },
};
use sqlx::{
    ConnectOptions, Sqlite, SqliteConnection, SqlitePool,
    pool::PoolConnection,
    raw_sql,
    sqlite::{SqliteConnectOptions, SqlitePoolOptions},
};
use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore},
    time::timeout,
};

use self::session::{On, error};
use crate::error::while_connecting;

/// Keeps leads in a SQLite file: nothing to install, one machine.
///
/// Writes have a task and a connection of their own, one at a time, so that a caller that goes away leaves none half-done. The
/// file is in WAL mode with `synchronous=FULL`: a commit survives a power cut.
#[derive(Clone, Debug)]
pub struct SqliteLeadStore {
    engine: Engine<Files>,
}

impl SqliteLeadStore {
    /// Opens a file, and makes it where it is missing: `sqlite:path/to/file.db`, as [`SqliteLocation`] reads it.
    ///
    /// # Errors
    /// [`StoreErrorKind::Internal`] where the URL cannot be read, [`StoreErrorKind::Unavailable`] where the file cannot
    /// be opened.
    pub async fn connect(url: &str) -> Result<Self, StoreError> {
        let location = SqliteLocation::parse(url)?.absolute();
        // Each connection to memory is a database of its own.
        let is_memory = location == SqliteLocation::Memory;
        let options = match &location {
            SqliteLocation::File(path) => SqliteConnectOptions::new().filename(path),
            SqliteLocation::Memory => SqliteConnectOptions::from_str("sqlite::memory:").map_err(while_connecting)?,
        };
        let pool = SqlitePoolOptions::new()
            .max_connections(if is_memory { 1 } else { MAX_CONNECTIONS })
            .min_connections(u32::from(is_memory))
            .idle_timeout(None)
            .max_lifetime(None)
            .acquire_timeout(PATIENCE)
            .test_before_acquire(false)
            .after_connect(|connection, _| {
                Box::pin(async move { raw_sql(sql::SET_UP_CONNECTION).execute(connection).await.map(|_| ()) })
            })
            .connect_lazy_with(options.create_if_missing(true).disable_statement_logging());
        let writing = (!is_memory).then(Arc::default);
        let files = Files { is_shared: Arc::default(), writing, ..Files::of(pool) };
        use_wal(&files).await?;
        let file = FileIdentity::of(&location);
        Ok(Self { engine: Engine::new(Files { file, ..files }) })
    }

    /// Uses a pool that the host has already. WAL mode is the host's choice; `synchronous=FULL` and
    /// `recursive_triggers` are set on each connection that is used here, and stay set on it. Whether the file is moved or replaced is not
    /// looked at.
    pub fn from_pool(pool: SqlitePool) -> Self {
        Self { engine: Engine::new(Files::of(pool)) }
    }

    /// The pool. The store writes on a connection beside it, until the pool is closed.
    pub fn pool(&self) -> &SqlitePool {
        self.engine.connections().is_shared.store(true, Ordering::Relaxed);
        &self.engine.connections().pool
    }

    /// Writes leads on a connection of the host's, in the transaction that it is in: the host's own rows and the leads
    /// are then committed together, or not at all. Begin it with `BEGIN IMMEDIATE`.
    ///
    /// A lead counts as taken in only once the host has committed: do not answer 201 before.
    ///
    /// # Errors
    /// As [`LeadStore::insert`](fastcore_leads::LeadStore::insert); after an error, roll the transaction back.
    pub async fn insert_on(connection: &mut SqliteConnection, batch: &[NewLead]) -> Result<Vec<Insertion>, StoreError> {
        sqlite_insert_on(&mut On(connection), batch).await
    }
}

delegate_store!(SqliteLeadStore, engine);

/// Connections to one file.
#[derive(Clone)]
struct Files {
    pool: SqlitePool,
    /// SQLite has one writer at a time: waiting here is fairer, and cheaper, than its busy handler.
    writer: Arc<Semaphore>,
    file: FileIdentity,
    /// Whether others use the pool: what they leave behind is tidied up whenever a connection is taken.
    is_shared: Arc<AtomicBool>,
    /// None: the store writes on the pool's connections, a host's or the one to memory.
    writing: Option<Arc<Writing>>,
}

/// What a store over a pool of its own writes on: a connection beside the pool, which nobody else has. sqlx asks one that goes back to the
/// pool for a sign of life, which takes longer than to write a lead.
#[derive(Default)]
struct Writing {
    kept: Mutex<Option<SqliteConnection>>,
    ingest: SqliteIngest,
}

impl Writing {
    fn kept(&self) -> MutexGuard<'_, Option<SqliteConnection>> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

type Connection = On<Held>;

impl Files {
    fn of(pool: SqlitePool) -> Self {
        Self {
            pool,
            writer: Arc::new(Semaphore::new(1)),
            file: FileIdentity::default(),
            is_shared: Arc::new(true.into()),
            writing: None,
        }
    }

    /// A connection that is in no transaction: whoever had it before may have left one open, and leads written in it would
    /// never be committed.
    async fn acquire(&self) -> Result<PoolConnection<Sqlite>, StoreError> {
        let acquired = timeout(PATIENCE, self.pool.acquire()).await.map_err(|_| StoreErrorKind::Unavailable)?;
        let mut connection = acquired.map_err(while_connecting)?;
        if self.is_shared.load(Ordering::Relaxed) {
            // SQLite refuses this, without harm, where there is none.
            let _ = raw_sql(sql::ROLLBACK).execute(&mut *connection).await;
            raw_sql(sql::SET_UP_CONNECTION).execute(&mut *connection).await.map_err(error)?;
        }
        Ok(connection)
    }

    async fn turn(&self) -> Result<OwnedSemaphorePermit, StoreError> {
        let turn = timeout(PATIENCE, Arc::clone(&self.writer).acquire_owned()).await;
        Ok(turn.map_err(|_| StoreErrorKind::Unavailable)?.map_err(|_| StoreErrorKind::Unavailable)?)
    }

    async fn run<T>(self, work: Work<Connection, T>) -> Result<T, StoreError> {
        let mut connection = On(Held::Pooled(self.acquire().await?));
        let result = work(&mut connection).await;
        if let (Held::Pooled(mut connection), Err(error)) = (connection.0, &result)
            && !error.leaves_connection()
        {
            connection.close_on_drop();
        }
        result
    }

    /// One whose work failed or panicked is closed.
    async fn run_writing<T>(self, work: Work<Connection, T>) -> Result<T, StoreError> {
        let _turn = self.turn().await?;
        let Some(writing) = self.writing.clone() else { return self.run(work).await };
        let kept = writing.kept().take();
        if self.pool.is_closed() {
            return Err(StoreErrorKind::Unavailable.into());
        }
        let connection = if let Some(connection) = kept {
            connection
        } else {
            let mut connection = self.acquire().await?.detach();
            raw_sql(sql::SET_UP_OWN).execute(&mut connection).await.map_err(error)?;
            connection
        };
        let mut connection = On(Held::Own(Box::new(connection)));
        let result = work(&mut connection).await;
        let is_good = result.as_ref().err().is_none_or(StoreError::leaves_connection);
        if let (Held::Own(connection), true) = (connection.0, is_good) {
            *writing.kept() = Some(*connection);
        }
        result
    }
}

/// A connection at work.
enum Held {
    Own(Box<SqliteConnection>),
    Pooled(PoolConnection<Sqlite>),
}

impl Deref for Held {
    type Target = SqliteConnection;

    fn deref(&self) -> &SqliteConnection {
        match self {
            Self::Own(connection) => connection,
            Self::Pooled(connection) => connection,
        }
    }
}

impl DerefMut for Held {
    fn deref_mut(&mut self) -> &mut SqliteConnection {
        match self {
            Self::Own(connection) => connection,
            Self::Pooled(connection) => connection,
        }
    }
}

/// Runs work on a task of its own: were its future dropped between BEGIN and COMMIT, the connection would stay in between.
async fn apart<T: Send + 'static>(
    work: impl Future<Output = Result<T, StoreError>> + Send + 'static,
) -> Result<T, StoreError> {
    tokio::spawn(work).await.map_err(|_| StoreError::new(StoreErrorKind::Internal))?
}

#[async_trait]
impl Connections for Files {
    type Session = Connection;

    const DIALECT: Dialect = Dialect::Sqlite;

    async fn read<T: Send + 'static>(&self, work: Work<Connection, T>) -> Result<T, StoreError> {
        self.file.check()?;
        self.clone().run(work).await
    }

    async fn write<T: Send + 'static>(&self, work: Work<Connection, T>) -> Result<T, StoreError> {
        self.file.held_by(apart(self.clone().run_writing(work))).await
    }

    fn is_pooled(&self) -> bool {
        false
    }

    async fn migrate(&self, work: Work<Connection, bool>) -> Result<(), StoreError> {
        self.file.held_by(apart(self.clone().run_writing(work))).await.map(|_| ())
    }

    async fn insert(&self, batch: &[NewLead]) -> Result<Vec<Insertion>, StoreError> {
        match &self.writing {
            Some(writing) => writing.ingest.insert_own(self, batch).await,
            None => sqlite_insert(self, batch).await,
        }
    }

    async fn check(&self) -> Result<(), StoreError> {
        self.file.check()
    }
}
