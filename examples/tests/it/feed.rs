//! The feed of events of the service, in both frameworks and over both databases.

use std::net::SocketAddr;

use fastcore_leads::testing::{
    TOKEN, TempDir, body,
    http::{Answer, exchange, lead_request},
    postgres::Cluster,
};
use tokio::time::timeout;

use crate::service::{PATIENCE, Service, start_in_vain};

const EVENTS_TOKEN: &str = "a-token-for-events-0123456789";

fn start(options: &[&str]) -> Service {
    Service::start_with(options, &[("FASTCORE_SITE_INGEST_TOKEN", TOKEN), ("FASTCORE_EVENTS_TOKEN", EVENTS_TOKEN)])
}

async fn ask(address: SocketAddr, query: &str, token: &str) -> Answer {
    let head = format!("GET /inbound/events?{query} HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {token}\r\n\r\n");
    exchange(address, head.as_bytes()).await
}

#[tokio::test(flavor = "multi_thread")]
async fn who_waits_hears_of_a_lead_as_soon_as_it_is_committed() {
    for (framework, driver, is_postgres) in [("axum", "sqlx", true), ("warp", "diesel", false)] {
        let dir = TempDir::new();
        let url = if is_postgres { Cluster::shared().database() } else { dir.sqlite_url() };
        let service = start(&["--database-url", &url, "--driver", driver, "--framework", framework]);
        let mut cursor = ask(service.address, "", EVENTS_TOKEN).await.json()["next"].as_str().unwrap().to_owned();
        for _ in 0..3 {
            let query = format!("after={cursor}&wait=25");
            let post = async { exchange(service.address, &lead_request(&body())).await };
            let (told, posted) = tokio::join!(ask(service.address, &query, EVENTS_TOKEN), post);
            let told = told.json();
            assert_eq!(told["events"].as_array().unwrap().len(), 1);
            assert_eq!(told["events"][0]["data"]["lead_id"], posted.json()["leadId"]);
            told["next"].as_str().unwrap().clone_into(&mut cursor);
        }
        // Each token is for one of the two alone.
        assert_eq!(ask(service.address, "", TOKEN).await.json()["error"], "scope_missing");
        let with_events_token = String::from_utf8(lead_request(&body())).unwrap().replace(TOKEN, EVENTS_TOKEN);
        let refused = exchange(service.address, with_events_token.as_bytes()).await;
        assert_eq!(refused.json()["error"], "scope_missing");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_service_that_stops_lets_nobody_wait() {
    let mut service = start(&["--drain-seconds", "3600"]);
    let waiting = tokio::spawn(ask(service.address, "wait=60", EVENTS_TOKEN));
    // Another one is answered meanwhile, so that the first has arrived.
    assert_eq!(ask(service.address, "", EVENTS_TOKEN).await.status, 200);
    service.signal("-TERM");
    let answer = timeout(PATIENCE, waiting).await.expect("it is answered").unwrap();
    assert_eq!((answer.status, answer.json()["next"].as_str()), (200, Some("0")));
    assert!(service.wait().success());
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_token_of_its_own_there_is_no_feed() {
    let service = Service::start(&[]);
    assert_eq!(ask(service.address, "", TOKEN).await.status, 404);
    let (status, said) = start_in_vain(&[], &[("FASTCORE_EVENTS_TOKEN", "short")]);
    assert!(!status.success() && said.contains("FASTCORE_EVENTS_TOKEN") && !said.contains("short\""), "{said}");
    let (status, said) = start_in_vain(&[], &[("FASTCORE_EVENTS_TOKEN", "")]);
    assert!(!status.success() && said.contains("FASTCORE_EVENTS_TOKEN is blank"), "{said}");
    let both = [("FASTCORE_SITE_INGEST_TOKEN", TOKEN), ("FASTCORE_EVENTS_TOKEN", TOKEN)];
    let (status, said) = start_in_vain(&[], &both);
    assert!(!status.success() && said.contains("is for one purpose") && !said.contains(TOKEN), "{said}");
}
