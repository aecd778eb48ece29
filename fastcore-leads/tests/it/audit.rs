//! What is kept of a lead in the audit log.

use fastcore_leads::{Actor, LeadInbox, LeadStore, MemoryLeadStore, StoredLead, inbox::Disclosure, testing};
use serde_json::json;

#[tokio::test]
async fn the_audit_row_names_the_lead_and_masks_the_person() {
    let store = MemoryLeadStore::new();
    let new = testing::new_lead();
    store.insert(std::slice::from_ref(&new)).await.unwrap();
    let trail = store.audit_trail(new.id()).await.unwrap();
    let [row] = trail.as_slice() else { panic!("one row") };
    assert_eq!((row.event.as_str(), row.actor.as_str(), row.status_code), ("LEAD_RECEIVED", "site_ingest", Some(201)));
    assert_eq!((row.lead_id, row.created_at), (Some(new.id()), new.created_at()));
    assert_eq!(row.details, json!({"email": "jea***", "service": "diagnostic", "ip_hash": "abc123def456"}));
}

#[test]
fn actors_fit_their_column() {
    assert!(Actor::new("x").is_ok());
    assert!(Actor::new("é".repeat(50)).is_ok());
    for name in [String::new(), "é".repeat(51), "a\nb".to_owned(), "a\0".to_owned()] {
        assert!(Actor::new(name).is_err());
    }
}

/// Rows that something else wrote may hold anything under a name of ours.
#[test]
fn foreign_notes_are_masked() {
    let mut lead = StoredLead::from_new(&testing::new_lead());
    let ours = json!({"at": "2026-11-28T08:00:00Z", "by": "marie", "text": "Jean"});
    lead.meta_json = Some(
        json!({"notes": ["Jean", {"content": "Jean"}, {"at": "Jean", "by": 1, "text": "Jean", "x": "Jean"}, ours]}),
    );
    let masked = Disclosure::Masked.lead(&lead)["meta_json"]["notes"].clone();
    assert!(!masked.to_string().contains("Jean"), "{masked}");
    assert_eq!((&masked[3]["by"], &masked[3]["text"]), (&json!("marie"), &json!("(4 characters)")));
    lead.meta_json = Some(json!({"notes": "Jean"}));
    assert_eq!(Disclosure::Masked.lead(&lead)["meta_json"]["notes"], "J***");
}
