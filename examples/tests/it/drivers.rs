//! Two drivers on one database: the same tables, the same bookkeeping, the same answers.

use std::sync::Arc;

use fastcore_leads::{
    Actor, Insertion, LeadDatabase, NewLead, StoreError,
    testing::{
        TempDir, body,
        http::{exchange, lead_request},
        parse,
        postgres::Cluster,
    },
};
use fastcore_leads_store_diesel as diesel_store;
use fastcore_leads_store_sqlx as sqlx_store;
use serde_json::Value;
use tokio::task::JoinSet;

use crate::service::Service;

type Store = Arc<dyn LeadDatabase>;

async fn sqlx(url: &str) -> Result<Store, StoreError> {
    Ok(if url.starts_with("postgres") {
        Arc::new(sqlx_store::PgLeadStore::connect(url).await?)
    } else {
        Arc::new(sqlx_store::SqliteLeadStore::connect(url).await?)
    })
}

async fn diesel(url: &str) -> Result<Store, StoreError> {
    Ok(if url.starts_with("postgres") {
        Arc::new(diesel_store::PgLeadStore::connect(url).await?)
    } else {
        Arc::new(diesel_store::SqliteLeadStore::connect(url).await?)
    })
}

fn new(body: &Value) -> NewLead {
    NewLead::new(parse(body), Actor::SITE_INGEST)
}

#[tokio::test]
async fn what_one_driver_wrote_the_other_reads_replays_and_refuses() {
    for is_sqlx_first in [true, false] {
        let dir = TempDir::new();
        for url in [Cluster::shared().database(), dir.sqlite_url()] {
            let (a, b) = (sqlx(&url).await.unwrap(), diesel(&url).await.unwrap());
            let (one, other) = if is_sqlx_first { (a, b) } else { (b, a) };
            one.migrate().await.unwrap();
            other.ready().await.unwrap();
            other.migrate().await.unwrap();
            one.migrate().await.unwrap();

            let mut sent = body();
            sent["message"] = "Zoë 🙂 « voilà » \n\t'\"\\ assez long".into();
            sent["meta"]["suspicion"] = serde_json::json!(["honeypot"]);
            let first = new(&sent);
            assert_eq!(one.insert(std::slice::from_ref(&first)).await.unwrap(), [Insertion::Inserted]);
            let replayed = other.insert(&[new(&sent)]).await.unwrap();
            assert_eq!(replayed, [Insertion::Replayed(first.receipt())]);
            let row = other.get(first.id()).await.unwrap();
            assert!(row.is_some());
            assert_eq!(row, one.get(first.id()).await.unwrap());
            assert_eq!(other.audit_trail(first.id()).await.unwrap(), one.audit_trail(first.id()).await.unwrap());
            sent["name"] = "Somebody Else".into();
            assert_eq!(other.insert(&[new(&sent)]).await.unwrap(), [Insertion::Conflict]);
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn two_services_race_a_thousand_requests() {
    const REQUESTS: usize = 1000;
    const CLIENTS: usize = 16;
    let url = Cluster::shared().database();
    let services = [
        Service::start(&["--database-url", &url, "--driver", "sqlx", "--framework", "axum"]),
        Service::start(&["--database-url", &url, "--driver", "diesel", "--framework", "warp"]),
    ];
    let requests: Arc<Vec<_>> = Arc::new((0..REQUESTS).map(|_| lead_request(&body())).collect());
    let mut clients = JoinSet::new();
    for client in 0..CLIENTS {
        let (address, requests) = (services[client % 2].address, Arc::clone(&requests));
        clients.spawn(async move {
            let mut answers = Vec::new();
            for request in requests.iter() {
                let answer = exchange(address, request).await;
                assert_eq!(answer.status, 201);
                answers.push((answer.header("idempotency-replayed").is_none(), answer.body));
            }
            answers
        });
    }
    let answers = clients.join_all().await;
    for i in 0..REQUESTS {
        let first = answers.iter().filter(|client| client[i].0).count();
        assert_eq!(first, 1, "one answer without the replay header");
        assert!(answers.iter().all(|client| client[i].1 == answers[0][i].1), "all answers are the same");
    }
    let counts = "SELECT (SELECT count(*) FROM lead_inbox), (SELECT count(*) FROM audit_log)";
    assert_eq!(Cluster::shared().psql(&url, counts), format!("{REQUESTS}|{REQUESTS}"));
}

#[test]
fn sqlite_is_the_one_that_is_compiled_in() {
    let version = libsqlite3_sys::SQLITE_VERSION_NUMBER;
    assert!(version >= 3_051_003, "{version} has the WAL-reset fault");
}

/// Where it is known why, and the driver that has no such trouble says nothing.
#[tokio::test(flavor = "multi_thread")]
async fn sqlx_says_what_encryption_costs_it_on_one_machine() {
    let cluster = Cluster::start_encrypted();
    let url = cluster.database();
    for (driver, parameters, is_told) in
        [("sqlx", "", true), ("sqlx", "?sslmode=disable", false), ("diesel", "", false)]
    {
        let service = Service::start(&["--database-url", &format!("{url}{parameters}"), "--driver", driver]);
        assert_eq!(exchange(service.address, &lead_request(&body())).await.status, 201);
        assert_eq!(service.logs().contains("set sslmode=disable"), is_told, "{driver}{parameters}: {}", service.logs());
    }
    // Without encryption there is nothing to say.
    let service = Service::start(&["--database-url", &Cluster::shared().database(), "--driver", "sqlx"]);
    assert!(!service.logs().contains("set sslmode=disable"), "{}", service.logs());
}
