//! What the queue costs a lone lead: the workflow against the store's insert, one after the other, without HTTP.

use std::time::{Duration, Instant};

use fastcore_leads::{
    Actor, Ingest, LeadMigrations, LeadStore,
    testing::{lead, new_lead, postgres::Cluster},
};
use fastcore_leads_store_sqlx::PgLeadStore;

use crate::candidates::block_on;

/// Medians of the direct insert and of the workflow, alternating.
pub(crate) fn measure(cluster: &Cluster, seconds: Duration) -> (Duration, Duration) {
    let url = cluster.database();
    block_on(async {
        let store = PgLeadStore::connect(&url).await.expect("it connects");
        store.migrate().await.expect("migrated");
        let ingest = Ingest::builder(store.clone()).start();
        let (mut direct, mut queued) = (Vec::new(), Vec::new());
        let end = Instant::now() + seconds * 2;
        while Instant::now() < end {
            let new = new_lead();
            let started = Instant::now();
            store.insert(&[new]).await.expect("written");
            direct.push(started.elapsed());
            let lead = lead();
            let started = Instant::now();
            ingest.ingest(lead, Actor::SITE_INGEST).await.expect("taken in");
            queued.push(started.elapsed());
        }
        (median(direct), median(queued))
    })
}

fn median(mut times: Vec<Duration>) -> Duration {
    times.sort_unstable();
    times[times.len() / 2]
}
