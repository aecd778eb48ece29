//! How connections are kept and let go of, and whom they lead to.

use std::{sync::Arc, time::Duration};

use tokio::{
    task::JoinSet,
    time::{Instant, sleep},
};

use super::{faults::PromisedStandby, migrated, psql};
use crate::{
    audit::Actor,
    inbox::{InboxExt, Target},
    ingest::{Ingest, IngestError},
    sql::postgres as sql,
    store::{Insertion, NewLead, StoreErrorKind},
    testing::{
        databases::{CANARY, Database, Open},
        lead, new_lead,
        postgres::Cluster,
        proxy::{Fault, Proxy},
    },
};

/// How many connections a store opens at most, unless it is told otherwise.
const MAX_CONNECTIONS: usize = 10;
/// How long a standby stays away. `STANDBY_SECONDS` makes it longer.
const ABSENCE: Duration = Duration::from_secs(8);

/// A firewall has forgotten the connections that are open, and says nothing: the first lead after a quiet spell is taken in.
pub async fn a_connection_that_was_forgotten_is_not_the_leads_fault(open: Open) {
    let (_, url) = migrated(open).await;
    let proxy = Proxy::before(Cluster::shared().port()).await;
    let database = open(proxy.url(&url)).await.expect("it opens");
    let ingest = Ingest::builder(Arc::clone(&database)).start();
    for _ in 0..3 {
        let results = ingest.ingest_many((0..600).map(|_| lead()), Actor::SITE_INGEST).await;
        assert!(results.iter().all(Result::is_ok));
        database.get(new_lead().id()).await.expect("read");
        proxy.set(Fault::SwallowOpen);
        let started = Instant::now();
        ingest.ingest(lead(), Actor::SITE_INGEST).await.expect("the first lead");
        assert!(started.elapsed() < Duration::from_secs(2), "it took {:?}", started.elapsed());
        database.get(new_lead().id()).await.expect("the first read");
    }
}

/// Commits wait for a standby that is away: nothing is acknowledged, and the server never has more connections than the
/// store may open, those included that were given up. Once the standby is given up, leads are taken in again.
pub async fn an_absent_standby_does_not_use_up_the_server(open: Open) {
    let absence = std::env::var("STANDBY_SECONDS").ok().and_then(|seconds| seconds.parse().ok());
    let absence = absence.map_or(ABSENCE, Duration::from_secs);
    let cluster = Cluster::start(&[]);
    let url = cluster.database();
    let database = open(url.clone()).await.expect("it opens");
    database.migrate().await.expect("migrated");
    let ingest = Ingest::builder(Arc::clone(&database)).start();
    ingest.ingest(lead(), Actor::SITE_INGEST).await.expect("taken in");
    let standby = PromisedStandby::new(&cluster, &url);
    standby.is_waited_for(&database).await;
    let connected = "SELECT count(*) FROM pg_stat_activity
                      WHERE datname = current_database() AND backend_type = 'client backend' AND application_name <> 'psql'";
    let end = Instant::now() + absence;
    let mut callers = JoinSet::new();
    for _ in 0..32 {
        let ingest = ingest.clone();
        callers.spawn(async move {
            while Instant::now() < end {
                let result = ingest.ingest(lead(), Actor::SITE_INGEST).await;
                assert_eq!(result, Err(IngestError::Unavailable), "no standby has it");
                sleep(Duration::from_millis(20)).await;
            }
        });
    }
    // Without the workflow, too: more at once than it would write.
    for _ in 0..16 {
        let database = Arc::clone(&database);
        callers.spawn(async move {
            while Instant::now() < end {
                database.insert(&[new_lead()]).await.expect_err("no standby has it");
            }
        });
    }
    let mut most = 0;
    while !callers.is_empty() {
        while callers.try_join_next().is_some_and(|caller| {
            caller.expect("a caller");
            true
        }) {}
        most = most.max(cluster.psql(&url, connected).parse().expect("a number"));
        sleep(Duration::from_millis(50)).await;
    }
    assert!((1..=MAX_CONNECTIONS).contains(&most), "the server had {most} connections");
    assert!(database.get(new_lead().id()).await.is_ok(), "reads wait for nobody");
    drop(standby);
    let started = Instant::now();
    while ingest.ingest(lead(), Actor::SITE_INGEST).await.is_err() {
        assert!(started.elapsed() < Duration::from_secs(8), "not back in time");
    }
}

