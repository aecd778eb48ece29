use std::{
    thread::sleep,
    time::{Duration, Instant},
};

use diesel::{
    RunQueryDsl, SqliteConnection,
    connection::SimpleConnection,
    sql_query,
    sql_types::{Integer, Text},
};
use fastcore_leads::{
    StoreError, StoreErrorKind,
    sql::{Applied, Migration, pending, sqlite as sql},
};

use super::{
    rows::{AppliedRow, JournalMode, Presence, Synchronous},
    running,
    transaction::{in_transaction, unavailable},
};
use crate::error::Cause;

/// How long processes that start at once wait for each other.
const PATIENCE: Duration = Duration::from_secs(10);
const PAUSE: Duration = Duration::from_millis(20);

/// All in one transaction that excludes other writers: of processes that start at once, one migrates and the others find
/// it done.
pub(super) fn run(connection: &mut SqliteConnection) -> Result<(), StoreError> {
    while_unavailable(|| {
        if pending(sql::MIGRATIONS, &applied(connection)?)?.is_empty() {
            return Ok(());
        }
        in_transaction(connection, |connection| {
            let applied = applied(connection).map_err(Cause::Clear)?;
            let left = pending(sql::MIGRATIONS, &applied).map_err(|mismatch| Cause::Clear(mismatch.into()))?;
            left.iter().try_for_each(|migration| apply(connection, migration))
        })
    })
}

fn apply(connection: &mut SqliteConnection, migration: &Migration) -> Result<(), Cause> {
    tracing::info!(version = migration.version, name = migration.name, "migrating");
    connection.batch_execute(sql::CREATE_MIGRATIONS_TABLE)?;
    sql_query(sql::RECORD_MIGRATION)
        .bind::<Integer, _>(migration.version)
        .bind::<Text, _>(migration.name)
        .bind::<Text, _>(migration.checksum())
        .execute(connection)?;
    connection.batch_execute(migration.sql)?;
    Ok(())
}

/// Turns on write-ahead logging. While another process does the same, SQLite answers "busy" without waiting.
pub(super) fn use_wal(connection: &mut SqliteConnection) -> Result<(), StoreError> {
    while_unavailable(|| connection.batch_execute(sql::USE_WAL).map_err(unavailable))
}

/// Which migrations the database has had.
pub(super) fn applied(connection: &mut SqliteConnection) -> Result<Vec<Applied>, StoreError> {
    let table: Presence = sql_query(sql::HAS_MIGRATIONS_TABLE).get_result(connection).map_err(running)?;
    if !table.present {
        return Ok(Vec::new());
    }
    let rows: Vec<AppliedRow> = sql_query(sql::APPLIED_MIGRATIONS).load(connection).map_err(running)?;
    Ok(rows.into_iter().map(Applied::from).collect())
}

/// What in the settings of a connection that writes could lose leads.
pub(super) fn durability_warnings(connection: &mut SqliteConnection) -> Result<Vec<&'static str>, StoreError> {
    let mode: JournalMode = sql_query(sql::JOURNAL_MODE).get_result(connection).map_err(running)?;
    let level: Synchronous = sql_query(sql::SYNCHRONOUS).get_result(connection).map_err(running)?;
    Ok(sql::durability_warnings(&mode.journal_mode, level.synchronous))
}

fn while_unavailable(mut attempt: impl FnMut() -> Result<(), StoreError>) -> Result<(), StoreError> {
    let end = Instant::now() + PATIENCE;
    loop {
        match attempt() {
            Err(error) if error.kind() == StoreErrorKind::Unavailable && Instant::now() < end => sleep(PAUSE),
            result => return result,
        }
    }
}
