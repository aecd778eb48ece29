//! SQLite, a file of each test's own.

use std::sync::Arc;

use fastcore_leads::{
    LeadDatabase, LeadMigrations, StoreError,
    testing::{BoxFuture, TempDir},
};
use fastcore_leads_store_sqlx::SqliteLeadStore;
use sqlx::{AssertSqlSafe, Connection, Row, SqliteConnection, raw_sql};

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
    Box::pin(async move {
        let mut connection = SqliteConnection::connect(&url).await.map_err(|error| error.to_string())?;
        let rows = raw_sql(AssertSqlSafe(sql)).fetch_all(&mut connection).await.map_err(|error| error.to_string())?;
        rows.iter().map(|row| row.try_get(row.len() - 1).map_err(|error| error.to_string())).collect()
    })
}

#[test]
fn no_case_of_the_suites_is_missing() {
    fastcore_leads::testing::assert_listed("sqlite::stores", fastcore_leads::testing::stores::CASES);
    fastcore_leads::testing::assert_listed("sqlite::stores", fastcore_leads::testing::inbox::CASES);
    fastcore_leads::testing::assert_listed("sqlite::stores", fastcore_leads::testing::outbox::CASES);
    fastcore_leads::testing::assert_listed("sqlite::stores", fastcore_leads::testing::log::CASES);
    fastcore_leads::testing::assert_listed("sqlite::databases", fastcore_leads::testing::databases::sqlite::CASES);
}
