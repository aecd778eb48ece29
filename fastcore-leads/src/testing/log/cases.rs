use std::{sync::Arc, time::Duration};

use serde_json::Value;
use tokio::task::JoinSet;

use super::{Log, audit, key, receive, record, redact, redaction, sealer, tiles_of};
use crate::{
    audit::{AUDIT_RESTARTED, Actor},
    inbox::{InboxExt, Target},
    outbox::CheckpointDelivery,
    proof::{
        Checkpoint, Finding, Hash, LogEntry, Receipt, ReceiptState, SealError, SealLag, TILE_WIDTH, TileId,
        WitnessError, entry_bytes, leaf_hash, node_hash, root,
    },
    testing::TempDir,
};

async fn number_all(store: &Log) {
    while store.sequence(100).await.expect("sequence") > 0 {}
}

fn ids(entries: &[LogEntry]) -> Vec<String> {
    entries.iter().map(|entry| entry.row_id.clone().expect("an id")).collect()
}

/// Whatever an entry is, it is the row as it is stored, at one place for ever.
pub async fn entries_stand_in_the_order_of_their_numbers(store: Log) {
    assert_eq!(store.entries(0, 10).await.expect("entries"), []);
    let batch = receive(&*store, 5).await;
    assert_eq!(store.entries(0, 10).await.expect("entries"), [], "none has a number yet");
    number_all(&store).await;
    let first = store.entries(0, 10).await.expect("entries");
    assert_eq!(first.iter().map(|entry| entry.index).collect::<Vec<_>>(), [0, 1, 2, 3, 4]);
    let mut audited: Vec<_> = ids(&first);
    let mut written: Vec<_> = batch.iter().map(|new| new.audit_id().hyphenated().to_string()).collect();
    audited.sort();
    written.sort();
    assert_eq!(audited, written);
    let row = first[0].row.as_ref().expect("a row");
    let new =
        batch.iter().find(|new| Some(new.id().to_string().as_str()) == row["lead_id"].as_str()).expect("its lead");
    assert_eq!(row["id"], first[0].row_id.clone().expect("an id"));
    assert_eq!((row["event"].as_str(), row["actor"].as_str()), (Some("LEAD_RECEIVED"), Some("site_ingest")));
    assert_eq!(row["created_at_utc"], crate::time::format(new.created_at()));
    assert_eq!(row["request_id"], new.lead().meta().request_id().to_string());
    assert_eq!(row["status_code"], 201);
    assert_eq!(row.as_object().expect("an object").len(), 8);
    receive(&*store, 5).await;
    number_all(&store).await;
    assert_eq!(store.entries(0, 5).await.expect("entries"), first);
    let rest = store.entries(5, 3).await.expect("entries");
    assert_eq!(rest.iter().map(|entry| entry.index).collect::<Vec<_>>(), [5, 6, 7]);
}

/// By the definition in RFC 6962, over the leaves alone.
fn plain_root(leaves: &[Hash]) -> Hash {
    if let [one] = leaves {
        return *one;
    }
    let (left, right) = leaves.split_at((leaves.len().next_power_of_two() / 2).max(1));
    node_hash(&plain_root(left), &plain_root(right))
}

/// However it grew, past a full tile and to the next level.
pub async fn the_tree_is_that_of_its_entries(store: Log) {
    let key = key();
    let mut size = 0;
    for leads in [1, 3, 250, 2, 1, 255, 300] {
        receive(&*store, leads).await;
        size += leads as u64;
        assert_eq!(sealer(&store, &key).seal_all().await.expect("sealed"), size);
    }
    let tiles = tiles_of(&store, size).await;
    let entries = store.entries(0, 10_000).await.expect("entries");
    assert_eq!(entries.len() as u64, size);
    let leaf = |entry: &LogEntry| {
        let place = usize::try_from(entry.index % TILE_WIDTH).expect("small");
        let tile = &tiles[&TileId::of_leaves(entry.index / TILE_WIDTH)];
        let hash = leaf_hash(&entry_bytes(entry, &tile.salts[place]));
        assert_eq!(tile.hashes[place], hash, "entry {}", entry.index);
        hash
    };
    let leaves: Vec<_> = entries.iter().map(leaf).collect();
    assert_eq!(root(size, &tiles), Some(plain_root(&leaves)));
    let salts: std::collections::HashSet<_> =
        tiles.values().flat_map(|tile| &tile.salts).map(|salt| *salt.as_bytes()).collect();
    assert_eq!(salts.len() as u64, size, "no salt is there twice");
    assert!(audit(&*store, &key, None).await.is_sound());
}

