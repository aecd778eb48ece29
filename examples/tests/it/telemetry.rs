//! Metrics and traces: what operators see, and what nobody sees.

use std::{
    fs,
    sync::{Arc, Mutex},
};

use axum::{Router, body::Bytes, extract::State, routing::post};
use fastcore_leads::testing::{
    TOKEN, TempDir, body,
    http::{Server, exchange, lead_request},
    log,
    postgres::Cluster,
};
use opentelemetry_proto::tonic::{collector::trace::v1::ExportTraceServiceRequest, trace::v1::Span};
use prost::Message;

use crate::{
    outage::until,
    service::Service,
    visitor::{Visitor, filled},
};

/// What came to an OTLP collector, as it came.
type Received = Arc<Mutex<Vec<Bytes>>>;

/// A collector, and what to set so that spans are sent there.
async fn collector() -> (Server, Received, String) {
    async fn keep(State(received): State<Received>, body: Bytes) {
        received.lock().unwrap().push(body);
    }
    let received = Received::default();
    let router = Router::new().route("/v1/traces", post(keep)).with_state(Arc::clone(&received));
    let server = Server::spawn(|listener| async move { axum::serve(listener, router).await.unwrap() }).await;
    let endpoint = format!("http://{}", server.address);
    (server, received, endpoint)
}

fn spans(received: &Received) -> Vec<Span> {
    let received = received.lock().unwrap();
    let requests = received.iter().map(|bytes| ExportTraceServiceRequest::decode(bytes.clone()).unwrap());
    requests
        .flat_map(|request| request.resource_spans)
        .flat_map(|resource| resource.scope_spans)
        .flat_map(|scope| scope.spans)
        .collect()
}

fn find<'a>(spans: &'a [Span], name: &str) -> Vec<&'a Span> {
    spans.iter().filter(|span| span.name == name).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_trace_leads_from_the_site_to_the_committed_row() {
    const CALLER: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
    for framework in ["axum", "warp"] {
        let (_collector, received, endpoint) = collector().await;
        let variables = [("FASTCORE_SITE_INGEST_TOKEN", TOKEN), ("OTEL_EXPORTER_OTLP_ENDPOINT", &endpoint)];
        let mut service = Service::start_with(&["--site", "--framework", framework], &variables);
        let visitor = Visitor::new(service.address);
        assert_eq!(visitor.post(&filled(&visitor.open().await)).await.status, 303);
        let state = "tracestate: visitor=203.0.113.99\r\n";
        let traced = format!("POST /inbound/leads HTTP/1.1\r\ntraceparent: {CALLER}\r\n{state}");
        let request = String::from_utf8(lead_request(&body())).unwrap();
        let request = request.replace("POST /inbound/leads HTTP/1.1\r\n", &traced);
        assert_eq!(exchange(service.address, request.as_bytes()).await.status, 201);
        // What is left is sent before the end.
        service.signal("-TERM");
        assert!(service.wait().success(), "{}", service.logs());

        let spans = spans(&received);
        let site = find(&spans, "POST /api/forms/contact")[0];
        let forward = find(&spans, "forward lead")[0];
        let endpoints = find(&spans, "POST /inbound/leads");
        let endpoint = endpoints.iter().find(|span| span.trace_id == site.trace_id).expect("one trace all the way");
        assert_eq!(forward.parent_span_id, site.span_id);
        assert_eq!(endpoint.parent_span_id, forward.span_id);
        let taken_over = endpoints.iter().find(|span| span.trace_id != site.trace_id).unwrap();
        assert!(CALLER.contains(&hexadecimal(&taken_over.trace_id)));
        assert!(CALLER.contains(&hexadecimal(&taken_over.parent_span_id)));
        assert!(spans.iter().all(|span| span.events.is_empty()), "log lines stay in the log");
        assert!(spans.iter().all(|span| span.trace_state.is_empty()), "what a client wrote is not passed on");
        let batches = find(&spans, "lead batch");
        let links: Vec<_> = batches.iter().flat_map(|span| &span.links).map(|link| &link.span_id).collect();
        for endpoint in endpoints {
            assert!(links.contains(&&endpoint.span_id), "a transaction's span links to those of its requests");
        }
    }
}