/// Somebody holds a row, or a lead's change is refused by the server half-way: leads are taken in all the same, however
/// often that happens.
pub async fn changes_that_fail_leave_no_connection_in_doubt(open: Open) {
    let (database, url) = migrated(open).await;
    let new = new_lead();
    database.insert(std::slice::from_ref(&new)).await.expect("written");
    let id = new.id();
    let wait = move |database: Arc<dyn crate::LeadDatabase>| async move {
        let (seen, to) = (crate::LeadStatus::Received, crate::LeadStatus::Processing);
        database.transition(id, seen, to, Actor::SITE_INGEST, None).await
    };
    for fault in [
        "BEGIN; SELECT FROM lead_inbox FOR UPDATE;",
        "CREATE FUNCTION fail() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RAISE serialization_failure; END';
         CREATE TRIGGER fail BEFORE UPDATE ON lead_inbox FOR EACH ROW EXECUTE FUNCTION fail();",
    ] {
        let held = Cluster::shared().session(&url, fault);
        let mut changes = JoinSet::new();
        for _ in 0..MAX_CONNECTIONS {
            let database = Arc::clone(&database);
            changes.spawn(wait(database));
        }
        assert!(changes.join_all().await.iter().all(Result::is_err));
        for _ in 0..2 * MAX_CONNECTIONS {
            assert_eq!(database.insert(&[new_lead()]).await.expect("written"), [Insertion::Inserted], "{fault}");
        }
        drop(held);
    }
    psql(&url, "DROP TRIGGER fail ON lead_inbox");
    wait(Arc::clone(&database)).await.expect("changed");
}

/// A host's open transaction holds a request id: the other leads of its batch are taken in meanwhile.
pub async fn a_host_that_does_not_commit_holds_up_its_own_lead_only(open: Open) {
    let (database, url) = migrated(open).await;
    let ingest = Ingest::builder(Arc::clone(&database)).deadline(Duration::from_secs(20)).start();
    for end in ["COMMIT", "ROLLBACK"] {
        let held = lead();
        let begun = format!(
            "BEGIN; INSERT INTO lead_inbox (id, name, email, message, request_id, ip_hash)
             VALUES (gen_random_uuid(), 'Host', 'host@example.com', 'Held by a host for a while', '{}', 'x');",
            held.meta().request_id()
        );
        let mut host = Cluster::shared().session(&url, &begun);
        let stuck = tokio::spawn({
            let (ingest, held) = (ingest.clone(), held.clone());
            async move { ingest.ingest(held, Actor::SITE_INGEST).await }
        });
        let started = Instant::now();
        let mut others: Vec<_> = (0..255).map(|_| lead()).collect();
        others.insert(100, held.clone());
        let mut callers = JoinSet::new();
        for (i, sent) in others.into_iter().enumerate() {
            let ingest = ingest.clone();
            callers.spawn(async move { (i, ingest.ingest(sent, Actor::SITE_INGEST).await) });
        }
        for _ in 0..255 {
            let (i, result) = callers.join_next().await.expect("a caller").expect("a caller");
            assert!(i != 100 && result.is_ok(), "{i}: {result:?}");
        }
        assert!(started.elapsed() < Duration::from_secs(5), "the others waited {:?}", started.elapsed());
        host.say(&format!("{end};"));
        let results =
            [stuck.await.expect("a caller"), callers.join_next().await.expect("a caller").expect("a caller").1];
        match end {
            "COMMIT" => assert_eq!(results, [Err(IngestError::RequestIdConflict); 2]),
            _ => assert!(results.iter().all(Result::is_ok), "{results:?}"),
        }
    }
}

/// Of several hosts, one that does not answer is passed over, and so is one that takes no writes.
pub async fn of_several_hosts_the_one_that_takes_writes_is_found(open: Open) {
    let (_, url) = migrated(open).await;
    let port = Cluster::shared().port();
    let name = url.rsplit('/').next().unwrap_or_default();
    let standby = Cluster::start(&[]);
    standby.psql("postgres", &format!("CREATE DATABASE {name}"));
    standby.psql("postgres", &format!("ALTER DATABASE {name} SET default_transaction_read_only = on"));
    let other = standby.port();
    for (hosts, parameters) in [
        (format!("127.0.0.1:1,127.0.0.1:{port}"), "?target_session_attrs=any"),
        (format!("127.0.0.1:{other},127.0.0.1:{port}"), ""),
        (format!("127.0.0.1:1,127.0.0.1:{port}"), "?target_session_attrs=read-write&connect_timeout=1"),
    ] {
        let database = open(format!("postgres://postgres@{hosts}/{name}{parameters}")).await.expect("it opens");
        assert_eq!(
            database.insert(&[new_lead()]).await.expect("written"),
            [Insertion::Inserted],
            "{hosts}{parameters}"
        );
    }
}

