//! SQLite. Looks at the file by a function of the caller's, which runs statements on a connection of its own.

mod batches;
mod plans;

pub use self::{
    batches::{
        a_batch_is_one_statement, a_database_in_memory_keeps_leads_too, a_refused_row_fails_alone_and_is_not_shown,
        no_trigger_parts_a_lead_from_its_audit_row, poison_at_random_places_fails_alone,
        what_a_trigger_keeps_out_is_not_acknowledged, what_a_trigger_keeps_out_is_not_changed,
    },
    plans::{pages_are_read_from_an_index, searches_are_read_from_an_index},
};
use super::log::{Owner, histories, older_rows_come_first, raises_no_alarm, whatever_is_done_is_found};
use super::{
    CANARY, Database, Open, Person, all_migrate, assert_buckets_are_crossed, assert_erased, assert_mismatch,
    assert_still_ready, assert_unknown_status_is_seen, assert_upgraded, sql_of_a_newer_version,
};
use crate::{
    sql::{inbox::Dialect, sqlite as sql},
    store::{Insertion, StoreErrorKind},
    testing::{BoxFuture, TempDir, inbox::walk, lead, new_lead},
};

/// Runs statements on a file, and answers the last column of the last one's rows, or the database's message.
pub type Execute = fn(String, String) -> BoxFuture<Result<Vec<String>, String>>;

macro_rules! cases {
    ($($name:ident)*) => {
        /// The names of all cases.
        pub const CASES: &[&str] = &[$(stringify!($name)),*];

        /// Makes each case of the suite a test. Takes a function that opens the database behind a URL, and one that runs
        /// statements on it.
        #[macro_export]
        macro_rules! sqlite_conformance {
            ($open:path, $execute:path) => {
                $(
                    #[tokio::test(flavor = "multi_thread")]
                    async fn $name() {
                        $crate::testing::databases::sqlite::$name($open, $execute).await;
                    }
                )*
            };
        }
    };
}

cases! {
    migrating_again_changes_nothing
    a_file_that_was_made_anew_loses_no_event
    a_row_that_nobody_understands_stands_in_no_ones_way
    eight_may_migrate_at_once
    a_database_of_another_version_is_refused
    a_newer_version_that_only_adds_leaves_this_one_ready
    the_audit_log_is_append_only
    a_retry_of_an_erased_lead_is_told_so
    a_refused_row_fails_alone_and_is_not_shown
    no_trigger_parts_a_lead_from_its_audit_row
    what_a_trigger_keeps_out_is_not_acknowledged
    what_a_trigger_keeps_out_is_not_changed
    a_batch_is_one_statement
    a_database_in_memory_keeps_leads_too
    commits_are_durable
    an_unreachable_database_is_unavailable
    poison_at_random_places_fails_alone
    an_older_version_is_brought_up_to_date
    a_fault_of_the_set_up_is_no_leads_fault
    an_erased_person_is_nowhere
    a_status_of_a_newer_version_is_seen
    a_file_that_was_replaced_takes_no_leads
    pages_are_read_from_an_index
    searches_are_read_from_an_index
    a_search_looks_into_every_bucket
    whatever_its_owner_does_to_the_log_is_found
    an_honest_history_raises_no_alarm
    rows_that_are_older_than_the_log_are_sealed_first
    a_walk_of_a_hundred_thousand_leads_sees_each_once
}

/// On the page, in the counts, and reached by retention.
pub async fn a_status_of_a_newer_version_is_seen(open: Open, execute: Execute) {
    let (database, dir) = migrated(open).await;
    let new = new_lead();
    database.insert(std::slice::from_ref(&new)).await.expect("written");
    run(execute, &dir, "UPDATE lead_inbox SET status = 'awaiting_parts'").await;
    assert_unknown_status_is_seen(&database, new.id()).await;
}

