//! `leadctl import`, as an operator runs it: what French Excel writes, a million lines without ids.

use std::{
    fs::{self, File},
    io::{BufWriter, Write},
    path::Path,
    process::{Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use chrono::{Days, NaiveDate};
use fastcore_leads::testing::{TempDir, postgres::Cluster};

const LINES: usize = 1_000_000;
/// How many of them came on a day.
const A_DAY: usize = 2800;
/// How often is looked how much memory it has.
const LOOK: Duration = Duration::from_millis(100);

/// Lines per second, and the most memory, of each driver on each database.
pub(crate) fn measure(cluster: &Cluster) {
    let dir = TempDir::new();
    let file = dir.path().join("leads.csv");
    write_csv(&file);
    println!("| leadctl import, {LINES} lines of Windows-1252 | lines/s | MiB at most |\n| --- | ---: | ---: |");
    for (driver, is_postgres) in [("sqlx", true), ("diesel", true), ("sqlx", false), ("diesel", false)] {
        let place = TempDir::new();
        let url = if is_postgres { cluster.database() } else { place.sqlite_url() };
        let leadctl = |arguments: &[&str]| {
            let mut command = Command::new(env!("CARGO_BIN_EXE_leadctl"));
            command.args(["--database-url", &url, "--driver", driver]).args(arguments);
            command.stdout(Stdio::null()).stderr(Stdio::null());
            let mut child = command.spawn().expect("leadctl starts");
            let mut most = 0.0_f64;
            let status = loop {
                if let Some(status) = child.try_wait().expect("it is a child of ours") {
                    break status;
                }
                most = most.max(peak_mib(child.id()).unwrap_or_default());
                thread::sleep(LOOK);
            };
            assert!(status.success(), "leadctl {arguments:?} failed");
            most
        };
        leadctl(&["migrate"]);
        let started = Instant::now();
        let most = leadctl(&["import", &file.display().to_string(), "--timezone", "Europe/Paris"]);
        let rate = LINES as f64 / started.elapsed().as_secs_f64();
        let database = if is_postgres { "PostgreSQL" } else { "SQLite" };
        println!("| {driver}, {database} | {rate:.0} | {most:.0} |");
    }
}

/// The most memory that a process has had so far; none once it has ended.
fn peak_mib(process: u32) -> Option<f64> {
    let status = fs::read_to_string(format!("/proc/{process}/status")).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    Some(line.trim().trim_end_matches(" kB").parse::<f64>().ok()? / 1024.0)
}

fn write_csv(path: &Path) {
    let mut file = BufWriter::new(File::create(path).expect("the temporary directory can be written"));
    let mut write = |line: &str| {
        let (bytes, _, has_others) = encoding_rs::WINDOWS_1252.encode(line);
        assert!(!has_others, "the encoding has all of it");
        file.write_all(&bytes).expect("room");
    };
    write("Nom;E-Mail;Téléphone;Société;Prestation;Message;Consentement;Source;Date\r\n");
    let first = NaiveDate::from_ymd_opt(2024, 1, 1).expect("a day");
    for i in 0..LINES {
        // As an export is sorted: from eight in the morning on, a lead each 12 s.
        let (day, second) = (first + Days::new((i / A_DAY) as u64), (i % A_DAY) * 12);
        let (hour, minute, second) = (8 + second / 3600, second / 60 % 60, second % 60);
        write(&format!(
            "Zoé Dupré;zoe{i}@example.com;06 12 34 56 78;Établissements L’Hôte;diagnostic;\"Mon compresseur – un ancien – ne démarre plus; \
             merci de rappeler.\";VRAI;salon;{} {hour:02}:{minute:02}:{second:02}\r\n",
            day.format("%d/%m/%Y")
        ));
    }
}
