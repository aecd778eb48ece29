//! The conformance suites for stores over a real database: migrations, the audit log's triggers, faults.
//!
//! [`postgres_conformance!`](crate::postgres_conformance) and [`sqlite_conformance!`](crate::sqlite_conformance) make
//! each case a test of its own, on a fresh database.

mod log;
pub mod postgres;
pub mod sqlite;

use std::sync::Arc;

use super::{BoxFuture, Logs, Random, body, lead, new_lead, parse, stores::Store};
use crate::{
    audit::Actor,
    inbox::{InboxExt, LeadFilter, Retention, Target},
    ingest::{Ingest, IngestError},
    lead::{Lead, LeadId},
    store::{Insertion, LeadDatabase, StoreError, StoreErrorKind, StoredLead},
};

/// A database under test.
pub type Database = Arc<dyn LeadDatabase>;
/// Opens the database behind a URL, and migrates nothing.
pub type Open = fn(String) -> BoxFuture<Result<Database, StoreError>>;

/// A personal value that no message may hold.
pub const CANARY: &str = "CANARY-7f3a";

/// Eight that start at once: one migrates, all are ready.
async fn all_migrate(open: Open, url: &str) {
    let mut tasks = tokio::task::JoinSet::new();
    for _ in 0..8 {
        let url = url.to_owned();
        tasks.spawn(async move {
            let database = open(url).await.expect("it opens");
            database.migrate().await.expect("it migrates");
            database.ready().await.expect("it is ready");
        });
    }
    tasks.join_all().await;
}

/// Whatever the schema is, neither leads nor migrations get in, and the caller is told what to do.
async fn assert_mismatch(open: Open, url: &str, reason: &str) {
    let database = open(url.to_owned()).await.expect("it opens");
    for error in [database.migrate().await.expect_err("refused"), database.ready().await.expect_err("refused")] {
        assert_eq!(error.kind(), StoreErrorKind::SchemaMismatch);
        assert!(error.to_string().contains(reason), "{error}");
    }
}

/// A lead in a status of a newer version: on the page, in the counts, and reached by retention.
async fn assert_unknown_status_is_seen(database: &Database, id: LeadId) {
    let page = database.page(&LeadFilter::default(), None, 10).await.expect("page");
    assert!(page.leads.iter().any(|lead| lead.id == id && lead.status == "awaiting_parts"), "not on the page");
    let counts = database.counts().await.expect("counts");
    assert_eq!(counts.last(), Some(&("awaiting_parts".to_owned(), 1)), "not in the counts");
    let retention = Retention { without_contact_days: Some(0), quarantine_days: None };
    let would = database.purge_dry_run(retention).await.expect("purge");
    let report = database.purge(retention, Actor::SITE_INGEST).await.expect("purge");
    assert_eq!((would.without_contact, report.without_contact), (1, 1), "retention does not reach it");
    let lead = database.get(id).await.expect("get").expect("its tombstone");
    assert!(lead.erased_at_utc.is_some(), "not erased");
}

/// What a newer version leaves behind that only added to the tables.
pub const fn sql_of_a_newer_version() -> &'static str {
    "ALTER TABLE lead_inbox ADD COLUMN later integer;
     INSERT INTO fastcore_leads_migrations (version, name, checksum, readable_from) VALUES (1000, 'future', 'x', 3)"
}

async fn assert_still_ready(open: Open, running: &Database, url: &str) {
    let restarted = open(url.to_owned()).await.expect("it opens");
    for database in [running, &restarted] {
        database.ready().await.expect("ready");
        database.migrate().await.expect("nothing to do");
        let new = new_lead();
        assert_eq!(database.insert(std::slice::from_ref(&new)).await.expect("written"), [Insertion::Inserted]);
        assert!(database.get(new.id()).await.expect("get").is_some());
    }
}

/// Of a batch with a row that the database refuses, the others land, and the refusal does not show the row.
pub async fn assert_refused_alone(store: Store, refused: Lead) {
    let batch = [new_lead(), crate::NewLead::new(refused.clone(), crate::Actor::SITE_INGEST), new_lead()];
    let error = store.insert(&batch).await.expect_err("refused");
    assert_eq!(error.kind(), StoreErrorKind::Rejected);
    assert!(!format!("{error} {error:?} {error:#?}").contains(CANARY), "the error shows the row");
    for new in &batch {
        assert!(store.get(new.id()).await.expect("get").is_none(), "nothing of the batch was written");
    }
    assert_one_fails_alone(&Ingest::builder(store).writers(1).start(), &refused).await;
}

