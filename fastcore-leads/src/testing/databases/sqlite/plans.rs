//! How the file is read, however large it is.

use super::{Execute, migrated, run};
use crate::{
    LeadFilter,
    inbox::{Cursor, Due, Target, Unless},
    lead::LeadStatus,
    sql::inbox::{Dialect, Statement},
    testing::{TempDir, databases::Open, new_lead},
};

/// However full the table.
pub async fn pages_are_read_from_an_index(open: Open, execute: Execute) {
    let (_, dir) = migrated(open).await;
    let cursor = Cursor { created_at: new_lead().created_at(), id: new_lead().id().as_uuid() };
    let (status, before) = (LeadStatus::Received, cursor.created_at);
    let due = Due {
        status: Some(status),
        before,
        unless: Unless::Contact,
        after: Some(cursor),
        until: Some(cursor),
        limit: 100,
    };
    let by_status = LeadFilter { statuses: vec![LeadStatus::Resolved], ..Default::default() };
    let by_email = |email: &str| LeadFilter { email: Some(email.to_owned()), ..Default::default() };
    let (pages, emails) = ("ix_lead_inbox_status_created_at", "ix_lead_inbox_email");
    for (statement, index) in [
        (Dialect::Sqlite.page(&LeadFilter::default(), Some(cursor), 100), pages),
        (Dialect::Sqlite.page(&by_status, None, 100), pages),
        (Dialect::Sqlite.due(&due), pages),
        (Dialect::Sqlite.find_by_email("500@example.com", 100), emails),
        (Dialect::Sqlite.page(&by_email("500@example.com"), None, 100), emails),
        (Dialect::Sqlite.page(&by_email("500@bücher.example"), None, 100), emails),
    ] {
        assert_reads(execute, &dir, &statement, index).await;
    }
    for statement in Dialect::Sqlite.lock(&Target::Email("500@bücher.example".to_owned())) {
        let plan = assert_reads(execute, &dir, &statement, emails).await;
        assert!(!plan.contains("FOR ORDER BY"), "{plan}");
    }
}

async fn assert_reads(execute: Execute, dir: &TempDir, statement: &Statement, index: &str) -> String {
    let plan = run(execute, dir, &format!("EXPLAIN QUERY PLAN {}", statement.text)).await.join("; ");
    let scans = ["SCAN lead_inbox", "SCAN later", "SCAN audit"];
    assert!(plan.contains(index) && !scans.iter().any(|scan| plan.contains(scan)), "{plan}");
    plan
}

/// However full the table: by the index of words, and then by keys.
pub async fn searches_are_read_from_an_index(open: Open, execute: Execute) {
    let (_, dir) = migrated(open).await;
    let search = "bonjour 4711".parse().expect("a search");
    let ids = [new_lead().id().as_uuid()];
    for (statement, indexes) in [
        (
            Dialect::Sqlite.found(&search, 0..=4, 20_001, 256),
            "lead_words VIRTUAL TABLE INDEX; lead_search USING INTEGER PRIMARY KEY",
        ),
        (Dialect::Sqlite.shown(&ids, &LeadFilter::default()), "lead_inbox USING INDEX sqlite_autoindex_lead_inbox_1"),
    ] {
        let plan = run(execute, &dir, &format!("EXPLAIN QUERY PLAN {}", statement.text)).await.join("; ");
        let scans = ["SCAN lead_inbox", "SCAN lead_search"];
        let is_indexed = indexes.split("; ").all(|index| plan.contains(index));
        assert!(is_indexed && !scans.iter().any(|scan| plan.contains(scan)), "{plan}");
    }
}
