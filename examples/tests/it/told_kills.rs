//! Service, dispatchers and database are killed again and again while others are told: no event is lost, and no more come twice than
//! were under way.

#![allow(clippy::print_stdout, reason = "figures of a long run")]

use std::{
    collections::{HashMap, HashSet},
    fs,
    net::SocketAddr,
    process::{Child, Command, Stdio},
    sync::{Arc, Mutex},
    time::Instant,
};

use axum::{Router, body::Bytes, extract::State, http::StatusCode, routing::post};
use fastcore_leads::testing::{Random, TempDir, http::Server, postgres::Cluster};
use serde_json::Value;

use crate::{crash::Writers, outage::until, service::Service};

/// In the short form. `./test --kills` makes 500.
const KILLS: usize = 12;
/// Requests under way at once, of each dispatcher.
const IN_FLIGHT: usize = 4;
/// At most so many acknowledgements lie between two kills.
const INTERVAL: usize = 40;

/// What came, by id: how often it was taken, and what it said.
#[derive(Clone, Default)]
struct Receiver {
    told: Arc<Mutex<HashMap<String, (usize, Value)>>>,
    requests: Arc<Mutex<usize>>,
}

impl Receiver {
    async fn serve(&self) -> Server {
        let router = Router::new().fallback(post(receive)).with_state(self.clone());
        Server::spawn(|listener| async move { axum::serve(listener, router).await.unwrap() }).await
    }
}

async fn receive(State(receiver): State<Receiver>, headers: axum::http::HeaderMap, body: Bytes) -> StatusCode {
    let number = {
        let mut requests = receiver.requests.lock().unwrap();
        *requests += 1;
        *requests
    };
    if number % 7 == 0 {
        return StatusCode::SERVICE_UNAVAILABLE;
    }
    let id = headers["webhook-id"].to_str().unwrap().to_owned();
    let event = serde_json::from_slice(&body).unwrap();
    receiver.told.lock().unwrap().entry(id).or_insert((0, event)).0 += 1;
    StatusCode::NO_CONTENT
}

/// A `leadctl dispatch`. It is killed when dropped.
struct Dispatcher(Child);

impl Dispatcher {
    fn start(url: &str, destinations: &str) -> Self {
        let mut command = Command::new(env!("CARGO_BIN_EXE_leadctl"));
        command.args(["--database-url", url, "dispatch", "--destinations", destinations]);
        Self(command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap())
    }
}

impl Drop for Dispatcher {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn no_event_is_lost_whoever_is_killed() {
    let kills = std::env::var("KILLS").map_or(KILLS, |kills| kills.parse().unwrap());
    let mut random = Random::from_env();
    let cluster = Cluster::start(&["fsync=on"]);
    let url = cluster.database();
    let receiver = Receiver::default();
    let server = receiver.serve().await;
    let dir = TempDir::new();
    let secret = Command::new(env!("CARGO_BIN_EXE_leadctl")).arg("webhook-key").output().unwrap().stdout;
    fs::write(dir.path().join("keys"), secret).unwrap();
    let file = dir.path().join("destinations.toml");
    let retries = vec!["1"; 60].join(", ");
    fs::write(&file, destination(server.address, &retries)).unwrap();
    let destinations = file.to_str().unwrap();

    let start = |round: usize| {
        let driver = ["sqlx", "diesel"][round % 2];
        let options = ["--database-url", &url, "--driver", driver, "--destinations", destinations];
        Service::start(&options)
    };
    let mut service = start(0);
    until("the destination is known", async || cluster.psql(&url, "SELECT count(*) FROM lead_destination") == "1")
        .await;
    let mut dispatchers = [0, 1].map(|_| Dispatcher::start(&url, destinations));
    let writers = Writers::new(&[service.address]);
    let tasks = writers.start();
    let (started, mut in_flight) = (Instant::now(), 0);
    for round in 1..=kills {
        writers.wait_for(1 + random.below(INTERVAL)).await;
        match random.below(4) {
            0 => {
                service.signal("-KILL");
                service.wait();
                service = start(round);
                writers.go_to(&[service.address]);
                in_flight += IN_FLIGHT;
            }
            1 => {
                cluster.kill();
                cluster.resume();
                // Of each, what was answered just then may not have been noted.
                in_flight += IN_FLIGHT * (1 + dispatchers.len());
            }
            either => {
                dispatchers[either % 2] = Dispatcher::start(&url, destinations);
                in_flight += IN_FLIGHT;
            }
        }
    }
    let acknowledged = writers.finish(tasks).await;
    // Rows without a number, numbers that were not looked at, deliveries that are due. Some are so until the leases of those that
    // were killed are over.
    let waiting = "SELECT (SELECT count(*) FROM audit_log) - (SELECT count(*) FROM lead_event),
                          last_sequence - (SELECT min(position) FROM lead_destination),
                          (SELECT count(*) FROM lead_delivery WHERE state = 'due') FROM lead_sequencer";
    let mut left = cluster.psql(&url, waiting);
    while left != "0|0|0" {
        println!("waiting: {left}");
        until(&format!("there is less to be told than {left}"), async || cluster.psql(&url, waiting) != left).await;
        left = cluster.psql(&url, waiting);
    }

    let told = receiver.told.lock().unwrap();
    let ids: HashSet<String> = told.keys().cloned().collect();
    let audited = cluster.psql(&url, "SELECT 'evt_' || replace(id::text, '-', '') FROM audit_log");
    assert_eq!(ids, audited.lines().map(str::to_owned).collect::<HashSet<_>>());
    let leads: HashSet<&str> = told.values().map(|(_, event)| event["data"]["lead_id"].as_str().unwrap()).collect();
    assert!(acknowledged.iter().all(|id| leads.contains(id.as_str())), "each lead that was acknowledged is told");
    let twice: usize = told.values().map(|(times, _)| times - 1).sum();
    println!(
        "{kills} kills in {:?}: {} events, {twice} of them twice, {in_flight} at most were under way",
        started.elapsed(),
        told.len()
    );
    assert!(twice <= in_flight, "{twice} came twice, of {in_flight} that were under way");
    drop((service, dispatchers));
}

fn destination(address: SocketAddr, retries: &str) -> String {
    format!(
        "[[destination]]\nname = \"crm\"\nwebhook = \"http://{address}/\"\nkeys_file = \"keys\"\nin_flight = {IN_FLIGHT}\n\
         timeout_seconds = 5\nretry_seconds = [{retries}]\n"
    )
}
