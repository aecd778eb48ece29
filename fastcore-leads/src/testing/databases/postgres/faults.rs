//! A database that stops, restarts, is locked, or is not there.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use async_trait::async_trait;
use tokio::time::{Instant, sleep};

use super::{migrated, psql};
use crate::{
    audit::Actor,
    inbox::{InboxExt, Target},
    ingest::{Ingest, IngestError},
    store::{Insertion, LeadStore, NewLead, StoreError, StoreErrorKind},
    testing::{
        databases::{CANARY, Database, Open},
        lead, new_lead,
        postgres::Cluster,
    },
};

/// 503 within 3 s while it is down, and 201 within 5 s after it is back, on the same store.
pub async fn a_stopped_database_is_unavailable_and_comes_back(open: Open) {
    let cluster = Cluster::start(&[]);
    let url = cluster.database();
    let database = open(url).await.expect("it opens");
    database.migrate().await.expect("migrated");
    let ingest = Ingest::builder(Arc::clone(&database)).start();
    for is_killed in [false, true] {
        ingest.ingest(lead(), Actor::SITE_INGEST).await.expect("taken in");
        if is_killed {
            cluster.kill();
        } else {
            cluster.stop();
        }
        let sent = lead();
        for _ in 0..3 {
            let started = Instant::now();
            let result = ingest.ingest(sent.clone(), Actor::SITE_INGEST).await;
            assert_eq!(result, Err(IngestError::Unavailable));
            assert!(started.elapsed() < Duration::from_secs(3), "the caller waited {:?}", started.elapsed());
        }
        assert!(ingest.ready().await.is_err());
        cluster.resume();
        let started = Instant::now();
        while ingest.ingest(sent.clone(), Actor::SITE_INGEST).await.is_err() {
            assert!(started.elapsed() < Duration::from_secs(5), "not back after 5 s");
            sleep(Duration::from_millis(10)).await;
        }
        assert!(ingest.ready().await.is_ok());
    }
}

/// A fail-over of five seconds: a deadline that is longer outlasts it, and nobody is told to come back.
pub async fn a_long_deadline_outlasts_a_fail_over(open: Open) {
    let cluster = Cluster::start(&[]);
    let database = open(cluster.database()).await.expect("it opens");
    database.migrate().await.expect("migrated");
    let ingest = Ingest::builder(Arc::clone(&database)).deadline(Duration::from_secs(30)).start();
    ingest.ingest(lead(), Actor::SITE_INGEST).await.expect("taken in");
    cluster.kill();
    let mut callers = tokio::task::JoinSet::new();
    for _ in 0..64 {
        let ingest = ingest.clone();
        callers.spawn(async move { ingest.ingest(lead(), Actor::SITE_INGEST).await });
    }
    sleep(Duration::from_secs(5)).await;
    cluster.resume();
    assert!(callers.join_all().await.iter().all(Result::is_ok));
}

/// The connections that are kept for writing all died meanwhile: the first lead does not find out.
pub async fn a_restart_while_idle_goes_unnoticed(open: Open) {
    let cluster = Cluster::start(&[]);
    let database = open(cluster.database()).await.expect("it opens");
    database.migrate().await.expect("migrated");
    let ingest = Ingest::builder(Arc::clone(&database)).writers(2).max_batch(1).start();
    for _ in 0..3 {
        // Enough at once for both writers to have a connection.
        let mut tasks = tokio::task::JoinSet::new();
        for _ in 0..8 {
            let ingest = ingest.clone();
            tasks.spawn(async move { ingest.ingest(lead(), Actor::SITE_INGEST).await });
        }
        assert!(tasks.join_all().await.iter().all(Result::is_ok));
        cluster.stop();
        cluster.resume();
        assert!(ingest.ingest(lead(), Actor::SITE_INGEST).await.is_ok(), "the first lead after a restart");
        assert!(database.get(new_lead().id()).await.is_ok(), "the first read after a restart");
        cluster.stop();
        cluster.resume();
        let erased = database.erase(Target::Email("nobody@example.com".to_owned()), Actor::SITE_INGEST, None).await;
        assert!(erased.is_ok_and(|ids| ids.is_empty()), "the first change after a restart");
    }
}

