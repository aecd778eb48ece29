//! Three PostgreSQL servers under Patroni, with etcd, behind HAProxy: what a company runs on three machines, on the loopback of one.
//!
//! Patroni and HAProxy run with the files beside this one, [`PATRONI_YML`] and [`HAPROXY_CFG`], which are meant to be copied.

mod node;
mod processes;

use std::{
    fs,
    path::Path,
    process::Command,
    thread,
    time::{Duration, Instant},
};

use serde_json::{Value, json};

pub use self::node::{Node, Ports};
use self::processes::{Process, Watch, installed};
use super::{
    TempDir,
    postgres::{free_port, give_to_server_user, run_as_server_user},
};

/// The settings of each node.
pub const PATRONI_YML: &str = include_str!("patroni.yml");
/// How services reach the node that leads.
pub const HAPROXY_CFG: &str = include_str!("haproxy.cfg");

const NODES: usize = 3;
/// The password of everybody in it.
const PASSWORD: &str = "the-kit-s-own";
/// Nothing takes longer: not a start, not a fail-over, not a copy of a node.
const PATIENCE: Duration = Duration::from_secs(120);

/// A cluster of a test's own. It ends, with all of its processes and files, when this value is dropped, and also when the
/// test's process ends in any other way.
#[derive(Debug)]
pub struct PatroniCluster {
    nodes: Vec<Node>,
    etcd: Process,
    _haproxy: Process,
    haproxy_port: u16,
    // Dropped last: they end what is left.
    _watch: Watch,
    _dir: TempDir,
}

impl PatroniCluster {
    /// Starts all of it, and waits until a node leads and both others follow, one of them as the one that commits wait for.
    ///
    /// # Panics
    /// Where Patroni, etcd or HAProxy is not installed, with what to install.
    pub fn start() -> Self {
        let dir = TempDir::new();
        // As /proc shows it for processes that work there.
        let root = dir.path().canonicalize().expect("the temporary directory is there");
        make_own(&root);
        let watch = Watch::over(&root);
        let etcd_port = free_port();
        let etcd = start_etcd(&root, etcd_port);
        for (file, text) in
            [("server.pem", include_str!("../tls/server.pem")), ("server.key", include_str!("../tls/server.key"))]
        {
            write_own(&root.join(file), text);
        }
        write_own(&root.join("patroni.yml"), &patroni_here(&root));
        let nodes: Vec<Node> = (1..=NODES)
            .map(|number| {
                let folder = root.join(format!("node{number}"));
                make_own(&folder);
                let node = Node::new(format!("node{number}"), folder, root.join("patroni.yml"), etcd_port);
                node.start();
                node
            })
            .collect();
        let haproxy_port = free_port();
        let haproxy = start_haproxy(&root, haproxy_port, &nodes);
        let cluster = Self { nodes, etcd, _haproxy: haproxy, haproxy_port, _watch: watch, _dir: dir };
        cluster.wait_until_whole();
        cluster
    }

    /// Its servers.
    pub fn nodes(&self) -> &[Node] {
        &self.nodes
    }

    /// The URL of one of its databases, by way of HAProxy.
    pub fn url(&self, database: &str) -> String {
        format!("postgres://postgres:{PASSWORD}@127.0.0.1:{}/{database}", self.haproxy_port)
    }

    /// The URL of one of its databases that names every node, each at a port where bytes pass to it.
    pub fn url_at(&self, database: &str, ports: &[u16]) -> String {
        let hosts: Vec<String> = ports.iter().map(|port| format!("127.0.0.1:{port}")).collect();
        format!("postgres://postgres:{PASSWORD}@{}/{database}", hosts.join(","))
    }

    /// The node that leads; `None` while none does.
    pub fn leader(&self) -> Option<&Node> {
        self.nodes.iter().find(|node| node.leads())
    }

    /// The node that commits wait for, as the one that leads has it.
    pub fn standby_that_is_waited_for(&self) -> &Node {
        let name = "SELECT application_name FROM pg_stat_replication WHERE sync_state = 'sync'";
        self.wait_until("commits wait for a node", || {
            let (_, answer) = self.leader()?.try_psql("postgres", name);
            self.nodes.iter().find(|node| node.name() == answer)
        })
    }

    /// Waits for a node that leads.
    pub fn wait_for_leader(&self) -> &Node {
        self.wait_until("a node leads", || self.leader())
    }

    /// Waits until a node leads and all others follow it, one of them as the one that commits wait for, and Patroni has noted
    /// which: then the next fault may come. Before, nobody may follow a leader that fails. A node that was killed has to be
    /// [started](Node::start) first.
    pub fn wait_until_whole(&self) -> &Node {
        let followers =
            "SELECT count(*) FILTER (WHERE state = 'streaming') || ' ' || count(*) FILTER (WHERE sync_state = 'sync')
                           FROM pg_stat_replication WHERE application_name LIKE 'node%'";
        self.wait_until("every node has its place", || {
            let leader = self.leader()?;
            let (is_done, answer) = leader.try_psql("postgres", followers);
            let is_whole = is_done && answer == format!("{} 1", NODES - 1);
            let (_, known) = leader.ask_patroni("GET", "/cluster", "")?;
            let is_noted = members(&known).iter().any(|member| member["role"] == "sync_standby");
            (is_whole && is_noted).then_some(leader)
        })
    }

