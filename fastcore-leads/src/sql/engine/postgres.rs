use std::{
    collections::HashSet,
    fmt,
    future::{Future, poll_fn},
    pin::{Pin, pin},
    sync::Arc,
    task::Poll,
    time::Duration,
};

use async_trait::async_trait;
use tokio::time::timeout;
use uuid::Uuid;

use super::{
    BoxFuture, Connections, Execute, Session, Work, kept_out,
    lease::{Lease, Shared},
};
use crate::{
    sql::{
        inbox::{Dialect, Statement},
        postgres as sql,
    },
    store::{Insertion, NewLead, StoreError, StoreErrorKind, StoredLead, settle, unsettled},
};

/// How long one call may take, unless it was set to another time.
pub const DEFAULT_TIMEOUT: Duration = Duration::from_secs(2);
/// To look for no request id saves a seventh of what a batch costs PostgreSQL; of a smaller one, a statement that fails costs more.
const WORTHWHILE: usize = 16;

/// A connection to PostgreSQL that writes leads.
#[async_trait]
pub trait PgIngest: Execute {
    /// Runs [`INSERT`](sql::INSERT) or [`INSERT_NEW`](sql::INSERT_NEW), and returns what it answers once the server has said that the statement
    /// is over (`ReadyForQuery`), not before: outside of a transaction the commit comes behind the answer, and may fail.
    ///
    /// # Errors
    /// What the database says.
    async fn insert(&mut self, statement: &'static str, batch: &[NewLead]) -> Result<HashSet<Uuid>, StoreError>;

    /// Reads leads by request ids.
    ///
    /// # Errors
    /// What the database says.
    async fn find(&mut self, request_ids: &[Uuid]) -> Result<Vec<StoredLead>, StoreError>;
}

/// A connection to PostgreSQL.
pub trait PgSession: PgIngest + Session {}

impl<S: PgIngest + Session> PgSession for S {}

/// Who may change the settings of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sessions {
    /// The store: the pool was made for it.
    Own,
    /// The host whose pool it is. How long a connection that writes waits for a lock is set all the same.
    Host,
    /// Nobody: a pooler hands each transaction on to any of the server's connections.
    Pooled,
}

/// A driver's pool. Its own time limits do not matter, where they are not below [`DEFAULT_TIMEOUT`].
#[async_trait]
pub trait Pool: Send + Sync + 'static {
    /// A connection from it; dropped, it goes back to the pool.
    type Connection: PgSession + 'static;

    /// Takes a connection, or opens one.
    ///
    /// # Errors
    /// [`StoreErrorKind::Unavailable`] where the database cannot be reached now, [`StoreErrorKind::Internal`] where it never
    /// will be.
    async fn acquire(&self) -> Result<Self::Connection, StoreError>;

    /// Closes a connection, and frees its place.
    fn close(connection: Self::Connection);

    /// Closes the connections that nobody uses.
    fn close_idle(&self);

    /// How many connections there may be.
    fn max_size(&self) -> usize;

    /// Whose the settings of its connections are.
    fn sessions(&self) -> Sessions;

    /// Whether the host has closed it.
    fn is_closed(&self) -> bool;

    /// Waits until the host closes it.
    fn closed(&self) -> BoxFuture<'static, ()>;

    /// A connection that explains errors where this pool's driver does not. None: there is no such connection.
    ///
    /// # Errors
    /// As [`acquire`](Self::acquire).
    async fn explaining(&self) -> Result<Option<Box<dyn PgIngest>>, StoreError>;
}

/// PostgreSQL behind a driver's pool.
///
/// Up to half of the pool's connections write, and are kept between batches. One that does not answer in time keeps its place
/// until the server has let go of it, so that the server never sees more of them than the pool may have. Behind a pooler in transaction mode the
/// server's process is not known: there the place is free once the connection answers or breaks, or after a minute.
pub struct PgConnections<P: Pool> {
    shared: Arc<Shared<P>>,
    timeout: Duration,
}

