use std::sync::Arc;

use fastcore_leads::{LeadDatabase, StoreError, sql::SqliteLocation};
use fastcore_leads_store_diesel as diesel_store;
use fastcore_leads_store_sqlx as sqlx_store;

use crate::options::{Driver, Options};

/// Opens the database, brings its tables up to date, and warns of settings that could lose leads.
pub(crate) async fn open(options: &Options) -> Result<Arc<dyn LeadDatabase>, String> {
    let url = Url::parse(&options.database_url)?;
    let shown = url.shown();
    let failed = |error: StoreError| format!("{shown}: {error}");
    let database = connect(options, &url).await.map_err(failed)?;
    database.migrate().await.map_err(failed)?;
    for warning in database.durability_warnings().await.map_err(failed)? {
        tracing::warn!("{warning}");
    }
    Ok(database)
}

async fn connect(options: &Options, url: &Url) -> Result<Arc<dyn LeadDatabase>, StoreError> {
    Ok(match (options.driver, url) {
        (Driver::Sqlx, Url::Postgres(url)) => {
            let settings = sqlx_store::PgOptions::new()
                .min_connections(options.min_db_connections)
                .max_connections(options.max_db_connections);
            Arc::new(settings.connect(url).await?)
        }
        (Driver::Sqlx, Url::Sqlite(url)) => Arc::new(sqlx_store::SqliteLeadStore::connect(url).await?),
        (Driver::Diesel, Url::Postgres(url)) => {
            let settings = diesel_store::PgOptions::new()
                .min_connections(options.min_db_connections)
                .max_connections(options.max_db_connections);
            Arc::new(settings.connect(url).await?)
        }
        (Driver::Diesel, Url::Sqlite(url)) => Arc::new(diesel_store::SqliteLeadStore::connect(url).await?),
    })
}

/// A database by its URL.
pub(crate) enum Url {
    Postgres(String),
    Sqlite(String),
}

impl Url {
    /// Takes what `DATABASE_URL` means to the FastAPI service too: SQLAlchemy puts a driver's name into the scheme.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let scheme = text.split(':').next().unwrap_or_default();
        match scheme.split('+').next().unwrap_or_default() {
            "postgres" | "postgresql" => Ok(Self::Postgres(format!("postgres{}", &text[scheme.len()..]))),
            "sqlite" => Ok(Self::Sqlite(text.to_owned())),
            _ => {
                Err("--database-url: give postgres://user:password@host/database or sqlite:path/to/file.db".to_owned())
            }
        }
    }

    /// The database as a log may show it: no user, no password, no parameters.
    pub(crate) fn shown(&self) -> String {
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
