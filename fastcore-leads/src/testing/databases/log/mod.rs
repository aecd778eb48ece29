//! What whoever owns a database can do to its log, all of which is to be found; and what is done every day, none of which is.

mod histories;
mod tampering;

pub(super) use self::{
    histories::{histories, older_rows_come_first, raises_no_alarm},
    tampering::whatever_is_done_is_found,
};
use crate::{
    proof::{Tile, TileId},
    sql::inbox::Dialect,
    testing::BoxFuture,
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

/// How many, by an environment variable.
fn number(name: &str, default: usize) -> usize {
    std::env::var(name).map_or(default, |number| number.parse().expect("a number"))
}
