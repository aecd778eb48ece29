//! Tables that grow for years: the ingest, pages, erasures, a purge and a vacuum at each of several sizes.

use std::time::{Duration, Instant};

use fastcore_leads::{
    Actor, LeadFilter, LeadInbox, LeadStatus, StoreError,
    inbox::{Cursor, InboxExt, Retention, Target},
    testing::postgres::Cluster,
};
use fastcore_leads_store_sqlx::PgLeadStore;

use crate::{
    candidates::{SERVE, block_on},
    load::Load,
    process::Service,
    report::median,
};

/// Leads that a purge finds.
const DUE: u64 = 20_000;
/// One lead in so many is from a small site: in each status.
const OF_SMALL_SITE: u64 = 10_007;
/// What stands beside the leads' own bytes on the disk while a table is filled: the log of writes.
const BYTES_PER_LEAD: u64 = 1200;

pub(crate) fn measure(cluster: &Cluster, seconds: Duration, rounds: usize, sizes: &[u64]) {
    println!(
        "| leads | GiB, bytes a lead | ingest at 64, leads/s (of an empty table, ratio) | first page, p50 / p99 | page in the middle | \
         one status | an address | a site with one lead in {OF_SMALL_SITE} | counts by status | an erasure, p50 / p99 | purge, leads/s | vacuum |\n\
         | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: |"
    );
    let candidate = &SERVE;
    let empty = candidate.place(cluster);
    for &leads in sizes {
        let free = free_bytes(cluster);
        if free < leads * BYTES_PER_LEAD {
            println!("| {leads} | the disk has {} GiB free: not enough | | | | | | | | | | |", free >> 30);
            continue;
        }
        let full = candidate.place(cluster);
        drop(Service::start(candidate, &full));
        let begun = Instant::now();
        fill(cluster, &full.url, leads);
        eprintln!("{leads} leads filled in {:.0?}", begun.elapsed());
        let bytes: u64 = cluster.psql(&full.url, "SELECT pg_database_size(current_database())").parse().expect("bytes");
        let (mut without, mut with) = (Vec::new(), Vec::new());
        for _ in 0..rounds {
            for (rates, place) in [(&mut without, &empty), (&mut with, &full)] {
                let service = Service::start(candidate, place);
                let load = Load { connections: 64, warm_up: Duration::from_secs(1), seconds };
                rates.push(load.run(service.address()).per_second);
            }
        }
        let (without, with) = (median(&mut without), median(&mut with));
        let read = block_on(read(&full.url, leads));
        let purged = block_on(purge(&full.url));
        let begun = Instant::now();
        cluster.psql(&full.url, "VACUUM (ANALYZE)");
        println!(
            "| {leads} | {:.1}, {} | {with:.0} ({without:.0}, {:.2}) | {} | {purged:.0} | {:.0?} |",
            bytes as f64 / f64::from(1 << 30),
            bytes / leads,
            with / without,
            read.join(" | "),
            begun.elapsed()
        );
        // The disk has room for one of them at a time.
        let name = full.url.rsplit('/').next().expect("a name");
        cluster.psql("postgres", &format!("DROP DATABASE {name} WITH (FORCE)"));
    }
}

/// What the disk has free on which the server's files are.
fn free_bytes(cluster: &Cluster) -> u64 {
    let output = std::process::Command::new("df")
        .args(["--output=avail", "--block-size=1"])
        .arg(cluster.psql(&cluster.database(), "SHOW data_directory"))
        .output()
        .expect("df runs");
    let text = String::from_utf8_lossy(&output.stdout);
    text.lines().last().and_then(|line| line.trim().parse().ok()).expect("bytes")
}

