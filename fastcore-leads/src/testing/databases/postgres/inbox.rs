//! The inbox in PostgreSQL: an older version's tables, erasure, plans, roles.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use serde_json::json;

use super::{migrated, psql};
use crate::{
    audit::Actor,
    inbox::{InboxExt, Target},
    lead::LeadStatus,
    outbox::{Claim, Subscription},
    sql::{
        inbox::{Dialect, Param, Statement},
        postgres as sql,
    },
    store::{Insertion, NewLead},
    testing::{
        databases::{CANARY, Open, Person, assert_buckets_are_crossed, assert_upgraded},
        inbox::walk,
        new_lead,
        postgres::Cluster,
    },
};

/// Migrated by the first version, with leads in it.
pub async fn an_older_version_is_brought_up_to_date(open: Open) {
    let url = Cluster::shared().database();
    let first = &sql::MIGRATIONS[0];
    psql(&url, sql::CREATE_MIGRATIONS_TABLE);
    psql(
        &url,
        &format!(
            "BEGIN; {}; INSERT INTO fastcore_leads_migrations (version, name, checksum)
             VALUES (1, '{}', '{}'); COMMIT",
            first.sql,
            first.name,
            first.checksum()
        ),
    );
    assert_upgraded(open(url).await.expect("it opens")).await;
}

/// In no column of any table, and in no log.
pub async fn an_erased_person_is_nowhere(open: Open) {
    let (database, url) = migrated(open).await;
    let person = Person::new();
    person.live_and_be_erased(&database).await;
    let tables = psql(&url, "SELECT tablename FROM pg_tables WHERE schemaname = 'public'");
    assert!(tables.lines().count() >= 3);
    for table in tables.lines() {
        let rows = psql(&url, &format!("SELECT row_to_json(t)::text FROM {table} AS t"));
        person.assert_nowhere_in(&rows);
    }
    person.assert_not_logged();
}

/// However full the table: no scan of all, no sort of more than a page a status.
pub async fn pages_are_read_from_an_index(open: Open) {
    let (_, url) = migrated(open).await;
    psql(
        &url,
        "INSERT INTO lead_inbox (id, created_at_utc, name, email, message, ip_hash, request_id, status)
         SELECT gen_random_uuid(), now() - i * interval '1 second', 'x', i || '@example.com', 'x', 'x', gen_random_uuid(),
                (ARRAY['received', 'processing', 'resolved', 'archived'])[1 + i % 4]
           FROM generate_series(1, 20000) AS i;
         UPDATE lead_inbox SET email = 'shop@bücher.example' WHERE email LIKE '%0@example.com';
         INSERT INTO audit_log (id, event, lead_id, request_id)
         SELECT gen_random_uuid(), 'LEAD_RECEIVED', id, request_id FROM lead_inbox;
         ANALYZE",
    );
    let new = new_lead();
    let cursor = crate::inbox::Cursor { created_at: new.created_at(), id: new.id().as_uuid() };
    let at = |seconds: i64| crate::inbox::Cursor {
        created_at: new.created_at() - chrono::TimeDelta::seconds(seconds),
        ..cursor
    };
    let due = crate::inbox::Due {
        status: Some(LeadStatus::Received),
        before: new.created_at() - chrono::TimeDelta::seconds(100),
        unless: crate::inbox::Unless::Contact,
        after: Some(at(15_400)),
        until: Some(at(15_000)),
        limit: 100,
    };
    let by_status = crate::LeadFilter { statuses: vec![LeadStatus::Resolved], ..Default::default() };
    let by_email = |email: &str| crate::LeadFilter { email: Some(email.to_owned()), ..Default::default() };
    let (pages, emails) = ("ix_lead_inbox_status_created_at", "ix_lead_inbox_email");
    let assert_reads = |statement: &Statement, index: &str| {
        let plan = psql(&url, &explain(statement, "COSTS OFF"));
        assert!(plan.contains(index) && !plan.contains("Seq Scan") && !plan.contains("lead_inbox_pkey"), "{plan}");
    };
    let assert_locks = |email: &str, expected: &str| {
        for statement in Dialect::Postgres.lock(&Target::Email(email.to_owned())) {
            assert_reads(&statement, emails);
            let plan = psql(&url, &explain(&statement, "COSTS ON"));
            assert!(plan.contains(expected), "{expected}: {plan}");
        }
    };
    for (statement, index) in [
        (Dialect::Postgres.page(&crate::LeadFilter::default(), Some(cursor), 100), pages),
        (Dialect::Postgres.page(&by_status, None, 100), pages),
        (Dialect::Postgres.due(&due), pages),
        (Dialect::Postgres.find_by_email("500@example.com", 100), emails),
        (Dialect::Postgres.page(&by_email("500@example.com"), None, 100), emails),
        (Dialect::Postgres.page(&by_email("500@bücher.example"), None, 100), emails),
    ] {
        assert_reads(&statement, index);
    }
    assert_locks("501@example.com", " rows=1 ");
    // As behind a restore: a million leads, and no statistics of addresses.
    psql(
        &url,
        "UPDATE pg_class SET reltuples = 1000000 WHERE oid = 'lead_inbox'::regclass; DELETE FROM pg_statistic_ext_data",
    );
    // Of an address with very many leads, no more are read than are locked.
    assert_locks("shop@bücher.example", "Incremental Sort");
}

