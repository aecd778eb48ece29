//! In the host's hands: its pool, its transaction.

use std::time::{Duration, Instant};

use diesel::{
    Connection, RunQueryDsl, SqliteConnection,
    connection::SimpleConnection,
    r2d2::{ConnectionManager, Pool},
    sql_query,
};
use fastcore_leads::{
    Actor, Insertion, LeadInbox, LeadMigrations, LeadStore,
    inbox::{InboxExt, Target},
    testing::{TempDir, new_lead},
};
use fastcore_leads_store_diesel::SqliteLeadStore;

use super::migrated;

#[tokio::test]
async fn a_host_commits_or_rolls_back_the_lead_with_its_own_row() {
    let (store, dir) = migrated().await;
    let path = dir.sqlite_url();
    let mut connection = SqliteConnection::establish(path.trim_start_matches("sqlite:")).unwrap();
    connection.batch_execute("PRAGMA busy_timeout = 5000; CREATE TABLE host (id integer)").unwrap();
    for is_committed in [false, true] {
        let new = new_lead();
        let batch = [new.clone()];
        let result = connection.immediate_transaction(|transaction| {
            sql_query("INSERT INTO host VALUES (1)").execute(transaction)?;
            assert_eq!(SqliteLeadStore::insert_on(transaction, &batch).unwrap(), [Insertion::Inserted]);
            if is_committed { Ok(()) } else { Err(diesel::result::Error::RollbackTransaction) }
        });
        assert_eq!(result.is_ok(), is_committed);
        assert_eq!(store.get(new.id()).await.unwrap().is_some(), is_committed);
        assert_eq!(store.audit_trail(new.id()).await.unwrap().len(), usize::from(is_committed));
        let rows = super::run(&path, "SELECT CAST(count(*) AS TEXT) FROM host").unwrap();
        assert_eq!(rows, [i32::from(is_committed).to_string()]);
    }
}

#[tokio::test]
async fn outside_of_a_transaction_it_is_all_or_nothing_too() {
    let (store, dir) = migrated().await;
    let path = dir.sqlite_url();
    let mut connection = SqliteConnection::establish(path.trim_start_matches("sqlite:")).unwrap();
    let refusal = "CREATE TRIGGER refusal BEFORE INSERT ON audit_log BEGIN SELECT RAISE(ABORT, 'refused'); END";
    connection.batch_execute(refusal).unwrap();
    let new = new_lead();
    assert!(SqliteLeadStore::insert_on(&mut connection, std::slice::from_ref(&new)).is_err());
    assert!(store.get(new.id()).await.unwrap().is_none(), "no lead without its audit row");
    connection.batch_execute("DROP TRIGGER refusal").unwrap();
    assert_eq!(SqliteLeadStore::insert_on(&mut connection, &[new]).unwrap(), [Insertion::Inserted]);
}

#[tokio::test]
async fn a_hosts_pool_stays_the_hosts() {
    let dir = TempDir::new();
    let path = dir.sqlite_url();
    for max in [1, 2] {
        let pool = pool(&path, max);
        let store = SqliteLeadStore::from_pool(pool.clone());
        store.migrate().await.unwrap();
        for _ in 0..10 {
            assert_eq!(store.insert(&[new_lead()]).await.unwrap(), [Insertion::Inserted]);
            pool.get().unwrap();
        }
    }
}

/// A host leaves its pool's one connection inside a transaction; what is written afterwards is committed all the same.
#[tokio::test]
async fn a_host_keeps_leads_that_come_after_a_transaction_it_left_open() {
    let dir = TempDir::new();
    let path = dir.sqlite_url();
    let pool = pool(&path, 1);
    let store = SqliteLeadStore::from_pool(pool.clone());
    store.migrate().await.unwrap();
    for _ in 0..20 {
        pool.get().unwrap().batch_execute("BEGIN").unwrap();
        assert_eq!(store.insert(&[new_lead()]).await.unwrap(), [Insertion::Inserted]);
    }
    assert_rows(&path, "20");
}

/// Somebody reads from the log beside the file: an erasure does not wait for that, and the next one empties the log.
#[tokio::test]
async fn a_reader_does_not_hold_up_an_erasure() {
    let (store, dir) = migrated().await;
    let log = dir.path().join("leads.db-wal");
    for has_reader in [true, false] {
        let new = new_lead();
        store.insert(std::slice::from_ref(&new)).await.unwrap();
        let mut reader = SqliteConnection::establish(dir.sqlite_url().trim_start_matches("sqlite:")).unwrap();
        if has_reader {
            reader.batch_execute("BEGIN; SELECT count(*) FROM lead_inbox").unwrap();
        }
        let started = Instant::now();
        store.erase(Target::Lead(new.id()), Actor::SITE_INGEST, None).await.unwrap();
        store.insert(&[new_lead()]).await.unwrap();
        assert!(started.elapsed() < Duration::from_secs(1), "a reader was waited for");
        drop(reader);
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
    let path = dir.sqlite_url();
    let pool = pool(&path, 1);
    let store = SqliteLeadStore::from_pool(pool.clone());
    for name in ["a", "b"] {
        let alter = format!(
            "CREATE TABLE {name} (x); ALTER TABLE {name} RENAME TO {name}_host; ALTER TABLE {name}_host RENAME x TO y"
        );
        assert_eq!(store.ready().await.is_ok(), name == "b");
        pool.get().unwrap().batch_execute(&alter).unwrap();
        store.migrate().await.unwrap();
        assert_eq!(store.insert(&[new_lead()]).await.unwrap(), [Insertion::Inserted]);
    }
    assert_rows(&path, "2");
}

/// So many leads are committed, and so many audit rows.
fn assert_rows(url: &str, expected: &str) {
    for table in ["lead_inbox", "audit_log"] {
        let count = format!("SELECT CAST(count(*) AS TEXT) FROM {table}");
        assert_eq!(super::run(url, &count).unwrap(), [expected]);
    }
}

fn pool(url: &str, max_size: u32) -> Pool<ConnectionManager<SqliteConnection>> {
    let manager = ConnectionManager::<SqliteConnection>::new(url.trim_start_matches("sqlite:"));
    Pool::builder().max_size(max_size).build(manager).unwrap()
}
