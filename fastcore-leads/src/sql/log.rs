//! The statements behind [`LeadLog`](crate::LeadLog), for both databases. Each answers one text a row, `answer`, which is JSON, unless it
//! says otherwise.

use std::borrow::Cow;

use super::{
    inbox::{Dialect, Param, Statement},
    outbox::{json, signed},
    sqlite::read_instant,
};
use crate::{
    audit,
    lead::LeadId,
    proof::{LogEntry, Salt, Seal, SealLag, SealState, TILE_WIDTH, Tile, TileId},
    store::{StoreError, StoreErrorKind},
    text::hexadecimal,
    time,
};
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

/// What tells of the log itself is not redacted: another row would have nothing that explains it.
pub(crate) const NOT_REDACTED: [&str; 2] = [audit::AUDIT_REDACTED, audit::AUDIT_RESTARTED];

/// Tables of one row, said to have one: before they are analysed the planner expects hundreds, and would compile the statement, which takes
/// longer than to run it.
const THE_SEAL: &str = "(SELECT * FROM audit_seal LIMIT 1) AS audit_seal";
const THE_SEQUENCER: &str = "(SELECT * FROM lead_sequencer LIMIT 1) AS lead_sequencer";
/// How many rows are looked at for the next one without a number, from either end.
const LOOKED_AT: u32 = 200;

impl Dialect {
    /// How far the log is sealed. Answers a [`StateRow`].
    pub(super) fn sealed(self) -> Statement {
        let answer = self.json_array("size, sealed_at_utc, checkpoint, former_origin");
        Statement::of(self, format!("SELECT {answer} AS answer FROM audit_seal"))
    }

    /// How far sealing is behind. Answers a [`LagRow`].
    pub(super) fn seal_lag(self) -> Statement {
        // This is asked often: so it is the next rows that are looked at, and the last ones. Where only one of those has no number, rows have
        // waited since the last one that has. Behind a restore in another cluster, its rows may have higher numbers.
        let (behind, is_ours, order) = match self {
            Self::Postgres => (
                "written_in >= mark AND written_in > 0",
                " AND written_in < pg_snapshot_xmax(pg_current_snapshot())::text::bigint",
                "written_in",
            ),
            Self::Sqlite => ("rowid > coalesce((SELECT rowid FROM audit_log WHERE id = mark), 0)", "", "rowid"),
        };
        let unnumbered = |column: &str, condition: &str, direction: &str| {
            format!(
                "(SELECT {column} FROM (SELECT id, created_at_utc, {order} AS place FROM audit_log WHERE {behind}{condition} \
                                         ORDER BY {order}{direction} LIMIT {LOOKED_AT}) AS audited \
                   WHERE (SELECT 1 FROM lead_event WHERE lead_event.audit_id = audited.id) IS NULL ORDER BY place LIMIT 1)"
            )
        };
        let (next, last) = (unnumbered("created_at_utc", "", ""), unnumbered("1", is_ours, " DESC"));
        let answer = self.json_array(&format!(
            "size, last_sequence - first_sequence + 1 - size, \
             (SELECT created_at_utc FROM lead_event WHERE sequence = first_sequence + size), \
             coalesce({next}, CASE WHEN {last} IS NOT NULL THEN (SELECT created_at_utc FROM lead_event WHERE sequence = last_sequence) END)"
        ));
        Statement::of(self, format!("SELECT {answer} AS answer FROM {THE_SEAL}, {THE_SEQUENCER}"))
    }

