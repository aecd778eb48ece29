//! What others are told of, in PostgreSQL: rows that are committed late, that other programs write, that were restored.

use std::process::Command;

use uuid::Uuid;

use super::{migrated, psql};
use crate::{
    audit::LEAD_RECEIVED,
    lead::LeadId,
    outbox::Event,
    testing::{
        databases::{Database, Open},
        new_lead,
        postgres::{Cluster, program},
    },
};

async fn told(database: &Database) -> Vec<Event> {
    while database.sequence(100).await.expect("sequence") > 0 {}
    database.events(0, 10_000).await.expect("events")
}

fn audit_row(lead: LeadId) -> String {
    format!(
        "INSERT INTO audit_log (id, event, actor, lead_id, request_id)
         VALUES (gen_random_uuid(), '{LEAD_RECEIVED}', 'site_ingest', '{lead}', gen_random_uuid());"
    )
}

fn some_lead() -> LeadId {
    LeadId::from_uuid(Uuid::now_v7())
}

/// However many commit meanwhile: it is told late, and not missed. One that is rolled back is not told.
pub async fn a_row_that_is_committed_late_is_told_late(open: Open) {
    let (database, url) = migrated(open).await;
    let (late, never) = (some_lead(), some_lead());
    let mut first = Cluster::shared().session(&url, &format!("BEGIN; {}", audit_row(late)));
    let mut second = Cluster::shared().session(&url, &format!("BEGIN; {}", audit_row(never)));
    let mut others = Vec::new();
    for _ in 0..5 {
        let new = new_lead();
        others.push(new.id());
        database.insert(&[new]).await.expect("insert");
        let leads: Vec<_> = told(&database).await.iter().map(|event| event.lead_id).collect();
        assert_eq!(leads, others, "those that are committed are told at once");
    }
    first.say("COMMIT;");
    second.say("ROLLBACK;");
    drop((first, second));
    others.push(late);
    let leads: Vec<_> = told(&database).await.iter().map(|event| event.lead_id).collect();
    assert_eq!(leads, others, "the last to be committed is the last to be told");
    let mark = psql(&url, "SELECT mark FROM lead_sequencer");
    let next = psql(&url, "SELECT pg_snapshot_xmin(pg_current_snapshot())");
    assert!(mark.parse::<u64>().expect("a number") <= next.parse().expect("a number"));
}

/// What the FastAPI service wrote before is not told, what it writes from then on is.
pub async fn rows_of_the_fastapi_service_are_told(open: Open) {
    let url = Cluster::shared().database();
    psql(&url, include_str!("fastapi.sql"));
    let database = open(url.clone()).await.expect("it opens");
    database.migrate().await.expect("adopted");
    assert_eq!(told(&database).await, [], "what was before is not told");
    let lead = some_lead();
    psql(&url, &audit_row(lead));
    psql(
        &url,
        "INSERT INTO audit_log (id, event, request_id, details_json)
         VALUES (gen_random_uuid(), 'LEAD_REFUSED', gen_random_uuid(), '[1]')",
    );
    let events = told(&database).await;
    assert_eq!(events.iter().map(|event| event.lead_id).collect::<Vec<_>>(), [lead]);
    assert_eq!(database.last_sequence().await.expect("last"), 2, "each row has its number, told or not");
}

/// With a dump that is restored in another cluster, whose transactions have numbers of their own.
pub async fn a_dump_that_is_restored_loses_no_event(open: Open) {
    let (database, url) = migrated(open).await;
    // Far ahead of the other's.
    psql(&url, "DO $$ BEGIN FOR i IN 1..3000 LOOP PERFORM pg_current_xact_id(); COMMIT; END LOOP; END $$");
    let mut leads = Vec::new();
    for is_told in [true, true, false, false] {
        let new = new_lead();
        leads.push(new.id());
        database.insert(&[new]).await.expect("insert");
        if is_told {
            told(&database).await;
        }
    }
    let dump = Command::new(program("pg_dump")).args(["--no-owner", &url]).output().expect("pg_dump runs");
    assert!(dump.status.success(), "{}", String::from_utf8_lossy(&dump.stderr));
    let elsewhere = Cluster::start(&[]);
    let restored_url = elsewhere.database();
    let file = crate::testing::TempDir::new();
    let path = file.path().join("dump.sql");
    std::fs::write(&path, dump.stdout).expect("written");
    elsewhere.psql(&restored_url, &format!("\\i {}", path.display()));
    let restored = open(restored_url).await.expect("it opens");
    restored.ready().await.expect("ready");
    for _ in 0..2 {
        let new = new_lead();
        leads.push(new.id());
        restored.insert(&[new]).await.expect("insert");
        let events = told(&restored).await;
        assert_eq!(events.iter().map(|event| event.lead_id).collect::<Vec<_>>(), leads, "each once, in order");
    }
}
