use std::{collections::HashSet, marker::PhantomData, ops::DerefMut};

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use diesel::{
    ExpressionMethods, QueryDsl, QueryableByName, SelectableHelper,
    pg::Pg,
    query_builder::{BoxedSqlQuery, SqlQuery},
    sql_types::{Array, BigInt, Bool, Nullable, Text, Timestamptz, Uuid as SqlUuid},
};
use diesel_async::{AsyncPgConnection, RunQueryDsl, SimpleAsyncConnection};
use fastcore_leads::{
    AuditRecord, NewLead, StoreError, StoredLead,
    sql::{
        engine::{Execute, PgIngest, Session},
        inbox::{Param, Statement},
        postgres::{self as sql, Columns},
    },
};
use uuid::Uuid;

use super::rows::{AuditRow, LeadRow};
use crate::{error::while_running, schema::postgres::lead_inbox, statement::statement};

/// Core's statements on a connection.
pub(super) struct On<C>(pub(super) C);

statement! {
    /// The one statement.
    InsertBatch on Pg = sql::INSERT, '$', answers Array<SqlUuid>;
    ids: Vec<Uuid> => Array<SqlUuid>,
    audit_ids: Vec<Uuid> => Array<SqlUuid>,
    created_at_utc: Vec<DateTime<Utc>> => Array<Timestamptz>,
    names: Vec<&'a str> => Array<Text>,
    emails: Vec<&'a str> => Array<Text>,
    phones: Vec<Option<&'a str>> => Array<Nullable<Text>>,
    companies: Vec<Option<&'a str>> => Array<Nullable<Text>>,
    services: Vec<Option<&'a str>> => Array<Nullable<Text>>,
    messages: Vec<&'a str> => Array<Text>,
    consents: Vec<bool> => Array<Bool>,
    sources: Vec<&'a str> => Array<Text>,
    request_ids: Vec<Uuid> => Array<SqlUuid>,
    ip_hashes: Vec<&'a str> => Array<Text>,
    meta_json: Vec<String> => Array<Text>,
    statuses: Vec<&'a str> => Array<Text>,
    actors: Vec<&'a str> => Array<Text>,
    details_json: Vec<String> => Array<Text>,
}

impl<'a> From<Columns<'a>> for InsertBatch<'a> {
    fn from(columns: Columns<'a>) -> Self {
        Self {
            ids: columns.ids,
            audit_ids: columns.audit_ids,
            created_at_utc: columns.created_at_utc,
            names: columns.names,
            emails: columns.emails,
            phones: columns.phones,
            companies: columns.companies,
            services: columns.services,
            messages: columns.messages,
            consents: columns.consents,
            sources: columns.sources,
            request_ids: columns.request_ids,
            ip_hashes: columns.ip_hashes,
            meta_json: columns.meta_json,
            statuses: columns.statuses,
            actors: columns.actors,
            details_json: columns.details_json,
            _borrowed: PhantomData,
        }
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
    async fn insert(&mut self, batch: &[NewLead]) -> Result<HashSet<Uuid>, StoreError> {
        let insert = InsertBatch::from(Columns::of(batch));
        let ids: Vec<Uuid> = insert.get_result(&mut *self.0).await.map_err(while_running)?;
        Ok(ids.into_iter().collect())
    }

    async fn find(&mut self, request_ids: &[Uuid]) -> Result<Vec<StoredLead>, StoreError> {
        let query = lead_inbox::table.filter(lead_inbox::request_id.eq_any(request_ids)).select(LeadRow::as_select());
        let rows: Vec<LeadRow> = query.load(&mut *self.0).await.map_err(while_running)?;
        Ok(rows.into_iter().map(StoredLead::from).collect())
    }
}

#[async_trait]
impl<C: DerefMut<Target = AsyncPgConnection> + Send> Session for On<C> {
    async fn leads(&mut self, statement: Statement) -> Result<Vec<StoredLead>, StoreError> {
        let rows: Vec<LeadRow> = query(statement).load(&mut *self.0).await.map_err(while_running)?;
        Ok(rows.into_iter().map(StoredLead::from).collect())
    }

    async fn audit_records(&mut self, statement: Statement) -> Result<Vec<AuditRecord>, StoreError> {
        let rows: Vec<AuditRow> = query(statement).load(&mut *self.0).await.map_err(while_running)?;
        Ok(rows.into_iter().map(AuditRecord::from).collect())
    }

    async fn answers(&mut self, statement: Statement) -> Result<Vec<String>, StoreError> {
        let rows: Vec<Answer> = query(statement).load(&mut *self.0).await.map_err(while_running)?;
        Ok(rows.into_iter().map(|row| row.answer).collect())
    }

    async fn write(&mut self, statement: Statement) -> Result<(), StoreError> {
        query(statement).execute(&mut *self.0).await.map_err(while_running)?;
        Ok(())
    }
}

#[derive(QueryableByName)]
struct Answer {
    #[diesel(sql_type = Text)]
    answer: String,
}

fn query(statement: Statement) -> BoxedSqlQuery<'static, Pg, SqlQuery> {
    let query = diesel::sql_query(statement.text).into_boxed();
    statement.params.into_iter().fold(query, |query, param| match param {
        Param::Text(text) => query.bind::<Text, _>(text),
        Param::BigInt(number) => query.bind::<BigInt, _>(number),
        Param::Uuid(id) => query.bind::<SqlUuid, _>(id),
        Param::Uuids(ids) => query.bind::<Array<SqlUuid>, _>(ids),
        Param::Timestamptz(instant) => query.bind::<Timestamptz, _>(instant),
    })
}
