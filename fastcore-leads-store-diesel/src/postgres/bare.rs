use std::collections::HashSet;

use async_trait::async_trait;
use fastcore_leads::{
    NewLead, StoreError, StoreErrorKind, StoredLead,
    sql::{
        engine::{Execute, PgIngest},
        inbox::Dialect,
        postgres::{self as sql, Columns},
        rows::{LeadColumns, pg_leads},
    },
};
use tokio::task::AbortHandle;
use tokio_postgres::{Client, Error, Row, types::ToSql};
use uuid::Uuid;

/// A connection without diesel, which tells what diesel hides: SQLSTATEs.
///
/// It closes when it is dropped: by itself, tokio-postgres would wait for the answers that are outstanding, for ever where
/// the network is gone.
pub(super) struct Bare {
    client: Client,
    driver: AbortHandle,
}

impl Bare {
    pub(super) fn new(client: Client, connection: impl Future<Output = Result<(), Error>> + Send + 'static) -> Self {
        let driver = tokio::spawn(async move {
            // An error reaches the statements that wait.
            let _ = connection.await;
        });
        Self { client, driver: driver.abort_handle() }
    }
}

#[async_trait]
impl Execute for Bare {
    async fn execute(&mut self, statements: &str) -> Result<(), StoreError> {
        self.client.batch_execute(statements).await.map_err(while_running)
    }
}

#[async_trait]
impl PgIngest for Bare {
    async fn insert(&mut self, statement: &'static str, batch: &[NewLead]) -> Result<HashSet<Uuid>, StoreError> {
        let columns = Columns::of(batch);
        let params: [&(dyn ToSql + Sync); 17] = [
            &columns.ids,
            &columns.audit_ids,
            &columns.created_at_utc,
            &columns.names,
            &columns.emails,
            &columns.phones,
            &columns.companies,
            &columns.services,
            &columns.messages,
            &columns.consents,
            &columns.sources,
            &columns.request_ids,
            &columns.ip_hashes,
            &columns.meta_json,
            &columns.statuses,
            &columns.actors,
            &columns.details_json,
        ];
        let inserted = self.client.query_one(statement, &params).await;
        let ids: Vec<Uuid> = inserted.and_then(|row| row.try_get(0)).map_err(while_running)?;
        Ok(ids.into_iter().collect())
    }

    async fn find(&mut self, request_ids: &[Uuid]) -> Result<Vec<StoredLead>, StoreError> {
        let statement = Dialect::Postgres.find(request_ids);
        let rows = self.client.query(&*statement.text, &[&request_ids]).await.map_err(while_running)?;
        let rows: Result<Vec<LeadColumns>, Error> = rows.iter().map(read).collect();
        Ok(pg_leads(rows.map_err(while_running)?))
    }
}

impl Drop for Bare {
    fn drop(&mut self) {
        self.driver.abort();
    }
}

fn read(row: &Row) -> Result<LeadColumns, Error> {
    macro_rules! columns {
        ($($place:literal)*) => { Ok(($(row.try_get($place)?,)*)) };
    }
    columns!(0 1 2 3 4 5 6 7 8 9 10 11 12 13 14)
}

/// An error of a statement that was sent.
fn while_running(error: Error) -> StoreError {
    with_details(sql::kind_of, StoreErrorKind::OutcomeUnknown, error)
}

/// An error before a statement was sent.
pub(super) fn while_connecting(error: Error) -> StoreError {
    with_details(|_| StoreErrorKind::Unavailable, StoreErrorKind::Unavailable, error)
}

fn with_details(kind_of: fn(&str) -> StoreErrorKind, otherwise: StoreErrorKind, error: Error) -> StoreError {
    let Some(database) = error.as_db_error() else {
        // Of the network, or of the answer's form: it holds no row.
        let reason = std::error::Error::source(&error).map(ToString::to_string).unwrap_or_default();
        return StoreError::new(otherwise).with_reason(reason).with_driver_error(error);
    };
    let code = database.code().code();
    let store_error = StoreError::new(kind_of(code)).with_code(code.to_owned()).with_constraint(database.constraint());
    store_error.with_driver_error(error)
}
