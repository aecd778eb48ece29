//! Each kind of tampering is found, and its row named.

use super::{Owner, number};
use crate::{
    proof::{
        Finding, Folder, LogEntry, NoteKey, Report, Salt, TILE_WIDTH, Tile, TileId, balanced, entry_bytes, leaf_hash,
        node_hash,
    },
    sql::inbox::Dialect,
    testing::{
        Random, TempDir,
        databases::Database,
        log::{self, Log, redaction, sealer},
    },
};

const ROWS: u64 = 300;
/// Leaves of the checkpoints that were published.
const SIGNED: [u64; 3] = [100, 257, ROWS];

struct World {
    log: Log,
    owner: Owner,
    key: NoteKey,
    folder: Folder,
    entries: Vec<LogEntry>,
    _dir: TempDir,
}

/// What is to be found.
#[derive(Debug)]
enum Found {
    Entry(u64),
    Row(String),
    CutOff,
    Tile,
}

impl Found {
    fn is_in(&self, report: &Report) -> bool {
        let at = |finding: &Finding| match finding {
            Finding::Changed { index, .. }
            | Finding::Gone { index, .. }
            | Finding::Unexplained { index, .. }
            | Finding::Resealed { index, .. } => Some(*index),
            _ => None,
        };
        match self {
            // The first that is named.
            Self::Entry(index) => report.findings.iter().find_map(at) == Some(*index),
            Self::Row(id) => report.findings.iter().any(|finding| *finding == Finding::Inserted { row_id: id.clone() }),
            Self::CutOff => {
                report.findings.iter().any(|finding| matches!(finding, Finding::CutOff { signed: ROWS, .. }))
            }
            Self::Tile => report.findings.iter().any(|finding| matches!(finding, Finding::Tile(_))),
        }
    }
}

/// Each at a random place, the log put back after it.
pub(in crate::testing::databases) async fn whatever_is_done_is_found(database: Database, owner: Owner) {
    let tamperings = number("TAMPERINGS", 3 * KINDS.len());
    let mut random = Random::from_env();
    let world = World::new(database, owner).await;
    for nth in 0..tamperings {
        let kind = KINDS[nth % KINDS.len()];
        let expected = world.tamper(kind, &mut random).await;
        let report = world.audit().await;
        assert!(expected.is_in(&report), "{kind:?}: {expected:?} is not among {:?}", report.findings);
        world.owner.restores("whole").await;
    }
    let report = world.audit().await;
    assert!(report.is_sound(), "put back whole: {:?}", report.findings);
}

#[derive(Clone, Copy, Debug)]
enum Kind {
    Change,
    ChangeInTheBack,
    Delete,
    DeleteWithNumber,
    DeleteAndCloseUp,
    Insert,
    InsertBetween,
    Swap,
    CutOff,
    CutOffAndGoOn,
    SwapSalts,
    RemoveSalt,
    ReplayBackUp,
    ComputeAnew,
    ChangeTile,
    ChangeUpperTile,
    ChangeSize,
    InsertAhead,
    MoveFarAway,
    ForgeSize,
    ReuseRedaction,
}

const KINDS: [Kind; 21] = [
    Kind::Change,
    Kind::ChangeInTheBack,
    Kind::Delete,
    Kind::DeleteWithNumber,
    Kind::DeleteAndCloseUp,
    Kind::Insert,
    Kind::InsertBetween,
    Kind::Swap,
    Kind::CutOff,
    Kind::CutOffAndGoOn,
    Kind::SwapSalts,
    Kind::RemoveSalt,
    Kind::ReplayBackUp,
    Kind::ComputeAnew,
    Kind::ChangeTile,
    Kind::ChangeUpperTile,
    Kind::ChangeSize,
    Kind::InsertAhead,
    Kind::MoveFarAway,
    Kind::ForgeSize,
    Kind::ReuseRedaction,
];

impl World {
    async fn new(database: Database, owner: Owner) -> Self {
        let (dir, key) = (TempDir::new(), log::key());
        let folder = Folder::at(dir.path());
        let log: Log = database;
        let mut size = 0;
        for signed in SIGNED {
            log::receive(&*log, usize::try_from(signed - size).expect("small")).await;
            size = sealer(&log, &key).publish(folder.clone()).seal_all().await.expect("sealed");
            assert_eq!(size, signed);
            owner.backs_up(if signed == ROWS { "whole".to_owned() } else { format!("after_{signed}") }.as_str()).await;
        }
        owner.switches_triggers_off().await;
        let entries = log.entries(0, 1000).await.expect("entries");
        Self { log, owner, key, folder, entries, _dir: dir }
    }

    async fn audit(&self) -> Report {
        log::audit(&*self.log, &self.key, Some(&self.folder)).await
    }

    fn row_id(&self, index: u64) -> &str {
        self.entries[usize::try_from(index).expect("small")].row_id.as_deref().expect("an id")
    }

    async fn tile(&self, level: u8, number: u64) -> Tile {
        self.log.tiles(&[TileId { level, number }]).await.expect("tiles").pop().expect("a tile")
    }

