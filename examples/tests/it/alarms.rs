//! The dashboard and the alarms of `examples/ops`, asked of a Prometheus that scrapes a service.

use std::{
    fs,
    net::SocketAddr,
    path::Path,
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use fastcore_leads::testing::{
    TempDir, body,
    http::{exchange, lead_request},
    postgres::Cluster,
};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::Value;

use crate::{
    outage::until,
    proxied::free_address,
    service::PATIENCE,
    telemetry::service_with_all_its_parts,
    visitor::{Visitor, filled},
};

const OPS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/ops");

fn installed(name: &str) -> String {
    let found = ["/usr/bin", "/usr/local/bin", "/opt/homebrew/bin"].map(|folder| format!("{folder}/{name}"));
    found
        .into_iter()
        .find(|path| Path::new(path).exists())
        .unwrap_or_else(|| panic!("{name} is missing: `apt-get install prometheus`, or run ./test, which installs it"))
}

/// A Prometheus of a test's own.
struct Prometheus {
    child: Child,
    address: SocketAddr,
    _dir: TempDir,
}

impl Prometheus {
    fn start(target: SocketAddr) -> Self {
        let address = free_address();
        let dir = TempDir::new();
        let config = dir.path().join("prometheus.yml");
        let text = format!(
            "global: {{ scrape_interval: 1s, evaluation_interval: 1s }}\nrule_files: [{OPS}/alerts.yml]\n\
             scrape_configs: [{{ job_name: fastcore-leads, static_configs: [{{ targets: [\"{target}\"] }}] }}]\n"
        );
        fs::write(&config, text).unwrap();
        let child = Command::new(installed("prometheus"))
            .arg(format!("--config.file={}", config.display()))
            .arg(format!("--storage.tsdb.path={}", dir.path().join("data").display()))
            .arg(format!("--web.listen-address={address}"))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        Self { child, address, _dir: dir }
    }

    async fn ask(&self, path: &str) -> Option<Value> {
        let request = format!("GET {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n");
        tokio::net::TcpStream::connect(self.address).await.ok()?;
        let answer = exchange(self.address, request.as_bytes()).await;
        serde_json::from_slice(&answer.body).ok()
    }

    /// What a query finds; the error where it is none.
    async fn query(&self, query: &str) -> Result<Vec<Value>, String> {
        let query = utf8_percent_encode(query, NON_ALPHANUMERIC);
        let answer = self.ask(&format!("/api/v1/query?query={query}")).await.ok_or("no answer")?;
        let found = answer["data"]["result"].as_array().cloned();
        found.filter(|_| answer["status"] == "success").ok_or_else(|| answer.to_string())
    }
}

impl Drop for Prometheus {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn each_alarm_is_raised_for_what_it_is_named_for() {
    let output =
        Command::new(installed("promtool")).args(["test", "rules", "alerts.test.yml"]).current_dir(OPS).output();
    let output = output.unwrap();
    let said = [output.stdout, output.stderr].concat();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&said));
    let [alarms, tests] =
        ["alerts.yml", "alerts.test.yml"].map(|name| fs::read_to_string(format!("{OPS}/{name}")).unwrap());
    for name in alarms.lines().filter_map(|line| line.trim().strip_prefix("- alert: ")) {
        let raised = format!("alertname: {name}\n        exp_alerts:\n");
        assert!(tests.contains(&raised), "nothing shows what raises {name}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_dashboard_finds_what_the_service_tells() {
    let (service, _destinations) = service_with_all_its_parts(&Cluster::shared().database(), "sqlx");
    let visitor = Visitor::new(service.address);
    assert_eq!(visitor.post(&filled(&visitor.open().await)).await.status, 303);
    let prometheus = Prometheus::start(service.address);
    let end = Instant::now() + PATIENCE;
    // Rates need two scrapes, with leads between.
    loop {
        assert_eq!(exchange(service.address, &lead_request(&body())).await.status, 201);
        let found = prometheus.query("rate(fastcore_leads_ingest_total{outcome=\"received\"}[1m]) > 0").await;
        if found.is_ok_and(|found| !found.is_empty()) {
            break;
        }
        assert!(Instant::now() < end, "nothing was scraped");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    let dashboard: Value =
        serde_json::from_str(&fs::read_to_string(format!("{OPS}/grafana-dashboard.json")).unwrap()).unwrap();
    let mut asked = 0;
    for panel in dashboard["panels"].as_array().unwrap() {
        for target in panel["targets"].as_array().into_iter().flatten() {
            let written = target["expr"].as_str().unwrap();
            let query = written.replace("$job", "fastcore-leads").replace("$__rate_interval", "1m");
            // What failed is told of once something did; all else is there as soon as it was looked at.
            let is_of_failures = written.contains("5..");
            let finds = async || {
                let found = prometheus.query(&query).await.unwrap_or_else(|error| panic!("{written}: {error}"));
                is_of_failures || !found.is_empty()
            };
            until(&format!("{written} finds something"), finds).await;
            asked += 1;
        }
    }
    assert!(asked > 15, "{asked}");
    // Each rule is evaluated, and none is raised by a service that is well.
    let rules = async || {
        let rules = prometheus.ask("/api/v1/rules").await?;
        let rules = rules["data"]["groups"][0]["rules"].as_array()?.clone();
        Some(rules).filter(|rules| !rules.is_empty() && rules.iter().all(|rule| rule["health"] != "unknown"))
    };
    until("the rules are evaluated", async || rules().await.is_some()).await;
    for rule in rules().await.unwrap() {
        assert!(rule["health"] == "ok" && rule["state"] != "firing", "{rule}");
    }
}
