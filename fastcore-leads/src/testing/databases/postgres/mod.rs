//! PostgreSQL. Looks at the database with `psql`, as another program than the store.

mod adoption;
mod batches;
mod connections;
mod faults;
mod inbox;
mod log;
mod network;
mod outbox;

pub use self::adoption::{
    a_table_without_a_unique_index_gets_one, a_unique_index_of_another_name_will_do, indexes_are_built_beside_writers,
    the_fastapi_database_is_adopted, the_fastapi_service_can_go_on_writing, what_cannot_be_adopted_is_named,
};
pub use self::batches::{
    a_refused_row_fails_alone_and_is_not_shown, poison_at_random_places_fails_alone,
    what_a_trigger_keeps_out_is_not_acknowledged, what_a_trigger_keeps_out_is_not_changed,
    what_fails_at_the_commit_is_not_acknowledged,
};
pub use self::connections::{
    a_connection_that_was_forgotten_is_not_the_leads_fault, a_host_that_does_not_commit_holds_up_its_own_lead_only,
    a_limit_that_is_set_later_holds_for_everything, a_store_may_be_dropped_outside_of_a_runtime,
    a_url_that_cannot_be_read_shows_no_secret, an_absent_standby_does_not_use_up_the_server,
    behind_a_pooler_no_setting_of_a_session_is_changed, changes_that_fail_leave_no_connection_in_doubt,
    encryption_is_as_asked_for, of_several_hosts_the_one_that_takes_writes_is_found,
};
pub use self::faults::{
    a_fault_of_the_set_up_is_no_leads_fault, a_locked_table_does_not_use_up_the_server,
    a_long_deadline_outlasts_a_fail_over, a_read_only_server_is_not_ready, a_restart_while_idle_goes_unnoticed,
    a_retry_waits_for_the_standby_too, a_stopped_database_is_unavailable_and_comes_back,
    an_unreachable_database_is_unavailable,
};
pub use self::inbox::{
    a_search_looks_into_every_bucket, a_walk_of_a_hundred_thousand_leads_sees_each_once, a_writer_cannot_touch_the_log,
    an_erased_person_is_nowhere, an_erasure_leaves_no_words, an_older_version_is_brought_up_to_date, explain,
    pages_are_read_from_an_index, searches_are_read_from_an_index, the_audit_log_never_names_the_person,
};
pub use self::log::{
    a_row_is_redacted_beside_those_who_write, a_writer_seals_and_does_not_redact, an_honest_history_raises_no_alarm,
    rows_that_are_older_than_the_log_are_sealed_first, whatever_its_owner_does_to_the_log_is_found,
};
pub use self::network::{
    a_connection_cut_after_its_commit_makes_one_lead, an_outage_of_the_network_is_survived,
    callers_may_go_away_at_any_moment, slow_replies_are_waited_for_up_to_the_deadline,
};
pub use self::outbox::{
    a_dump_that_is_restored_loses_no_event, a_long_log_is_scanned_in_steps, a_row_that_is_committed_late_is_told_late,
    rows_of_one_transaction_are_numbered_in_few_steps, rows_of_the_fastapi_service_are_told,
    rows_that_are_committed_in_any_order_are_numbered_once, where_a_scan_stopped_is_believed_only_where_it_is_so,
};
use super::{
    Database, Open, all_migrate, assert_erased, assert_mismatch, assert_still_ready, assert_unknown_status_is_seen,
    sql_of_a_newer_version,
};
use crate::{
    audit::Actor,
    lead::{RequestId, limits},
    sql::postgres as sql,
    store::{Insertion, NewLead, StoreErrorKind},
    testing::{lead, new_lead, postgres::Cluster},
};

macro_rules! cases {
    ($($name:ident)*) => {
        /// The names of all cases.
        pub const CASES: &[&str] = &[$(stringify!($name)),*];

        /// Makes each case of the suite a test. Takes a function that opens the database behind a URL.
        #[macro_export]
        macro_rules! postgres_conformance {
            ($open:path) => {
                $(
                    #[tokio::test(flavor = "multi_thread")]
                    async fn $name() {
                        $crate::testing::databases::postgres::$name($open).await;
                    }
                )*
            };
        }
    };
}

