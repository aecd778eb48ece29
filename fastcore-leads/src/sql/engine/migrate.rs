use std::time::Duration;

use tokio::time::{Instant, sleep};

use super::{Session, read_answers, sqlite::in_transaction};
use crate::{
    sql::{
        Applied, Migration, SchemaMismatch,
        inbox::{Dialect, Statement},
        pending, postgres as pg, sqlite as lite,
    },
    store::{StoreError, StoreErrorKind},
};

/// How long processes that start at once wait for each other.
const PATIENCE: Duration = Duration::from_secs(300);
const PAUSE: Duration = Duration::from_millis(50);

/// Whether the tables are what this version works with.
pub(super) async fn check<S: Session>(session: &mut S, dialect: Dialect) -> Result<(), StoreError> {
    if dialect == Dialect::Postgres {
        let is_read_only: Vec<bool> = ask(session, dialect, pg::IS_READ_ONLY).await?;
        pg::check_writable(is_read_only.contains(&true))?;
    }
    Ok(SchemaMismatch::check(known(dialect), &applied(session, dialect).await?)?)
}

/// Of processes that start at once, one migrates and the others find it done. Returns whether there was something to do.
/// Where the session is shared with others (`is_pooled`) there must be nothing.
pub(super) async fn run<S: Session>(session: &mut S, dialect: Dialect, is_pooled: bool) -> Result<bool, StoreError> {
    if left(session, dialect).await?.is_empty() {
        return Ok(false);
    }
    if is_pooled {
        let reason = "the tables are to be migrated on a session of one's own: with the server's URL, past the pooler";
        return Err(StoreError::new(StoreErrorKind::SchemaMismatch).with_reason(reason));
    }
    let done = match dialect {
        Dialect::Postgres => run_in_postgres(session).await,
        Dialect::Sqlite => {
            session.execute(lite::LET_GO).await?;
            in_transaction(session, |()| true, |session| Box::pin(run_in_sqlite(session))).await
        }
    };
    let reason = "a statement of a migration was refused: the server's log says why";
    done.map_err(|error| error.explained_as(StoreErrorKind::Internal, Some(reason)))?;
    Ok(true)
}

/// What stands in the way of tables that somebody else made.
pub(super) async fn problems<S: Session>(session: &mut S, dialect: Dialect) -> Result<Vec<String>, StoreError> {
    match dialect {
        Dialect::Postgres => session.answers(Statement::of(dialect, pg::ADOPTION_PROBLEMS)).await,
        Dialect::Sqlite => Ok(Vec::new()),
    }
}

async fn run_in_postgres<S: Session>(session: &mut S) -> Result<(), StoreError> {
    if let Some(problem) = problems(session, Dialect::Postgres).await?.into_iter().next() {
        return Err(StoreError::new(StoreErrorKind::Misconfigured).with_reason(problem));
    }
    session.execute(pg::SET_UP_MIGRATIONS).await?;
    while let Some(next) = left(session, Dialect::Postgres).await?.first() {
        if next.before.is_empty() {
            session.execute("BEGIN").await?;
            apply(session).await?;
            session.execute(pg::COMMIT).await?;
        } else {
            beside_writers(session, next).await?;
        }
    }
    Ok(())
}

/// All steps up to the next that has something to do before its transaction.
async fn apply<S: Session>(session: &mut S) -> Result<(), StoreError> {
    session.execute(pg::LOCK_MIGRATIONS).await?;
    // Made here and not asked for: the server's catalogue cache may not know yet that another process made it.
    session.execute(pg::CREATE_MIGRATIONS_TABLE).await?;
    let had = bookkeeping(session, Dialect::Postgres).await?;
    for migration in pending(pg::MIGRATIONS, &had)?.iter().take_while(|migration| migration.before.is_empty()) {
        record_and_run(session, Dialect::Postgres, migration).await?;
    }
    Ok(())
}