/// Where a pooler shares sessions, a setting would be somebody else's a moment later: none is changed but within a transaction, and the role
/// brings them along. Nor are tables migrated there.
pub async fn behind_a_pooler_no_setting_of_a_session_is_changed(open: Open) {
    let cluster = Cluster::start(&["fsync=off", "log_statement=all", "log_parameter_max_length=0"]);
    let url = cluster.database();
    cluster.psql(
        &url,
        "CREATE ROLE service LOGIN SUPERUSER; ALTER ROLE service SET log_parameter_max_length_on_error = -1",
    );
    let url = url.replace("postgres@", "service@");
    let pooled = format!("{url}?pooler=transaction");
    let database = open(pooled.clone()).await.expect("it opens");
    let error = database.migrate().await.expect_err("not on a shared session");
    assert!(error.kind() == StoreErrorKind::SchemaMismatch && error.to_string().contains("pooler"), "{error}");
    open(url.clone()).await.expect("it opens").migrate().await.expect("migrated");
    for (url, is_pooled) in [(&pooled, true), (&url, false)] {
        let before = cluster.log().len();
        let database = open(url.clone()).await.expect("it opens");
        database.migrate().await.expect("nothing is to be done");
        let leads: Vec<_> = (0..40).map(|_| lead()).collect();
        for is_new in [true, false] {
            let batch: Vec<_> = leads.iter().map(|lead| NewLead::new(lead.clone(), Actor::SITE_INGEST)).collect();
            let outcomes = database.insert(&batch).await.expect("written");
            assert!(outcomes.iter().all(|outcome| (*outcome == Insertion::Inserted) == is_new));
        }
        let address = leads[0].email().as_str().to_owned();
        database.erase(Target::Email(address), Actor::SITE_INGEST, None).await.expect("erased");
        database.ready().await.expect("ready");
        let log = cluster.log();
        let settings: Vec<&str> = log[before..].lines().filter(|line| changes_a_session(line)).collect();
        assert_eq!(settings.is_empty(), is_pooled, "{settings:?}");
    }

    let warnings = async || -> Vec<&'static str> {
        let database = open(pooled.clone()).await.expect("it opens");
        let all = database.settings_warnings().await.expect("settings");
        all.into_iter().filter(|warning| warning.contains("pooler=transaction")).collect()
    };
    assert_eq!(warnings().await.len(), 4, "all but synchronous_commit");
    cluster.psql(&url, "ALTER ROLE service SET synchronous_commit = off");
    let refused = open(pooled.clone()).await.err().expect("acknowledged leads could be lost");
    assert!(refused.to_string().contains("synchronous_commit is off"), "{refused}");
    cluster.psql(&url, &sql::pooled_role("service", Duration::from_secs(2)));
    assert_eq!(warnings().await, [""; 0]);
}

/// A line of the server's log. Where a statement goes on in the next one, an `UPDATE` may have a `SET` there. Two settings are each
/// client's own behind PgBouncer, which keeps them in mind: diesel sends them.
fn changes_a_session(line: &str) -> bool {
    let sets = |statement: &str| {
        let statement = statement.trim_start();
        statement.starts_with("SET ")
            && !["SET LOCAL", "SET TIME ZONE ", "SET CLIENT_ENCODING "].iter().any(|known| statement.starts_with(known))
    };
    let statements = line.split_once("LOG:  ").and_then(|(_, logged)| logged.split_once(": "));
    statements.is_some_and(|(_, statements)| statements.split(';').any(sets))
        || (line.contains("set_config(") && line.contains("false)"))
}

/// A URL is refused with a sentence that shows no part of it that may be a secret.
pub async fn a_url_that_cannot_be_read_shows_no_secret(open: Open) {
    for (url, words) in [
        (format!("postgres://app:/{CANARY}@127.0.0.1/leads"), "percent-encode"),
        (format!("postgres://app:{CANARY}@127.0.0.1/leads?sslcompression={CANARY}"), "sslcompression"),
        (format!("postgres://app:{CANARY}@127.0.0.1/leads?sslmode={CANARY}"), "verify-full"),
    ] {
        let error = open(url).await.err().expect("refused");
        let shown = format!("{error} {error:?}");
        assert_eq!(error.kind(), StoreErrorKind::Internal);
        assert!(shown.contains(words) && !shown.contains(CANARY), "{shown}");
    }
    let (_, url) = migrated(open).await;
    psql(&url, "CREATE SCHEMA elsewhere");
    let database = open(format!("{url}?options=-csearch_path%3Delsewhere")).await.expect("it opens");
    let error = database.insert(&[NewLead::new(lead(), Actor::SITE_INGEST)]).await.expect_err("no such table there");
    assert_eq!(error.kind(), StoreErrorKind::Misconfigured);
}