/// Three seal, and some of them are dropped in the middle of it, while others write.
pub async fn each_row_is_sealed_once_whoever_seals(store: Log) {
    let key = key();
    let (done, is_done) = tokio::sync::watch::channel(false);
    let mut sealers = JoinSet::new();
    for nth in 0..3_u64 {
        let (store, key, is_done) = (Arc::clone(&store), key.clone(), is_done.clone());
        sealers.spawn(async move {
            let mut patience = 1 + nth;
            while !*is_done.borrow() {
                let limit = Duration::from_millis(patience);
                patience = patience * 5 % 97 + 1;
                tokio::task::yield_now().await;
                match tokio::time::timeout(limit, sealer(&store, &key).seal_all()).await {
                    // Dropped, or another was quicker with the checkpoint.
                    Err(_) | Ok(Ok(_)) => {}
                    Ok(Err(error)) => panic!("{error}"),
                }
            }
        });
    }
    let mut writers = JoinSet::new();
    for _ in 0..4 {
        let store = Arc::clone(&store);
        writers.spawn(async move {
            for leads in [1, 7, 40, 100] {
                receive(&*store, leads).await;
            }
        });
    }
    writers.join_all().await;
    done.send_replace(true);
    sealers.join_all().await;
    assert_eq!(sealer(&store, &key).seal_all().await.expect("sealed"), 4 * 148);
    let entries = store.entries(0, 10_000).await.expect("entries");
    let rows: std::collections::HashSet<_> = ids(&entries).into_iter().collect();
    assert_eq!(rows.len(), 4 * 148);
    let report = audit(&*store, &key, None).await;
    assert!(report.is_sound(), "{:?}", report.findings);
    assert_eq!((report.rows, report.last.map(|head| head.size)), (592, Some(592)));
}

/// Whatever the tree has already.
pub async fn a_seal_that_comes_late_writes_nothing(store: Log) {
    let key = key();
    receive(&*store, 3).await;
    sealer(&store, &key).seal_all().await.expect("sealed");
    let before = (store.sealed().await.expect("state"), tiles_of(&store, 3).await);
    for from in [0, 2, 4] {
        let tile = before.1[&TileId::of_leaves(0)].clone();
        let late = crate::proof::Seal { from, to: from + 3, added: vec![tile] };
        assert!(!store.seal(&late).await.expect("answered"), "from {from}");
    }
    assert_eq!((store.sealed().await.expect("state"), tiles_of(&store, 3).await), before);
}

/// Nor one of as many, or of more than there are.
pub async fn a_checkpoint_of_fewer_leaves_is_not_kept(store: Log) {
    assert_eq!(store.sealed().await.expect("state"), crate::proof::SealState::default());
    receive(&*store, 3).await;
    let key = key();
    sealer(&store, &key).seal_all().await.expect("sealed");
    let kept = store.sealed().await.expect("state").checkpoint.expect("a checkpoint");
    for size in [0, 2, 3, 4] {
        store.keep_checkpoint(size, "another").await.expect("answered");
    }
    assert_eq!(store.sealed().await.expect("state").checkpoint, Some(kept));
    receive(&*store, 1).await;
    sealer(&store, &key).seal_all().await.expect("sealed");
    let note = store.sealed().await.expect("state").checkpoint.expect("a checkpoint").parse().expect("a note");
    assert_eq!(Checkpoint::open(&note, &[key.verifier()]).expect("signed").size, 4);
}