cases! {
    migrating_again_changes_nothing
    eight_may_migrate_at_once
    a_database_of_another_version_is_refused
    a_newer_version_that_only_adds_leaves_this_one_ready
    an_older_version_knows_what_a_newer_one_recorded
    the_fastapi_database_is_adopted
    the_fastapi_service_can_go_on_writing
    columns_are_as_wide_as_the_limits
    the_audit_log_is_append_only
    a_retry_of_an_erased_lead_is_told_so
    a_refused_row_fails_alone_and_is_not_shown
    what_a_trigger_keeps_out_is_not_acknowledged
    what_a_trigger_keeps_out_is_not_changed
    what_fails_at_the_commit_is_not_acknowledged
    unsafe_settings_are_named
    settings_that_log_leads_are_named
    a_dropped_insert_leaves_no_open_transaction
    a_table_without_a_unique_index_gets_one
    a_unique_index_of_another_name_will_do
    what_cannot_be_adopted_is_named
    indexes_are_built_beside_writers
    a_connection_that_was_forgotten_is_not_the_leads_fault
    an_absent_standby_does_not_use_up_the_server
    changes_that_fail_leave_no_connection_in_doubt
    a_host_that_does_not_commit_holds_up_its_own_lead_only
    of_several_hosts_the_one_that_takes_writes_is_found
    behind_a_pooler_no_setting_of_a_session_is_changed
    a_url_that_cannot_be_read_shows_no_secret
    a_status_of_a_newer_version_is_seen
    a_stopped_database_is_unavailable_and_comes_back
    a_restart_while_idle_goes_unnoticed
    a_long_deadline_outlasts_a_fail_over
    a_locked_table_does_not_use_up_the_server
    an_unreachable_database_is_unavailable
    a_retry_waits_for_the_standby_too
    a_read_only_server_is_not_ready
    a_fault_of_the_set_up_is_no_leads_fault
    poison_at_random_places_fails_alone
    slow_replies_are_waited_for_up_to_the_deadline
    a_connection_cut_after_its_commit_makes_one_lead
    an_outage_of_the_network_is_survived
    callers_may_go_away_at_any_moment
    an_older_version_is_brought_up_to_date
    a_row_that_is_committed_late_is_told_late
    rows_that_are_committed_in_any_order_are_numbered_once
    rows_of_the_fastapi_service_are_told
    a_long_log_is_scanned_in_steps
    rows_of_one_transaction_are_numbered_in_few_steps
    where_a_scan_stopped_is_believed_only_where_it_is_so
    a_dump_that_is_restored_loses_no_event
    an_erased_person_is_nowhere
    the_audit_log_never_names_the_person
    pages_are_read_from_an_index
    searches_are_read_from_an_index
    an_erasure_leaves_no_words
    a_search_looks_into_every_bucket
    a_writer_cannot_touch_the_log
    whatever_its_owner_does_to_the_log_is_found
    an_honest_history_raises_no_alarm
    rows_that_are_older_than_the_log_are_sealed_first
    a_row_is_redacted_beside_those_who_write
    a_writer_seals_and_does_not_redact
    a_walk_of_a_hundred_thousand_leads_sees_each_once
}

/// On the page, in the counts, and reached by retention.
pub async fn a_status_of_a_newer_version_is_seen(open: Open) {
    let (database, url) = migrated(open).await;
    let new = new_lead();
    database.insert(std::slice::from_ref(&new)).await.expect("written");
    psql(&url, "UPDATE lead_inbox SET status = 'awaiting_parts'");
    assert_unknown_status_is_seen(&database, new.id()).await;
}

/// The tables and the bookkeeping stay as they are.
pub async fn migrating_again_changes_nothing(open: Open) {
    let (database, url) = migrated(open).await;
    let before = schema(&url);
    database.migrate().await.expect("migrated");
    assert_eq!(schema(&url), before);
}

/// On a fresh database, and on one of the FastAPI service.
pub async fn eight_may_migrate_at_once(open: Open) {
    for setup in ["", include_str!("fastapi.sql")] {
        let url = Cluster::shared().database();
        psql(&url, setup);
        all_migrate(open, &url).await;
        assert_eq!(psql(&url, "SELECT count(*) FROM fastcore_leads_migrations"), sql::MIGRATIONS.len().to_string());
    }
}

/// A version that knows the first wording of a migration only stays ready on a database that this one made.
pub async fn an_older_version_knows_what_a_newer_one_recorded(open: Open) {
    let (_, url) = migrated(open).await;
    for migration in sql::MIGRATIONS {
        let checksum = format!("SELECT checksum FROM fastcore_leads_migrations WHERE version = {}", migration.version);
        let oldest = migration.former.first().map_or_else(|| migration.checksum(), |&oldest| oldest.to_owned());
        assert_eq!(psql(&url, &checksum), oldest, "migration {}", migration.version);
    }
}

