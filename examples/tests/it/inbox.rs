//! The inbox of the service, in both frameworks and over both databases.

use std::net::SocketAddr;

use fastcore_leads::testing::{
    TOKEN, TempDir, body,
    http::{Answer, exchange, lead_request},
    postgres::Cluster,
};

use crate::service::{Service, start_in_vain};

const MARIE: &str = "a-token-of-marie-0123456789";
const CRM: &str = "a-token-of-the-crm-0123456789";

fn start(options: &[&str]) -> Service {
    let operators = format!("marie={MARIE}, crm:read={CRM}");
    Service::start_with(options, &[("FASTCORE_SITE_INGEST_TOKEN", TOKEN), ("FASTCORE_OPERATOR_TOKENS", &operators)])
}

async fn ask(address: SocketAddr, method: &str, target: &str, token: &str, body: &str) -> Answer {
    let head = format!(
        "{method} {target} HTTP/1.1\r\nhost: x\r\nconnection: close\r\nauthorization: Bearer {token}\r\n\
         content-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    );
    exchange(address, head.as_bytes()).await
}

#[tokio::test(flavor = "multi_thread")]
async fn the_staff_works_with_leads_in_their_names() {
    for (framework, driver, is_postgres, path) in
        [("axum", "sqlx", true, "/staff"), ("warp", "diesel", false, "/our/desk")]
    {
        let dir = TempDir::new();
        let url = if is_postgres { Cluster::shared().database() } else { dir.sqlite_url() };
        let service =
            start(&["--database-url", &url, "--driver", driver, "--framework", framework, "--staff-path", path]);
        let at = service.address;
        let posted = exchange(at, &lead_request(&body())).await.json();
        let id = posted["leadId"].as_str().unwrap();
        let get = async |target: &str, token: &str| ask(at, "GET", &format!("{path}{target}"), token, "").await;

        let masked = get("/inbound/leads", CRM).await.json();
        assert_eq!((&masked["leads"][0]["id"], &masked["leads"][0]["name"]), (&posted["leadId"], &"J***".into()));
        let lead = get(&format!("/inbound/leads/{id}"), MARIE).await.json();
        assert_eq!(lead["lead"]["email"], body()["email"]);
        let step = r#"{"from":"received","to":"processing"}"#;
        let target = format!("{path}/inbound/leads/{id}/status");
        assert_eq!(ask(at, "POST", &target, CRM, step).await.json()["error"], "scope_missing");
        assert_eq!(ask(at, "POST", &target, MARIE, step).await.json()["status"], "processing");
        // What cannot be undone has to be asked for.
        let erase = ask(at, "DELETE", &format!("{path}/inbound/leads/{id}"), MARIE, "").await;
        assert_eq!(erase.json()["error"], "scope_missing");
        let trail = get(&format!("/inbound/leads/{id}?reveal=false"), MARIE).await.json()["trail"].clone();
        let told = |row: usize| (trail[row]["event"].as_str().unwrap(), trail[row]["actor"].as_str().unwrap());
        assert_eq!([told(1), told(2)], [("LEAD_REVEALED", "marie"), ("LEAD_PROCESSED", "marie")]);
        let file = get("/inbound/leads.csv", MARIE).await;
        assert!(String::from_utf8_lossy(&file.body).contains(body()["email"].as_str().unwrap()));
        assert_eq!(get("/inbound/leads/counts", CRM).await.json()["by_status"]["processing"], 1);
        assert_eq!(get("/inbound/leads", TOKEN).await.json()["error"], "scope_missing");
        assert_eq!(get("/openapi.json", "").await.json()["servers"][0]["url"], path);

        // The ingest stays what it is, and is for the site alone.
        assert_eq!(ask(at, "GET", "/inbound/leads", MARIE, "").await.status, 405);
        let with_operators_token = String::from_utf8(lead_request(&body())).unwrap().replace(TOKEN, MARIE);
        assert_eq!(exchange(at, with_operators_token.as_bytes()).await.json()["error"], "scope_missing");
        let metrics = ask(at, "GET", "/metrics", "", "").await;
        assert!(String::from_utf8_lossy(&metrics.body).contains(r#"route="inbox""#));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn without_an_operators_token_there_is_no_inbox() {
    let service = Service::start(&[]);
    for target in ["/staff/inbound/leads", "/staff/openapi.json"] {
        assert_eq!(ask(service.address, "GET", target, TOKEN, "").await.status, 404);
    }
}

#[test]
fn tokens_that_cannot_be_meant_are_refused() {
    let two = format!("marie={MARIE},jean={MARIE}");
    let unknown = format!("marie:read+everything={MARIE}");
    let poster = format!("marie:ingest={MARIE}");
    let nameless = format!("={MARIE}");
    let ingest = format!("marie={TOKEN}");
    for (value, said) in [
        ("", "FASTCORE_OPERATOR_TOKENS is blank"),
        (MARIE, "entry 1: write it as name=token"),
        (&nameless, "entry 1: an actor's name"),
        (&unknown, "entry 1: its scopes are read, reveal, work and erase"),
        (&poster, "entry 1: its scopes are read, reveal, work and erase"),
        ("marie=short", "FASTCORE_OPERATOR_TOKENS: a token is shorter"),
        (&two, "names one person"),
        (&ingest, "holds a token of FASTCORE_SITE_INGEST_TOKEN"),
    ] {
        let variables = [("FASTCORE_SITE_INGEST_TOKEN", TOKEN), ("FASTCORE_OPERATOR_TOKENS", value)];
        let (status, told) = start_in_vain(&[], &variables);
        assert!(!status.success() && told.contains(said), "{value}: {told}");
        assert!(!told.contains(MARIE) && !told.contains(TOKEN), "{told}");
    }
    for path in ["staff", "/", "/staff/", "/inbound", "/healthz", "/readyz/x", "/metrics", "/a b"] {
        let (status, told) = start_in_vain(&["--staff-path", path], &[("FASTCORE_SITE_INGEST_TOKEN", TOKEN)]);
        assert!(!status.success() && told.contains("not a path such as /staff"), "{path}: {told}");
    }
}
