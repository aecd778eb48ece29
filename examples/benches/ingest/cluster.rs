//! What a cluster costs, and what a second service brings: one server, and three under Patroni, of which a standby has each lead
//! before it is acknowledged. All of it on this machine's cores.

use std::{thread, time::Duration};

use fastcore_leads::testing::{cluster::PatroniCluster, postgres::Cluster};

use crate::{
    candidates::{Place, SERVE},
    load::{Load, Result},
    process::Service,
    report::median,
};

const CONNECTIONS: [usize; 2] = [16, 256];
const DATABASE: &str = "leads";

/// Where leads go, and through how many services.
struct Way {
    name: &'static str,
    place: Place,
    services: usize,
    acknowledged: u64,
}

pub(crate) fn measure(single: &Cluster, seconds: Duration, rounds: usize) {
    let cluster = PatroniCluster::start();
    cluster.wait_for_leader().psql("postgres", &format!("CREATE DATABASE {DATABASE}"));
    let ports: Vec<u16> = cluster.nodes().iter().map(|node| node.ports().postgres).collect();
    let way = |name, url, services| Way { name, place: Place::at(url), services, acknowledged: 0 };
    let mut ways = [
        way("one server", single.database(), 1),
        way("one server, two services", single.database(), 2),
        way("three, by HAProxy", cluster.url(DATABASE), 1),
        way("three, by their names", cluster.url_at(DATABASE, &ports), 1),
        way("three, two services", cluster.url(DATABASE), 2),
    ];
    println!("| connections | | leads/s | p50 | p99 | ratio |\n| ---: | --- | ---: | ---: | ---: | ---: |");
    for connections in CONNECTIONS {
        let mut rates = vec![Vec::new(); ways.len()];
        let mut times = vec![(Vec::new(), Vec::new()); ways.len()];
        for _ in 0..rounds {
            for (number, way) in ways.iter_mut().enumerate() {
                let results = run(way, connections, seconds);
                way.acknowledged += results.iter().map(|result| result.acknowledged).sum::<u64>();
                rates[number].push(results.iter().map(|result| result.per_second).sum());
                let slowest = |of: fn(&Result) -> Duration| results.iter().map(of).max().unwrap_or_default();
                times[number].0.push(slowest(|result| result.p50).as_secs_f64() * 1e3);
                times[number].1.push(slowest(|result| result.p99).as_secs_f64() * 1e3);
            }
        }
        let one = median(&mut rates[0].clone());
        for (number, way) in ways.iter().enumerate() {
            let (rate, p50, p99) =
                (median(&mut rates[number]), median(&mut times[number].0), median(&mut times[number].1));
            println!("| {connections} | {} | {rate:.0} | {p50:.2} ms | {p99:.2} ms | {:.2} |", way.name, rate / one);
        }
    }
    for way in &ways[..2] {
        SERVE.check(single, &way.place, way.acknowledged, 0);
    }
    let acknowledged: u64 = ways[2..].iter().map(|way| way.acknowledged).sum();
    let counts = "SELECT (SELECT count(*) FROM lead_inbox) || '|' || (SELECT count(*) FROM audit_log)";
    let stored = cluster.wait_for_leader().psql(DATABASE, counts);
    assert_eq!(stored, format!("{acknowledged}|{acknowledged}"), "rows, and acknowledged leads");
}

/// The same number of connections, however many services they are shared among.
fn run(way: &Way, connections: usize, seconds: Duration) -> Vec<Result> {
    let services: Vec<Service> = (0..way.services).map(|_| Service::start(&SERVE, &way.place)).collect();
    let load = Load { connections: connections / way.services, warm_up: Duration::from_secs(1), seconds };
    thread::scope(|scope| {
        let runs: Vec<_> = services.iter().map(|service| scope.spawn(|| load.run(service.address()))).collect();
        runs.into_iter().map(|run| run.join().expect("it ends")).collect()
    })
}
