//! The same two inserts in a transaction, by PostgreSQL's own tool: prepared statements, no HTTP, its best client count.

use std::{fs, process::Command, time::Duration};

use fastcore_leads::{
    LeadMigrations,
    testing::{
        TempDir,
        postgres::{Cluster, program},
    },
};
use fastcore_leads_store_sqlx::PgLeadStore;

use crate::candidates::block_on;

const SCRIPT: &str = "\\set n random(1, 9000000000000000000)
BEGIN;
INSERT INTO lead_inbox (id, created_at_utc, name, email, phone, company, service, message, consent, source, request_id, ip_hash, meta_json, status) VALUES (gen_random_uuid(), now(), 'Jean Dupont', 'jean@example.com', '+33612345678', 'ACME SAS', 'diagnostic', 'Mon compresseur ne demarre plus depuis hier', true, 'fast-techservices.com', gen_random_uuid(), 'abc123def456', '{\"user_agent_hash\":\"xyz789\",\"timestamp_utc\":\"2024-01-03T10:30:45.123456Z\"}', 'received');
INSERT INTO audit_log (id, created_at_utc, event, actor, lead_id, request_id, status_code, details_json) VALUES (gen_random_uuid(), now(), 'LEAD_RECEIVED', 'site_ingest', gen_random_uuid(), gen_random_uuid(), 201, '{\"email\":\"jea***\",\"service\":\"diagnostic\",\"ip_hash\":\"abc123def456\"}');
COMMIT;
";

/// Transactions a second at the best client count, and that count; `None` where there is no pgbench.
pub(crate) fn best(cluster: &Cluster, seconds: Duration) -> Option<(f64, usize)> {
    let pgbench = std::panic::catch_unwind(|| program("pgbench")).ok()?;
    let url = cluster.database();
    block_on(async {
        PgLeadStore::connect(&url).await.expect("it connects").migrate().await.expect("migrated");
    });
    let dir = TempDir::new();
    let script = dir.path().join("inserts.sql");
    fs::write(&script, SCRIPT).expect("the directory can be written");
    [16, 32, 64, 128]
        .into_iter()
        .map(|clients| {
            let output = Command::new(&pgbench)
                .args(["-n", "-M", "prepared", "-j", "2", "-c", &clients.to_string()])
                .args(["-T", &seconds.as_secs().max(1).to_string(), "-f"])
                .arg(&script)
                .arg(&url)
                .output()
                .expect("pgbench runs");
            let text = String::from_utf8_lossy(&output.stdout).into_owned();
            let line = text.lines().find_map(|line| line.strip_prefix("tps = ")).unwrap_or_else(|| panic!("{text}"));
            let tps: f64 = line.split(' ').next().and_then(|number| number.parse().ok()).expect("a number");
            eprintln!("pgbench at {clients}: {tps:.0}/s");
            (tps, clients)
        })
        .max_by(|a, b| a.0.total_cmp(&b.0))
}
