use std::collections::HashMap;

use super::{BoxFuture, Session, Work, read_answers, sqlite, write_all};
use crate::{
    inbox::{Change, InboxError},
    sql::{
        inbox::{Dialect, MAX_LOCKED},
        postgres as pg,
        sqlite::{read_id, read_instant},
    },
    store::{StoreError, StoreErrorKind, StoredLead},
};

/// What became of a change: decided against, nothing is written.
type Changed = Result<Vec<StoredLead>, InboxError>;

/// Locks the rows, asks when each was last audited, lets the change decide, and writes what it says.
pub(super) fn work<S: Session + 'static>(dialect: Dialect, change: Change) -> Work<S, Changed> {
    in_transaction(dialect, Result::is_ok, move |session| Box::pin(carry_out(session, dialect, change)))
}

/// Runs work in one transaction, and commits it where the outcome is to be kept.
pub(super) fn in_transaction<S: Session + 'static, T: Send + 'static>(
    dialect: Dialect,
    is_kept: fn(&T) -> bool,
    work: impl for<'c> FnOnce(&'c mut S) -> BoxFuture<'c, Result<T, StoreError>> + Send + 'static,
) -> Work<S, T> {
    Box::new(move |session| {
        Box::pin(async move {
            if dialect == Dialect::Sqlite {
                return sqlite::in_transaction(session, is_kept, work).await;
            }
            session.execute(pg::BEGIN_CHANGE).await?;
            match work(session).await {
                Ok(outcome) => {
                    session.execute(if is_kept(&outcome) { pg::COMMIT } else { pg::ROLLBACK }).await?;
                    Ok(outcome)
                }
                // A connection that cannot even do that is not kept.
                Err(error) if session.execute(pg::ROLLBACK).await.is_err() => {
                    Err(error.into_kind(StoreErrorKind::OutcomeUnknown))
                }
                Err(error) => Err(error),
            }
        })
    })
}

async fn carry_out<S: Session>(session: &mut S, dialect: Dialect, change: Change) -> Result<Changed, StoreError> {
    let (mut locked, mut ids) = (Vec::new(), Vec::new());
    for statement in dialect.lock(change.target()) {
        if locked.len() < MAX_LOCKED as usize {
            let mut found = session.leads(statement).await?;
            found.retain(|lead| !ids.contains(&lead.id.as_uuid()));
            ids.extend(found.iter().map(|lead| lead.id.as_uuid()));
            locked.append(&mut found);
        }
    }
    // A statement of its own: it sees what was committed while the locks were waited for.
    let audited: Vec<(String, String)> = read_answers(&session.answers(dialect.last_audited(&ids)).await?)?;
    let audited = audited
        .iter()
        .map(|(id, last)| Ok((read_id(id)?, read_instant(last)?)))
        .collect::<Result<HashMap<_, _>, StoreError>>()?;
    let rewrites = match change.decide(locked, |id| audited.get(&id).copied()) {
        Ok(rewrites) => rewrites,
        Err(refusal) => return Ok(Err(refusal)),
    };
    let [leads, trails] = dialect.rewrite(&rewrites);
    let count = rewrites.len() as u64;
    if change.rewrites_leads() {
        write_all(session, leads, count).await?;
    }
    write_all(session, trails, count).await?;
    Ok(Ok(rewrites.into_iter().map(|rewrite| rewrite.row).collect()))
}