/// However full the table: by the index of words, and then by keys.
pub async fn searches_are_read_from_an_index(open: Open) {
    let (_, url) = migrated(open).await;
    psql(
        &url,
        "INSERT INTO lead_inbox (id, created_at_utc, name, email, message, ip_hash, request_id, status)
         SELECT gen_random_uuid(), now(), 'x', i || '@example.com', 'x', 'x', gen_random_uuid(), 'received'
           FROM generate_series(1, 20000) AS i;
         INSERT INTO lead_search (place, lead_id, words)
         SELECT row_number() OVER (), id, array_to_tsvector(ARRAY['0000bonjour', '0000' || split_part(email, '@', 1)])
           FROM lead_inbox;
         ANALYZE",
    );
    let search = "bonjour 4711".parse().expect("a search");
    // Of many more, a table of this size is read whole at less cost.
    let ids: Vec<_> = (0..16).map(|_| new_lead().id().as_uuid()).collect();
    let by_status = crate::LeadFilter { statuses: vec![LeadStatus::Resolved], ..Default::default() };
    let plan = psql(&url, &explain(&Dialect::Postgres.shown(&ids, &by_status), "COSTS OFF"));
    assert!(plan.contains("lead_inbox_pkey") && !plan.contains("Seq Scan"), "{plan}");
    // The statement is in a function, whose plan is not shown: how often the table was read, and by which way.
    for (buckets, looked_into) in [(0..=4, 5), (4..=4, 1)] {
        let ask = explain(&Dialect::Postgres.found(&search, buckets, 20_001, 256), "ANALYZE, COSTS OFF, TIMING OFF");
        let read = "SELECT seq_scan || ' whole, ' || idx_scan || ' by index' FROM pg_stat_xact_user_tables WHERE relname = 'lead_search'";
        let told = psql(&url, &format!("BEGIN; {ask}; {read}; COMMIT"));
        assert!(told.contains(&format!("0 whole, {looked_into} by index")) && !told.contains("JIT"), "{told}");
    }
}

/// As where a million leads are.
pub async fn a_search_looks_into_every_bucket(open: Open) {
    let (database, url) = migrated(open).await;
    let set = async |place: u64| drop(psql(&url, &format!("UPDATE lead_search_progress SET last_place = {place}")));
    assert_buckets_are_crossed(&database, set).await;
}