    #[allow(clippy::too_many_lines, reason = "each kind is a few lines, side by side")]
    async fn tamper(&self, kind: Kind, random: &mut Random) -> Found {
        let mut place = |from: u64, to: u64| from + random.below(usize::try_from(to - from).expect("small")) as u64;
        let (index, other) = (place(0, ROWS - 1), place(0, TILE_WIDTH));
        let (row, sequence) = (self.row_id(index).to_owned(), i64::try_from(index).expect("small") + 1);
        let owner = &self.owner;
        match kind {
            Kind::Change => {
                let change = CHANGES[random.below(CHANGES.len())];
                owner.does(format!("UPDATE audit_log SET {change} WHERE id = '{row}'")).await;
                Found::Entry(index)
            }
            // With its leaf and all that is above it, as the checkpoint in the database: not what was published.
            Kind::ChangeInTheBack => {
                owner.does(format!("UPDATE audit_log SET event = 'LEAD_ERASED' WHERE id = '{row}'")).await;
                self.computes_leaf_anew(index).await;
                Found::Entry(index)
            }
            Kind::Delete => {
                owner.does(format!("DELETE FROM audit_log WHERE id = '{row}'")).await;
                Found::Entry(index)
            }
            Kind::DeleteWithNumber => {
                owner.does(format!("DELETE FROM audit_log WHERE id = '{row}'")).await;
                owner.does(format!("DELETE FROM lead_event WHERE sequence = {sequence}")).await;
                Found::Entry(index)
            }
            Kind::DeleteAndCloseUp => {
                owner.does(format!("DELETE FROM audit_log WHERE id = '{row}'")).await;
                owner.does(format!("DELETE FROM lead_event WHERE sequence = {sequence}")).await;
                owner.renumbers(sequence, -1).await;
                Found::Entry(index)
            }
            Kind::Insert => {
                let id = self.inserts(0).await;
                Found::Row(id)
            }
            Kind::InsertBetween => {
                let id = self.inserts(0).await;
                owner.renumbers(sequence - 1, 1).await;
                owner
                    .does(format!(
                        "INSERT INTO lead_event (sequence, audit_id, created_at_utc)
                         SELECT {sequence}, id, created_at_utc FROM audit_log WHERE id = '{id}'"
                    ))
                    .await;
                Found::Entry(index)
            }
            Kind::Swap => {
                let (first, second) = (index.min(other), index.max(other));
                let second = if first == second { first + 1 } else { second };
                let (one, two) = (self.row_id(first).to_owned(), self.row_id(second).to_owned());
                let none = uuid::Uuid::nil();
                for (from, to) in [(&one, &none.to_string()), (&two, &one), (&none.to_string(), &two)] {
                    owner.does(format!("UPDATE lead_event SET audit_id = '{to}' WHERE audit_id = '{from}'")).await;
                }
                Found::Entry(first)
            }
            Kind::CutOff => {
                self.cuts_off(index).await;
                Found::CutOff
            }
            // With others in their place, sealed anew by nobody's key.
            Kind::CutOffAndGoOn => {
                self.cuts_off(index).await;
                log::receive(&*self.log, 300).await;
                let forger = NoteKey::generate(log::ORIGIN).expect("a key");
                sealer(&self.log, &forger).seal_all().await.expect("sealed");
                Found::Entry(index)
            }
            Kind::SwapSalts => {
                let mut tile = self.tile(0, 0).await;
                let (first, second) = (index.min(other) % TILE_WIDTH, index.max(other) % TILE_WIDTH);
                let (first, second) =
                    (first.min(second), if first == second { (first + 1) % 256 } else { first.max(second) });
                tile.salts.swap(usize::try_from(first).expect("small"), usize::try_from(second).expect("small"));
                owner.writes(&tile).await;
                Found::Entry(first.min(second))
            }
            Kind::RemoveSalt => {
                self.removes_salt(index).await;
                Found::Entry(index)
            }
            Kind::ReplayBackUp => {
                owner.restores(if random.one_in(2) { "after_100" } else { "after_257" }).await;
                Found::CutOff
            }
            // All of it, with salts of its own: the first entry is another already.
            Kind::ComputeAnew => {
                owner.does(format!("UPDATE audit_log SET event = 'LEAD_ERASED' WHERE id = '{row}'")).await;
                owner.does("UPDATE audit_seal SET size = 0, checkpoint_size = 0, checkpoint = NULL").await;
                owner.does("DELETE FROM audit_tile").await;
                let forger = NoteKey::generate(log::ORIGIN).expect("a key");
                sealer(&self.log, &forger).seal_all().await.expect("sealed");
                Found::Entry(0)
            }
            Kind::ChangeTile => {
                let mut tile = self.tile(0, index / TILE_WIDTH).await;
                let hash = &mut tile.hashes[usize::try_from(index % TILE_WIDTH).expect("small")];
                *hash = node_hash(hash, hash);
                owner.writes(&tile).await;
                Found::Entry(index)
            }
            Kind::ChangeUpperTile => {
                let mut tile = self.tile(1, 0).await;
                tile.hashes[0] = node_hash(&tile.hashes[0], &tile.hashes[0]);
                owner.writes(&tile).await;
                Found::Tile
            }
            Kind::ChangeSize => {
                owner.does(format!("UPDATE audit_seal SET size = {index}")).await;
                Found::CutOff
            }
            // Where the sequencer never looks.
            Kind::InsertAhead => Found::Row(self.inserts(i64::MAX).await),
            Kind::MoveFarAway => {
                let far = 1_000_000_000_000_i64;
                owner.does(format!("UPDATE lead_event SET sequence = {far} WHERE sequence = {sequence}")).await;
                Found::Entry(index)
            }
            Kind::ForgeSize => {
                owner.does("UPDATE audit_seal SET size = 9000000000000000").await;
                Found::Tile
            }
            // What explains one row is to explain another one.
            Kind::ReuseRedaction => {
                let other = if other == index { other + 1 } else { other };
                let redacted = self.row_id(other).to_owned();
                self.log.append(&[redaction(&redacted)]).await.expect("appended");
                while self.log.sequence(100).await.expect("numbered") > 0 {}
                self.removes_salt(other).await;
                self.removes_salt(index).await;
                if owner.dialect == Dialect::Sqlite {
                    // Ids are unique there, and stay so.
                    return Found::Entry(index);
                }
                owner.does("ALTER TABLE lead_event DROP CONSTRAINT IF EXISTS lead_event_audit_id_key").await;
                owner.does(format!("DELETE FROM audit_log WHERE id = '{row}'")).await;
                owner.does(format!("UPDATE lead_event SET audit_id = '{redacted}' WHERE sequence = {sequence}")).await;
                Found::Entry(index.max(other))
            }
        }
    }

