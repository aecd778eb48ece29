//! Fresh stores over each driver and database.

use std::sync::Arc;

use fastcore_leads::{
    LeadDatabase, LeadInbox, MemoryLeadStore,
    testing::{TempDir, postgres::Cluster},
};
use fastcore_leads_store_diesel as diesel_store;
use fastcore_leads_store_sqlx as sqlx_store;

pub(crate) type Fresh = (Arc<dyn LeadInbox>, Option<TempDir>);

#[allow(clippy::unused_async, reason = "the other stores have to wait")]
pub(crate) async fn memory() -> Fresh {
    (Arc::new(MemoryLeadStore::new()), None)
}

pub(crate) async fn sqlx_postgres() -> Fresh {
    migrated(sqlx_store::PgLeadStore::connect(&Cluster::shared().database()).await.unwrap(), None).await
}

pub(crate) async fn sqlx_sqlite() -> Fresh {
    let dir = TempDir::new();
    migrated(sqlx_store::SqliteLeadStore::connect(&dir.sqlite_url()).await.unwrap(), Some(dir)).await
}

pub(crate) async fn diesel_postgres() -> Fresh {
    migrated(diesel_store::PgLeadStore::connect(&Cluster::shared().database()).await.unwrap(), None).await
}

pub(crate) async fn diesel_sqlite() -> Fresh {
    let dir = TempDir::new();
    migrated(diesel_store::SqliteLeadStore::connect(&dir.sqlite_url()).await.unwrap(), Some(dir)).await
}

async fn migrated(store: impl LeadDatabase + 'static, dir: Option<TempDir>) -> Fresh {
    store.migrate().await.unwrap();
    (Arc::new(store), dir)
}
