//! Databases that somebody else made, and tables in use.

use std::time::Duration;

use serde_json::json;
use tokio::time::{Instant, sleep};

use super::{adopted, find, outcome, psql};
use crate::{
    sql::{Migration, postgres as sql},
    store::{Insertion, LeadDatabase, StoreErrorKind},
    testing::{body, databases::Open, lead, new_lead, parse, postgres::Cluster},
};

/// No row is lost, what was NULL by accident has a value, and each row answers a retry.
pub async fn the_fastapi_database_is_adopted(open: Open) {
    let (database, url) = adopted(open).await;
    assert_eq!(psql(&url, "SELECT count(*) FROM lead_inbox"), "4");
    assert_eq!(psql(&url, "SELECT count(*) FROM audit_log"), "4");
    let set = "SELECT string_agg(option_value, ' ' ORDER BY relname, option_name)
                 FROM pg_class, pg_options_to_table(reloptions)
                WHERE relname IN ('audit_log', 'lead_event', 'lead_inbox') AND option_name LIKE '%scale_factor'";
    assert_eq!(psql(&url, set), "0.02 0.02 0.02 0.02 0.02 0.02 0.5 0.02 0.02", "what was set is left");

    let jean = find(&database, "f47ac10b-58cc-4372-a567-0e02b2c3d479").await;
    assert_eq!((jean.name.as_str(), jean.email.as_str(), jean.consent), ("Jean Dupont", "jean@example.com", true));
    assert_eq!(jean.created_at_utc.timestamp_micros(), 1_795_355_707_072_084);
    assert_eq!(jean.meta_json.as_ref().map(|meta| meta["user_agent_hash"].clone()), Some(json!("xyz789")));
    let short = find(&database, "11111111-2222-4333-8444-555555555502").await;
    assert_eq!((short.name.as_str(), short.message.as_str(), short.status.as_str()), ("X", "court", "received"));
    let brien = find(&database, "11111111-2222-4333-8444-555555555503").await;
    assert_eq!(
        (brien.source.as_str(), brien.consent, brien.status.as_str()),
        ("fast-techservices.com", false, "received")
    );
    assert_eq!(brien.created_at_utc.timestamp_micros(), 1_795_355_710_100_966, "taken from its audit row");
    assert_eq!(brien.meta_json.map(|meta| meta["user_agent_hash"].clone()), Some(json!("a\u{fffd}b\\u0000")));
    let trail = database.audit_trail(short.id).await.expect("audit_trail");
    assert_eq!((trail.len(), trail[0].actor.as_str(), trail[0].status_code), (1, "", None));

    let retry = parse(&serde_json::from_str(crate::SAMPLE_LEAD).expect("JSON"));
    assert_eq!(outcome(&database, retry).await, Insertion::Replayed(jean.receipt()));
    let mut untrimmed = body();
    untrimmed["meta"]["request_id"] = "11111111-2222-4333-8444-555555555501".into();
    untrimmed["name"] = "Zoë 🙂".into();
    untrimmed["email"] = "Info@example.com".into();
    untrimmed["service"] = "ponts".into();
    untrimmed["message"] = "Bonjour,\nje voudrais un devis pour deux ponts.".into();
    for member in ["phone", "company"] {
        untrimmed[member] = serde_json::Value::Null;
    }
    let zoe = find(&database, "11111111-2222-4333-8444-555555555501").await;
    assert_eq!(outcome(&database, parse(&untrimmed)).await, Insertion::Replayed(zoe.receipt()));
    let mut other = body();
    other["meta"]["request_id"] = "11111111-2222-4333-8444-555555555502".into();
    assert_eq!(outcome(&database, parse(&other)).await, Insertion::Conflict);
}

/// Its INSERTs, with JSON as text or as `json`, with what it leaves out, and with what it may send as NULL.
pub async fn the_fastapi_service_can_go_on_writing(open: Open) {
    let (database, url) = adopted(open).await;
    psql(
        &url,
        r#"BEGIN;
        INSERT INTO lead_inbox (id, name, email, phone, company, service, message, consent, source, request_id, ip_hash,
                                meta_json, status)
        VALUES ('aaaaaaaa-0000-4000-8000-000000000001', 'Jean Dupont', 'jean@example.com', '+33612345678', 'ACME SAS',
                'diagnostic', 'Mon compresseur ne démarre plus depuis hier', true, 'fast-techservices.com',
                'aaaaaaaa-0000-4000-8000-00000000000a', 'abc123def456',
                '{"user_agent_hash": null, "timestamp_utc": "2024-01-03T10:30:45+00:00"}'::json, 'received');
        INSERT INTO audit_log (id, event, actor, lead_id, request_id, status_code, details_json)
        VALUES ('aaaaaaaa-0000-4000-8000-000000000002', 'LEAD_RECEIVED', 'site_ingest',
                'aaaaaaaa-0000-4000-8000-000000000001', 'aaaaaaaa-0000-4000-8000-00000000000a', 201,
                '{"email": "jea***", "service": null, "ip_hash": "abc123def456"}');
        INSERT INTO lead_inbox (id, created_at_utc, name, email, message, consent, source, request_id, ip_hash, status)
        VALUES ('aaaaaaaa-0000-4000-8000-000000000003', NULL, 'X', 'x@example.com', '', NULL, NULL,
                'aaaaaaaa-0000-4000-8000-00000000000b', '', NULL);
        COMMIT"#,
    );
    let row = find(&database, "aaaaaaaa-0000-4000-8000-00000000000a").await;
    let mut retry = body();
    retry["meta"]["request_id"] = row.request_id.to_string().into();
    assert_eq!(outcome(&database, parse(&retry)).await, Insertion::Replayed(row.receipt()));
    let bare = find(&database, "aaaaaaaa-0000-4000-8000-00000000000b").await;
    assert_eq!(
        (bare.status.as_str(), bare.consent, bare.source.as_str()),
        ("received", false, "fast-techservices.com")
    );
}

/// Retries hang on the index: one of the expected name that is not unique does not do.
pub async fn a_table_without_a_unique_index_gets_one(open: Open) {
    let url = Cluster::shared().database();
    psql(&url, include_str!("fastapi.sql"));
    psql(&url, "DROP INDEX ix_lead_inbox_request_id; CREATE INDEX ix_lead_inbox_request_id ON lead_inbox (request_id)");
    let database = open(url).await.expect("it opens");
    database.migrate().await.expect("it migrates");
    let lead = lead();
    assert_eq!(outcome(&database, lead.clone()).await, Insertion::Inserted);
    assert!(matches!(outcome(&database, lead).await, Insertion::Replayed(_)));
}

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