/// Leads of two years, and some that a purge finds; all of them numbered. Indexes are built at the end.
fn fill(cluster: &Cluster, url: &str, leads: u64) {
    let of_tables = "indrelid IN ('lead_inbox'::regclass, 'audit_log'::regclass, 'lead_event'::regclass)";
    cluster.psql(url, &format!("UPDATE pg_index SET indisready = false, indisvalid = false WHERE {of_tables}"));
    // By its time, as the library's.
    let id =
        "(lpad(to_hex((extract(epoch FROM at) * 1000)::bigint), 12, '0') || '7' || substr(md5(random()::text), 1, 3)
               || '8' || substr(md5(random()::text), 1, 15))::uuid";
    for begun in (0..leads).step_by(1_000_000) {
        let end = leads.min(begun + 1_000_000);
        cluster.psql(
            url,
            &format!(
                "INSERT INTO lead_inbox (id, created_at_utc, name, email, phone, company, service, message, source, ip_hash, request_id, meta_json, status)
                 SELECT {id}, at, 'Jean Dupont', 'jean' || i || '@example.com', '+33612345678', 'Dupont SA', 'ponts',
                        'Mon pont elevateur ne monte plus depuis hier, pouvez-vous passer voir cette semaine ?',
                        CASE WHEN i % {OF_SMALL_SITE} = 0 THEN 'small.example' ELSE 'example.com' END, 'abc123def456',
                        gen_random_uuid(), '{{\"user_agent_hash\":\"xyz789\"}}',
                        (ARRAY['received', 'processing', 'resolved', 'archived'])[1 + i % 4]
                   FROM (SELECT i, now() - CASE WHEN i < {DUE} THEN interval '4 years' ELSE interval '2 years' END
                                + i * interval '2 years' / {leads} AS at
                           FROM generate_series({begun}, {end} - 1) AS i) AS new"
            ),
        );
    }
    let audit_id = id.replace("at)", "created_at_utc)");
    for statement in [
        format!(
            "INSERT INTO audit_log (id, created_at_utc, event, actor, lead_id, request_id, status_code, details_json)
             SELECT {audit_id}, created_at_utc, 'LEAD_RECEIVED', 'site_ingest', id, request_id, 201,
                    '{{\"email\": \"jea***\", \"service\": \"ponts\", \"ip_hash\": \"abc123def456\"}}' FROM lead_inbox"
        ),
        "INSERT INTO lead_event (sequence, audit_id, created_at_utc, type, lead_id)
         SELECT row_number() OVER (), id, created_at_utc, 'lead.received', lead_id FROM audit_log"
            .to_owned(),
        "UPDATE lead_sequencer SET last_sequence = (SELECT max(sequence) FROM lead_event),
                mark = pg_snapshot_xmin(pg_current_snapshot())::text::bigint"
            .to_owned(),
    ] {
        cluster.psql(url, &statement);
    }
    // Searches are measured by `--staff`: their index takes longer to fill than all of the rest.
    cluster.psql(
        url,
        "UPDATE lead_search_progress SET older_after = NULL, position = (SELECT last_sequence FROM lead_sequencer)",
    );
    for table in ["lead_inbox", "audit_log", "lead_event"] {
        cluster.psql(url, &format!("SET maintenance_work_mem = '1GB'; REINDEX TABLE {table}"));
    }
    for statement in ["VACUUM ANALYZE", "CHECKPOINT"] {
        cluster.psql(url, statement);
    }
}

/// Pages and erasures: how long each takes.
async fn read(url: &str, leads: u64) -> Vec<String> {
    let store = PgLeadStore::connect(url).await.expect("it opens");
    let all = LeadFilter::default();
    let resolved = LeadFilter { statuses: vec![LeadStatus::Resolved], ..LeadFilter::default() };
    let of_site = LeadFilter { sources: vec!["small.example".to_owned()], ..LeadFilter::default() };
    let middle = |n: i64| {
        let at = chrono::Utc::now() - chrono::TimeDelta::days(30 + n * 7 % 600);
        Cursor { created_at: at, id: uuid::Uuid::now_v7() }
    };
    let mut timings = Vec::new();
    for (filter, is_first) in [(&all, true), (&all, false), (&resolved, false)] {
        let mut times = Vec::new();
        for n in 0..200 {
            let begun = Instant::now();
            let page = store.page(filter, (!is_first).then(|| middle(n)), 50).await.expect("a page");
            times.push(begun.elapsed());
            assert_eq!(page.leads.len(), 50);
        }
        timings.push(shown(times));
    }
    // Each is asked for once, so that what comes later finds nothing that was read before.
    let email = |n| format!("jean{}@example.com", DUE + n * (leads - DUE) / 100);
    let mut times = Vec::new();
    for n in 0..50 {
        let begun = Instant::now();
        let by_email = LeadFilter { email: Some(email(n)), ..LeadFilter::default() };
        assert_eq!(store.page(&by_email, None, 50).await.expect("a page").leads.len(), 1);
        times.push(begun.elapsed());
    }
    timings.push(shown(times));
    timings.push(timed(5, async || store.page(&of_site, None, 50).await).await);
    // An operator's tool waits longer than a service.
    let patient = store.clone().with_timeout(Duration::from_secs(30));
    timings.push(timed(5, async || patient.counts().await).await);
    let mut times = Vec::new();
    for n in 50..100 {
        let begun = Instant::now();
        let erased =
            store.erase(Target::Email(email(n)), Actor::new("marie").expect("a name"), None).await.expect("erased");
        times.push(begun.elapsed());
        assert_eq!(erased.len(), 1);
    }
    timings.push(shown(times));
    timings
}

/// How long something takes that may take too long.
async fn timed<T>(asked: usize, ask: impl AsyncFn() -> Result<T, StoreError>) -> String {
    let mut times = Vec::new();
    for _ in 0..asked {
        let begun = Instant::now();
        if let Err(error) = ask().await {
            return format!("{error}, after {:.1?}", begun.elapsed());
        }
        times.push(begun.elapsed());
    }
    shown(times)
}

/// Leads a second.
async fn purge(url: &str) -> f64 {
    let store = PgLeadStore::connect(url).await.expect("it opens");
    let begun = Instant::now();
    let report = store.purge(Retention::default(), Actor::new("marie").expect("a name")).await.expect("purged");
    report.total() as f64 / begun.elapsed().as_secs_f64()
}

fn shown(mut times: Vec<Duration>) -> String {
    times.sort_unstable();
    let at = |share: usize| times[(times.len() - 1) * share / 100].as_secs_f64() * 1000.0;
    format!("{:.1} / {:.1} ms", at(50), at(99))
}
