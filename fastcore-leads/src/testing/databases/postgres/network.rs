//! What the network between a service and PostgreSQL may do, and callers that do not wait.

use std::{sync::Arc, time::Duration};

use tokio::{
    task::JoinSet,
    time::{Instant, sleep, timeout},
};

use super::{migrated, psql};
use crate::{
    audit::Actor,
    ingest::{Ingest, IngestError},
    lead::Lead,
    store::LeadDatabase,
    testing::{
        Random,
        databases::{Database, Open},
        lead, new_lead,
        postgres::Cluster,
        proxy::{Fault, Proxy},
    },
};

/// How long the network swallows all.
const OUTAGE: Duration = Duration::from_secs(10);
/// By then all is as it was before.
const RECOVERY: Duration = Duration::from_secs(10);

/// Slower than usual is no failure; slower than the deadline is told, and passes.
pub async fn slow_replies_are_waited_for_up_to_the_deadline(open: Open) {
    let (proxy, database, url) = behind_a_proxy(open).await;
    let ingest = Ingest::builder(database).deadline(Duration::from_secs(1)).start();
    take_in(&ingest, 50).await;
    proxy.set(Fault::SlowReplies(Duration::from_millis(50)));
    take_in(&ingest, 50).await;
    proxy.set(Fault::SlowReplies(Duration::from_secs(3)));
    let sent = lead();
    let started = Instant::now();
    assert_eq!(ingest.ingest(sent.clone(), Actor::SITE_INGEST).await, Err(IngestError::Unavailable));
    assert!(started.elapsed() < Duration::from_secs(3), "the caller waited {:?}", started.elapsed());
    proxy.set(Fault::None);
    retry(&ingest, &sent).await;
    assert_whole(&url, 101);
}

/// The lead is in, but nobody heard: the workflow runs the batch once more, on another connection, and finds its own.
pub async fn a_connection_cut_after_its_commit_makes_one_lead(open: Open) {
    let (proxy, database, url) = behind_a_proxy(open).await;
    let ingest = Ingest::builder(database).writers(1).start();
    take_in(&ingest, 1).await;
    for round in 1..=10 {
        proxy.set(Fault::CutAfterCommit);
        let ingested = ingest.ingest(lead(), Actor::SITE_INGEST).await.expect("taken in all the same");
        assert!(!ingested.replayed, "its own row is no replay");
        assert_eq!(proxy.cut(), round, "the cut came after a COMMIT");
        assert_whole(&url, 1 + round);
    }
}

/// A firewall that forgot the connection, a cable: 503 meanwhile, all as before soon after, no place in the pool lost.
pub async fn an_outage_of_the_network_is_survived(open: Open) {
    let (proxy, database, url) = behind_a_proxy(open).await;
    let ingest = Ingest::builder(Arc::clone(&database)).start();
    let places = places_of_the_pool(&database, &url).await;
    let usual = take_in(&ingest, 2000).await;

    proxy.set(Fault::Swallow);
    let end = Instant::now() + OUTAGE;
    let mut callers = JoinSet::new();
    for _ in 0..16 {
        let ingest = ingest.clone();
        callers.spawn(async move {
            let sent = lead();
            while Instant::now() < end {
                let started = Instant::now();
                let result = ingest.ingest(sent.clone(), Actor::SITE_INGEST).await;
                assert_eq!(result, Err(IngestError::Unavailable));
                assert!(started.elapsed() < Duration::from_secs(3), "the caller waited {:?}", started.elapsed());
            }
            sent
        });
    }
    let waiting = callers.join_all().await;
    assert!(ingest.ready().await.is_err());

    proxy.set(Fault::None);
    let back = Instant::now();
    for sent in &waiting {
        retry(&ingest, sent).await;
    }
    let mut rounds = 1;
    // Twice the usual and a little more: other tests may run beside this one.
    while take_in(&ingest, 2000).await > usual * 2 + Duration::from_millis(500) {
        rounds += 1;
        assert!(back.elapsed() < RECOVERY, "not at full speed {:?} after the outage", back.elapsed());
    }
    assert!(ingest.ready().await.is_ok());
    assert_eq!(places_of_the_pool(&database, &url).await, places, "places of the pool before and after");
    assert_whole(&url, 2000 + waiting.len() + rounds * 2000);
}

