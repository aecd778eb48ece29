//! How batches are written, and refused.

use super::{Execute, migrated, run, with_a_trigger};
use crate::{
    inbox::{InboxExt, Target},
    sql::sqlite as sql,
    store::StoreErrorKind,
    testing::{
        body,
        databases::{
            CANARY, Open, assert_only_others_are_purged, assert_poison_fails_alone, assert_refused_alone,
            assert_unchanged_by_an_erasure,
        },
        lead, new_lead, parse,
    },
};

/// A trigger stands in for whatever a table may refuse.
pub async fn a_refused_row_fails_alone_and_is_not_shown(open: Open, execute: Execute) {
    let (database, _dir) = with_a_trigger(open, execute).await;
    let mut refused = body();
    refused["name"] = CANARY.into();
    assert_refused_alone(database, parse(&refused)).await;
}

/// However a trigger of a host's refuses a row, and however it spells the table: some of these keep what the same statement wrote
/// before.
pub async fn no_trigger_parts_a_lead_from_its_audit_row(open: Open, execute: Execute) {
    let (_, dir) = migrated(open).await;
    let parted = "SELECT lead_inbox.id FROM lead_inbox FULL JOIN audit_log ON lead_id = lead_inbox.id
                   WHERE lead_id IS NULL OR lead_inbox.id IS NULL";
    for table in ["lead_inbox", "audit_log", "Lead_Inbox", "AUDIT_LOG"] {
        for refusal in ["ABORT, 'no'", "FAIL, 'no'", "ROLLBACK, 'no'", "IGNORE"] {
            // A store that has seen nothing refused yet.
            let database = open(dir.sqlite_url()).await.expect("it opens");
            let refused = new_lead();
            let trigger = format!(
                "CREATE TRIGGER refusal BEFORE INSERT ON {table} WHEN NEW.id IN ('{}', '{}')
                 BEGIN SELECT RAISE({refusal}); END",
                refused.id(),
                refused.audit_id()
            );
            run(execute, &dir, &trigger).await;
            let result = database.insert(&[new_lead(), refused.clone(), new_lead()]).await;
            assert!(result.is_err(), "{table}, {refusal}: {result:?}");
            run(execute, &dir, "DROP TRIGGER refusal").await;
            assert_eq!(run(execute, &dir, parted).await, [""; 0], "{table}, {refusal}");
            assert_eq!(database.insert(&[refused]).await.expect("written"), [crate::Insertion::Inserted]);
        }
    }
}

/// A lead that a trigger keeps out, or its audit row, without an error: the leads beside it are written.
pub async fn what_a_trigger_keeps_out_is_not_acknowledged(open: Open, execute: Execute) {
    let (database, dir) = migrated(open).await;
    for table in ["lead_inbox", "audit_log"] {
        let kept_out = lead();
        let trigger = format!(
            "CREATE TRIGGER keep_out BEFORE INSERT ON {table} WHEN NEW.request_id = '{}' BEGIN SELECT RAISE(IGNORE); END",
            kept_out.meta().request_id()
        );
        run(execute, &dir, &trigger).await;
        assert_refused_alone(std::sync::Arc::<dyn crate::LeadDatabase>::clone(&database), kept_out.clone()).await;
        run(execute, &dir, "DROP TRIGGER keep_out").await;
        let sent_again = crate::NewLead::new(kept_out, crate::Actor::SITE_INGEST);
        assert_eq!(database.insert(&[sent_again]).await.expect("written"), [crate::Insertion::Inserted]);
    }
}

/// The same of changes, and of who was shown a lead.
pub async fn what_a_trigger_keeps_out_is_not_changed(open: Open, execute: Execute) {
    let (database, dir) = migrated(open).await;
    let new = new_lead();
    database.insert(std::slice::from_ref(&new)).await.expect("written");
    let lead = database.get(new.id()).await.expect("get").expect("it is there");
    for (event, table, column) in [("UPDATE", "lead_inbox", "id"), ("INSERT", "audit_log", "lead_id")] {
        let trigger = format!(
            "CREATE TRIGGER keep_out BEFORE {event} ON {table} WHEN NEW.{column} = '{}' BEGIN SELECT RAISE(IGNORE); END",
            new.id()
        );
        run(execute, &dir, &trigger).await;
        assert_unchanged_by_an_erasure(&database, &lead).await;
        assert_only_others_are_purged(&database, &lead).await;
        if table == "audit_log" {
            let noted = database.note_revealed(std::slice::from_ref(&lead), &crate::Actor::SITE_INGEST).await;
            assert_eq!(noted.expect_err("not noted").kind(), StoreErrorKind::Rejected);
        }
        run(execute, &dir, "DROP TRIGGER keep_out").await;
    }
    let erased = database.erase(Target::Lead(new.id()), crate::Actor::SITE_INGEST, None).await;
    assert_eq!(erased.expect("erased"), [new.id()]);
}

/// Nothing that the migrations make is in the way of the one statement by which most batches are written.
pub async fn a_batch_is_one_statement(open: Open, execute: Execute) {
    let (database, dir) = migrated(open).await;
    let batch = [new_lead(), new_lead()];
    let json = sql::batch_json(&batch).replace('\'', "''");
    let take_in = format!("{}; {}", sql::SET_UP_OWN, sql::TAKE_IN.replace("?1", &format!("'{json}'")));
    let written = "SELECT CAST((SELECT count(*) FROM lead_inbox) + (SELECT count(*) FROM audit_log) AS TEXT)";
    // The second time they are there already. What a setting answers is of no interest, and no text.
    for _ in 0..2 {
        let _ = execute(dir.sqlite_url(), take_in.clone()).await;
        assert_eq!(run(execute, &dir, written).await, ["4"]);
    }
    for new in &batch {
        let stored = database.get(new.id()).await.expect("get").expect("it is there");
        assert_eq!((stored.id, stored.created_at_utc), (new.id(), new.created_at()));
        assert_eq!(stored.answer_to(new), crate::Insertion::Inserted);
    }
}

/// Its one connection is the database.
pub async fn a_database_in_memory_keeps_leads_too(open: Open, _: Execute) {
    let database = open("sqlite::memory:".to_owned()).await.expect("it opens");
    database.migrate().await.expect("migrated");
    let batch = [new_lead(), new_lead()];
    for _ in 0..2 {
        let written = database.insert(&batch).await.expect("written");
        assert_eq!(written, [crate::Insertion::Inserted, crate::Insertion::Inserted], "again: its own rows");
    }
    for new in &batch {
        assert!(database.get(new.id()).await.expect("get").is_some());
        assert_eq!(database.audit_trail(new.id()).await.expect("trail").len(), 1);
    }
}

/// Batches of many, with some that the table refuses.
pub async fn poison_at_random_places_fails_alone(open: Open, execute: Execute) {
    let (database, dir) = with_a_trigger(open, execute).await;
    assert_poison_fails_alone(&database).await;
    let halves = "SELECT CAST((SELECT count(*) FROM lead_inbox) - (SELECT count(*) FROM audit_log) AS TEXT)";
    assert_eq!(run(execute, &dir, halves).await, ["0"]);
}