/// Also by somebody who knows nothing of the index, and while leads are entered.
pub async fn an_erasure_leaves_no_words(open: Open) {
    let (database, url) = migrated(open).await;
    let leads: Vec<_> = (0..60).map(|_| new_lead()).collect();
    database.insert(&leads).await.expect("insert");
    let is_over = Arc::new(AtomicBool::new(false));
    let mut indexing = tokio::task::JoinSet::new();
    for _ in 0..2 {
        let (database, is_over) = (Arc::clone(&database), Arc::clone(&is_over));
        indexing.spawn(async move {
            while !is_over.load(Ordering::Relaxed) {
                database.index(2).await.expect("index");
            }
        });
    }
    let marie = crate::Actor::new("marie").expect("a name");
    for lead in &leads[..50] {
        database.erase(Target::Lead(lead.id()), marie.clone(), None).await.expect("erased");
    }
    is_over.store(true, Ordering::Relaxed);
    indexing.join_all().await;
    while database.index(100).await.expect("index") > 0 {}
    let left =
        "SELECT count(*) || ' of ' || (SELECT count(*) FROM lead_inbox WHERE erased_at_utc IS NULL) FROM lead_search";
    assert_eq!(psql(&url, left), "10 of 10");
    psql(&url, "UPDATE lead_inbox SET erased_at_utc = now() WHERE erased_at_utc IS NULL");
    assert_eq!(psql(&url, left), "0 of 0");
    database.insert(&[new_lead()]).await.expect("insert");
    while database.index(100).await.expect("index") > 0 {}
    assert_eq!(psql(&url, left), "1 of 1");
    psql(&url, "TRUNCATE lead_inbox CASCADE");
    assert_eq!(psql(&url, left), "0 of 0");
}

/// The statement that asks for another's plan, as `psql` takes it. Options are those of EXPLAIN, such as `ANALYZE`.
pub fn explain(statement: &Statement, options: &str) -> String {
    let values: Vec<String> = statement
        .params
        .iter()
        .map(|param| match param {
            Param::Text(text) => format!("'{}'", text.replace('\'', "''")),
            Param::BigInt(number) => number.to_string(),
            Param::Uuid(id) => format!("'{id}'"),
            Param::Uuids(ids) => format!("'{{{}}}'", ids.iter().map(ToString::to_string).collect::<Vec<_>>().join(",")),
            Param::Timestamptz(instant) => format!("'{instant}'"),
        })
        .collect();
    let values = if values.is_empty() { String::new() } else { format!("({})", values.join(", ")) };
    format!("PREPARE asked AS {}; EXPLAIN ({options}) EXECUTE asked{values}", statement.text)
}

