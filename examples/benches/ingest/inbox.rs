//! A million leads: how a page is read, and what a purge of half of them does to the ingest beside it.

use std::{
    process::{Command, Stdio},
    time::Duration,
};

use fastcore_leads::testing::postgres::Cluster;

use crate::{candidates::SERVE, load::Load, process::Service};

/// The statements of a page, as the library runs them, with their plans and times; then the purge.
pub(crate) fn measure(cluster: &Cluster, seconds: Duration) {
    let candidate = &SERVE;
    let place = candidate.place(cluster);
    let service = Service::start(candidate, &place);
    eprintln!("filling the table: this takes a minute");
    cluster.psql(
        &place.url,
        "INSERT INTO lead_inbox (id, created_at_utc, name, email, message, ip_hash, request_id, status)
         SELECT gen_random_uuid(), now() - CASE WHEN i % 2 = 0 THEN interval '4 years' ELSE interval '1 year' END
                    + i * interval '1 second',
                'Jean Dupont', 'jean' || i || '@example.com', 'Mon compresseur ne démarre plus depuis hier',
                'abc123def456', gen_random_uuid(),
                (ARRAY['received', 'processing', 'resolved', 'archived'])[1 + (i / 2) % 4]
           FROM generate_series(1, 1000000) AS i;
         INSERT INTO audit_log (id, created_at_utc, event, actor, lead_id, request_id, status_code, details_json)
         SELECT gen_random_uuid(), created_at_utc, 'LEAD_RECEIVED', 'site_ingest', id, request_id, 201, '{}'
           FROM lead_inbox",
    );
    cluster.psql(&place.url, "VACUUM ANALYZE");
    cluster.psql(&place.url, "CHECKPOINT");
    show_plans(cluster, &place.url);

    let load = || Load { connections: 16, warm_up: Duration::from_secs(1), seconds }.run(service.address());
    let usual = load();
    let mut purge = Command::new(env!("CARGO_BIN_EXE_leadctl"))
        .args(["--database-url", &place.url, "purge", "--execute", "--yes"])
        .stdout(Stdio::piped())
        .spawn()
        .expect("leadctl starts");
    let mut during = Vec::new();
    while purge.try_wait().expect("leadctl runs").is_none() {
        during.push(load());
    }
    let output = purge.wait_with_output().expect("it ended");
    assert!(output.status.success());
    println!("\npurge: {}", String::from_utf8_lossy(&output.stdout).trim());
    during.sort_by_key(|result| result.p99);
    let meanwhile = &during[during.len() / 2];
    println!(
        "ingest at 16 connections: {:.0}/s, p99 {:.2?}; during the purge (median of {} runs): {:.0}/s, p99 {:.2?}, ratio {:.2}",
        usual.per_second,
        usual.p99,
        during.len(),
        meanwhile.per_second,
        meanwhile.p99,
        meanwhile.p99.as_secs_f64() / usual.p99.as_secs_f64()
    );
}

fn show_plans(cluster: &Cluster, url: &str) {
    use fastcore_leads::{
        LeadFilter, LeadStatus,
        inbox::{Cursor, Due, Unless},
        sql::inbox::Dialect,
        testing::databases::postgres::explain,
    };

    let middle = cluster.psql(
        url,
        "SELECT (extract(epoch FROM created_at_utc) * 1000000)::bigint || '_' || replace(id::text, '-', '')
           FROM lead_inbox ORDER BY created_at_utc DESC OFFSET 300000 LIMIT 1",
    );
    let cursor: Cursor = middle.parse().expect("a cursor");
    let resolved = LeadFilter { statuses: vec![LeadStatus::Resolved], ..Default::default() };
    let oldest: Cursor = cluster
        .psql(
            url,
            "SELECT (extract(epoch FROM created_at_utc) * 1000000)::bigint || '_' || replace(id::text, '-', '')
               FROM lead_inbox WHERE status = 'received' ORDER BY created_at_utc, id OFFSET 99 LIMIT 1",
        )
        .parse()
        .expect("a cursor");
    let before = oldest.created_at + chrono::TimeDelta::days(300);
    let due = Due {
        status: Some(LeadStatus::Received),
        before,
        unless: Unless::Contact,
        after: None,
        until: Some(oldest),
        limit: 100,
    };
    let asked = [
        ("the first page", Dialect::Postgres.page(&LeadFilter::default(), None, 50)),
        ("a page behind 300,000 leads", Dialect::Postgres.page(&LeadFilter::default(), Some(cursor), 50)),
        ("a page of one status", Dialect::Postgres.page(&resolved, Some(cursor), 50)),
        ("an address", Dialect::Postgres.find_by_email("jean77777@example.com", 100)),
        ("what is due for a purge", Dialect::Postgres.due(&due)),
        ("counts by status", Dialect::Postgres.counts()),
    ];
    for (what, statement) in asked {
        let plan = cluster.psql(url, &explain(&statement, "ANALYZE, COSTS OFF, TIMING OFF, SUMMARY ON"));
        println!("### {what}\n\n```\n{plan}\n```\n");
    }
}
