use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::{Hash, LogEntry, Salt};

/// What an entry begins with.
pub(super) const ENTRY_PREFIX: &[u8] = b"fastcore-audit/1";

/// An entry of the log as bytes: `fastcore-audit/1`, the salt, and the row as canonical JSON (RFC 8785). Of a row that is gone, an object
/// that says so.
pub fn entry_bytes(entry: &LogEntry, salt: &Salt) -> Vec<u8> {
    let gone = || json!({ "id": entry.row_id, "is_gone": true });
    let row = entry.row.as_ref().map_or_else(|| canonical(&gone()), canonical);
    [ENTRY_PREFIX, salt.as_bytes(), &row].concat()
}

/// The leaf of an entry: its SHA-256 behind a zero byte (RFC 6962, 2.1).
pub fn leaf_hash(entry: &[u8]) -> Hash {
    let mut hasher = Sha256::new_with_prefix([0]);
    hasher.update(entry);
    Hash::new(hasher.finalize().into())
}

fn canonical(row: &Value) -> Vec<u8> {
    // A value that was read from JSON has a canonical form; a leaf is made of whatever there is.
    serde_json_canonicalizer::to_vec(row).unwrap_or_else(|_| row.to_string().into_bytes())
}