/// The tables and the bookkeeping stay as they are.
pub async fn migrating_again_changes_nothing(open: Open, execute: Execute) {
    let (database, dir) = migrated(open).await;
    let schema = "SELECT sql FROM sqlite_schema WHERE sql IS NOT NULL UNION ALL SELECT checksum || applied_at_utc FROM fastcore_leads_migrations";
    let before = run(execute, &dir, schema).await;
    database.migrate().await.expect("migrated");
    assert_eq!(run(execute, &dir, schema).await, before);
}

/// Neither where the file was made anew, which may number its rows anew, nor where older rows are missing.
pub async fn a_file_that_was_made_anew_loses_no_event(open: Open, execute: Execute) {
    let (database, dir) = migrated(open).await;
    let mut leads = Vec::new();
    for is_told in [true, true, false] {
        let new = new_lead();
        leads.push(new.id());
        database.insert(&[new]).await.expect("insert");
        while is_told && database.sequence(10).await.expect("sequence") > 0 {}
    }
    run(
        execute,
        &dir,
        "DROP TRIGGER audit_log_no_delete; DROP TRIGGER audit_log_no_update;
         DELETE FROM audit_log WHERE rowid = 1;
         UPDATE audit_log SET rowid = rowid - 1; VACUUM",
    )
    .await;
    let new = new_lead();
    leads.push(new.id());
    database.insert(&[new]).await.expect("insert");
    while database.sequence(10).await.expect("sequence") > 0 {}
    let events = database.events(0, 100).await.expect("events");
    assert_eq!(events.iter().map(|event| event.lead_id).collect::<Vec<_>>(), leads, "each once, in order");
}

/// Whatever another program wrote into the log, the rows behind it are told.
pub async fn a_row_that_nobody_understands_stands_in_no_ones_way(open: Open, execute: Execute) {
    let (database, dir) = migrated(open).await;
    for (i, details) in ["{\"status\":5,\"from\":true}", "no JSON", "[]", "null"].iter().enumerate() {
        let row = format!(
            "INSERT INTO audit_log (id, created_at_utc, event, lead_id, request_id, details_json)
             VALUES ('row {i}', 'yesterday', 'LEAD_RECEIVED', 'nobody', 'x', '{details}')"
        );
        run(execute, &dir, &row).await;
    }
    let new = new_lead();
    let id = new.id();
    database.insert(&[new]).await.expect("insert");
    while database.sequence(10).await.expect("sequence") > 0 {}
    let events = database.events(0, 100).await.expect("events");
    assert_eq!(events.iter().map(|event| (event.sequence, event.lead_id)).collect::<Vec<_>>(), [(5, id)]);
}

/// On a file that is not there yet.
pub async fn eight_may_migrate_at_once(open: Open, execute: Execute) {
    for _ in 0..5 {
        let dir = TempDir::new();
        all_migrate(open, &dir.sqlite_url()).await;
        assert_eq!(
            run(execute, &dir, "SELECT CAST(count(*) AS TEXT) FROM fastcore_leads_migrations").await,
            [sql::MIGRATIONS.len().to_string()]
        );
    }
}

/// A back-up that is put in its place, or a file that is moved away: what would be written now is lost, and a connection that is opened now
/// leads elsewhere.
pub async fn a_file_that_was_replaced_takes_no_leads(open: Open, _: Execute) {
    let (database, dir) = migrated(open).await;
    let file = dir.path().join("leads.db");
    let aside = dir.path().join("aside.db");
    std::fs::rename(&file, &aside).expect("moved");
    let missing = database.ready().await.expect_err("there is no such file");
    let unwritten = database.insert(&[new_lead()]).await.expect_err("there is no such file");
    std::fs::copy(&aside, &file).expect("copied");
    let replaced = database.ready().await.expect_err("another file");
    let lost = database.insert(&[new_lead()]).await.expect_err("another file");
    let of_another = database.counts().await.expect_err("another file");
    std::fs::rename(&aside, &file).expect("moved");
    database.ready().await.expect("ready again");
    assert_eq!(database.insert(&[new_lead()]).await.expect("written"), [Insertion::Inserted]);
    for error in [missing, unwritten, replaced, lost, of_another] {
        assert_eq!(error.kind(), StoreErrorKind::Unavailable);
        assert!(error.to_string().contains("replaced"), "{error}");
    }
}

