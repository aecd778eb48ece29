//! In the host's hands: its pool, its transaction, its joins.

use std::{sync::Arc, time::Duration};

use diesel::{ExpressionMethods, JoinOnDsl, NullableExpressionMethods, QueryDsl};
use diesel_async::{
    AsyncConnection, AsyncPgConnection, RunQueryDsl, SimpleAsyncConnection,
    pooled_connection::{AsyncDieselConnectionManager, deadpool::Pool},
};
use fastcore_leads::{
    Insertion, LeadInbox, LeadMigrations, LeadStore, StoreError,
    testing::{databases, new_lead, postgres::Cluster},
};
use fastcore_leads_store_diesel::{
    PgLeadStore,
    schema::postgres::{audit_log, lead_inbox},
};

use super::{migrated, open};

/// What a host's transaction fails with.
#[derive(Debug)]
enum HostError {
    Diesel,
    Store,
    ChangedItsMind,
}

impl From<diesel::result::Error> for HostError {
    fn from(_: diesel::result::Error) -> Self {
        Self::Diesel
    }
}

impl From<StoreError> for HostError {
    fn from(_: StoreError) -> Self {
        Self::Store
    }
}

#[tokio::test]
async fn a_host_commits_or_rolls_back_the_lead_with_its_own_row() {
    let (store, url) = migrated().await;
    let mut connection = AsyncPgConnection::establish(&url).await.unwrap();
    connection.batch_execute("CREATE TABLE host (id integer)").await.unwrap();
    for is_committed in [false, true] {
        let new = new_lead();
        let batch = [new.clone()];
        let result: Result<(), HostError> = connection
            .transaction(async |transaction| {
                transaction.batch_execute("INSERT INTO host VALUES (1)").await?;
                let outcomes = PgLeadStore::insert_on(transaction, &batch).await?;
                assert_eq!(outcomes, [Insertion::Inserted]);
                if is_committed { Ok(()) } else { Err(HostError::ChangedItsMind) }
            })
            .await;
        assert_eq!(result.is_ok(), is_committed, "{result:?}");
        assert_eq!(store.get(new.id()).await.unwrap().is_some(), is_committed);
        assert_eq!(store.audit_trail(new.id()).await.unwrap().len(), usize::from(is_committed));
        let rows = Cluster::shared().psql(&url, "SELECT count(*) FROM host");
        assert_eq!(rows, if is_committed { "1" } else { "0" });
    }
}

#[tokio::test]
async fn a_hosts_pool_stays_the_hosts() {
    let url = Cluster::shared().database();
    for max in [1, 2, 8] {
        let manager = AsyncDieselConnectionManager::<AsyncPgConnection>::new(&url);
        let pool = Pool::builder(manager).max_size(max).build().unwrap();
        let store = PgLeadStore::from_pool(pool.clone());
        store.migrate().await.unwrap();
        for _ in 0..10 {
            let new = new_lead();
            assert_eq!(store.insert(std::slice::from_ref(&new)).await.unwrap(), [Insertion::Inserted]);
            let mut connection = pool.get().await.unwrap();
            let joined: (uuid::Uuid, String) = lead_inbox::table
                .inner_join(audit_log::table.on(audit_log::lead_id.eq(lead_inbox::id.nullable())))
                .filter(lead_inbox::id.eq(new.id().as_uuid()))
                .select((lead_inbox::id, audit_log::event))
                .first(&mut connection)
                .await
                .unwrap();
            assert_eq!(joined, (new.id().as_uuid(), "LEAD_RECEIVED".to_owned()));
        }
        pool.close();
        assert!(store.clone().ready().await.is_err());
    }
}

/// A host leaves its pool's one connection inside a transaction; what is written afterwards is committed all the same.
#[tokio::test]
async fn a_host_keeps_leads_that_come_after_a_transaction_it_left_open() {
    for is_failed in [false, true] {
        let url = Cluster::shared().database();
        let manager = AsyncDieselConnectionManager::<AsyncPgConnection>::new(&url);
        let pool = Pool::builder(manager).max_size(1).build().unwrap();
        let store = PgLeadStore::from_pool(pool.clone());
        store.migrate().await.unwrap();
        for _ in 0..20 {
            let mut connection = pool.get().await.unwrap();
            connection.batch_execute("BEGIN").await.unwrap();
            assert_eq!(is_failed && connection.batch_execute("SELECT 1/0").await.is_err(), is_failed);
            drop(connection);
            // A store of its own: it has kept no connection from before.
            let store = PgLeadStore::from_pool(pool.clone());
            assert_eq!(store.insert(&[new_lead()]).await.unwrap(), [Insertion::Inserted]);
        }
        for table in ["lead_inbox", "audit_log"] {
            assert_eq!(Cluster::shared().psql(&url, &format!("SELECT count(*) FROM {table}")), "20");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_limit_that_is_set_later_holds_for_everything() {
    let (store, url) = migrated().await;
    let patient = store.clone().with_timeout(Duration::from_secs(20));
    let brief = store.with_timeout(Duration::from_millis(200));
    databases::postgres::a_limit_that_is_set_later_holds_for_everything(Arc::new(patient), Arc::new(brief), url).await;
}

#[test]
fn a_store_may_be_dropped_outside_of_a_runtime() {
    databases::postgres::a_store_may_be_dropped_outside_of_a_runtime(open);
}
