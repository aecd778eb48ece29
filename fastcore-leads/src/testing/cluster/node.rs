//! One PostgreSQL server and the Patroni beside it.

use std::{
    fs,
    io::{Read, Write},
    net::TcpStream,
    path::PathBuf,
    sync::{Mutex, PoisonError},
    time::Duration,
};

use super::{
    PASSWORD,
    processes::{Process, installed, send},
    wait_until,
};
use crate::testing::postgres::{free_port, is_alive, processes_of, program, run_as_server_user, run_psql};

/// `patroni` with the password of everybody (RFC 7617).
const REST_AUTHORIZATION: &str = "Basic cGF0cm9uaTp0aGUta2l0LXMtb3du";
/// A node that is frozen answers nothing; nobody waits longer for it.
const ANSWER: Duration = Duration::from_secs(1);

/// A server of the cluster.
#[derive(Debug)]
pub struct Node {
    name: String,
    folder: PathBuf,
    settings: PathBuf,
    etcd: u16,
    ports: Ports,
    patroni: Mutex<Option<Process>>,
}

/// Where a node listens, on 127.0.0.1.
#[derive(Clone, Copy, Debug)]
pub struct Ports {
    /// PostgreSQL.
    pub postgres: u16,
    /// Patroni's REST interface.
    pub patroni: u16,
}

impl Node {
    pub(super) fn new(name: String, folder: PathBuf, settings: PathBuf, etcd: u16) -> Self {
        let ports = Ports { postgres: free_port(), patroni: free_port() };
        Self { name, folder, settings, etcd, ports, patroni: Mutex::new(None) }
    }

    /// As Patroni calls it.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Where it listens.
    pub fn ports(&self) -> Ports {
        self.ports
    }

    /// The URL of one of its databases, at this node whether it leads or not.
    pub fn url(&self, database: &str) -> String {
        format!("postgres://postgres:{PASSWORD}@127.0.0.1:{}/{database}", self.ports.postgres)
    }

    /// Starts Patroni, which starts PostgreSQL: anew after [`kill`](Self::kill).
    pub fn start(&self) {
        let file = |name: &str| self.folder.join(name);
        let (postgres, patroni) =
            (format!("127.0.0.1:{}", self.ports.postgres), format!("127.0.0.1:{}", self.ports.patroni));
        let mut command = run_as_server_user(&installed("patroni", "patroni"));
        command.arg(&self.settings).env("PATRONI_NAME", &self.name);
        // Where libpq looks for certificates, and must be allowed to.
        command.env("HOME", &self.folder);
        command.env("PATRONI_POSTGRESQL_DATA_DIR", file("data")).env("PATRONI_POSTGRESQL_PGPASS", file("pgpass"));
        command.env("PATRONI_POSTGRESQL_BIN_DIR", program("pg_controldata").parent().expect("it is in a folder"));
        command.env("PATRONI_POSTGRESQL_LISTEN", &postgres).env("PATRONI_POSTGRESQL_CONNECT_ADDRESS", &postgres);
        command.env("PATRONI_RESTAPI_LISTEN", &patroni).env("PATRONI_RESTAPI_CONNECT_ADDRESS", &patroni);
        command.env("PATRONI_RESTAPI_USERNAME", "patroni").env("PATRONI_RESTAPI_PASSWORD", PASSWORD);
        command.env("PATRONI_ETCD3_HOSTS", format!("127.0.0.1:{}", self.etcd));
        command.env("PATRONI_SUPERUSER_PASSWORD", PASSWORD).env("PATRONI_REPLICATION_PASSWORD", PASSWORD);
        *self.lock() = Some(Process::start(command, &self.folder));
    }

    /// Kills Patroni and PostgreSQL, as a power cut would, and waits until all of it has ended. A frozen node, too.
    pub fn kill(&self) {
        drop(self.lock().take());
        let server = self.stopped();
        send("-KILL", &server);
        wait_until("the server has ended", String::new, || (!server.iter().any(|id| is_alive(id))).then_some(()));
        // Until somebody waits for the ended process, its number looks alive to the next start.
        let _ = fs::remove_file(self.folder.join("data/postmaster.pid"));
    }

    /// Stops Patroni and PostgreSQL where they stand, as a machine does that hangs.
    pub fn freeze(&self) {
        if let Some(patroni) = &*self.lock() {
            patroni.signal("-STOP");
        }
        self.stopped();
    }

    /// Lets them go on, as if nothing had been.
    pub fn thaw(&self) {
        send("-CONT", &self.processes());
        if let Some(patroni) = &*self.lock() {
            patroni.signal("-CONT");
        }
    }

    /// Whether Patroni says that it leads.
    pub fn leads(&self) -> bool {
        self.ask_patroni("GET", "/primary", "").is_some_and(|(status, _)| status == 200)
    }

    /// Runs statements with `psql`, as another program than ours: whether they went through, and what was printed.
    pub fn try_psql(&self, database: &str, sql: &str) -> (bool, String) {
        // A node that is frozen takes connections, and never answers.
        run_psql(self.ports.postgres, database, sql, &[("PGPASSWORD", PASSWORD), ("PGCONNECT_TIMEOUT", "2")])
    }

    /// As [`try_psql`](Self::try_psql), for statements that do not fail.
    pub fn psql(&self, database: &str, sql: &str) -> String {
        let (is_done, text) = self.try_psql(database, sql);
        assert!(is_done, "psql failed: {text}");
        text
    }

    /// Asks Patroni: status and answer, or `None` where it does not answer at once.
    pub(super) fn ask_patroni(&self, method: &str, path: &str, body: &str) -> Option<(u16, String)> {
        let address = ([127, 0, 0, 1], self.ports.patroni).into();
        let mut stream = TcpStream::connect_timeout(&address, ANSWER).ok()?;
        // Patroni answers an order once it is carried out.
        let patience = if body.is_empty() { ANSWER } else { super::PATIENCE };
        stream.set_read_timeout(Some(patience)).ok()?;
        let length = body.len();
        let order = format!(
            "{method} {path} HTTP/1.0\r\nauthorization: {REST_AUTHORIZATION}\r\ncontent-length: {length}\r\n\r\n{body}"
        );
        stream.write_all(order.as_bytes()).ok()?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer).ok()?;
        let (head, body) = answer.split_once("\r\n\r\n")?;
        Some((head.split_whitespace().nth(1)?.parse().ok()?, body.to_owned()))
    }

    /// Stops PostgreSQL, the first of its processes before the others, so that none is missing. Answers their numbers.
    fn stopped(&self) -> Vec<String> {
        send("-STOP", &self.processes());
        let all = self.processes();
        send("-STOP", &all);
        all
    }

    /// The end of its log.
    pub(super) fn log(&self) -> String {
        let log = fs::read(self.folder.join("log")).unwrap_or_default();
        String::from_utf8_lossy(&log[log.len().saturating_sub(2000)..]).into_owned()
    }

    /// The numbers of PostgreSQL's processes.
    fn processes(&self) -> Vec<String> {
        processes_of(&self.folder.join("data")).filter(|ids| is_alive(&ids[0])).unwrap_or_default()
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Option<Process>> {
        self.patroni.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
