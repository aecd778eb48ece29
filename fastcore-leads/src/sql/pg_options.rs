use std::time::Duration;

use super::engine::DEFAULT_TIMEOUT;

/// How a store connects to PostgreSQL, whatever its driver.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PgOptions {
    min_connections: u32,
    max_connections: u32,
    timeout: Duration,
}

impl PgOptions {
    /// Up to 10 connections, opened as needed; 2 s for a call.
    pub fn new() -> Self {
        Self { min_connections: 0, max_connections: 10, timeout: DEFAULT_TIMEOUT }
    }

    /// How many connections are opened at once when connecting, and kept open where the driver can. Default 0.
    pub fn min_connections(mut self, connections: u32) -> Self {
        self.min_connections = connections;
        self
    }

    /// How many connections there may be, at least 1. Default 10; up to half of them write, and with diesel one is opened
    /// only to learn why a statement was refused. Where more are to be kept open, this bound holds.
    ///
    /// With a single one, a commit that waits for a standby and is given up may be on a second.
    pub fn max_connections(mut self, connections: u32) -> Self {
        self.max_connections = connections.max(1);
        self
    }

    /// How long one call may take, connecting included. Default 2 s. Migrations are not bound by it.
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    /// What [`min_connections`](Self::min_connections) set, within [`max_connections`](Self::max_connections).
    pub fn get_min_connections(self) -> u32 {
        self.min_connections.min(self.max_connections)
    }

    /// What [`max_connections`](Self::max_connections) set.
    pub fn get_max_connections(self) -> u32 {
        self.max_connections
    }

    /// What [`timeout`](Self::timeout) set.
    pub fn get_timeout(self) -> Duration {
        self.timeout
    }
}

impl Default for PgOptions {
    fn default() -> Self {
        Self::new()
    }
}
