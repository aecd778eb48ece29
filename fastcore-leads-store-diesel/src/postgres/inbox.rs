//! Reading and working the inbox.

use std::collections::HashMap;

use async_trait::async_trait;
use diesel::{
    ExpressionMethods, QueryDsl, SelectableHelper,
    pg::Pg,
    query_builder::{BoxedSqlQuery, SqlQuery},
    sql_types::{Array, BigInt, Text, Timestamptz, Uuid as SqlUuid},
};
use diesel_async::{AsyncPgConnection, RunQueryDsl, SimpleAsyncConnection};
use fastcore_leads::{
    AuditRecord, LeadFilter, LeadId, LeadInbox, LeadPage, LeadStatus, RequestId, StoreError, StoreErrorKind,
    StoredLead,
    inbox::{Change, Cursor, Due, InboxError},
    sql::{
        inbox::{Dialect, Param, Statement, counts_of, rewrites_json},
        postgres as sql,
    },
};
use tokio::time::timeout;
use uuid::Uuid;

use super::{
    Lease, PgLeadStore, find,
    rows::{AuditRow, LastAudited, LeadRow, StatusCount},
};
use crate::{
    error::running,
    schema::postgres::{audit_log, lead_inbox},
};

#[async_trait]
impl LeadInbox for PgLeadStore {
    async fn get(&self, id: LeadId) -> Result<Option<StoredLead>, StoreError> {
        self.read(move |connection| {
            Box::pin(async move {
                let query = lead_inbox::table.find(id.as_uuid()).select(LeadRow::as_select());
                let rows: Vec<LeadRow> = query.load(connection).await?;
                Ok(rows.into_iter().next().map(StoredLead::from))
            })
        })
        .await
    }

    async fn find(&self, request_id: RequestId) -> Result<Option<StoredLead>, StoreError> {
        let ids = [request_id.as_uuid()];
        self.read(move |connection| Box::pin(async move { Ok(find(connection, &ids).await?.pop()) })).await
    }

    async fn audit_trail(&self, id: LeadId) -> Result<Vec<AuditRecord>, StoreError> {
        self.read(move |connection| {
            Box::pin(async move {
                let rows: Vec<AuditRow> = audit_log::table
                    .filter(audit_log::lead_id.eq(id.as_uuid()))
                    .order((audit_log::created_at_utc, audit_log::id))
                    .select(AuditRow::as_select())
                    .load(connection)
                    .await?;
                Ok(rows.into_iter().map(AuditRecord::from).collect())
            })
        })
        .await
    }

    async fn page(&self, filter: &LeadFilter, after: Option<Cursor>, limit: u32) -> Result<LeadPage, StoreError> {
        Ok(LeadPage::of(self.leads(Dialect::Postgres.page(filter, after, limit)).await?, limit))
    }

    async fn find_by_email(&self, email: &str) -> Result<Vec<StoredLead>, StoreError> {
        self.leads(Dialect::Postgres.find_by_email(email)).await
    }

    async fn counts(&self) -> Result<Vec<(LeadStatus, u64)>, StoreError> {
        let rows: Vec<StatusCount> = self
            .read(|connection| Box::pin(async { query(Dialect::Postgres.counts()).load(connection).await }))
            .await?;
        let rows: Vec<_> = rows.into_iter().map(|row| (row.status, row.leads)).collect();
        Ok(counts_of(&rows))
    }

    async fn due(&self, due: &Due) -> Result<Vec<StoredLead>, StoreError> {
        self.leads(Dialect::Postgres.due(due)).await
    }

    async fn change(&self, change: &Change) -> Result<Vec<StoredLead>, InboxError> {
        let work = async {
            let mut lease = self.begin().await?;
            let result = change_on(lease.connection()?, change).await;
            // A change that was decided against leaves the connection as it was.
            if !matches!(result, Err(InboxError::Store(_))) {
                lease.give_back();
            }
            result
        };
        let silent = || InboxError::Store(StoreErrorKind::TimedOut.into());
        timeout(self.shared.timeout, work).await.unwrap_or_else(|_| Err(silent()))
    }
}

impl PgLeadStore {
    /// A connection in a transaction. One that died while it was idle shows here, and another is taken.
    async fn begin(&self) -> Result<Lease, StoreError> {
        loop {
            let mut lease = Lease::take_from_pool(&self.shared.pool, self.shared.timeout).await?;
            let is_fresh = lease.is_fresh();
            match lease.connection()?.batch_execute("BEGIN").await.map_err(running) {
                Ok(()) => return Ok(lease),
                Err(error) if is_fresh => return Err(error),
                Err(_) => {}
            }
        }
    }

    async fn leads(&self, statement: Statement) -> Result<Vec<StoredLead>, StoreError> {
        let rows: Vec<LeadRow> = self
            .read(move |connection| {
                let statement = statement.clone();
                Box::pin(async move { query(statement).load(connection).await })
            })
            .await?;
        Ok(rows.into_iter().map(StoredLead::from).collect())
    }
}

/// In the transaction that the connection is in.
async fn change_on(connection: &mut AsyncPgConnection, change: &Change) -> Result<Vec<StoredLead>, InboxError> {
    let locked: Vec<LeadRow> =
        query(Dialect::Postgres.lock(change.target())).load(connection).await.map_err(running)?;
    let leads: Vec<StoredLead> = locked.into_iter().map(StoredLead::from).collect();
    let ids: Vec<Uuid> = leads.iter().map(|lead| lead.id).collect();
    // A statement of its own: it sees what was committed while the locks were waited for.
    let audited: Vec<LastAudited> =
        query(Dialect::Postgres.last_audited(&ids)).load(connection).await.map_err(running)?;
    let audited: HashMap<_, _> = audited.into_iter().map(|row| (row.lead_id, row.last)).collect();
    let rewrites = match change.decide(leads, |id| audited.get(&id).copied()) {
        Ok(rewrites) => rewrites,
        Err(refusal) => {
            connection.batch_execute("ROLLBACK").await.map_err(running)?;
            return Err(refusal);
        }
    };
    let (leads, records) = rewrites_json(&rewrites);
    for (statement, values) in [(sql::REWRITE_LEADS, leads), (sql::APPEND_AUDIT, records)] {
        diesel::sql_query(statement).bind::<Text, _>(values).execute(connection).await.map_err(running)?;
    }
    connection.batch_execute("COMMIT").await.map_err(running)?;
    Ok(rewrites.into_iter().map(|rewrite| rewrite.row).collect())
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
