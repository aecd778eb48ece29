//! What a database store decides, once for every driver: how a batch is written and settled, how a change is carried out,
//! how tables are migrated and readiness is judged, how long a connection is kept and what closes it.
//!
//! A store crate brings what only its driver can do. For PostgreSQL: a [`Pool`] and its sessions, from which
//! [`PgConnections`] is made. For SQLite: [`Connections`] over a [`Session`]. An [`Engine`] over either is the store;
//! [`delegate_store!`](crate::delegate_store) gives a type of the crate's own its traits.

mod change;
mod lease;
mod log;
mod migrate;
mod novelty;
mod outbox;
mod postgres;
mod search;
mod sqlite;

use std::{collections::HashSet, fmt, future::Future, pin::Pin};

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use serde::de::DeserializeOwned;
use uuid::Uuid;

pub use self::{
    lease::MAX_IDLE,
    postgres::{DEFAULT_TIMEOUT, PgConnections, PgIngest, PgSession, Pool, Sessions, insert_on as pg_insert_on},
    sqlite::{
        FileIdentity, MAX_CONNECTIONS, PATIENCE, SqliteIngest, insert as sqlite_insert, insert_on as sqlite_insert_on,
        use_wal,
    },
};
use super::{
    inbox::{Dialect, Statement, counts_of},
    search::Searched,
    sqlite::{read_id, read_instant},
};
use crate::{
    audit::AuditRecord,
    inbox::{Change, Cursor, Due, Erasure, InboxError, LeadFilter, LeadPage, Search, SearchCursor, SearchPage, Tally},
    lead::{LeadId, RequestId},
    store::{
        Insertion, LeadInbox, LeadMigrations, LeadOutbox, LeadStore, NewLead, StoreError, StoreErrorKind, StoredLead,
    },
};

/// A connection that runs statements.
///
/// An error's kind is by the database's own code; where the driver keeps that to itself, it is
/// [`StoreError::unexplained`].
#[async_trait]
pub trait Execute: Send {
    /// Runs statements that have no parameters and whose answers do not matter.
    ///
    /// # Errors
    /// What the database says.
    async fn execute(&mut self, statements: &str) -> Result<(), StoreError>;
}

/// A connection that reads and writes what the inbox needs.
#[async_trait]
pub trait Session: Execute {
    /// Reads leads.
    ///
    /// # Errors
    /// What the database says.
    async fn leads(&mut self, statement: Statement) -> Result<Vec<StoredLead>, StoreError>;

    /// Reads audit rows.
    ///
    /// # Errors
    /// What the database says.
    async fn audit_records(&mut self, statement: Statement) -> Result<Vec<AuditRecord>, StoreError>;

    /// Reads texts: the one column of each row, `answer`.
    ///
    /// # Errors
    /// What the database says.
    async fn answers(&mut self, statement: Statement) -> Result<Vec<String>, StoreError>;

    /// Runs a statement that answers nothing to its end, and returns how many rows it wrote.
    ///
    /// # Errors
    /// What the database says.
    async fn write(&mut self, statement: Statement) -> Result<u64, StoreError>;
}

/// A future that is sent between threads.
pub type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// Work to be done on a session.
pub type Work<S, T> = Box<dyn for<'c> FnOnce(&'c mut S) -> BoxFuture<'c, Result<T, StoreError>> + Send>;

/// Where sessions come from. Each is in no transaction when its work begins, and bounds its waits.
#[async_trait]
pub trait Connections: Send + Sync {
    /// What work is done on.
    type Session: Session + 'static;

    /// Which database it is.
    const DIALECT: Dialect;

    /// Runs work that reads.
    ///
    /// # Errors
    /// What the work returns, or that there is no connection.
    async fn read<T: Send + 'static>(&self, work: Work<Self::Session, T>) -> Result<T, StoreError>;

