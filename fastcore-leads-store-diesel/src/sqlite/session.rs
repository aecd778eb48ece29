use std::{borrow::Cow, ops::DerefMut};

use async_trait::async_trait;
use diesel::{
    QueryResult, RunQueryDsl, SqliteConnection,
    connection::SimpleConnection,
    query_builder::{AstPass, QueryFragment},
    sql_types::{BigInt, Text},
    sqlite::Sqlite,
};
use fastcore_leads::{
    AuditRecord, StoreError, StoredLead,
    sql::{
        engine::{Execute, Session},
        inbox::{Param, Statement},
        rows::{sqlite_leads, sqlite_records},
    },
};

use crate::{
    ask::Ask,
    error::while_running,
    schema::sqlite::{audit_log, lead_inbox},
};

/// Core's statements on a connection. diesel does not wait for SQLite: each future is done when it is first polled.
pub(super) struct On<C>(pub(super) C);

impl<T> QueryFragment<Sqlite> for Ask<T> {
    fn walk_ast<'b>(&'b self, mut out: AstPass<'_, 'b, Sqlite>) -> QueryResult<()> {
        // What was put together is not kept.
        if matches!(self.text, Cow::Owned(_)) {
            out.unsafe_to_cache_prepared();
        }
        for (piece, param) in self.pieces('?') {
            out.push_sql(piece);
            match param {
                Some(Param::Text(text)) => out.push_bind_param::<Text, _>(text)?,
                Some(Param::BigInt(number)) => out.push_bind_param::<BigInt, _>(number)?,
                // SQLite's statements have none of the others.
                Some(_) | None => {}
            }
        }
        Ok(())
    }
}

impl<T> RunQueryDsl<SqliteConnection> for Ask<T> {}

#[async_trait]
impl<C: DerefMut<Target = SqliteConnection> + Send> Execute for On<C> {
    async fn execute(&mut self, statements: &str) -> Result<(), StoreError> {
        self.0.batch_execute(statements).map_err(while_running)
    }
}

#[async_trait]
impl<C: DerefMut<Target = SqliteConnection> + Send> Session for On<C> {
    async fn leads(&mut self, statement: Statement) -> Result<Vec<StoredLead>, StoreError> {
        let query = Ask::<lead_inbox::SqlType>::from(statement);
        sqlite_leads(query.load(&mut *self.0).map_err(while_running)?)
    }

    async fn audit_records(&mut self, statement: Statement) -> Result<Vec<AuditRecord>, StoreError> {
        let query = Ask::<audit_log::SqlType>::from(statement);
        sqlite_records(query.load(&mut *self.0).map_err(while_running)?)
    }

    async fn answers(&mut self, statement: Statement) -> Result<Vec<String>, StoreError> {
        Ask::<Text>::from(statement).load(&mut *self.0).map_err(while_running)
    }

    async fn write(&mut self, statement: Statement) -> Result<u64, StoreError> {
        let rows = Ask::<()>::from(statement).execute(&mut *self.0).map_err(while_running)?;
        Ok(rows as u64)
    }
}