fn hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_collector_that_is_away_harms_nobody() {
    let variables = [("FASTCORE_SITE_INGEST_TOKEN", TOKEN), ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:9")];
    let mut service = Service::start_with(&[], &variables);
    assert_eq!(exchange(service.address, &lead_request(&body())).await.status, 201);
    service.signal("-TERM");
    assert!(service.wait().success(), "{}", service.logs());
}

#[tokio::test(flavor = "multi_thread")]
async fn the_address_of_a_visitor_is_nowhere() {
    const ADDRESSES: [&str; 2] = ["203.0.113.177", "2001:db8:77:88:99:aa:bb:cc"];
    const AGENT: &str = "CanaryBrowser/77.88";
    let cluster = Cluster::shared();
    for (framework, url) in [("axum", "sqlite:leads.db".to_owned()), ("warp", cluster.database())] {
        let (_collector, received, endpoint) = collector().await;
        let variables =
            [("FASTCORE_SITE_INGEST_TOKEN", TOKEN), ("OTEL_EXPORTER_OTLP_ENDPOINT", &endpoint), ("RUST_LOG", "trace")];
        let options = ["--site", "--framework", framework, "--database-url", &url, "--trusted-proxies", "127.0.0.1"];
        // One after another: delivered at once; kept on disk, where FASTCore is away; refused.
        let away = [&options[..], &["--fastcore-base-url", "http://127.0.0.1:9"]].concat();
        let mut seen: Vec<(String, Vec<u8>)> = Vec::new();
        for options in [&options[..], &away] {
            let mut service = Service::start_with(options, &variables);
            for address in ADDRESSES {
                let visitor = Visitor::new(service.address)
                    .with("x-forwarded-for", address)
                    .with("forwarded", &format!("for=\"{address}\""))
                    .with("user-agent", AGENT)
                    .with("traceparent", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01")
                    .with("tracestate", &format!("visitor={AGENT}"));
                assert_eq!(visitor.post(&filled(&visitor.open().await)).await.status, 303);
                assert_eq!(visitor.post(&[("name", "x")]).await.status, 422);
                seen.push(("metrics".to_owned(), visitor.get("/metrics").await.body));
                seen.push(("page".to_owned(), visitor.get("/").await.body));
            }
            service.signal("-TERM");
            assert!(service.wait().success());
            collect(service.dir.path(), &mut seen);
        }
        for bytes in received.lock().unwrap().iter() {
            seen.push(("trace".to_owned(), bytes.to_vec()));
        }
        if url.starts_with("postgres") {
            for table in ["lead_inbox", "audit_log"] {
                let rows = cluster.psql(&url, &format!("SELECT to_jsonb(t) FROM {table} t"));
                assert!(rows.contains("jean@example.com") || rows.contains("LEAD_RECEIVED"), "{rows}");
                seen.push((table.to_owned(), rows.into_bytes()));
            }
        }
        for kind in ["log", "metrics", "trace", ".json"] {
            assert!(seen.iter().any(|(name, _)| name.ends_with(kind)), "{kind} was looked at");
        }
        for (name, bytes) in &seen {
            let text = String::from_utf8_lossy(bytes);
            for canary in ADDRESSES.iter().chain(&[AGENT, "2001:db8:77:88"]) {
                assert!(!text.contains(canary), "{framework}: {canary} is in {name}");
            }
        }
    }
}

/// Every file of a folder and those below.
fn collect(folder: &std::path::Path, seen: &mut Vec<(String, Vec<u8>)>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            collect(&path, seen);
        } else {
            seen.push((path.display().to_string(), fs::read(path).unwrap()));
        }
    }
}

