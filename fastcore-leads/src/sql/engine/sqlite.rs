use std::{collections::HashSet, future::Future, sync::Arc, time::Duration};

use tokio::time::{Instant, sleep};
use uuid::Uuid;

use super::{BoxFuture, Connections, Execute, Session, Work, kept_out, novelty::Novelty, write_all};
use crate::{
    jitter,
    sql::{
        SqliteLocation,
        inbox::{Dialect, Statement},
        sqlite as sql,
    },
    store::{Insertion, NewLead, StoreError, StoreErrorKind, StoredLead, settle},
};

/// How long a call waits for a connection, for its turn to write, or for its answer. The work itself goes on to its end.
pub const PATIENCE: Duration = Duration::from_secs(5);
const PAUSE: Duration = Duration::from_millis(20);
/// Connections of a pool of our own.
pub const MAX_CONNECTIONS: u32 = 4;

/// Writes batches to a file, for all handles to it.
#[derive(Clone, Debug, Default)]
pub struct SqliteIngest {
    novelty: Arc<Novelty>,
}

impl SqliteIngest {
    /// Writes leads, as [`LeadStore::insert`](crate::LeadStore::insert) says, on connections that are set up by
    /// [`SET_UP_OWN`](sql::SET_UP_OWN) and that nobody else has: in a transaction that somebody left open, leads would count as written that
    /// are not committed.
    ///
    /// # Errors
    /// As [`LeadStore::insert`](crate::LeadStore::insert).
    pub async fn insert_own<C: Connections>(
        &self,
        connections: &C,
        batch: &[NewLead],
    ) -> Result<Vec<Insertion>, StoreError> {
        if !self.novelty.is_likely(batch) {
            return insert(connections, batch).await;
        }
        let (rows, novelty) = (Rows::of(batch), Arc::clone(&self.novelty));
        let work: Work<C::Session, Option<Written>> = Box::new(|session| {
            Box::pin(async move {
                if rows.take_in(session, &novelty).await? {
                    return Ok(None);
                }
                rows.write_and_commit(session).await.map(Some)
            })
        });
        match connections.write(work).await? {
            None => Ok(vec![Insertion::Inserted; batch.len()]),
            Some((inserted, existing)) => settle(batch, &inserted, &existing),
        }
    }
}

/// Writes leads, as [`LeadStore::insert`](crate::LeadStore::insert) says, on any connections.
///
/// # Errors
/// As [`LeadStore::insert`](crate::LeadStore::insert).
pub async fn insert<C: Connections>(connections: &C, batch: &[NewLead]) -> Result<Vec<Insertion>, StoreError> {
    let rows = Rows::of(batch);
    let write: Work<C::Session, Written> = Box::new(|session| Box::pin(rows.write_and_commit(session)));
    let (inserted, existing) = connections.write(write).await?;
    settle(batch, &inserted, &existing)
}

/// Writes leads on a host's connection, in a transaction or not.
///
/// # Errors
/// As [`LeadStore::insert`](crate::LeadStore::insert).
pub async fn insert_on<S: Session>(session: &mut S, batch: &[NewLead]) -> Result<Vec<Insertion>, StoreError> {
    // Outside of a transaction the two inserts would be committed one by one.
    session.execute(sql::SAVEPOINT).await?;
    let written = Rows::of(batch).write(session).await;
    let end = if written.is_ok() { sql::RELEASE } else { sql::ROLLBACK_TO_SAVEPOINT };
    let ended = session.execute(end).await;
    let (inserted, existing) = written?;
    ended?;
    settle(batch, &inserted, &existing)
}

/// Which leads are new, and the rows that the others' request ids have already.
type Written = (HashSet<Uuid>, Vec<StoredLead>);

/// A batch on its way to the connection that writes.
struct Rows {
    json: String,
    /// The ids of each lead and its request.
    leads: Vec<(Uuid, Uuid)>,
}

impl Rows {
    fn of(batch: &[NewLead]) -> Self {
        let ids = |new: &NewLead| (new.id().as_uuid(), new.lead().meta().request_id().as_uuid());
        Self { json: sql::batch_json(batch), leads: batch.iter().map(ids).collect() }
    }

