//! The tables and statements as plain text, for every driver to run: what two drivers run cannot drift apart.

pub mod engine;
pub mod inbox;
mod location;
pub(crate) mod log;
mod migration;
pub mod outbox;
mod pg_options;
mod pg_url;
pub mod postgres;
mod rewrites;
pub mod rows;
pub(crate) mod search;
pub mod sqlite;
mod statement;

pub use self::location::SqliteLocation;
pub use self::migration::{Applied, Migration, SchemaMismatch, TABLE as MIGRATIONS_TABLE, pending};
pub use self::pg_options::PgOptions;
pub use self::pg_url::{PgHost, PgUrl, SslMode};
