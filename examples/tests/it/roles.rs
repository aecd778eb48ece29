//! The site alone, the endpoint alone, both in one process.

use std::time::{Duration, Instant};

use fastcore_leads::testing::{
    TOKEN, TempDir,
    http::{exchange, lead_request},
    postgres::Cluster,
};
use tokio::time::sleep;

use crate::{
    service::{PATIENCE, Service, start_in_vain},
    spool::{everything, waiting},
    visitor::{Visitor, database_of, filled, leads_in},
};

async fn status(service: &Service, path: &str) -> u16 {
    let request = format!("GET {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n");
    exchange(service.address, request.as_bytes()).await.status
}

async fn post(visitor: &Visitor) -> u16 {
    visitor.post(&filled(&visitor.open().await)).await.status
}

const KEY: (&str, &str) = ("FASTCORE_SITE_INGEST_TOKEN", TOKEN);

#[tokio::test]
async fn a_site_alone_has_no_database_and_no_endpoint() {
    for framework in ["axum", "warp"] {
        let fastcore = Service::start_with(&[], &[KEY]);
        let base = format!("http://{}", fastcore.address);
        let site = Service::start_with(
            &["--fastcore-base-url", &base, "--framework", framework, "--site-min-fill-ms", "0"],
            &[KEY],
        );
        let visitor = Visitor::new(site.address);
        assert_eq!(post(&visitor).await, 303);
        assert_eq!(leads_in(&database_of(&fastcore)).await.len(), 1);
        let request = lead_request(&fastcore_leads::testing::body());
        assert_eq!(exchange(site.address, &request).await.status, 404);
        for (path, expected) in [
            ("/healthz", 200),
            ("/readyz", 200),
            ("/readyz/site", 200),
            ("/readyz/ingest", 404),
            ("/metrics", 200),
            ("/openapi.json", 404),
            ("/docs", 404),
            ("/docs/", 404),
            ("/inbound/leads", 404),
        ] {
            assert_eq!(status(&site, path).await, expected, "{framework} {path}");
        }
        assert_eq!(status(&fastcore, "/readyz/site").await, 404);
        assert_eq!(status(&fastcore, "/readyz/ingest").await, 200);
        let made = std::fs::read_dir(site.dir.path()).unwrap().map(|entry| entry.unwrap().file_name());
        let made: Vec<_> = made.filter(|name| name != "log").collect();
        assert_eq!(made, ["fastcore-site"], "the pepper and the spool, and no database");
        assert!(!site.logs().contains("DATABASE_URL"), "{}", site.logs());
    }
    let (status, log) = start_in_vain(&["--fastcore-base-url", "http://127.0.0.1:1"], &[]);
    assert!(status.code() == Some(2) && log.contains("knows its tokens"), "{log}");
}

#[tokio::test]
async fn a_site_opens_and_stays_ready_while_its_database_is_down() {
    let cluster = Cluster::start(&[]);
    let database = cluster.database();
    cluster.stop();
    for driver in ["sqlx", "diesel"] {
        let options =
            ["--database-url", &database, "--driver", driver, "--site-min-fill-ms", "0", "--deadline-ms", "300"];
        // Without a site there is nothing to do before the database is there.
        let (ended, log) = start_in_vain(&options, &[KEY]);
        assert!(ended.code() == Some(1) && !log.contains("postgres://"), "{log}");
        let service = Service::start_with(&[&options[..], &["--site"]].concat(), &[KEY]);
        assert_eq!((status(&service, "/readyz").await, status(&service, "/readyz/site").await), (200, 200));
        assert_eq!(status(&service, "/readyz/ingest").await, 503);
        let refused = exchange(service.address, &lead_request(&fastcore_leads::testing::body())).await;
        assert_eq!(refused.status, 503);
        assert!(refused.header("retry-after").is_some());
        let visitor = Visitor::new(service.address);
        assert_eq!(post(&visitor).await, 303);
        let spool = service.dir.path().join("fastcore-site/spool");
        assert_eq!(waiting(&spool).len(), 1);
        cluster.resume();
        let end = Instant::now() + PATIENCE;
        while !waiting(&spool).is_empty() {
            assert!(Instant::now() < end, "not delivered: {}", service.logs());
            sleep(Duration::from_millis(20)).await;
        }
        assert_eq!(status(&service, "/readyz/ingest").await, 200);
        let name = database.rsplit('/').next().unwrap().split('?').next().unwrap();
        assert_eq!(
            cluster.psql(name, "SELECT count(*) FROM lead_inbox").trim(),
            if driver == "sqlx" { "1" } else { "2" }
        );
        drop(service);
        cluster.stop();
    }
}

#[tokio::test]
async fn a_site_whose_leads_have_nowhere_to_go_is_not_ready() {
    let state = TempDir::new();
    let folder = state.path().display().to_string();
    let site = Service::start_with(
        &["--fastcore-base-url", "http://127.0.0.1:1", "--site-state", &folder, "--site-spool-capacity", "1"],
        &[KEY],
    );
    assert_eq!(status(&site, "/readyz").await, 200);
    let visitor = Visitor::new(site.address);
    assert_eq!(post(&visitor).await, 303);
    let end = Instant::now() + PATIENCE;
    while status(&site, "/readyz").await != 503 {
        assert!(Instant::now() < end);
        sleep(Duration::from_millis(20)).await;
    }
    assert_eq!(status(&site, "/healthz").await, 200);
    assert!(everything(state.path()).iter().all(|path| path.extension().is_none_or(|kind| kind != "draft")));
}
