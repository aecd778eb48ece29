//! Two services behind nginx and behind HAProxy, as `examples/ops` has them, while one after the other is restarted.

#![allow(clippy::print_stdout, reason = "figures of a long run")]

use std::{
    fs,
    net::SocketAddr,
    process::{Child, Command, Stdio},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use fastcore_leads::testing::{
    TempDir, body,
    databases::sql_of_a_newer_version,
    http::{exchange, lead_request},
    postgres::Cluster,
};
use tokio::task::JoinSet;

use crate::{
    proxied::{self, free_address},
    service::{PATIENCE, Service, get},
};

const SENDERS: usize = 4;

/// A proxy of a test's own.
struct Proxy {
    child: Child,
    address: SocketAddr,
    _dir: TempDir,
}

impl Proxy {
    /// Both write where they listen, and whom they speak to, into a file; so the one of `examples/ops` is taken, with other addresses.
    fn start(name: &str, services: [SocketAddr; 2]) -> Self {
        // Somebody else may take the port first: then another one.
        (0..5).find_map(|_| Self::at(free_address(), name, services)).unwrap_or_else(|| panic!("{name} does not start"))
    }

    fn at(address: SocketAddr, name: &str, services: [SocketAddr; 2]) -> Option<Self> {
        let dir = TempDir::new();
        let folder = dir.path().display();
        let file = if name == "nginx" { "nginx.conf" } else { "haproxy.cfg" };
        let kept = fs::read_to_string(format!("{}/ops/{file}", env!("CARGO_MANIFEST_DIR"))).unwrap();
        let mut config: String = kept
            .lines()
            .filter(|line| !line.contains("ssl_certificate"))
            .fold(String::new(), |config, line| config + line + "\n");
        for (written, here) in [
            ("10.0.0.11:8000", services[0].to_string()),
            ("10.0.0.12:8000", services[1].to_string()),
            ("listen 443 ssl", format!("listen {address}")),
            ("bind :443 ssl crt /etc/ssl/leads.pem", format!("bind {address}")),
        ] {
            config = config.replace(written, &here);
        }
        assert!(config.contains(&address.to_string()) && config.contains(&services[1].to_string()), "{config}");
        let path = dir.path().join(file);
        let mut command;
        if name == "nginx" {
            let temporary = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
                .map(|kind| format!("{kind}_temp_path {folder}/{kind};"))
                .join(" ");
            config = format!(
                "daemon off; master_process off; pid {folder}/pid; error_log {folder}/error.log; events {{}}\n\
                 http {{ access_log off; {temporary}\n{config} }}"
            );
            command = Command::new(proxied::program(&proxied::NGINX, "nginx"));
            command.args(["-p", &folder.to_string(), "-e", &format!("{folder}/error.log"), "-c", file]);
        } else {
            let places = ["/usr/sbin/haproxy", "/usr/local/sbin/haproxy", "/opt/homebrew/bin/haproxy"];
            command = Command::new(proxied::program(&places, "haproxy"));
            command.arg("-f").arg(&path);
        }
        fs::write(&path, config).unwrap();
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        let mut proxy = Self { child: command.spawn().unwrap(), address, _dir: dir };
        proxied::listens(&mut proxy.child, address).then_some(proxy)
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn services_behind_a_balancer_are_restarted_one_after_the_other() {
    for name in ["nginx", "haproxy"] {
        let url = Cluster::shared().database();
        let start = |address: SocketAddr| {
            Service::start(&["--database-url", &url, "--listen", &address.to_string(), "--drain-grace", "3"])
        };
        // The tables are as a newer version leaves them, which has come to the first one; the other one serves throughout.
        let (proxy, _services) = replace_one_after_the_other(name, &url, start, |address, is_first| {
            if is_first {
                Cluster::shared().psql(&url, sql_of_a_newer_version());
            }
            start(address)
        })
        .await;
        for path in ["/staff", "/metrics", "/readyz", "/docs"] {
            assert_eq!(exchange(proxy.address, &get(path)).await.status, 404, "{name} {path}");
        }
        // Of one address's forms, too many are refused, whatever each service has seen.
        let form = b"POST /api/forms/contact HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-length: 0\r\n\r\n";
        let mut statuses = Vec::new();
        for _ in 0..25 {
            statuses.push(exchange(proxy.address, form).await.status);
        }
        assert!(statuses[0] == 404 && statuses[24] == 429, "{name}: {statuses:?}");
    }
}

/// `./test --rolling` builds that version.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "OLDER_SERVE is to be the service of an older version: ./test --rolling"]
async fn an_older_version_serves_while_a_newer_one_migrates() {
    let older = std::env::var_os("OLDER_SERVE").expect("OLDER_SERVE is set");
    for driver in ["sqlx", "diesel"] {
        let url = Cluster::shared().database();
        let version = || Cluster::shared().psql(&url, "SELECT max(version) FROM fastcore_leads_migrations");
        let options = |address: SocketAddr| {
            let options = ["--database-url", &url, "--driver", driver, "--drain-grace", "3", "--listen"];
            [&options.map(str::to_owned)[..], &[address.to_string()]].concat()
        };
        let start_older =
            |address| Service::start_other(&older, &options(address).iter().map(String::as_str).collect::<Vec<_>>());
        let before = std::cell::OnceCell::new();
        let start = |address, _| {
            before.get_or_init(version);
            Service::start(&options(address).iter().map(String::as_str).collect::<Vec<_>>())
        };
        let _running = replace_one_after_the_other("haproxy", &url, start_older, start).await;
        let before = before.into_inner().expect("the version before");
        println!("{driver}: tables of version {before} became those of {}", version());
        assert_ne!(before, version(), "OLDER_SERVE has the same tables");
    }
}

/// Starts two services behind a proxy, and has each replaced while leads come. Whoever starts the first of the others is told so.
///
/// All of them take leads: the one that is there still, too, once its neighbour was replaced.
async fn replace_one_after_the_other(
    name: &str,
    url: &str,
    start: impl Fn(SocketAddr) -> Service,
    start_other: impl Fn(SocketAddr, bool) -> Service,
) -> (Proxy, [Service; 2]) {
    let addresses = [free_address(), free_address()];
    let mut services = addresses.map(start);
    let proxy = Proxy::start(name, addresses);
    let at = proxy.address;
    // Until it has seen that they are ready.
    let end = Instant::now() + PATIENCE;
    while exchange(at, &lead_request(&body())).await.status != 201 {
        assert!(Instant::now() < end, "{name} finds no service");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let stored =
        |rows: &str| Cluster::shared().psql(url, &format!("SELECT count(*) FROM {rows}")).parse::<u32>().unwrap();
    let before = stored("lead_inbox");
    let stop = Arc::new(AtomicBool::new(false));
    let mut senders = JoinSet::new();
    for _ in 0..SENDERS {
        let stop = Arc::clone(&stop);
        senders.spawn(async move {
            let mut acknowledged = 0;
            while !stop.load(Ordering::Relaxed) {
                let answer = exchange(at, &lead_request(&body())).await;
                assert_eq!(answer.status, 201, "{}", String::from_utf8_lossy(&answer.body));
                acknowledged += 1;
            }
            acknowledged
        });
    }
    for i in 0..services.len() {
        services[i].signal("-TERM");
        assert!(services[i].wait().success(), "{}", services[i].logs());
        services[i] = start_other(addresses[i], i == 0);
        // The next one goes once this one takes leads, and the other one goes on taking them.
        for address in addresses {
            let so_far = received(address).await;
            let end = Instant::now() + PATIENCE;
            while received(address).await == so_far {
                assert!(Instant::now() < end, "{name} sends {address} no lead");
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        }
    }
    stop.store(true, Ordering::Relaxed);
    let acknowledged: u32 = senders.join_all().await.into_iter().sum();
    assert_eq!(stored("lead_inbox") - before, acknowledged, "{name}");
    assert_eq!(stored("audit_log WHERE event = 'LEAD_RECEIVED'") - before, acknowledged, "{name}");
    (proxy, services)
}

/// How many leads a service has taken in.
async fn received(address: SocketAddr) -> String {
    let metrics = exchange(address, &get("/metrics")).await.body;
    let name = "fastcore_leads_ingest_total{outcome=\"received\"} ";
    let metrics = String::from_utf8_lossy(&metrics).into_owned();
    metrics.lines().find_map(|line| line.strip_prefix(name)).unwrap_or_default().to_owned()
}
