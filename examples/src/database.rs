//! Databases by URL, for the programs here.

use std::{sync::Arc, time::Duration};

use clap::ValueEnum;
use fastcore_leads::{
    LeadDatabase, StoreError,
    sql::{PgOptions, SqliteLocation},
};
use fastcore_leads_store_diesel as diesel_store;
use fastcore_leads_store_sqlx as sqlx_store;

/// The library that talks to a database.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Driver {
    /// sqlx.
    Sqlx,
    /// diesel.
    Diesel,
}

/// A database that was opened.
pub struct Opened {
    /// The store.
    pub database: Arc<dyn LeadDatabase>,
    /// How full its pool is; SQLite has none.
    pub pool: Option<Box<dyn Fn() -> Pool + Send + Sync>>,
}

/// The connections of a pool.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pool {
    /// Those that are open.
    pub open: usize,
    /// Of them, those that nobody holds; a writer keeps the one that it writes with.
    pub idle: usize,
    /// As many as there may be.
    pub max: usize,
}

impl std::fmt::Debug for Opened {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Opened").finish_non_exhaustive()
    }
}

/// How to reach a database.
#[derive(Clone, Debug)]
pub struct Connect {
    /// The library that talks to it.
    pub driver: Driver,
    /// PostgreSQL connections that are kept open.
    pub min_connections: u32,
    /// PostgreSQL connections at most.
    pub max_connections: u32,
    /// How long PostgreSQL may take for a call.
    pub timeout: Duration,
}

impl Connect {
    /// Opens a database; its tables stay as they are.
    ///
    /// # Errors
    /// [`StoreError`], as the stores' `connect`.
    pub async fn open(&self, url: &Url) -> Result<Arc<dyn LeadDatabase>, StoreError> {
        Ok(self.open_with_pool(url).await?.database)
    }

    fn settings(&self) -> PgOptions {
        PgOptions::new()
            .min_connections(self.min_connections)
            .max_connections(self.max_connections)
            .timeout(self.timeout)
    }

    /// Opens a database; its tables stay as they are. Tells of its pool too.
    ///
    /// # Errors
    /// [`StoreError`], as the stores' `connect`.
    pub async fn open_with_pool(&self, url: &Url) -> Result<Opened, StoreError> {
        let max = self.max_connections as usize;
        if let Url::Sqlite(url) = url {
            keep_private(url);
        }
        Ok(match (self.driver, url) {
            (Driver::Sqlx, Url::Postgres(url)) => {
                let store = sqlx_store::PgLeadStore::open(url, self.settings()).await?;
                let pool = store.pool().clone();
                let look = move || Pool { open: pool.size() as usize, idle: pool.num_idle(), max };
                Opened { database: Arc::new(store), pool: Some(Box::new(look)) }
            }
            (Driver::Diesel, Url::Postgres(url)) => {
                let store = diesel_store::PgLeadStore::open(url, self.settings()).await?;
                let pool = store.pool().clone();
                let look = move || {
                    let status = pool.status();
                    Pool { open: status.size, idle: status.available, max }
                };
                Opened { database: Arc::new(store), pool: Some(Box::new(look)) }
            }
            (Driver::Sqlx, Url::Sqlite(url)) => {
                Opened { database: Arc::new(sqlx_store::SqliteLeadStore::connect(url).await?), pool: None }
            }
            (Driver::Diesel, Url::Sqlite(url)) => {
                Opened { database: Arc::new(diesel_store::SqliteLeadStore::connect(url).await?), pool: None }
            }
        })
    }
}

/// Makes the file of SQLite, where there is none, for nobody else to read; what SQLite puts beside it has the same rights. Where that
/// cannot be done, SQLite says why.
fn keep_private(url: &str) {
    use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};

    let Ok(SqliteLocation::File(path)) = SqliteLocation::parse(url) else { return };
    let file = std::fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(&path);
    let mode = std::fs::metadata(&path).map_or(0, |metadata| metadata.permissions().mode());
    if file.is_err() && mode & 0o044 != 0 {
        tracing::warn!(file = path, "others on this machine can read the leads: chmod 600, also what is beside it");
    }
}

/// A database by its URL. `Debug` and [`shown`](Self::shown) leave user and password out.
#[derive(Clone)]
pub enum Url {
    /// PostgreSQL.
    Postgres(String),
    /// SQLite.
    Sqlite(String),
}

impl Url {
    /// Takes what `DATABASE_URL` means to the FastAPI service too: SQLAlchemy puts a driver's name into the scheme.
    ///
    /// # Errors
    /// A sentence for the operator, where the scheme is no database's.
    pub fn parse(text: &str) -> Result<Self, String> {
        let scheme = text.split(':').next().unwrap_or_default();
        match scheme.split('+').next().unwrap_or_default() {
            "postgres" | "postgresql" => Ok(Self::Postgres(format!("postgres{}", &text[scheme.len()..]))),
            "sqlite" => Ok(Self::Sqlite(text.to_owned())),
            _ => {
                Err("--database-url: give postgres://user:password@host/database or sqlite:path/to/file.db".to_owned())
            }
        }
    }

    /// False for a SQLite file that is not there yet.
    pub fn is_there(&self) -> bool {
        match self {
            Self::Sqlite(url) => match SqliteLocation::parse(url) {
                Ok(SqliteLocation::File(path)) => std::path::Path::new(&path).exists(),
                _ => true,
            },
            Self::Postgres(_) => true,
        }
    }

    /// The database as a log may show it: no user, no password, no parameters.
    pub fn shown(&self) -> String {
        match self {
            Self::Postgres(url) => match url::Url::parse(url) {
                Ok(parsed) => {
                    let port = parsed.port().unwrap_or(5432);
                    format!("PostgreSQL at {}:{port}{}", parsed.host_str().unwrap_or("localhost"), parsed.path())
                }
                Err(_) => "PostgreSQL".to_owned(),
            },
            Self::Sqlite(url) => match SqliteLocation::parse(url) {
                Ok(SqliteLocation::File(path)) => {
                    let absolute = std::path::absolute(&path).map(|path| path.display().to_string());
                    format!("SQLite file {}", absolute.unwrap_or(path))
                }
                Ok(SqliteLocation::Memory) => "SQLite in memory".to_owned(),
                Err(_) => "SQLite".to_owned(),
            },
        }
    }
}

impl std::fmt::Debug for Url {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.shown())
    }
}
