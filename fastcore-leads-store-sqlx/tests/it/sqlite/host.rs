//! In the host's hands: its pool, its transaction.

use std::time::{Duration, Instant};

use fastcore_leads::{
    Actor, Insertion, LeadInbox, LeadMigrations, LeadStore,
    inbox::{InboxExt, Target},
    testing::{TempDir, new_lead},
};
use fastcore_leads_store_sqlx::SqliteLeadStore;
use sqlx::{AssertSqlSafe, Connection, Executor, SqliteConnection, sqlite::SqlitePoolOptions};

use super::migrated;

#[tokio::test]
async fn a_host_commits_or_rolls_back_the_lead_with_its_own_row() {
    let (store, dir) = migrated().await;
    let mut connection = SqliteConnection::connect(&dir.sqlite_url()).await.unwrap();
    connection.execute("CREATE TABLE host (id integer)").await.unwrap();
    for is_committed in [false, true] {
        let new = new_lead();
        let batch = [new.clone()];
        let mut transaction = connection.begin_with("BEGIN IMMEDIATE").await.unwrap();
        transaction.execute("INSERT INTO host VALUES (1)").await.unwrap();
        assert_eq!(SqliteLeadStore::insert_on(&mut transaction, &batch).await.unwrap(), [Insertion::Inserted]);
        assert!(store.get(new.id()).await.unwrap().is_none(), "nothing shows before the host commits");
        if is_committed {
            transaction.commit().await.unwrap();
        } else {
            transaction.rollback().await.unwrap();
        }
        assert_eq!(store.get(new.id()).await.unwrap().is_some(), is_committed);
        assert_eq!(store.audit_trail(new.id()).await.unwrap().len(), usize::from(is_committed));
        let rows: i32 = sqlx::query_scalar("SELECT count(*) FROM host").fetch_one(&mut connection).await.unwrap();
        assert_eq!(rows, i32::from(is_committed));
    }
}

#[tokio::test]
async fn outside_of_a_transaction_it_is_all_or_nothing_too() {
    let (store, dir) = migrated().await;
    let mut connection = SqliteConnection::connect(&dir.sqlite_url()).await.unwrap();
    let refusal = "CREATE TRIGGER refusal BEFORE INSERT ON audit_log BEGIN SELECT RAISE(ABORT, 'refused'); END";
    connection.execute(refusal).await.unwrap();
    let new = new_lead();
    assert!(SqliteLeadStore::insert_on(&mut connection, std::slice::from_ref(&new)).await.is_err());
    assert!(store.get(new.id()).await.unwrap().is_none(), "no lead without its audit row");
    connection.execute("DROP TRIGGER refusal").await.unwrap();
    assert_eq!(SqliteLeadStore::insert_on(&mut connection, &[new]).await.unwrap(), [Insertion::Inserted]);
}

#[tokio::test]
async fn a_hosts_pool_stays_the_hosts() {
    let dir = TempDir::new();
    let url = format!("{}?mode=rwc", dir.sqlite_url());
    for max in [1, 2] {
        let pool = SqlitePoolOptions::new().max_connections(max).connect(&url).await.unwrap();
        let store = SqliteLeadStore::from_pool(pool.clone());
        store.migrate().await.unwrap();
        for _ in 0..10 {
            assert_eq!(store.insert(&[new_lead()]).await.unwrap(), [Insertion::Inserted]);
            pool.acquire().await.unwrap();
        }
        pool.close().await;
        assert!(store.insert(&[new_lead()]).await.is_err());
    }
}

/// A host leaves its pool's one connection inside a transaction; what is written afterwards is committed all the same.
#[tokio::test]
async fn a_host_keeps_leads_that_come_after_a_transaction_it_left_open() {
    let dir = TempDir::new();
    let pool =
        SqlitePoolOptions::new().max_connections(1).connect(&format!("{}?mode=rwc", dir.sqlite_url())).await.unwrap();
    let store = SqliteLeadStore::from_pool(pool.clone());
    store.migrate().await.unwrap();
    for _ in 0..20 {
        pool.acquire().await.unwrap().execute("BEGIN").await.unwrap();
        assert_eq!(store.insert(&[new_lead()]).await.unwrap(), [Insertion::Inserted]);
    }
    pool.close().await;
    assert_rows(&dir, 20).await;
}

/// Somebody reads from the log beside the file: an erasure does not wait for that, and the next one empties the log.
#[tokio::test]
async fn a_reader_does_not_hold_up_an_erasure() {
    let (store, dir) = migrated().await;
    let log = dir.path().join("leads.db-wal");
    for has_reader in [true, false] {
        let new = new_lead();
        store.insert(std::slice::from_ref(&new)).await.unwrap();
        let mut reader = SqliteConnection::connect(&dir.sqlite_url()).await.unwrap();
        if has_reader {
            reader.execute("BEGIN").await.unwrap();
            reader.execute("SELECT count(*) FROM lead_inbox").await.unwrap();
        }
        let started = Instant::now();
        store.erase(Target::Lead(new.id()), Actor::SITE_INGEST, None).await.unwrap();
        store.insert(&[new_lead()]).await.unwrap();
        assert!(started.elapsed() < Duration::from_secs(1), "a reader was waited for");
        reader.close().await.unwrap();
        if has_reader {
            assert!(log.metadata().unwrap().len() > 0, "the reader is in the way");
        }
    }
    let last = new_lead();
    store.insert(std::slice::from_ref(&last)).await.unwrap();
    store.erase(Target::Lead(last.id()), Actor::SITE_INGEST, None).await.unwrap();
    assert_eq!(log.metadata().unwrap().len(), 0, "emptied with the next erasure");
}

/// Before and after our tables are made: nothing of ours on the pool's connections is in the way.
#[tokio::test]
async fn a_host_alters_its_own_tables_beside_ours() {
    let dir = TempDir::new();
    let store = SqliteLeadStore::connect(&dir.sqlite_url()).await.unwrap();
    for name in ["a", "b"] {
        let alter = format!(
            "CREATE TABLE {name} (x); ALTER TABLE {name} RENAME TO {name}_host; ALTER TABLE {name}_host RENAME x TO y"
        );
        store.pool().execute(AssertSqlSafe(alter)).await.unwrap();
        store.migrate().await.unwrap();
        assert_eq!(store.insert(&[new_lead()]).await.unwrap(), [Insertion::Inserted]);
    }
    store.pool().close().await;
    assert!(store.insert(&[new_lead()]).await.is_err(), "closed with the pool");
    assert_rows(&dir, 2).await;
}

/// So many leads are committed, and so many audit rows.
async fn assert_rows(dir: &TempDir, expected: i32) {
    let mut connection = SqliteConnection::connect(&dir.sqlite_url()).await.unwrap();
    for count in ["SELECT count(*) FROM lead_inbox", "SELECT count(*) FROM audit_log"] {
        let rows: i32 = sqlx::query_scalar(count).fetch_one(&mut connection).await.unwrap();
        assert_eq!(rows, expected);
    }
}