    fn ids(&self) -> HashSet<Uuid> {
        self.leads.iter().map(|(id, _)| *id).collect()
    }

    /// Writes them if all are new. False: nothing was written, and it is open whether a lead is at fault.
    async fn take_in<S: Session>(&self, session: &mut S, novelty: &Novelty) -> Result<bool, StoreError> {
        let began = Instant::now();
        let taken_in = Statement::of(Dialect::Sqlite, sql::TAKE_IN).with(self.json.clone());
        let Err(error) = session.write(taken_in).await else { return Ok(true) };
        // The driver does not tell why, but it is for another writer that SQLite waits so long.
        if error.is_unexplained() && began.elapsed() >= sql::BUSY_TIMEOUT {
            return Err(error.explained_as(StoreErrorKind::Unavailable, None));
        }
        match error.kind() {
            StoreErrorKind::Rejected => novelty.was_mistaken(),
            // Also seen where the connection was opened before the tables were made: for a name inside a trigger, SQLite does not read the
            // schema again, as it does for the statements that follow.
            StoreErrorKind::Misconfigured => {}
            _ => return Err(error),
        }
        session.execute(sql::SET_UP_OWN).await?;
        Ok(false)
    }

    /// Writes those that are new, in a transaction.
    async fn write_and_commit<S: Session>(self, session: &mut S) -> Result<Written, StoreError> {
        in_transaction(session, |_| true, |session| Box::pin(async move { self.write(session).await })).await
    }

    /// Writes those that are new, in the transaction that the session is in.
    async fn write<S: Session>(&self, session: &mut S) -> Result<Written, StoreError> {
        let statement = |text: &'static str| Statement::of(Dialect::Sqlite, text).with(self.json.clone());
        let is_all = session.write(statement(sql::INSERT_LEADS)).await? == self.leads.len() as u64;
        let inserted = if is_all {
            self.ids()
        } else {
            let news = session.answers(statement(sql::NEW_LEADS)).await?;
            news.iter().map(|id| sql::read_id(id)).collect::<Result<_, _>>()?
        };
        let audit = statement(sql::INSERT_AUDIT).with(sql::ids_json(inserted.iter().copied()));
        write_all(session, audit, inserted.len() as u64).await?;
        if is_all {
            return Ok((inserted, Vec::new()));
        }
        let request_ids: Vec<_> = self.leads.iter().map(|(_, request_id)| *request_id).collect();
        let existing = session.leads(Dialect::Sqlite.find(&request_ids)).await?;
        let found: HashSet<_> = existing.iter().map(|row| row.request_id).collect();
        if request_ids.iter().any(|request_id| !found.contains(request_id)) {
            return Err(kept_out());
        }
        Ok((inserted, existing))
    }
}

/// Runs work between BEGIN and COMMIT, or ROLLBACK where the outcome is not to be kept.
pub(super) async fn in_transaction<S: Session, T: Send>(
    session: &mut S,
    is_kept: fn(&T) -> bool,
    work: impl for<'c> FnOnce(&'c mut S) -> BoxFuture<'c, Result<T, StoreError>> + Send,
) -> Result<T, StoreError> {
    // BEGIN and COMMIT name no row: where they fail, the file cannot be written now.
    let unavailable = |error: StoreError| error.explained_as(StoreErrorKind::Unavailable, None);
    session.execute(sql::BEGIN).await.map_err(unavailable)?;
    let error = match work(session).await {
        Ok(value) => match session.execute(if is_kept(&value) { sql::COMMIT } else { sql::ROLLBACK }).await {
            Ok(()) => return Ok(value),
            Err(error) => unavailable(error),
        },
        Err(error) => error,
    };
    let was_open = session.execute(sql::ROLLBACK).await.is_ok();
    if !error.is_unexplained() {
        return Err(error);
    }
    // What a refusal meant shows in what SQLite did: on a full disk, an I/O error, no memory or an interrupt it rolls the
    // transaction back by itself ("Response To Errors Within A Transaction"), on a refused row it does not.
    if !was_open {
        return Err(unavailable(error));
    }
    // No lead's fault, where what it is written to is missing.
    let kind = match session.execute(sql::PROBE).await {
        Ok(()) => StoreErrorKind::Rejected,
        Err(_) => StoreErrorKind::Misconfigured,
    };
    Err(error.explained_as(kind, None))
}

