use sha2::{Digest, Sha256};

use crate::{
    store::{StoreError, StoreErrorKind},
    text::hexadecimal,
};

/// The bookkeeping table: which migrations a database has had.
pub const TABLE: &str = "fastcore_leads_migrations";

/// One step of the schema.
#[derive(Clone, Copy, Debug)]
pub struct Migration {
    /// Its place, counted from 1.
    pub version: i32,
    /// What it is for.
    pub name: &'static str,
    /// Statements to be run first, each outside of any transaction. Running them again does no harm: they are, where the
    /// migration was interrupted.
    pub before: &'static [&'static str],
    /// The statements, to be run in one transaction together with the row in the bookkeeping table.
    pub sql: &'static str,
    /// Checksums of statements that led to the same tables before, and were applied to databases, the oldest first.
    pub former: &'static [&'static str],
}

impl Migration {
    /// A step with nothing to do before its transaction.
    pub const fn new(version: i32, name: &'static str, sql: &'static str) -> Self {
        Self { version, name, before: &[], sql, former: &[] }
    }

    /// SHA-256 of the statements, in hexadecimal. Line endings do not count.
    pub fn checksum(&self) -> String {
        hexadecimal(&Sha256::digest(self.sql.replace("\r\n", "\n").as_bytes()))
    }

    /// The checksum that the bookkeeping table gets: the oldest, so that a version which knows no other stays ready.
    pub fn recorded_checksum(&self) -> String {
        self.former.first().map_or_else(|| self.checksum(), |&oldest| oldest.to_owned())
    }
}

/// A row of the bookkeeping table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Applied {
    /// Which migration.
    pub version: i32,
    /// What its statements were.
    pub checksum: String,
    /// The first migration whose programs can work with the tables as this one left them. None: only programs that know it.
    pub readable_from: Option<i32>,
}

/// What is left to run, given what a database has had.
///
/// # Errors
/// [`SchemaMismatch`] where the database was migrated by other statements than these, or by a newer version that did not
/// just add to what this one knows.
pub fn pending<'a>(known: &'a [Migration], applied: &[Applied]) -> Result<&'a [Migration], SchemaMismatch> {
    let mut left = known;
    for row in applied {
        let Some((next, rest)) = left.split_first() else {
            let newest = known.last().map_or(0, |migration| migration.version);
            if row.readable_from.is_none_or(|first| first > newest) {
                return Err(SchemaMismatch::Newer { version: row.version });
            }
            continue;
        };
        if next.version != row.version {
            return Err(SchemaMismatch::Gap { version: next.version });
        }
        if next.checksum() != row.checksum && !next.former.contains(&row.checksum.as_str()) {
            return Err(SchemaMismatch::Edited { version: row.version });
        }
        left = rest;
    }
    Ok(left)
}

/// The database's tables are not what this version would have made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SchemaMismatch {
    /// A newer version migrated the database, and changed what this one works with.
    #[error("the database has migration {version}, which this version does not know: run the newer version")]
    Newer {
        /// The first unknown migration.
        version: i32,
    },
    /// A migration was edited after it was applied.
    #[error("migration {version} was applied with other statements: restore the version that applied it")]
    Edited {
        /// The edited migration.
        version: i32,
    },
    /// The bookkeeping table lacks a row.
    #[error("the bookkeeping table lacks migration {version}, but has later ones: restore its row")]
    Gap {
        /// The missing migration.
        version: i32,
    },
    /// The tables were never made, or not all of them.
    #[error("migration {version} has not been applied: run the migrations")]
    Pending {
        /// The first migration that is missing.
        version: i32,
    },
}

impl SchemaMismatch {
    /// Whether a database is at this version, or at one that just adds to it.
    ///
    /// # Errors
    /// What differs.
    pub fn check(known: &[Migration], applied: &[Applied]) -> Result<(), Self> {
        match pending(known, applied)? {
            [] => Ok(()),
            [next, ..] => Err(Self::Pending { version: next.version }),
        }
    }
}

impl From<SchemaMismatch> for StoreError {
    fn from(mismatch: SchemaMismatch) -> Self {
        Self::new(StoreErrorKind::SchemaMismatch).with_reason(mismatch.to_string())
    }
}
