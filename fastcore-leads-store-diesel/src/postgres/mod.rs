//! PostgreSQL.

mod connect;
mod diagnosis;
mod inbox;
mod lease;
mod migrate;
mod options;
mod rows;

use std::{
    collections::HashSet,
    fmt,
    marker::PhantomData,
    pin::Pin,
    sync::{Arc, Mutex},
    time::Duration,
};

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use diesel::{
    ExpressionMethods, QueryDsl, QueryResult, SelectableHelper,
    pg::Pg,
    sql_types::{Array, Bool, Nullable, Text, Timestamptz, Uuid as SqlUuid},
};
use diesel_async::{
    AsyncPgConnection, RunQueryDsl, SimpleAsyncConnection,
    pooled_connection::deadpool::{Object, Pool},
};
use fastcore_leads::{
    Insertion, LeadDatabase, LeadStore, NewLead, StoreError, StoreErrorKind, StoredLead, settle,
    sql::postgres::{self as sql, Columns},
    unsettled,
};
use tokio::time::timeout;
use uuid::Uuid;

pub use self::options::PgOptions;
use self::{connect::Target, diagnosis::Diagnosis, lease::Lease, rows::LeadRow};
use crate::{
    error::{Cause, running},
    schema::postgres::lead_inbox,
    statement::statement,
};

type Reading<'c, T> = Pin<Box<dyn Future<Output = QueryResult<T>> + Send + 'c>>;

/// Keeps leads in PostgreSQL.
///
/// A batch is one prepared statement and one round trip. Writing connections are kept between batches, up to half of the
/// pool's, and are never given back to the pool in doubt: one that did not answer in time is closed.
#[derive(Clone)]
pub struct PgLeadStore {
    shared: Arc<Shared>,
}

struct Shared {
    pool: Pool<AsyncPgConnection>,
    timeout: Duration,
    /// Connections that are ready to write.
    idle: Mutex<Vec<Object<AsyncPgConnection>>>,
    max_idle: usize,
    /// Whom to ask why a statement was refused; a pool of the host's does not tell where it connects to.
    diagnosis: Option<Diagnosis>,
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
    /// Waiting for a connection is bounded by [`with_timeout`](Self::with_timeout), whatever the pool's timeouts are. Set a
    /// `statement_timeout` of about as much on the pool's connections, so that the server gives up too.
    ///
    /// tokio-postgres logs notices: set `client_min_messages` to `error` where a trigger may put a row's content into one.
    ///
    /// diesel keeps SQLSTATEs to itself. Where it has no kind for an error, a store that connects by URL asks the server
    /// again and knows; a store over a host's pool runs the batch once more on another connection, and takes an error that
    /// stays for a passing one: the sender is told to retry, which is always safe.
    pub fn from_pool(pool: Pool<AsyncPgConnection>) -> Self {
        Self::over(pool, options::DEFAULT_TIMEOUT, None)
    }

    fn over(pool: Pool<AsyncPgConnection>, timeout: Duration, target: Option<Target>) -> Self {
        let max_idle = pool.status().max_size / 2;
        let diagnosis = target.map(Diagnosis::new);
        Self { shared: Arc::new(Shared { pool, timeout, idle: Mutex::default(), max_idle, diagnosis }) }
    }

    /// How long one call may take. Default 2 s. Migrations are not bound by it.
    pub fn with_timeout(self, timeout: Duration) -> Self {
        let target = self.shared.diagnosis.as_ref().map(|diagnosis| diagnosis.target().clone());
        Self::over(self.shared.pool.clone(), timeout, target)
    }

    /// The pool.
    pub fn pool(&self) -> &Pool<AsyncPgConnection> {
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
    pub async fn insert_on(
        connection: &mut AsyncPgConnection,
        batch: &[NewLead],
    ) -> Result<Vec<Insertion>, StoreError> {
        Ok(write_on(connection, batch).await?)
    }

    /// Reads are run once more where a pooled connection turns out to be dead.
    async fn read<T>(
        &self,
        query: impl for<'c> Fn(&'c mut AsyncPgConnection) -> Reading<'c, T> + Send,
    ) -> Result<T, StoreError> {
        let work = async {
            loop {
                let mut lease = Lease::take_from_pool(&self.shared.pool, self.shared.timeout).await?;
                let is_fresh = lease.is_fresh();
                match query(lease.connection()?).await.map_err(running) {
                    Err(error) if error.kind() == StoreErrorKind::OutcomeUnknown && !is_fresh => {}
                    result => {
                        if result.is_ok() {
                            lease.give_back();
                        }
                        return result;
                    }
                }
            }
        };
        timeout(self.shared.timeout, work).await.unwrap_or_else(|_| Err(StoreErrorKind::TimedOut.into()))
    }

