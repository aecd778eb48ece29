//! Connections to PostgreSQL: how they are taken, kept, and let go of.

use std::{
    future::{Future, pending, poll_fn},
    pin::pin,
    sync::{Arc, Mutex, PoisonError, Weak},
    task::Poll,
    time::Duration,
};

use tokio::{
    runtime::Handle,
    sync::{OwnedSemaphorePermit, Semaphore},
    time::{Instant, sleep, timeout},
};

use super::{Execute, Pool, Session, Sessions, novelty::Novelty, read_answers};
use crate::{
    sql::{
        inbox::{Dialect, Statement},
        postgres as sql,
    },
    store::{StoreError, StoreErrorKind},
};

/// A connection that was silent for longer is not trusted: a firewall on the way may have forgotten it.
pub const MAX_IDLE: Duration = Duration::from_secs(60);
/// A connection is renewed after this time, so that a server that fails over, or that balances, gets its share.
const MAX_AGE: Duration = Duration::from_secs(30 * 60);
/// How long to wait before a connection is tried again.
const PAUSE: Duration = Duration::from_millis(50);
/// How often the server is asked whether it has let go of what was abandoned.
const CHECK: Duration = Duration::from_millis(500);

/// What all handles to one pool share.
pub(super) struct Shared<P: Pool> {
    pub(super) pool: P,
    /// Who writes: at most half of the pool's connections, those included that were abandoned and that the server still
    /// works for. The others are left to read on, and to ask after those.
    writers: Arc<Semaphore>,
    /// Connections that are ready to write.
    kept: Mutex<Vec<Kept<P::Connection>>>,
    max_kept: usize,
    /// Who asks why a statement was refused, on the one connection that is set aside for that.
    pub(super) asking: Arc<Semaphore>,
    pub(super) novelty: Novelty,
    is_watching: Mutex<bool>,
}

/// A connection that has written before.
struct Kept<C> {
    connection: C,
    /// None: the pool has but this one, or a pooler gives each transaction another process.
    backend: Option<Backend>,
    opened: Instant,
    used: Instant,
    /// How long the server works on a statement of it at most.
    patience: Duration,
}

/// Which process of the server serves a connection: its number, since when, and how long it waits for a lock.
type Backend = (i32, String, String);

/// How long the place of a connection that is silent stays taken, where nothing is known of the server's process: a commit that waits for
/// a standby may take for ever, and a connection that was forgotten on the way never answers.
const FORGOTTEN: Duration = MAX_IDLE;

impl<P: Pool> Shared<P> {
    pub(super) fn over(pool: P) -> Arc<Self> {
        let max_kept = pool.max_size() / 2;
        Arc::new(Self {
            pool,
            writers: Arc::new(Semaphore::new(max_kept.max(1))),
            kept: Mutex::default(),
            max_kept,
            asking: Arc::new(Semaphore::new(1)),
            novelty: Novelty::default(),
            is_watching: Mutex::new(false),
        })
    }

    /// Takes a connection that is in no transaction, or opens one: again and again for as long as the caller waits, so that
    /// a database that restarts is waited for.
    pub(super) async fn take(&self, patience: Duration) -> Result<Open<P>, StoreError> {
        let end = Instant::now() + patience;
        loop {
            let error = match self.try_take(patience).await {
                Ok(connection) => return Ok(connection),
                Err(error) => error,
            };
            if is_final(&error) || Instant::now() + PAUSE >= end {
                let is_ours = error.kind() == StoreErrorKind::Internal;
                return Err(if is_ours { error } else { error.into_kind(StoreErrorKind::Unavailable) });
            }
            sleep(PAUSE).await;
        }
    }

    async fn try_take(&self, patience: Duration) -> Result<Open<P>, StoreError> {
        let mut open = Open::<P>(Some(self.pool.acquire().await?));
        let reset = timeout(patience / 2, self.reset(open.connection()?, patience)).await;
        if let Err(error) = reset.unwrap_or_else(|_| Err(StoreErrorKind::TimedOut.into())) {
            // Those that idle beside a dead one are no better.
            self.pool.close_idle();
            return Err(error);
        }
        Ok(open)
    }

