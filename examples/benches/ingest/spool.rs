//! A hundred thousand leads wait on the site's disk: how quickly they were kept, how quickly the site starts with them and in how much
//! memory, and how quickly they are delivered once FASTCore is back.

use std::{
    fs,
    io::{Read, Write},
    net::{SocketAddr, TcpListener, TcpStream},
    path::Path,
    process::Command,
    sync::Arc,
    thread,
    time::{Duration, Instant},
};

use fastcore_leads::{
    client::{Client, Spool, SpoolKeys, SpoolOptions},
    testing::{self, Nobody, TOKEN, TempDir, postgres::Cluster},
};
use tokio::{runtime::Runtime, sync::Semaphore, task::JoinSet};

use crate::process::Service;

const LEADS: usize = 100_000;
/// More than there are: a bound errs on the side of too many, while leads are written and counted at once.
const ROOM: u64 = 2 * LEADS as u64;
/// Visitors who send at once while FASTCore is away.
const VISITORS: usize = 64;
const CANARY: &str = "Un canari que personne ne doit lire";

pub(crate) fn measure(cluster: &Cluster) {
    println!("| {LEADS} leads in the spool | kept/s | start, s | start, MiB | delivered/s | peak, MiB |");
    println!("| --- | ---: | ---: | ---: | ---: | ---: |");
    for (name, is_postgres, is_sealed) in [
        ("to SQLite", false, false),
        ("to PostgreSQL", true, false),
        ("encrypted, to SQLite", false, true),
        ("encrypted, to PostgreSQL", true, true),
    ] {
        let dir = TempDir::new();
        let state = dir.path().join("state");
        let key = "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff";
        fs::create_dir(&state).expect("a folder");
        fs::write(dir.path().join("keys"), key).expect("a file");
        let options = SpoolOptions::new().max_leads(ROOM);
        let options = if is_sealed { options.keys(SpoolKeys::parse(key).expect("a key")) } else { options };
        let kept = Runtime::new().expect("a runtime").block_on(fill(&state.join("spool"), options));
        if is_sealed {
            assert_eq!(canaries_in(&state), 0, "a canary can be read");
        } else {
            assert_eq!(canaries_in(&state), LEADS);
        }

        let address = TcpListener::bind("127.0.0.1:0").and_then(|free| free.local_addr()).expect("a free port");
        let mut site = command(&dir);
        site.args(["--fastcore-base-url", &format!("http://{address}"), "--listen", "127.0.0.1:0", "--site-state"]);
        site.arg(&state).args(["--site-spool-capacity", &ROOM.to_string()]);
        if is_sealed {
            site.arg("--site-spool-keys").arg(dir.path().join("keys"));
        }
        let started = Instant::now();
        let site = Service::spawn(site);
        while !is_ready(site.address()) {
            thread::sleep(Duration::from_millis(5));
        }
        let start = started.elapsed();
        let start_mib = site.peak_mib();

        let url = if is_postgres { cluster.database() } else { dir.sqlite_url() };
        let mut fastcore = command(&dir);
        fastcore.args(["--listen", &address.to_string(), "--database-url", &url]);
        let fastcore = Service::spawn(fastcore);
        let started = Instant::now();
        while files_in(&state.join("spool")) > 0 {
            thread::sleep(Duration::from_millis(100));
        }
        let delivered = LEADS as f64 / started.elapsed().as_secs_f64();
        println!(
            "| {name} | {kept:.0} | {:.2} | {start_mib:.0} | {delivered:.0} | {:.0} |",
            start.as_secs_f64(),
            site.peak_mib()
        );
        drop(fastcore);
    }
}

fn command(dir: &TempDir) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_serve"));
    command.current_dir(dir.path()).env_remove("DATABASE_URL");
    command
}

/// Leads a second that are kept.
async fn fill(folder: &Path, options: SpoolOptions) -> f64 {
    let spool = Spool::open(folder, options).expect("a spool");
    let client = Client::builder("http://127.0.0.1:1", TOKEN, Nobody).expect("a client").spool(spool).start();
    let room = Arc::new(Semaphore::new(VISITORS));
    let mut calls = JoinSet::new();
    let started = Instant::now();
    for number in 0..LEADS {
        let permit = Arc::clone(&room).acquire_owned().await.expect("it is open");
        let mut body = testing::body();
        body["message"] = format!("{CANARY}, le numéro {number}.").into();
        let (client, lead) = (client.clone(), testing::parse(&body));
        calls.spawn(async move {
            client.deliver(&lead).await.expect("it is kept");
            drop(permit);
        });
        while calls.try_join_next().is_some() {}
    }
    calls.join_all().await;
    LEADS as f64 / started.elapsed().as_secs_f64()
}

fn is_ready(address: SocketAddr) -> bool {
    let ask = || {
        let mut connection = TcpStream::connect(address)?;
        connection.write_all(b"GET /readyz HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n")?;
        let mut answer = String::new();
        connection.read_to_string(&mut answer)?;
        Ok::<_, std::io::Error>(answer)
    };
    ask().is_ok_and(|answer| answer.starts_with("HTTP/1.1 200"))
}

fn files_in(folder: &Path) -> usize {
    let Ok(entries) = fs::read_dir(folder) else { return 0 };
    let is_lead = |path: &Path| path.extension().is_some_and(|kind| kind == "json" || kind == "sealed");
    entries
        .flatten()
        .map(|entry| {
            let path = entry.path();
            if path.is_dir() { files_in(&path) } else { usize::from(is_lead(&path)) }
        })
        .sum()
}

fn canaries_in(folder: &Path) -> usize {
    let entries = fs::read_dir(folder).expect("a folder").flatten();
    let holds = |path: &Path| {
        let bytes = fs::read(path).unwrap_or_default();
        bytes.windows(CANARY.len()).any(|part| part == CANARY.as_bytes())
    };
    entries
        .map(|entry| {
            let path = entry.path();
            if path.is_dir() { canaries_in(&path) } else { usize::from(holds(&path)) }
        })
        .sum()
}
