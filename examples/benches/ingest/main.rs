//! How many leads a second, side by side in one run: `cargo bench -p fastcore-leads-examples --bench ingest`.
//!
//! Starts a throw-away PostgreSQL with fsync on, and each service as a process of its own; sends leads over real HTTP
//! connections from this process; checks afterwards that there is a row for each acknowledged lead. Rounds alternate between
//! the candidates; the table shows medians.
//!
//! `-- --seconds 3 --rounds 3 --connections 1,16,64,256 --only NAME,NAME --generators own,wrk` change what is run, `--server NAME=VALUE,NAME=VALUE` what PostgreSQL is started with, `--older PATH` has another
//! build of `serve` beside this one; `-- --million` sends a million
//! leads through one service and watches its memory; `-- --full-table` compares an empty table with one of ten million rows; `-- --direct` measures
//! `Ingest::ingest_many`; `-- --overload` how quickly a full queue refuses; `-- --import`
//! `leadctl import`; `-- --telling` what telling others costs, and how soon they hear; `-- --spool` a hundred thousand leads that wait on the site's disk; `-- --inbox` pages of a million leads, and a purge of half of them;
//! `-- --millions 1,10,30` tables of so many million leads: ingest, pages, erasures, purge, vacuum, size;
//! `-- --staff` a million leads over HTTP, and twenty people who work beside the ingest; `-- --cluster` three servers under Patroni beside one,
//! and two services beside one; `-- --proof` what sealing the audit log costs, and how quickly a million rows are sealed and gone through
//! (`--rows N` for another number; `--seconds 0` for that alone).

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::print_stdout, clippy::print_stderr, missing_docs)]
#![allow(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "figures for people"
)]

mod beside;
mod candidates;
mod cluster;
mod direct;
mod handwritten;
mod idle;
mod import;
mod inbox;
mod load;
mod long;
mod millions;
mod overload;
mod pgbench;
mod process;
mod proof;
mod report;
mod spool;
mod staff;
mod telling;
mod wrk;

use std::{collections::BTreeMap, time::Duration};

use fastcore_leads::testing::postgres::Cluster;

use self::{
    candidates::{CANDIDATES, Candidate},
    load::{Generator, Load},
    process::{Service, cpu_of_server},
    report::{Cell, Report},
};

/// How the run is cut.
struct Plan {
    seconds: Duration,
    rounds: usize,
    connections: Vec<usize>,
    only: Vec<String>,
    /// Another build of `serve`, to run beside this one.
    older: Option<String>,
    generators: Vec<Generator>,
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
        older: value("--older"),
        generators: list("--generators", "own,wrk")
            .iter()
            .map(|name| match name.as_str() {
                "own" => Generator::Own,
                "wrk" => Generator::Wrk,
                other => panic!("no such generator: {other}"),
            })
            .collect(),
    };
    let mut settings = vec!["fsync=on", "shared_buffers=512MB", "max_wal_size=4GB", "max_connections=300"];
    let further = list("--server", "");
    settings.extend(further.iter().map(String::as_str));
    let cluster = Cluster::start(&settings);
    if arguments.iter().any(|argument| argument == "--million") {
        return long::million(&cluster);
    }
    if arguments.iter().any(|argument| argument == "--full-table") {
        return long::full_table(&cluster, plan.seconds);
    }
    if arguments.iter().any(|argument| argument == "--millions") {
        let sizes = list("--millions", "")
            .iter()
            .map(|text| text.parse::<u64>().expect("millions") * 1_000_000)
            .collect::<Vec<_>>();
        return millions::measure(&cluster, plan.seconds, plan.rounds, &sizes);
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
    if arguments.iter().any(|argument| argument == "--proof") {
        let rows = value("--rows").map_or(1_000_000, |text| text.parse().expect("a number"));
        return proof::measure(&cluster, plan.seconds, plan.rounds, rows);
    }
    if arguments.iter().any(|argument| argument == "--cluster") {
        return cluster::measure(&cluster, plan.seconds, plan.rounds);
    }
    if arguments.iter().any(|argument| argument == "--overload") {
        return overload::measure(&cluster);
    }
    print!("{}", run(&cluster, &plan));
}

fn run(cluster: &Cluster, plan: &Plan) -> Report {
    let is_chosen = |name: &str| plan.only.is_empty() || plan.only.iter().any(|only| only == name);
    let chosen: Vec<Candidate> = CANDIDATES
        .iter()
        .filter(|candidate| is_chosen(candidate.name))
        .flat_map(|candidate| [Some(*candidate), plan.older.as_deref().and_then(|serve| candidate.of_older(serve))])
        .flatten()
        .collect();
    let places: Vec<_> = chosen.iter().map(|candidate| candidate.place(cluster)).collect();
    let mut acknowledged = vec![0; chosen.len()];
    // wrk does not tell what became of the requests that are under way when it ends.
    let mut unknown = vec![0; chosen.len()];
    let mut cells: BTreeMap<(Generator, usize, usize), Vec<Cell>> = BTreeMap::new();
    let mut pgbench = Vec::new();
    for round in 0..plan.rounds {
        for (c, &connections) in plan.connections.iter().enumerate() {
            let pairs = chosen.iter().enumerate().flat_map(|pair| plan.generators.iter().map(move |by| (pair, *by)));
            for ((i, candidate), generator) in pairs {
                let service = Service::start(candidate, &places[i]);
                let load = Load { connections, warm_up: Duration::from_millis(500), seconds: plan.seconds };
                let before = (service.cpu(), cpu_of_server(cluster));
                let result = generator.run(&load, service.address());
                let per_thousand = 1000.0 / result.acknowledged as f64;
                let cell = Cell {
                    leads_per_second: result.per_second,
                    p50: result.p50,
                    p99: result.p99,
                    cpu_per_thousand: (service.cpu() - before.0) * per_thousand,
                    server_cpu_per_thousand: (cpu_of_server(cluster) - before.1) * per_thousand,
                    peak_mib: service.peak_mib(),
                };
                acknowledged[i] += result.acknowledged;
                if generator == Generator::Wrk {
                    unknown[i] += connections as u64;
                }
                let (by, rate) = (generator.name(), cell.leads_per_second);
                eprintln!("round {}: {} at {connections}, {by}: {rate:.0}/s", round + 1, candidate.name);
                cells.entry((generator, i, c)).or_default().push(cell);
            }
        }
        if plan.only.is_empty() {
            pgbench.push(pgbench::best(cluster, plan.seconds));
        }
    }
    for (i, candidate) in chosen.iter().enumerate() {
        candidate.check(cluster, &places[i], acknowledged[i], unknown[i]);
    }
    let idle = plan.only.is_empty().then(|| idle::measure(cluster, plan.seconds));
    let names = chosen.iter().map(|candidate| candidate.name).collect();
    Report::new(names, plan.connections.clone(), plan.generators.clone(), cells, pgbench, idle)
}