    /// The pool hands on what a host's cancelled `begin()`, or its raw `BEGIN`, left open: leads written there would be
    /// acknowledged and never committed.
    async fn reset(&self, connection: &mut P::Connection, patience: Duration) -> Result<(), StoreError> {
        let is_ours = self.pool.sessions() == Sessions::Own;
        let settings = if is_ours { sql::set_timeout(patience) } else { String::new() };
        match connection.execute(&format!("{}; {settings}", sql::END_LEFT_OPEN)).await {
            Ok(()) => Ok(()),
            // The transaction has failed, or the connection is dead.
            Err(_) => connection.execute(&format!("{}; {settings}", sql::ROLLBACK)).await,
        }
    }

    /// A connection to write on: one that wrote before, or a new one.
    pub(super) async fn lease(self: &Arc<Self>, patience: Duration) -> Result<Lease<P>, StoreError> {
        let permit = Arc::clone(&self.writers).acquire_owned().await.map_err(|_| StoreErrorKind::Unavailable)?;
        if let Some(kept) = self.pop_kept(patience) {
            return Ok(Lease::new(self, kept, permit, true));
        }
        self.lease_new(permit, patience).await
    }

    /// A connection to write on that has just answered, for work that cannot be run twice.
    pub(super) async fn lease_alive(self: &Arc<Self>, patience: Duration) -> Result<Lease<P>, StoreError> {
        let mut lease = self.lease(patience).await?;
        if lease.is_kept {
            if matches!(timeout(patience / 2, lease.connection()?.execute("SELECT 1")).await, Ok(Ok(()))) {
                return Ok(lease);
            }
            drop(lease);
            self.forget_kept();
            self.pool.close_idle();
            lease = self.lease(patience).await?;
        }
        Ok(lease)
    }

    /// A connection to write on that did not write before, unless all that may write do.
    pub(super) async fn try_lease_new(self: &Arc<Self>, patience: Duration) -> Option<Result<Lease<P>, StoreError>> {
        let permit = Arc::clone(&self.writers).try_acquire_owned().ok()?;
        self.pool.close_idle();
        Some(self.lease_new(permit, patience).await)
    }

    async fn lease_new(
        self: &Arc<Self>,
        permit: OwnedSemaphorePermit,
        patience: Duration,
    ) -> Result<Lease<P>, StoreError> {
        let mut open = self.take(patience).await?;
        let backend = if self.max_kept == 0 || self.pool.sessions() == Sessions::Pooled {
            None
        } else {
            let set_up = Statement::of(Dialect::Postgres, sql::SET_UP_WRITER);
            let answers = open.connection()?.answers(set_up).await;
            let answers = answers.map_err(|error| error.explained_as(StoreErrorKind::Unavailable, None))?;
            let backends: Vec<Backend> = read_answers(&answers)?;
            Some(backends.into_iter().next().ok_or(StoreErrorKind::Internal)?)
        };
        let (connection, now) = (open.into_inner()?, Instant::now());
        Ok(Lease::new(self, Kept { connection, backend, opened: now, used: now, patience }, permit, false))
    }

    /// The one that was used last, on which the server works for so long. Where there is none, another makes room for a new
    /// one.
    fn pop_kept(&self, patience: Duration) -> Option<Kept<P::Connection>> {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        let is_fresh = |kept: &Kept<_>| kept.used.elapsed() < MAX_IDLE && kept.opened.elapsed() < MAX_AGE;
        let (fresh, mut closed): (Vec<_>, Vec<_>) = std::mem::take(&mut *kept).into_iter().partition(is_fresh);
        *kept = fresh;
        let is_ours = self.pool.sessions() == Sessions::Own;
        let suits = |kept: &Kept<_>| kept.patience == patience || !is_ours;
        let found = kept.iter().rposition(suits).map(|place| kept.remove(place));
        if found.is_none() {
            closed.extend(kept.pop());
        }
        drop(kept);
        for old in closed {
            P::close(old.connection);
        }
        found
    }

