//! What a sender gets to show that its lead was received.

use fastcore_leads::{
    Actor, Ingest, MemoryLeadStore,
    proof::{InvalidReceipt, NoteKey, Receipt, Sealer},
    testing::{body, parse},
};

const ORIGIN: &str = "example.com/audit";

#[tokio::test]
async fn a_receipt_is_verified_by_the_key_alone() {
    let (store, key) = (MemoryLeadStore::new(), NoteKey::generate(ORIGIN).expect("a key"));
    let ingest = Ingest::builder(store.clone()).start();
    let mut ids = Vec::new();
    for _ in 0..300 {
        ids.push(ingest.ingest(parse(&body()), Actor::SITE_INGEST).await.expect("taken in").receipt.lead_id);
    }
    assert!(Receipt::of(&store, ids[0]).await.expect("asked").sealed().is_none(), "nothing is sealed yet");
    assert_eq!(Sealer::builder(store.clone(), key.clone()).seal_all().await.expect("sealed"), 300);
    for id in [ids[0], ids[255], ids[256], ids[299]] {
        let text = Receipt::of(&store, id).await.expect("asked").sealed().expect("a receipt").to_string();
        assert!(text.len() <= 3 * 1024, "{} bytes", text.len());
        let receipt: Receipt = text.parse().expect("a receipt");
        assert_eq!(receipt.verify(&[key.verifier()]).expect("it holds").size, 300);
        let row: serde_json::Value = serde_json::from_str(receipt.row().expect("a row")).expect("JSON");
        assert_eq!(
            (row["event"].as_str(), row["lead_id"].as_str()),
            (Some("LEAD_RECEIVED"), Some(id.to_string().as_str()))
        );

        let other = NoteKey::generate(ORIGIN).expect("a key");
        assert!(matches!(receipt.verify(&[other.verifier()]), Err(InvalidReceipt::Checkpoint(_))), "another key");
        let mut changed = receipt.clone();
        *changed.entry.last_mut().expect("bytes") ^= 1;
        assert_eq!(changed.verify(&[key.verifier()]), Err(InvalidReceipt::NotIncluded), "another row");
        let moved = Receipt { index: receipt.index ^ 1, ..receipt.clone() };
        assert_eq!(moved.verify(&[key.verifier()]), Err(InvalidReceipt::NotIncluded), "another place");
    }
    let unknown = fastcore_leads::LeadId::from_uuid(fastcore_leads::uuid::Uuid::now_v7());
    assert!(Receipt::of(&store, unknown).await.expect("asked").sealed().is_none());
}
