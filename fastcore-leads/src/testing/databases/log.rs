//! What whoever owns a database can do to its log, all of which is to be found; and what is done every day, none of which is.

use std::sync::Arc;

use super::Database;
use crate::{
    audit::{AUDIT_REDACTED, Actor},
    inbox::{InboxExt, Target},
    lead::LeadStatus,
    proof::{
        Finding, Folder, LogEntry, NoteKey, Report, Salt, TILE_WIDTH, Tile, TileId, balanced, entry_bytes, leaf_hash,
        node_hash,
    },
    sql::inbox::Dialect,
    store::{LeadLog, StoredLead},
    testing::{
        BoxFuture, Random, TempDir,
        log::{self, Log, redact, redaction, sealer},
    },
    text::hexadecimal,
};

/// Runs a statement, and answers the last column of its rows, or the database's message.
type Run = dyn Fn(String) -> BoxFuture<Result<Vec<String>, String>> + Send + Sync;

/// Somebody with all rights on a database.
pub(super) struct Owner {
    dialect: Dialect,
    run: Box<Run>,
}

impl Owner {
    pub(super) fn new(
        dialect: Dialect,
        run: impl Fn(String) -> BoxFuture<Result<Vec<String>, String>> + Send + Sync + 'static,
    ) -> Self {
        Self { dialect, run: Box::new(run) }
    }

    async fn does(&self, statement: impl Into<String>) -> Vec<String> {
        let statement = statement.into();
        (self.run)(statement.clone()).await.unwrap_or_else(|error| panic!("{error}: {statement}"))
    }

    async fn switches_triggers_off(&self) {
        match self.dialect {
            Dialect::Postgres => drop(self.does("ALTER TABLE audit_log DISABLE TRIGGER USER").await),
            Dialect::Sqlite => {
                for name in ["audit_log_no_update", "audit_log_no_delete", "audit_log_no_replace"] {
                    self.does(format!("DROP TRIGGER {name}")).await;
                }
            }
        }
    }

    /// Keeps the log as it is under a name.
    async fn backs_up(&self, name: &str) {
        for table in TABLES {
            self.does(format!("CREATE TABLE {name}_{table} AS SELECT * FROM {table}{}", self.order(table))).await;
        }
    }

    /// Puts the log back.
    async fn restores(&self, name: &str) {
        for table in TABLES {
            self.does(format!("DELETE FROM {table}")).await;
            self.does(format!("INSERT INTO {table} SELECT * FROM {name}_{table}")).await;
        }
    }

    fn order(&self, table: &str) -> &'static str {
        if self.dialect == Dialect::Sqlite && table == "audit_log" { " ORDER BY rowid" } else { "" }
    }

    fn blob(&self, bytes: &[u8]) -> String {
        let digits = hexadecimal(bytes);
        match self.dialect {
            Dialect::Postgres => format!("decode('{digits}', 'hex')"),
            Dialect::Sqlite => format!("x'{digits}'"),
        }
    }

    async fn writes(&self, tile: &Tile) {
        let (hashes, salts) = (self.blob(&tile.hash_bytes()), self.blob(&tile.salt_bytes()));
        let TileId { level, number } = tile.id;
        let at = format!("level = {level} AND number = {number}");
        self.does(format!("UPDATE audit_tile SET hashes = {hashes}, salts = {salts} WHERE {at}")).await;
    }

    /// Moves numbers behind one.
    async fn renumbers(&self, behind: i64, by: i64) {
        // In two steps: no number is there twice meanwhile.
        let far = 1_000_000;
        self.does(format!("UPDATE lead_event SET sequence = sequence + {far} WHERE sequence > {behind}")).await;
        self.does(format!("UPDATE lead_event SET sequence = sequence - {} WHERE sequence > {far}", far - by)).await;
    }
}