    /// Runs work that writes, in a transaction that it begins and ends itself. A connection whose work failed is closed,
    /// unless [the row is at fault](StoreError::leaves_connection).
    ///
    /// # Errors
    /// What the work returns, or that there is no connection.
    async fn write<T: Send + 'static>(&self, work: Work<Self::Session, T>) -> Result<T, StoreError>;

    /// Whether a pooler shares sessions with others, a transaction at a time: then tables are not migrated here, which takes a session
    /// of one's own.
    fn is_pooled(&self) -> bool;

    /// Runs work that writes and may take as long as it takes. Where it returns true, the connection has other settings than
    /// before: one to PostgreSQL is closed.
    ///
    /// # Errors
    /// As [`write`](Self::write).
    async fn migrate(&self, work: Work<Self::Session, bool>) -> Result<(), StoreError>;

    /// Writes a batch, as [`LeadStore::insert`] says.
    ///
    /// # Errors
    /// As [`LeadStore::insert`].
    async fn insert(&self, batch: &[NewLead]) -> Result<Vec<Insertion>, StoreError>;

    /// Fails where what it is connected to is not where leads should be written.
    ///
    /// # Errors
    /// [`StoreErrorKind::Unavailable`], with a reason.
    async fn check(&self) -> Result<(), StoreError>;
}

/// Writes so many rows, or fails: of a row that a trigger keeps out without an error, only their number tells.
async fn write_all<S: Session>(session: &mut S, statement: Statement, rows: u64) -> Result<(), StoreError> {
    if session.write(statement).await? == rows { Ok(()) } else { Err(kept_out()) }
}

/// The error where a lead, or its audit row, was not written and no error says why.
fn kept_out() -> StoreError {
    StoreError::new(StoreErrorKind::Rejected).with_reason("a trigger keeps a row out")
}

/// A store over connections.
#[derive(Clone)]
pub struct Engine<C>(C);

impl<C: Connections> Engine<C> {
    /// A store over these connections.
    pub fn new(connections: C) -> Self {
        Self(connections)
    }

    /// The connections.
    pub fn connections(&self) -> &C {
        &self.0
    }

    async fn leads(&self, statement: Statement) -> Result<Vec<StoredLead>, StoreError> {
        self.0.read(Box::new(move |session| session.leads(statement))).await
    }

    async fn answers(&self, statement: Statement) -> Result<Vec<String>, StoreError> {
        self.0.read(Box::new(move |session| session.answers(statement))).await
    }

    async fn transact<T: Send + 'static>(
        &self,
        work: impl for<'c> FnOnce(&'c mut C::Session) -> BoxFuture<'c, Result<T, StoreError>> + Send + 'static,
    ) -> Result<T, StoreError> {
        self.0.write(change::in_transaction(C::DIALECT, |_| true, work)).await
    }
}

#[async_trait]
impl<C: Connections> LeadStore for Engine<C> {
    async fn insert(&self, batch: &[NewLead]) -> Result<Vec<Insertion>, StoreError> {
        self.0.insert(batch).await
    }

    async fn ready(&self) -> Result<(), StoreError> {
        self.0.check().await?;
        self.0.read(Box::new(|session| Box::pin(migrate::check(session, C::DIALECT)))).await
    }
}

#[async_trait]
impl<C: Connections> LeadInbox for Engine<C> {
    async fn get(&self, id: LeadId) -> Result<Option<StoredLead>, StoreError> {
        Ok(self.leads(C::DIALECT.get(id)).await?.pop())
    }

    async fn find(&self, request_id: RequestId) -> Result<Option<StoredLead>, StoreError> {
        Ok(self.leads(C::DIALECT.find(&[request_id.as_uuid()])).await?.pop())
    }

    async fn audit_trail(&self, id: LeadId) -> Result<Vec<AuditRecord>, StoreError> {
        self.0.read(Box::new(move |session| session.audit_records(C::DIALECT.audit_trail(id)))).await
    }

