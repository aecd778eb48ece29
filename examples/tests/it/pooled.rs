//! Two services behind one PgBouncer in session mode, as Debian has it, with fewer connections to the server than they would like.

use std::{
    fs,
    net::SocketAddr,
    process::{Child, Command, Stdio},
};

use fastcore_leads::testing::{
    TempDir,
    postgres::{Cluster, run_as_server_user},
};

use crate::{
    crash::{Writers, check},
    proxied::{self, free_address},
    service::Service,
};

const PLACES: [&str; 4] =
    ["/usr/sbin/pgbouncer", "/usr/local/bin/pgbouncer", "/opt/homebrew/bin/pgbouncer", "/usr/bin/pgbouncer"];
/// Of both services, together: each would have 30 by default.
const POOL: u32 = 6;

/// A PgBouncer of a test's own.
struct PgBouncer {
    child: Child,
    address: SocketAddr,
    dir: TempDir,
}

impl PgBouncer {
    fn start() -> Self {
        // Somebody else may take the port first: then another one.
        (0..5).find_map(|_| Self::at(free_address())).expect("pgbouncer starts")
    }

    fn at(address: SocketAddr) -> Option<Self> {
        let dir = TempDir::new();
        let file = dir.path().join("pgbouncer.ini");
        let config = format!(
            "[databases]\n* = host=127.0.0.1 port={} user=postgres\n\
             [pgbouncer]\nlisten_addr = {}\nlisten_port = {}\nunix_socket_dir =\nauth_type = any\n\
             pool_mode = session\ndefault_pool_size = {POOL}\n",
            Cluster::shared().port(),
            address.ip(),
            address.port()
        );
        fs::write(&file, config).unwrap();
        let mut bouncer = Self { child: Self::run(&file), address, dir };
        proxied::listens(&mut bouncer.child, address).then_some(bouncer)
    }

    fn run(file: &std::path::Path) -> Child {
        // It refuses to run as root, as PostgreSQL does.
        let mut command: Command = run_as_server_user(proxied::program(&PLACES, "pgbouncer").as_ref());
        let log = fs::File::create(file.with_extension("log")).unwrap();
        command.arg(file).stdin(Stdio::null()).stdout(Stdio::null()).stderr(log).spawn().unwrap()
    }

    /// The same URL by way of it.
    fn url(&self, url: &str) -> String {
        let (_, database) = url.rsplit_once('/').unwrap();
        format!("postgres://postgres@{}/{database}", self.address)
    }

    /// Kills it and starts it again, at the same place.
    fn restart(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        self.child = Self::run(&self.dir.path().join("pgbouncer.ini"));
        let log = self.dir.path().join("pgbouncer.log");
        assert!(proxied::listens(&mut self.child, self.address), "{}", fs::read_to_string(log).unwrap_or_default());
    }
}

impl Drop for PgBouncer {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn two_services_share_a_pool_that_is_smaller_than_they_would_like() {
    let url = Cluster::shared().database();
    let mut bouncer = PgBouncer::start();
    let pooled = bouncer.url(&url);
    let start = |driver: &str, least: &str| {
        Service::start(&["--database-url", &pooled, "--driver", driver, "--min-db-connections", least])
    };
    // The first one asks for most of what there is, and the second one for more than is left.
    let services = [start("sqlx", "4"), start("diesel", "4")];
    let told = services[1].logs();
    assert!(told.contains("--max-db-connections") && told.contains("wanted=4"), "{told}");
    assert!(!services[0].logs().contains("--max-db-connections"), "{}", services[0].logs());
    let writers = Writers::new(&services.each_ref().map(|service| service.address));
    let tasks = writers.start();
    for _ in 0..3 {
        writers.wait_for(300).await;
        bouncer.restart();
    }
    writers.wait_for(300).await;
    let acknowledged = writers.finish(tasks).await;
    check(|sql| Cluster::shared().psql(&url, sql), &acknowledged);
}