impl<P: Pool> PgConnections<P> {
    /// Connections of a pool.
    pub fn over(pool: P, timeout: Duration) -> Self {
        Self { shared: Shared::over(pool), timeout }
    }

    /// The same connections with another time limit.
    pub fn with_timeout(&self, timeout: Duration) -> Self {
        Self { shared: Arc::clone(&self.shared), timeout }
    }

    /// The pool.
    pub fn pool(&self) -> &P {
        &self.shared.pool
    }

    /// The time limit.
    pub fn timeout(&self) -> Duration {
        self.timeout
    }

    /// Takes so many connections at once, and gives them back. Warns where they lead to another machine in clear, and where
    /// there are not so many.
    ///
    /// # Errors
    /// [`StoreErrorKind::Unavailable`] where the database cannot be reached in time; [`StoreErrorKind::Misconfigured`] where it does not wait
    /// for the disk at a commit, and a pooler shares its sessions, so that nobody here can have it wait.
    pub async fn open(&self, connections: usize) -> Result<(), StoreError> {
        let mut opened = vec![within(self.timeout, self.shared.take(self.timeout)).await?];
        while opened.len() < connections {
            match within(self.timeout, self.shared.take(self.timeout)).await {
                Ok(open) => opened.push(open),
                Err(error) => {
                    tracing::warn!(
                        opened = opened.len(),
                        wanted = connections,
                        "not as many connections as wanted could be opened ({error}): where the database, or a pooler in front of it, has no \
                         more, give it more, or set max_connections (`serve --max-db-connections`) to this service's share"
                    );
                    break;
                }
            }
        }
        let ask = Statement::of(Dialect::Postgres, sql::IS_IN_CLEAR);
        // A pooler in between may not tell.
        let is_in_clear = within(self.timeout, opened[0].connection()?.answers(ask)).await;
        if is_in_clear.is_ok_and(|answers| answers == ["true"]) {
            tracing::warn!(
                "the connection to the database on another machine is not encrypted: set sslmode=verify-full"
            );
        }
        if self.is_pooled() {
            let ask = Statement::of(Dialect::Postgres, sql::MISSING_OF_POOLED_ROLE);
            let missing = within(self.timeout, opened[0].connection()?.answers(ask)).await;
            let missing = missing.map_err(|error| error.into_kind(StoreErrorKind::Unavailable))?;
            if let Some(name) = missing.iter().find(|name| *name == sql::SYNCHRONOUS_COMMIT) {
                let error = StoreError::new(StoreErrorKind::Misconfigured);
                return Err(match sql::pooled_warning(name) {
                    Some(reason) => error.with_reason(reason),
                    None => error,
                });
            }
        }
        opened.into_iter().for_each(super::lease::Open::give_back);
        Ok(())
    }

    /// A kept connection may be one that was forgotten on the way: where it is silent for half of the time, the batch is run
    /// on a new one beside it. Inserts are idempotent, so the first answer counts.
    async fn insert_in_time(&self, batch: &[NewLead]) -> Result<Vec<Insertion>, StoreError> {
        let lease = self.shared.lease(self.timeout).await?;
        if !lease.is_kept {
            return self.insert_on(lease, batch).await;
        }
        let mut first = pin!(self.insert_on(lease, batch));
        if let Ok(result) = timeout(self.timeout / 2, &mut first).await {
            return result;
        }
        self.shared.forget_kept();
        let second = async {
            match self.shared.try_lease_new(self.timeout).await {
                Some(lease) => self.insert_on(lease?, batch).await,
                None => Err(StoreErrorKind::Unavailable.into()),
            }
        };
        first_success(first, pin!(second)).await
    }

    async fn insert_on(&self, lease: Lease<P>, batch: &[NewLead]) -> Result<Vec<Insertion>, StoreError> {
        match self.insert_leased(lease, batch).await {
            Err(error) if error.is_unexplained() => self.insert_again(batch, error).await,
            result => result,
        }
    }