    async fn page(&self, filter: &LeadFilter, after: Option<Cursor>, limit: u32) -> Result<LeadPage, StoreError> {
        Ok(LeadPage::after(after, self.leads(C::DIALECT.page(filter, after, limit)).await?, limit))
    }

    async fn page_before(&self, filter: &LeadFilter, before: Cursor, limit: u32) -> Result<LeadPage, StoreError> {
        Ok(LeadPage::before(self.leads(C::DIALECT.page_before(filter, before, limit)).await?, limit))
    }

    async fn between(&self, first: Uuid, last: Uuid, limit: u32) -> Result<Vec<StoredLead>, StoreError> {
        self.leads(C::DIALECT.between(first, last, limit)).await
    }

    async fn erased(&self, after: Erasure, limit: u32) -> Result<Vec<StoredLead>, StoreError> {
        self.leads(C::DIALECT.erased(after, limit)).await
    }

    async fn search(
        &self,
        search: &Search,
        filter: &LeadFilter,
        after: Option<SearchCursor>,
        limit: u32,
    ) -> Result<SearchPage, StoreError> {
        let (search, filter) = (search.clone(), filter.clone());
        let work: Work<C::Session, _> =
            Box::new(move |session| Box::pin(search::search(session, C::DIALECT, search, filter, after, limit)));
        self.0.read(work).await
    }

    async fn index(&self, limit: u32) -> Result<u32, StoreError> {
        let searched: Vec<Searched> = read_answers(&self.answers(C::DIALECT.searched()).await?)?;
        // Most often nothing is to be entered: then nothing is locked.
        let Some((_, false, has_all_older)) = searched.into_iter().next() else { return Ok(0) };
        let numbered = if has_all_older { self.sequence(limit).await? } else { 0 };
        let entered = self.transact(move |session| Box::pin(search::index(session, C::DIALECT, limit))).await?;
        Ok(numbered.max(entered))
    }

    async fn find_by_email(&self, email: &str, limit: u32) -> Result<Vec<StoredLead>, StoreError> {
        self.leads(C::DIALECT.find_by_email(email, limit)).await
    }

    async fn counts(&self) -> Result<Vec<(String, u64)>, StoreError> {
        Ok(counts_of(read_answers(&self.answers(C::DIALECT.counts()).await?)?))
    }

    async fn tally(&self, filter: &LeadFilter) -> Result<Vec<Tally>, StoreError> {
        read_answers(&self.answers(C::DIALECT.tally(filter)).await?)
    }

    async fn first_contacts(&self, ids: &[LeadId]) -> Result<Vec<(LeadId, DateTime<Utc>)>, StoreError> {
        let ids: Vec<Uuid> = ids.iter().map(|id| id.as_uuid()).collect();
        if ids.is_empty() {
            return Ok(Vec::new());
        }
        let found: Vec<(String, String)> = read_answers(&self.answers(C::DIALECT.first_contacts(&ids)).await?)?;
        found.iter().map(|(id, at)| Ok((LeadId::from_uuid(read_id(id)?), read_instant(at)?))).collect()
    }

    async fn due(&self, due: &Due) -> Result<Vec<StoredLead>, StoreError> {
        self.leads(C::DIALECT.due(due)).await
    }

    async fn change(&self, change: &Change) -> Result<Vec<StoredLead>, InboxError> {
        let change = change.clone();
        let is_erasure = change.is_erasure();
        let changed = self.0.write(change::work(C::DIALECT, change)).await??;
        if is_erasure && C::DIALECT == Dialect::Sqlite {
            let emptied = self.0.write(Box::new(|session| Box::pin(sqlite::empty_log(session)))).await;
            if !matches!(emptied, Ok(true)) {
                tracing::warn!(
                    "erased, but the log beside the database file still holds what was there: others read from it; it is \
                     emptied with the next erasure"
                );
            }
        }
        Ok(changed)
    }

