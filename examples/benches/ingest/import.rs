//! `leadctl import`, as an operator runs it: a CSV of a hundred thousand lines.

use std::{
    fs::File,
    io::{BufWriter, Write},
    path::Path,
    process::{Command, Stdio},
    time::Instant,
};

use fastcore_leads::testing::{TempDir, postgres::Cluster};
use uuid::Uuid;

const LINES: usize = 100_000;

/// Lines per second of each driver on each database, medians of three alternating rounds.
pub(crate) fn measure(cluster: &Cluster) {
    let dir = TempDir::new();
    let file = dir.path().join("leads.csv");
    write_csv(&file);
    let cases = [("sqlx", true), ("diesel", true), ("sqlx", false), ("diesel", false)];
    let mut rates = vec![Vec::new(); cases.len()];
    for _ in 0..3 {
        for ((driver, is_postgres), rates) in cases.iter().zip(&mut rates) {
            let place = TempDir::new();
            let url = if *is_postgres { cluster.database() } else { place.sqlite_url() };
            let leadctl = |arguments: &[&str]| {
                let mut command = Command::new(env!("CARGO_BIN_EXE_leadctl"));
                let status = command
                    .args(["--database-url", &url, "--driver", driver])
                    .args(arguments)
                    .stdout(Stdio::null())
                    .stderr(Stdio::null())
                    .status();
                assert!(status.is_ok_and(|status| status.success()), "leadctl {arguments:?} failed");
            };
            leadctl(&["migrate"]);
            let started = Instant::now();
            leadctl(&["import", &file.display().to_string()]);
            rates.push(LINES as f64 / started.elapsed().as_secs_f64());
        }
    }
    println!("| leadctl import, {LINES} lines of CSV | lines/s |\n| --- | ---: |");
    for ((driver, is_postgres), rates) in cases.iter().zip(&mut rates) {
        rates.sort_by(f64::total_cmp);
        let database = if *is_postgres { "PostgreSQL" } else { "SQLite" };
        println!("| {driver}, {database} | {:.0} |", rates[rates.len() / 2]);
    }
}

fn write_csv(path: &Path) {
    let mut file = BufWriter::new(File::create(path).expect("the temporary directory can be written"));
    writeln!(file, "name,email,phone,company,service,message,consent,source,request_id,ip_hash,timestamp_utc")
        .expect("room");
    for i in 0..LINES {
        writeln!(
            file,
            "Jean Dupont,jean{i}@example.com,+33612345678,ACME SAS,diagnostic,Mon compresseur ne démarre plus depuis hier,\
             true,fast-techservices.com,{},abc123def456,2024-01-03T10:30:45Z",
            Uuid::now_v7()
        )
        .expect("room");
    }
}
