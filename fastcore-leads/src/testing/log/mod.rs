//! The conformance suite for [`LeadLog`]: entries, seals, checkpoints, receipts, redactions.
//!
//! [`log_conformance!`](crate::log_conformance) makes each case a test of its own, on a fresh store, as
//! [`store_conformance!`](crate::store_conformance) does.

mod cases;

use std::{collections::BTreeMap, sync::Arc};

use chrono::Utc;
use serde_json::json;
use uuid::Uuid;

pub use self::cases::*;
use crate::{
    audit::{AUDIT_REDACTED, AuditRecord},
    proof::{Audit, Folder, NoteKey, Report, Sealer, SealerBuilder},
    store::{LeadLog, NewLead},
};

/// A store under test.
pub type Log = Arc<dyn LeadLog>;

macro_rules! cases {
    ($($name:ident)*) => {
        /// The names of all cases, so that nobody can run fewer unnoticed.
        pub const CASES: &[&str] = &[$(stringify!($name)),*];

        /// Makes each case of the suite a test. Takes an async function without arguments that answers a fresh store,
        /// and whatever has to live as long as it does.
        #[macro_export]
        macro_rules! log_conformance {
            ($fresh:path) => {
                $(
                    #[tokio::test(flavor = "multi_thread")]
                    async fn $name() {
                        let (store, _guard) = $fresh().await;
                        $crate::testing::log::$name(store).await;
                    }
                )*
            };
        }
    };
}

cases! {
    entries_stand_in_the_order_of_their_numbers
    the_tree_is_that_of_its_entries
    each_row_is_sealed_once_whoever_seals
    a_seal_that_comes_late_writes_nothing
    a_checkpoint_of_fewer_leaves_is_not_kept
    a_receipt_is_that_of_its_lead
    what_is_not_sealed_is_counted
    a_redacted_row_says_nothing_and_the_tree_holds
    a_redaction_that_nobody_tells_of_is_found
    a_log_is_begun_anew_on_demand_only
    a_checkpoint_goes_to_each_destination_once
    a_checkpoint_that_did_not_arrive_is_sent_again
}

/// The origin of logs in tests.
pub const ORIGIN: &str = "example.com/audit";

/// A key for a test.
pub fn key() -> NoteKey {
    NoteKey::generate(ORIGIN).expect("a key")
}

/// A sealer over a store.
pub fn sealer(store: &Log, key: &NoteKey) -> SealerBuilder {
    Sealer::builder(Arc::clone(store), key.clone())
}

/// Goes through a log, and holds it against what was signed and published.
pub async fn audit(store: &dyn LeadLog, key: &NoteKey, folder: Option<&Folder>) -> Report {
    let mut audit = Audit::new().known([key.verifier()]);
    if let Some(folder) = folder {
        audit = audit.published(folder.clone());
    }
    audit.run(store, |_, _| {}).await.expect("it can be read")
}

/// Redacts a row, as an operator does.
pub async fn redact(store: &dyn LeadLog, row_id: &str) -> bool {
    store.redact(row_id, &redaction(row_id)).await.expect("redacted")
}

pub(super) fn redaction(row_id: &str) -> AuditRecord {
    let details = json!({ "row_id": row_id, "reason": "a test" });
    record(AUDIT_REDACTED, &details)
}

pub(super) fn record(event: &str, details: &serde_json::Value) -> AuditRecord {
    let (id, now) = (Uuid::now_v7(), crate::time::to_micros(Utc::now()));
    AuditRecord::new(id, now, event.to_owned(), Some("marie".to_owned()), None, id, None, Some(details.clone()))
}

/// Takes leads in.
pub async fn receive(store: &dyn LeadLog, leads: usize) -> Vec<NewLead> {
    let batch: Vec<_> = std::iter::repeat_with(super::new_lead).take(leads).collect();
    store.insert(&batch).await.expect("written");
    batch
}

/// All tiles of the leaves, and what is above them.
async fn tiles_of(store: &Log, size: u64) -> BTreeMap<crate::proof::TileId, crate::proof::Tile> {
    let ids: Vec<_> = (0..8)
        .flat_map(|level| {
            (0..).map(move |number| crate::proof::TileId { level, number }).take_while(|id| id.width(size) > 0)
        })
        .collect();
    store.tiles(&ids).await.expect("tiles").into_iter().map(|tile| (tile.id, tile)).collect()
}
