use fastcore_leads::{StoreError, sql::sqlite as sql};
use sqlx::{Sqlite, SqliteConnection, SqlitePool, pool::PoolConnection, raw_sql};

use super::{running, while_connecting};

/// A connection that is in no transaction: whoever had it before may have left one open, and leads written in it would never
/// be committed.
pub(super) async fn acquire(pool: &SqlitePool) -> Result<PoolConnection<Sqlite>, StoreError> {
    let mut connection = pool.acquire().await.map_err(while_connecting)?;
    // SQLite refuses this, without harm, where there is none.
    let _ = raw_sql(sql::ROLLBACK).execute(&mut *connection).await;
    Ok(connection)
}

/// Runs work between BEGIN and COMMIT. Call it on a task that nobody cancels.
pub(super) async fn in_transaction<T>(
    connection: &mut PoolConnection<Sqlite>,
    work: impl AsyncFnOnce(&mut SqliteConnection) -> Result<T, StoreError>,
) -> Result<T, StoreError> {
    raw_sql(sql::BEGIN).execute(&mut **connection).await.map_err(running)?;
    let result = match work(&mut *connection).await {
        Ok(value) => raw_sql(sql::COMMIT).execute(&mut **connection).await.map(|_| value).map_err(running),
        Err(error) => Err(error),
    };
    if result.is_err() && raw_sql(sql::ROLLBACK).execute(&mut **connection).await.is_err() {
        // SQLite may have rolled back by itself; a connection in doubt is closed, which rolls back too.
        connection.close_on_drop();
    }
    result
}
