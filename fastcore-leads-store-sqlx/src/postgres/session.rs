use std::{collections::HashSet, ops::DerefMut};

use async_trait::async_trait;
use fastcore_leads::{
    AuditRecord, NewLead, StoreError, StoredLead,
    sql::{
        engine::{Execute, PgIngest, Session},
        inbox::{Dialect, Param, Statement},
        postgres::{self as sql, Columns},
        rows::{pg_leads, pg_records},
    },
};
use sqlx::{
    AssertSqlSafe, PgConnection, Postgres,
    postgres::PgArguments,
    query::{Query, QueryAs},
    raw_sql,
};
use uuid::Uuid;

use crate::error::while_running;

macro_rules! bind {
    ($query:expr, $params:expr) => {
        $params.into_iter().fold($query, |query, param| match param {
            Param::Text(text) => query.bind(text),
            Param::BigInt(number) => query.bind(number),
            Param::Uuid(id) => query.bind(id),
            Param::Uuids(ids) => query.bind(ids),
            Param::Timestamptz(instant) => query.bind(instant),
        })
    };
}

/// Core's statements on a connection.
pub(super) struct On<C>(pub(super) C);

#[async_trait]
impl<C: DerefMut<Target = PgConnection> + Send> Execute for On<C> {
    async fn execute(&mut self, statements: &str) -> Result<(), StoreError> {
        raw_sql(AssertSqlSafe(statements.to_owned())).execute(&mut *self.0).await.map_err(error)?;
        Ok(())
    }
}

#[async_trait]
impl<C: DerefMut<Target = PgConnection> + Send> PgIngest for On<C> {
    async fn insert(&mut self, statement: &'static str, batch: &[NewLead]) -> Result<HashSet<Uuid>, StoreError> {
        let columns = Columns::of(batch);
        let ids: Vec<Uuid> = sqlx::query_scalar(statement)
            .bind(columns.ids)
            .bind(columns.audit_ids)
            .bind(columns.created_at_utc)
            .bind(columns.names)
            .bind(columns.emails)
            .bind(columns.phones)
            .bind(columns.companies)
            .bind(columns.services)
            .bind(columns.messages)
            .bind(columns.consents)
            .bind(columns.sources)
            .bind(columns.request_ids)
            .bind(columns.ip_hashes)
            .bind(columns.meta_json)
            .bind(columns.statuses)
            .bind(columns.actors)
            .bind(columns.details_json)
            .fetch_one(&mut *self.0)
            .await
            .map_err(error)?;
        Ok(ids.into_iter().collect())
    }

    async fn find(&mut self, request_ids: &[Uuid]) -> Result<Vec<StoredLead>, StoreError> {
        self.leads(Dialect::Postgres.find(request_ids)).await
    }
}

#[async_trait]
impl<C: DerefMut<Target = PgConnection> + Send> Session for On<C> {
    async fn leads(&mut self, statement: Statement) -> Result<Vec<StoredLead>, StoreError> {
        Ok(pg_leads(rows(statement).fetch_all(&mut *self.0).await.map_err(error)?))
    }

    async fn audit_records(&mut self, statement: Statement) -> Result<Vec<AuditRecord>, StoreError> {
        Ok(pg_records(rows(statement).fetch_all(&mut *self.0).await.map_err(error)?))
    }

    async fn answers(&mut self, statement: Statement) -> Result<Vec<String>, StoreError> {
        let rows: Vec<(String,)> = rows(statement).fetch_all(&mut *self.0).await.map_err(error)?;
        Ok(rows.into_iter().map(|(answer,)| answer).collect())
    }

    async fn write(&mut self, statement: Statement) -> Result<u64, StoreError> {
        let query: Query<'_, Postgres, PgArguments> = sqlx::query(AssertSqlSafe(statement.text));
        let query = bind!(query, statement.params);
        Ok(query.execute(&mut *self.0).await.map_err(error)?.rows_affected())
    }
}

/// The text is the core's own, and holds no value of a lead.
fn rows<R>(statement: Statement) -> QueryAs<'static, Postgres, R, PgArguments>
where
    R: for<'r> sqlx::FromRow<'r, sqlx::postgres::PgRow>,
{
    bind!(sqlx::query_as(AssertSqlSafe(statement.text)), statement.params)
}

fn error(error: sqlx::Error) -> StoreError {
    while_running(error, sql::kind_of)
}