/// Once its row is sealed.
pub async fn a_receipt_is_that_of_its_lead(store: Log) {
    let (key, batch) = (key(), receive(&*store, 20).await);
    let moved = batch[4].id();
    let marie = Actor::new("marie").expect("a name");
    store
        .transition(moved, crate::LeadStatus::Received, crate::LeadStatus::Processing, marie, None)
        .await
        .expect("moved");
    assert!(Receipt::of(&*store, moved).await.expect("asked").sealed().is_none(), "nothing is sealed");
    sealer(&store, &key).seal_all().await.expect("sealed");
    for new in &batch {
        let receipt = Receipt::of(&*store, new.id()).await.expect("asked").sealed().expect("a receipt");
        receipt.verify(&[key.verifier()]).expect("it holds");
        let row: Value = serde_json::from_str(receipt.row().expect("a row")).expect("JSON");
        assert_eq!(
            (row["lead_id"].as_str(), row["event"].as_str()),
            (Some(new.id().to_string().as_str()), Some("LEAD_RECEIVED"))
        );
    }
    let late = receive(&*store, 1).await;
    number_all(&store).await;
    assert!(Receipt::of(&*store, late[0].id()).await.expect("asked").sealed().is_none(), "it is not sealed yet");
}

/// Numbered or not.
pub async fn what_is_not_sealed_is_counted(store: Log) {
    assert_eq!(store.seal_lag().await.expect("lag"), SealLag::default());
    let key = key();
    let first = receive(&*store, 1).await;
    let lag = store.seal_lag().await.expect("lag");
    assert_eq!((lag.sealed, lag.oldest), (0, Some(first[0].created_at())), "it has no number yet, and waits");
    number_all(&store).await;
    let lag = store.seal_lag().await.expect("lag");
    assert_eq!((lag.unsealed, lag.oldest), (1, Some(first[0].created_at())));
    sealer(&store, &key).seal_all().await.expect("sealed");
    assert_eq!(store.seal_lag().await.expect("lag"), SealLag { sealed: 1, unsealed: 0, oldest: None });
}

/// In whichever tile it is.
pub async fn a_redacted_row_says_nothing_and_the_tree_holds(store: Log) {
    let (key, batch) = (key(), receive(&*store, 300).await);
    let row_id = |nth: usize| batch[nth].audit_id().hyphenated().to_string();
    number_all(&store).await;
    assert!(!redact(&*store, &row_id(7)).await, "it is not sealed yet");
    sealer(&store, &key).seal_all().await.expect("sealed");
    let before = store.sealed().await.expect("state").checkpoint.expect("a checkpoint").parse().expect("a note");
    for nth in [0, 7, 255, 256, 299] {
        assert!(redact(&*store, &row_id(nth)).await);
    }
    assert!(!redact(&*store, &uuid::Uuid::now_v7().to_string()).await, "nobody's row");
    sealer(&store, &key).seal_all().await.expect("sealed");
    let told = store.entries(300, 10).await.expect("entries").pop().and_then(|entry| entry.row_id).expect("a row");
    assert!(!redact(&*store, &told).await, "what tells of a redaction is not redacted");
    let report = audit(&*store, &key, None).await;
    assert!(report.is_sound(), "{:?}", report.findings);
    assert_eq!(report.redacted.len(), 5);
    assert_eq!(Receipt::of(&*store, batch[7].id()).await.expect("asked"), ReceiptState::Redacted);
    receive(&*store, 300).await;
    assert_eq!(sealer(&store, &key).seal_all().await.expect("sealed"), 605);
    let again = crate::proof::Audit::new().known([key.verifier()]).against(before).run(&*store, |_, _| {}).await;
    let report = again.expect("read");
    assert!(report.is_sound(), "{:?}", report.findings);
    assert_eq!((report.checkpoints, report.last.map(|head| head.size)), (2, Some(605)));
    let entries = store.entries(0, 1000).await.expect("entries");
    let redacted = entries.iter().find(|entry| entry.row_id == Some(row_id(7))).and_then(|entry| entry.row.clone());
    let redacted = redacted.expect("the row");
    assert!(
        redacted["details_json"].is_null() && redacted["actor"].as_str().unwrap_or_default().is_empty(),
        "{redacted}"
    );
    assert_eq!(redacted["lead_id"], batch[7].id().to_string(), "what happened to which lead is still told");
    store
        .erase(Target::Lead(batch[8].id()), Actor::SITE_INGEST, None)
        .await
        .expect("the log is guarded, and leads are not");
}

