//! The pages as the service shows them: in both frameworks, over both databases.

use std::net::SocketAddr;

use fastcore_leads::testing::{
    TOKEN, TempDir, body,
    http::{Answer, exchange, lead_request},
    postgres::Cluster,
};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

use super::MARIE;
use crate::service::Service;

async fn ask(address: SocketAddr, method: &str, target: &str, cookie: &str, form: &str) -> Answer {
    let request = format!(
        "{method} {target} HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\ncookie: {cookie}\r\norigin: http://{address}\r\n\
         content-type: application/x-www-form-urlencoded\r\ncontent-length: {}\r\n\r\n{form}",
        form.len()
    );
    exchange(address, request.as_bytes()).await
}

#[tokio::test(flavor = "multi_thread")]
async fn the_staff_sees_leads_in_a_browser() {
    for (framework, driver, is_postgres) in [("axum", "diesel", true), ("warp", "sqlx", false)] {
        let dir = TempDir::new();
        let url = if is_postgres { Cluster::shared().database() } else { dir.sqlite_url() };
        let operators = format!("marie:read+reveal+work+erase={MARIE}");
        let mut service = Service::start_with(
            &["--database-url", &url, "--driver", driver, "--framework", framework, "--staff-path", "/our/desk"],
            &[("FASTCORE_SITE_INGEST_TOKEN", TOKEN), ("FASTCORE_OPERATOR_TOKENS", &operators)],
        );
        let at = service.address;
        let posted = exchange(at, &lead_request(&body())).await.json();
        let id = posted["leadId"].as_str().unwrap();
        assert_eq!(ask(at, "GET", "/our/desk", "", "").await.status, 303);
        let signed_in = ask(at, "POST", "/our/desk/sign-in", "", &format!("token={MARIE}")).await;
        let cookie = signed_in.header("set-cookie").unwrap().split(';').next().unwrap().to_owned();
        assert!(signed_in.header("set-cookie").unwrap().contains("Path=/our/desk;"));
        let text = async |method: &str, target: &str, form: &str| {
            let answer = ask(at, method, &format!("/our/desk{target}"), &cookie, form).await;
            (answer.status, String::from_utf8_lossy(&answer.body).into_owned())
        };
        let (_, list) = text("GET", "", "").await;
        assert!(list.contains(id) && list.contains("J***"), "{list}");
        let csrf = list.split("name=\"csrf\" value=\"").nth(1).unwrap().split('"').next().unwrap();
        let csrf = format!("csrf={csrf}");
        assert_eq!(text("POST", &format!("/leads/{id}/notes"), &format!("{csrf}&text=vu")).await.0, 303);
        assert_eq!(text("POST", &format!("/leads/{id}/reveal"), &csrf).await.0, 303);
        let (_, lead) = text("GET", &format!("/leads/{id}"), "").await;
        assert!(
            lead.contains("<p class=\"message\">vu</p>") && lead.contains(body()["name"].as_str().unwrap()),
            "{lead}"
        );
        // Nobody entered the lead into the index before.
        let found = loop {
            let (_, found) = text("POST", "/search", &format!("{csrf}&text=jean+dup")).await;
            if !found.contains("not in the index yet") {
                break found;
            }
        };
        assert!(found.contains(id), "{found}");
        let dashboard = text("GET", "/dashboard", "").await;
        assert!(dashboard.0 == 200 && dashboard.1.contains("<svg role=\"img\""));
        assert_eq!(text("POST", "/export", &csrf).await.1.matches('\n').count(), 2);
        assert_eq!(text("GET", "/assets/staff.css", "").await.0, 200);
        assert_eq!(text("GET", "/nothing", "").await.0, 404);
        // The API beside it is for tokens, whatever the cookie is.
        assert_eq!(text("GET", "/inbound/leads", "").await.0, 401);

        let metrics = ask(at, "GET", "/metrics", "", "").await;
        assert!(String::from_utf8_lossy(&metrics.body).contains("route=\"staff\""));

        // Who listens does not hold up a stop.
        let mut listening = TcpStream::connect(at).await.unwrap();
        let news = format!("GET /our/desk/live HTTP/1.1\r\nhost: x\r\ncookie: {cookie}\r\n\r\n");
        listening.write_all(news.as_bytes()).await.unwrap();
        let mut heard = Vec::new();
        while !String::from_utf8_lossy(&heard).contains(&format!("data: {id}")) {
            assert!(listening.read_buf(&mut heard).await.unwrap() > 0, "{}", String::from_utf8_lossy(&heard));
        }
        service.signal("-TERM");
        assert!(service.wait().success());
        let logs = service.logs();
        assert!(!logs.contains("connections that did not finish in time"), "{logs}");
    }
}
