//! The tree over the audit log, in PostgreSQL.

use std::sync::Arc;

use super::{adopted, migrated, psql};
use crate::{
    sql::inbox::Dialect,
    store::StoreErrorKind,
    testing::{
        databases::{
            Open,
            log::{Owner, histories, older_rows_come_first, raises_no_alarm, whatever_is_done_is_found},
        },
        log::{self, redaction},
        postgres::Cluster,
    },
};

/// As many as `TAMPERINGS` says.
pub async fn whatever_its_owner_does_to_the_log_is_found(open: Open) {
    let (database, url) = migrated(open).await;
    whatever_is_done_is_found(database, owner(url)).await;
}

/// As many as `HISTORIES` says. Some begin with the FastAPI service's tables, and that service goes on writing.
pub async fn an_honest_history_raises_no_alarm(open: Open) {
    for mut random in histories() {
        let url = Cluster::shared().database();
        if random.one_in(2) {
            psql(&url, include_str!("fastapi.sql"));
            older_rows(&url, random.below(400));
        }
        let database = open(url.clone()).await.expect("it opens");
        database.migrate().await.expect("it migrates");
        raises_no_alarm(database, owner(url), &mut random).await;
    }
}

/// In the order of their time, whatever comes behind them.
pub async fn rows_that_are_older_than_the_log_are_sealed_first(open: Open) {
    let url = Cluster::shared().database();
    psql(&url, include_str!("fastapi.sql"));
    older_rows(&url, 300);
    let rows = psql(&url, "SELECT count(*) FROM audit_log").parse().expect("a number");
    let database = open(url).await.expect("it opens");
    database.migrate().await.expect("it migrates");
    older_rows_come_first(database, rows).await;
}

/// Whoever only writes can add leaves; rows and their salts are the owner's to remove.
pub async fn a_writer_seals_and_does_not_redact(open: Open) {
    let (database, url) = adopted(open).await;
    let name = url.rsplit('/').next().unwrap_or_default();
    let (owner, writer) = (format!("{name}_owner"), format!("{name}_writer"));
    psql(&url, &format!("CREATE ROLE {owner}; CREATE ROLE {writer} LOGIN"));
    psql(&url, &crate::sql::postgres::grants(&owner, &writer));
    let as_writer = open(url.replace("postgres@", &format!("{writer}@"))).await.expect("it opens");
    let (key, batch) = (log::key(), log::receive(&*as_writer, 300).await);
    let as_writer: log::Log = as_writer;
    let sealed = log::sealer(&as_writer, &key).seal_all().await.expect("sealed");
    assert!(sealed > 300, "with those of the FastAPI service");
    assert!(log::audit(&*as_writer, &key, None).await.is_sound());
    let row_id = batch[0].audit_id().hyphenated().to_string();
    let denied = as_writer.redact(&row_id, &redaction(&row_id)).await.expect_err("denied");
    assert_eq!(denied.kind(), StoreErrorKind::Misconfigured, "{denied}");
    let denied = as_writer.restart_log(None, &redaction(&row_id)).await.expect_err("denied");
    assert_eq!(denied.kind(), StoreErrorKind::Misconfigured, "{denied}");
    assert!(database.redact(&row_id, &redaction(&row_id)).await.expect("a superuser may"));
    let report = log::audit(&*as_writer, &key, None).await;
    assert!(report.is_sound() && report.redacted == [row_id], "{:?}", report.findings);
    assert!(database.missing_guards().await.expect("asked").is_empty(), "the log is guarded as before");
}

/// It gives way, so that leads are taken in, and comes back once the table is free.
pub async fn a_row_is_redacted_beside_those_who_write(open: Open) {
    let (database, url) = migrated(open).await;
    let (key, batch) = (log::key(), log::receive(&*database, 3).await);
    let database: log::Log = database;
    log::sealer(&database, &key).seal_all().await.expect("sealed");
    let row_id = batch[1].audit_id().hyphenated().to_string();
    let mut other = Cluster::shared().session(
        &url,
        "BEGIN; INSERT INTO audit_log (id, event, request_id) VALUES (gen_random_uuid(), 'OTHER', gen_random_uuid());",
    );
    let redacting = tokio::spawn({
        let (database, row_id) = (Arc::clone(&database), row_id.clone());
        async move { log::redact(&*database, &row_id).await }
    });
    let waits = "EXISTS (SELECT FROM pg_locks WHERE relation = 'audit_log'::regclass AND mode = 'ShareRowExclusiveLock'
                     AND NOT granted AND database = (SELECT oid FROM pg_database WHERE datname = current_database()))";
    // It waits, gives way, and comes back.
    for until in [waits, &format!("NOT {waits}"), waits] {
        let seen = format!(
            "DO $$ BEGIN FOR look IN 1..10000 LOOP IF {until} THEN RETURN; END IF; PERFORM pg_sleep(0.002); END LOOP;
                         RAISE EXCEPTION 'never seen'; END $$"
        );
        psql(&url, &seen);
        log::receive(&*database, 1).await;
    }
    assert!(!redacting.is_finished(), "beside somebody who writes");
    other.say("COMMIT;");
    drop(other);
    assert!(redacting.await.expect("it ran"));
    log::sealer(&database, &key).seal_all().await.expect("sealed");
    let report = log::audit(&*database, &key, None).await;
    assert!(report.is_sound() && report.redacted == [row_id], "{:?}", report.findings);
}

fn older_rows(url: &str, rows: usize) {
    psql(
        url,
        &format!(
            "INSERT INTO audit_log (id, created_at_utc, event, request_id, details_json)
             SELECT gen_random_uuid(), timestamptz '2024-01-01' + i % 9 * interval '1 day', 'LEAD_RECEIVED', gen_random_uuid(),
                    '{{\"b\": 1.50, \"a\": [1e3]}}'
               FROM generate_series(1, {rows}) AS i"
        ),
    );
}

fn owner(url: String) -> Owner {
    Owner::new(Dialect::Postgres, move |statement| {
        let url = url.clone();
        Box::pin(async move {
            let run = move || psql(&url, &statement).lines().map(str::to_owned).collect();
            tokio::task::spawn_blocking(run).await.map_err(|error| error.to_string())
        })
    })
}
