//! Reading and working the inbox.

use async_trait::async_trait;
use fastcore_leads::{
    AuditRecord, LeadFilter, LeadId, LeadInbox, LeadPage, LeadStatus, RequestId, StoreError, StoreErrorKind,
    StoredLead,
    inbox::{Change, Cursor, Due, InboxError},
    sql::{
        inbox::{Dialect, Param, Statement, counts_of, rewrites_json},
        sqlite as sql,
    },
};
use sqlx::{AssertSqlSafe, FromRow, SqliteConnection, raw_sql, sqlite::SqliteRow};
use uuid::Uuid;

use super::{
    SqliteLeadStore, find,
    rows::{AuditRow, LeadRow},
    running,
    transaction::in_transaction,
};

#[async_trait]
impl LeadInbox for SqliteLeadStore {
    async fn get(&self, id: LeadId) -> Result<Option<StoredLead>, StoreError> {
        let row: Option<LeadRow> = sqlx::query_as(sql::GET)
            .bind(id.to_string())
            .fetch_optional(&mut *self.acquire().await?)
            .await
            .map_err(running)?;
        row.map(StoredLead::try_from).transpose()
    }

    async fn find(&self, request_id: RequestId) -> Result<Option<StoredLead>, StoreError> {
        let ids = sql::ids_json([request_id.as_uuid()]);
        Ok(find(&mut *self.acquire().await?, &ids).await?.pop())
    }

    async fn audit_trail(&self, id: LeadId) -> Result<Vec<AuditRecord>, StoreError> {
        let rows: Vec<AuditRow> = sqlx::query_as(sql::AUDIT_TRAIL)
            .bind(id.to_string())
            .fetch_all(&mut *self.acquire().await?)
            .await
            .map_err(running)?;
        rows.into_iter().map(AuditRecord::try_from).collect()
    }

    async fn page(&self, filter: &LeadFilter, after: Option<Cursor>, limit: u32) -> Result<LeadPage, StoreError> {
        Ok(LeadPage::of(self.leads(Dialect::Sqlite.page(filter, after, limit)).await?, limit))
    }

    async fn find_by_email(&self, email: &str) -> Result<Vec<StoredLead>, StoreError> {
        self.leads(Dialect::Sqlite.find_by_email(email)).await
    }

    async fn counts(&self) -> Result<Vec<(LeadStatus, u64)>, StoreError> {
        let rows: Vec<(String, i64)> = rows(&mut *self.acquire().await?, Dialect::Sqlite.counts()).await?;
        Ok(counts_of(&rows))
    }

    async fn due(&self, due: &Due) -> Result<Vec<StoredLead>, StoreError> {
        self.leads(Dialect::Sqlite.due(due)).await
    }

    async fn change(&self, change: &Change) -> Result<Vec<StoredLead>, InboxError> {
        // A task of its own, as for an insert.
        let carried_out = tokio::spawn(self.clone().carry_out(change.clone()));
        carried_out.await.map_err(|_| StoreError::new(StoreErrorKind::Internal))??
    }
}

/// What became of a change: decided against, nothing is written.
type Changed = Result<Vec<StoredLead>, InboxError>;

impl SqliteLeadStore {
    async fn leads(&self, statement: Statement) -> Result<Vec<StoredLead>, StoreError> {
        leads(&mut *self.acquire().await?, statement).await
    }

    async fn carry_out(self, change: Change) -> Result<Changed, StoreError> {
        let _turn = self.turn().await?;
        let mut connection = self.acquire_to_write().await?;
        let changed = in_transaction(&mut connection, async |connection| change_on(connection, &change).await).await?;
        if change.is_erasure() && changed.is_ok() {
            // Readers may stand in its way: the erasure itself is done.
            let _ = raw_sql(sql::FORGET).execute(&mut *connection).await;
        }
        Ok(changed)
    }
}

async fn change_on(connection: &mut SqliteConnection, change: &Change) -> Result<Changed, StoreError> {
    let locked = leads(connection, Dialect::Sqlite.lock(change.target())).await?;
    let ids: Vec<Uuid> = locked.iter().map(|lead| lead.id).collect();
    let audited: Vec<(String, String)> = rows(connection, Dialect::Sqlite.last_audited(&ids)).await?;
    let audited = sql::read_last_audited(audited)?;
    let rewrites = match change.decide(locked, |id| audited.get(&id).copied()) {
        Ok(rewrites) => rewrites,
        Err(refusal) => return Ok(Err(refusal)),
    };
    let (new, records) = rewrites_json(&rewrites);
    sqlx::query(sql::REWRITE_LEADS).bind(new).execute(&mut *connection).await.map_err(running)?;
    sqlx::query(sql::APPEND_AUDIT).bind(records).execute(&mut *connection).await.map_err(running)?;
    Ok(Ok(rewrites.into_iter().map(|rewrite| rewrite.row).collect()))
}

async fn leads(connection: &mut SqliteConnection, statement: Statement) -> Result<Vec<StoredLead>, StoreError> {
    let rows: Vec<LeadRow> = rows(connection, statement).await?;
    rows.into_iter().map(StoredLead::try_from).collect()
}

async fn rows<R>(connection: &mut SqliteConnection, statement: Statement) -> Result<Vec<R>, StoreError>
where
    R: for<'r> FromRow<'r, SqliteRow> + Send + Unpin,
{
    // The text is the core's own, and holds no value of a lead.
    let query = sqlx::query_as(AssertSqlSafe(statement.text));
    let query = statement.params.into_iter().fold(query, |query, param| match param {
        Param::Text(text) => query.bind(text),
        Param::BigInt(number) => query.bind(number),
        Param::Uuid(id) => query.bind(id.hyphenated().to_string()),
        Param::Uuids(ids) => query.bind(sql::ids_json(ids)),
        Param::Timestamptz(instant) => query.bind(instant.to_rfc3339()),
    });
    query.fetch_all(connection).await.map_err(running)
}
