//! Reading and moving leads.

use std::{io::Read, time::Duration};

use fastcore_leads::{
    Actor, AuditRecord, LeadDatabase, LeadStatus, StoreError, StoreErrorKind, StoredLead,
    inbox::{IdPrefix, InboxError, InboxExt, Note, Reason},
    outbox::EventType,
};
use serde_json::{Value, json};
use tokio::time::sleep;

use crate::{
    find,
    options::{ListArguments, Options, SearchArguments},
    outcome::{Failure, Outcome},
    shown,
};

/// How many leads are entered into the index of words, or events are looked at, at once.
const AT_ONCE: u32 = 500;
/// More than a note may have.
const MAX_TYPED: u64 = 64 * 1024;
/// How often somebody who watches looks for more.
const POLL: Duration = Duration::from_secs(1);

pub(crate) async fn list(options: &Options, database: &dyn LeadDatabase, list: &ListArguments) -> Outcome {
    let filter = list.filter.filter(options.zone());
    let page = match list.back {
        Some(before) => database.page_before(&filter, before, list.limit).await?,
        None => database.page(&filter, list.after, list.limit).await?,
    };
    noted(options, database, &page.leads).await?;
    let rows = || page.leads.iter().map(|lead| options.disclosure().lead(lead)).collect::<Vec<_>>();
    let [next, previous] = [page.next, page.previous].map(|place| place.map(|place| place.to_string()));
    shown::print_leads(options, &page.leads, || json!({"leads": rows(), "next": next, "previous": previous}));
    if !options.json {
        if let Some(previous) = previous {
            shown::note(format!("newer: --back {previous}"));
        }
        if let Some(next) = next {
            shown::note(format!("older: --after {next}"));
        }
    }
    Ok(())
}

pub(crate) async fn search(options: &Options, database: &dyn LeadDatabase, search: &SearchArguments) -> Outcome {
    // All that was committed is to be found.
    while database.index(AT_ONCE).await? > 0 {}
    let filter = search.filter.filter(options.zone());
    let page = database.search(&search.text, &filter, search.after, search.limit).await?;
    noted(options, database, &page.leads).await?;
    let rows = || page.leads.iter().map(|lead| options.disclosure().lead(lead)).collect::<Vec<_>>();
    let next = page.next.map(|next| next.to_string());
    let as_json = || json!({"leads": rows(), "next": next, "is_complete": page.is_complete});
    shown::print_leads(options, &page.leads, as_json);
    if let (Some(next), false) = (next, options.json) {
        shown::note(format!("there may be more: --after {next}"));
    }
    Ok(())
}

/// Prints leads as they come, in the order of their commits.
pub(crate) async fn watch(options: &Options, database: &dyn LeadDatabase) -> Outcome {
    while database.sequence(AT_ONCE).await? > 0 {}
    let mut after = database.last_sequence().await?;
    let held = database.counts().await?.into_iter().find(|(status, _)| status == LeadStatus::Quarantined.as_str());
    let held = held.filter(|(_, leads)| *leads > 0).map_or_else(String::new, |(status, leads)| {
        format!("; {leads} in quarantine, which are not told of: leadctl list --status {status}")
    });
    shown::note(format!("waiting for leads; interrupt with Ctrl+C{held}"));
    let mut is_away = false;
    while !shown::is_alone() {
        match news(options, database, &mut after).await {
            Ok(true) => {}
            Ok(false) => sleep(POLL).await,
            Err(error) if is_passing(&error) => {
                if !is_away {
                    shown::note(format!("{error}; what comes meanwhile is told afterwards"));
                }
                is_away = true;
                sleep(POLL).await;
                continue;
            }
            Err(error) => return Err(error.into()),
        }
        is_away = false;
    }
    Ok(())
}

/// Prints leads that came since. Returns whether there may be more.
async fn news(options: &Options, database: &dyn LeadDatabase, after: &mut u64) -> Result<bool, StoreError> {
    let is_behind = database.sequence(AT_ONCE).await? > 0;
    let events = database.events(*after, AT_ONCE).await?;
    for event in &events {
        let is_news = matches!(event.event_type, EventType::Received | EventType::Released);
        let lead = if is_news { database.get(event.lead_id).await? } else { None };
        if let Some(lead) = lead {
            if options.reveal {
                database.note_revealed(std::slice::from_ref(&lead), &options.actor).await?;
            }
            if options.json {
                shown::say(options.disclosure().lead(&lead));
            } else {
                shown::say(shown::line(options, &lead));
            }
        }
        *after = event.sequence;
    }
    Ok(is_behind || !events.is_empty())
}

/// Whether the database may take the same question later.
fn is_passing(error: &StoreError) -> bool {
    matches!(error.kind(), StoreErrorKind::Unavailable | StoreErrorKind::TimedOut | StoreErrorKind::Contention)
}

