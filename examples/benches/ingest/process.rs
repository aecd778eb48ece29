//! A service as a process of its own, so that its CPU time and memory can be read.

use std::{
    fs,
    io::{BufRead, BufReader},
    net::SocketAddr,
    process::{Child, Command, Stdio},
};

use fastcore_leads::testing::TOKEN;

use crate::candidates::{Candidate, Kind, Place};

/// Whoever works with leads: reads them in clear, and moves them.
pub(crate) const OPERATOR_TOKEN: &str = "a-token-of-an-operator-0123456789";

/// Linux counts CPU time in hundredths of a second for user programs.
const TICKS_PER_SECOND: f64 = 100.0;

pub(crate) struct Service {
    child: Child,
    address: SocketAddr,
}

impl Service {
    pub(crate) fn start(candidate: &Candidate, place: &Place) -> Self {
        Self::start_with(candidate, place, &[])
    }

    /// Starts `serve` with more options.
    pub(crate) fn start_with(candidate: &Candidate, place: &Place, options: &[&str]) -> Self {
        let command = match &candidate.kind {
            Kind::Serve { driver, framework, .. } => {
                let mut command = Command::new(env!("CARGO_BIN_EXE_serve"));
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
        // Warnings only, for all: the others do not log a line for each lead.
        command.env("FASTCORE_SITE_INGEST_TOKEN", TOKEN).env("RUST_LOG", "error").stdout(Stdio::piped());
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
        Self { child, address: address.expect("the service says where it listens") }
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// CPU time so far, in seconds.
    pub(crate) fn cpu(&self) -> f64 {
        let stat = fs::read_to_string(format!("/proc/{}/stat", self.child.id())).expect("it runs");
        let fields: Vec<&str> = stat.rsplit(") ").next().expect("fields").split(' ').collect();
        let ticks = |i: usize| fields[i].parse::<f64>().expect("a number");
        (ticks(11) + ticks(12)) / TICKS_PER_SECOND
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

impl Drop for Service {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