/// Somebody holds a lock on the table: callers are told, and the server gives up on statements that nobody waits for.
pub async fn a_locked_table_does_not_use_up_the_server(open: Open) {
    let (database, url) = migrated(open).await;
    let ingest = Ingest::builder(Arc::clone(&database)).deadline(Duration::from_millis(300)).start();
    ingest.ingest(lead(), Actor::SITE_INGEST).await.expect("taken in");
    let lock = Cluster::shared().session(&url, "BEGIN; LOCK TABLE lead_inbox;");
    let waiting = "SELECT count(*) FROM pg_stat_activity
                    WHERE datname = current_database() AND wait_event_type = 'Lock'";
    let sent = lead();
    for _ in 0..10 {
        assert_eq!(ingest.ingest(sent.clone(), Actor::SITE_INGEST).await, Err(IngestError::Unavailable));
    }
    let end = Instant::now() + Duration::from_secs(10);
    while psql(&url, waiting) != "0" {
        assert!(Instant::now() < end, "statements that nobody waits for go on waiting for the lock");
        sleep(Duration::from_millis(50)).await;
    }
    drop(lock);
    while ingest.ingest(sent.clone(), Actor::SITE_INGEST).await.is_err() {
        assert!(Instant::now() < end, "not back after the lock was released");
    }
}

/// Nothing listens, a wrong password's sibling (no such role), no such database, no URL at all.
pub async fn an_unreachable_database_is_unavailable(open: Open) {
    let port = Cluster::shared().port();
    for url in [
        format!("postgres://{CANARY}@127.0.0.1:{port}/postgres"),
        format!("postgres://postgres@127.0.0.1:{port}/{CANARY}"),
        format!("postgres://postgres:{CANARY}@127.0.0.1:1/postgres"),
    ] {
        let is_refused = url.contains(":1/");
        let error = open(url).await.err().expect("unreachable");
        assert_eq!(error.kind(), StoreErrorKind::Unavailable);
        assert!(!is_refused || error.to_string().contains("refused"), "{error}");
        assert!(!format!("{error} {error:?}").contains(CANARY));
    }
    let error = open(format!("postgres://postgres:{CANARY}@127.0.0.1:notaport/x")).await.err().expect("no URL");
    assert_eq!(error.kind(), StoreErrorKind::Internal);
    assert!(!format!("{error} {error:?}").contains(CANARY));
}

/// A standby that is promised and away: a lead that was not acknowledged is not acknowledged to a retry either, though it
/// has become visible meanwhile.
pub async fn a_retry_waits_for_the_standby_too(open: Open) {
    let cluster = Cluster::start(&[]);
    let url = cluster.database();
    let database = open(url.clone()).await.expect("it opens");
    database.migrate().await.expect("migrated");
    let standby = PromisedStandby::new(&cluster, &url);
    standby.is_waited_for(&database).await;
    let waiting = "FROM pg_stat_activity WHERE wait_event = 'SyncRep'";
    let (first, retry) = (new_lead(), lead());
    let sent = NewLead::new(first.lead().clone(), Actor::SITE_INGEST);
    database.insert(std::slice::from_ref(&first)).await.expect_err("the standby is away");
    cluster.psql(&url, &format!("SELECT pg_cancel_backend(pid) {waiting}"));
    while database.find(first.lead().meta().request_id()).await.expect("find").is_none() {
        sleep(Duration::from_millis(20)).await;
    }
    database.insert(std::slice::from_ref(&sent)).await.expect_err("the standby is still away");
    // A lead that is new waits as before.
    database.insert(&[NewLead::new(retry, Actor::SITE_INGEST)]).await.expect_err("the standby is still away");
    drop(standby);
    let end = Instant::now() + Duration::from_secs(10);
    let outcomes = loop {
        match database.insert(std::slice::from_ref(&sent)).await {
            Ok(outcomes) => break outcomes,
            Err(_) => assert!(Instant::now() < end, "not back after the standby was given up"),
        }
    };
    assert!(matches!(outcomes[..], [Insertion::Replayed(_)]), "{outcomes:?}");
}

