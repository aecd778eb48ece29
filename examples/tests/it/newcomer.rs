//! `cargo run`, then the printed curl line: 201, and the two rows.

use std::process::Command;

use fastcore_leads::{LeadInbox, RequestId, testing::postgres::Cluster};
use fastcore_leads_store_sqlx::SqliteLeadStore;
use serde_json::Value;
use uuid::Uuid;

use crate::service::Service;

/// Pastes the line into a shell; answers the request id that was sent, the head and the body of the answer.
fn paste_curl(service: &Service) -> (Uuid, String, Value) {
    let line = service.banner.lines().find(|line| line.trim_start().starts_with("curl ")).unwrap();
    let output = Command::new("sh").args(["-c", line]).output().expect("curl is installed: run ./test");
    let text = String::from_utf8(output.stdout).unwrap();
    let (head, body) = text.split_once("\r\n\r\n").unwrap_or_else(|| panic!("{text}"));
    let sent = &line[line.find("-d '").unwrap() + 4..line.rfind('\'').unwrap()];
    let sent: Value = serde_json::from_str(sent).unwrap();
    let id = sent["meta"]["request_id"].as_str().unwrap().parse().unwrap();
    (id, head.to_owned(), serde_json::from_str(body).unwrap())
}

#[tokio::test]
async fn with_nothing_set_the_printed_line_makes_a_lead_in_a_sqlite_file() {
    for framework in ["axum", "warp"] {
        let service = Service::start_with(&["--framework", framework], &[]);
        assert!(service.banner.contains("shown only now"));
        let (request_id, head, answer) = paste_curl(&service);
        assert!(head.starts_with("HTTP/1.1 201 "), "{head}");

        let file = service.dir.path().join("fastcore-leads.db");
        assert!(service.banner.contains(&file.display().to_string()), "{}", service.banner);
        let store = SqliteLeadStore::connect(&format!("sqlite:{}", file.display())).await.unwrap();
        let row = store.find(RequestId::new(request_id).unwrap()).await.unwrap().unwrap();
        let trail = store.audit_trail(row.id).await.unwrap();
        assert_eq!(answer["leadId"], row.id.to_string());
        assert_eq!(trail.len(), 1);
        assert_eq!(trail[0].created_at, row.created_at_utc);
        let answered: chrono::DateTime<chrono::Utc> = answer["timestamp"].as_str().unwrap().parse().unwrap();
        assert_eq!(answered, row.created_at_utc);

        let (_, head, again) = paste_curl(&service);
        assert!(head.contains("idempotency-replayed: true"), "{head}");
        assert_eq!(again, answer);
    }
}

#[test]
fn the_same_on_postgresql() {
    let url = Cluster::shared().database();
    let service = Service::start_with(&["--database-url", &url.replace("postgres://", "postgresql+psycopg2://")], &[]);
    assert!(!service.banner.contains("postgres@"), "no user, no password: {}", service.banner);
    let (request_id, head, answer) = paste_curl(&service);
    assert!(head.starts_with("HTTP/1.1 201 "), "{head}");
    let rows = Cluster::shared().psql(
        &url,
        &format!(
            "SELECT l.id, a.lead_id, to_char(l.created_at_utc AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS.US\"Z\"'),
                    a.created_at_utc = l.created_at_utc, a.event
               FROM lead_inbox l JOIN audit_log a ON a.request_id = l.request_id
              WHERE l.request_id = '{request_id}'"
        ),
    );
    let (id, timestamp) = (answer["leadId"].as_str().unwrap(), answer["timestamp"].as_str().unwrap());
    assert_eq!(rows, format!("{id}|{id}|{timestamp}|t|LEAD_RECEIVED"));
    assert!(service.logs().contains("fsync is off"), "the start-up check warns: {}", service.logs());
}

#[test]
fn the_sample_file_is_the_librarys_sample() {
    assert_eq!(include_str!("../../sample-lead.json"), fastcore_leads::SAMPLE_LEAD);
}