    /// Closes the connections that are kept: where one of them is dead, so are the others.
    pub(super) fn forget_kept(&self) {
        let kept = std::mem::take(&mut *self.kept.lock().unwrap_or_else(PoisonError::into_inner));
        for old in kept {
            P::close(old.connection);
        }
    }

    /// A host that closes its pool waits for all of its connections.
    fn watch_for_the_pools_end(self: &Arc<Self>) {
        let mut is_watching = self.is_watching.lock().unwrap_or_else(PoisonError::into_inner);
        if std::mem::replace(&mut *is_watching, true) {
            return;
        }
        let (closed, shared) = (self.pool.closed(), Arc::downgrade(self));
        tokio::spawn(async move {
            closed.await;
            if let Some(shared) = shared.upgrade() {
                shared.forget_kept();
            }
        });
    }

    /// Whether the server still works for a connection. None: it cannot be asked.
    async fn is_at_work(&self, backend: &Backend) -> Option<bool> {
        let ask = async {
            let mut open = self.take(CHECK).await.ok()?;
            let statement =
                Statement::of(Dialect::Postgres, sql::IS_AT_WORK).with(backend.0.to_string()).with(backend.1.as_str());
            let answers: Vec<bool> = read_answers(&open.connection().ok()?.answers(statement).await.ok()?).ok()?;
            open.give_back();
            Some(answers.contains(&true))
        };
        timeout(CHECK * 4, ask).await.ok().flatten()
    }
}

impl<P: Pool> Drop for Shared<P> {
    fn drop(&mut self) {
        self.forget_kept();
    }
}

/// A connection in use for writing. Dropped while a statement is under way, by a timeout or a caller that goes away, its
/// place stays taken until the server has let go of it: a commit that waits for a standby goes on after its client left.
pub(super) struct Lease<P: Pool> {
    shared: Arc<Shared<P>>,
    kept: Option<Kept<P::Connection>>,
    permit: Option<OwnedSemaphorePermit>,
    /// Whether it wrote before, and may have been forgotten on the way since.
    pub(super) is_kept: bool,
    doubt: Doubt,
}

/// What is known of a connection that is not given back.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Doubt {
    /// It waits for an answer.
    Waiting,
    /// It broke while it waited.
    Broken,
    /// It has answered.
    None,
}

impl<P: Pool> Lease<P> {
    fn new(shared: &Arc<Shared<P>>, kept: Kept<P::Connection>, permit: OwnedSemaphorePermit, is_kept: bool) -> Self {
        Self { shared: Arc::clone(shared), kept: Some(kept), permit: Some(permit), is_kept, doubt: Doubt::None }
    }

    /// The connection, for work that the lease watches.
    pub(super) fn connection(&mut self) -> Result<&mut P::Connection, StoreError> {
        self.doubt = Doubt::Waiting;
        self.kept.as_mut().map(|kept| &mut kept.connection).ok_or_else(|| StoreErrorKind::Internal.into())
    }

    /// Takes note of how the work ended: the connection is kept where it is as good as before, and else closed, as are all
    /// that are kept.
    pub(super) fn end<T>(mut self, result: &Result<T, StoreError>) {
        self.doubt = match result {
            Ok(_) => Doubt::None,
            Err(error) if error.kind() == StoreErrorKind::OutcomeUnknown => Doubt::Broken,
            Err(_) => Doubt::None,
        };
        let is_good = result.as_ref().err().is_none_or(StoreError::leaves_connection);
        if result.as_ref().is_err_and(StoreError::is_unexplained) {
            // This one may be in doubt; nothing is known against the others.
        } else if !is_good {
            self.shared.forget_kept();
            self.shared.pool.close_idle();
        } else if self.shared.max_kept == 0 {
            drop(self.kept.take());
        } else if !self.shared.pool.is_closed() {
            self.shared.watch_for_the_pools_end();
            if let Some(mut kept) = self.kept.take() {
                kept.used = Instant::now();
                self.shared.kept.lock().unwrap_or_else(PoisonError::into_inner).push(kept);
            }
            // Closed in between: whoever waits for that has looked through them already.
            if self.shared.pool.is_closed() {
                self.shared.forget_kept();
            }
        }
    }
}

