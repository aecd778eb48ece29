//! The long runs: a million leads through one service, and a table that is full already.

use std::time::Duration;

use fastcore_leads::testing::postgres::Cluster;

use crate::{candidates::SERVE, load::Load, process::Service, report::median};

/// Sends leads until a million are acknowledged, and shows the memory on the way.
pub(crate) fn million(cluster: &Cluster) {
    let candidate = &SERVE;
    let place = candidate.place(cluster);
    let service = Service::start(candidate, &place);
    let mut acknowledged = 0;
    println!("| leads | memory, MiB | peak, MiB |\n| ---: | ---: | ---: |");
    while acknowledged < 1_000_000 {
        let load = Load { connections: 256, warm_up: Duration::ZERO, seconds: Duration::from_secs(8) };
        acknowledged += load.run(service.address()).acknowledged;
        println!("| {acknowledged} | {:.1} | {:.1} |", service.memory_mib(), service.peak_mib());
    }
    candidate.check(cluster, &place, acknowledged, 0);
}

/// The rate on an empty table and on one of ten million rows, alternating.
pub(crate) fn full_table(cluster: &Cluster, seconds: Duration) {
    let candidate = &SERVE;
    let (empty, full) = (candidate.place(cluster), candidate.place(cluster));
    drop(Service::start(candidate, &full));
    eprintln!("filling the table: this takes some minutes");
    cluster.psql(
        &full.url,
        "INSERT INTO lead_inbox (id, name, email, message, ip_hash, request_id, meta_json)
         SELECT gen_random_uuid(), 'Jean Dupont', 'jean@example.com', 'Mon compresseur ne démarre plus depuis hier',
                'abc123def456', gen_random_uuid(), '{\"user_agent_hash\":\"xyz789\"}'
           FROM generate_series(1, 10000000);
         INSERT INTO audit_log (id, event, actor, lead_id, request_id, status_code, details_json)
         SELECT gen_random_uuid(), 'LEAD_RECEIVED', 'site_ingest', id, request_id, 201, '{\"email\":\"jea***\"}'
           FROM lead_inbox;",
    );
    cluster.psql(&full.url, "VACUUM ANALYZE");
    cluster.psql(&full.url, "CHECKPOINT");
    let mut rates = [Vec::new(), Vec::new()];
    for _ in 0..5 {
        for (rate, place) in rates.iter_mut().zip([&empty, &full]) {
            let service = Service::start(candidate, place);
            let load = Load { connections: 256, warm_up: Duration::from_secs(1), seconds };
            rate.push(load.run(service.address()).per_second);
        }
    }
    let [empty, full] = rates.map(|mut rates| median(&mut rates));
    println!("empty table: {empty:.0}/s; ten million rows: {full:.0}/s; ratio {:.2}", full / empty);
}