/// Another row is named by the entry that should tell of it.
pub async fn a_redaction_that_nobody_tells_of_is_found(store: Log) {
    let (key, batch) = (key(), receive(&*store, 10).await);
    sealer(&store, &key).seal_all().await.expect("sealed");
    let row_id = batch[3].audit_id().hyphenated().to_string();
    let other = redaction(&batch[4].audit_id().hyphenated().to_string());
    assert!(store.redact(&row_id, &other).await.expect("redacted"));
    let report = audit(&*store, &key, None).await;
    let index = report.findings.iter().find_map(|finding| match finding {
        Finding::Unexplained { index, row_id: Some(found) } if *found == row_id => Some(*index),
        _ => None,
    });
    assert!(index.is_some() && report.found == 1, "{:?}", report.findings);
}

/// What was signed elsewhere is not forgotten: the old key signs no log that begins anew.
pub async fn a_log_is_begun_anew_on_demand_only(store: Log) {
    let (old, dir) = (key(), TempDir::new());
    let folder = crate::proof::Folder::at(dir.path());
    receive(&*store, 300).await;
    sealer(&store, &old).publish(folder.clone()).seal_all().await.expect("sealed");
    assert!(audit(&*store, &old, Some(&folder)).await.is_sound());
    let other = crate::proof::NoteKey::generate("example.com/other").expect("a key");
    let refused = sealer(&store, &other).seal_all().await.expect_err("another origin");
    assert!(matches!(refused, SealError::OtherOrigin { .. }), "{refused}");
    let restarted = record(AUDIT_RESTARTED, &serde_json::json!({ "reason": "a test" }));
    store.restart_log(None, &restarted).await.expect("begun anew");
    let refused = sealer(&store, &old).publish(folder.clone()).seal_all().await.expect_err("it is shorter");
    let shorter = WitnessError::Shorter { seen: 300, size: 0 };
    assert!(matches!(refused, SealError::Fork(error) if error == shorter), "{refused}");
    let restarted = record(AUDIT_RESTARTED, &serde_json::json!({ "reason": "a test" }));
    store.restart_log(Some(old.name()), &restarted).await.expect("begun anew");
    let refused = sealer(&store, &old).seal_all().await.expect_err("it has another origin now");
    assert!(matches!(refused, SealError::FormerOrigin { .. }), "{refused}");
    assert_eq!(sealer(&store, &other).seal_all().await.expect("sealed"), 302);
    assert!(audit(&*store, &other, None).await.is_sound());
}

async fn seal_some(store: &Log, key: &crate::proof::NoteKey) -> u64 {
    receive(&**store, 2).await;
    sealer(store, key).seal_all().await.expect("sealed")
}

const LEASE: Duration = Duration::from_secs(600);

async fn claim_for(store: &Log, destination: &str) -> Option<CheckpointDelivery> {
    store.claim_checkpoint(destination, LEASE).await.expect("claimed")
}

async fn settle(store: &Log, delivery: &CheckpointDelivery, has_arrived: bool, rest: Duration) -> bool {
    store.settle_checkpoint(delivery, has_arrived, rest).await.expect("settled")
}