/// Many leads at once, of which the database refuses one: the others land.
async fn assert_one_fails_alone(ingest: &Ingest, refused: &Lead) {
    let mut tasks = tokio::task::JoinSet::new();
    for i in 0..64 {
        let (ingest, lead) = (ingest.clone(), if i == 37 { refused.clone() } else { lead() });
        tasks.spawn(async move { (i, ingest.ingest(lead, crate::Actor::SITE_INGEST).await) });
    }
    for (i, result) in tasks.join_all().await {
        assert_eq!(result.err(), (i == 37).then_some(IngestError::Internal));
    }
}

/// A lead whose change, or whose audit row, somebody's trigger keeps out: nothing is changed, and whoever asked is told.
async fn assert_unchanged_by_an_erasure(database: &Database, lead: &StoredLead) {
    let erased = database.erase(Target::Lead(lead.id), Actor::SITE_INGEST, None).await;
    assert!(erased.is_err(), "{erased:?}");
    assert_eq!(database.get(lead.id).await.expect("get").as_ref(), Some(lead));
    assert_eq!(database.audit_trail(lead.id).await.expect("trail").len(), 1);
}

/// A lead that somebody's trigger keeps is no reason to keep the others that are due.
async fn assert_only_others_are_purged(database: &Database, lead: &StoredLead) {
    let others = [new_lead(), new_lead()];
    database.insert(&others).await.expect("written");
    let retention = Retention { without_contact_days: Some(0), quarantine_days: None };
    let purged = database.purge(retention, Actor::SITE_INGEST).await;
    assert!(purged.is_err(), "{purged:?}");
    assert_eq!(database.get(lead.id).await.expect("get").as_ref(), Some(lead));
    for other in others {
        let other = database.get(other.id()).await.expect("get").expect("its tombstone");
        assert!(other.erased_at_utc.is_some(), "kept too");
    }
}

/// Rounds of leads of which some, at random places, hold the [`CANARY`] that the database refuses: they fail, the others
/// land.
async fn assert_poison_fails_alone(database: &Database) {
    let mut random = Random::from_env();
    // Splitting takes many transactions, and disks differ.
    let ingest = Ingest::builder(Arc::clone(database)).deadline(std::time::Duration::from_secs(60)).start();
    let mut refused = body();
    refused["name"] = CANARY.into();
    for _ in 0..10 {
        let leads = 1 + random.below(300);
        let one_in = 2 + random.below(60);
        let is_poison: Vec<bool> = (0..leads).map(|_| random.one_in(one_in)).collect();
        let sent: Vec<Lead> = is_poison
            .iter()
            .map(|&is_poison| {
                refused["meta"]["request_id"] = uuid::Uuid::now_v7().to_string().into();
                if is_poison { parse(&refused) } else { lead() }
            })
            .collect();
        let results = ingest.ingest_many(sent.clone(), crate::Actor::SITE_INGEST).await;
        for ((result, is_poison), lead) in results.into_iter().zip(is_poison).zip(sent) {
            assert_eq!(result.err(), is_poison.then_some(IngestError::Internal));
            let row = database.find(lead.meta().request_id()).await.expect("find");
            assert_eq!(row.is_none(), is_poison);
        }
    }
}

/// A retry of an erased lead is told so.
async fn assert_erased(database: &Database, lead: Lead) {
    let again = crate::NewLead::new(lead, crate::Actor::SITE_INGEST);
    let outcomes = database.insert(&[again]).await.expect("answered");
    assert_eq!(outcomes, [Insertion::Erased]);
}

/// A database that an older version migrated takes leads in and works them, after this version migrated it.
async fn assert_upgraded(database: Database) {
    assert_eq!(database.ready().await.expect_err("not migrated").kind(), StoreErrorKind::SchemaMismatch);
    let old = new_lead();
    database.insert(std::slice::from_ref(&old)).await.expect("the older tables take leads");
    database.migrate().await.expect("migrated");
    database.ready().await.expect("ready");
    let page = database.page(&crate::LeadFilter::default(), None, 10).await.expect("page");
    assert_eq!(page.leads.iter().map(|lead| lead.id).collect::<Vec<_>>(), [old.id()]);
    while database.index(1).await.expect("index") > 0 {}
    let search = old.lead().name().parse().expect("a search");
    let page = database.search(&search, &crate::LeadFilter::default(), None, 10).await.expect("search");
    assert_eq!(page.leads.iter().map(|lead| lead.id).collect::<Vec<_>>(), [old.id()]);
    assert!(page.is_complete);
}