/// Not migrated, edited, newer: each with a sentence of its own.
pub async fn a_database_of_another_version_is_refused(open: Open) {
    let url = Cluster::shared().database();
    let database = open(url.clone()).await.expect("it opens");
    let error = database.ready().await.expect_err("not migrated");
    assert_eq!(error.kind(), StoreErrorKind::SchemaMismatch);
    database.migrate().await.expect("migrated");
    psql(&url, "UPDATE fastcore_leads_migrations SET checksum = 'x'");
    assert_mismatch(open, &url, "other statements").await;
    let (_, url) = migrated(open).await;
    psql(&url, "INSERT INTO fastcore_leads_migrations (version, name, checksum) VALUES (1000, 'future', 'x')");
    assert_mismatch(open, &url, "newer version").await;
}

/// A newer version has added to the tables: this one goes on, can be started again, and migrates nothing.
pub async fn a_newer_version_that_only_adds_leaves_this_one_ready(open: Open) {
    let (database, url) = migrated(open).await;
    psql(&url, sql_of_a_newer_version());
    assert_still_ready(open, &database, &url).await;
}

/// The tables as the server has them, against the parser's numbers.
pub async fn columns_are_as_wide_as_the_limits(open: Open) {
    for url in [migrated(open).await.1, adopted(open).await.1] {
        for (column, max) in [
            ("name", limits::NAME.max),
            ("email", limits::MAX_EMAIL_BYTES),
            ("phone", limits::PHONE.max),
            ("company", limits::COMPANY.max),
            ("message", limits::MESSAGE.max),
            ("source", limits::SOURCE.max),
            ("ip_hash", limits::HASH.max),
        ] {
            let width = psql(
                &url,
                &format!(
                    "SELECT character_maximum_length FROM information_schema.columns
                      WHERE table_name = 'lead_inbox' AND column_name = '{column}'"
                ),
            );
            assert_eq!(width, max.to_string(), "{column}");
        }
        let nullable = "SELECT string_agg(column_name, ',' ORDER BY column_name) FROM information_schema.columns
                         WHERE table_name = 'lead_inbox' AND is_nullable = 'YES'";
        assert_eq!(psql(&url, nullable), "company,erased_at_utc,meta_json,phone,service");
    }
}

/// UPDATE, DELETE and TRUNCATE in every disguise.
pub async fn the_audit_log_is_append_only(open: Open) {
    let (database, url) = migrated(open).await;
    let new = new_lead();
    database.insert(std::slice::from_ref(&new)).await.expect("written");
    for statement in [
        "UPDATE audit_log SET actor = 'x'",
        "UPDATE audit_log SET actor = 'x' WHERE false",
        "DELETE FROM audit_log",
        "TRUNCATE audit_log",
        "TRUNCATE audit_log, lead_inbox CASCADE",
        "SET session_replication_role = replica; DELETE FROM audit_log",
        "SET session_replication_role = replica; UPDATE audit_log SET actor = 'x'",
        "SET session_replication_role = replica; TRUNCATE audit_log",
        "INSERT INTO audit_log SELECT * FROM audit_log ON CONFLICT (id) DO UPDATE SET actor = 'x'",
        "WITH gone AS (DELETE FROM audit_log RETURNING id) SELECT * FROM gone",
    ] {
        let (is_done, text) = Cluster::shared().try_psql(&url, statement);
        assert!(!is_done && text.contains("append-only"), "{statement}: {text}");
    }
    assert_eq!(database.audit_trail(new.id()).await.expect("audit_trail").len(), 1);
    assert_eq!(database.missing_guards().await.expect("guards"), [""; 0]);
    psql(
        &url,
        "ALTER TABLE audit_log ENABLE TRIGGER audit_log_no_change; DROP TRIGGER audit_log_no_row_change ON audit_log",
    );
    let missing = database.missing_guards().await.expect("guards");
    assert_eq!(missing, ["audit_log_no_change", "audit_log_no_row_change"]);
}

/// 410 for the sender: the person is not made again.
pub async fn a_retry_of_an_erased_lead_is_told_so(open: Open) {
    let (database, url) = migrated(open).await;
    let lead = lead();
    outcome(&database, lead.clone()).await;
    psql(&url, "UPDATE lead_inbox SET erased_at_utc = now(), name = '', email = '', message = ''");
    assert_erased(&database, lead).await;
}

