//! Two services on three PostgreSQL servers under Patroni, one of which leads: whatever becomes of it, what was acknowledged is
//! there, once. `./test --cluster` makes many more faults of more kinds.

#![allow(clippy::print_stdout, reason = "figures of a long run")]

use std::{
    collections::HashSet,
    sync::Arc,
    time::{Duration, Instant},
};

use fastcore_leads::testing::{
    body,
    cluster::{Node, PatroniCluster},
    http::{exchange, lead_request},
    proxy::{Fault as NetworkFault, Proxy},
};
use tokio::time::sleep;

use crate::{
    crash::{Writers, check},
    outage::until,
    sealed::Seals,
    service::{Service, get},
};

/// In the short form: three fail-overs, and once no standby that is left. `./test --cluster` makes 105, of which 45 are fail-overs.
const FAULTS: usize = 4;
/// A fault comes once so many leads were taken in behind the one before.
const BETWEEN: usize = 200;
const DATABASE: &str = "fastcore";
const DRIVERS: [&str; 2] = ["sqlx", "diesel"];

/// What becomes of a cluster.
#[derive(Clone, Copy, Debug)]
enum Fault {
    /// The machine that leads loses its power.
    LeaderKilled,
    /// Work is to be done on it.
    SwitchedOver,
    /// It hangs, and is fenced: it never comes back as it was.
    LeaderFrozen,
    /// Nobody is left that commits could wait for.
    StandbysKilled,
    /// The machine that commits wait for loses its power.
    StandbyKilled,
    /// Nobody knows who leads.
    EtcdAway,
    /// Bytes vanish between one of the services and all servers.
    NetworkAway,
}

const KINDS: [Fault; 7] = [
    Fault::LeaderKilled,
    Fault::SwitchedOver,
    Fault::LeaderFrozen,
    Fault::StandbysKilled,
    Fault::StandbyKilled,
    Fault::EtcdAway,
    Fault::NetworkAway,
];

/// What the test runs: one service goes by HAProxy, the other one knows all hosts, by way of a network that may fail.
struct World {
    cluster: Arc<PatroniCluster>,
    network: Vec<Proxy>,
    /// Both seal its log.
    seals: Seals,
}

impl World {
    async fn start() -> Self {
        let cluster = on_a_thread(PatroniCluster::start).await;
        let mut network = Vec::new();
        for node in cluster.nodes() {
            network.push(Proxy::before(node.ports().postgres).await);
        }
        let cluster = on_a_thread(move || {
            cluster.wait_for_leader().psql("postgres", &format!("CREATE DATABASE {DATABASE}"));
            cluster
        })
        .await;
        Self { cluster: Arc::new(cluster), network, seals: Seals::new() }
    }

    /// Both services, each with a driver of its own.
    fn services(&self, drivers: [&str; 2]) -> [Service; 2] {
        let ports: Vec<u16> = self.network.iter().map(Proxy::port).collect();
        let urls = [self.cluster.url(DATABASE), self.cluster.url_at(DATABASE, &ports)];
        [0, 1].map(|i| {
            let seals = self.seals.options(i);
            let seals: Vec<&str> = seals.iter().map(String::as_str).collect();
            let options = ["--database-url", &urls[i], "--driver", drivers[i]];
            Service::start_again_and_again(&[&options, &seals[..]].concat())
        })
    }

