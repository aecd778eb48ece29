//! PostgreSQL, a throw-away server of this process's own.

use std::sync::Arc;

use fastcore_leads::{
    LeadDatabase, LeadMigrations, StoreError,
    testing::{BoxFuture, postgres::Cluster},
};
use fastcore_leads_store_sqlx::PgLeadStore;

mod stores {
    use std::sync::Arc;

    use fastcore_leads::LeadLog;

    async fn fresh() -> (Arc<dyn LeadLog>, ()) {
        (Arc::new(super::migrated().await.0), ())
    }

    fastcore_leads::store_conformance!(fresh);
    fastcore_leads::inbox_conformance!(fresh);
    fastcore_leads::outbox_conformance!(fresh);
    fastcore_leads::log_conformance!(fresh);
}

mod host;

mod databases {
    fastcore_leads::postgres_conformance!(super::open);

    #[cfg(feature = "tls")]
    #[tokio::test(flavor = "multi_thread")]
    async fn encryption_is_as_asked_for() {
        fastcore_leads::testing::databases::postgres::encryption_is_as_asked_for(super::open).await;
    }
}

/// A store on a fresh database, and the database's URL.
async fn migrated() -> (PgLeadStore, String) {
    let url = Cluster::shared().database();
    let store = PgLeadStore::connect(&url).await.unwrap();
    store.migrate().await.unwrap();
    (store, url)
}

fn open(url: String) -> BoxFuture<Result<Arc<dyn LeadDatabase>, StoreError>> {
    Box::pin(async move { Ok(Arc::new(PgLeadStore::connect(&url).await?) as Arc<dyn LeadDatabase>) })
}

#[test]
fn no_case_of_the_suites_is_missing() {
    fastcore_leads::testing::assert_listed("postgres::stores", fastcore_leads::testing::stores::CASES);
    fastcore_leads::testing::assert_listed("postgres::stores", fastcore_leads::testing::inbox::CASES);
    fastcore_leads::testing::assert_listed("postgres::stores", fastcore_leads::testing::outbox::CASES);
    fastcore_leads::testing::assert_listed("postgres::stores", fastcore_leads::testing::log::CASES);
    fastcore_leads::testing::assert_listed("postgres::databases", fastcore_leads::testing::databases::postgres::CASES);
}