/// Not migrated, edited, newer: each with a sentence of its own.
pub async fn a_database_of_another_version_is_refused(open: Open, execute: Execute) {
    let dir = TempDir::new();
    let database = open(dir.sqlite_url()).await.expect("it opens");
    assert_eq!(database.ready().await.expect_err("not migrated").kind(), StoreErrorKind::SchemaMismatch);
    database.migrate().await.expect("migrated");
    run(execute, &dir, "UPDATE fastcore_leads_migrations SET checksum = 'x'").await;
    assert_mismatch(open, &dir.sqlite_url(), "other statements").await;
    let (_, dir) = migrated(open).await;
    run(execute, &dir, "INSERT INTO fastcore_leads_migrations (version, name, checksum) VALUES (1000, 'future', 'x')")
        .await;
    assert_mismatch(open, &dir.sqlite_url(), "newer version").await;
}

/// A newer version has added to the tables: this one goes on, can be started again, and migrates nothing.
pub async fn a_newer_version_that_only_adds_leaves_this_one_ready(open: Open, execute: Execute) {
    let (database, dir) = migrated(open).await;
    run(execute, &dir, sql_of_a_newer_version()).await;
    assert_still_ready(open, &database, &dir.sqlite_url()).await;
}

/// UPDATE and DELETE in every disguise; SQLite has no TRUNCATE.
pub async fn the_audit_log_is_append_only(open: Open, execute: Execute) {
    let (database, dir) = migrated(open).await;
    let new = new_lead();
    database.insert(std::slice::from_ref(&new)).await.expect("written");
    for statement in [
        "UPDATE audit_log SET actor = 'x'",
        "DELETE FROM audit_log",
        "DELETE FROM audit_log WHERE true",
        "INSERT OR REPLACE INTO audit_log SELECT id, created_at_utc, 'X', actor, lead_id, request_id, 0, '' FROM audit_log",
        "REPLACE INTO audit_log (rowid, id, created_at_utc, event, request_id) SELECT rowid, 'x', 'x', 'x', 'x' FROM audit_log",
        "PRAGMA recursive_triggers = OFF; REPLACE INTO audit_log SELECT * FROM audit_log",
        "UPDATE OR REPLACE audit_log SET actor = 'x'",
        "INSERT INTO audit_log SELECT * FROM audit_log WHERE true ON CONFLICT (id) DO UPDATE SET actor = 'x'",
    ] {
        let refused = execute(dir.sqlite_url(), statement.to_owned()).await;
        assert!(refused.is_err_and(|message| message.contains("append-only")), "{statement}");
    }
    let trail = database.audit_trail(new.id()).await.expect("audit_trail");
    assert_eq!((trail.len(), trail[0].actor.as_str()), (1, "site_ingest"));
    assert_eq!(database.missing_guards().await.expect("guards"), [""; 0]);
    run(execute, &dir, "DROP TRIGGER audit_log_no_replace").await;
    assert_eq!(database.missing_guards().await.expect("guards"), ["audit_log_no_replace"]);
}

/// 410 for the sender: the person is not made again.
pub async fn a_retry_of_an_erased_lead_is_told_so(open: Open, execute: Execute) {
    let (database, dir) = migrated(open).await;
    let lead = lead();
    let new = crate::NewLead::new(lead.clone(), crate::Actor::SITE_INGEST);
    database.insert(&[new]).await.expect("written");
    run(execute, &dir, "UPDATE lead_inbox SET erased_at_utc = created_at_utc, name = '', email = '', message = ''")
        .await;
    assert_erased(&database, lead).await;
}

