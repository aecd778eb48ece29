//! Proving the audit log: what it costs the ingest, how soon a row is sealed, how quickly a log is sealed and gone through.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use fastcore_leads::{
    LeadDatabase, LeadMigrations,
    proof::{Audit, Folder, NoteKey, Sealer},
    testing::{
        TOKEN, TempDir, body,
        http::{exchange, lead_request},
        log::ORIGIN,
        postgres::Cluster,
    },
};
use fastcore_leads_store_diesel as by_diesel;
use fastcore_leads_store_sqlx as by_sqlx;
use tokio::time::sleep;
use uuid::Uuid;

use crate::{
    beside,
    candidates::{SERVE, block_on},
    process::Service,
};

pub(crate) fn measure(cluster: &Cluster, seconds: Duration, rounds: usize, rows: u64) {
    block_on(async {
        if !seconds.is_zero() {
            let seals = Seals::new();
            beside::measure(cluster, "its log sealed and published", seconds, rounds, || seals.options()).await;
            how_soon(cluster).await;
        }
        println!(
            "\n| {rows} rows | numbered and sealed, rows/s | gone through, rows/s | MiB at most |\n| --- | ---: | ---: | ---: |"
        );
        for (name, url) in [
            ("sqlx, PostgreSQL", Some(cluster.database())),
            ("diesel, PostgreSQL", Some(cluster.database())),
            ("sqlx, SQLite", None),
            ("diesel, SQLite", None),
        ] {
            whole(cluster, name, url, rows).await;
        }
    });
}

/// A key, and folders to publish to, one for each start.
struct Seals {
    dir: TempDir,
}

impl Seals {
    fn new() -> Self {
        let dir = TempDir::new();
        std::fs::write(dir.path().join("keys"), key().reveal()).expect("written");
        Self { dir }
    }

    fn options(&self) -> Vec<String> {
        let path = |name: &str| self.dir.path().join(name).to_str().expect("a path in ASCII").to_owned();
        let folder = path(&Uuid::now_v7().to_string());
        std::fs::create_dir(&folder).expect("a folder");
        vec!["--audit-keys".to_owned(), path("keys"), "--publish".to_owned(), folder]
    }
}

fn key() -> NoteKey {
    NoteKey::generate(ORIGIN).expect("a key")
}

/// From a lead's answer to its receipt, at twenty leads a second.
async fn how_soon(cluster: &Cluster) {
    let (seals, place) = (Seals::new(), SERVE.place(cluster));
    let options = seals.options();
    let options: Vec<&str> = options.iter().map(String::as_str).collect();
    let service = Service::start_with(&SERVE, &place, &options);
    let (mut asked, begun) = (Vec::new(), Instant::now());
    for number in 0..400_u32 {
        sleep((begun + number * Duration::from_millis(50)).saturating_duration_since(Instant::now())).await;
        let answer = exchange(service.address(), &lead_request(&body())).await;
        assert_eq!(answer.status, 201);
        let id = answer.json()["leadId"].as_str().expect("an id").to_owned();
        let (address, answered) = (service.address(), Instant::now());
        asked.push(tokio::spawn(async move {
            let ask =
                format!("GET /inbound/leads/{id}/receipt HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {TOKEN}\r\n\r\n");
            loop {
                let answer = exchange(address, ask.as_bytes()).await;
                if answer.status == 200 {
                    return (answered.elapsed().as_secs_f64(), answer.body.len());
                }
                // Seldom enough not to be what is measured.
                sleep(Duration::from_millis(100)).await;
            }
        }));
    }
    let (mut delays, mut bytes) = (Vec::new(), 0);
    for task in asked {
        let (delay, length) = task.await.expect("answered");
        delays.push(delay);
        bytes = length.max(bytes);
    }
    delays.sort_by(f64::total_cmp);
    let at = |share: f64| delays[((delays.len() - 1) as f64 * share) as usize];
    println!(
        "\n| from a lead's answer to its receipt, 20 leads a second | p50 | p99 | longest | bytes at most |\n\
         | --- | ---: | ---: | ---: | ---: |\n| | {:.2} s | {:.2} s | {:.2} s | {bytes} |",
        at(0.5),
        at(0.99),
        at(1.0)
    );
}