pub(crate) async fn counts(options: &Options, database: &dyn LeadDatabase) -> Outcome {
    let counts = database.counts().await?;
    let rows: Vec<_> = counts.iter().map(|(status, leads)| json!({"status": status, "leads": leads})).collect();
    let as_json = || Value::Object(counts.iter().map(|(s, leads)| (s.clone(), (*leads).into())).collect());
    shown::print(options, &["status", "leads"], &rows, as_json);
    Ok(())
}

pub(crate) async fn show(options: &Options, database: &dyn LeadDatabase, id: IdPrefix) -> Outcome {
    let lead = find::lead(database, id).await?;
    noted(options, database, std::slice::from_ref(&lead)).await?;
    let records: Vec<_> = database.audit_trail(lead.id).await?;
    let trail: Vec<_> = records.iter().map(|record| options.disclosure().record(record)).collect();
    let shown_lead = options.disclosure().lead(&lead);
    if options.json {
        shown::say(json!({"lead": shown_lead, "audit": trail}));
        return Ok(());
    }
    let mut rows = vec![json!({"member": "received", "value": options.zone().second(lead.created_at_utc)})];
    for (member, value) in shown_lead.as_object().into_iter().flatten().filter(|(_, value)| !value.is_null()) {
        rows.push(json!({"member": member, "value": value}));
    }
    shown::print(options, &["member", "value"], &rows, || Value::Null);
    let trail: Vec<_> = records.iter().map(|record| happened(options, record)).collect();
    shown::print(options, &["when", "event", "actor", "details"], &trail, || Value::Null);
    Ok(())
}

fn happened(options: &Options, record: &AuditRecord) -> Value {
    let mut shown = options.disclosure().record(record);
    shown["when"] = options.zone().second(record.created_at).into();
    shown
}

/// Who is shown leads in clear is noted before.
async fn noted(options: &Options, database: &dyn LeadDatabase, leads: &[StoredLead]) -> Outcome {
    if options.reveal {
        database.note_revealed(leads, &options.actor).await?;
    }
    Ok(())
}

pub(crate) async fn transition(
    options: &Options,
    database: &dyn LeadDatabase,
    id: IdPrefix,
    to: LeadStatus,
    seen: Option<LeadStatus>,
    reason: Option<Reason>,
) -> Outcome {
    let lead = find::lead(database, id).await?;
    let now = || lead.status.parse().map_err(|_| InboxError::UnknownStatus);
    let seen = seen.map_or_else(now, Ok)?;
    done(options, database, &database.transition(lead.id, seen, to, options.actor.clone(), reason).await?).await
}

pub(crate) async fn note(options: &Options, database: &dyn LeadDatabase, id: IdPrefix, note: &Note) -> Outcome {
    let id = find::lead(database, id).await?.id;
    let note = if note.as_str() == "-" { typed()? } else { note.clone() };
    done(options, database, &database.add_note(id, note, options.actor.clone()).await?).await
}

/// A note from standard input.
fn typed() -> Result<Note, Failure> {
    let mut text = String::new();
    let read = std::io::stdin().take(MAX_TYPED).read_to_string(&mut text);
    read.map_err(|error| Failure::BadInput(format!("standard input cannot be read: {error}")))?;
    Note::new(&text).map_err(|error| Failure::BadInput(error.to_string()))
}

pub(crate) async fn assign(
    options: &Options,
    database: &dyn LeadDatabase,
    id: IdPrefix,
    to: Option<Actor>,
    reason: Option<Reason>,
) -> Outcome {
    let lead = find::lead(database, id).await?;
    let seen = lead.assignee().and_then(|name| Actor::new(name).ok());
    done(options, database, &database.assign(lead.id, seen, to, options.actor.clone(), reason).await?).await
}

pub(crate) async fn release(
    options: &Options,
    database: &dyn LeadDatabase,
    id: IdPrefix,
    reason: Option<Reason>,
) -> Outcome {
    let id = find::lead(database, id).await?.id;
    done(options, database, &database.release(id, options.actor.clone(), reason).await?).await
}

pub(crate) async fn withdraw_consent(
    options: &Options,
    database: &dyn LeadDatabase,
    id: IdPrefix,
    reason: Option<Reason>,
) -> Outcome {
    let id = find::lead(database, id).await?.id;
    done(options, database, &database.withdraw_consent(id, options.actor.clone(), reason).await?).await
}

/// Shows a lead as it is now.
async fn done(options: &Options, database: &dyn LeadDatabase, lead: &StoredLead) -> Outcome {
    noted(options, database, std::slice::from_ref(lead)).await?;
    shown::print_leads(options, std::slice::from_ref(lead), || options.disclosure().lead(lead));
    Ok(())
}