/// Migrated by the first version.
pub async fn an_older_version_is_brought_up_to_date(open: Open, execute: Execute) {
    let dir = TempDir::new();
    let first = &sql::MIGRATIONS[0];
    let database = open(dir.sqlite_url()).await.expect("it opens");
    let (name, checksum) = (first.name, first.checksum());
    let note =
        format!("INSERT INTO fastcore_leads_migrations (version, name, checksum) VALUES (1, '{name}', '{checksum}')");
    for statements in [sql::CREATE_MIGRATIONS_TABLE, first.sql, &note] {
        run(execute, &dir, statements).await;
    }
    assert_upgraded(database).await;
}

/// No table, no column: no lead's fault.
pub async fn a_fault_of_the_set_up_is_no_leads_fault(open: Open, execute: Execute) {
    for fault in ["ALTER TABLE lead_inbox RENAME TO away", "ALTER TABLE audit_log RENAME COLUMN details_json TO away"] {
        let (database, dir) = migrated(open).await;
        database.insert(&[new_lead()]).await.expect("written");
        run(execute, &dir, fault).await;
        let error = database.insert(&[new_lead(), new_lead()]).await.expect_err("there is no such table");
        assert_eq!(error.kind(), StoreErrorKind::Misconfigured, "{fault}: {error}");
    }
}

/// As many as `TAMPERINGS` says.
pub async fn whatever_its_owner_does_to_the_log_is_found(open: Open, execute: Execute) {
    let (database, dir) = migrated(open).await;
    whatever_is_done_is_found(database, owner(execute, &dir)).await;
}

/// As many as `HISTORIES` says.
pub async fn an_honest_history_raises_no_alarm(open: Open, execute: Execute) {
    for mut random in histories() {
        let dir = TempDir::new();
        let database = open(dir.sqlite_url()).await.expect("it opens");
        let owner = owner(execute, &dir);
        if random.one_in(2) {
            older_rows(execute, &dir, random.below(400)).await;
        }
        database.migrate().await.expect("it migrates");
        raises_no_alarm(database, owner, &mut random).await;
    }
}

/// In the order of their time, whatever comes behind them.
pub async fn rows_that_are_older_than_the_log_are_sealed_first(open: Open, execute: Execute) {
    let dir = TempDir::new();
    let database = open(dir.sqlite_url()).await.expect("it opens");
    older_rows(execute, &dir, 300).await;
    database.migrate().await.expect("it migrates");
    older_rows_come_first(database, 300).await;
}

/// Migrates as a version did that knew nothing of events, with rows in the log.
async fn older_rows(execute: Execute, dir: &TempDir, rows: usize) {
    run(execute, dir, sql::CREATE_MIGRATIONS_TABLE).await;
    for migration in &sql::MIGRATIONS[..3] {
        let (version, name, checksum) = (migration.version, migration.name, migration.checksum());
        run(execute, dir, migration.sql).await;
        let note = format!(
            "INSERT OR IGNORE INTO fastcore_leads_migrations (version, name, checksum) VALUES ({version}, '{name}', '{checksum}')"
        );
        run(execute, dir, &note).await;
    }
    let insert = format!(
        "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {rows})
         INSERT INTO audit_log (id, created_at_utc, event, request_id)
         SELECT lower(hex(randomblob(4)) || '-' || hex(randomblob(2)) || '-4' || substr(hex(randomblob(2)), 2) || '-8'
                      || substr(hex(randomblob(2)), 2) || '-' || hex(randomblob(6))),
                '2024-01-0' || (1 + i % 9) || 'T00:00:00.000000Z', 'LEAD_RECEIVED',
                '01890000-0000-7000-8000-000000000000' FROM n WHERE i <= {rows}"
    );
    run(execute, dir, &insert).await;
}