    /// Has another node lead, as before work on a machine, and waits until it does.
    pub fn switch_over(&self) -> &Node {
        let leader = self.wait_for_leader();
        let order = json!({"leader": leader.name()}).to_string();
        // It refuses as long as it knows no candidate.
        self.wait_until("Patroni switches over", || {
            let (status, _) = leader.ask_patroni("POST", "/switchover", &order)?;
            (status == 200).then_some(())
        });
        self.wait_until("another node leads", || self.leader().filter(|next| next.name() != leader.name()))
    }

    /// Stops etcd where it stands, as a network without it does.
    pub fn freeze_etcd(&self) {
        self.etcd.signal("-STOP");
    }

    /// Lets it go on.
    pub fn thaw_etcd(&self) {
        self.etcd.signal("-CONT");
    }

    fn wait_until<T>(&self, what: &str, answer: impl FnMut() -> Option<T>) -> T {
        let state = || {
            let logs = self.nodes.iter().map(|node| format!("\n{}: {}", node.name(), node.log()));
            self.described() + &logs.collect::<String>()
        };
        wait_until(what, state, answer)
    }

    /// What Patroni knows of the cluster, for messages of tests.
    pub fn described(&self) -> String {
        let known = self.nodes.iter().find_map(|node| node.ask_patroni("GET", "/cluster", ""));
        known.map_or_else(|| "no node answers".to_owned(), |(_, answer)| summary(&answer))
    }
}

fn start_etcd(root: &Path, port: u16) -> Process {
    let folder = root.join("etcd");
    make_own(&folder);
    let (client, peer) = (format!("http://127.0.0.1:{port}"), format!("http://127.0.0.1:{}", free_port()));
    let mut etcd = run_as_server_user(&installed("etcd", "etcd-server"));
    etcd.arg("--data-dir").arg(folder.join("data"));
    etcd.args(["--listen-client-urls", &client, "--advertise-client-urls", &client]);
    etcd.args(["--listen-peer-urls", &peer, "--initial-advertise-peer-urls", &peer]);
    etcd.args(["--initial-cluster", &format!("default={peer}")]);
    Process::start(etcd, &folder)
}

fn start_haproxy(root: &Path, port: u16, nodes: &[Node]) -> Process {
    let folder = root.join("haproxy");
    make_own(&folder);
    let mut file = replaced(HAPROXY_CFG, "127.0.0.1:5432", &format!("127.0.0.1:{port}"));
    for (number, node) in nodes.iter().enumerate() {
        let written = format!("10.0.1.1{}:5432 check port 8008", number + 1);
        let here = format!("127.0.0.1:{} check port {}", node.ports().postgres, node.ports().patroni);
        file = replaced(&file, &written, &here);
    }
    write_own(&folder.join("haproxy.cfg"), &file);
    let mut haproxy = run_as_server_user(&installed("haproxy", "haproxy"));
    haproxy.arg("-f").arg(folder.join("haproxy.cfg"));
    Process::start(haproxy, &folder)
}

/// Patroni's file with what this machine has: no watchdog.
fn patroni_here(root: &Path) -> String {
    let mut file = PATRONI_YML.to_owned();
    for (written, here) in [
        ("10.0.1.0/24", "127.0.0.1/32"),
        ("10.0.2.0/24", "127.0.0.1/32"),
        ("/etc/patroni/", &format!("{}/", root.display())),
        ("mode: required", "mode: \"off\""),
    ] {
        file = replaced(&file, written, here);
    }
    file
}

fn replaced(file: &str, written: &str, here: &str) -> String {
    assert!(file.contains(written), "the file has no {written}");
    file.replace(written, here)
}

/// Makes a folder that belongs to whom servers run as.
fn make_own(folder: &Path) {
    fs::create_dir_all(folder).expect("the temporary directory can be written");
    give_to_server_user(folder);
}

/// Writes a file that nobody but whom servers run as may read.
fn write_own(file: &Path, text: &str) {
    fs::write(file, text).expect("the temporary directory can be written");
    let is_done = Command::new("chmod").arg("600").arg(file).status();
    assert!(is_done.is_ok_and(|status| status.success()), "chmod failed");
    give_to_server_user(file);
}

fn members(answer: &str) -> Vec<Value> {
    let value: Value = serde_json::from_str(answer).unwrap_or_default();
    value["members"].as_array().cloned().unwrap_or_default()
}

fn summary(answer: &str) -> String {
    let shown = members(answer);
    let shown = shown.iter().map(|member| format!("{} {} {}", member["name"], member["role"], member["state"]));
    shown.collect::<Vec<_>>().join(", ")
}

/// Asks again and again; `state` is shown where it was in vain.
fn wait_until<T>(what: &str, state: impl Fn() -> String, mut answer: impl FnMut() -> Option<T>) -> T {
    let end = Instant::now() + PATIENCE;
    loop {
        if let Some(answer) = answer() {
            return answer;
        }
        assert!(Instant::now() < end, "after {PATIENCE:?} it is not so that {what}: {}", state());
        thread::sleep(Duration::from_millis(50));
    }
}
