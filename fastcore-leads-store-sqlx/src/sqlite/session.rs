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
use sqlx::{
    AssertSqlSafe, Sqlite, SqliteConnection,
    query::{Query, QueryAs},
    raw_sql,
    sqlite::{SqliteArguments, SqliteRow},
};

use crate::error::while_running;

/// Core's statements on a connection.
pub(super) struct On<C>(pub(super) C);

macro_rules! bind {
    ($query:expr, $params:expr) => {
        $params.into_iter().fold($query, |query, param| match param {
            Param::BigInt(number) => query.bind(number),
            param => query.bind(param.into_text()),
        })
    };
}

#[async_trait]
impl<C: DerefMut<Target = SqliteConnection> + Send> Execute for On<C> {
    async fn execute(&mut self, statements: &str) -> Result<(), StoreError> {
        raw_sql(AssertSqlSafe(statements.to_owned())).execute(&mut *self.0).await.map_err(error)?;
        Ok(())
    }
}

#[async_trait]
impl<C: DerefMut<Target = SqliteConnection> + Send> Session for On<C> {
    async fn leads(&mut self, statement: Statement) -> Result<Vec<StoredLead>, StoreError> {
        sqlite_leads(rows(statement).fetch_all(&mut *self.0).await.map_err(error)?)
    }

    async fn audit_records(&mut self, statement: Statement) -> Result<Vec<AuditRecord>, StoreError> {
        sqlite_records(rows(statement).fetch_all(&mut *self.0).await.map_err(error)?)
    }

    async fn answers(&mut self, statement: Statement) -> Result<Vec<String>, StoreError> {
        let rows: Vec<(String,)> = rows(statement).fetch_all(&mut *self.0).await.map_err(error)?;
        Ok(rows.into_iter().map(|(answer,)| answer).collect())
    }

    async fn write(&mut self, statement: Statement) -> Result<u64, StoreError> {
        let query: Query<'_, Sqlite, SqliteArguments> = sqlx::query(AssertSqlSafe(statement.text));
        Ok(bind!(query, statement.params).execute(&mut *self.0).await.map_err(error)?.rows_affected())
    }
}

/// The text is the core's own, and holds no value of a lead.
fn rows<R>(statement: Statement) -> QueryAs<'static, Sqlite, R, SqliteArguments>
where
    R: for<'r> sqlx::FromRow<'r, SqliteRow>,
{
    bind!(sqlx::query_as(AssertSqlSafe(statement.text)), statement.params)
}

pub(super) fn error(error: sqlx::Error) -> StoreError {
    while_running(error, |code| code.parse().map_or(StoreErrorKind::Internal, sql::kind_of))
}
