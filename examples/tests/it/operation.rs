//! Starting, probing, stopping.

use std::{
    thread,
    time::{Duration, Instant},
};

use fastcore_leads::testing::{
    TempDir, body,
    http::{exchange, lead_request},
    postgres::Cluster,
};
use tokio::{io::AsyncWriteExt, net::TcpStream};

use crate::service::{PATIENCE, Service, get, start_in_vain};

#[tokio::test]
async fn probes_tell_alive_from_ready() {
    let cluster = Cluster::start(&[]);
    for framework in ["axum", "warp"] {
        let service = Service::start(&["--database-url", &cluster.database(), "--framework", framework]);
        assert_eq!(exchange(service.address, &get("/healthz")).await.status, 200);
        assert_eq!(exchange(service.address, &get("/readyz")).await.status, 200);
        assert_eq!(exchange(service.address, &get("/")).await.status, 404);
        cluster.stop();
        assert_eq!(exchange(service.address, &get("/healthz")).await.status, 200);
        assert_eq!(exchange(service.address, &get("/readyz")).await.status, 503);
        let started = Instant::now();
        let sent = lead_request(&body());
        let answer = exchange(service.address, &sent).await;
        assert_eq!(answer.status, 503);
        assert!(answer.header("retry-after").is_some());
        assert!(started.elapsed() < Duration::from_secs(3), "503 came after {:?}", started.elapsed());
        cluster.resume();
        let back = Instant::now();
        while exchange(service.address, &sent).await.status != 201 {
            assert!(back.elapsed() < Duration::from_secs(5), "no 201 after {:?}", back.elapsed());
        }
        assert_eq!(exchange(service.address, &get("/readyz")).await.status, 200);
    }
}

#[tokio::test]
async fn a_signal_ends_it_with_success_even_with_a_stalled_client() {
    for signal in ["-TERM", "-INT"] {
        let mut service = Service::start(&["--drain-seconds", "1"]);
        assert_eq!(exchange(service.address, &lead_request(&body())).await.status, 201);
        let mut stalled = TcpStream::connect(service.address).await.unwrap();
        let half = lead_request(&body());
        stalled.write_all(&half[..half.len() - 10]).await.unwrap();
        // An answer on another connection shows that the server is past accepting the first.
        assert_eq!(exchange(service.address, &get("/healthz")).await.status, 200);
        let started = Instant::now();
        service.signal(signal);
        assert!(service.wait().success(), "{}", service.logs());
        assert!(started.elapsed() < Duration::from_secs(5), "the end took {:?}", started.elapsed());
        assert!(service.logs().contains("stopped"), "{}", service.logs());
    }
}

#[tokio::test]
async fn a_request_under_way_is_finished_before_the_end() {
    let mut service = Service::start(&[]);
    let mut client = TcpStream::connect(service.address).await.unwrap();
    let sent = lead_request(&body());
    let (head, tail) = sent.split_at(sent.len() - 10);
    client.write_all(head).await.unwrap();
    assert_eq!(exchange(service.address, &get("/healthz")).await.status, 200);
    service.signal("-TERM");
    let end = Instant::now() + PATIENCE;
    while !service.logs().contains("stopping") {
        assert!(Instant::now() < end, "{}", service.logs());
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    client.write_all(tail).await.unwrap();
    let mut answer = String::new();
    tokio::io::AsyncReadExt::read_to_string(&mut client, &mut answer).await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 201 "), "{answer}");
    assert!(service.wait().success());
}

/// Options, variables, how it ends, and what is said.
type Case<'a> = (&'a [&'a str], &'a [(&'a str, &'a str)], i32, &'a str);

#[test]
fn what_cannot_start_says_what_to_do() {
    let port = Cluster::shared().port();
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let cases: [Case<'_>; 8] = [
        (&["--fastcore-base-url", "https://fastcore.example.com"], &[], 2, "which knows its tokens"),
        (&["--listen", "0.0.0.0:0"], &[], 2, "openssl rand -base64 32"),
        (&[], &[("FASTCORE_SITE_INGEST_TOKEN", "")], 2, "openssl rand -base64 32"),
        (&[], &[("FASTCORE_SITE_INGEST_TOKEN", "too-short")], 2, "shorter than 16 characters"),
        (&["--database-url", "mysql://x"], &[], 2, "postgres://user:password@host/database"),
        (
            &["--database-url", &format!("postgres://postgres:PASSWORD@127.0.0.1:{port}/none")],
            &[],
            1,
            "try again later",
        ),
        (&["--database-url", "sqlite:/no/such/directory/x.db"], &[], 1, "not available"),
        (&["--listen", &address], &[], 1, "choose another --listen"),
    ];
    for (options, variables, code, said) in cases {
        let (status, log) = start_in_vain(options, variables);
        assert_eq!(status.code(), Some(code), "{options:?}: {log}");
        assert!(log.contains(said), "{options:?}: {log}");
        assert!(!log.contains("PASSWORD"), "{log}");
    }
    let (status, log) = start_in_vain(&["--no-such-option"], &[]);
    assert_eq!(status.code(), Some(2), "{log}");
}

#[test]
fn eight_processes_start_at_once_on_one_database() {
    let dir = TempDir::new();
    for url in [Cluster::shared().database(), dir.sqlite_url()] {
        thread::scope(|scope| {
            let starts: Vec<_> = (0..8)
                .map(|_| scope.spawn(|| Service::start(&["--database-url", &url, "--min-db-connections", "1"])))
                .collect();
            let services: Vec<_> = starts.into_iter().map(|start| start.join().unwrap()).collect();
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            for service in &services {
                assert_eq!(runtime.block_on(exchange(service.address, &lead_request(&body()))).status, 201);
            }
        });
    }
}

#[tokio::test]
async fn settings_change_what_they_say() {
    let service = Service::start(&["--require-consent", "--validation-as-bad-request", "--log-format", "json"]);
    let mut refused = body();
    refused["consent"] = false.into();
    let answer = exchange(service.address, &lead_request(&refused)).await;
    assert_eq!((answer.status, &answer.json()["errors"][0]["code"]), (400, &"consent_required".into()));
    assert_eq!(exchange(service.address, &lead_request(&body())).await.status, 201);
    let logs = service.logs();
    let event = logs.lines().find(|line| line.contains("lead ingest")).unwrap();
    let event: serde_json::Value = serde_json::from_str(event).unwrap();
    assert_eq!(event["outcome"], "received");
    assert_eq!(event["email"], "jea***");
    assert!(event["lead_id"].is_string() && event["elapsed_us"].is_u64());
}