/// An owner that migrates, and a writer that does the daily work and cannot touch what was written to the log.
pub async fn a_writer_cannot_touch_the_log(open: Open) {
    let cluster = Cluster::shared();
    let url = cluster.database();
    let name = url.rsplit('/').next().unwrap_or_default();
    let (owner, writer) = (format!("{name}_owner"), format!("{name} \"writer\""));
    let quoted = writer.replace('"', "\"\"");
    psql(
        &url,
        &format!("CREATE ROLE {owner} LOGIN; CREATE ROLE \"{quoted}\" LOGIN; GRANT CREATE ON SCHEMA public TO {owner}"),
    );
    let as_role = |role: &str| url.replace("postgres@", &format!("{}@", role.replace(' ', "%20").replace('"', "%22")));
    open(as_role(&owner)).await.expect("it opens").migrate().await.expect("the owner migrates");
    psql(&url, &sql::grants(&owner, &writer));
    psql(&url, &sql::grants(&owner, &writer));

    let database = open(as_role(&writer)).await.expect("it opens");
    database.migrate().await.expect("nothing to do");
    database.ready().await.expect("ready");
    psql(&url, &format!("SET ROLE {owner}; CREATE TABLE next_migration (x int); DROP TABLE next_migration"));
    let new = new_lead();
    assert_eq!(database.insert(std::slice::from_ref(&new)).await.expect("insert"), [Insertion::Inserted]);
    let marie = Actor::new("marie").expect("a name");
    let (seen, to) = (LeadStatus::Received, LeadStatus::Processing);
    database.transition(new.id(), seen, to, marie.clone(), None).await.expect("moved");
    while database.index(10).await.expect("index") > 0 {}
    let search = new.lead().name().parse().expect("a search");
    let found = database.search(&search, &crate::LeadFilter::default(), None, 10).await.expect("search");
    assert_eq!((found.leads.len(), found.is_complete), (1, true));
    database.erase(Target::Lead(new.id()), marie, None).await.expect("erased");
    assert_eq!(psql(&url, "SELECT count(*) FROM lead_search"), "0");
    assert_eq!(
        database.insert(&[NewLead::new(new.lead().clone(), Actor::SITE_INGEST)]).await.expect("insert"),
        [Insertion::Erased]
    );
    let to_crm = Subscription { destination: "crm".to_owned(), ..Subscription::default() };
    let claim = Claim {
        destination: "crm".to_owned(),
        limit: 1,
        lease: Duration::from_secs(1),
        after: None,
        pause: Duration::from_secs(1),
    };
    database.subscribe("crm").await.expect("subscribed");
    // The first two were numbered for the index of words.
    assert_eq!(database.sequence(10).await.expect("sequence"), 1);
    assert_eq!(database.fan_out(&to_crm, 10).await.expect("fan_out"), 1);
    assert_eq!(database.claim(&claim).await.expect("claim").len(), 1);
    database.forget_delivered(chrono::Utc::now()).await.expect("forget");

    let before = psql(&url, "SELECT * FROM audit_log ORDER BY id");
    for statement in [
        "UPDATE audit_log SET actor = 'x'",
        "DELETE FROM audit_log",
        "TRUNCATE audit_log",
        "TRUNCATE lead_inbox CASCADE",
        "DELETE FROM lead_inbox",
        "ALTER TABLE audit_log DISABLE TRIGGER ALL",
        "ALTER TABLE audit_log DISABLE TRIGGER audit_log_no_change",
        "DROP TRIGGER audit_log_no_change ON audit_log",
        "DROP TABLE audit_log",
        "DROP STATISTICS st_lead_inbox_email",
        "SET session_replication_role = replica",
        "CREATE OR REPLACE FUNCTION audit_log_is_append_only() RETURNS trigger LANGUAGE sql AS 'SELECT NULL'",
        "CREATE TEMP TABLE bait (id uuid);
         CREATE TRIGGER x AFTER DELETE ON bait FOR EACH ROW EXECUTE FUNCTION public.lead_search_forget()",
        "INSERT INTO audit_log SELECT * FROM audit_log ON CONFLICT (id) DO UPDATE SET actor = 'x'",
        "UPDATE fastcore_leads_migrations SET checksum = 'x'",
        "CREATE TABLE elsewhere (x int)",
    ] {
        let (is_done, text) = cluster.try_psql(&url, &format!("SET ROLE \"{quoted}\"; {statement}"));
        assert!(!is_done, "{statement}: {text}");
        assert!(
            ["permission denied", "must be owner"].iter().any(|refusal| text.contains(refusal)),
            "{statement}: {text}"
        );
    }
    assert_eq!(psql(&url, "SELECT * FROM audit_log ORDER BY id"), before);
    drop(database);
    // Roles belong to the server, which other tests share.
    let end = tokio::time::Instant::now() + std::time::Duration::from_secs(30);
    while !cluster.try_psql(&url, &format!("DROP OWNED BY {owner}, \"{quoted}\"; DROP ROLE {owner}, \"{quoted}\"")).0 {
        assert!(tokio::time::Instant::now() < end, "the roles cannot be dropped");
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
}

/// While others arrive.
pub async fn a_walk_of_a_hundred_thousand_leads_sees_each_once(open: Open) {
    let (database, _) = migrated(open).await;
    walk(database, 100_000).await;
}

/// What the audit log holds of a person cannot be erased: nothing but the mask and the hash of the address.
pub async fn the_audit_log_never_names_the_person(open: Open) {
    let (database, url) = migrated(open).await;
    let person = Person::new();
    person.live(&database).await;
    let rows = psql(&url, "SELECT row_to_json(t)::text FROM audit_log AS t");
    person.assert_nowhere_in(&rows);
    let details = psql(&url, "SELECT details_json::text FROM audit_log WHERE event = 'LEAD_RECEIVED' LIMIT 1");
    let details: serde_json::Value = serde_json::from_str(&details).expect("JSON");
    assert_eq!(details["email"], json!(format!("{}***", &CANARY[..3])));
}
