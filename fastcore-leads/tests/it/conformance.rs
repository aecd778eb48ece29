//! The reference store, in the suite that every store is held to.

use std::sync::Arc;

use fastcore_leads::{LeadLog, MemoryLeadStore};

#[allow(clippy::unused_async, reason = "other stores have to wait")]
async fn fresh() -> (Arc<dyn LeadLog>, ()) {
    (Arc::new(MemoryLeadStore::new()), ())
}

fastcore_leads::store_conformance!(fresh);
fastcore_leads::inbox_conformance!(fresh);
fastcore_leads::outbox_conformance!(fresh);
fastcore_leads::log_conformance!(fresh);