    /// Entries from a place on. Answers [`EntryRow`]s.
    pub(super) fn entries(self, from: u64, limit: u32) -> Statement {
        let mut statement = Statement::new(self);
        let (from, limit) = (statement.bind(Param::BigInt(signed(from))), statement.bind(Param::BigInt(limit.into())));
        let first = "(SELECT first_sequence FROM audit_seal)";
        let (created_at, is_there, join) = match self {
            // The same text whatever the session's time zone is, and another one for each instant.
            Self::Postgres => (
                "CASE WHEN isfinite(audited.created_at_utc) AND extract(year FROM audited.created_at_utc AT TIME ZONE 'UTC') BETWEEN 1 AND 9999 \
                 THEN to_char(audited.created_at_utc AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS.US\"Z\"') \
                 ELSE (audited.created_at_utc AT TIME ZONE 'UTC')::text END",
                "audited.id IS NOT NULL",
                // Each row by its key, whatever the planner thinks of joining all of the log.
                "LEFT JOIN LATERAL (SELECT * FROM audit_log WHERE audit_log.id = event.audit_id OFFSET 0) AS audited ON true",
            ),
            Self::Sqlite => (
                "audited.created_at_utc",
                "json(iif(audited.id IS NOT NULL, 'true', 'false'))",
                "LEFT JOIN audit_log AS audited ON audited.id = event.audit_id",
            ),
        };
        let details = if self == Self::Postgres { "audited.details_json::text" } else { "audited.details_json" };
        let answer = self.json_array(&format!(
            "event.sequence - {first}, event.audit_id, {is_there}, {created_at}, audited.event, audited.actor, audited.lead_id, \
             audited.request_id, audited.status_code, {details}"
        ));
        statement.text = Cow::Owned(format!(
            "SELECT {answer} AS answer FROM (SELECT sequence, audit_id FROM lead_event WHERE sequence >= {first} + {from} \
             AND sequence <= (SELECT last_sequence FROM lead_sequencer) ORDER BY sequence LIMIT {limit}) AS event {join} ORDER BY event.sequence"
        ));
        statement
    }

    /// Says that the tree has more leaves. Answers `true` if it had as many as it should have before.
    pub(super) fn extend(self, seal: &Seal) -> Statement {
        let mut statement = Statement::new(self);
        let (from, to) =
            (statement.bind(Param::BigInt(signed(seal.from))), statement.bind(Param::BigInt(signed(seal.to))));
        let now = statement.instant(time::now());
        statement.text = Cow::Owned(format!(
            "UPDATE audit_seal SET size = {to}, sealed_at_utc = {now} WHERE size = {from} RETURNING 'true' AS answer"
        ));
        statement
    }

    /// Adds hashes and salts to tiles. Answers nothing.
    pub(super) fn add_to_tiles(self, added: &[Tile]) -> Statement {
        let rows: Vec<_> = added
            .iter()
            .map(|tile| AddedTile {
                level: tile.id.level,
                number: tile.id.number,
                hashes: hexadecimal(&tile.hash_bytes()),
                salts: hexadecimal(&tile.salt_bytes()),
            })
            .collect();
        let text = match self {
            Self::Postgres => {
                "INSERT INTO audit_tile (level, number, hashes, salts)
                 SELECT level, number, decode(hashes, 'hex'), decode(salts, 'hex')
                   FROM jsonb_to_recordset($1::jsonb) AS new (level smallint, number bigint, hashes text, salts text)
                  ORDER BY level, number
                     ON CONFLICT (level, number) DO UPDATE
                    SET hashes = audit_tile.hashes || excluded.hashes, salts = audit_tile.salts || excluded.salts"
            }
            Self::Sqlite => {
                "INSERT INTO audit_tile (level, number, hashes, salts)
                 SELECT value ->> '$.level', value ->> '$.number', unhex(value ->> '$.hashes'), unhex(value ->> '$.salts')
                   FROM json_each(?1) WHERE true
                     ON CONFLICT (level, number) DO UPDATE
                    SET hashes = unhex(hex(audit_tile.hashes) || hex(excluded.hashes)),
                        salts = unhex(hex(audit_tile.salts) || hex(excluded.salts))"
            }
        };
        Statement::of(self, text).with(json(&rows))
    }

    /// Tiles by their ids. Answers [`TileRow`]s.
    pub(super) fn tiles(self, ids: &[TileId]) -> Statement {
        let wanted: Vec<_> = ids.iter().map(|id| (id.level, id.number)).collect();
        let text = match self {
            Self::Postgres => {
                "SELECT json_build_array(level, number, encode(hashes, 'hex'), encode(salts, 'hex'))::text AS answer
                   FROM audit_tile
                  WHERE (level, number) IN (SELECT (id ->> 0)::smallint, (id ->> 1)::bigint FROM jsonb_array_elements($1::jsonb) AS id)"
            }
            Self::Sqlite => {
                "SELECT json_array(level, number, hex(hashes), hex(salts)) AS answer FROM audit_tile
                  WHERE (level, number) IN (SELECT value ->> 0, value ->> 1 FROM json_each(?1))"
            }
        };
        Statement::of(self, text).with(json(&wanted))
    }

