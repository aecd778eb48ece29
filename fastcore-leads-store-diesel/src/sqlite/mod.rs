//! SQLite.

mod inbox;
mod migrate;
mod rows;
mod transaction;
mod worker;

use std::{collections::HashSet, fmt, marker::PhantomData};

use async_trait::async_trait;
use diesel::{
    ExpressionMethods, QueryDsl, RunQueryDsl, SelectableHelper, SqliteConnection,
    connection::SimpleConnection,
    r2d2::{ConnectionManager, Pool},
    sql_types::Text,
    sqlite::Sqlite,
};
use fastcore_leads::{Insertion, LeadDatabase, LeadStore, NewLead, StoreError, StoredLead, settle, sql::sqlite as sql};
use uuid::Uuid;

use self::{
    rows::LeadRow,
    transaction::in_transaction,
    worker::{Source, Worker},
};
use crate::{
    error::{Cause, running},
    schema::sqlite::lead_inbox,
    statement::statement,
};

/// Keeps leads in a SQLite file: nothing to install, one machine.
///
/// Writes are transactions on a thread of their own, one at a time, so that a caller that goes away leaves none half-done;
/// reads have another. The file is in WAL mode with `synchronous=FULL`: a commit survives a power cut.
#[derive(Clone)]
pub struct SqliteLeadStore {
    writer: Worker,
    reader: Worker,
}

impl SqliteLeadStore {
    /// Opens a file, and makes it where it is missing: `sqlite:path/to/file.db`.
    ///
    /// # Errors
    /// [`StoreErrorKind::Unavailable`](fastcore_leads::StoreErrorKind::Unavailable) where the file cannot be opened.
    pub async fn connect(url: &str) -> Result<Self, StoreError> {
        let source = Source::parse(url)?;
        let writer = Worker::start(source.clone());
        // Each connection to memory is a database of its own.
        let reader = if source.is_memory() { writer.clone() } else { Worker::start(source) };
        let store = Self { writer, reader };
        store.writer.run(migrate::use_wal).await?;
        Ok(store)
    }

    /// Uses a pool that the host has already. WAL mode is the host's choice; `synchronous=FULL` and
    /// `recursive_triggers` are set on each connection that is used here, and stay set on it.
    pub fn from_pool(pool: Pool<ConnectionManager<SqliteConnection>>) -> Self {
        let source = Source::Pool(pool);
        Self { writer: Worker::start(source.clone()), reader: Worker::start(source) }
    }

    /// Writes leads on a connection of the host's, in the transaction that it is in: the host's own rows and the leads
    /// are then committed together, or not at all. Begin it with `immediate_transaction`.
    ///
    /// A lead counts as taken in only once the host has committed: do not answer 201 before.
    ///
    /// # Errors
    /// As [`LeadStore::insert`]; after an error, roll the transaction back.
    pub fn insert_on(connection: &mut SqliteConnection, batch: &[NewLead]) -> Result<Vec<Insertion>, StoreError> {
        // Outside of a transaction the two inserts would be committed one by one.
        connection.batch_execute(sql::SAVEPOINT).map_err(running)?;
        let written = write_on(connection, &Parts::of(batch));
        let end = if written.is_ok() { sql::RELEASE } else { sql::ROLLBACK_TO_SAVEPOINT };
        let ended = connection.batch_execute(end).map_err(running);
        let (inserted, existing) = written?;
        ended?;
        settle(batch, &inserted, &existing)
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
        let parts = Parts::of(batch);
        let (inserted, existing) = self
            .writer
            .run(move |connection| in_transaction(connection, |connection| write_on(connection, &parts)))
            .await?;
        settle(batch, &inserted, &existing)
    }

    async fn ready(&self) -> Result<(), StoreError> {
        let applied = self.reader.run(migrate::applied).await?;
        self.writer.run(|_| Ok(())).await?;
        Ok(fastcore_leads::sql::SchemaMismatch::check(sql::MIGRATIONS, &applied)?)
    }
}

#[async_trait]
impl LeadDatabase for SqliteLeadStore {
    async fn migrate(&self) -> Result<(), StoreError> {
        self.writer.run(migrate::run).await
    }

    async fn durability_warnings(&self) -> Result<Vec<&'static str>, StoreError> {
        self.writer.run(migrate::durability_warnings).await
    }

    async fn missing_guards(&self) -> Result<Vec<String>, StoreError> {
        let read = |connection: &mut SqliteConnection| {
            let guards: Vec<rows::Guard> = diesel::sql_query(sql::MISSING_GUARDS).load(connection).map_err(running)?;
            Ok(guards.into_iter().map(|guard| guard.name).collect())
        };
        self.reader.run(read).await
    }
}

/// What a batch's statements are run with.
struct Parts {
    leads: String,
    request_ids: Vec<String>,
}

impl Parts {
    fn of(batch: &[NewLead]) -> Self {
        let request_ids = batch.iter().map(|new| new.lead().meta().request_id().to_string()).collect();
        Self { leads: sql::batch_json(batch), request_ids }
    }
}

/// Which leads are new, and the rows that the others' request ids have already.
type Written = (HashSet<Uuid>, Vec<StoredLead>);

statement! {
    /// The leads of a batch.
    InsertLeads on Sqlite = sql::INSERT_LEADS, '?', answers Text;
    leads: &'a str => Text,
}

statement! {
    /// The audit rows of a batch's new leads.
    InsertAudit on Sqlite = sql::INSERT_AUDIT, '?', answers ();
    leads: &'a str => Text,
    ids: String => Text,
}

impl RunQueryDsl<SqliteConnection> for InsertLeads<'_> {}
impl RunQueryDsl<SqliteConnection> for InsertAudit<'_> {}

fn write_on(connection: &mut SqliteConnection, parts: &Parts) -> Result<Written, Cause> {
    let leads = parts.leads.as_str();
    let ids: Vec<String> = InsertLeads { leads, _borrowed: PhantomData }.load(connection)?;
    let inserted = ids.iter().map(|id| sql::read_id(id)).collect::<Result<HashSet<_>, _>>().map_err(Cause::Clear)?;
    let ids = sql::ids_json(inserted.iter().copied());
    InsertAudit { leads, ids, _borrowed: PhantomData }.execute(connection)?;
    let is_all = inserted.len() == parts.request_ids.len();
    let existing = if is_all { Vec::new() } else { find(connection, &parts.request_ids).map_err(Cause::Clear)? };
    Ok((inserted, existing))
}

fn find(connection: &mut SqliteConnection, request_ids: &[String]) -> Result<Vec<StoredLead>, StoreError> {
    let query = lead_inbox::table.filter(lead_inbox::request_id.eq_any(request_ids)).select(LeadRow::as_select());
    let rows: Vec<LeadRow> = query.load(connection).map_err(running)?;
    rows.into_iter().map(StoredLead::try_from).collect()
}
