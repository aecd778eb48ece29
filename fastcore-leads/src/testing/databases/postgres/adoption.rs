//! Databases that somebody else made, and tables in use.

use std::time::Duration;

use tokio::time::{Instant, sleep};

use super::{outcome, psql};
use crate::{
    sql::{Migration, postgres as sql},
    store::{Insertion, LeadDatabase, StoreErrorKind},
    testing::{databases::Open, lead, new_lead, postgres::Cluster},
};

/// What cannot be adopted is named before anything is changed.
pub async fn what_cannot_be_adopted_is_named(open: Open) {
    let cluster = Cluster::shared();
    cluster.psql("postgres", "CREATE DATABASE latin1 ENCODING LATIN1 LC_COLLATE 'C' LC_CTYPE 'C' TEMPLATE template0");
    let latin1 = cluster.url("latin1");
    let elsewhere = cluster.database();
    psql(&elsewhere, "CREATE SCHEMA leads; SET search_path = leads;");
    psql(&elsewhere, &format!("SET search_path = leads; {}", include_str!("fastapi.sql")));
    let typed = cluster.database();
    psql(&typed, include_str!("fastapi.sql"));
    psql(&typed, "ALTER TABLE lead_inbox ALTER COLUMN created_at_utc TYPE timestamp, ALTER COLUMN meta_json TYPE text");
    let lacking = cluster.database();
    psql(&lacking, include_str!("fastapi.sql"));
    psql(&lacking, "ALTER TABLE audit_log DROP COLUMN actor");
    for (url, words) in [
        (latin1, vec!["LATIN1", "UTF8"]),
        (elsewhere.clone(), vec!["the schema leads", "search_path"]),
        (typed, vec!["lead_inbox.created_at_utc", "timestamptz"]),
        (lacking, vec!["audit_log.actor", "missing"]),
    ] {
        let database = open(url.clone()).await.expect("it opens");
        let error = database.migrate().await.expect_err("it is refused");
        assert_eq!(error.kind(), StoreErrorKind::Misconfigured, "{error}");
        let problems = database.adoption_problems().await.expect("problems");
        for words in words {
            assert!(
                error.to_string().contains(words) || problems.iter().any(|problem| problem.contains(words)),
                "{error}"
            );
        }
        assert!(problems.iter().any(|problem| error.to_string().contains(problem.as_str())), "{problems:?}: {error}");
        let changed = "SELECT to_regclass('fastcore_leads_migrations') IS NOT NULL OR
                       (SELECT count(*) > 0 FROM pg_trigger WHERE tgname LIKE 'audit_log%')";
        assert_eq!(psql(&url, changed), "f", "{error}");
    }
    let database = open(format!("{elsewhere}?options=-csearch_path%3Dleads")).await.expect("it opens");
    assert_eq!(database.adoption_problems().await.expect("problems"), Vec::<String>::new());
    database.migrate().await.expect("migrated");
    assert_eq!(psql(&elsewhere, "SELECT count(*) FROM leads.lead_inbox"), "4");
    cluster.psql("postgres", "DROP DATABASE latin1 WITH (FORCE)");
}

/// Whatever a unique index on the request id is called, no other is made beside it.
pub async fn a_unique_index_of_another_name_will_do(open: Open) {
    for unique in [
        "ALTER TABLE lead_inbox ADD CONSTRAINT uq_request UNIQUE (request_id)",
        "CREATE UNIQUE INDEX lead_inbox_by_request ON lead_inbox (request_id)",
    ] {
        let url = Cluster::shared().database();
        psql(&url, include_str!("fastapi.sql"));
        psql(&url, &format!("DROP INDEX ix_lead_inbox_request_id; {unique}"));
        let database = open(url.clone()).await.expect("it opens");
        database.migrate().await.expect("it migrates");
        let indexes = "SELECT count(*) FROM pg_index WHERE indrelid = 'lead_inbox'::regclass AND indisunique
                        AND pg_get_indexdef(indexrelid, 1, true) = 'request_id'";
        assert_eq!(psql(&url, indexes), "1", "{unique}");
        let lead = lead();
        assert_eq!(outcome(&database, lead.clone()).await, Insertion::Inserted);
        assert!(matches!(outcome(&database, lead).await, Insertion::Replayed(_)));
    }
}

/// An index that is built on a table in use stops nobody who writes, and what an interruption left is built again.
pub async fn indexes_are_built_beside_writers(open: Open) {
    let url = Cluster::shared().database();
    psql(&url, sql::CREATE_MIGRATIONS_TABLE);
    let Migration { sql: first, name, .. } = sql::MIGRATIONS[0];
    let record = format!(
        "BEGIN; {first}; INSERT INTO fastcore_leads_migrations (version, name, checksum) VALUES (1, '{name}', '{}'); COMMIT",
        sql::MIGRATIONS[0].checksum()
    );
    psql(&url, &record);
    let writer = open(url.clone()).await.expect("it opens");
    let database = open(url.clone()).await.expect("it opens");
    // A transaction that has written and does not end: an index's builder waits for it.
    let busy = "BEGIN; INSERT INTO lead_inbox (id, name, email, message, request_id, ip_hash)
                VALUES (gen_random_uuid(), 'Host', 'host@example.com', 'Takes its time', gen_random_uuid(), 'x');";
    let mut host = Cluster::shared().session(&url, busy);
    let builds = "SELECT count(*) FROM pg_stat_activity
                   WHERE datname = current_database() AND query LIKE 'CREATE INDEX CONCURRENTLY%' AND state = 'active'";
    let migrate = |database: std::sync::Arc<dyn LeadDatabase>| tokio::spawn(async move { database.migrate().await });
    let until = |wanted: &'static str| {
        let url = url.clone();
        async move {
            let end = Instant::now() + Duration::from_secs(20);
            while psql(&url, builds) != wanted {
                assert!(Instant::now() < end, "the index is not built");
                sleep(Duration::from_millis(20)).await;
            }
        }
    };
    let interrupted = migrate(std::sync::Arc::clone(&database));
    until("1").await;
    for _ in 0..20 {
        writer.insert(&[new_lead()]).await.expect("written while the index is built");
    }
    psql(
        &url,
        "SELECT pg_cancel_backend(pid) FROM pg_stat_activity
          WHERE datname = current_database() AND query LIKE 'CREATE INDEX CONCURRENTLY%' AND state = 'active'",
    );
    interrupted.await.expect("it ends").expect_err("the build was cancelled");
    let invalid = "SELECT count(*) FROM pg_index WHERE NOT indisvalid AND indrelid = 'lead_inbox'::regclass";
    assert_eq!(psql(&url, invalid), "1", "an interrupted build leaves an index behind");
    let again = migrate(std::sync::Arc::clone(&database));
    host.say("COMMIT;");
    again.await.expect("it ends").expect("migrated");
    assert_eq!(psql(&url, invalid), "0");
    database.ready().await.expect("ready");
    let indexes = "SELECT count(*) FROM pg_index WHERE indisvalid AND indexrelid IN
                   (to_regclass('ix_lead_inbox_status_created_at'), to_regclass('ix_lead_inbox_email'))";
    assert_eq!(psql(&url, indexes), "2");
}