    async fn insert_leased(&self, mut lease: Lease<P>, batch: &[NewLead]) -> Result<Vec<Insertion>, StoreError> {
        let result = self.insert_likely(lease.connection()?, batch).await;
        lease.end(&result);
        result
    }

    /// Writes leads that are likely to be new as such, and otherwise, or where they were not, whatever they are. Outside of a
    /// transaction of a host's, which would not outlast the mistake.
    async fn insert_likely(
        &self,
        connection: &mut P::Connection,
        batch: &[NewLead],
    ) -> Result<Vec<Insertion>, StoreError> {
        if batch.len() < WORTHWHILE || !self.shared.novelty.is_likely(batch) {
            return insert_on(connection, batch).await;
        }
        match connection.insert(sql::INSERT_NEW, batch).await {
            Ok(inserted) => settle(batch, &inserted, &[]),
            Err(error) if error.kind() == StoreErrorKind::Rejected && !error.is_unexplained() => {
                self.shared.novelty.was_mistaken();
                insert_on(connection, batch).await
            }
            Err(error) => Err(error),
        }
    }

    /// Finds out what a refusal meant that the driver does not explain: inserts are idempotent, so the batch is run once
    /// more.
    async fn insert_again(&self, batch: &[NewLead], error: StoreError) -> Result<Vec<Insertion>, StoreError> {
        let unavailable = |_| StoreError::new(StoreErrorKind::Unavailable);
        let turn = Arc::clone(&self.shared.asking).acquire_owned().await.map_err(unavailable)?;
        if let Some(mut connection) = self.shared.pool.explaining().await? {
            if self.shared.pool.sessions() == Sessions::Own {
                connection.execute(&format!("{}; {}", sql::set_timeout(self.timeout), sql::SET_LOCK_TIMEOUT)).await?;
            }
            // On a task of its own: given up half-way, it keeps its turn until the server has answered.
            let batch = batch.to_vec();
            let asked = tokio::spawn(async move {
                let _turn = turn;
                insert_on(&mut *connection, &batch).await
            });
            return asked.await.map_err(|_| StoreError::new(StoreErrorKind::Internal))?;
        }
        drop(turn);
        let again = match self.insert_alone(batch).await {
            Err(again) if again.is_unexplained() => again,
            result => return result,
        };
        // Refused again. Without any lead too, it is none's fault: the tables are not what they should be, or locked.
        if self.insert_alone(&[]).await.is_err_and(|error| error.is_unexplained()) {
            let is_set_up =
                self.read(Box::new(|session| session.answers(Statement::of(Dialect::Postgres, sql::IS_SET_UP))));
            let kind = match is_set_up.await {
                Ok(answers) if answers == ["false"] => StoreErrorKind::Misconfigured,
                _ => StoreErrorKind::Locked,
            };
            return Err(again.explained_as(kind, None));
        }
        // Of several leads one may be at fault, a lone one is better sent again than lost.
        let kind = if batch.len() > 1 { StoreErrorKind::Rejected } else { StoreErrorKind::Unavailable };
        Err(error.explained_as(kind, None))
    }

    async fn insert_alone(&self, batch: &[NewLead]) -> Result<Vec<Insertion>, StoreError> {
        let mut lease = self.shared.lease(self.timeout).await?;
        let result = insert_on(lease.connection()?, batch).await;
        lease.end(&result);
        result
    }
}

/// Writes leads on a connection of a host's, in the transaction that it is in, if any.
///
/// # Errors
/// As [`LeadStore::insert`](crate::LeadStore::insert).
pub async fn insert_on(
    connection: &mut (impl PgIngest + ?Sized),
    batch: &[NewLead],
) -> Result<Vec<Insertion>, StoreError> {
    for _ in 0..2 {
        let inserted = connection.insert(sql::INSERT, batch).await?;
        let rest = unsettled(batch, &inserted);
        let existing = if rest.is_empty() {
            Vec::new()
        } else {
            // Leads were written: from here on, "nothing was written" is never said of an error that is not explained.
            find_confirmed(connection, &rest)
                .await
                .map_err(|error| error.explained_as(StoreErrorKind::OutcomeUnknown, None))?
        };
        if let Ok(insertions) = settle(batch, &inserted, &existing) {
            return Ok(insertions);
        }
        // A row was in a lead's way that is gone again; or there is none, as the second time shows.
    }
    Err(kept_out())
}