    /// Does something to the cluster that takes its time.
    async fn with<T: Send + 'static>(&self, act: impl FnOnce(&PatroniCluster) -> T + Send + 'static) -> T {
        let cluster = Arc::clone(&self.cluster);
        on_a_thread(move || act(&cluster)).await
    }

    /// Commits wait, for as long as it takes: no lead is acknowledged, nor a replay of one that was acknowledged before.
    async fn without_standbys(&self, seconds: u64, writers: &Writers) {
        let request = lead_request(&body());
        let address = writers.address();
        let first = exchange(address, &request).await;
        assert_eq!(first.status, 201);
        let names = self
            .with(|cluster| {
                let leader = cluster.wait_until_whole().name();
                let standbys = cluster.nodes().iter().filter(|node| node.name() != leader);
                standbys.map(|node| done(node, Node::kill)).collect::<Vec<_>>()
            })
            .await;
        // What was answered just then is over with the first refusals.
        let acknowledged = writers.wait_for_refusals(8).await;
        let end = Instant::now() + Duration::from_secs(seconds);
        while Instant::now() < end {
            assert_eq!(exchange(address, &request).await.status, 503, "a replay is on one machine only");
            assert_eq!(writers.wait_for_refusals(8).await, acknowledged, "leads are on one machine only");
        }
        self.with(move |cluster| names.iter().for_each(|name| node(cluster, name).start())).await;
        writers.wait_for(BETWEEN).await;
        let again = exchange(address, &request).await;
        assert_eq!((again.status, again.json()["leadId"].clone()), (201, first.json()["leadId"].clone()));
    }

    /// Lets it happen, waits until leads are taken in again, and has all as it was.
    async fn suffer(&self, fault: Fault, seconds: u64, writers: &Writers) {
        match fault {
            Fault::LeaderKilled => {
                let name = self.with(|cluster| done(cluster.wait_for_leader(), Node::kill)).await;
                writers.wait_for(BETWEEN).await;
                self.with(move |cluster| node(cluster, &name).start()).await;
            }
            Fault::SwitchedOver => {
                switched_over(self).await;
                writers.wait_for(BETWEEN).await;
            }
            Fault::LeaderFrozen => {
                let name = self.with(|cluster| done(cluster.wait_for_leader(), Node::freeze)).await;
                writers.wait_for(BETWEEN).await;
                self.with(move |cluster| {
                    node(cluster, &name).kill();
                    node(cluster, &name).start();
                })
                .await;
            }
            Fault::StandbysKilled => self.without_standbys(seconds, writers).await,
            Fault::StandbyKilled => {
                let name = self.with(|cluster| done(cluster.standby_that_is_waited_for(), Node::kill)).await;
                writers.wait_for(BETWEEN).await;
                self.with(move |cluster| node(cluster, &name).start()).await;
            }
            Fault::EtcdAway => {
                self.with(PatroniCluster::freeze_etcd).await;
                sleep(Duration::from_secs(seconds)).await;
                writers.wait_for(BETWEEN).await;
                self.with(PatroniCluster::thaw_etcd).await;
            }
            Fault::NetworkAway => {
                self.network.iter().for_each(|proxy| proxy.set(NetworkFault::Swallow));
                sleep(Duration::from_secs(seconds / 2)).await;
                writers.wait_for(BETWEEN).await;
                self.network.iter().for_each(|proxy| proxy.set(NetworkFault::None));
            }
        }
        self.with(whole).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn fail_overs_lose_and_double_nothing() {
    let set = |name: &str, otherwise: usize| std::env::var(name).map_or(otherwise, |value| value.parse().unwrap());
    let (faults, thaws) = (set("FAULTS", FAULTS), set("THAWS", 0));
    let seconds = set("FAULT_SECONDS", 5) as u64;
    let only = std::env::var("FAULT").ok();
    let kinds: Vec<Fault> =
        KINDS.into_iter().filter(|kind| only.as_ref().is_none_or(|only| format!("{kind:?}") == *only)).collect();
    assert!(!kinds.is_empty(), "FAULT is none of {KINDS:?}");
    let world = World::start().await;
    let mut services = world.services(DRIVERS);
    let outage = Duration::from_secs(seconds);
    let writers = Writers::for_outages(&services.each_ref().map(|service| service.address), outage);
    let tasks = writers.start();
    for number in 0..faults {
        writers.wait_for(BETWEEN).await;
        let kind = kinds[number % kinds.len()];
        writers.longest_silence();
        let started = Instant::now();
        world.suffer(kind, seconds, &writers).await;
        println!("{kind:?}: silent for {:.1?}, whole after {:.1?}", writers.longest_silence(), started.elapsed());
        for service in &services {
            until("each service is ready again", async || readiness(service).await == 200).await;
        }
        // The other driver takes the other way, while leads come.
        let others = world.services([DRIVERS[(number + 1) % 2], DRIVERS[number % 2]]);
        writers.go_to(&others.each_ref().map(|service| service.address));
        for service in &services {
            service.signal("-TERM");
        }
        for service in &mut services {
            assert!(service.wait().success(), "{}", service.logs());
        }
        services = others;
    }
    writers.wait_for(BETWEEN).await;
    let acknowledged = writers.finish(tasks).await;
    println!("{} leads acknowledged, {}", acknowledged.len(), world.cluster.described());
    world.seals.verify(&world.cluster.url(DATABASE));
    world.with(move |cluster| check(|sql| cluster.wait_for_leader().psql(DATABASE, sql), &acknowledged)).await;
    report_what_thaws_lose(&world, thaws).await;
}

/// Not asserted but reported: what a leader that hung, and goes on when another one leads, has acknowledged meanwhile and nobody else has.
/// Patroni's watchdog is there for that, which this machine has not.
async fn report_what_thaws_lose(world: &World, thaws: usize) {
    for _ in 0..thaws {
        let services = world.services(DRIVERS);
        let writers = Writers::new(&services.each_ref().map(|service| service.address));
        let tasks = writers.start();
        writers.wait_for(BETWEEN).await;
        let name = world.with(|cluster| done(cluster.wait_until_whole(), Node::freeze)).await;
        writers.wait_for(BETWEEN).await;
        world.with(move |cluster| node(cluster, &name).thaw()).await;
        writers.wait_for(BETWEEN).await;
        world.with(whole).await;
        let acknowledged = writers.finish(tasks).await;
        let stored = world.with(|cluster| cluster.wait_for_leader().psql(DATABASE, "SELECT id FROM lead_inbox")).await;
        let stored: HashSet<&str> = stored.lines().collect();
        let lost = acknowledged.iter().filter(|id| !stored.contains(id.as_str())).count();
        println!("a leader thawed: {lost} of {} acknowledged leads lost", acknowledged.len());
    }
}

/// Services that know one server only, which leads no more once another one does: they say that they take no leads.
async fn switched_over(world: &World) {
    let url = world.with(|cluster| cluster.wait_until_whole().url(DATABASE)).await;
    let services = DRIVERS.map(|driver| Service::start_again_and_again(&["--database-url", &url, "--driver", driver]));
    for service in &services {
        assert_eq!(readiness(service).await, 200);
    }
    world.with(|cluster| done(cluster.switch_over(), |_| ())).await;
    let started = Instant::now();
    let says_so = async |service: &Service, driver| {
        until("a service without a leader is not ready", async || readiness(service).await != 200).await;
        println!("{driver}: not ready {:.1?} after another server led", started.elapsed());
    };
    tokio::join!(says_so(&services[0], DRIVERS[0]), says_so(&services[1], DRIVERS[1]));
    world.with(whole).await;
    for service in &services {
        assert_eq!(readiness(service).await, 503, "a standby takes no leads");
    }
}

async fn readiness(service: &Service) -> u16 {
    exchange(service.address, &get("/readyz")).await.status
}

/// Does something to a node; answers its name.
fn done(node: &Node, act: impl FnOnce(&Node)) -> String {
    act(node);
    node.name().to_owned()
}

/// What waits for processes keeps no other task waiting.
async fn on_a_thread<T: Send + 'static>(act: impl FnOnce() -> T + Send + 'static) -> T {
    tokio::task::spawn_blocking(act).await.unwrap()
}

fn whole(cluster: &PatroniCluster) {
    cluster.wait_until_whole();
}

fn node<'c>(cluster: &'c PatroniCluster, name: &str) -> &'c Node {
    cluster.nodes().iter().find(|node| node.name() == name).unwrap()
}