/// A standby that commits wait for and that is not there, until this is dropped: a server whose sessions wait for one
/// cannot be stopped.
pub(super) struct PromisedStandby<'a> {
    cluster: &'a Cluster,
    url: &'a str,
}

impl<'a> PromisedStandby<'a> {
    pub(super) fn new(cluster: &'a Cluster, url: &'a str) -> Self {
        let standby = Self { cluster, url };
        assert!(standby.alter("SET synchronous_standby_names = 'away'"));
        standby
    }

    /// Waits until commits wait: each session learns of the setting in its own time.
    pub(super) async fn is_waited_for(&self, database: &Database) {
        while self.cluster.psql(self.url, "SHOW synchronous_standby_names") != "away" {
            sleep(Duration::from_millis(20)).await;
        }
        while database.insert(&[new_lead()]).await.is_ok() {}
    }

    fn alter(&self, setting: &str) -> bool {
        // One by one: ALTER SYSTEM stands in no transaction.
        [&format!("ALTER SYSTEM {setting}"), "SELECT pg_reload_conf()"]
            .into_iter()
            .all(|statement| self.cluster.try_psql(self.url, statement).0)
    }
}

impl Drop for PromisedStandby<'_> {
    fn drop(&mut self) {
        self.alter("RESET synchronous_standby_names");
    }
}

/// It answers, and takes no leads.
pub async fn a_read_only_server_is_not_ready(open: Open) {
    let (_, url) = migrated(open).await;
    let name = url.rsplit('/').next().unwrap_or_default();
    for (is_read_only, kind) in [("on", Some(StoreErrorKind::Unavailable)), ("off", None)] {
        Cluster::shared()
            .psql("postgres", &format!("ALTER DATABASE {name} SET default_transaction_read_only = {is_read_only}"));
        let ready = open(url.clone()).await.expect("it opens").ready().await;
        assert_eq!(ready.err().map(|error| error.kind()), kind);
    }
}

/// No table, no right: no lead's fault. The batch fails as a whole, by one statement and not by two for each lead.
pub async fn a_fault_of_the_set_up_is_no_leads_fault(open: Open) {
    for fault in [
        "ALTER TABLE audit_log RENAME TO audit_log_away",
        "ALTER TABLE lead_inbox RENAME COLUMN company TO company_away",
        "DROP TABLE audit_log, lead_inbox",
    ] {
        let (database, url) = migrated(open).await;
        database.insert(&[new_lead()]).await.expect("written");
        psql(&url, fault);
        let error = database.insert(&[new_lead(), new_lead()]).await.expect_err("there is no such table");
        assert_eq!(error.kind(), StoreErrorKind::Misconfigured, "{fault}: {error}");
        let store = Arc::new(Counting { database, inserts: AtomicUsize::new(0) });
        let ingest = Ingest::builder(Arc::clone(&store)).writers(1).max_batch(64).start();
        let results = ingest.ingest_many((0..256).map(|_| lead()), Actor::SITE_INGEST).await;
        assert!(results.iter().all(|result| *result == Err(IngestError::Internal)), "{fault}");
        let inserts = store.inserts.load(Ordering::Relaxed);
        assert!(inserts < 64, "{fault}: {inserts} transactions for 256 leads");
    }
}

/// Counts how often leads are written.
struct Counting {
    database: Database,
    inserts: AtomicUsize,
}

#[async_trait]
impl LeadStore for Counting {
    async fn insert(&self, batch: &[NewLead]) -> Result<Vec<Insertion>, StoreError> {
        self.inserts.fetch_add(1, Ordering::Relaxed);
        self.database.insert(batch).await
    }

    async fn ready(&self) -> Result<(), StoreError> {
        self.database.ready().await
    }
}
