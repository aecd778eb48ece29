//! The tables and statements as plain text, for every driver to run: what two drivers run cannot drift apart.

mod migration;
pub mod postgres;
pub mod sqlite;

pub use self::migration::{Applied, Migration, SchemaMismatch, TABLE as MIGRATIONS_TABLE, pending};