/// The last one that was signed, and not those before it.
pub async fn a_checkpoint_goes_to_each_destination_once(store: Log) {
    let key = key();
    assert_eq!(claim_for(&store, "archive").await, None, "nobody knows it");
    for name in ["archive", "other"] {
        store.subscribe(name).await.expect("subscribed");
        assert_eq!(claim_for(&store, name).await, None, "nothing is signed");
    }
    seal_some(&store, &key).await;
    let size = seal_some(&store, &key).await;
    let kept = store.sealed().await.expect("state").checkpoint.expect("a checkpoint");
    for name in ["archive", "other"] {
        let delivery = claim_for(&store, name).await.expect("a checkpoint");
        let expected =
            CheckpointDelivery { destination: name.to_owned(), size, checkpoint: kept.clone(), attempt: 1, claim: 1 };
        assert_eq!(delivery, expected);
        assert_eq!(claim_for(&store, name).await, None, "handed out twice");
        assert!(settle(&store, &delivery, true, Duration::ZERO).await);
        assert_eq!(claim_for(&store, name).await, None, "it arrived");
    }
    let size = seal_some(&store, &key).await;
    assert!(store.pause("archive", true).await.expect("paused"));
    assert_eq!(claim_for(&store, "archive").await, None, "paused");
    let delivery = claim_for(&store, "other").await.expect("a newer one");
    assert_eq!((delivery.size, delivery.attempt), (size, 1));
    assert!(settle(&store, &delivery, true, LEASE).await);
    seal_some(&store, &key).await;
    assert_eq!(claim_for(&store, "other").await, None, "it rests");
    assert!(store.pause("archive", false).await.expect("resumed"));
    let delivery = claim_for(&store, "archive").await.expect("the newest");
    assert_eq!(delivery.size, size + 2);

    // While it is under way: its sizes have nothing to do with those of the log that begins.
    let restarted = record(AUDIT_RESTARTED, &serde_json::json!({ "reason": "a test" }));
    store.restart_log(Some(key.name()), &restarted).await.expect("begun anew");
    assert!(settle(&store, &delivery, true, Duration::ZERO).await);
    assert_eq!(claim_for(&store, "archive").await, None, "nothing is signed");
    let next = crate::proof::NoteKey::generate("example.com/next").expect("a key");
    let size = sealer(&store, &next).seal_all().await.expect("sealed");
    assert_eq!(claim_for(&store, "archive").await.map(|delivery| delivery.size), Some(size));
}

/// It or a newer one, and whoever claimed it last says what became of it.
pub async fn a_checkpoint_that_did_not_arrive_is_sent_again(store: Log) {
    let key = key();
    store.subscribe("archive").await.expect("subscribed");
    let standing = async || {
        let status = store.destinations().await.expect("destinations").remove(0);
        (status.due, status.oldest_due)
    };
    assert_eq!(standing().await, (0, None));
    seal_some(&store, &key).await;
    let late = store.claim_checkpoint("archive", Duration::ZERO).await.expect("claimed").expect("a checkpoint");
    let (due, since) = standing().await;
    assert!(due == 1 && since.is_some(), "it is under way");
    let again = claim_for(&store, "archive").await.expect("its lease is over");
    assert_eq!((again.size, again.attempt), (late.size, 2));
    assert!(!settle(&store, &late, true, Duration::ZERO).await, "a late settlement counts");
    let size = seal_some(&store, &key).await;
    assert!(settle(&store, &again, false, Duration::ZERO).await);
    assert_eq!(standing().await, (1, since), "it is behind since the first attempt");
    let newer = claim_for(&store, "archive").await.expect("the newest");
    assert_eq!((newer.size, newer.attempt), (size, 3));
    assert!(settle(&store, &newer, true, Duration::ZERO).await);
    assert_eq!(standing().await, (0, None));
    assert!(!settle(&store, &newer, true, Duration::ZERO).await, "settled for good");
    // Attempts count from 1 again, claims go on.
    seal_some(&store, &key).await;
    let next = claim_for(&store, "archive").await.expect("the next one");
    assert_eq!((next.attempt, next.claim), (1, 4));
    assert!(!settle(&store, &late, true, Duration::ZERO).await, "a late settlement counts");
}
