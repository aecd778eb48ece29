//! Leads that are listed, shown, counted, and handed out as files.

use std::sync::atomic::AtomicUsize;

use serde_json::{Value, json};
use uuid::Uuid;

use super::super::{
    client::{ask, try_exchange},
    stores::{Failing, Panicking},
};
use super::{CHIEF, CLERK, ServeInbox, assert_problem, get, post, receive, receive_suspicious, tokens};
use crate::{
    audit::{Actor, LEAD_REVEALED, LEADS_EXPORTED},
    endpoint::{InboxEndpoint, InboxProblem},
    inbox::Disclosure,
    store::{LeadInbox, LeadStore, MemoryLeadStore, NewLead},
    testing::{body, parse},
    time,
};

/// The newest first, each once, as the filter says, and masked.
pub async fn a_list_is_handed_out_page_by_page(serve: ServeInbox) {
    let store = MemoryLeadStore::new();
    let mut expected = Vec::new();
    for i in 0..5 {
        let source = if i % 2 == 0 { "even.example" } else { "odd.example" };
        expected.insert(0, receive(&store, source).await.to_string());
    }
    let server = serve(InboxEndpoint::new(store, tokens())).await;
    for limit in [1, 2, 5, 1000] {
        let (mut seen, mut after) = (Vec::new(), String::new());
        loop {
            let page = get(&server, &format!("/inbound/leads?limit={limit}{after}"), CLERK).await;
            let leads = page["leads"].as_array().expect("a list");
            assert!(leads.len() <= limit);
            assert!(leads.iter().all(|lead| lead["email"] == "jea***" && lead["name"] == "J***"), "{leads:?}");
            seen.extend(leads.iter().map(|lead| lead["id"].as_str().expect("an id").to_owned()));
            match page["next"].as_str() {
                Some(next) => after = format!("&after={next}"),
                None => break,
            }
        }
        assert_eq!(seen, expected);
    }
    let ids = async |query: &str| -> Vec<String> {
        let page = get(&server, &format!("/inbound/leads?{query}"), CLERK).await;
        let leads = page["leads"].as_array().expect("a list");
        leads.iter().map(|lead| lead["id"].as_str().expect("an id").to_owned()).collect()
    };
    assert_eq!(ids("source=odd%2Eexample").await, [expected[1].clone(), expected[3].clone()]);
    assert_eq!(ids("source=odd.example&source=even.example&status=received&status=archived").await, expected);
    assert!(ids("status=archived").await.is_empty());
    assert!(ids("to=2020-01-01").await.is_empty());
    assert_eq!(ids("from=2020-01-01T00:00:00%2B01:00").await, expected);
}

/// Whatever an operator has at hand; and a guess finds nothing.
pub async fn a_lead_is_found_by_its_id_and_by_its_request(serve: ServeInbox) {
    let store = MemoryLeadStore::new();
    let id = receive(&store, "site.example").await;
    let lead = store.get(id).await.expect("get").expect("it is there");
    let server = serve(InboxEndpoint::new(store, tokens())).await;
    for id in [lead.id.to_string(), lead.request_id.to_string()] {
        let found = get(&server, &format!("/inbound/leads/{id}"), CLERK).await;
        assert_eq!(found["lead"], Disclosure::Masked.lead(&lead));
        assert_eq!(found["trail"][0]["event"], "LEAD_RECEIVED");
    }
    let nobody = Uuid::now_v7().to_string();
    for id in [nobody.as_str(), "1", "..", "%2e%2e", "' OR 1=1 --".replace(' ', "%20").as_str()] {
        let answer = ask(server.address, "GET", &format!("/inbound/leads/{id}"), CLERK, None).await;
        assert_problem(&answer, InboxProblem::LeadNotFound);
    }
}