    /// Keeps a checkpoint that is of more leaves than the one that is kept, or has more signatures. Answers nothing.
    pub(super) fn keep_checkpoint(self, size: u64, checkpoint: &str) -> Statement {
        let mut statement = Statement::new(self);
        let (size, checkpoint) = (statement.bind(Param::BigInt(signed(size))), statement.text(checkpoint));
        let cast = if self == Self::Postgres { "::text" } else { "" };
        statement.text = Cow::Owned(format!(
            "UPDATE audit_seal SET checkpoint_size = {size}, checkpoint = {checkpoint} \
             WHERE size >= {size} AND (checkpoint_size < {size} OR checkpoint_size = {size} AND length(checkpoint) < length({checkpoint}{cast}))"
        ));
        statement
    }

    /// The place of the row that says that a lead was received. Answers it.
    pub(super) fn receipt_of(self, id: LeadId) -> Statement {
        let mut statement = Statement::new(self);
        let id = statement.id(id.as_uuid());
        statement.text = Cow::Owned(format!(
            "SELECT CAST(event.sequence - audit_seal.first_sequence AS text) AS answer \
               FROM {THE_SEAL}, audit_log AS audited JOIN lead_event AS event ON event.audit_id = audited.id \
              WHERE audited.lead_id = {id} AND audited.event = '{}' AND event.sequence >= audit_seal.first_sequence \
              ORDER BY event.sequence LIMIT 1",
            audit::LEAD_RECEIVED
        ));
        statement
    }