const TABLES: [&str; 5] = ["audit_log", "lead_event", "lead_sequencer", "audit_tile", "audit_seal"];
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
pub(super) async fn whatever_is_done_is_found(database: Database, owner: Owner) {
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

/// How many, by an environment variable.
fn number(name: &str, default: usize) -> usize {
    std::env::var(name).map_or(default, |number| number.parse().expect("a number"))
}

/// A source of random numbers for each history.
pub(super) fn histories() -> Vec<Random> {
    let mut seeds = Random::from_env();
    (0..number("HISTORIES", 4)).map(|_| Random::new(seeds.below(usize::MAX) as u64)).collect()
}

/// Two seal, and are stopped anywhere, while leads come, are worked on and erased, other programs write, and rows are redacted.
pub(super) async fn raises_no_alarm(database: Database, owner: Owner, random: &mut Random) {
    let (dir, key) = (TempDir::new(), log::key());
    let folders = ["one", "other"].map(|name| {
        std::fs::create_dir(dir.path().join(name)).expect("a folder");
        Folder::at(dir.path().join(name))
    });
    let log: Log = Arc::clone(&database) as Log;
    let mut leads: Vec<crate::LeadId> = Vec::new();
    for _ in 0..4 + random.below(12) {
        match random.below(8) {
            0 | 1 => leads.extend(log::receive(&*log, 1 + random.below(200)).await.iter().map(crate::NewLead::id)),
            2 => works(&database, &leads, random).await,
            3 => {
                if let Some(id) = leads.get(random.below(leads.len())) {
                    database.erase(Target::Lead(*id), Actor::SITE_INGEST, None).await.expect("erased");
                }
            }
            4 => another_program_writes(&owner).await,
            5 => {
                let size = log.sealed().await.expect("state").size;
                if size > 0 {
                    let at = random.below(usize::try_from(size).expect("small")) as u64;
                    let entry = log.entries(at, 1).await.expect("entries").pop().expect("an entry");
                    let is_of_log = entry.row.expect("a row")["event"] == AUDIT_REDACTED;
                    assert_ne!(redact(&*log, &entry.row_id.expect("an id")).await, is_of_log);
                }
            }
            6 => drop(owner.does("VACUUM").await),
            _ => {
                let seen = log::audit(&*log, &key, Some(&folders[0]));
                let one = sealer(&log, &key).publish(folders[0].clone()).seal_all();
                let other = sealer(&log, &key).publish(folders[1].clone()).seal_all();
                let patience = std::time::Duration::from_millis(1 + random.below(60) as u64);
                let (seen, first, second) = tokio::join!(seen, one, tokio::time::timeout(patience, other));
                assert!(seen.is_sound() || seen.heads.is_empty(), "while it is sealed: {:?}", seen.findings);
                first.expect("sealed");
                if let Ok(second) = second {
                    second.expect("sealed");
                }
            }
        }
    }
    let late = log::audit(&*log, &key, Some(&folders[1])).await;
    assert!(late.is_sound(), "before all is sealed: {:?}", late.findings);
    let size = sealer(&log, &key).publish(folders[0].clone()).seal_all().await.expect("sealed");
    let report = log::audit(&*log, &key, Some(&folders[0])).await;
    assert!(report.is_sound(), "{:?}", report.findings);
    let rows = owner.does("SELECT CAST(count(*) AS text) FROM audit_log").await;
    assert_eq!((report.rows, rows), (size, vec![size.to_string()]), "each row is sealed");
}

async fn works(database: &Database, leads: &[crate::LeadId], random: &mut Random) {
    let Some(id) = leads.get(random.below(leads.len())) else { return };
    let is_open = |lead: &StoredLead| lead.status == "received" && lead.erased_at_utc.is_none();
    if database.get(*id).await.expect("get").as_ref().is_some_and(is_open) {
        let (seen, to) = (LeadStatus::Received, LeadStatus::Processing);
        database.transition(*id, seen, to, Actor::SITE_INGEST, None).await.expect("moved");
    }
}

/// Such as the FastAPI service, or one that writes what nobody understands.
async fn another_program_writes(owner: &Owner) {
    let (details, id) = match owner.dialect {
        Dialect::Postgres => (
            "'{\"z\": 12345678901234567890123, \"a\": {\"y\": 1.0, \"x\": \"\\u00e9\"}}'",
            "gen_random_uuid()".to_owned(),
        ),
        Dialect::Sqlite => ("'no JSON {'", format!("'{}'", uuid::Uuid::now_v7())),
    };
    owner
        .does(format!(
            "INSERT INTO audit_log (id, created_at_utc, event, request_id, details_json)
             VALUES ({id}, '2026-11-22T10:30:45.123456Z', 'LEAD_REFUSED', '01890000-0000-7000-8000-000000000000', {details})"
        ))
        .await;
}

/// In the order of their time, and none of them is told.
pub(super) async fn older_rows_come_first(database: Database, rows: u64) {
    let (key, log) = (log::key(), Arc::clone(&database) as Log);
    log::receive(&*log, 10).await;
    let size = sealer(&log, &key).seal_all().await.expect("sealed");
    assert_eq!(size, rows + 10);
    let entries = log.entries(0, 10_000).await.expect("entries");
    let older: Vec<_> = entries[..usize::try_from(rows).expect("small")]
        .iter()
        .map(|entry| entry.row.as_ref().expect("a row")["created_at_utc"].as_str().expect("an instant").to_owned())
        .collect();
    assert!(older.is_sorted(), "the oldest first");
    assert_eq!(database.events(0, 1000).await.expect("events").len(), 10, "nobody is told of what was before");
    assert_eq!(database.last_sequence().await.expect("last"), 10);
    assert!(log::audit(&*log, &key, None).await.is_sound());
}