/// Before it is shown: once for each lead and reader, and only where it is shown.
pub async fn who_may_see_all_sees_it_and_is_noted(serve: ServeInbox) {
    let store = MemoryLeadStore::new();
    let id = receive(&store, "site.example").await;
    let server = serve(InboxEndpoint::new(store.clone(), tokens())).await;
    let lead = format!("/inbound/leads/{id}");
    let revealed = async || {
        let trail = store.audit_trail(id).await.expect("a trail");
        let rows = trail.iter().filter(|record| record.event == LEAD_REVEALED);
        rows.map(|record| record.actor.clone()).collect::<Vec<_>>()
    };
    get(&server, &lead, CLERK).await;
    get(&server, &format!("{lead}?reveal=false"), CHIEF).await;
    get(&server, "/inbound/leads?reveal=false", CHIEF).await;
    get(&server, "/inbound/leads.csv?reveal=false", CHIEF).await;
    assert!(revealed().await.is_empty(), "nobody has seen more than the mask");
    for target in [lead.as_str(), "/inbound/leads", "/inbound/leads.jsonl"] {
        let answer = ask(server.address, "GET", &format!("{target}?reveal=true"), CLERK, None).await;
        assert_problem(&answer, InboxProblem::ScopeMissing);
    }
    let seen = get(&server, &lead, CHIEF).await;
    assert_eq!((&seen["lead"]["email"], &seen["lead"]["message"]), (&body()["email"], &body()["message"]));
    assert_eq!(get(&server, "/inbound/leads", CHIEF).await["leads"][0]["phone"], body()["phone"]);
    let noted = revealed().await;
    // A new hour may have begun in between.
    assert!((1..=2).contains(&noted.len()) && noted.iter().all(|actor| actor == "chief"), "{noted:?}");

    // What cannot be noted is not shown: each asks for the leads first, and then goes to note them.
    let email = json!({"email": body()["email"]}).to_string();
    for (method, target, body) in [
        ("GET", lead.as_str(), None),
        ("GET", "/inbound/leads", None),
        ("GET", "/inbound/leads.csv", None),
        ("GET", "/inbound/leads.jsonl", None),
        ("POST", "/inbound/subjects/export", Some(email.as_str())),
    ] {
        let fails = Failing { store: store.clone(), calls: AtomicUsize::new(1) };
        let server = serve(InboxEndpoint::new(fails, tokens())).await;
        assert_problem(&ask(server.address, method, target, CHIEF, body).await, InboxProblem::Unavailable);
    }
}

/// More than one page of them, whole, and harmless in a spreadsheet.
pub async fn leads_are_handed_out_as_files(serve: ServeInbox) {
    let store = MemoryLeadStore::new();
    for batch in 0..3 {
        let leads: Vec<_> = (0..400)
            .map(|i| {
                let mut sent = body();
                sent["name"] = format!("=1+{batch}{i:03}").into();
                NewLead::new(parse(&sent), Actor::SITE_INGEST)
            })
            .collect();
        store.insert(&leads).await.expect("stored");
    }
    let server = serve(InboxEndpoint::new(store.clone(), tokens())).await;
    let csv = ask(server.address, "GET", "/inbound/leads.csv?status=received", CHIEF, None).await;
    assert_eq!((csv.status, csv.header("cache-control")), (200, Some("no-store")));
    assert_eq!(csv.header("content-type"), Some("text/csv; charset=utf-8; header=present"));
    assert_eq!(csv.header("content-disposition"), Some("attachment; filename=\"leads.csv\""));
    let text = String::from_utf8(csv.body).expect("UTF-8");
    assert_eq!(text.lines().next().map(|line| line.starts_with("\"id\",\"created_at_utc\"")), Some(true));
    assert_eq!(text.matches("\"'=1+").count(), 1200, "every name, none of them a formula");
    assert_eq!(text.matches("\"=").count(), 0);

    let lines = ask(server.address, "GET", "/inbound/leads.jsonl", CLERK, None).await;
    assert_eq!((lines.status, lines.header("content-type")), (200, Some("application/jsonl")));
    let rows: Vec<Value> = lines
        .body
        .split(|byte| *byte == b'\n')
        .filter(|line| !line.is_empty())
        .map(|line| serde_json::from_slice(line).expect("JSON"))
        .collect();
    assert_eq!(rows.len(), 1200);
    assert!(rows.iter().all(|row| row["name"] == "=***" && row["email"] == "jea***"));
    let rows: Vec<_> = store.audit_log().into_iter().filter(|row| row.lead_id.is_none()).collect();
    assert_eq!(rows.len(), 1, "the file in clear is noted, in one row");
    assert_eq!((rows[0].event.as_str(), rows[0].actor.as_str()), (LEADS_EXPORTED, "chief"));
    assert_eq!(rows[0].details, json!({"format": "csv", "filter": ["status"]}), "what was asked for, without a value");
}

