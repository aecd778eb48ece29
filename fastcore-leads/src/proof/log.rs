use chrono::{DateTime, Utc};
use serde_json::Value;

use super::Tile;

/// How far a log is sealed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SealState {
    /// How many leaves the tree has.
    pub size: u64,
    /// When the last of them was sealed.
    pub sealed_at: Option<DateTime<Utc>>,
    /// The last checkpoint that was signed, a signed note. It may be of fewer leaves.
    pub checkpoint: Option<String>,
    /// The origin that the log had before it was begun anew: its key signs this log no more.
    pub former_origin: Option<String>,
}

/// How far sealing is behind.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SealLag {
    /// How many rows are sealed.
    pub sealed: u64,
    /// How many have a number and are not sealed.
    pub unsealed: u64,
    /// When the oldest row that is not sealed was written, as far as it has a number or is the next to get one.
    pub oldest: Option<DateTime<Utc>>,
}

/// An entry of the log: a row at its place.
#[derive(Clone, PartialEq)]
pub struct LogEntry {
    /// Its place, counted from 0: the leaf's.
    pub index: u64,
    /// The row's id, as the database has it. None where nothing is left that says which row it was.
    pub row_id: Option<String>,
    /// The row, as it is read back, an object with a member for each column. None where it is gone.
    pub row: Option<Value>,
}

impl std::fmt::Debug for LogEntry {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("LogEntry").field("index", &self.index).field("row_id", &self.row_id).finish_non_exhaustive()
    }
}

/// Leaves to be added to the tree.
#[derive(Clone, Debug)]
pub struct Seal {
    /// How many leaves the tree has before.
    pub from: u64,
    /// How many it has then.
    pub to: u64,
    /// What is added to each tile: the hashes behind those that it has.
    pub added: Vec<Tile>,
}
