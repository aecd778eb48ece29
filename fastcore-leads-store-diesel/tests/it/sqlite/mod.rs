//! SQLite, a file of each test's own.

use std::sync::Arc;

use diesel::{
    Connection, QueryableByName, RunQueryDsl, SqliteConnection,
    connection::SimpleConnection,
    deserialize::FromSql,
    row::{Field, NamedRow, Row},
    sql_query,
    sql_types::Text,
    sqlite::Sqlite,
};
use fastcore_leads::{
    LeadDatabase, LeadMigrations, StoreError,
    testing::{BoxFuture, TempDir},
};
use fastcore_leads_store_diesel::SqliteLeadStore;

mod stores {
    use std::sync::Arc;

    use fastcore_leads::{LeadLog, testing::TempDir};

    async fn fresh() -> (Arc<dyn LeadLog>, TempDir) {
        let (store, dir) = super::migrated().await;
        (Arc::new(store), dir)
    }

    fastcore_leads::store_conformance!(fresh);
    fastcore_leads::inbox_conformance!(fresh);
    fastcore_leads::outbox_conformance!(fresh);
    fastcore_leads::log_conformance!(fresh);
}

mod host;

mod databases {
    fastcore_leads::sqlite_conformance!(super::open, super::execute);
}

/// A store on a fresh file, and the file's directory.
async fn migrated() -> (SqliteLeadStore, TempDir) {
    let dir = TempDir::new();
    let store = SqliteLeadStore::connect(&dir.sqlite_url()).await.unwrap();
    store.migrate().await.unwrap();
    (store, dir)
}

fn open(url: String) -> BoxFuture<Result<Arc<dyn LeadDatabase>, StoreError>> {
    Box::pin(async move { Ok(Arc::new(SqliteLeadStore::connect(&url).await?) as Arc<dyn LeadDatabase>) })
}

fn execute(url: String, sql: String) -> BoxFuture<Result<Vec<String>, String>> {
    Box::pin(async move { run(&url, &sql).map_err(|error| error.to_string()) })
}

fn run(url: &str, sql: &str) -> Result<Vec<String>, Box<dyn std::error::Error>> {
    let mut connection = SqliteConnection::establish(url.trim_start_matches("sqlite:"))?;
    connection.batch_execute("PRAGMA busy_timeout = 5000")?;
    if !["SELECT", "EXPLAIN", "PRAGMA journal_mode"].iter().any(|start| sql.starts_with(start)) {
        connection.batch_execute(sql)?;
        return Ok(Vec::new());
    }
    let rows: Vec<LastColumn> = sql_query(sql).load(&mut connection)?;
    Ok(rows.into_iter().map(|row| row.0).collect())
}

/// Whatever its name is.
struct LastColumn(String);

impl QueryableByName<Sqlite> for LastColumn {
    fn build<'a>(row: &impl NamedRow<'a, Sqlite>) -> diesel::deserialize::Result<Self> {
        let field = Row::get(row, Row::field_count(row) - 1).ok_or("no column")?;
        Ok(Self(FromSql::<Text, Sqlite>::from_nullable_sql(field.value())?))
    }
}

#[test]
fn no_case_of_the_suites_is_missing() {
    fastcore_leads::testing::assert_listed("sqlite::stores", fastcore_leads::testing::stores::CASES);
    fastcore_leads::testing::assert_listed("sqlite::stores", fastcore_leads::testing::inbox::CASES);
    fastcore_leads::testing::assert_listed("sqlite::stores", fastcore_leads::testing::outbox::CASES);
    fastcore_leads::testing::assert_listed("sqlite::stores", fastcore_leads::testing::log::CASES);
    fastcore_leads::testing::assert_listed("sqlite::databases", fastcore_leads::testing::databases::sqlite::CASES);
}
