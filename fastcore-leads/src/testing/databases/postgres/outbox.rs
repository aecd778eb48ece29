//! What others are told of, in PostgreSQL: rows that are committed late, that other programs write, that were restored.

use std::{collections::HashMap, process::Command, sync::Arc, time::Instant};

use chrono::{DateTime, Utc};
use tokio::{sync::watch, task::JoinSet};
use uuid::Uuid;

use super::{migrated, psql};
use crate::{
    audit::LEAD_RECEIVED,
    lead::LeadId,
    outbox::Event,
    testing::{
        Random,
        databases::{Database, Open},
        new_lead,
        postgres::{Cluster, program},
    },
};

async fn told(database: &Database) -> Vec<Event> {
    while database.sequence(100).await.expect("sequence") > 0 {}
    database.events(0, 1_000_000).await.expect("events")
}

fn audit_row(lead: LeadId) -> String {
    audit_row_of(&format!("'{lead}'"))
}

fn audit_row_of(lead: &str) -> String {
    format!(
        "INSERT INTO audit_log (id, event, actor, lead_id, request_id)
         VALUES (gen_random_uuid(), '{LEAD_RECEIVED}', 'site_ingest', {lead}, gen_random_uuid());"
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

/// Sixteen who commit after a while that varies, or do not, and one whose transaction stays open all the time, while two number: each
/// row that is committed gets one number, the older of a lead first. `OPEN_SECONDS` is how long that transaction stays open at least.
pub async fn rows_that_are_committed_in_any_order_are_numbered_once(open: Open) {
    const WRITERS: usize = 16;
    let seconds = std::env::var("OPEN_SECONDS").map_or(1.0, |seconds| seconds.parse().expect("a number"));
    let (database, url) = migrated(open).await;
    let database = Arc::new(database);
    let late = some_lead();
    let mut long = Cluster::shared().session(&url, &format!("BEGIN; {}", audit_row(late)));
    let opened = Instant::now();
    let (done, is_done) = watch::channel(false);
    let mut sequencers = JoinSet::new();
    // One of them stops in the middle of nearly every scan.
    for at_once in [3, 500] {
        let (database, is_done) = (Arc::clone(&database), is_done.clone());
        sequencers.spawn(async move {
            while !*is_done.borrow() {
                database.sequence(at_once).await.expect("sequence");
                tokio::task::yield_now().await;
            }
        });
    }
    let seed = Random::from_env().below(1_000_000);
    loop {
        let mut writers = JoinSet::new();
        for writer in 0..WRITERS {
            let (url, lead) = (url.clone(), some_lead());
            let row = audit_row(lead);
            #[allow(clippy::cast_precision_loss, reason = "a seed")]
            let seed = (seed + writer) as f64 / 2_000_000.0;
            let script = format!(
                "DO $$ BEGIN PERFORM setseed({seed}); FOR i IN 1..20 LOOP
                     {row} PERFORM pg_sleep(random() * 0.02);
                     IF random() < 0.2 THEN ROLLBACK; ELSE COMMIT; END IF;
                 END LOOP; END $$"
            );
            writers.spawn_blocking(move || psql(&url, &script));
        }
        writers.join_all().await;
        if opened.elapsed().as_secs_f64() >= seconds {
            break;
        }
    }
    let numbered = database.last_sequence().await.expect("last");
    assert!(numbered > 0, "they are told while a transaction is open");
    long.say("COMMIT;");
    drop(long);
    done.send_replace(true);
    sequencers.join_all().await;
    let events = told(&database).await;
    let numbers: Vec<_> = events.iter().map(|event| event.sequence).collect();
    assert_eq!(numbers, (1..=events.len() as u64).collect::<Vec<_>>());
    let mut audited: Vec<Uuid> = events.iter().map(|event| event.audit_id).collect();
    audited.sort_unstable();
    let rows = psql(&url, "SELECT id FROM audit_log ORDER BY id");
    assert_eq!(audited, rows.lines().map(|id| id.parse().expect("an id")).collect::<Vec<Uuid>>());
    assert!(events.iter().any(|event| event.lead_id == late), "what was committed last is told, too");
    let mut last: HashMap<LeadId, DateTime<Utc>> = HashMap::new();
    for event in &events {
        let before = last.insert(event.lead_id, event.occurred_at);
        assert!(before.is_none_or(|before| before <= event.occurred_at), "of a lead, the older row first");
    }
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

/// Behind a restore in another cluster there may be millions: it looks at so many rows a pass, and goes on where it stopped. What is
/// committed behind it meanwhile is found as well.
pub async fn a_long_log_is_scanned_in_steps(open: Open) {
    let (database, url) = migrated(open).await;
    let write = |rows: u32| {
        let row = audit_row_of("gen_random_uuid()");
        psql(
            &url,
            &format!("DO $$ BEGIN FOR i IN 1..{rows} LOOP {row} IF i % 100 = 0 THEN COMMIT; END IF; END LOOP; END $$"),
        );
    };
    write(5000);
    assert_eq!(told(&database).await.len(), 5000);
    let late = some_lead();
    let mut long = Cluster::shared().session(&url, &format!("BEGIN; {}", audit_row(late)));
    write(25);
    psql(&url, "UPDATE lead_sequencer SET system_identifier = 'of another cluster'");
    let standing = || {
        let state = "system_identifier = (SELECT system_identifier::text FROM pg_control_system()), scanned_to IS NOT NULL, next_mark IS NULL";
        psql(&url, &format!("SELECT {state} FROM lead_sequencer"))
    };
    assert_eq!(database.sequence(10).await.expect("sequence"), 10, "as many as were asked for");
    assert_eq!(standing(), "f|t|f", "it is on its way");
    long.say("COMMIT;");
    drop(long);
    let events = told(&database).await;
    assert_eq!(standing(), "t|f|t", "it has seen all");
    assert_eq!(events.iter().map(|event| event.sequence).collect::<Vec<_>>(), (1..=5026).collect::<Vec<_>>());
    assert_eq!(events.iter().filter(|event| event.lead_id == late).count(), 1);
}

/// Versions that do not know where a scan stopped leave it as it is, and so does a dump.
pub async fn where_a_scan_stopped_is_believed_only_where_it_is_so(open: Open) {
    let here = "(SELECT system_identifier::text FROM pg_control_system())";
    for (identifier, mark, scanned_in, scanned_to) in [
        ("'of another cluster'", "1", "'of another cluster'", "2000000000"),
        (&*format!("'sweeping ' || {here}"), "1", "'of another cluster'", "2000000000"),
        (here, "1", "'of another cluster'", "2000000000"),
        // The mark is past it.
        (here, "2", here, "1"),
    ] {
        let (database, url) = migrated(open).await;
        let write = || psql(&url, &audit_row_of("gen_random_uuid()").repeat(20));
        write();
        psql(
            &url,
            &format!(
                "UPDATE lead_sequencer SET system_identifier = {identifier}, mark = {mark}, scanned_in = {scanned_in},
                        scanned_to = {scanned_to}, next_mark = {scanned_to}"
            ),
        );
        assert_eq!(told(&database).await.len(), 20, "{identifier}");
        write();
        assert_eq!(told(&database).await.len(), 40, "{identifier}");
        let is_behind = "SELECT mark <= pg_snapshot_xmin(pg_current_snapshot())::text::bigint FROM lead_sequencer";
        assert_eq!(psql(&url, is_behind), "t", "{identifier}");
    }
}

/// However many rows one transaction wrote, they are not all looked at again for each few that get their numbers.
pub async fn rows_of_one_transaction_are_numbered_in_few_steps(open: Open) {
    let (database, url) = migrated(open).await;
    assert_eq!(told(&database).await, [], "it follows from here on");
    psql(
        &url,
        &format!(
            "INSERT INTO audit_log (id, event, actor, lead_id, request_id)
             SELECT gen_random_uuid(), '{LEAD_RECEIVED}', 'site_ingest', gen_random_uuid(), gen_random_uuid()
               FROM generate_series(1, 5000)"
        ),
    );
    let (mut steps, mut numbered) = (0, 0);
    loop {
        let some = database.sequence(10).await.expect("sequence");
        (steps, numbered) = (steps + 1, numbered + some);
        if some < 10 {
            break;
        }
    }
    assert_eq!(numbered, 5000);
    assert!(steps < 150, "{steps} steps");
    let events = told(&database).await;
    assert_eq!(events.iter().map(|event| event.sequence).collect::<Vec<_>>(), (1..=5000).collect::<Vec<_>>());
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