/// Searches that look into many buckets, most of them empty, and at more leads than are looked at at once.
async fn assert_buckets_are_crossed(database: &Database, set_last_place: impl AsyncFn(u64)) {
    let named = |name: &str, service: &str| {
        let mut sent = body();
        sent["name"] = name.into();
        sent["service"] = service.into();
        crate::NewLead::new(parse(&sent), crate::Actor::SITE_INGEST)
    };
    let mut all = Vec::new();
    for (last_place, count) in [(0, 3), (4093, 5), (8189, 600), (500_000, 2), (2_000_000, 3)] {
        set_last_place(last_place).await;
        let leads: Vec<_> = (0..count)
            .map(|i| {
                named(
                    if all.is_empty() && i == 0 { "Zoe Martin" } else { "Jean Martin" },
                    if i % 100 == 1 { "cabines" } else { "ponts" },
                )
            })
            .collect();
        database.insert(&leads).await.expect("insert");
        while database.index(1000).await.expect("index") > 0 {}
        all.extend(leads);
    }
    all.reverse();
    let cabines = LeadFilter { service: Some(crate::Service::Cabines), ..LeadFilter::default() };
    let is_cabine = |new: &&crate::NewLead| new.lead().service() == Some(crate::Service::Cabines);
    let ids = |leads: Vec<&crate::NewLead>| leads.into_iter().map(crate::NewLead::id).collect::<Vec<_>>();
    for (text, filter, expected) in [
        ("mart", LeadFilter::default(), ids(all.iter().collect())),
        ("martin", LeadFilter::default(), ids(all.iter().collect())),
        ("mart", cabines, ids(all.iter().filter(is_cabine).collect())),
        ("zoe martin", LeadFilter::default(), ids(all.iter().rev().take(1).collect())),
        ("nobody", LeadFilter::default(), Vec::new()),
    ] {
        for limit in [3, 256, 1000] {
            let (mut seen, mut after) = (Vec::new(), None);
            loop {
                let search = text.parse().expect("a search");
                let page = database.search(&search, &filter, after, limit).await.expect("search");
                seen.extend(page.leads.iter().map(|lead| lead.id));
                let Some(next) = page.next else { break };
                assert!(after.is_none_or(|after| next < after), "the walk goes on");
                after = Some(next);
            }
            assert!(seen == expected, "{text}, {limit} at once: {} in place of {}", seen.len(), expected.len());
        }
    }
}

/// Somebody whose every member is a canary.
struct Person {
    body: serde_json::Value,
    canaries: Vec<String>,
}

impl Person {
    fn new() -> Self {
        let mut body = body();
        let members = ["name", "company", "phone", "message"];
        let mut canaries: Vec<String> = members.iter().map(|member| format!("{CANARY} {member}")).collect();
        for (member, canary) in members.iter().zip(&mut canaries) {
            if *member == "message" {
                canary.push_str(" que je voudrais dire, ÉTOURNEAU");
            }
            body[*member] = canary.as_str().into();
        }
        let email = format!("{CANARY}-local@{}.example.com", CANARY.to_lowercase());
        let agent = format!("{CANARY}-agent");
        body["email"] = email.as_str().into();
        body["meta"]["user_agent_hash"] = agent.as_str().into();
        // The last is a word of the message as the index has it, which is in no other test.
        canaries.extend([format!("{CANARY}-local"), agent, "etourneau".to_owned()]);
        Self { body, canaries }
    }

    /// Two leads; one is worked on.
    async fn live(&self, database: &Database) {
        let mut sent = self.body.clone();
        let marie = crate::Actor::new("marie").expect("a name");
        for _ in 0..2 {
            sent["meta"]["request_id"] = uuid::Uuid::now_v7().to_string().into();
            let new = crate::NewLead::new(parse(&sent), crate::Actor::SITE_INGEST);
            database.insert(std::slice::from_ref(&new)).await.expect("insert");
            let (seen, to) = (crate::LeadStatus::Received, crate::LeadStatus::Processing);
            let reason = crate::inbox::Reason::new("rappelé").ok();
            database.transition(new.id(), seen, to, marie.clone(), reason).await.expect("moved");
        }
    }

    async fn live_and_be_erased(&self, database: &Database) {
        Logs::global();
        self.live(database).await;
        while database.index(100).await.expect("index") > 0 {}
        // One is erased before it is entered.
        self.live(database).await;
        let email = self.body["email"].as_str().expect("text").to_uppercase();
        let marie = crate::Actor::new("marie").expect("a name");
        let erased = database.erase(Target::Email(email), marie, None).await.expect("erased");
        assert_eq!(erased.len(), 4);
        for id in erased {
            let trail = database.audit_trail(id).await.expect("audit_trail");
            assert!(crate::inbox::LeadState::from_trail(&trail).expect("the trail verifies").is_erased);
        }
        while database.index(100).await.expect("index") > 0 {}
    }

    fn assert_nowhere_in(&self, text: &str) {
        for canary in &self.canaries {
            assert!(!text.contains(canary.as_str()), "{canary} is left");
        }
    }

    fn assert_not_logged(&self) {
        // Texts of statements are no secret; what they are run with is.
        self.assert_nowhere_in(&Logs::global().lines().concat());
    }
}