/// Callers of the workflow and of the store itself that are gone after a moment: nothing half-written, nothing left open.
pub async fn callers_may_go_away_at_any_moment(open: Open) {
    let mut random = Random::from_env();
    let (database, url) = migrated(open).await;
    let ingest = Ingest::builder(Arc::clone(&database)).max_batch(8).start();
    let mut callers = JoinSet::new();
    for i in 0..64 {
        let (ingest, database, mut random) =
            (ingest.clone(), Arc::clone(&database), Random::new(random.below(1 << 31) as u64));
        callers.spawn(async move {
            let mut acknowledged = 0;
            for _ in 0..30 {
                let patience = Duration::from_micros(random.below(8000) as u64);
                let is_done = if i % 8 == 0 {
                    let batch = [new_lead(), new_lead()];
                    timeout(patience, database.insert(&batch)).await.is_ok_and(|result| result.is_ok())
                } else {
                    timeout(patience, ingest.ingest(lead(), Actor::SITE_INGEST))
                        .await
                        .is_ok_and(|result| result.is_ok())
                };
                acknowledged += usize::from(is_done) * if i % 8 == 0 { 2 } else { 1 };
            }
            acknowledged
        });
    }
    let acknowledged: usize = callers.join_all().await.into_iter().sum();
    ingest.shutdown().await;
    let open_transactions = "SELECT count(*) FROM pg_stat_activity
                              WHERE datname = current_database() AND (state LIKE 'idle in transaction%' OR state = 'active')
                                AND pid <> pg_backend_pid()";
    let end = Instant::now() + RECOVERY;
    while psql(&url, open_transactions) != "0" {
        assert!(Instant::now() < end, "a transaction is left open");
        sleep(Duration::from_millis(20)).await;
    }
    let written: usize = psql(&url, "SELECT count(*) FROM lead_inbox").parse().expect("a number");
    assert!(written >= acknowledged, "{acknowledged} were acknowledged, {written} written");
    assert_whole(&url, written);
}

async fn behind_a_proxy(open: Open) -> (Proxy, Database, String) {
    let (_, url) = migrated(open).await;
    let proxy = Proxy::before(Cluster::shared().port()).await;
    let database = open(proxy.url(&url)).await.expect("it opens");
    (proxy, database, url)
}

/// Takes in so many leads at once; answers how long that took.
async fn take_in(ingest: &Ingest, leads: usize) -> Duration {
    let started = Instant::now();
    let results = ingest.ingest_many((0..leads).map(|_| lead()), Actor::SITE_INGEST).await;
    assert!(results.iter().all(Result::is_ok), "{} of {leads}", results.iter().filter(|result| result.is_ok()).count());
    started.elapsed()
}

async fn retry(ingest: &Ingest, sent: &Lead) {
    let end = Instant::now() + RECOVERY;
    while ingest.ingest(sent.clone(), Actor::SITE_INGEST).await.is_err() {
        assert!(Instant::now() < end, "not back in time");
        sleep(Duration::from_millis(10)).await;
    }
}

/// How many connections can be open at once: as many as there are while reads wait for a locked table.
async fn places_of_the_pool(database: &Database, url: &str) -> usize {
    let lock = Cluster::shared().session(url, "BEGIN; LOCK TABLE lead_inbox;");
    let mut readers = JoinSet::new();
    for _ in 0..64 {
        let database: Arc<dyn LeadDatabase> = Arc::clone(database);
        readers.spawn(async move { database.get(new_lead().id()).await.is_ok() });
    }
    let connected = "SELECT count(*) FROM pg_stat_activity
                      WHERE datname = current_database() AND backend_type = 'client backend'
                        AND application_name <> 'psql'";
    let mut most = 0;
    // All of them give up in time.
    while readers.try_join_next().is_none() {
        most = most.max(psql(url, connected).parse().expect("a number"));
        sleep(Duration::from_millis(20)).await;
    }
    drop(lock);
    readers.join_all().await;
    most
}

/// So many leads, each with one audit row.
fn assert_whole(url: &str, leads: usize) {
    let counts = "SELECT (SELECT count(*) FROM lead_inbox), (SELECT count(*) FROM audit_log),
                         (SELECT count(DISTINCT lead_id) FROM audit_log JOIN lead_inbox ON lead_inbox.id = lead_id)";
    assert_eq!(psql(url, counts), format!("{leads}|{leads}|{leads}"));
}
