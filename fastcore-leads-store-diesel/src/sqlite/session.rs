use std::{marker::PhantomData, ops::DerefMut};

use async_trait::async_trait;
use diesel::{
    QueryableByName, RunQueryDsl, SqliteConnection,
    connection::SimpleConnection,
    query_builder::{BoxedSqlQuery, SqlQuery},
    sql_types::{BigInt, Text},
    sqlite::Sqlite,
};
use fastcore_leads::{
    AuditRecord, StoreError, StoredLead,
    sql::{
        engine::{Execute, Session, SqliteSession},
        inbox::{Param, Statement},
        sqlite as sql,
    },
};

use super::rows::{AuditRow, LeadRow};
use crate::{error::while_running, statement::statement};

/// Core's statements on a connection. diesel does not wait for SQLite: each future is done when it is first polled.
pub(super) struct On<C>(pub(super) C);

statement! {
    /// The leads of a batch.
    InsertLeads on Sqlite = sql::INSERT_LEADS, '?', answers Text;
    leads: &'a str => Text,
}

statement! {
    /// The audit rows of a batch's new leads.
    InsertAudit on Sqlite = sql::INSERT_AUDIT, '?', answers ();
    leads: &'a str => Text,
    ids: &'a str => Text,
}

impl RunQueryDsl<SqliteConnection> for InsertLeads<'_> {}
impl RunQueryDsl<SqliteConnection> for InsertAudit<'_> {}

#[async_trait]
impl<C: DerefMut<Target = SqliteConnection> + Send> Execute for On<C> {
    async fn execute(&mut self, statements: &str) -> Result<(), StoreError> {
        self.0.batch_execute(statements).map_err(while_running)
    }
}

#[async_trait]
impl<C: DerefMut<Target = SqliteConnection> + Send> SqliteSession for On<C> {
    async fn insert_leads(&mut self, leads: &str) -> Result<Vec<String>, StoreError> {
        InsertLeads { leads, _borrowed: PhantomData }.load(&mut *self.0).map_err(while_running)
    }

    async fn insert_audit(&mut self, leads: &str, ids: &str) -> Result<(), StoreError> {
        InsertAudit { leads, ids, _borrowed: PhantomData }.execute(&mut *self.0).map_err(while_running)?;
        Ok(())
    }
}

#[async_trait]
impl<C: DerefMut<Target = SqliteConnection> + Send> Session for On<C> {
    async fn leads(&mut self, statement: Statement) -> Result<Vec<StoredLead>, StoreError> {
        let rows: Vec<LeadRow> = query(statement).load(&mut *self.0).map_err(while_running)?;
        rows.into_iter().map(StoredLead::try_from).collect()
    }

    async fn audit_records(&mut self, statement: Statement) -> Result<Vec<AuditRecord>, StoreError> {
        let rows: Vec<AuditRow> = query(statement).load(&mut *self.0).map_err(while_running)?;
        rows.into_iter().map(AuditRecord::try_from).collect()
    }

    async fn answers(&mut self, statement: Statement) -> Result<Vec<String>, StoreError> {
        let rows: Vec<Answer> = query(statement).load(&mut *self.0).map_err(while_running)?;
        Ok(rows.into_iter().map(|row| row.answer).collect())
    }

    async fn write(&mut self, statement: Statement) -> Result<(), StoreError> {
        query(statement).execute(&mut *self.0).map_err(while_running)?;
        Ok(())
    }
}

#[derive(QueryableByName)]
struct Answer {
    #[diesel(sql_type = Text)]
    answer: String,
}

fn query(statement: Statement) -> BoxedSqlQuery<'static, Sqlite, SqlQuery> {
    let query = diesel::sql_query(statement.text).into_boxed();
    statement.params.into_iter().fold(query, |query, param| match param {
        Param::BigInt(number) => query.bind::<BigInt, _>(number),
        param => query.bind::<Text, _>(param.into_text()),
    })
}
