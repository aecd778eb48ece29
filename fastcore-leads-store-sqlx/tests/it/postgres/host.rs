//! In the host's hands: its pool, its transaction.

use std::{future::poll_fn, pin::pin, sync::Arc, task::Poll, time::Duration};

use fastcore_leads::{
    Insertion, LeadInbox, LeadMigrations, LeadStore,
    testing::{databases, new_lead, postgres::Cluster},
};
use fastcore_leads_store_sqlx::PgLeadStore;
use sqlx::{Connection, Executor, PgConnection, PgPool, postgres::PgPoolOptions};
use tokio::{task::yield_now, time::timeout};

use super::{migrated, open};

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

/// A host leaves its pool's one connection inside a transaction; what is written afterwards is committed all the same.
#[tokio::test]
async fn a_host_keeps_leads_that_come_after_a_transaction_it_left_open() {
    for left_open in ["cancelled", "BEGIN", "failed"] {
        let url = Cluster::shared().database();
        let pool = PgPoolOptions::new().max_connections(1).test_before_acquire(false).connect(&url).await.unwrap();
        let store = PgLeadStore::from_pool(pool.clone());
        store.migrate().await.unwrap();
        drop(pool.acquire().await.unwrap());
        for _ in 0..20 {
            if left_open == "cancelled" {
                // A quick server may have answered at the first await already.
                loop {
                    idle(&pool).await;
                    if is_pending_at_first(pool.begin()).await {
                        break;
                    }
                }
            } else {
                let mut connection = pool.acquire().await.unwrap();
                connection.execute("BEGIN").await.unwrap();
                assert_eq!(
                    left_open == "failed" && connection.execute("SELECT 1/0").await.is_err(),
                    left_open == "failed"
                );
            }
            // A store of its own: it has kept no connection from before.
            let store = PgLeadStore::from_pool(pool.clone());
            assert_eq!(store.insert(&[new_lead()]).await.unwrap(), [Insertion::Inserted], "{left_open}");
        }
        pool.close().await;
        for table in ["lead_inbox", "audit_log"] {
            assert_eq!(Cluster::shared().psql(&url, &format!("SELECT count(*) FROM {table}")), "20", "{left_open}");
        }
    }
}

/// Waits until the pool has a connection to hand out: it gets them back on a task of its own.
async fn idle(pool: &PgPool) {
    while pool.num_idle() == 0 {
        yield_now().await;
    }
}

/// Polls a future once, and drops it.
async fn is_pending_at_first(future: impl Future) -> bool {
    let mut future = pin!(future);
    poll_fn(|context| Poll::Ready(future.as_mut().poll(context).is_pending())).await
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
