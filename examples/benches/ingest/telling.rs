//! Telling others: what it costs the ingest, how soon they hear, and how a queue of a million bears it. The receivers run here.

use std::{
    fs,
    net::SocketAddr,
    path::PathBuf,
    process::{Child, Command, Stdio},
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use axum::{Router, body::Bytes, extract::State, http::StatusCode, routing::post};
use fastcore_leads::{
    Actor, LeadMigrations, LeadOutbox, LeadStore, NewLead,
    chrono::{DateTime, Utc},
    outbox::{Claim, Settled, Settlement, Subscription},
    testing::{
        TempDir, body,
        http::{Server, exchange, lead_request},
        parse,
        postgres::Cluster,
    },
};
use fastcore_leads_store_sqlx::PgLeadStore;
use serde_json::Value;
use tokio::time::sleep;
use uuid::Uuid;

use crate::{
    beside,
    candidates::{SERVE, block_on},
    process::Service,
    report::median,
};

pub(crate) fn measure(cluster: &Cluster, seconds: Duration, rounds: usize) {
    ingest_beside(cluster, seconds, rounds);
    how_soon(cluster);
    throughput(cluster, rounds);
    a_million(cluster, seconds);
}

/// Takes what comes, and notes how long after the event.
#[derive(Clone, Default)]
struct Receiver {
    requests: Arc<AtomicUsize>,
    delays: Arc<Mutex<Vec<Duration>>>,
    is_silent: Arc<AtomicBool>,
}

impl Receiver {
    async fn serve(&self) -> Server {
        let router = Router::new().fallback(post(receive)).with_state(self.clone());
        Server::spawn(|listener| async move { axum::serve(listener, router).await.expect("it serves") }).await
    }

    fn count(&self) -> usize {
        self.requests.load(Ordering::Relaxed)
    }

    async fn wait_for(&self, count: usize) {
        while self.count() < count {
            sleep(Duration::from_millis(1)).await;
        }
    }
}

async fn receive(State(receiver): State<Receiver>, body: Bytes) -> StatusCode {
    if receiver.is_silent.load(Ordering::Relaxed) {
        return std::future::pending().await;
    }
    let event: Value = serde_json::from_slice(&body).expect("JSON");
    let at: DateTime<Utc> = event["timestamp"].as_str().expect("a timestamp").parse().expect("an instant");
    let delay = (Utc::now() - at).to_std().unwrap_or_default();
    receiver.delays.lock().unwrap_or_else(PoisonError::into_inner).push(delay);
    receiver.requests.fetch_add(1, Ordering::Relaxed);
    StatusCode::NO_CONTENT
}

/// A file of destinations that are all at their defaults.
struct Destinations {
    dir: TempDir,
    file: PathBuf,
}

impl Destinations {
    fn of(receivers: &[(&str, SocketAddr)]) -> Self {
        let dir = TempDir::new();
        let key = Command::new(env!("CARGO_BIN_EXE_leadctl")).arg("webhook-key").output().expect("leadctl runs").stdout;
        fs::write(dir.path().join("keys"), key).expect("written");
        let entry = |(name, address): &(&str, SocketAddr)| {
            format!("[[destination]]\nname = \"{name}\"\nwebhook = \"http://{address}/\"\nkeys_file = \"keys\"\n")
        };
        let file = dir.path().join("destinations.toml");
        fs::write(&file, receivers.iter().map(entry).collect::<String>()).expect("written");
        Self { dir, file }
    }

    fn path(&self) -> &str {
        debug_assert!(self.file.starts_with(self.dir.path()));
        self.file.to_str().expect("a path in ASCII")
    }
}

/// A `leadctl dispatch`.
struct Dispatcher(Child);

impl Dispatcher {
    fn start(url: &str, destinations: &Destinations) -> Self {
        let mut command = Command::new(env!("CARGO_BIN_EXE_leadctl"));
        command.args(["--database-url", url, "dispatch", "--destinations", destinations.path()]);
        Self(command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("leadctl runs"))
    }
}

impl Drop for Dispatcher {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// As many leads as can be taken in, with a destination and without.
fn ingest_beside(cluster: &Cluster, seconds: Duration, rounds: usize) {
    block_on(async {
        let receiver = Receiver::default();
        let server = receiver.serve().await;
        let destinations = Destinations::of(&[("crm", server.address)]);
        let options = || vec!["--destinations".to_owned(), destinations.path().to_owned()];
        beside::measure(cluster, "a destination", seconds, rounds, options).await;
    });
}

/// From the lead's coming to its first request, at two hundred leads a second.
fn how_soon(cluster: &Cluster) {
    println!("\n| dispatched by | p50 | p95 | p99 |\n| --- | ---: | ---: | ---: |");
    block_on(async {
        for is_apart in [false, true] {
            let receiver = Receiver::default();
            let server = receiver.serve().await;
            let destinations = Destinations::of(&[("crm", server.address)]);
            let place = SERVE.place(cluster);
            let options = ["--destinations", destinations.path()];
            let service = Service::start_with(&SERVE, &place, if is_apart { &[] } else { &options });
            let _dispatcher = is_apart.then(|| Dispatcher::start(&place.url, &destinations));
            while cluster.psql(&place.url, "SELECT count(*) FROM lead_destination") != "1" {
                sleep(Duration::from_millis(20)).await;
            }
            let begun = Instant::now();
            for number in 0..2000u32 {
                sleep((begun + number * Duration::from_millis(5)).saturating_duration_since(Instant::now())).await;
                let mut sent = body();
                sent["email"] = format!("{}@example.com", Uuid::now_v7()).into();
                let answer = exchange(service.address(), &lead_request(&sent)).await;
                assert_eq!(answer.status, 201);
            }
            receiver.wait_for(2000).await;
            let mut delays = receiver.delays.lock().unwrap_or_else(PoisonError::into_inner).clone();
            delays.sort_unstable();
            let at = |share: f64| delays[((delays.len() - 1) as f64 * share) as usize].as_secs_f64() * 1000.0;
            let by = if is_apart { "another process" } else { "the same process" };
            println!("| {by} | {:.0} ms | {:.0} ms | {:.0} ms |", at(0.5), at(0.95), at(0.99));
        }
    });
}

/// Events that wait, told as quickly as they can be; and the same beside a destination that swallows its requests.
fn throughput(cluster: &Cluster, rounds: usize) {
    const EVENTS: usize = 10_000;
    println!("\n| {EVENTS} events wait | deliveries/s |\n| --- | ---: |");
    block_on(async {
        let mut rates = [Vec::new(), Vec::new()];
        for _ in 0..rounds {
            for (has_hole, rates) in [false, true].into_iter().zip(&mut rates) {
                let (receiver, hole) = (Receiver::default(), Receiver::default());
                hole.is_silent.store(true, Ordering::Relaxed);
                let (server, swallows) = (receiver.serve().await, hole.serve().await);
                let both = [("crm", server.address), ("hole", swallows.address)];
                let destinations = Destinations::of(&both[..=usize::from(has_hole)]);
                let url = cluster.database();
                let store = PgLeadStore::connect(&url).await.expect("it opens");
                store.migrate().await.expect("migrated");
                for (name, _) in &both[..=usize::from(has_hole)] {
                    store.subscribe(name).await.expect("subscribed");
                }
                insert(&store, EVENTS).await;
                for (name, _) in &both[..=usize::from(has_hole)] {
                    let wanted = Subscription { destination: (*name).to_owned(), ..Subscription::default() };
                    while store.sequence(500).await.expect("numbered") > 0 {}
                    while store.fan_out(&wanted, 500).await.expect("entered") > 0 {}
                }
                let _dispatcher = Dispatcher::start(&url, &destinations);
                receiver.wait_for(EVENTS / 10).await;
                let (started, first) = (Instant::now(), receiver.count());
                receiver.wait_for(EVENTS).await;
                rates.push((receiver.count() - first) as f64 / started.elapsed().as_secs_f64());
            }
        }
        let [alone, beside] = &mut rates;
        let (alone, beside) = (median(alone), median(beside));
        println!("| to one receiver | {alone:.0} |\n| to one, beside one that swallows requests | {beside:.0} |");
        println!("| slowed by | {:.2}x |", alone / beside);
    });
}

async fn insert(store: &PgLeadStore, leads: usize) {
    for _ in 0..leads.div_ceil(250) {
        let lead = || {
            let mut sent = body();
            sent["email"] = format!("{}@example.com", Uuid::now_v7()).into();
            NewLead::new(parse(&sent), Actor::SITE_INGEST)
        };
        let batch: Vec<_> = (0..250).map(|_| lead()).collect();
        store.insert(&batch).await.expect("inserted");
    }
}

/// A million deliveries are due while a snapshot stays open, so that nothing that was claimed can be removed. For those that
/// are delivered as many come.
fn a_million(cluster: &Cluster, seconds: Duration) {
    const DUE: usize = 1_000_000;
    const REFILL: usize = 5_000;
    let open_for = seconds * 20;
    block_on(async {
        let url = cluster.database();
        let store = PgLeadStore::connect(&url).await.expect("it opens");
        store.migrate().await.expect("migrated");
        store.subscribe("crm").await.expect("subscribed");
        let add = |before: usize, count: usize| {
            let last = before + count;
            cluster.psql(
                &url,
                &format!(
                    "INSERT INTO lead_event (sequence, audit_id, created_at_utc, type, lead_id)
                     SELECT i, gen_random_uuid(), now(), 'lead.received', gen_random_uuid()
                     FROM generate_series({before} + 1, {last}) AS i;
                     INSERT INTO lead_delivery (destination, sequence, lead_id, due_at_utc)
                     SELECT 'crm', sequence, lead_id, now() - interval '1 hour' + sequence * interval '1 ms'
                     FROM lead_event WHERE sequence > {before}"
                ),
            );
        };
        add(0, DUE);
        let mut added = DUE;
        cluster.psql(&url, "ANALYZE");
        let snapshot =
            cluster.session(&url, "BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT count(*) FROM lead_delivery;");
        let (started, mut times, mut claimed, mut after, mut walked) =
            (Instant::now(), Vec::new(), 0, None, Instant::now());
        while started.elapsed() < open_for {
            if walked.elapsed() > Duration::from_secs(30) {
                (after, walked) = (None, Instant::now());
            }
            let claim = Claim {
                destination: "crm".to_owned(),
                limit: 32,
                lease: Duration::from_secs(45),
                after,
                pause: Duration::ZERO,
            };
            let asked = Instant::now();
            let deliveries = store.claim(&claim).await.expect("claimed");
            times.push(asked.elapsed().as_secs_f64() * 1000.0);
            after = deliveries.iter().map(|delivery| delivery.place).max();
            claimed += deliveries.len();
            let settled: Vec<_> = deliveries
                .iter()
                .map(|delivery| Settlement {
                    destination: delivery.destination.clone(),
                    sequence: delivery.event.sequence,
                    claim: delivery.claim,
                    result: Settled::Delivered,
                    status: Some(204),
                })
                .collect();
            store.settle(&settled).await.expect("settled");
            if DUE + claimed >= added + REFILL {
                add(added, REFILL);
                added += REFILL;
            }
        }
        drop(snapshot);
        times.sort_by(f64::total_cmp);
        let at = |share: f64| times[((times.len() - 1) as f64 * share) as usize];
        println!(
            "\n| {DUE} due all along, a snapshot open for {open_for:?} | claims | deliveries | p50 | p99 | longest |\n\
             | --- | ---: | ---: | ---: | ---: | ---: |\n| claim of 32 | {} | {claimed} | {:.1} ms | {:.1} ms | {:.1} ms |",
            times.len(),
            at(0.5),
            at(0.99),
            at(1.0)
        );
    });
}