    /// Rows without a place in the log that the sequencer is past. Answers one row: where the page ends, and the ids.
    pub(super) fn strays(self, after: &str, limit: u32) -> Statement {
        let mut statement = Statement::new(self);
        let has_place =
            "EXISTS (SELECT 1 FROM lead_event WHERE lead_event.audit_id = page.id AND sequence >= first_sequence)";
        // From the start there is nothing to be behind.
        let (after, is_first) = (statement.text(after), after.is_empty());
        let limit = statement.bind(Param::BigInt(limit.into()));
        let behind = |condition: &str| if is_first { format!("{after} = ''") } else { condition.to_owned() };
        statement.text = Cow::Owned(match self {
            // Where transactions have numbers of another cluster, the sequencer has to go through all of them first. A transaction that
            // this snapshot sees cannot have a number behind its xmax.
            Self::Postgres => format!(
                "WITH page AS MATERIALIZED (
                     SELECT id, written_in FROM audit_log WHERE {} ORDER BY id LIMIT {limit}),
                 strays AS (
                     SELECT id FROM page, {THE_SEAL}, {THE_SEQUENCER}
                      WHERE NOT {has_place}
                        AND (written_in = 0
                             OR system_identifier = (SELECT here.system_identifier::text FROM pg_control_system() AS here)
                                AND (written_in < mark
                                     OR written_in >= pg_snapshot_xmax(pg_current_snapshot())::text::bigint)))
                 SELECT json_build_array((SELECT id FROM page ORDER BY id DESC LIMIT 1),
                                         coalesce((SELECT json_agg(id ORDER BY id) FROM strays), '[]'))::text AS answer",
                behind(&format!("id > {after}::text::uuid"))
            ),
            Self::Sqlite => format!(
                "WITH page AS MATERIALIZED (
                     SELECT id, rowid AS place FROM audit_log WHERE {} ORDER BY rowid LIMIT {limit}),
                 strays AS (
                     SELECT id FROM page, {THE_SEAL}
                      WHERE place <= coalesce((SELECT rowid FROM audit_log WHERE id = (SELECT mark FROM lead_sequencer)), 0)
                        AND NOT {has_place})
                 SELECT json_array((SELECT CAST(place AS TEXT) FROM page ORDER BY place DESC LIMIT 1),
                                   json((SELECT json_group_array(id) FROM strays))) AS answer",
                behind(&format!("rowid > CAST({after} AS INTEGER)"))
            ),
        });
        statement
    }

    /// Locks the tree, and finds the place of a sealed row. Answers it.
    pub(super) fn lock_sealed(self, row_id: &str) -> Statement {
        let mut statement = Statement::new(self);
        let row_id = statement.text(row_id);
        let (is_row, lock) = match self {
            Self::Postgres => (format!("event.audit_id = {row_id}::text::uuid"), " FOR UPDATE OF audit_seal"),
            Self::Sqlite => (format!("event.audit_id = {row_id}"), ""),
        };
        statement.text = Cow::Owned(format!(
            "SELECT CAST(event.sequence - first_sequence AS text) AS answer FROM audit_seal, lead_event AS event \
             WHERE {is_row} AND event.sequence >= first_sequence AND event.sequence < first_sequence + size \
               AND EXISTS (SELECT 1 FROM audit_log WHERE audit_log.id = event.audit_id AND audit_log.event NOT IN ({kept})){lock}",
            kept = NOT_REDACTED.map(|event| format!("'{event}'")).join(", ")
        ));
        statement
    }

    /// Removes the salt of a leaf. Answers nothing.
    pub(super) fn remove_salt(self, index: u64) -> Statement {
        let mut statement = Statement::new(self);
        let number = statement.bind(Param::BigInt(signed(index / TILE_WIDTH)));
        let first = index % TILE_WIDTH * Salt::LEN as u64;
        let zeros = "00".repeat(Salt::LEN);
        let salts = match self {
            Self::Postgres => format!("overlay(salts placing decode('{zeros}', 'hex') from {})", first + 1),
            Self::Sqlite => {
                let (before, behind) = (first * 2, (first + Salt::LEN as u64) * 2 + 1);
                format!("unhex(substr(hex(salts), 1, {before}) || '{zeros}' || substr(hex(salts), {behind}))")
            }
        };
        statement.text =
            Cow::Owned(format!("UPDATE audit_tile SET salts = {salts} WHERE level = 0 AND number = {number}"));
        statement
    }

    /// Removes what an audit row says of people. Answers nothing.
    pub(super) fn blank(self, row_id: &str) -> Statement {
        let mut statement = Statement::new(self);
        let row_id = statement.text(row_id);
        let is_row =
            if self == Self::Postgres { format!("id = {row_id}::text::uuid") } else { format!("id = {row_id}") };
        // Whether a lead was put into quarantine is asked for still.
        let details = match self {
            Self::Postgres => {
                "CASE WHEN details_json ? 'status' THEN jsonb_build_object('status', details_json -> 'status') END"
            }
            Self::Sqlite => {
                "iif(json_valid(details_json) AND details_json ->> '$.status' IS NOT NULL, \
                     json_object('status', details_json ->> '$.status'), NULL)"
            }
        };
        statement.text =
            Cow::Owned(format!("UPDATE audit_log SET actor = NULL, details_json = {details} WHERE {is_row}"));
        statement
    }

    /// Whether the role has the rights of the log's owner. Answers a boolean. None where a database knows no roles.
    pub(super) fn is_owner(self) -> Option<Statement> {
        let text =
            "SELECT pg_has_role(relowner, 'USAGE')::text AS answer FROM pg_class WHERE oid = to_regclass('audit_log')";
        (self == Self::Postgres).then(|| Statement::of(self, text))
    }

    /// Lets an audit row be changed, until [`guard`](Self::guard), in the same transaction.
    pub(super) fn unguard(self) -> &'static [&'static str] {
        match self {
            // Whoever writes waits behind this: it gives way soon.
            Self::Postgres => &[
                // Less than those who write wait.
                "SET LOCAL lock_timeout = '50ms'",
                "ALTER TABLE audit_log DISABLE TRIGGER audit_log_no_change, DISABLE TRIGGER audit_log_no_row_change",
            ],
            Self::Sqlite => &["DROP TRIGGER audit_log_no_update"],
        }
    }

    /// Lets no audit row be changed any more.
    pub(super) fn guard(self) -> &'static str {
        match self {
            Self::Postgres => {
                "ALTER TABLE audit_log ENABLE ALWAYS TRIGGER audit_log_no_change, \
                 ENABLE ALWAYS TRIGGER audit_log_no_row_change"
            }
            Self::Sqlite => {
                "CREATE TRIGGER audit_log_no_update BEFORE UPDATE ON audit_log
                 BEGIN
                     SELECT RAISE(ABORT, 'audit_log is append-only');
                 END"
            }
        }
    }

    /// Forgets the tree. Answers nothing.
    pub(super) fn restart_log(self, former_origin: Option<&str>) -> [Statement; 2] {
        let mut restart = Statement::new(self);
        let former = former_origin.map_or_else(|| "former_origin".to_owned(), |origin| restart.text(origin));
        restart.text = Cow::Owned(format!(
            "UPDATE audit_seal SET size = 0, sealed_at_utc = NULL, checkpoint_size = 0, checkpoint = NULL, former_origin = {former}, \
                    first_sequence = coalesce((SELECT min(sequence) FROM lead_event), 1)"
        ));
        let forget = if self == Self::Postgres { "TRUNCATE audit_tile" } else { "DELETE FROM audit_tile" };
        [restart, Statement::of(self, forget)]
    }
}

