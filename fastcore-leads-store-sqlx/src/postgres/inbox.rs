//! Reading and working the inbox.

use std::collections::HashMap;

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use fastcore_leads::{
    AuditRecord, LeadFilter, LeadId, LeadInbox, LeadPage, LeadStatus, RequestId, StoreError, StoreErrorKind,
    StoredLead,
    inbox::{Change, Cursor, Due, InboxError},
    sql::{
        inbox::{Dialect, Param, Statement, counts_of, rewrites_json},
        postgres as sql,
    },
};
use sqlx::{AssertSqlSafe, Connection, FromRow, PgConnection, postgres::PgRow};
use tokio::time::timeout;
use uuid::Uuid;

use super::{
    Lease, PgLeadStore, find,
    rows::{AuditRow, LeadRow},
    running,
};

#[async_trait]
impl LeadInbox for PgLeadStore {
    async fn get(&self, id: LeadId) -> Result<Option<StoredLead>, StoreError> {
        self.read(async |connection| {
            let row: Option<LeadRow> = sqlx::query_as(sql::GET).bind(id.as_uuid()).fetch_optional(connection).await?;
            Ok(row.map(StoredLead::from))
        })
        .await
    }

    async fn find(&self, request_id: RequestId) -> Result<Option<StoredLead>, StoreError> {
        self.read(async |connection| Ok(find(connection, &[request_id.as_uuid()]).await?.pop())).await
    }

    async fn audit_trail(&self, id: LeadId) -> Result<Vec<AuditRecord>, StoreError> {
        self.read(async |connection| {
            let rows: Vec<AuditRow> = sqlx::query_as(sql::AUDIT_TRAIL).bind(id.as_uuid()).fetch_all(connection).await?;
            Ok(rows.into_iter().map(AuditRecord::from).collect())
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
        let rows: Vec<(String, i64)> =
            self.read(async |connection| rows(connection, Dialect::Postgres.counts()).await).await?;
        Ok(counts_of(&rows))
    }

    async fn due(&self, due: &Due) -> Result<Vec<StoredLead>, StoreError> {
        self.leads(Dialect::Postgres.due(due)).await
    }

    async fn change(&self, change: &Change) -> Result<Vec<StoredLead>, InboxError> {
        let work = async {
            let mut lease = Lease::take_from_pool(&self.shared.pool).await?;
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
    async fn leads(&self, statement: Statement) -> Result<Vec<StoredLead>, StoreError> {
        let rows: Vec<LeadRow> = self.read(async |connection| rows(connection, statement).await).await?;
        Ok(rows.into_iter().map(StoredLead::from).collect())
    }
}

async fn change_on(connection: &mut PgConnection, change: &Change) -> Result<Vec<StoredLead>, InboxError> {
    let mut transaction = connection.begin().await.map_err(running)?;
    let locked: Vec<LeadRow> =
        rows(&mut transaction, Dialect::Postgres.lock(change.target())).await.map_err(running)?;
    let leads: Vec<StoredLead> = locked.into_iter().map(StoredLead::from).collect();
    let ids: Vec<Uuid> = leads.iter().map(|lead| lead.id).collect();
    // A statement of its own: it sees what was committed while the locks were waited for.
    let audited: Vec<(Uuid, DateTime<Utc>)> =
        rows(&mut transaction, Dialect::Postgres.last_audited(&ids)).await.map_err(running)?;
    let audited: HashMap<_, _> = audited.into_iter().collect();
    let rewrites = match change.decide(leads, |id| audited.get(&id).copied()) {
        Ok(rewrites) => rewrites,
        Err(refusal) => {
            transaction.rollback().await.map_err(running)?;
            return Err(refusal);
        }
    };
    let (leads, records) = rewrites_json(&rewrites);
    sqlx::query(sql::REWRITE_LEADS).bind(leads).execute(&mut *transaction).await.map_err(running)?;
    sqlx::query(sql::APPEND_AUDIT).bind(records).execute(&mut *transaction).await.map_err(running)?;
    transaction.commit().await.map_err(running)?;
    Ok(rewrites.into_iter().map(|rewrite| rewrite.row).collect())
}

async fn rows<R>(connection: &mut PgConnection, statement: Statement) -> Result<Vec<R>, sqlx::Error>
where
    R: for<'r> FromRow<'r, PgRow> + Send + Unpin,
{
    // The text is the core's own, and holds no value of a lead.
    let query = sqlx::query_as(AssertSqlSafe(statement.text));
    let query = statement.params.into_iter().fold(query, |query, param| match param {
        Param::Text(text) => query.bind(text),
        Param::BigInt(number) => query.bind(number),
        Param::Uuid(id) => query.bind(id),
        Param::Uuids(ids) => query.bind(ids),
        Param::Timestamptz(instant) => query.bind(instant),
    });
    query.fetch_all(connection).await
}