/// A longer limit that is set after connecting holds for the server, too. Takes the same store with a limit of 20 s and with
/// one of 200 ms, which connected with 2 s; not in [`CASES`](super::CASES), since only a store of one's own has the setter.
pub async fn a_limit_that_is_set_later_holds_for_everything(patient: Database, brief: Database, url: String) {
    patient.insert(&[new_lead()]).await.expect("written");
    let lock = Cluster::shared().session(&url, "BEGIN; LOCK TABLE lead_inbox;");
    let read = tokio::spawn({
        let patient = Arc::clone(&patient);
        async move { patient.get(new_lead().id()).await }
    });
    let started = Instant::now();
    brief.get(new_lead().id()).await.expect_err("the table is locked");
    brief.insert(&[new_lead()]).await.expect_err("the table is locked");
    assert!(started.elapsed() < Duration::from_secs(2), "a limit of 200 ms took {:?}", started.elapsed());
    // Longer than the limit that the store connected with.
    sleep(Duration::from_millis(2500)).await;
    drop(lock);
    assert!(read.await.expect("it ends").expect("read").is_none());
    assert_eq!(patient.insert(&[new_lead()]).await.expect("written"), [Insertion::Inserted]);
}

/// Whoever has a store may outlive the runtime that it was opened on. Not in [`CASES`](super::CASES): it needs a thread
/// without a runtime.
pub fn a_store_may_be_dropped_outside_of_a_runtime(open: Open) {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().expect("a runtime");
    let database = runtime.block_on(async {
        let (database, _) = migrated(open).await;
        database.insert(&[new_lead()]).await.expect("written");
        database
    });
    drop(Arc::clone(&database));
    drop(runtime);
    drop(database);
}

/// Never weaker than asked for: the right authority, another one, another name, none.
///
/// Not in [`CASES`](super::CASES), since a store may be built without encryption.
pub async fn encryption_is_as_asked_for(open: Open) {
    let cluster = Cluster::start_encrypted();
    let database = cluster.database();
    let (port, name) = (cluster.port(), database.rsplit('/').next().unwrap_or_default());
    let (ca, other) = (cluster.authority("ca"), cluster.authority("other_ca"));
    let plain = Cluster::shared().port();
    for (place, parameters, is_encrypted) in [
        (format!("127.0.0.1:{port}"), "sslmode=disable".to_owned(), Some(false)),
        (format!("127.0.0.1:{port}"), String::new(), Some(true)),
        (format!("127.0.0.1:{port}"), "ssl=require".to_owned(), Some(true)),
        (format!("localhost:{port}"), format!("sslmode=verify-ca&sslrootcert={ca}"), Some(true)),
        (format!("localhost:{port}"), format!("sslmode=verify-full&sslrootcert={ca}"), Some(true)),
        (format!("127.0.0.1:{port}"), format!("sslmode=verify-full&sslrootcert={ca}"), None),
        (format!("localhost:{port}"), format!("sslmode=verify-full&sslrootcert={other}"), None),
        (format!("127.0.0.1:{port}"), format!("sslmode=verify-ca&sslrootcert={other}"), None),
        (format!("127.0.0.1:{port}"), format!("sslmode=require&sslrootcert={other}"), None),
        (format!("localhost:{port}"), "sslmode=verify-full".to_owned(), None),
        (format!("127.0.0.1:{plain}"), "ssl=require".to_owned(), None),
        (format!("127.0.0.1:{plain}"), "sslmode=prefer".to_owned(), Some(false)),
    ] {
        let name = if place.ends_with(&format!(":{plain}")) { "postgres" } else { name };
        let opened = open(format!("postgres://postgres@{place}/{name}?application_name=seen&{parameters}")).await;
        assert_eq!(opened.is_ok(), is_encrypted.is_some(), "{place} {parameters}: {:?}", opened.err());
        let Some(is_encrypted) = is_encrypted else { continue };
        let server = if name == "postgres" { Cluster::shared() } else { &cluster };
        let seen =
            "SELECT bool_and(ssl) FROM pg_stat_ssl JOIN pg_stat_activity USING (pid) WHERE application_name = 'seen'";
        assert_eq!(server.psql(name, seen), if is_encrypted { "t" } else { "f" }, "{place} {parameters}");
        drop(opened);
        let end = Instant::now() + Duration::from_secs(10);
        while !server.psql(name, seen).is_empty() {
            assert!(Instant::now() < end, "a dropped store leaves its connections");
            sleep(Duration::from_millis(20)).await;
        }
    }
    let missing =
        open(format!("postgres://postgres@127.0.0.1:{port}/{name}?sslmode=verify-full&sslrootcert=/nowhere")).await;
    assert!(missing.is_err(), "a file that is not there");
}