/// The database goes away after the first page was sent: the connection is cut.
pub async fn a_file_that_breaks_off_is_not_taken_for_whole(serve: ServeInbox) {
    let store = MemoryLeadStore::new();
    for _ in 0..3 {
        let leads: Vec<_> = (0..400).map(|_| NewLead::new(crate::testing::lead(), Actor::SITE_INGEST)).collect();
        store.insert(&leads).await.expect("stored");
    }
    for format in ["csv", "jsonl"] {
        let fails = Failing { store: store.clone(), calls: AtomicUsize::new(2) };
        let server = serve(InboxEndpoint::new(fails, tokens())).await;
        let request = format!(
            "GET /inbound/leads.{format} HTTP/1.1\r\nhost: x\r\nconnection: close\r\nauthorization: Bearer {CLERK}\r\n\r\n"
        );
        let got = try_exchange(server.address, request.as_bytes()).await.expect_err("it is not whole");
        assert!(got.starts_with(b"HTTP/1.1 200"), "{}", String::from_utf8_lossy(&got));
    }
}

/// Nor one whose sender panics.
pub async fn a_file_whose_sender_panics_is_not_taken_for_whole(serve: ServeInbox) {
    let store = MemoryLeadStore::new();
    for _ in 0..2 {
        let leads: Vec<_> = (0..400).map(|_| NewLead::new(crate::testing::lead(), Actor::SITE_INGEST)).collect();
        store.insert(&leads).await.expect("stored");
    }
    let server = serve(InboxEndpoint::new(Panicking { store, calls: AtomicUsize::new(1) }, tokens())).await;
    let request = format!(
        "GET /inbound/leads.jsonl HTTP/1.1\r\nhost: x\r\nconnection: close\r\nauthorization: Bearer {CLERK}\r\n\r\n"
    );
    try_exchange(server.address, request.as_bytes()).await.expect_err("it is not whole");
}

/// What is held back, too; of a range of days.
pub async fn leads_are_counted(serve: ServeInbox) {
    let store = MemoryLeadStore::new();
    receive(&store, "a.example").await;
    receive(&store, "b.example").await;
    receive_suspicious(&store).await;
    let server = serve(InboxEndpoint::new(store, tokens())).await;
    let counts = get(&server, "/inbound/leads/counts", CLERK).await;
    assert_eq!(counts["leads"], 3);
    assert_eq!(counts["by_status"], json!({"received": 2, "quarantined": 1}));
    assert_eq!(counts["by_source"]["a.example"], 1);
    let days = counts["by_day"].as_object().expect("days");
    assert_eq!(days.values().filter_map(Value::as_u64).sum::<u64>(), 3);
    let received = get(&server, "/inbound/leads/counts?status=received&source=b.example", CLERK).await;
    assert_eq!(received["leads"], 1);
    let before = get(&server, "/inbound/leads/counts?from=2020-01-01&to=2020-12-31", CLERK).await;
    assert_eq!(before["leads"], 0);
    for query in ["from=2019-01-01&to=2021-01-01", "from=2020-01-02&to=2020-01-01", "limit=1"] {
        let answer = ask(server.address, "GET", &format!("/inbound/leads/counts?{query}"), CLERK, None).await;
        assert_problem(&answer, InboxProblem::InvalidQuery);
    }
}

/// Of all, and by service; and since when the one has waited that waits for longest.
pub async fn waits_are_told(serve: ServeInbox) {
    let store = MemoryLeadStore::new();
    let mut ids = Vec::new();
    for _ in 0..3 {
        ids.push(receive(&store, "site.example").await);
    }
    let server = serve(InboxEndpoint::new(store.clone(), tokens())).await;
    let step = json!({"from": "received", "to": "processing"});
    for id in &ids[..2] {
        assert_eq!(post(&server, &format!("/inbound/leads/{id}/status"), &step).await.status, 200);
    }
    let told = get(&server, "/inbound/leads/contact-times", CLERK).await;
    assert_eq!((&told["leads"], &told["contacted"]), (&json!(3), &json!(2)));
    let (median, p90) =
        (told["median_seconds"].as_u64().expect("a number"), told["p90_seconds"].as_u64().expect("a number"));
    assert!(median <= p90 && p90 < 3600, "{told}");
    let oldest = store.get(ids[2]).await.expect("get").expect("it is there").created_at_utc;
    assert_eq!(told["oldest_received"], time::format(oldest));
    let service = body()["service"].as_str().expect("a service").to_owned();
    assert_eq!(told["by_service"][&service]["contacted"], 2);
    let none = get(&server, "/inbound/leads/contact-times?from=2020-01-01&to=2020-01-02", CLERK).await;
    assert_eq!((&none["leads"], &none["median_seconds"]), (&json!(0), &json!(null)));
    for wrong in ["?status=received", "?from=2020-01-01", "?limit=1"] {
        let answer = ask(server.address, "GET", &format!("/inbound/leads/contact-times{wrong}"), CLERK, None).await;
        assert_problem(&answer, InboxProblem::InvalidQuery);
    }
}