fn owner(execute: Execute, dir: &TempDir) -> Owner {
    let url = dir.sqlite_url();
    Owner::new(Dialect::Sqlite, move |statement| execute(url.clone(), statement))
}

/// In no column of any table, in no log, and in no byte of the files.
pub async fn an_erased_person_is_nowhere(open: Open, execute: Execute) {
    let (database, dir) = migrated(open).await;
    let person = Person::new();
    person.live_and_be_erased(&database).await;
    let lead =
        "id || name || email || ifnull(phone, '') || ifnull(company, '') || ifnull(service, '') || message || source
                || request_id || ip_hash || ifnull(meta_json, '') || status FROM lead_inbox";
    let audit = "id || event || ifnull(actor, '') || ifnull(lead_id, '') || request_id || ifnull(details_json, '')
                 FROM audit_log";
    for columns in [lead, audit] {
        let rows = run(execute, &dir, &format!("SELECT {columns}")).await;
        assert!(rows.len() > 1);
        person.assert_nowhere_in(&rows.concat());
    }
    person.assert_not_logged();
    // The checkpoint behind an erasure leaves the log empty once nobody reads.
    for file in std::fs::read_dir(dir.path()).expect("the directory is there").flatten() {
        let bytes = std::fs::read(file.path()).expect("a file of the database");
        person.assert_nowhere_in(&String::from_utf8_lossy(&bytes));
    }
}

/// As where a million leads are.
pub async fn a_search_looks_into_every_bucket(open: Open, execute: Execute) {
    let (database, dir) = migrated(open).await;
    let set = async |place: u64| {
        run(execute, &dir, &format!("UPDATE lead_search_progress SET last_place = {place}")).await;
    };
    assert_buckets_are_crossed(&database, set).await;
}

/// While others arrive.
pub async fn a_walk_of_a_hundred_thousand_leads_sees_each_once(open: Open, _: Execute) {
    let (database, _dir) = migrated(open).await;
    walk(database, 100_000).await;
}

/// WAL mode and FULL, and nothing to warn of; a database in memory is.
pub async fn commits_are_durable(open: Open, execute: Execute) {
    let (database, dir) = migrated(open).await;
    assert_eq!(run(execute, &dir, "PRAGMA journal_mode").await, ["wal"]);
    assert!(database.settings_warnings().await.expect("settings").is_empty());
    let memory = open("sqlite::memory:".to_owned()).await.expect("it opens");
    let named = memory.settings_warnings().await.expect("settings");
    assert!(named.len() == 1 && named[0].contains("in memory"), "{named:?}");
}

/// No such directory, no URL at all.
pub async fn an_unreachable_database_is_unavailable(open: Open, _: Execute) {
    let dir = TempDir::new();
    let error = open(format!("sqlite:{}/missing/{CANARY}.db", dir.path().display())).await.err().expect("unreachable");
    assert_eq!(error.kind(), StoreErrorKind::Unavailable);
    assert!(!format!("{error} {error:?}").contains(CANARY));
}

async fn migrated(open: Open) -> (Database, TempDir) {
    let dir = TempDir::new();
    let database = open(dir.sqlite_url()).await.expect("it opens");
    database.migrate().await.expect("it migrates");
    (database, dir)
}

/// A table that refuses leads by the name of [`CANARY`].
async fn with_a_trigger(open: Open, execute: Execute) -> (Database, TempDir) {
    let (database, dir) = migrated(open).await;
    let trigger = format!(
        "CREATE TRIGGER no_canary BEFORE INSERT ON lead_inbox WHEN NEW.name = '{CANARY}'
         BEGIN SELECT RAISE(ABORT, 'refused {CANARY}'); END"
    );
    run(execute, &dir, &trigger).await;
    (database, dir)
}

async fn run(execute: Execute, dir: &TempDir, sql: &str) -> Vec<String> {
    execute(dir.sqlite_url(), sql.to_owned()).await.expect("the statement runs")
}
