//! In the host's hands: its pool, its transaction.

use std::time::Duration;

use fastcore_leads::{
    Insertion, LeadDatabase, LeadInbox, LeadStore,
    testing::{new_lead, postgres::Cluster},
};
use fastcore_leads_store_sqlx::PgLeadStore;
use sqlx::{Connection, Executor, PgConnection, postgres::PgPoolOptions};
use tokio::time::timeout;

use super::migrated;

#[tokio::test]
async fn a_host_commits_or_rolls_back_the_lead_with_its_own_row() {
    let (store, url) = migrated().await;
    let mut connection = PgConnection::connect(&url).await.unwrap();
    connection.execute("CREATE TABLE host (id integer)").await.unwrap();
    for is_committed in [false, true] {
        let new = new_lead();
        let batch = [new.clone()];
        let mut transaction = connection.begin().await.unwrap();
        transaction.execute("INSERT INTO host VALUES (1)").await.unwrap();
        assert_eq!(PgLeadStore::insert_on(&mut transaction, &batch).await.unwrap(), [Insertion::Inserted]);
        assert!(store.get(new.id()).await.unwrap().is_none(), "nothing shows before the host commits");
        if is_committed {
            transaction.commit().await.unwrap();
        } else {
            transaction.rollback().await.unwrap();
        }
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
        let pool = PgPoolOptions::new().max_connections(max).connect(&url).await.unwrap();
        let store = PgLeadStore::from_pool(pool.clone());
        store.migrate().await.unwrap();
        for _ in 0..10 {
            assert_eq!(store.insert(&[new_lead()]).await.unwrap(), [Insertion::Inserted]);
            timeout(Duration::from_secs(5), pool.acquire()).await.expect("the host gets a connection").unwrap();
        }
        timeout(Duration::from_secs(5), pool.close()).await.expect("the pool closes while the store lives");
        assert!(store.insert(&[new_lead()]).await.is_err());
    }
}
