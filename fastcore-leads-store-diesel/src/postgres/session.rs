use std::{collections::HashSet, ops::DerefMut};

use async_trait::async_trait;
use diesel::{
    ExpressionMethods, QueryDsl, QueryResult,
    pg::Pg,
    query_builder::{AstPass, Query, QueryFragment, QueryId},
    sql_types::{Array, BigInt, Bool, Nullable, Text, Timestamptz, Uuid as SqlUuid},
};
use diesel_async::{AsyncPgConnection, RunQueryDsl, SimpleAsyncConnection};
use fastcore_leads::{
    AuditRecord, NewLead, StoreError, StoredLead,
    sql::{
        engine::{Execute, PgIngest, Session},
        inbox::{Param, Statement},
        postgres::Columns,
        rows::{pg_leads, pg_records},
    },
};
use uuid::Uuid;

use crate::{
    ask::{Ask, pieces},
    error::while_running,
    schema::postgres::{audit_log, lead_inbox},
};

/// Core's statements on a connection.
pub(super) struct On<C>(pub(super) C);

/// A statement that writes a batch.
struct InsertBatch<'a> {
    text: &'static str,
    columns: Columns<'a>,
}

impl Query for InsertBatch<'_> {
    type SqlType = Array<SqlUuid>;
}

impl QueryId for InsertBatch<'_> {
    type QueryId = ();

    const HAS_STATIC_QUERY_ID: bool = false;
}

impl QueryFragment<Pg> for InsertBatch<'_> {
    fn walk_ast<'b>(&'b self, mut out: AstPass<'_, 'b, Pg>) -> QueryResult<()> {
        let mut text = pieces(self.text, '$').map(|(piece, _)| piece);
        let columns = &self.columns;
        macro_rules! bind {
            ($($column:ident: $type:ty,)*) => {
                $(
                    out.push_sql(text.next().unwrap_or_default());
                    out.push_bind_param::<Array<$type>, _>(&columns.$column)?;
                )*
            };
        }
        bind! {
            ids: SqlUuid,
            audit_ids: SqlUuid,
            created_at_utc: Timestamptz,
            names: Text,
            emails: Text,
            phones: Nullable<Text>,
            companies: Nullable<Text>,
            services: Nullable<Text>,
            messages: Text,
            consents: Bool,
            sources: Text,
            request_ids: SqlUuid,
            ip_hashes: Text,
            meta_json: Text,
            statuses: Text,
            actors: Text,
            details_json: Text,
        }
        out.push_sql(text.next().unwrap_or_default());
        Ok(())
    }
}

impl<T> QueryFragment<Pg> for Ask<T> {
    fn walk_ast<'b>(&'b self, mut out: AstPass<'_, 'b, Pg>) -> QueryResult<()> {
        out.unsafe_to_cache_prepared();
        for (piece, param) in self.pieces('$') {
            out.push_sql(piece);
            match param {
                Some(Param::Text(text)) => out.push_bind_param::<Text, _>(text)?,
                Some(Param::BigInt(number)) => out.push_bind_param::<BigInt, _>(number)?,
                Some(Param::Uuid(id)) => out.push_bind_param::<SqlUuid, _>(id)?,
                Some(Param::Uuids(ids)) => out.push_bind_param::<Array<SqlUuid>, _>(ids)?,
                Some(Param::Timestamptz(instant)) => out.push_bind_param::<Timestamptz, _>(instant)?,
                None => {}
            }
        }
        Ok(())
    }
}

#[async_trait]
impl<C: DerefMut<Target = AsyncPgConnection> + Send> Execute for On<C> {
    async fn execute(&mut self, statements: &str) -> Result<(), StoreError> {
        self.0.batch_execute(statements).await.map_err(while_running)
    }
}

#[async_trait]
impl<C: DerefMut<Target = AsyncPgConnection> + Send> PgIngest for On<C> {
    async fn insert(&mut self, statement: &'static str, batch: &[NewLead]) -> Result<HashSet<Uuid>, StoreError> {
        let insert = InsertBatch { text: statement, columns: Columns::of(batch) };
        // Not `get_result`, which reads the first row and goes: the commit may fail behind it.
        let answers: Vec<Vec<Uuid>> = insert.load(&mut *self.0).await.map_err(while_running)?;
        Ok(answers.into_iter().flatten().collect())
    }

    async fn find(&mut self, request_ids: &[Uuid]) -> Result<Vec<StoredLead>, StoreError> {
        let query = lead_inbox::table.filter(lead_inbox::request_id.eq_any(request_ids));
        Ok(pg_leads(query.load(&mut *self.0).await.map_err(while_running)?))
    }
}

#[async_trait]
impl<C: DerefMut<Target = AsyncPgConnection> + Send> Session for On<C> {
    async fn leads(&mut self, statement: Statement) -> Result<Vec<StoredLead>, StoreError> {
        let query = Ask::<lead_inbox::SqlType>::from(statement);
        Ok(pg_leads(query.load(&mut *self.0).await.map_err(while_running)?))
    }

    async fn audit_records(&mut self, statement: Statement) -> Result<Vec<AuditRecord>, StoreError> {
        let query = Ask::<audit_log::SqlType>::from(statement);
        Ok(pg_records(query.load(&mut *self.0).await.map_err(while_running)?))
    }

    async fn answers(&mut self, statement: Statement) -> Result<Vec<String>, StoreError> {
        Ask::<Text>::from(statement).load(&mut *self.0).await.map_err(while_running)
    }

    async fn write(&mut self, statement: Statement) -> Result<u64, StoreError> {
        let rows = Ask::<()>::from(statement).execute(&mut *self.0).await.map_err(while_running)?;
        Ok(rows as u64)
    }
}
