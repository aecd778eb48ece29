//! The direct way: `Ingest::ingest_many`, as an importer calls it, with no HTTP anywhere.

use std::{sync::Arc, time::Instant};

use fastcore_leads::{
    Actor, Ingest, LeadDatabase,
    testing::{TempDir, lead, postgres::Cluster},
};
use fastcore_leads_store_diesel as diesel_store;
use fastcore_leads_store_sqlx as sqlx_store;

use crate::{candidates::block_on, report::median};

const LEADS: usize = 100_000;

/// Leads per second of each store, medians of three alternating rounds.
pub(crate) fn measure(cluster: &Cluster) {
    let mut rates: [Vec<f64>; 4] = Default::default();
    for _ in 0..3 {
        for (store, rates) in rates.iter_mut().enumerate() {
            let dir = TempDir::new();
            let url = if store < 2 { cluster.database() } else { dir.sqlite_url() };
            rates.push(block_on(async {
                let database: Arc<dyn LeadDatabase> = match store {
                    0 => Arc::new(sqlx_store::PgLeadStore::connect(&url).await.expect("it connects")),
                    1 => Arc::new(diesel_store::PgLeadStore::connect(&url).await.expect("it connects")),
                    2 => Arc::new(sqlx_store::SqliteLeadStore::connect(&url).await.expect("it opens")),
                    _ => Arc::new(diesel_store::SqliteLeadStore::connect(&url).await.expect("it opens")),
                };
                run(database).await
            }));
        }
    }
    println!("| ingest_many, {LEADS} leads | leads/s |\n| --- | ---: |");
    for (name, rates) in
        ["sqlx, PostgreSQL", "diesel, PostgreSQL", "sqlx, SQLite", "diesel, SQLite"].iter().zip(&mut rates)
    {
        println!("| {name} | {:.0} |", median(rates));
    }
}

async fn run(database: Arc<dyn LeadDatabase>) -> f64 {
    database.migrate().await.expect("migrated");
    let ingest = Ingest::builder(database).start();
    let actor = Actor::new("importer").expect("a name");
    // Parsing each line is an importer's work too.
    let leads = std::iter::repeat_with(lead).take(LEADS);
    let (started, mut received) = (Instant::now(), 0);
    ingest
        .ingest_each(futures_util::stream::iter(leads), actor, |_, result| received += usize::from(result.is_ok()))
        .await;
    assert_eq!(received, LEADS);
    LEADS as f64 / started.elapsed().as_secs_f64()
}
