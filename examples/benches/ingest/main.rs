//! How many leads a second, side by side in one run: `cargo bench -p fastcore-leads-examples --bench ingest`.
//!
//! Starts a throw-away PostgreSQL with fsync on, and each service as a process of its own; sends leads over real HTTP
//! connections from this process; checks afterwards that there is a row for each acknowledged lead. Rounds alternate between
//! the candidates; the table shows medians.
//!
//! `-- --seconds 3 --rounds 3 --connections 1,16,64,256 --only NAME,NAME` change what is run; `-- --million` sends a million
//! leads through one service and watches its memory; `-- --full-table` compares an empty table with one of ten million rows; `-- --direct` measures
//! `Ingest::ingest_many`; `-- --overload` how quickly a full queue refuses; `-- --import`
//! `leadctl import`; `-- --telling` what telling others costs, and how soon they hear; `-- --spool` a hundred thousand leads that wait on the site's disk; `-- --inbox` pages of a million leads, and a purge of half of them;
//! `-- --staff` a million leads over HTTP, and twenty people who work beside the ingest.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::print_stdout, clippy::print_stderr, missing_docs)]
#![allow(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "figures for people"
)]

mod candidates;
mod direct;
mod handwritten;
mod idle;
mod import;
mod inbox;
mod load;
mod long;
mod overload;
mod pgbench;
mod process;
mod report;
mod spool;
mod staff;
mod telling;

use std::{collections::BTreeMap, time::Duration};

use fastcore_leads::testing::postgres::Cluster;

use self::{
    candidates::{CANDIDATES, Candidate},
    load::Load,
    process::Service,
    report::{Cell, Report},
};

/// How the run is cut.
struct Plan {
    seconds: Duration,
    rounds: usize,
    connections: Vec<usize>,
    only: Vec<String>,
}

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).filter(|argument| argument != "--bench").collect();
    if let Some(role) = arguments.first().and_then(|argument| argument.strip_prefix("--serve=")) {
        return candidates::serve_as(role, &arguments[1]);
    }
    let value = |name: &str| arguments.iter().position(|argument| argument == name).map(|i| arguments[i + 1].clone());
    let list = |name: &str, default: &str| -> Vec<String> {
        value(name)
            .unwrap_or_else(|| default.to_owned())
            .split(',')
            .filter(|s| !s.is_empty())
            .map(str::to_owned)
            .collect()
    };
    let plan = Plan {
        seconds: Duration::from_secs(value("--seconds").map_or(3, |text| text.parse().expect("a number"))),
        rounds: value("--rounds").map_or(3, |text| text.parse().expect("a number")),
        connections: list("--connections", "1,16,64,256").iter().map(|text| text.parse().expect("numbers")).collect(),
        only: list("--only", ""),
    };
    let cluster = Cluster::start(&["fsync=on", "shared_buffers=512MB", "max_wal_size=4GB", "max_connections=300"]);
    if arguments.iter().any(|argument| argument == "--million") {
        return long::million(&cluster);
    }
    if arguments.iter().any(|argument| argument == "--full-table") {
        return long::full_table(&cluster, plan.seconds);
    }
    if arguments.iter().any(|argument| argument == "--direct") {
        return direct::measure(&cluster);
    }
    if arguments.iter().any(|argument| argument == "--import") {
        return import::measure(&cluster);
    }
    if arguments.iter().any(|argument| argument == "--inbox") {
        return inbox::measure(&cluster, plan.seconds);
    }
    if arguments.iter().any(|argument| argument == "--staff") {
        return staff::measure(&cluster, plan.seconds, plan.rounds);
    }
    if arguments.iter().any(|argument| argument == "--spool") {
        return spool::measure(&cluster);
    }
    if arguments.iter().any(|argument| argument == "--telling") {
        return telling::measure(&cluster, plan.seconds, plan.rounds);
    }
    if arguments.iter().any(|argument| argument == "--overload") {
        return overload::measure(&cluster);
    }
    print!("{}", run(&cluster, &plan));
}

fn run(cluster: &Cluster, plan: &Plan) -> Report {
    let chosen: Vec<&Candidate> = CANDIDATES
        .iter()
        .filter(|candidate| plan.only.is_empty() || plan.only.iter().any(|name| name == candidate.name))
        .collect();
    let places: Vec<_> = chosen.iter().map(|candidate| candidate.place(cluster)).collect();
    let mut acknowledged = vec![0; chosen.len()];
    let mut cells: BTreeMap<(usize, usize), Vec<Cell>> = BTreeMap::new();
    let mut pgbench = Vec::new();
    for round in 0..plan.rounds {
        for (c, &connections) in plan.connections.iter().enumerate() {
            for (i, candidate) in chosen.iter().enumerate() {
                let service = Service::start(candidate, &places[i]);
                let load = Load { connections, warm_up: Duration::from_millis(500), seconds: plan.seconds };
                let before = service.cpu();
                let result = load.run(service.address());
                let cell = Cell {
                    leads_per_second: result.per_second,
                    p50: result.p50,
                    p99: result.p99,
                    cpu_per_thousand: (service.cpu() - before) / result.acknowledged as f64 * 1000.0,
                    peak_mib: service.peak_mib(),
                };
                acknowledged[i] += result.acknowledged;
                eprintln!("round {}: {} at {connections}: {:.0}/s", round + 1, candidate.name, cell.leads_per_second);
                cells.entry((i, c)).or_default().push(cell);
            }
        }
        if plan.only.is_empty() {
            pgbench.push(pgbench::best(cluster, plan.seconds));
        }
    }
    for (i, candidate) in chosen.iter().enumerate() {
        candidate.check(cluster, &places[i], acknowledged[i]);
    }
    let idle = plan.only.is_empty().then(|| idle::measure(cluster, plan.seconds));
    Report::new(chosen.iter().map(|candidate| candidate.name).collect(), plan.connections.clone(), cells, pgbench, idle)
}