    async fn append(&self, records: &[AuditRecord]) -> Result<(), StoreError> {
        let mut ids: Vec<Uuid> = records.iter().map(|record| record.id).collect();
        ids.sort_unstable();
        ids.dedup();
        // Most of what is noted is there: then nothing is written, and nobody waits for it.
        let known: HashSet<String> = if ids.is_empty() {
            HashSet::new()
        } else {
            self.answers(C::DIALECT.known_audit(&ids)).await?.into_iter().collect()
        };
        let is_new = |record: &&AuditRecord| !known.contains(&record.id.hyphenated().to_string());
        let records: Vec<_> = records.iter().filter(is_new).collect();
        if records.is_empty() {
            return Ok(());
        }
        let (statement, count) = (C::DIALECT.append(&records), records.len() as u64);
        let append = change::in_transaction(
            C::DIALECT,
            |()| true,
            move |session: &mut C::Session| {
                Box::pin(async move {
                    // Fewer: somebody else noted one meanwhile, or a trigger keeps one out.
                    let is_all = session.write(statement).await? == count
                        || session.answers(C::DIALECT.known_audit(&ids)).await?.len() == ids.len();
                    if is_all { Ok(()) } else { Err(kept_out()) }
                })
            },
        );
        self.0.write(append).await
    }
}

#[async_trait]
impl<C: Connections> LeadMigrations for Engine<C> {
    async fn migrate(&self) -> Result<(), StoreError> {
        let is_pooled = self.0.is_pooled();
        self.0.migrate(Box::new(move |session| Box::pin(migrate::run(session, C::DIALECT, is_pooled)))).await
    }

    async fn adoption_problems(&self) -> Result<Vec<String>, StoreError> {
        self.0.read(Box::new(|session| Box::pin(migrate::problems(session, C::DIALECT)))).await
    }

    async fn settings_warnings(&self) -> Result<Vec<&'static str>, StoreError> {
        let asked: Vec<(String, String)> = match C::DIALECT {
            Dialect::Postgres => {
                read_answers(&self.answers(Statement::of(C::DIALECT, super::postgres::SETTINGS)).await?)?
            }
            // What a connection that writes has.
            Dialect::Sqlite => {
                let ask = Statement::of(C::DIALECT, super::sqlite::SETTINGS);
                read_answers(&self.0.write(Box::new(|session| session.answers(ask))).await?)?
            }
        };
        let mut warnings = match C::DIALECT {
            Dialect::Postgres => super::postgres::settings_warnings(&asked),
            Dialect::Sqlite => super::sqlite::settings_warnings(&asked),
        };
        if self.0.is_pooled() {
            let missing = self.answers(Statement::of(C::DIALECT, super::postgres::MISSING_OF_POOLED_ROLE)).await?;
            // That one is told of whatever sets it.
            let missing = missing.iter().filter(|name| *name != super::postgres::SYNCHRONOUS_COMMIT);
            warnings.extend(missing.filter_map(|name| super::postgres::pooled_warning(name)));
        }
        Ok(warnings)
    }

    async fn missing_guards(&self) -> Result<Vec<String>, StoreError> {
        let text = match C::DIALECT {
            Dialect::Postgres => super::postgres::MISSING_GUARDS,
            Dialect::Sqlite => super::sqlite::MISSING_GUARDS,
        };
        self.answers(Statement::of(C::DIALECT, text)).await
    }
}

impl<C> fmt::Debug for Engine<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Engine").finish_non_exhaustive()
    }
}

async fn ask<T: DeserializeOwned, S: Session>(session: &mut S, statement: Statement) -> Result<Vec<T>, StoreError> {
    read_answers(&session.answers(statement).await?)
}

/// Reads JSON answers.
fn read_answers<T: DeserializeOwned>(answers: &[String]) -> Result<Vec<T>, StoreError> {
    answers
        .iter()
        .map(|answer| serde_json::from_str(answer))
        .collect::<Result<_, _>>()
        .map_err(|_| StoreError::new(StoreErrorKind::Internal).with_reason("the database answered in another form"))
}
