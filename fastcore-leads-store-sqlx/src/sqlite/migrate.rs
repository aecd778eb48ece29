use std::time::Duration;

use fastcore_leads::{
    StoreError, StoreErrorKind,
    sql::{Applied, Migration, pending, sqlite as sql},
};
use sqlx::{SqliteConnection, SqlitePool, raw_sql};
use tokio::time::{Instant, sleep};

use super::{in_transaction, running, transaction::acquire};

/// How long processes that start at once wait for each other.
const PATIENCE: Duration = Duration::from_secs(30);
const PAUSE: Duration = Duration::from_millis(20);

/// All in one transaction that excludes other writers: of processes that start at once, one migrates and the others find
/// it done.
pub(super) async fn run(pool: &SqlitePool) -> Result<(), StoreError> {
    let pool = pool.clone();
    let migration = tokio::spawn(async move { while_busy(|| migrate(pool.clone())).await });
    migration.await.map_err(|_| StoreError::new(StoreErrorKind::Internal))?
}

async fn migrate(pool: SqlitePool) -> Result<(), StoreError> {
    let mut connection = acquire(&pool).await?;
    raw_sql(sql::SET_UP_CONNECTION).execute(&mut *connection).await.map_err(running)?;
    if pending(sql::MIGRATIONS, &applied(&mut connection).await?)?.is_empty() {
        return Ok(());
    }
    in_transaction(&mut connection, async |connection| {
        for migration in pending(sql::MIGRATIONS, &applied(connection).await?)? {
            apply(connection, migration).await?;
        }
        Ok(())
    })
    .await
}

async fn apply(connection: &mut SqliteConnection, migration: &'static Migration) -> Result<(), StoreError> {
    tracing::info!(version = migration.version, name = migration.name, "migrating");
    raw_sql(sql::CREATE_MIGRATIONS_TABLE).execute(&mut *connection).await.map_err(running)?;
    sqlx::query(sql::RECORD_MIGRATION)
        .bind(migration.version)
        .bind(migration.name)
        .bind(migration.checksum())
        .execute(&mut *connection)
        .await
        .map_err(running)?;
    raw_sql(migration.sql).execute(&mut *connection).await.map_err(running)?;
    Ok(())
}

/// Turns on write-ahead logging. While another process does the same, SQLite answers "busy" without waiting.
pub(super) async fn use_wal(pool: &SqlitePool) -> Result<(), StoreError> {
    while_busy(|| async {
        let mut connection = acquire(pool).await?;
        raw_sql(sql::USE_WAL).execute(&mut *connection).await.map_err(running)?;
        Ok(())
    })
    .await
}

/// Which migrations the database has had.
pub(super) async fn applied(connection: &mut SqliteConnection) -> Result<Vec<Applied>, StoreError> {
    let has_table: bool =
        sqlx::query_scalar(sql::HAS_MIGRATIONS_TABLE).fetch_one(&mut *connection).await.map_err(running)?;
    if !has_table {
        return Ok(Vec::new());
    }
    let rows: Vec<(i32, String, Option<i32>)> =
        sqlx::query_as(sql::APPLIED_MIGRATIONS).fetch_all(connection).await.map_err(running)?;
    Ok(rows
        .into_iter()
        .map(|(version, checksum, readable_from)| Applied { version, checksum, readable_from })
        .collect())
}

async fn while_busy<F>(mut attempt: impl FnMut() -> F) -> Result<(), StoreError>
where
    F: Future<Output = Result<(), StoreError>>,
{
    let end = Instant::now() + PATIENCE;
    loop {
        match attempt().await {
            Err(error) if error.code().is_some_and(sql::is_busy) && Instant::now() < end => sleep(PAUSE).await,
            result => return result,
        }
    }
}