/// A step that builds indexes while others write. Run again after it was interrupted, it does what is left.
///
/// The lock is asked for and not waited for: a statement that waits has a snapshot, which the index's builder would wait for.
async fn beside_writers<S: Session>(session: &mut S, migration: &Migration) -> Result<(), StoreError> {
    let end = Instant::now() + PATIENCE;
    while !ask::<bool, _>(session, Dialect::Postgres, pg::TRY_LOCK_INDEXES).await?.contains(&true) {
        if Instant::now() > end {
            let reason = "another process builds the indexes of this migration: wait until it is done";
            return Err(StoreError::new(StoreErrorKind::Unavailable).with_reason(reason));
        }
        sleep(PAUSE).await;
    }
    // Where it fails, the connection is closed, and the lock with it.
    build_and_record(session, migration).await?;
    session.execute(pg::UNLOCK_INDEXES).await
}

async fn build_and_record<S: Session>(session: &mut S, migration: &Migration) -> Result<(), StoreError> {
    let is_left = |left: &[Migration]| left.first().is_some_and(|next| next.version == migration.version);
    if !is_left(left(session, Dialect::Postgres).await?) {
        return Ok(());
    }
    for statement in migration.before {
        session.execute(statement).await?;
    }
    session.execute("BEGIN").await?;
    session.execute(pg::LOCK_MIGRATIONS).await?;
    record_and_run(session, Dialect::Postgres, migration).await?;
    session.execute(pg::COMMIT).await
}

async fn run_in_sqlite<S: Session>(session: &mut S) -> Result<(), StoreError> {
    session.execute(lite::CREATE_MIGRATIONS_TABLE).await?;
    for migration in left(session, Dialect::Sqlite).await? {
        record_and_run(session, Dialect::Sqlite, migration).await?;
    }
    Ok(())
}

async fn record_and_run<S: Session>(
    session: &mut S,
    dialect: Dialect,
    migration: &Migration,
) -> Result<(), StoreError> {
    tracing::info!(version = migration.version, name = migration.name, "migrating");
    let record = match dialect {
        Dialect::Postgres => pg::RECORD_MIGRATION,
        Dialect::Sqlite => lite::RECORD_MIGRATION,
    };
    let record = Statement::of(dialect, record)
        .with(migration.version.to_string())
        .with(migration.name)
        .with(migration.recorded_checksum());
    session.write(record).await?;
    session.execute(migration.sql).await
}

fn known(dialect: Dialect) -> &'static [Migration] {
    match dialect {
        Dialect::Postgres => pg::MIGRATIONS,
        Dialect::Sqlite => lite::MIGRATIONS,
    }
}

async fn left<S: Session>(session: &mut S, dialect: Dialect) -> Result<&'static [Migration], StoreError> {
    Ok(pending(known(dialect), &applied(session, dialect).await?)?)
}

/// Which migrations the database has had.
async fn applied<S: Session>(session: &mut S, dialect: Dialect) -> Result<Vec<Applied>, StoreError> {
    let has_table = match dialect {
        Dialect::Postgres => pg::HAS_MIGRATIONS_TABLE,
        Dialect::Sqlite => lite::HAS_MIGRATIONS_TABLE,
    };
    if ask::<bool, _>(session, dialect, has_table).await?.contains(&true) {
        bookkeeping(session, dialect).await
    } else {
        Ok(Vec::new())
    }
}

async fn bookkeeping<S: Session>(session: &mut S, dialect: Dialect) -> Result<Vec<Applied>, StoreError> {
    let rows: Vec<(i32, String, Option<i32>)> = match dialect {
        Dialect::Postgres => ask(session, dialect, pg::APPLIED_MIGRATIONS).await?,
        Dialect::Sqlite => ask(session, dialect, lite::APPLIED_MIGRATIONS).await?,
    };
    Ok(rows
        .into_iter()
        .map(|(version, checksum, readable_from)| Applied { version, checksum, readable_from })
        .collect())
}

async fn ask<T: serde::de::DeserializeOwned, S: Session>(
    session: &mut S,
    dialect: Dialect,
    text: &'static str,
) -> Result<Vec<T>, StoreError> {
    read_answers(&session.answers(Statement::of(dialect, text)).await?)
}
