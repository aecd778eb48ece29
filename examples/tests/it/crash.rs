//! kill -9, again and again, under writers that retry as the contract says: what was acknowledged is there, once, with its
//! audit row; what was not is there whole or not at all.

use std::{
    collections::HashSet,
    net::SocketAddr,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use fastcore_leads::testing::{
    Random, TempDir, body,
    http::{lead_request, try_exchange},
    postgres::Cluster,
};
use fastcore_leads_store_sqlx::SqliteLeadStore;
use tokio::task::JoinSet;

use crate::service::Service;

const WRITERS: usize = 8;
const KILLS: usize = 20;
const PATIENCE: Duration = Duration::from_secs(60);
/// One lead in so many is sent again once it was acknowledged.
const REPLAYED: usize = 5;

/// Writers that go on until told to stop, and what they know.
pub(crate) struct Writers {
    /// No lead takes longer.
    patience: Duration,
    /// Where the services are now; they may move.
    addresses: Mutex<Vec<SocketAddr>>,
    stop: AtomicBool,
    acknowledged: AtomicUsize,
    /// How often a sender was told to come back.
    refused: AtomicUsize,
    silence: Mutex<Silence>,
}

/// When a lead was acknowledged last, and for how long none was.
struct Silence {
    last: Instant,
    longest: Duration,
}

impl Writers {
    pub(crate) fn new(addresses: &[SocketAddr]) -> Arc<Self> {
        Self::for_outages(addresses, Duration::ZERO)
    }

    /// Writers that see no lead taken in for so long, at times, and go on.
    pub(crate) fn for_outages(addresses: &[SocketAddr], outage: Duration) -> Arc<Self> {
        Arc::new(Self {
            patience: PATIENCE + outage,
            addresses: Mutex::new(addresses.to_vec()),
            stop: AtomicBool::new(false),
            acknowledged: AtomicUsize::new(0),
            refused: AtomicUsize::new(0),
            silence: Mutex::new(Silence { last: Instant::now(), longest: Duration::ZERO }),
        })
    }

    /// Where one of the services is.
    pub(crate) fn address(&self) -> SocketAddr {
        self.addresses.lock().unwrap()[0]
    }

    /// From now on the services are there.
    pub(crate) fn go_to(&self, addresses: &[SocketAddr]) {
        *self.addresses.lock().unwrap() = addresses.to_vec();
    }

    pub(crate) fn start(self: &Arc<Self>) -> JoinSet<HashSet<String>> {
        let mut tasks = JoinSet::new();
        for _ in 0..WRITERS {
            let writers = Arc::clone(self);
            tasks.spawn(async move { writers.write().await });
        }
        tasks
    }

    /// Answers the ids of the leads that were acknowledged.
    async fn write(&self) -> HashSet<String> {
        let mut acknowledged = HashSet::new();
        let mut earlier = None;
        while !self.stop.load(Ordering::Relaxed) {
            let request = lead_request(&body());
            let id = self.send(&request, acknowledged.len()).await;
            assert!(acknowledged.insert(id.clone()), "two requests were answered with one lead");
            self.acknowledged.fetch_add(1, Ordering::Relaxed);
            self.silence.lock().unwrap().end();
            // Now and then an earlier one once more, as a sender does that has not heard: much may have happened since.
            if acknowledged.len().is_multiple_of(REPLAYED)
                && let Some((request, id)) = earlier.replace((request, id))
            {
                let again = self.send(&request, acknowledged.len()).await;
                assert_eq!(again, id, "a replay was answered with another lead");
            }
        }
        acknowledged
    }

    /// Sends until it is acknowledged, to one service after the other; answers the lead's id.
    async fn send(&self, request: &[u8], first: usize) -> String {
        let end = Instant::now() + self.patience;
        for attempt in first.. {
            assert!(Instant::now() < end, "a lead was not taken in for {:?}", self.patience);
            let address = {
                let addresses = self.addresses.lock().unwrap();
                addresses[attempt % addresses.len()]
            };
            match try_exchange(address, request).await {
                Ok(answer) if answer.status == 503 => {
                    assert!(answer.header("retry-after").is_some());
                    self.refused.fetch_add(1, Ordering::Relaxed);
                }
                Ok(answer) => {
                    assert_eq!(answer.status, 201, "{}", String::from_utf8_lossy(&answer.body));
                    return answer.json()["leadId"].as_str().unwrap().to_owned();
                }
                Err(_) => {}
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        unreachable!("there is always another attempt")
    }

    /// For how long no lead was acknowledged, at most, since the last time that this was asked.
    pub(crate) fn longest_silence(&self) -> Duration {
        let mut silence = self.silence.lock().unwrap();
        silence.end();
        std::mem::take(&mut silence.longest)
    }

    /// Waits for so many acknowledgements more.
    pub(crate) async fn wait_for(&self, more: usize) {
        let target = self.acknowledged.load(Ordering::Relaxed) + more;
        let end = Instant::now() + self.patience;
        while self.acknowledged.load(Ordering::Relaxed) < target {
            assert!(Instant::now() < end, "no lead was acknowledged for {:?}", self.patience);
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    }

    /// Waits until senders were told so many times more to come back; answers how many leads are acknowledged by then.
    pub(crate) async fn wait_for_refusals(&self, more: usize) -> usize {
        let target = self.refused.load(Ordering::Relaxed) + more;
        let end = Instant::now() + self.patience;
        while self.refused.load(Ordering::Relaxed) < target {
            assert!(Instant::now() < end, "nobody was told to come back for {:?}", self.patience);
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        self.acknowledged.load(Ordering::Relaxed)
    }

    pub(crate) async fn finish(&self, tasks: JoinSet<HashSet<String>>) -> HashSet<String> {
        self.stop.store(true, Ordering::Relaxed);
        tasks.join_all().await.into_iter().flatten().collect()
    }
}

impl Silence {
    fn end(&mut self) {
        self.longest = self.longest.max(self.last.elapsed());
        self.last = Instant::now();
    }
}

/// At most so many acknowledgements lie between two kills.
const INTERVAL: usize = 40;

#[tokio::test(flavor = "multi_thread")]
async fn the_database_is_killed_twenty_times() {
    let cluster = Cluster::start(&["fsync=on"]);
    for driver in ["sqlx", "diesel"] {
        let url = cluster.database();
        let service = Service::start(&["--database-url", &url, "--driver", driver, "--min-db-connections", "1"]);
        let writers = Writers::new(&[service.address]);
        let tasks = writers.start();
        let mut random = Random::from_env();
        for _ in 0..KILLS / 2 {
            writers.wait_for(1 + random.below(INTERVAL)).await;
            cluster.kill();
            cluster.resume();
        }
        writers.wait_for(WRITERS * 2).await;
        let acknowledged = writers.finish(tasks).await;
        check(|sql| cluster.psql(&url, sql), &acknowledged);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_service_is_killed_twenty_times() {
    let dir = TempDir::new();
    for url in [Cluster::shared().database(), dir.sqlite_url()] {
        let start = |round: usize| {
            let driver = ["sqlx", "diesel"][round % 2];
            Service::start(&["--database-url", &url, "--driver", driver, "--min-db-connections", "1"])
        };
        let mut service = start(0);
        let writers = Writers::new(&[service.address]);
        let tasks = writers.start();
        let mut random = Random::from_env();
        for round in 1..=KILLS / 2 {
            writers.wait_for(1 + random.below(INTERVAL)).await;
            service.signal("-KILL");
            service.wait();
            service = start(round);
            writers.go_to(&[service.address]);
        }
        writers.wait_for(WRITERS * 2).await;
        let acknowledged = writers.finish(tasks).await;
        if url.starts_with("postgres") {
            check(|sql| Cluster::shared().psql(&url, sql), &acknowledged);
        } else {
            drop(service);
            check_sqlite(&url, &acknowledged).await;
        }
    }
}

/// Every lead has exactly one audit row and the reverse, every acknowledged id is there.
const BROKEN_PAIRS: &str = "SELECT count(*) FROM lead_inbox
      LEFT JOIN (SELECT lead_id, count(*) AS audits FROM audit_log GROUP BY lead_id) AS audited ON audited.lead_id = lead_inbox.id
     WHERE coalesce(audits, 0) <> 1
     UNION ALL
    SELECT count(*) FROM audit_log LEFT JOIN lead_inbox ON lead_inbox.id = audit_log.lead_id WHERE lead_inbox.id IS NULL";

/// Asks a PostgreSQL whether it is so.
pub(crate) fn check(psql: impl Fn(&str) -> String, acknowledged: &HashSet<String>) {
    assert_eq!(psql(BROKEN_PAIRS), "0\n0");
    let stored: HashSet<String> = psql("SELECT id FROM lead_inbox").lines().map(str::to_owned).collect();
    assert!(
        acknowledged.is_subset(&stored),
        "{} acknowledged leads are lost",
        acknowledged.difference(&stored).count()
    );
}

pub(crate) async fn check_sqlite(url: &str, acknowledged: &HashSet<String>) {
    let store = SqliteLeadStore::connect(url).await.unwrap();
    let verdict: String = sqlx::query_scalar("PRAGMA integrity_check").fetch_one(store.pool()).await.unwrap();
    assert_eq!(verdict, "ok");
    let broken: Vec<i64> = sqlx::query_scalar(BROKEN_PAIRS).fetch_all(store.pool()).await.unwrap();
    assert_eq!(broken, [0, 0]);
    let stored: Vec<String> = sqlx::query_scalar("SELECT id FROM lead_inbox").fetch_all(store.pool()).await.unwrap();
    let stored: HashSet<String> = stored.into_iter().collect();
    assert!(
        acknowledged.is_subset(&stored),
        "{} acknowledged leads are lost",
        acknowledged.difference(&stored).count()
    );
}
