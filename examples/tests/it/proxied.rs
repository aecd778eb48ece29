//! The site behind nginx, as it is and as the documentation sets it.

use std::{
    fs,
    net::{SocketAddr, TcpListener, TcpStream},
    path::Path,
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use fastcore_leads::testing::TempDir;

use crate::{
    service::{PATIENCE, Service},
    visitor::{Visitor, database_of, filled, leads_in, site},
};

/// An nginx of a test's own in front of a service.
struct Nginx {
    child: Child,
    address: SocketAddr,
    _dir: TempDir,
}

impl Nginx {
    /// In front of a service that need not know where.
    fn before(service: &Service, headers: &str) -> Self {
        // Somebody else may take the port first: then another one.
        (0..5).find_map(|_| Self::at(free_address(), service, headers)).expect("nginx starts")
    }

    fn at(address: SocketAddr, service: &Service, headers: &str) -> Option<Self> {
        let program = program(&NGINX, "nginx");
        let dir = TempDir::new();
        let folder = dir.path().display();
        let temporary = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
            .map(|kind| format!("{kind}_temp_path {folder}/{kind};"))
            .join(" ");
        let config = format!(
            "daemon off; master_process off; pid {folder}/pid; error_log {folder}/error.log; events {{}}\n\
             http {{ access_log off; {temporary}\n\
             server {{ listen {address}; location / {{ proxy_pass http://{}; {headers} }} }} }}",
            service.address
        );
        fs::write(dir.path().join("nginx.conf"), config).unwrap();
        let child = Command::new(program)
            .args(["-p", &folder.to_string(), "-e", &format!("{folder}/error.log"), "-c", "nginx.conf"])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut nginx = Self { child, address, _dir: dir };
        listens(&mut nginx.child, address).then_some(nginx)
    }
}

/// Where it may be.
pub(crate) const NGINX: [&str; 4] =
    ["/usr/sbin/nginx", "/usr/local/bin/nginx", "/opt/homebrew/bin/nginx", "/usr/bin/nginx"];

/// The first of these that is there.
pub(crate) fn program<'p>(places: &[&'p str], package: &str) -> &'p str {
    let found = places.iter().find(|path| Path::new(path).exists());
    found.unwrap_or_else(|| {
        panic!("{package} is missing: `apt-get install {package}`, or run ./test, which installs it")
    })
}

/// Waits until a program listens; false where it ends instead, as when somebody else took the port.
pub(crate) fn listens(child: &mut Child, address: SocketAddr) -> bool {
    let end = Instant::now() + PATIENCE;
    while child.try_wait().unwrap().is_none() {
        if TcpStream::connect(address).is_ok() {
            return true;
        }
        assert!(Instant::now() < end, "nobody listens");
        std::thread::sleep(Duration::from_millis(10));
    }
    false
}

pub(crate) fn free_address() -> SocketAddr {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap()
}

impl Drop for Nginx {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

async fn post_through(nginx: &Nginx) -> u16 {
    // As a browser does that sends no Fetch Metadata: Safari before 16.4.
    let visitor = Visitor::new(nginx.address).with("origin", &format!("http://{}", nginx.address));
    visitor.post(&filled(&visitor.open().await)).await.status
}

#[tokio::test]
async fn behind_a_proxy_that_changes_the_host_the_public_origin_is_named() {
    let service = site(&[]);
    let nginx = Nginx::before(&service, "");
    assert_eq!(post_through(&nginx).await, 403, "nginx puts its own idea of the host in");
    let nginx = Nginx::before(&service, "proxy_set_header Host $http_host;");
    assert_eq!(post_through(&nginx).await, 303, "a proxy that passes the host on needs no setting");
    let (service, nginx) = (0..5)
        .find_map(|_| {
            let address = free_address();
            let service = site(&["--site-origins", &format!("http://{address}")]);
            Nginx::at(address, &service, "").map(|nginx| (service, nginx))
        })
        .expect("nginx starts");
    assert_eq!(post_through(&nginx).await, 303);
    assert_eq!(leads_in(&database_of(&service)).await.len(), 1);
}

#[tokio::test]
async fn a_proxy_that_nobody_named_is_told_of_once() {
    const FORWARDS: &str =
        "proxy_set_header Host $http_host; proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;";
    for (options, warnings) in [(&[][..], 1), (&["--trusted-proxies", "127.0.0.1"][..], 0)] {
        let service = site(options);
        let nginx = Nginx::before(&service, FORWARDS);
        for _ in 0..3 {
            assert_eq!(post_through(&nginx).await, 303);
        }
        let logs = service.logs();
        assert_eq!(logs.matches("FASTCORE_TRUSTED_PROXIES").count(), warnings, "{logs}");
        assert!(!logs.contains("127.0.0.1, ") && !logs.contains("peer="), "{logs}");
    }
}
