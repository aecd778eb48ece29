//! SQLite.

mod session;
mod worker;

use async_trait::async_trait;
use diesel::{
    SqliteConnection,
    r2d2::{ConnectionManager, Pool},
};
use fastcore_leads::{
    Insertion, NewLead, StoreError, delegate_store,
    sql::{
        SqliteLocation,
        engine::{
            Connections, Engine, FileIdentity, PATIENCE, SqliteIngest, Work, sqlite_insert, sqlite_insert_on, use_wal,
        },
        inbox::Dialect,
    },
};

use self::{
    session::On,
    worker::{Connection, Source, Worker, at_once},
};

/// Keeps leads in a SQLite file: nothing to install, one machine.
///
/// Writes are transactions on a thread of their own, one at a time, so that a caller that goes away leaves none half-done;
/// reads have another. The file is in WAL mode with `synchronous=FULL`: a commit survives a power cut.
#[derive(Clone, Debug)]
pub struct SqliteLeadStore {
    engine: Engine<Workers>,
}

impl SqliteLeadStore {
    /// Opens a file, and makes it where it is missing: `sqlite:path/to/file.db`, as [`SqliteLocation`] reads it.
    ///
    /// # Errors
    /// [`StoreErrorKind::Internal`](fastcore_leads::StoreErrorKind::Internal) where the URL cannot be read,
    /// [`StoreErrorKind::Unavailable`](fastcore_leads::StoreErrorKind::Unavailable) where the file cannot be opened.
    pub async fn connect(url: &str) -> Result<Self, StoreError> {
        let location = SqliteLocation::parse(url)?.absolute();
        let source = Source::At(location.clone());
        let writer = Worker::start(source.clone());
        // Each connection to memory is a database of its own.
        let is_memory = location == SqliteLocation::Memory;
        let reader = if is_memory { writer.clone() } else { Worker::start(source) };
        let ingest = (!is_memory).then(SqliteIngest::default);
        let workers = Workers { writer, reader, ingest, file: FileIdentity::default() };
        use_wal(&workers).await?;
        let file = FileIdentity::of(&location);
        Ok(Self { engine: Engine::new(Workers { file, ..workers }) })
    }

    /// Uses a pool that the host has already. WAL mode is the host's choice; `synchronous=FULL` and
    /// `recursive_triggers` are set on each connection that is used here, and stay set on it. Whether the file is moved or replaced is not
    /// looked at.
    pub fn from_pool(pool: Pool<ConnectionManager<SqliteConnection>>) -> Self {
        let source = Source::Pool(pool);
        let (writer, reader) = (Worker::start(source.clone()), Worker::start(source));
        Self { engine: Engine::new(Workers { writer, reader, ingest: None, file: FileIdentity::default() }) }
    }

    /// Writes leads on a connection of the host's, in the transaction that it is in: the host's own rows and the leads
    /// are then committed together, or not at all. Begin it with `immediate_transaction`.
    ///
    /// A lead counts as taken in only once the host has committed: do not answer 201 before.
    ///
    /// # Errors
    /// As [`LeadStore::insert`](fastcore_leads::LeadStore::insert); after an error, roll the transaction back.
    pub fn insert_on(connection: &mut SqliteConnection, batch: &[NewLead]) -> Result<Vec<Insertion>, StoreError> {
        at_once(sqlite_insert_on(&mut On(connection), batch))
    }
}

delegate_store!(SqliteLeadStore, engine);

/// Threads that each have a connection to one file.
#[derive(Clone)]
struct Workers {
    writer: Worker,
    reader: Worker,
    /// None: the connections are a host's, or the one to memory.
    ingest: Option<SqliteIngest>,
    file: FileIdentity,
}

#[async_trait]
impl Connections for Workers {
    type Session = Connection;

    const DIALECT: Dialect = Dialect::Sqlite;

    async fn read<T: Send + 'static>(&self, work: Work<Connection, T>) -> Result<T, StoreError> {
        self.file.check()?;
        self.reader.run(work, Some(PATIENCE)).await
    }

    async fn write<T: Send + 'static>(&self, work: Work<Connection, T>) -> Result<T, StoreError> {
        self.file.held_by(self.writer.run(work, Some(PATIENCE))).await
    }

    fn is_pooled(&self) -> bool {
        false
    }

    async fn migrate(&self, work: Work<Connection, bool>) -> Result<(), StoreError> {
        self.file.held_by(self.writer.run(work, None)).await.map(|_| ())
    }

    async fn insert(&self, batch: &[NewLead]) -> Result<Vec<Insertion>, StoreError> {
        match &self.ingest {
            Some(ingest) => ingest.insert_own(self, batch).await,
            None => sqlite_insert(self, batch).await,
        }
    }

    async fn check(&self) -> Result<(), StoreError> {
        // Whether the thread that writes answers, too.
        self.write(Box::new(|_| Box::pin(async { Ok(()) }))).await
    }
}
