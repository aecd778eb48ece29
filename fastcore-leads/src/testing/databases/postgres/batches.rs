//! How batches are written, and refused.

use std::sync::Arc;

use uuid::Uuid;

use super::{migrated, psql};
use crate::{
    audit::Actor,
    inbox::{InboxExt, Target},
    ingest::Ingest,
    store::{Insertion, LeadDatabase, NewLead, StoreErrorKind},
    testing::{
        body,
        databases::{
            CANARY, Open, assert_one_fails_alone, assert_only_others_are_purged, assert_poison_fails_alone,
            assert_refused_alone, assert_unchanged_by_an_erasure,
        },
        lead, new_lead, parse,
    },
};

/// The server says "Failing row contains (...)": nobody may see that.
pub async fn a_refused_row_fails_alone_and_is_not_shown(open: Open) {
    let (database, url) = migrated(open).await;
    psql(&url, &format!("ALTER TABLE lead_inbox ADD CONSTRAINT no_canary CHECK (name <> '{CANARY}')"));
    let mut refused = body();
    refused["name"] = CANARY.into();
    assert_refused_alone(Arc::<dyn LeadDatabase>::clone(&database), parse(&refused)).await;
    psql(
        &url,
        &format!(
            "ALTER TABLE lead_inbox DROP CONSTRAINT no_canary;
             CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS
                 $$ BEGIN RAISE WARNING 'warning %', NEW.name; RAISE EXCEPTION 'refused %', NEW.name; END $$;
             CREATE TRIGGER refuse BEFORE INSERT ON lead_inbox FOR EACH ROW WHEN (NEW.name = '{CANARY}')
                 EXECUTE FUNCTION refuse()"
        ),
    );
    refused["meta"]["request_id"] = Uuid::now_v7().to_string().into();
    assert_refused_alone(database, parse(&refused)).await;
}

/// Batches of many, with some that the server refuses.
pub async fn poison_at_random_places_fails_alone(open: Open) {
    let (database, url) = migrated(open).await;
    psql(&url, &format!("ALTER TABLE lead_inbox ADD CONSTRAINT no_canary CHECK (name <> '{CANARY}')"));
    assert_poison_fails_alone(&database).await;
    let counts = "SELECT (SELECT count(*) FROM lead_inbox) - (SELECT count(*) FROM audit_log)";
    assert_eq!(psql(&url, counts), "0");
}

/// A trigger of a host's that keeps a lead or its audit row out, or gives the lead another id, without an error: nobody is told that the
/// lead is there, neither is written without the other, however large the batch is, and the leads beside it are written.
pub async fn what_a_trigger_keeps_out_is_not_acknowledged(open: Open) {
    let (database, url) = migrated(open).await;
    psql(
        &url,
        "CREATE FUNCTION keep_out() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END';
         CREATE FUNCTION rename() RETURNS trigger LANGUAGE plpgsql AS
             'BEGIN NEW.id := gen_random_uuid(); RETURN NEW; END'",
    );
    for (table, function) in [("lead_inbox", "keep_out"), ("audit_log", "keep_out"), ("lead_inbox", "rename")] {
        let kept_out = lead();
        psql(
            &url,
            &format!(
                "CREATE TRIGGER keep_out BEFORE INSERT ON {table} FOR EACH ROW
                 WHEN (NEW.request_id = '{}') EXECUTE FUNCTION {function}()",
                kept_out.meta().request_id()
            ),
        );
        for others in [0, 40] {
            let mut batch: Vec<_> = (0..others).map(|_| new_lead()).collect();
            batch.push(NewLead::new(kept_out.clone(), Actor::SITE_INGEST));
            let refused = database.insert(&batch).await.expect_err("one is not there");
            assert_eq!(refused.kind(), StoreErrorKind::Rejected, "{table}, {function}: {refused}");
        }
        let ingest = Ingest::builder(Arc::clone(&database)).writers(1).start();
        assert_one_fails_alone(&ingest, &kept_out).await;
        let halves = "SELECT count(*) FROM lead_inbox FULL JOIN audit_log ON lead_id = lead_inbox.id
                       WHERE lead_id IS NULL OR lead_inbox.id IS NULL";
        assert_eq!(psql(&url, halves), "0", "{table}, {function}");
        psql(&url, &format!("DROP TRIGGER keep_out ON {table}"));
        assert_eq!(
            database.insert(&[NewLead::new(kept_out, Actor::SITE_INGEST)]).await.expect("ok"),
            [Insertion::Inserted]
        );
    }
}

/// The same of changes, and of who was shown a lead.
pub async fn what_a_trigger_keeps_out_is_not_changed(open: Open) {
    let (database, url) = migrated(open).await;
    psql(&url, "CREATE FUNCTION keep_out() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END'");
    let new = new_lead();
    database.insert(std::slice::from_ref(&new)).await.expect("written");
    let lead = database.get(new.id()).await.expect("get").expect("it is there");
    for (event, table, column) in [("UPDATE", "lead_inbox", "id"), ("INSERT", "audit_log", "lead_id")] {
        psql(
            &url,
            &format!(
                "CREATE TRIGGER keep_out BEFORE {event} ON {table} FOR EACH ROW WHEN (NEW.{column} = '{}')
                 EXECUTE FUNCTION keep_out()",
                new.id()
            ),
        );
        assert_unchanged_by_an_erasure(&database, &lead).await;
        assert_only_others_are_purged(&database, &lead).await;
        if table == "audit_log" {
            let noted = database.note_revealed(std::slice::from_ref(&lead), &Actor::SITE_INGEST).await;
            assert_eq!(noted.expect_err("not noted").kind(), StoreErrorKind::Rejected);
        }
        psql(&url, &format!("DROP TRIGGER keep_out ON {table}"));
    }
    let erased = database.erase(Target::Lead(new.id()), Actor::SITE_INGEST, None).await;
    assert_eq!(erased.expect("erased"), [new.id()]);
}

/// A constraint of a host's that is checked at the commit, behind the row in which the statement answers.
pub async fn what_fails_at_the_commit_is_not_acknowledged(open: Open) {
    let (database, url) = migrated(open).await;
    for table in ["lead_inbox", "audit_log"] {
        let refused = lead();
        psql(
            &url,
            &format!(
                "CREATE OR REPLACE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS
                     $$ BEGIN RAISE EXCEPTION 'refused'; END $$;
                 CREATE CONSTRAINT TRIGGER refuse AFTER INSERT ON {table} DEFERRABLE INITIALLY DEFERRED FOR EACH ROW
                     WHEN (NEW.request_id = '{}') EXECUTE FUNCTION refuse()",
                refused.meta().request_id()
            ),
        );
        for others in [0, 40] {
            let mut batch: Vec<_> = (0..others).map(|_| new_lead()).collect();
            batch.push(NewLead::new(refused.clone(), Actor::SITE_INGEST));
            let result = database.insert(&batch).await;
            assert!(result.is_err(), "{table}, beside {others}: acknowledged, and not there");
        }
        assert_refused_alone(Arc::<dyn LeadDatabase>::clone(&database), refused).await;
        psql(&url, &format!("DROP TRIGGER refuse ON {table}"));
    }
}