/// Leads that an earlier transaction wrote, once they are as durable as one that was just committed. A statement of its own:
/// the insert's snapshot does not show rows that came in between.
async fn find_confirmed(
    connection: &mut (impl PgIngest + ?Sized),
    request_ids: &[Uuid],
) -> Result<Vec<StoredLead>, StoreError> {
    let existing = connection.find(request_ids).await?;
    connection.execute(sql::CONFIRM).await?;
    Ok(existing)
}

#[async_trait]
impl<P: Pool> Connections for PgConnections<P> {
    type Session = P::Connection;

    const DIALECT: Dialect = Dialect::Postgres;

    async fn read<T: Send + 'static>(&self, work: Work<Self::Session, T>) -> Result<T, StoreError> {
        within(self.timeout, async {
            let mut open = self.shared.take(self.timeout).await?;
            let read = work(open.connection()?).await;
            if read.is_ok() {
                open.give_back();
            }
            read.map_err(|error| error.explained_as(StoreErrorKind::Unavailable, None))
        })
        .await
    }

    async fn write<T: Send + 'static>(&self, work: Work<Self::Session, T>) -> Result<T, StoreError> {
        within(self.timeout, async {
            let mut lease = self.shared.lease_alive(self.timeout).await?;
            let written = work(lease.connection()?).await;
            let written = written.map_err(|error| error.explained_as(StoreErrorKind::Unavailable, None));
            lease.end(&written);
            written
        })
        .await
    }

    fn is_pooled(&self) -> bool {
        self.shared.pool.sessions() == Sessions::Pooled
    }

    async fn migrate(&self, work: Work<Self::Session, bool>) -> Result<(), StoreError> {
        let mut open = within(self.timeout, self.shared.take(self.timeout)).await?;
        if !work(open.connection()?).await? {
            open.give_back();
        }
        Ok(())
    }

    async fn insert(&self, batch: &[NewLead]) -> Result<Vec<Insertion>, StoreError> {
        let result = within(self.timeout, self.insert_in_time(batch)).await;
        if result.as_ref().is_err_and(|error| error.kind() == StoreErrorKind::TimedOut) {
            self.shared.forget_kept();
        }
        result
    }

    async fn check(&self) -> Result<(), StoreError> {
        Ok(())
    }
}

impl<P: Pool> Clone for PgConnections<P> {
    fn clone(&self) -> Self {
        self.with_timeout(self.timeout)
    }
}

impl<P: Pool> fmt::Debug for PgConnections<P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PgConnections").field("timeout", &self.timeout).finish_non_exhaustive()
    }
}

/// Runs both; what succeeds first counts, or else what failed last.
async fn first_success<T>(
    first: impl Future<Output = Result<T, StoreError>> + Unpin,
    second: impl Future<Output = Result<T, StoreError>> + Unpin,
) -> Result<T, StoreError> {
    let (mut first, mut second) = (Some(first), Some(second));
    poll_fn(|context| {
        let mut last = None;
        if let Some(Poll::Ready(result)) = first.as_mut().map(|future| Pin::new(future).poll(context)) {
            first = None;
            last = Some(result);
        }
        if !matches!(last, Some(Ok(_)))
            && let Some(Poll::Ready(result)) = second.as_mut().map(|future| Pin::new(future).poll(context))
        {
            second = None;
            last = Some(result);
        }
        match last {
            Some(result) if result.is_ok() || (first.is_none() && second.is_none()) => Poll::Ready(result),
            _ => Poll::Pending,
        }
    })
    .await
}

async fn within<T>(limit: Duration, work: impl Future<Output = Result<T, StoreError>>) -> Result<T, StoreError> {
    timeout(limit, work).await.unwrap_or_else(|_| Err(StoreErrorKind::TimedOut.into()))
}
