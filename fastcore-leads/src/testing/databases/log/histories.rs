//! What is done every day raises no alarm.

use std::sync::Arc;

use super::{Owner, number};
use crate::{
    audit::{AUDIT_REDACTED, Actor},
    inbox::{InboxError, InboxExt, Target},
    lead::LeadStatus,
    proof::Folder,
    sql::inbox::Dialect,
    store::StoredLead,
    testing::{
        Random, TempDir,
        databases::Database,
        log::{self, Log, redact, sealer},
    },
};

/// A source of random numbers for each history.
pub(in crate::testing::databases) fn histories() -> Vec<Random> {
    let mut seeds = Random::from_env();
    (0..number("HISTORIES", 4)).map(|_| Random::new(seeds.below(usize::MAX) as u64)).collect()
}

/// Two seal, and are stopped anywhere, while leads come, are worked on and erased, other programs write, and rows are redacted.
pub(in crate::testing::databases) async fn raises_no_alarm(database: Database, owner: Owner, random: &mut Random) {
    let (dir, key) = (TempDir::new(), log::key());
    let folders = ["one", "other"].map(|name| {
        std::fs::create_dir(dir.path().join(name)).expect("a folder");
        Folder::at(dir.path().join(name))
    });
    let log: Log = Arc::clone(&database) as Log;
    let mut leads: Vec<crate::LeadId> = Vec::new();
    for _ in 0..4 + random.below(12) {
        match random.below(8) {
            0 | 1 => leads.extend(log::receive(&*log, 1 + random.below(200)).await.iter().map(crate::NewLead::id)),
            2 => works(&database, &leads, random).await,
            3 => {
                if let Some(id) = leads.get(random.below(leads.len())) {
                    match database.erase(Target::Lead(*id), Actor::SITE_INGEST, None).await {
                        Ok(_) | Err(InboxError::Erased) => {}
                        Err(error) => panic!("{error}"),
                    }
                }
            }
            4 => another_program_writes(&owner).await,
            5 => {
                let size = log.sealed().await.expect("state").size;
                if size > 0 {
                    let at = random.below(usize::try_from(size).expect("small")) as u64;
                    let entry = log.entries(at, 1).await.expect("entries").pop().expect("an entry");
                    let is_of_log = entry.row.expect("a row")["event"] == AUDIT_REDACTED;
                    assert_ne!(redact(&*log, &entry.row_id.expect("an id")).await, is_of_log);
                }
            }
            6 => drop(owner.does("VACUUM").await),
            _ => {
                let seen = log::audit(&*log, &key, Some(&folders[0]));
                let one = sealer(&log, &key).publish(folders[0].clone()).seal_all();
                let other = sealer(&log, &key).publish(folders[1].clone()).seal_all();
                let patience = std::time::Duration::from_millis(1 + random.below(60) as u64);
                let (seen, first, second) = tokio::join!(seen, one, tokio::time::timeout(patience, other));
                assert!(seen.is_sound() || seen.last.is_none(), "while it is sealed: {:?}", seen.findings);
                first.expect("sealed");
                if let Ok(second) = second {
                    second.expect("sealed");
                }
            }
        }
    }
    let late = log::audit(&*log, &key, Some(&folders[1])).await;
    assert!(late.is_sound(), "before all is sealed: {:?}", late.findings);
    let size = sealer(&log, &key).publish(folders[0].clone()).seal_all().await.expect("sealed");
    let report = log::audit(&*log, &key, Some(&folders[0])).await;
    assert!(report.is_sound(), "{:?}", report.findings);
    let rows = owner.does("SELECT CAST(count(*) AS text) FROM audit_log").await;
    assert_eq!((report.rows, rows), (size, vec![size.to_string()]), "each row is sealed");
}

async fn works(database: &Database, leads: &[crate::LeadId], random: &mut Random) {
    let Some(id) = leads.get(random.below(leads.len())) else { return };
    let is_open = |lead: &StoredLead| lead.status == "received" && lead.erased_at_utc.is_none();
    if database.get(*id).await.expect("get").as_ref().is_some_and(is_open) {
        let (seen, to) = (LeadStatus::Received, LeadStatus::Processing);
        database.transition(*id, seen, to, Actor::SITE_INGEST, None).await.expect("moved");
    }
}

/// Such as the FastAPI service, or one that writes what nobody understands.
async fn another_program_writes(owner: &Owner) {
    let (details, id) = match owner.dialect {
        Dialect::Postgres => (
            "'{\"z\": 12345678901234567890123, \"a\": {\"y\": 1.0, \"x\": \"\\u00e9\"}}'",
            "gen_random_uuid()".to_owned(),
        ),
        Dialect::Sqlite => ("'no JSON {'", format!("'{}'", uuid::Uuid::now_v7())),
    };
    owner
        .does(format!(
            "INSERT INTO audit_log (id, created_at_utc, event, request_id, details_json)
             VALUES ({id}, '2026-11-22T10:30:45.123456Z', 'LEAD_REFUSED', '01890000-0000-7000-8000-000000000000', {details})"
        ))
        .await;
}

/// In the order of their time, and none of them is told.
pub(in crate::testing::databases) async fn older_rows_come_first(database: Database, rows: u64) {
    let (key, log) = (log::key(), Arc::clone(&database) as Log);
    log::receive(&*log, 10).await;
    let size = sealer(&log, &key).seal_all().await.expect("sealed");
    assert_eq!(size, rows + 10);
    let entries = log.entries(0, 10_000).await.expect("entries");
    let older: Vec<_> = entries[..usize::try_from(rows).expect("small")]
        .iter()
        .map(|entry| entry.row.as_ref().expect("a row")["created_at_utc"].as_str().expect("an instant").to_owned())
        .collect();
    assert!(older.is_sorted(), "the oldest first");
    assert_eq!(database.events(0, 1000).await.expect("events").len(), 10, "nobody is told of what was before");
    assert_eq!(database.last_sequence().await.expect("last"), 10);
    assert!(log::audit(&*log, &key, None).await.is_sound());
}
