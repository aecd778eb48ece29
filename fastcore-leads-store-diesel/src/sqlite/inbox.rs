//! Reading and working the inbox.

use async_trait::async_trait;
use diesel::{
    ExpressionMethods, QueryDsl, RunQueryDsl, SelectableHelper, SqliteConnection,
    connection::SimpleConnection,
    query_builder::{BoxedSqlQuery, SqlQuery},
    sql_types::{BigInt, Text},
    sqlite::Sqlite,
};
use fastcore_leads::{
    AuditRecord, LeadFilter, LeadId, LeadInbox, LeadPage, LeadStatus, RequestId, StoreError, StoredLead,
    inbox::{Change, Cursor, Due, InboxError},
    sql::{
        inbox::{Dialect, Param, Statement, counts_of, rewrites_json},
        sqlite as sql,
    },
};
use uuid::Uuid;

use super::{
    SqliteLeadStore, find,
    rows::{AuditRow, LastAudited, LeadRow, StatusCount},
    transaction::in_transaction,
};
use crate::{
    error::{Cause, running},
    schema::sqlite::{audit_log, lead_inbox},
};

#[async_trait]
impl LeadInbox for SqliteLeadStore {
    async fn get(&self, id: LeadId) -> Result<Option<StoredLead>, StoreError> {
        let read = move |connection: &mut SqliteConnection| {
            let query = lead_inbox::table.find(id.to_string()).select(LeadRow::as_select());
            let rows: Vec<LeadRow> = query.load(connection).map_err(running)?;
            rows.into_iter().next().map(StoredLead::try_from).transpose()
        };
        self.reader.run(read).await
    }

    async fn find(&self, request_id: RequestId) -> Result<Option<StoredLead>, StoreError> {
        let id = request_id.to_string();
        Ok(self.reader.run(move |connection| find(connection, &[id])).await?.pop())
    }

    async fn audit_trail(&self, id: LeadId) -> Result<Vec<AuditRecord>, StoreError> {
        let read = move |connection: &mut SqliteConnection| {
            let rows: Vec<AuditRow> = audit_log::table
                .filter(audit_log::lead_id.eq(id.to_string()))
                .order((audit_log::created_at_utc, audit_log::id))
                .select(AuditRow::as_select())
                .load(connection)
                .map_err(running)?;
            rows.into_iter().map(AuditRecord::try_from).collect()
        };
        self.reader.run(read).await
    }

    async fn page(&self, filter: &LeadFilter, after: Option<Cursor>, limit: u32) -> Result<LeadPage, StoreError> {
        Ok(LeadPage::of(self.leads(Dialect::Sqlite.page(filter, after, limit)).await?, limit))
    }

    async fn find_by_email(&self, email: &str) -> Result<Vec<StoredLead>, StoreError> {
        self.leads(Dialect::Sqlite.find_by_email(email)).await
    }

    async fn counts(&self) -> Result<Vec<(LeadStatus, u64)>, StoreError> {
        let read = |connection: &mut SqliteConnection| {
            let rows: Vec<StatusCount> = query(Dialect::Sqlite.counts()).load(connection).map_err(running)?;
            Ok(rows.into_iter().map(|row| (row.status, row.leads)).collect::<Vec<_>>())
        };
        Ok(counts_of(&self.reader.run(read).await?))
    }

    async fn due(&self, due: &Due) -> Result<Vec<StoredLead>, StoreError> {
        self.leads(Dialect::Sqlite.due(due)).await
    }

    async fn change(&self, change: &Change) -> Result<Vec<StoredLead>, InboxError> {
        let change = change.clone();
        let work = move |connection: &mut SqliteConnection| {
            let changed = in_transaction(connection, |connection| change_on(connection, &change))?;
            if change.is_erasure() && changed.is_ok() {
                // Readers may stand in its way: the erasure itself is done.
                let _ = connection.batch_execute(sql::FORGET);
            }
            Ok(changed)
        };
        self.writer.run(work).await?
    }
}

/// What became of a change: decided against, nothing is written.
type Changed = Result<Vec<StoredLead>, InboxError>;

impl SqliteLeadStore {
    async fn leads(&self, statement: Statement) -> Result<Vec<StoredLead>, StoreError> {
        self.reader.run(move |connection| leads(connection, statement).map_err(StoreError::from)).await
    }
}

fn change_on(connection: &mut SqliteConnection, change: &Change) -> Result<Changed, Cause> {
    let locked = leads(connection, Dialect::Sqlite.lock(change.target()))?;
    let ids: Vec<Uuid> = locked.iter().map(|lead| lead.id).collect();
    let audited: Vec<LastAudited> = query(Dialect::Sqlite.last_audited(&ids)).load(connection)?;
    let audited = audited.into_iter().map(|row| (row.lead_id, row.last)).collect();
    let audited = sql::read_last_audited(audited).map_err(Cause::Clear)?;
    let rewrites = match change.decide(locked, |id| audited.get(&id).copied()) {
        Ok(rewrites) => rewrites,
        Err(refusal) => return Ok(Err(refusal)),
    };
    let (new, records) = rewrites_json(&rewrites);
    for (statement, values) in [(sql::REWRITE_LEADS, new), (sql::APPEND_AUDIT, records)] {
        diesel::sql_query(statement).bind::<Text, _>(values).execute(connection)?;
    }
    Ok(Ok(rewrites.into_iter().map(|rewrite| rewrite.row).collect()))
}

fn leads(connection: &mut SqliteConnection, statement: Statement) -> Result<Vec<StoredLead>, Cause> {
    let rows: Vec<LeadRow> = query(statement).load(connection)?;
    rows.into_iter().map(StoredLead::try_from).collect::<Result<_, _>>().map_err(Cause::Clear)
}

fn query(statement: Statement) -> BoxedSqlQuery<'static, Sqlite, SqlQuery> {
    let query = diesel::sql_query(statement.text).into_boxed();
    statement.params.into_iter().fold(query, |query, param| match param {
        Param::Text(text) => query.bind::<Text, _>(text),
        Param::BigInt(number) => query.bind::<BigInt, _>(number),
        Param::Uuid(id) => query.bind::<Text, _>(id.hyphenated().to_string()),
        Param::Uuids(ids) => query.bind::<Text, _>(sql::ids_json(ids)),
        Param::Timestamptz(instant) => query.bind::<Text, _>(instant.to_rfc3339()),
    })
}
