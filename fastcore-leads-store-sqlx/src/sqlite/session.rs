use std::ops::DerefMut;

use async_trait::async_trait;
use fastcore_leads::{
    AuditRecord, StoreError, StoreErrorKind, StoredLead,
    sql::{
        engine::{Execute, Session},
        inbox::{Param, Statement},
        rows::{sqlite_leads, sqlite_records},
        sqlite as sql,
    },
};
use futures_util::TryStreamExt;
use sqlx::{
    AssertSqlSafe, Either, Execute as Query, Executor, FromRow, Sqlite, SqliteConnection, raw_sql, sqlite::SqliteRow,
};

use crate::error::while_running;

/// Core's statements on a connection.
pub(super) struct On<C>(pub(super) C);

#[async_trait]
impl<C: DerefMut<Target = SqliteConnection> + Send> Execute for On<C> {
    async fn execute(&mut self, statements: &str) -> Result<(), StoreError> {
        run::<()>(&mut self.0, raw_sql(AssertSqlSafe(statements.to_owned()))).await.map(|_| ())
    }
}

#[async_trait]
impl<C: DerefMut<Target = SqliteConnection> + Send> Session for On<C> {
    async fn leads(&mut self, statement: Statement) -> Result<Vec<StoredLead>, StoreError> {
        sqlite_leads(run(&mut self.0, query(statement)).await?.rows)
    }

    async fn audit_records(&mut self, statement: Statement) -> Result<Vec<AuditRecord>, StoreError> {
        sqlite_records(run(&mut self.0, query(statement)).await?.rows)
    }

    async fn answers(&mut self, statement: Statement) -> Result<Vec<String>, StoreError> {
        let done = run(&mut self.0, query(statement)).await?;
        Ok(done.rows.into_iter().map(|(answer,)| answer).collect())
    }

    async fn write(&mut self, statement: Statement) -> Result<u64, StoreError> {
        Ok(run::<()>(&mut self.0, query(statement)).await?.written)
    }
}

/// The text is the core's own, and holds no value of a lead.
fn query(statement: Statement) -> impl Query<'static, Sqlite> {
    let query = sqlx::query(AssertSqlSafe(statement.text));
    statement.params.into_iter().fold(query, |query, param| match param {
        Param::BigInt(number) => query.bind(number),
        param => query.bind(param.into_text()),
    })
}

/// What came of a query that ran to its end.
struct Done<R> {
    rows: Vec<R>,
    /// How many rows it wrote.
    written: u64,
}

/// Runs a query, and makes sure that it ended: where the driver's thread dies under it, sqlx ends the stream too, with no error, and `execute`
/// and `fetch_all` would take what came until then for all.
async fn run<R>(
    connection: &mut SqliteConnection,
    query: impl Query<'static, Sqlite> + 'static,
) -> Result<Done<R>, StoreError>
where
    R: for<'r> FromRow<'r, SqliteRow>,
{
    let (mut rows, mut written) = (Vec::new(), None);
    let mut results = connection.fetch_many(query);
    while let Some(result) = results.try_next().await.map_err(error)? {
        match result {
            Either::Left(done) => written = Some(written.unwrap_or(0) + done.rows_affected()),
            Either::Right(row) => rows.push(R::from_row(&row).map_err(error)?),
        }
    }
    let written = written.ok_or_else(|| error(sqlx::Error::WorkerCrashed))?;
    Ok(Done { rows, written })
}

pub(super) fn error(error: sqlx::Error) -> StoreError {
    while_running(error, |code| code.parse().map_or(StoreErrorKind::Internal, sql::kind_of))
}
