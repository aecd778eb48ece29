//! Under load: a full queue, a signal, two services that want the same rows.

use std::{
    collections::HashSet,
    process::Stdio,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use fastcore_leads::testing::{
    TempDir, body,
    http::{exchange, lead_request, try_exchange},
    postgres::Cluster,
};
use tokio::{io::AsyncWriteExt, net::TcpStream, task::JoinSet, time::sleep};

use crate::{
    crash::{check, check_sqlite},
    service::{PATIENCE, Service, get},
};

/// More waits for the locked table than the queue holds: what does not fit is refused while the rest still waits.
#[tokio::test(flavor = "multi_thread")]
async fn a_full_queue_refuses_at_once_and_keeps_its_memory() {
    let cluster = Cluster::shared();
    for driver in ["sqlx", "diesel"] {
        let url = cluster.database();
        let options = ["--database-url", &url, "--driver", driver, "--min-db-connections", "1"];
        // While the table is locked, nobody but the full queue can answer: the database has longer than the test.
        let bounds = ["--queue-capacity", "100", "--deadline-ms", "60000", "--max-batch", "8"];
        let service = Service::start(&[&options[..], &bounds].concat());
        assert_eq!(exchange(service.address, &lead_request(&body())).await.status, 201);
        let lock = cluster.session(&url, "BEGIN; LOCK TABLE lead_inbox;");
        let mut clients = JoinSet::new();
        let refused = Arc::new(AtomicUsize::new(0));
        let before = service.memory_kib();
        for _ in 0..200 {
            let (address, refused) = (service.address, Arc::clone(&refused));
            clients.spawn(async move {
                // 100 wait in the queue and 8 in each writer's batch, for the whole of the lock; the others are refused, again and again.
                let mut left = Vec::new();
                while refused.load(Ordering::Relaxed) < 2000 {
                    let sent = lead_request(&body());
                    let answer = exchange(address, &sent).await;
                    if answer.status == 503 {
                        assert!(answer.header("retry-after").is_some());
                        refused.fetch_add(1, Ordering::Relaxed);
                        left = sent;
                    } else {
                        assert_eq!(answer.status, 201);
                    }
                }
                left
            });
        }
        let end = Instant::now() + PATIENCE;
        while refused.load(Ordering::Relaxed) < 2000 {
            assert!(Instant::now() < end, "{} were refused", refused.load(Ordering::Relaxed));
            sleep(Duration::from_millis(5)).await;
        }
        let grown = service.memory_kib().saturating_sub(before);
        assert!(grown < 32 * 1024, "2,000 refused leads took {grown} KiB");
        drop(lock);
        for sent in clients.join_all().await.into_iter().filter(|sent| !sent.is_empty()) {
            assert_eq!(exchange(service.address, &sent).await.status, 201, "service is back to normal");
        }
    }
}

/// Nobody reads the pipe that the log goes into, until more lines wait than may: leads are taken in, what is lost is counted, and
/// the service ends when it is told to.
#[tokio::test(flavor = "multi_thread")]
async fn a_log_that_nobody_reads_holds_up_no_lead() {
    let mut service = Service::start_logging_to(Stdio::piped(), &[("RUST_LOG", "debug")]);
    let is_over = Arc::new(AtomicBool::new(false));
    let mut clients = JoinSet::new();
    for _ in 0..16 {
        let (address, is_over) = (service.address, Arc::clone(&is_over));
        clients.spawn(async move {
            while !is_over.load(Ordering::Relaxed) {
                assert_eq!(exchange(address, &lead_request(&body())).await.status, 201);
            }
        });
    }
    let end = Instant::now() + PATIENCE * 4;
    while lost_lines(&service).await == 0 {
        assert!(Instant::now() < end, "no line is lost");
        sleep(Duration::from_millis(100)).await;
    }
    is_over.store(true, Ordering::Relaxed);
    clients.join_all().await;
    let _unread = service.log_pipe();
    service.signal("-TERM");
    assert!(service.wait().success(), "it ends with the pipe full");
}

/// On a disk that is full, what cannot be written is counted, and holds up nothing.
#[cfg(target_os = "linux")]
#[tokio::test(flavor = "multi_thread")]
async fn a_log_on_a_full_disk_holds_up_no_lead() {
    let full = std::fs::File::options().write(true).open("/dev/full").unwrap();
    let mut service = Service::start_logging_to(full, &[]);
    let end = Instant::now() + PATIENCE * 2;
    while lost_lines(&service).await == 0 {
        assert!(Instant::now() < end, "no line is lost");
        assert_eq!(exchange(service.address, &lead_request(&body())).await.status, 201);
    }
    service.signal("-TERM");
    assert!(service.wait().success());
}

/// What waits behind a reader that was slow is written before the process ends: a line for each lead, and whole.
#[tokio::test(flavor = "multi_thread")]
async fn no_line_of_the_log_is_lost_where_it_stops_as_it_is_told() {
    const LEADS: usize = 1000;
    let mut service = Service::start_logging_to(Stdio::piped(), &[]);
    for _ in 0..LEADS {
        assert_eq!(exchange(service.address, &lead_request(&body())).await.status, 201);
    }
    let pipe = service.log_pipe();
    let reader = std::thread::spawn(move || std::io::read_to_string(pipe).unwrap());
    service.signal("-TERM");
    assert!(service.wait().success());
    let log = reader.join().unwrap();
    assert!(log.len() > 128 * 1024, "more than a pipe and a buffer hold: {}", log.len());
    assert_eq!(log.lines().filter(|line| line.contains("outcome=\"received\"")).count(), LEADS, "{log}");
    assert!(log.lines().all(|line| line.starts_with("20")), "whole lines: {log}");
    assert!(log.ends_with("stopped\n"), "the last one too: {log}");
}

async fn lost_lines(service: &Service) -> u64 {
    let answer = exchange(service.address, &get("/metrics")).await;
    let text = String::from_utf8(answer.body).unwrap();
    let line = text.lines().find_map(|line| line.strip_prefix("fastcore_log_lines_lost_total "));
    line.map_or(0, |count| count.parse().unwrap())
}

/// What was acknowledged before SIGTERM is there; the end comes within the bound, whoever stalls.
#[tokio::test(flavor = "multi_thread")]
async fn a_signal_under_load_loses_nothing_that_was_acknowledged() {
    const DRAIN: Duration = Duration::from_secs(3);
    let dir = TempDir::new();
    for (url, driver, framework) in [
        (Cluster::shared().database(), "sqlx", "axum"),
        (Cluster::shared().database(), "diesel", "warp"),
        (dir.sqlite_url(), "sqlx", "warp"),
        (dir.sqlite_url(), "diesel", "axum"),
    ] {
        let options =
            ["--database-url", &url, "--driver", driver, "--framework", framework, "--min-db-connections", "1"];
        let mut service = Service::start(&[&options[..], &["--drain-seconds", "3"]].concat());
        let address = service.address;
        let (acknowledged, is_over) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicBool::new(false)));
        let mut clients = JoinSet::new();
        for _ in 0..32 {
            let (acknowledged, is_over) = (Arc::clone(&acknowledged), Arc::clone(&is_over));
            clients.spawn(async move {
                let mut ids = Vec::new();
                while !is_over.load(Ordering::Relaxed) {
                    // The connection may be refused, or cut, once the service stops.
                    let Ok(answer) = try_exchange(address, &lead_request(&body())).await else {
                        sleep(Duration::from_millis(5)).await;
                        continue;
                    };
                    if answer.status == 201 {
                        ids.push(answer.json()["leadId"].as_str().unwrap().to_owned());
                        acknowledged.fetch_add(1, Ordering::Relaxed);
                    } else {
                        assert_eq!(answer.status, 503, "{}", String::from_utf8_lossy(&answer.body));
                    }
                }
                ids
            });
        }
        let mut stalled = TcpStream::connect(address).await.unwrap();
        let half = lead_request(&body());
        stalled.write_all(&half[..half.len() - 10]).await.unwrap();
        let end = Instant::now() + PATIENCE;
        while acknowledged.load(Ordering::Relaxed) < 300 {
            assert!(Instant::now() < end, "no load came up");
            sleep(Duration::from_millis(5)).await;
        }
        let told = Instant::now();
        service.signal("-TERM");
        let status = tokio::task::spawn_blocking(move || {
            let status = service.wait();
            (status, service)
        });
        let (status, service) = status.await.unwrap();
        assert!(status.success(), "{}", service.logs());
        let bound = DRAIN + Duration::from_secs(3);
        assert!(told.elapsed() < bound, "the end took {:?}", told.elapsed());
        is_over.store(true, Ordering::Relaxed);
        let ids: HashSet<String> = clients.join_all().await.into_iter().flatten().collect();
        if url.starts_with("postgres") {
            check(|sql| Cluster::shared().psql(&url, sql), &ids);
        } else {
            check_sqlite(&url, &ids).await;
        }
    }
}

