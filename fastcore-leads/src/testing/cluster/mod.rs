//! Three PostgreSQL servers under Patroni, with etcd, behind HAProxy: what a company runs on three machines, on the loopback of one.
//!
//! Patroni and HAProxy run with the files beside this one, [`PATRONI_YML`] and [`HAPROXY_CFG`], which are meant to be copied.

mod node;
mod processes;

use std::{fs, path::PathBuf, process::Command, thread, time::Instant};

use serde_json::{Value, json};

pub use self::node::Node;
use self::{
    node::Ports,
    processes::{Processes, installed},
};
use super::{
    TempDir,
    postgres::{free_port, run_as_server_user, runs_as_root, server_user},
};

/// The settings of each node.
pub const PATRONI_YML: &str = include_str!("patroni.yml");
/// How services reach the node that leads.
pub const HAPROXY_CFG: &str = include_str!("haproxy.cfg");

const NODES: usize = 3;
/// The password of everybody in it.
const PASSWORD: &str = "the-kit-s-own";
/// Nothing takes longer: not a start, not a fail-over, not a copy of a node.
const PATIENCE: std::time::Duration = std::time::Duration::from_secs(120);

/// A cluster of a test's own. It ends, with all of its processes and files, when this value is dropped, and also when the
/// test's process ends in any other way.
#[derive(Debug)]
pub struct PatroniCluster {
    nodes: Vec<Node>,
    etcd: processes::Process,
    _haproxy: processes::Process,
    haproxy_port: u16,
    // Dropped last: they end what is left.
    _processes: Processes,
    _dir: TempDir,
}

impl PatroniCluster {
    /// Starts all of it, and waits until a node leads and both others follow, one of them as the one that commits wait for.
    ///
    /// # Panics
    /// Where Patroni, etcd or HAProxy is not installed, with what to install.
    pub fn start() -> Self {
        let dir = TempDir::new();
        let own = |folder: &PathBuf| {
            fs::create_dir_all(folder).expect("the temporary directory can be written");
            if runs_as_root() {
                let is_done = Command::new("chown").arg(server_user()).arg(folder).status();
                assert!(is_done.is_ok_and(|status| status.success()), "chown failed");
            }
        };
        own(&dir.path().to_owned());
        let processes = Processes::watched_in(dir.path());
        let etcd_port = free_port();
        let etcd = {
            let folder = dir.path().join("etcd");
            own(&folder);
            let (client, peer) = (format!("http://127.0.0.1:{etcd_port}"), format!("http://127.0.0.1:{}", free_port()));
            let mut etcd = run_as_server_user(&installed("etcd", "etcd-server"));
            etcd.arg("--data-dir").arg(folder.join("data"));
            etcd.args(["--listen-client-urls", &client, "--advertise-client-urls", &client]);
            etcd.args(["--listen-peer-urls", &peer, "--initial-advertise-peer-urls", &peer]);
            etcd.args(["--initial-cluster", &format!("default={peer}")]);
            processes.start(etcd, &folder)
        };
        let settings = dir.path().join("patroni.yml");
        fs::write(&settings, PATRONI_YML).expect("the temporary directory can be written");
        let nodes: Vec<Node> = (1..=NODES)
            .map(|number| {
                let folder = dir.path().join(format!("node{number}"));
                own(&folder);
                let node = Node::new(format!("node{number}"), folder, settings.clone(), etcd_port);
                node.start();
                node
            })
            .collect();
        let haproxy_port = free_port();
        let ports: Vec<Ports> = nodes.iter().map(Node::ports).collect();
        let folder = dir.path().join("haproxy");
        own(&folder);
        let file = folder.join("haproxy.cfg");
        fs::write(&file, with_ports(HAPROXY_CFG, haproxy_port, &ports))
            .expect("the temporary directory can be written");
        let mut haproxy = Command::new(installed("haproxy", "haproxy"));
        haproxy.arg("-f").arg(&file);
        let haproxy = processes.start(haproxy, &folder);
        let cluster = Self { nodes, etcd, _haproxy: haproxy, haproxy_port, _processes: processes, _dir: dir };
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
        wait_until("commits wait for a node", || {
            let (_, answer) = self.leader()?.try_psql("postgres", name);
            self.nodes.iter().find(|node| node.name() == answer)
        })
    }

    /// Waits for a node that leads.
    pub fn wait_for_leader(&self) -> &Node {
        wait_until("a node leads", || self.leader())
    }

    /// Waits until a node leads and all others follow it, one of them as the one that commits wait for, and Patroni has noted
    /// which: then the next fault may come. Before, nobody may follow a leader that fails. A node that was killed has to be
    /// [started](Node::start) first.
    pub fn wait_until_whole(&self) -> &Node {
        let followers =
            "SELECT count(*) FILTER (WHERE state = 'streaming') || ' ' || count(*) FILTER (WHERE sync_state = 'sync')
                           FROM pg_stat_replication WHERE application_name LIKE 'node%'";
        wait_until("every node has its place", || {
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
        let answer = wait_until("Patroni takes the order", || leader.ask_patroni("POST", "/switchover", &order));
        assert_eq!(answer.0, 200, "Patroni does not switch over: {}", answer.1);
        wait_until("another node leads", || self.leader().filter(|next| next.name() != leader.name()))
    }

    /// Stops etcd where it stands, as a network without it does.
    pub fn freeze_etcd(&self) {
        self.etcd.signal("-STOP");
    }

    /// Lets it go on.
    pub fn thaw_etcd(&self) {
        self.etcd.signal("-CONT");
    }

    /// What Patroni knows of the cluster, for messages of tests.
    pub fn described(&self) -> String {
        let known = self.nodes.iter().find_map(|node| node.ask_patroni("GET", "/cluster", ""));
        known.map_or_else(|| "no node answers".to_owned(), |(_, answer)| summary(&answer))
    }
}

/// The file with this machine's ports in place of the addresses of another network.
fn with_ports(file: &str, listen: u16, nodes: &[Ports]) -> String {
    let mut file = file.replace("10.0.1.10:5432", &format!("127.0.0.1:{listen}"));
    for (number, ports) in nodes.iter().enumerate() {
        let written = format!("10.0.1.1{}:5432 check port 8008", number + 1);
        assert!(file.contains(&written), "haproxy.cfg names no {written}");
        file = file.replace(&written, &format!("127.0.0.1:{} check port {}", ports.postgres, ports.patroni));
    }
    file
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

/// Asks again and again.
fn wait_until<T>(what: &str, mut answer: impl FnMut() -> Option<T>) -> T {
    let end = Instant::now() + PATIENCE;
    loop {
        if let Some(answer) = answer() {
            return answer;
        }
        assert!(Instant::now() < end, "after {PATIENCE:?} it is not so that {what}");
        thread::sleep(std::time::Duration::from_millis(50));
    }
}