/// Empties the log beside the file, at once or not at all: nobody waits for a reader that stands in its way.
pub(super) async fn empty_log<S: Session>(session: &mut S) -> Result<bool, StoreError> {
    session.execute(sql::NO_PATIENCE).await?;
    let emptied = session.execute(sql::EMPTY_LOG).await;
    session.execute(sql::USUAL_PATIENCE).await?;
    emptied?;
    let file = session.answers(Statement::of(Dialect::Sqlite, sql::FILE)).await?.pop().unwrap_or_default();
    // In memory, and without write-ahead logging, there is none.
    Ok(std::fs::metadata(format!("{file}-wal")).map_or(true, |log| log.len() == 0))
}

/// Turns on write-ahead logging. While another process does the same, SQLite answers "busy" without waiting.
///
/// # Errors
/// What the database says.
pub async fn use_wal<C: Connections>(connections: &C) -> Result<(), StoreError> {
    let end = Instant::now() + PATIENCE;
    loop {
        // What a driver does not explain is asked about here, before it is taken for an outage.
        let turn_on: Work<C::Session, _> =
            Box::new(|session| Box::pin(async move { Ok(session.execute(sql::USE_WAL).await) }));
        match connections.write(turn_on).await? {
            Err(error)
                if (error.is_unexplained() || error.code().is_some_and(sql::is_busy)) && Instant::now() < end =>
            {
                // Those that start together would stand in each other's way for ever.
                sleep(jitter::around(PAUSE)).await;
            }
            result => return result.map_err(|error| error.explained_as(StoreErrorKind::Unavailable, None)),
        }
    }
}

/// Which file a database was opened from: one that is put in its place is another, and what is written to the old one is lost. As long as
/// another is there, nothing is read either: a connection that is opened then would stay with it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FileIdentity(Option<(String, Option<(u64, u64)>)>);

impl FileIdentity {
    /// Takes down which file it is.
    pub fn of(location: &SqliteLocation) -> Self {
        match location {
            SqliteLocation::File(path) => Self(Some((path.clone(), identity(path)))),
            SqliteLocation::Memory => Self(None),
        }
    }

    /// Runs work that writes to it. What was written to a file that is no longer there is not acknowledged.
    ///
    /// # Errors
    /// What the work returns; as [`check`](Self::check) before the work, and [`StoreErrorKind::OutcomeUnknown`] after it.
    pub async fn held_by<T>(&self, work: impl Future<Output = Result<T, StoreError>>) -> Result<T, StoreError> {
        self.check()?;
        let done = work.await?;
        self.check().map_err(|error| error.into_kind(StoreErrorKind::OutcomeUnknown))?;
        Ok(done)
    }

    /// Whether the path still leads to it.
    ///
    /// # Errors
    /// [`StoreErrorKind::Unavailable`] where it does not.
    pub fn check(&self) -> Result<(), StoreError> {
        match &self.0 {
            Some((path, known)) if identity(path) != *known => {
                let reason = "the database file was moved or replaced under the service: restart the service";
                Err(StoreError::new(StoreErrorKind::Unavailable).with_reason(reason))
            }
            _ => Ok(()),
        }
    }
}

/// Device and inode.
#[cfg(unix)]
fn identity(path: &str) -> Option<(u64, u64)> {
    use std::os::unix::fs::MetadataExt;

    std::fs::metadata(path).ok().map(|file| (file.dev(), file.ino()))
}

/// Only whether it is there.
#[cfg(not(unix))]
fn identity(path: &str) -> Option<(u64, u64)> {
    std::fs::metadata(path).ok().map(|_| (0, 0))
}