    async fn write(&self, batch: &[NewLead]) -> Result<Vec<Insertion>, StoreError> {
        let mut lease = self.shared.lease().await?;
        let result = match write_on(lease.connection()?, batch).await {
            Ok(outcomes) => Ok(outcomes),
            Err(Cause::Clear(error)) => Err(error),
            Err(Cause::Unclear(error)) => self.shared.ask_again(batch, error).await,
        };
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
            .read(|connection| {
                Box::pin(async {
                    let read_only: rows::Presence = diesel::sql_query(sql::IS_READ_ONLY).get_result(connection).await?;
                    Ok((read_only.present, migrate::applied(connection).await?))
                })
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
        migrate::run(&self.shared.pool, self.shared.timeout).await
    }

    async fn durability_warnings(&self) -> Result<Vec<&'static str>, StoreError> {
        self.read(|connection| {
            Box::pin(async {
                let settings: Vec<rows::Setting> = diesel::sql_query(sql::DURABILITY_SETTINGS).load(connection).await?;
                let settings: Vec<_> = settings.into_iter().map(|row| (row.name, row.setting)).collect();
                Ok(sql::durability_warnings(&settings))
            })
        })
        .await
    }

    async fn missing_guards(&self) -> Result<Vec<String>, StoreError> {
        let guards: Vec<rows::Guard> = self
            .read(|connection| Box::pin(async { diesel::sql_query(sql::MISSING_GUARDS).load(connection).await }))
            .await?;
        Ok(guards.into_iter().map(|guard| guard.name).collect())
    }
}

statement! {
    /// The one statement.
    InsertBatch on Pg = sql::INSERT, '$', answers Array<SqlUuid>;
    ids: Vec<Uuid> => Array<SqlUuid>,
    audit_ids: Vec<Uuid> => Array<SqlUuid>,
    created_at_utc: Vec<DateTime<Utc>> => Array<Timestamptz>,
    names: Vec<&'a str> => Array<Text>,
    emails: Vec<&'a str> => Array<Text>,
    phones: Vec<Option<&'a str>> => Array<Nullable<Text>>,
    companies: Vec<Option<&'a str>> => Array<Nullable<Text>>,
    services: Vec<Option<&'a str>> => Array<Nullable<Text>>,
    messages: Vec<&'a str> => Array<Text>,
    consents: Vec<bool> => Array<Bool>,
    sources: Vec<&'a str> => Array<Text>,
    request_ids: Vec<Uuid> => Array<SqlUuid>,
    ip_hashes: Vec<&'a str> => Array<Text>,
    meta_json: Vec<String> => Array<Text>,
    statuses: Vec<&'a str> => Array<Text>,
    actors: Vec<&'a str> => Array<Text>,
    details_json: Vec<String> => Array<Text>,
}

impl<'a> From<Columns<'a>> for InsertBatch<'a> {
    fn from(columns: Columns<'a>) -> Self {
        Self {
            ids: columns.ids,
            audit_ids: columns.audit_ids,
            created_at_utc: columns.created_at_utc,
            names: columns.names,
            emails: columns.emails,
            phones: columns.phones,
            companies: columns.companies,
            services: columns.services,
            messages: columns.messages,
            consents: columns.consents,
            sources: columns.sources,
            request_ids: columns.request_ids,
            ip_hashes: columns.ip_hashes,
            meta_json: columns.meta_json,
            statuses: columns.statuses,
            actors: columns.actors,
            details_json: columns.details_json,
            _borrowed: PhantomData,
        }
    }
}

async fn write_on(connection: &mut AsyncPgConnection, batch: &[NewLead]) -> Result<Vec<Insertion>, Cause> {
    let ids: Vec<Uuid> = InsertBatch::from(Columns::of(batch)).get_result(connection).await?;
    let inserted: HashSet<Uuid> = ids.into_iter().collect();
    let rest = unsettled(batch, &inserted);
    // A statement of its own: the first one's snapshot does not show rows that came in between.
    let existing = if rest.is_empty() {
        Vec::new()
    } else {
        find_confirmed(connection, &rest).await.map_err(|error| Cause::from(error).after_a_write())?
    };
    settle(batch, &inserted, &existing).map_err(Cause::Clear)
}

async fn find(connection: &mut AsyncPgConnection, request_ids: &[Uuid]) -> QueryResult<Vec<StoredLead>> {
    let query = lead_inbox::table.filter(lead_inbox::request_id.eq_any(request_ids)).select(LeadRow::as_select());
    let rows: Vec<LeadRow> = query.load(connection).await?;
    Ok(rows.into_iter().map(StoredLead::from).collect())
}

/// Leads that an earlier transaction wrote, once they are as durable as one that was just committed.
async fn find_confirmed(connection: &mut AsyncPgConnection, request_ids: &[Uuid]) -> QueryResult<Vec<StoredLead>> {
    let existing = find(connection, request_ids).await?;
    connection.batch_execute(sql::CONFIRM).await?;
    Ok(existing)
}
