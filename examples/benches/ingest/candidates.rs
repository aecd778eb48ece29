//! What is compared, and how each is started.

use std::future::pending;

use async_trait::async_trait;
use fastcore_leads::{
    Endpoint, Ingest, Insertion, LeadMigrations, LeadStore, NewLead, StoreError, TokenSet,
    testing::{TOKEN, TempDir, postgres::Cluster},
};
use fastcore_leads_store_sqlx::SqliteLeadStore;

use crate::handwritten;

#[derive(Clone, Copy)]
pub(crate) struct Candidate {
    pub(crate) name: &'static str,
    pub(crate) kind: Kind,
}

#[derive(Clone, Copy)]
pub(crate) enum Kind {
    /// The example service, with these options.
    Serve { program: &'static str, driver: &'static str, framework: &'static str, database: Database },
    /// A service in this program.
    Own { role: &'static str, database: Database },
}

#[derive(Clone, Copy, PartialEq)]
pub(crate) enum Database {
    None,
    Postgres,
    Sqlite,
}

const fn ours(name: &'static str, driver: &'static str, framework: &'static str, database: Database) -> Candidate {
    Candidate { name, kind: Kind::Serve { program: env!("CARGO_BIN_EXE_serve"), driver, framework, database } }
}

const fn own(role: &'static str, database: Database) -> Candidate {
    Candidate { name: role, kind: Kind::Own { role, database } }
}

/// `serve` as most run it.
pub(crate) const SERVE: Candidate = ours("sqlx-axum", "sqlx", "axum", Database::Postgres);

pub(crate) const CANDIDATES: &[Candidate] = &[
    own("parse-only", Database::None),
    own("handwritten-axum-sqlx", Database::Postgres),
    SERVE,
    ours("sqlx-warp", "sqlx", "warp", Database::Postgres),
    ours("diesel-axum", "diesel", "axum", Database::Postgres),
    ours("diesel-warp", "diesel", "warp", Database::Postgres),
    ours("sqlite", "sqlx", "axum", Database::Sqlite),
    ours("sqlite-diesel", "diesel", "axum", Database::Sqlite),
    own("sqlite-transaction-per-lead", Database::Sqlite),
];

/// Where a candidate's leads go; kept for the whole run.
pub(crate) struct Place {
    pub(crate) url: String,
    _dir: Option<TempDir>,
}

impl Place {
    /// A database that somebody else looks after.
    pub(crate) fn at(url: String) -> Self {
        Self { url, _dir: None }
    }
}

impl Candidate {
    /// The same by another build of `serve`; none where it is not `serve` that runs.
    pub(crate) fn of_older(&self, serve: &str) -> Option<Self> {
        let Kind::Serve { driver, framework, database, .. } = self.kind else { return None };
        let program = serve.to_owned().leak();
        Some(Self {
            name: format!("{}-older", self.name).leak(),
            kind: Kind::Serve { program, driver, framework, database },
        })
    }

    fn database(&self) -> Database {
        match self.kind {
            Kind::Serve { database, .. } | Kind::Own { database, .. } => database,
        }
    }

    pub(crate) fn place(&self, cluster: &Cluster) -> Place {
        match self.database() {
            Database::None => Place { url: "none".to_owned(), _dir: None },
            Database::Postgres => Place { url: cluster.database(), _dir: None },
            Database::Sqlite => {
                let dir = TempDir::new();
                Place { url: dir.sqlite_url(), _dir: Some(dir) }
            }
        }
    }

    /// A row of each kind for each acknowledged lead, no less, and no more than those whose fate is not known.
    pub(crate) fn check(&self, cluster: &Cluster, place: &Place, acknowledged: u64, unknown: u64) {
        let counts: Vec<u64> = match self.database() {
            Database::None => return,
            Database::Postgres => {
                let text = cluster
                    .psql(&place.url, "SELECT (SELECT count(*) FROM lead_inbox), (SELECT count(*) FROM audit_log)");
                text.split('|').map(|count| count.parse().expect("a number")).collect()
            }
            Database::Sqlite => sqlite_counts(&place.url),
        };
        let is_right = counts[0] == counts[1] && (acknowledged..=acknowledged + unknown).contains(&counts[0]);
        assert!(is_right, "{}: rows {counts:?}, acknowledged leads {acknowledged}, unknown {unknown}", self.name);
    }
}

fn sqlite_counts(url: &str) -> Vec<u64> {
    block_on(async {
        let store = SqliteLeadStore::connect(url).await.expect("the file opens");
        let sql = "SELECT count(*) FROM lead_inbox UNION ALL SELECT count(*) FROM audit_log";
        let counts: Vec<i64> = sqlx::query_scalar(sql).fetch_all(store.pool()).await.expect("counts");
        counts.into_iter().map(|count| count as u64).collect()
    })
}

/// Runs as one of the services of this program, until killed.
pub(crate) fn serve_as(role: &str, url: &str) {
    block_on(async {
        match role {
            "parse-only" => serve_endpoint(Ingest::builder(StoresNothing).start()).await,
            "handwritten-axum-sqlx" => handwritten::serve(url).await,
            "sqlite-transaction-per-lead" => {
                let store = SqliteLeadStore::connect(url).await.expect("the file opens");
                store.migrate().await.expect("migrated");
                serve_endpoint(Ingest::builder(store).max_batch(1).start()).await;
            }
            other => panic!("no such service: {other}"),
        }
        pending::<()>().await;
    });
}

async fn serve_endpoint(ingest: Ingest) {
    let tokens = TokenSet::parse(TOKEN).expect("long enough");
    serve_router(fastcore_leads_axum::router(Endpoint::new(ingest, tokens))).await;
}

/// axum's own server, with `TCP_NODELAY`.
pub(crate) async fn serve_router(router: axum::Router) {
    use axum::serve::ListenerExt;

    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port is free");
    println!("Listening on http://{}", listener.local_addr().expect("it is bound"));
    println!("curl");
    let listener = listener.tap_io(|stream| drop(stream.set_nodelay(true)));
    axum::serve(listener, router).await.expect("it serves");
}

pub(crate) fn block_on<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_multi_thread().enable_all().build().expect("a runtime").block_on(future)
}

struct StoresNothing;

#[async_trait]
impl LeadStore for StoresNothing {
    async fn insert(&self, batch: &[NewLead]) -> Result<Vec<Insertion>, StoreError> {
        Ok(vec![Insertion::Inserted; batch.len()])
    }

    async fn ready(&self) -> Result<(), StoreError> {
        Ok(())
    }
}
