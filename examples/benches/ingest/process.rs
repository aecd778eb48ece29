//! A service as a process of its own, so that its CPU time and memory can be read.

use std::{
    fs,
    io::{BufRead, BufReader},
    net::SocketAddr,
    process::{Child, Command, Stdio},
};

use fastcore_leads::testing::{TOKEN, TempDir, postgres::Cluster};

use crate::candidates::{Candidate, Kind, Place};

/// Whoever works with leads: reads them in clear, and moves them.
pub(crate) const OPERATOR_TOKEN: &str = "a-token-of-an-operator-0123456789";

/// Linux counts CPU time in hundredths of a second for user programs.
const TICKS_PER_SECOND: f64 = 100.0;

pub(crate) struct Service {
    child: Child,
    address: SocketAddr,
    _log: TempDir,
}

impl Service {
    pub(crate) fn start(candidate: &Candidate, place: &Place) -> Self {
        Self::start_with(candidate, place, &[])
    }

    /// Starts `serve` with more options.
    pub(crate) fn start_with(candidate: &Candidate, place: &Place, options: &[&str]) -> Self {
        let command = match &candidate.kind {
            Kind::Serve { program, driver, framework, .. } => {
                let mut command = Command::new(program);
                command.args(["--listen", "127.0.0.1:0", "--driver", driver, "--framework", framework]);
                command.args(["--database-url", &place.url]).args(options);
                command
            }
            Kind::Own { role, .. } => {
                let mut command = Command::new(std::env::current_exe().expect("this program"));
                command.args([&format!("--serve={role}"), &place.url]);
                command
            }
        };
        Self::spawn(command)
    }

    /// Starts a program that prints where it listens.
    pub(crate) fn spawn(mut command: Command) -> Self {
        let log = TempDir::new();
        let lines = fs::File::create(log.path().join("log")).expect("the directory can be written");
        command.env("FASTCORE_SITE_INGEST_TOKEN", TOKEN).stdout(Stdio::piped()).stderr(lines);
        command.env("FASTCORE_OPERATOR_TOKENS", format!("operator={OPERATOR_TOKEN}"));
        let mut child = command.spawn().expect("the service starts");
        let mut lines = BufReader::new(child.stdout.take().expect("it is piped")).lines();
        let mut address = None;
        for line in lines.by_ref().map_while(Result::ok) {
            address = address.or_else(|| line.strip_prefix("Listening on http://").and_then(|text| text.parse().ok()));
            if line.contains("curl") {
                break;
            }
        }
        let Some(address) = address else {
            panic!("no service: {}", fs::read_to_string(log.path().join("log")).unwrap_or_default());
        };
        Self { child, address, _log: log }
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// CPU time so far, in seconds.
    pub(crate) fn cpu(&self) -> f64 {
        cpu_of(&self.child.id().to_string()).expect("it runs")
    }

    /// The most memory it had at any time, in MiB.
    pub(crate) fn peak_mib(&self) -> f64 {
        self.status("VmHWM:")
    }

    /// The memory it has now, in MiB.
    pub(crate) fn memory_mib(&self) -> f64 {
        self.status("VmRSS:")
    }

    fn status(&self, name: &str) -> f64 {
        let status = fs::read_to_string(format!("/proc/{}/status", self.child.id())).expect("it runs");
        let line = status.lines().find_map(|line| line.strip_prefix(name)).expect("a line");
        line.trim().trim_end_matches(" kB").parse::<f64>().expect("a number") / 1024.0
    }
}

/// CPU time of a server so far, in seconds: of all its processes, those included that have ended.
pub(crate) fn cpu_of_server(cluster: &Cluster) -> f64 {
    cluster.processes().iter().filter_map(|pid| cpu_of(pid)).sum()
}

/// CPU time of a process and of its children that have ended, in seconds; `None` where it has ended.
fn cpu_of(pid: &str) -> Option<f64> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let ticks = stat.rsplit(") ").next()?.split(' ').skip(11).take(4).map(|field| field.parse::<f64>().ok());
    Some(ticks.sum::<Option<f64>>()? / TICKS_PER_SECOND)
}

impl Drop for Service {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