/// `fsync` (off in this cluster), and what a standby is waited for. What a connection of ours can set right, it does.
pub async fn unsafe_settings_are_named(open: Open) {
    let url = Cluster::shared().database();
    let name = url.rsplit('/').next().unwrap_or_default();
    for (synchronous_commit, warning) in
        [("on", None), ("off", None), ("local", None), ("remote_apply", Some("asks for"))]
    {
        psql(&url, &format!("ALTER DATABASE {name} SET synchronous_commit = {synchronous_commit}"));
        let named = open(url.clone()).await.expect("it opens").settings_warnings().await.expect("settings");
        assert!(named[0].starts_with("fsync is off"), "{named:?}");
        assert_eq!(named.len(), 1 + usize::from(warning.is_some()), "{synchronous_commit}: {named:?}");
        assert!(warning.is_none_or(|warning| named[1].contains(warning)), "{named:?}");
    }
}

/// What has the server write leads into its own log.
pub async fn settings_that_log_leads_are_named(open: Open) {
    let url = Cluster::shared().database();
    let name = url.rsplit('/').next().unwrap_or_default();
    for (setting, value, is_named) in [
        ("log_min_duration_statement", "500", true),
        ("log_parameter_max_length", "0", false),
        ("log_parameter_max_length", "64", true),
        ("log_min_duration_statement", "-1", false),
        ("log_statement", "mod", true),
        ("log_statement", "ddl", false),
        ("log_transaction_sample_rate", "0.5", true),
        ("log_transaction_sample_rate", "0", false),
        ("log_min_duration_sample", "0", true),
        ("log_parameter_max_length", "0", false),
    ] {
        psql(&url, &format!("ALTER DATABASE {name} SET {setting} = '{value}'"));
        let named = open(url.clone()).await.expect("it opens").settings_warnings().await.expect("settings");
        let is_there = named.iter().any(|warning| warning.contains("log_parameter_max_length to 0"));
        assert_eq!(is_there, is_named, "{setting} = {value}: {named:?}");
    }
}

/// However far the insert got when its caller went away.
pub async fn a_dropped_insert_leaves_no_open_transaction(open: Open) {
    let (database, url) = migrated(open).await;
    for polls in 0..40 {
        let batch = [new_lead()];
        let insertion = database.insert(&batch);
        let mut left = polls;
        let mut insertion = std::pin::pin!(insertion);
        std::future::poll_fn(|context| {
            left -= 1;
            if left < 0 || insertion.as_mut().poll(context).is_ready() {
                return std::task::Poll::Ready(());
            }
            std::task::Poll::Pending
        })
        .await;
    }
    let open_transactions = "SELECT count(*) FROM pg_stat_activity
                              WHERE datname = current_database() AND state LIKE 'idle in transaction%'";
    assert_eq!(psql(&url, open_transactions), "0");
    let halves = "SELECT (SELECT count(*) FROM lead_inbox) - (SELECT count(*) FROM audit_log)";
    assert_eq!(psql(&url, halves), "0");
    assert_eq!(outcome(&database, lead()).await, Insertion::Inserted);
}

async fn migrated(open: Open) -> (Database, String) {
    let url = Cluster::shared().database();
    let database = open(url.clone()).await.expect("it opens");
    database.migrate().await.expect("it migrates");
    (database, url)
}

async fn adopted(open: Open) -> (Database, String) {
    let url = Cluster::shared().database();
    psql(&url, include_str!("fastapi.sql"));
    let database = open(url.clone()).await.expect("it opens");
    database.migrate().await.expect("it migrates");
    (database, url)
}

async fn find(database: &Database, request_id: &str) -> crate::StoredLead {
    let id: RequestId = request_id.parse().expect("a UUID");
    let row = database.find(id).await.expect("find").expect("the row is there");
    assert_eq!(database.get(row.id).await.expect("get").as_ref(), Some(&row));
    row
}

async fn outcome(database: &Database, lead: crate::Lead) -> Insertion {
    let batch = [NewLead::new(lead, Actor::SITE_INGEST)];
    database.insert(&batch).await.expect("written")[0]
}

fn psql(url: &str, sql: &str) -> String {
    if sql.is_empty() { String::new() } else { Cluster::shared().psql(url, sql) }
}

fn schema(url: &str) -> String {
    let columns = "SELECT table_name, column_name, data_type, character_maximum_length, is_nullable, column_default
                     FROM information_schema.columns WHERE table_schema = 'public' ORDER BY 1, 2";
    let rows = "SELECT * FROM fastcore_leads_migrations ORDER BY version";
    [psql(url, columns), psql(url, rows)].join("\n")
}
