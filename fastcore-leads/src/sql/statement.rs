//! A statement and its parameters, for either database.

use std::borrow::Cow;

use chrono::{DateTime, Utc};
use uuid::Uuid;

use super::sqlite::ids_json;
use crate::{lead::LeadId, time};

/// Which database a statement is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dialect {
    /// PostgreSQL: ids and instants are types of their own.
    Postgres,
    /// SQLite: ids and instants are text.
    Sqlite,
}

/// A statement and its parameters, in the order of their numbers.
#[derive(Clone)]
pub struct Statement {
    /// The text; it holds no value of a lead.
    pub text: Cow<'static, str>,
    /// The values.
    pub params: Vec<Param>,
    pub(super) dialect: Dialect,
}

/// A value for a statement. For SQLite, the statements here have texts and numbers only.
#[derive(Clone, PartialEq)]
#[allow(missing_docs, reason = "each is a type of PostgreSQL")]
pub enum Param {
    Text(String),
    BigInt(i64),
    Uuid(Uuid),
    Uuids(Vec<Uuid>),
    Timestamptz(DateTime<Utc>),
}

impl Param {
    /// A value as SQLite has it: ids, instants and arrays are text.
    pub fn into_text(self) -> String {
        match self {
            Self::Text(text) => text,
            Self::BigInt(number) => number.to_string(),
            Self::Uuid(id) => id.hyphenated().to_string(),
            Self::Uuids(ids) => ids_json(ids),
            Self::Timestamptz(instant) => time::format(instant),
        }
    }
}

impl Statement {
    pub(super) fn new(dialect: Dialect) -> Self {
        Self::of(dialect, "")
    }

    /// A statement without parameters.
    pub fn of(dialect: Dialect, text: impl Into<Cow<'static, str>>) -> Self {
        Self { text: text.into(), params: Vec::new(), dialect }
    }

    /// Adds a text, the next parameter.
    pub fn with(mut self, text: impl Into<String>) -> Self {
        self.params.push(Param::Text(text.into()));
        self
    }

    /// Adds a parameter; answers what stands for it in the text.
    pub(super) fn bind(&mut self, param: Param) -> String {
        self.params.push(param);
        let marker = if self.dialect == Dialect::Postgres { '$' } else { '?' };
        format!("{marker}{}", self.params.len())
    }

    pub(super) fn text(&mut self, text: &str) -> String {
        self.bind(Param::Text(text.to_owned()))
    }

    pub(super) fn id(&mut self, id: Uuid) -> String {
        match self.dialect {
            Dialect::Postgres => self.bind(Param::Uuid(id)),
            Dialect::Sqlite => self.bind(Param::Text(LeadId::from_uuid(id).to_string())),
        }
    }

    pub(super) fn instant(&mut self, instant: DateTime<Utc>) -> String {
        match self.dialect {
            Dialect::Postgres => self.bind(Param::Timestamptz(instant)),
            Dialect::Sqlite => self.bind(Param::Text(time::format(instant))),
        }
    }

    pub(super) fn is_one_of(&mut self, column: &str, ids: &[Uuid]) -> String {
        match self.dialect {
            Dialect::Postgres => format!("{column} = ANY({})", self.bind(Param::Uuids(ids.to_vec()))),
            Dialect::Sqlite => {
                let ids = self.bind(Param::Text(ids_json(ids.iter().copied())));
                format!("{column} IN (SELECT value FROM json_each({ids}))")
            }
        }
    }
}

impl std::fmt::Debug for Statement {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Statement").field("text", &self.text).finish_non_exhaustive()
    }
}

impl std::fmt::Debug for Param {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Param(..)")
    }
}
