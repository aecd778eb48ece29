use std::collections::BTreeMap;

use async_trait::async_trait;
use serde_json::json;

use super::{MemoryLeadStore, State};
use crate::{
    audit::{AuditRecord, LEAD_RECEIVED},
    lead::LeadId,
    proof::{LogEntry, Salt, Seal, SealLag, SealState, TILE_WIDTH, Tile, TileId},
    sql::log::NOT_REDACTED,
    store::{LeadLog, StoreError},
    time,
};

/// The tree over the audit log.
#[derive(Default)]
pub(super) struct Log {
    state: SealState,
    checkpoint_size: u64,
    tiles: BTreeMap<TileId, Tile>,
}

impl Log {
    /// The last checkpoint, and of how many entries it is.
    pub(super) fn checkpoint(&self) -> Option<(u64, String)> {
        Some((self.checkpoint_size, self.state.checkpoint.clone()?))
    }
}

#[async_trait]
impl LeadLog for MemoryLeadStore {
    async fn sealed(&self) -> Result<SealState, StoreError> {
        Ok(self.lock().log.state.clone())
    }

    async fn seal_lag(&self) -> Result<SealLag, StoreError> {
        let state = self.lock();
        let sealed = state.log.state.size;
        let unsealed = (state.outbox.numbered() as u64).saturating_sub(sealed);
        let oldest = state.audit.get(index(sealed)).map(|row| row.created_at);
        Ok(SealLag { sealed, unsealed, oldest })
    }

    async fn entries(&self, from: u64, limit: u32) -> Result<Vec<LogEntry>, StoreError> {
        let state = self.lock();
        let rows = state.audit.iter().take(state.outbox.numbered()).enumerate().skip(index(from)).take(limit as usize);
        Ok(rows.map(|(place, row)| entry(place as u64, row)).collect())
    }

    async fn seal(&self, seal: &Seal) -> Result<bool, StoreError> {
        let log = &mut self.lock().log;
        if log.state.size != seal.from {
            return Ok(false);
        }
        for added in &seal.added {
            let empty = || Tile { id: added.id, hashes: Vec::new(), salts: Vec::new() };
            let tile = log.tiles.entry(added.id).or_insert_with(empty);
            tile.hashes.extend(&added.hashes);
            tile.salts.extend(&added.salts);
        }
        (log.state.size, log.state.sealed_at) = (seal.to, Some(time::now()));
        Ok(true)
    }

    async fn tiles(&self, ids: &[TileId]) -> Result<Vec<Tile>, StoreError> {
        let log = &self.lock().log;
        Ok(ids.iter().filter_map(|id| log.tiles.get(id)).cloned().collect())
    }

    async fn keep_checkpoint(&self, size: u64, checkpoint: &str) -> Result<(), StoreError> {
        let log = &mut self.lock().log;
        let has_more = log.state.checkpoint.as_ref().is_none_or(|kept| kept.len() < checkpoint.len());
        let is_next = size > log.checkpoint_size || size == log.checkpoint_size && size > 0 && has_more;
        if is_next && size <= log.state.size {
            (log.checkpoint_size, log.state.checkpoint) = (size, Some(checkpoint.to_owned()));
        }
        Ok(())
    }

    async fn receipt_of(&self, id: LeadId) -> Result<Option<u64>, StoreError> {
        let state = self.lock();
        let is_receipt = |row: &AuditRecord| row.lead_id == Some(id) && row.event == LEAD_RECEIVED;
        Ok(state.audit.iter().take(state.outbox.numbered()).position(is_receipt).map(|place| place as u64))
    }

    async fn strays(&self, _: &str, _: u32) -> Result<(Vec<String>, Option<String>), StoreError> {
        // A row is where it is in the log.
        Ok((Vec::new(), None))
    }

    async fn redact(&self, row_id: &str, record: &AuditRecord) -> Result<bool, StoreError> {
        let state = &mut *self.lock();
        let State { audit, log, .. } = state;
        let found = audit.iter_mut().zip(0..log.state.size).find(|(row, _)| row.id.hyphenated().to_string() == row_id);
        let Some((row, place)) = found else { return Ok(false) };
        if NOT_REDACTED.contains(&row.event.as_str()) {
            return Ok(false);
        }
        let status = row.details.get("status").map(|status| json!({ "status": status }));
        (row.actor, row.details) = (String::new(), status.unwrap_or_default());
        let tile = log.tiles.get_mut(&TileId::of_leaves(place / TILE_WIDTH));
        if let Some(salt) = tile.and_then(|tile| tile.salts.get_mut(index(place % TILE_WIDTH))) {
            *salt = Salt::REMOVED;
        }
        audit.push(record.clone());
        state.number(u32::MAX);
        Ok(true)
    }

    async fn restart_log(&self, former_origin: Option<&str>, record: &AuditRecord) -> Result<(), StoreError> {
        let state = &mut *self.lock();
        let former = former_origin.map(str::to_owned).or(state.log.state.former_origin.take());
        state.log = Log::default();
        state.log.state.former_origin = former;
        state.audit.push(record.clone());
        Ok(())
    }
}

fn entry(index: u64, row: &AuditRecord) -> LogEntry {
    let id = row.id.hyphenated().to_string();
    let columns = json!({
        "id": id, "created_at_utc": time::format(row.created_at), "event": row.event, "actor": row.actor,
        "lead_id": row.lead_id.map(|id| id.to_string()), "request_id": row.request_id.hyphenated().to_string(),
        "status_code": row.status_code, "details_json": (!row.details.is_null()).then(|| row.details.to_string()),
    });
    LogEntry { index, row_id: Some(id), row: Some(columns) }
}

fn index(place: u64) -> usize {
    usize::try_from(place).unwrap_or(usize::MAX)
}