/// With the site, a service level, and a destination where nobody listens.
pub(crate) fn service_with_all_its_parts(url: &str, driver: &str) -> (Service, TempDir) {
    let dir = TempDir::new();
    let file = dir.path().join("destinations.toml");
    fs::write(dir.path().join("keys"), "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw").unwrap();
    let nobody = "[[destination]]\nname = \"crm\"\nwebhook = \"http://127.0.0.1:9/\"\nkeys_file = \"keys\"\n\
                  [service_level]\nhours = 4\ntime_zone = \"Europe/Paris\"\n";
    fs::write(&file, nobody).unwrap();
    fs::write(dir.path().join("audit.keys"), log::key().reveal()).unwrap();
    fs::create_dir(dir.path().join("published")).unwrap();
    let path = |name: &str| dir.path().join(name).to_str().unwrap().to_owned();
    let (keys, published) = (path("audit.keys"), path("published"));
    let seals = ["--audit-keys", &keys, "--publish", &published];
    let (site, told) = (["--site", "--site-min-fill-ms", "0"], ["--destinations", file.to_str().unwrap()]);
    let options = [&site[..], &told, &seals, &["--database-url", url, "--driver", driver]].concat();
    (Service::start(&options), dir)
}

#[tokio::test(flavor = "multi_thread")]
async fn metrics_tell_what_dashboard_and_alarms_ask_for() {
    let cluster = Cluster::shared();
    for driver in ["sqlx", "diesel"] {
        let (service, _destinations) = service_with_all_its_parts(&cluster.database(), driver);
        let visitor = Visitor::new(service.address);
        let measured = async || String::from_utf8(visitor.get("/metrics").await.body).unwrap();
        until("the destination is known", async || measured().await.contains("fastcore_leads_deliveries_due")).await;
        assert_eq!(visitor.post(&filled(&visitor.open().await)).await.status, 303);
        assert_eq!(exchange(service.address, &lead_request(&body())).await.status, 201);
        let has_tried = async || {
            let said = measured().await;
            [
                "fastcore_leads_delivery_duration_seconds",
                "fastcore_leads_oldest_unanswered_seconds",
                "fastcore_leads_audit_lag_seconds",
            ]
            .iter()
            .all(|name| said.contains(name))
        };
        until("the destination was tried", has_tried).await;
        let answer = visitor.get("/metrics").await;
        assert_eq!(answer.header("content-type"), Some("text/plain; version=0.0.4; charset=utf-8"));
        let text = String::from_utf8(answer.body).unwrap();
        for line in [
            "fastcore_leads_ingest_total{outcome=\"received\"} 2",
            "fastcore_site_posts_total{outcome=\"accepted\"} 1",
            "fastcore_site_forward_attempts_total{result=\"delivered\"} 1",
            "fastcore_site_spool_leads 0",
            "fastcore_http_requests_total{route=\"/inbound/leads\",method=\"POST\",status=\"201\"} 2",
            "fastcore_pool_connections{state=\"max\"} 30",
            "fastcore_leads_commit_duration_seconds_bucket{le=\"+Inf\"}",
            "fastcore_leads_batch_leads_bucket{le=\"1\"}",
            "fastcore_leads_delivery_attempts_total{destination=\"crm\",result=\"failed\"}",
            "fastcore_leads_destination_paused{destination=\"crm\"} 0",
        ] {
            assert!(text.contains(line), "{line} is missing: {text}");
        }
        // What was never counted is not listed; everything else is there.
        for file in ["grafana-dashboard.json", "alerts.yml"] {
            let asked = fs::read_to_string(format!("{}/ops/{file}", env!("CARGO_MANIFEST_DIR"))).unwrap();
            // Series that an alarm names by a label are there from the start: an increase is seen from the first event on.
            for (at, _) in asked.match_indices("fastcore_") {
                let rest = &asked[at..];
                let series = rest.split('}').next().unwrap();
                let selects = series.find('{').is_some_and(|brace| {
                    series[..brace].chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
                        && !series[brace..].contains('~')
                });
                if selects && !series.contains("!=") && file == "alerts.yml" {
                    assert!(text.contains(&format!("{series}}}")), "{file} asks for {series}}}, which nobody reports");
                }
            }
            let mut names = 0;
            for (at, _) in asked.match_indices("fastcore_") {
                let is_name = |c: char| c.is_ascii_alphanumeric() || c == '_';
                let name = asked[at..].split(|c| !is_name(c)).next().unwrap();
                let bare = name.trim_end_matches("_bucket").trim_end_matches("_sum").trim_end_matches("_count");
                assert!(text.contains(&format!("# TYPE {bare} ")), "{file} asks for {name}, which nobody reports");
                names += 1;
            }
            assert!(names > 5, "{file}");
        }
    }
}