/// What [`Dialect::sealed`] answers.
#[derive(Deserialize)]
pub(super) struct StateRow(i64, Option<String>, Option<String>, Option<String>);

impl StateRow {
    pub(super) fn read(self) -> Result<SealState, StoreError> {
        let sealed_at = self.1.as_deref().map(read_instant).transpose()?;
        Ok(SealState { size: unsigned(self.0), sealed_at, checkpoint: self.2, former_origin: self.3 })
    }
}

/// What [`Dialect::seal_lag`] answers.
#[derive(Deserialize)]
pub(super) struct LagRow(i64, i64, Option<String>, Option<String>);

impl LagRow {
    pub(super) fn read(self) -> SealLag {
        // Whoever wrote the row, its instant may be none.
        let instant = |text: Option<String>| text.and_then(|text| read_instant(&text).ok());
        let oldest: Option<DateTime<Utc>> = instant(self.2).into_iter().chain(instant(self.3)).min();
        SealLag { sealed: unsigned(self.0), unsealed: unsigned(self.1), oldest }
    }
}

/// What [`Dialect::entries`] answers.
#[derive(Deserialize)]
pub(super) struct EntryRow(
    i64,
    String,
    bool,
    Option<String>,
    Option<String>,
    Option<String>,
    Option<String>,
    Option<String>,
    Option<i64>,
    Option<String>,
);

impl EntryRow {
    pub(super) fn read(self) -> LogEntry {
        let Self(index, row_id, is_there, created_at, event, actor, lead_id, request_id, status_code, details) = self;
        let row = is_there.then(|| {
            serde_json::json!({
                "id": row_id, "created_at_utc": created_at, "event": event, "actor": actor, "lead_id": lead_id,
                "request_id": request_id, "status_code": status_code, "details_json": details,
            })
        });
        LogEntry { index: unsigned(index), row_id: Some(row_id), row }
    }
}

#[derive(Serialize)]
struct AddedTile {
    level: u8,
    number: u64,
    hashes: String,
    salts: String,
}

/// What [`Dialect::tiles`] answers.
#[derive(Deserialize)]
pub(super) struct TileRow(u8, u64, String, String);

impl TileRow {
    pub(super) fn read(self) -> Result<Tile, StoreError> {
        let id = TileId { level: self.0, number: self.1 };
        let tile = bytes(&self.2).zip(bytes(&self.3)).and_then(|(hashes, salts)| Tile::from_bytes(id, &hashes, &salts));
        tile.ok_or_else(|| {
            StoreError::new(StoreErrorKind::Internal).with_reason("the database answered in another form")
        })
    }
}

/// Bytes of a hexadecimal text.
fn bytes(text: &str) -> Option<Vec<u8>> {
    let (pairs, rest) = text.as_bytes().as_chunks::<2>();
    let digit = |byte: u8| char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
    let bytes = pairs.iter().map(|&[high, low]| Some(digit(high)? << 4 | digit(low)?)).collect();
    if rest.is_empty() { bytes } else { None }
}

fn unsigned(number: i64) -> u64 {
    u64::try_from(number).unwrap_or_default()
}