    async fn removes_salt(&self, index: u64) {
        let mut tile = self.tile(0, index / TILE_WIDTH).await;
        tile.salts[usize::try_from(index % TILE_WIDTH).expect("small")] = Salt::REMOVED;
        self.owner.writes(&tile).await;
    }

    /// Past the sequencer; in PostgreSQL, as if this transaction had written it.
    async fn inserts(&self, written_in: i64) -> String {
        let id = uuid::Uuid::now_v7();
        let (column, value) = match self.owner.dialect {
            Dialect::Postgres => ("written_in", written_in),
            Dialect::Sqlite => ("rowid", -1),
        };
        self.owner
            .does(format!(
                "INSERT INTO audit_log ({column}, id, created_at_utc, event, request_id)
                 VALUES ({value}, '{id}', '2024-01-01T00:00:00.000000Z', 'LEAD_ERASED', '{id}')"
            ))
            .await;
        id.to_string()
    }

    async fn cuts_off(&self, size: u64) {
        let owner = &self.owner;
        owner
            .does(format!(
                "DELETE FROM audit_log WHERE id IN (SELECT audit_id FROM lead_event WHERE sequence > {size})"
            ))
            .await;
        owner.does(format!("DELETE FROM lead_event WHERE sequence > {size}")).await;
        owner.does(format!("UPDATE lead_sequencer SET last_sequence = {size}")).await;
        if owner.dialect == Dialect::Sqlite {
            owner
                .does("UPDATE lead_sequencer SET mark = coalesce((SELECT id FROM audit_log ORDER BY rowid DESC LIMIT 1), '')")
                .await;
        }
        owner.does(format!("UPDATE audit_seal SET size = {size}, checkpoint_size = 0, checkpoint = NULL")).await;
        for number in 0..2 {
            let mut tile = self.tile(0, number).await;
            let width = usize::try_from(tile.id.width(size)).expect("small");
            tile.hashes.truncate(width);
            tile.salts.truncate(width);
            owner.writes(&tile).await;
            if width == 0 {
                owner.does(format!("DELETE FROM audit_tile WHERE number = {number}")).await;
            }
        }
        if size < TILE_WIDTH {
            owner.does("DELETE FROM audit_tile WHERE level = 1").await;
        }
    }

    /// A leaf, and what is above it.
    async fn computes_leaf_anew(&self, index: u64) {
        let entry = self.log.entries(index, 1).await.expect("entries").pop().expect("an entry");
        let mut tile = self.tile(0, index / TILE_WIDTH).await;
        let place = usize::try_from(index % TILE_WIDTH).expect("small");
        tile.hashes[place] = leaf_hash(&entry_bytes(&entry, &tile.salts[place]));
        self.owner.writes(&tile).await;
        if tile.hashes.len() as u64 == TILE_WIDTH {
            let mut upper = self.tile(1, 0).await;
            upper.hashes[0] = balanced(&tile.hashes);
            self.owner.writes(&upper).await;
        }
    }
}

/// Of each column that a row has.
const CHANGES: [&str; 8] = [
    "created_at_utc = '2020-01-01T00:00:00.000000Z'",
    "event = 'LEAD_ARCHIVED'",
    "actor = 'mallory'",
    "actor = NULL",
    "lead_id = NULL",
    "request_id = '01890000-0000-7000-8000-000000000000'",
    "status_code = 200",
    "details_json = '{}'",
];