/// Rows that were written before anybody sealed, as today's service does.
async fn whole(cluster: &Cluster, name: &str, url: Option<String>, rows: u64) {
    let dir = TempDir::new();
    let is_postgres = url.is_some();
    let url = url.unwrap_or_else(|| dir.sqlite_url());
    let database: Arc<dyn LeadDatabase> = match (name.starts_with("sqlx"), is_postgres) {
        (true, true) => Arc::new(by_sqlx::PgLeadStore::connect(&url).await.expect("it opens")),
        (false, true) => Arc::new(by_diesel::PgLeadStore::connect(&url).await.expect("it opens")),
        (true, false) => Arc::new(by_sqlx::SqliteLeadStore::connect(&url).await.expect("it opens")),
        (false, false) => Arc::new(by_diesel::SqliteLeadStore::connect(&url).await.expect("it opens")),
    };
    database.migrate().await.expect("migrated");
    if is_postgres {
        // As leads come: a few in each transaction.
        cluster.psql(
            &url,
            &format!(
                "DO $$ BEGIN PERFORM set_config('synchronous_commit', 'off', false); FOR batch IN 0..{} LOOP
                     {PG_ROWS} FROM generate_series(1, least(250, {rows} - batch * 250)); COMMIT;
                 END LOOP; END $$",
                rows.div_ceil(250) - 1
            ),
        );
        cluster.psql(&url, "VACUUM ANALYZE");
    } else {
        let store = by_sqlx::SqliteLeadStore::connect(&url).await.expect("it opens");
        sqlx::query(SQLITE_ROWS)
            .bind(i64::try_from(rows).expect("small"))
            .execute(store.pool())
            .await
            .expect("written");
    }
    let key = key();
    std::fs::create_dir(dir.path().join("published")).expect("a folder");
    let folder = Folder::at(dir.path().join("published"));
    let started = Instant::now();
    let builder = Sealer::builder(Arc::clone(&database), key.clone()).publish(folder.clone());
    assert_eq!(builder.seal_all().await.expect("sealed"), rows);
    let (sealed, started) = (started.elapsed(), Instant::now());
    let audit = Audit::new().known([key.verifier()]).published(folder);
    let report = audit.run(&*database, |_, _| {}).await.expect("read");
    assert!(report.is_sound() && report.rows == rows, "{:?}", report.findings);
    let per_second = |elapsed: Duration| rows as f64 / elapsed.as_secs_f64();
    println!("| {name} | {:.0} | {:.0} | {} |", per_second(sealed), per_second(started.elapsed()), peak());
}

/// The most memory that this process had, in MiB.
fn peak() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let peak =
        status.lines().find_map(|line| line.strip_prefix("VmHWM:")).map(|kib| kib.trim().trim_end_matches(" kB"));
    peak.and_then(|kib| kib.parse::<u64>().ok()).map_or(0, |kib| kib / 1024)
}

const PG_ROWS: &str = "INSERT INTO audit_log (id, event, actor, lead_id, request_id, status_code, details_json)
    SELECT gen_random_uuid(), 'LEAD_RECEIVED', 'site_ingest', gen_random_uuid(), gen_random_uuid(), 201,
           '{\"email\": \"jea***\", \"service\": \"diagnostic\", \"ip_hash\": \"abc123def456\"}'";
const SQLITE_ROWS: &str = "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ?1)
    INSERT INTO audit_log (id, created_at_utc, event, actor, lead_id, request_id, status_code, details_json)
    SELECT printf('01890000-0000-7000-8000-%012x', i), '2026-11-22T10:30:45.123456Z', 'LEAD_RECEIVED', 'site_ingest',
           printf('01890000-0000-7000-8001-%012x', i), printf('01890000-0000-7000-8002-%012x', i), 201,
           '{\"email\":\"jea***\",\"service\":\"diagnostic\",\"ip_hash\":\"abc123def456\"}' FROM n";