/// Two processes, one with each driver, send the same leads in opposite orders for a minute: deadlocks, if PostgreSQL
/// finds any, are the services' business.
#[tokio::test(flavor = "multi_thread")]
async fn two_services_want_the_same_rows_in_opposite_orders() {
    const LEADS: usize = 32;
    let url = Cluster::shared().database();
    let services = ["sqlx", "diesel"].map(|driver| {
        let options = ["--database-url", &url, "--driver", driver, "--min-db-connections", "1"];
        Service::start(&[&options[..], &["--max-batch", "16", "--writers", "4"]].concat())
    });
    let end = Instant::now() + Duration::from_secs(60);
    let mut sent = 0;
    while Instant::now() < end {
        let requests: Vec<_> = (0..LEADS).map(|_| lead_request(&body())).collect();
        let mut clients = JoinSet::new();
        // All at once, so that both services have batches of the same leads under way.
        for i in 0..LEADS {
            for (service, request) in services.iter().zip([&requests[i], &requests[LEADS - 1 - i]]) {
                let (address, request) = (service.address, request.clone());
                clients.spawn(async move {
                    loop {
                        let answer = exchange(address, &request).await;
                        if answer.status == 201 {
                            return answer.header("idempotency-replayed").is_none();
                        }
                        assert_eq!(answer.status, 503, "{}", String::from_utf8_lossy(&answer.body));
                        sleep(Duration::from_millis(5)).await;
                    }
                });
            }
        }
        let firsts = clients.join_all().await.into_iter().filter(|is_first| *is_first).count();
        assert_eq!(firsts, LEADS, "each lead was first once");
        sent += LEADS;
    }
    let counts = "SELECT (SELECT count(*) FROM lead_inbox), (SELECT count(*) FROM audit_log)";
    assert_eq!(Cluster::shared().psql(&url, counts), format!("{sent}|{sent}"));
}