impl<P: Pool> Drop for Lease<P> {
    fn drop(&mut self) {
        let Some(kept) = self.kept.take() else { return };
        let runtime = Handle::try_current().ok().filter(|_| self.doubt != Doubt::None);
        // With a single connection there is none to ask the server on.
        let Some(runtime) = runtime.filter(|_| self.shared.max_kept > 0) else {
            P::close(kept.connection);
            return;
        };
        let abandoned = Abandoned {
            shared: Arc::downgrade(&self.shared),
            closed: self.shared.pool.closed(),
            backend: kept.backend,
            _permit: self.permit.take(),
        };
        let is_broken = self.doubt == Doubt::Broken;
        runtime.spawn(abandoned.wait(kept.connection, is_broken));
    }
}

/// A connection whose caller has gone.
struct Abandoned<P: Pool> {
    shared: Weak<Shared<P>>,
    closed: super::BoxFuture<'static, ()>,
    backend: Option<Backend>,
    _permit: Option<OwnedSemaphorePermit>,
}

impl<P: Pool> Abandoned<P> {
    /// Waits until the connection answers, or until the server no longer works for it; then closes it.
    async fn wait(mut self, connection: P::Connection, is_broken: bool) {
        let mut open = Open::<P>(Some(connection));
        if is_broken {
            // Its place in the pool is of no use any more; its place among those that write still is.
            drop(std::mem::replace(&mut open, Open(None)));
        }
        let answered = async {
            let is_answered = match open.0.as_mut() {
                Some(connection) => connection.execute("SELECT 1").await.is_ok(),
                None => false,
            };
            // Behind a pooler a process that works on is the pooler's: it is known by nothing but this connection.
            if !is_answered && (is_broken || self.backend.is_some()) {
                pending::<()>().await;
            }
        };
        let let_go = async {
            let Some(backend) = &self.backend else {
                return sleep(if is_broken { CHECK } else { FORGOTTEN }).await;
            };
            let mut is_first = true;
            loop {
                if !(is_first && is_broken) {
                    sleep(CHECK).await;
                }
                is_first = false;
                let Some(shared) = self.shared.upgrade() else { return };
                if shared.is_at_work(backend).await == Some(false) {
                    return;
                }
            }
        };
        let (mut answered, mut let_go) = (pin!(answered), pin!(let_go));
        poll_fn(|context| {
            let is_over = answered.as_mut().poll(context).is_ready()
                || let_go.as_mut().poll(context).is_ready()
                || self.closed.as_mut().poll(context).is_ready();
            if is_over { Poll::Ready(()) } else { Poll::Pending }
        })
        .await;
    }
}

/// A connection in use. Dropped half-way, by an error, a timeout or a caller that goes away, it is closed: nobody else is
/// handed a connection that still waits for an answer.
pub(super) struct Open<P: Pool>(Option<P::Connection>);

impl<P: Pool> Open<P> {
    pub(super) fn connection(&mut self) -> Result<&mut P::Connection, StoreError> {
        self.0.as_mut().ok_or_else(|| StoreErrorKind::Internal.into())
    }

    /// Gives the connection back to the pool: it has answered all that it was asked.
    pub(super) fn give_back(mut self) {
        drop(self.0.take());
    }

    fn into_inner(mut self) -> Result<P::Connection, StoreError> {
        self.0.take().ok_or_else(|| StoreErrorKind::Internal.into())
    }
}

impl<P: Pool> Drop for Open<P> {
    fn drop(&mut self) {
        if let Some(connection) = self.0.take() {
            P::close(connection);
        }
    }
}

/// Whether another attempt to connect would fail alike: a wrong password, no such database, no right.
fn is_final(error: &StoreError) -> bool {
    error.kind() == StoreErrorKind::Internal
        || error.code().is_some_and(|code| sql::kind_of(code) == StoreErrorKind::Misconfigured)
}
