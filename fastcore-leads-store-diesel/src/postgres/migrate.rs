use std::time::Duration;

use diesel::{
    QueryResult, sql_query,
    sql_types::{Integer, Text},
};
use diesel_async::{AsyncPgConnection, RunQueryDsl, SimpleAsyncConnection, pooled_connection::deadpool::Pool};
use fastcore_leads::{
    StoreError,
    sql::{Applied, pending, postgres as sql},
};

use super::{
    Lease,
    rows::{AppliedRow, Presence},
    running,
};
use crate::error::migrating;

/// All in one transaction, under a lock: of processes that start at once, one migrates and the others find it done.
pub(super) async fn run(pool: &Pool<AsyncPgConnection>, patience: Duration) -> Result<(), StoreError> {
    let mut lease = Lease::take_from_pool(pool, patience).await?;
    let connection = lease.connection()?;
    if !pending(sql::MIGRATIONS, &applied(connection).await.map_err(running)?)?.is_empty() {
        connection.batch_execute("BEGIN").await.map_err(migrating)?;
        connection.batch_execute(sql::LOCK_MIGRATIONS).await.map_err(migrating)?;
        // Made here and not asked for: the server's catalogue cache may not know yet that another process made it.
        connection.batch_execute(sql::CREATE_MIGRATIONS_TABLE).await.map_err(migrating)?;
        for migration in pending(sql::MIGRATIONS, &bookkeeping(connection).await.map_err(migrating)?)? {
            tracing::info!(version = migration.version, name = migration.name, "migrating");
            sql_query(sql::RECORD_MIGRATION)
                .bind::<Integer, _>(migration.version)
                .bind::<Text, _>(migration.name)
                .bind::<Text, _>(migration.checksum())
                .execute(connection)
                .await
                .map_err(migrating)?;
            connection.batch_execute(migration.sql).await.map_err(migrating)?;
        }
        connection.batch_execute("COMMIT").await.map_err(running)?;
    }
    lease.give_back();
    Ok(())
}

/// Which migrations the database has had.
pub(super) async fn applied(connection: &mut AsyncPgConnection) -> QueryResult<Vec<Applied>> {
    let table: Presence = sql_query(sql::HAS_MIGRATIONS_TABLE).get_result(connection).await?;
    if table.present { bookkeeping(connection).await } else { Ok(Vec::new()) }
}

async fn bookkeeping(connection: &mut AsyncPgConnection) -> QueryResult<Vec<Applied>> {
    let rows: Vec<AppliedRow> = sql_query(sql::APPLIED_MIGRATIONS).load(connection).await?;
    Ok(rows.into_iter().map(Applied::from).collect())
}
