use fastcore_leads::{
    StoreError,
    sql::{Applied, pending, postgres as sql},
};
use sqlx::{PgConnection, PgPool, raw_sql};

use super::{Lease, running};

/// All in one transaction, under a lock: of processes that start at once, one migrates and the others find it done.
pub(super) async fn run(pool: &PgPool) -> Result<(), StoreError> {
    let mut lease = Lease::take_from_pool(pool).await?;
    let connection = lease.connection()?;
    if !pending(sql::MIGRATIONS, &applied(connection).await.map_err(running)?)?.is_empty() {
        raw_sql("BEGIN").execute(&mut *connection).await.map_err(running)?;
        raw_sql(sql::LOCK_MIGRATIONS).execute(&mut *connection).await.map_err(running)?;
        // Made here and not asked for: the server's catalogue cache may not know yet that another process made it.
        raw_sql(sql::CREATE_MIGRATIONS_TABLE).execute(&mut *connection).await.map_err(running)?;
        for migration in pending(sql::MIGRATIONS, &bookkeeping(connection).await.map_err(running)?)? {
            tracing::info!(version = migration.version, name = migration.name, "migrating");
            sqlx::query(sql::RECORD_MIGRATION)
                .bind(migration.version)
                .bind(migration.name)
                .bind(migration.checksum())
                .execute(&mut *connection)
                .await
                .map_err(running)?;
            raw_sql(migration.sql).execute(&mut *connection).await.map_err(running)?;
        }
        raw_sql("COMMIT").execute(&mut *connection).await.map_err(running)?;
    }
    lease.give_back();
    Ok(())
}

/// Which migrations the database has had.
pub(super) async fn applied(connection: &mut PgConnection) -> Result<Vec<Applied>, sqlx::Error> {
    let has_table: bool = sqlx::query_scalar(sql::HAS_MIGRATIONS_TABLE).fetch_one(&mut *connection).await?;
    if has_table { bookkeeping(connection).await } else { Ok(Vec::new()) }
}

async fn bookkeeping(connection: &mut PgConnection) -> Result<Vec<Applied>, sqlx::Error> {
    let rows: Vec<(i32, String, Option<i32>)> = sqlx::query_as(sql::APPLIED_MIGRATIONS).fetch_all(connection).await?;
    Ok(rows
        .into_iter()
        .map(|(version, checksum, readable_from)| Applied { version, checksum, readable_from })
        .collect())
}
