//! Visitors' addresses: where they come from, and what becomes of them.

use std::{os::unix::fs::PermissionsExt, path::Path};

use fastcore_leads::testing::TempDir;

use crate::{
    service::{Service, start_in_vain},
    visitor::{Visitor, database_of, filled, leads_in, site},
};

#[tokio::test]
async fn the_pepper_is_made_once_kept_for_its_owner_and_can_be_set() {
    let kept = TempDir::new();
    let state = kept.path().join("state");
    let state = state.to_str().unwrap();
    let mut hashes = Vec::new();
    for _ in 0..2 {
        let service = site(&["--site-state", state]);
        let visitor = Visitor::new(service.address);
        assert_eq!(visitor.post(&filled(&visitor.open().await)).await.status, 303);
        hashes.push(leads_in(&database_of(&service)).await.remove(0).0.ip_hash);
    }
    assert_eq!(hashes[0], hashes[1]);
    let mode = std::fs::metadata(Path::new(state).join("pepper")).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);

    // A ticket of the former pepper still holds.
    let variables =
        |pepper| [("FASTCORE_SITE_INGEST_TOKEN", "a-token-for-tests-0123456789"), ("FASTCORE_IP_PEPPER", pepper)];
    let before = Service::start_with(&["--site", "--site-min-fill-ms", "0"], &variables("the-first-pepper-of-all"));
    let ticket = Visitor::new(before.address).open().await;
    let both = variables("the-second-pepper-now, the-first-pepper-of-all");
    let after = Service::start_with(&["--site", "--site-min-fill-ms", "0"], &both);
    assert_eq!(Visitor::new(after.address).post(&filled(&ticket)).await.status, 303);
    let lead = leads_in(&database_of(&after)).await.remove(0).0;
    assert_eq!(lead.status, "received");
    assert!(!after.dir.path().join("fastcore-site/pepper").exists());
    assert_ne!(lead.ip_hash.split('-').next(), hashes[0].split('-').next(), "the id tells the pepper");

    let (status, log) = start_in_vain(&["--site"], &variables("short"));
    assert_eq!(status.code(), Some(2));
    assert!(log.contains("openssl rand -base64 32") && !log.contains("\"short\""), "{log}");
}
