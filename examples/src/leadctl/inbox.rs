//! Reading and moving leads.

use fastcore_leads::{
    LeadDatabase, LeadId, LeadStatus, StoredLead,
    inbox::{InboxError, InboxExt, Reason},
};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::{
    options::{ListArguments, Options, SearchArguments},
    outcome::{Failure, Outcome},
    shown,
};

const COLUMNS: [&str; 7] = ["id", "created_at_utc", "status", "name", "email", "service", "source"];

/// How many leads are entered into the index of words at once.
const AT_ONCE: u32 = 500;

pub(crate) async fn list(options: &Options, database: &dyn LeadDatabase, list: &ListArguments) -> Outcome {
    let page = database.page(&list.filter.filter(), list.after, list.limit).await?;
    noted(options, database, &page.leads).await?;
    let rows: Vec<_> = page.leads.iter().map(|lead| options.disclosure().lead(lead)).collect();
    let next = page.next.map(|next| next.to_string());
    shown::print(options, &COLUMNS, &rows, || json!({"leads": rows, "next": next}));
    if let (Some(next), false) = (next, options.json) {
        eprintln!("there are more: --after {next}");
    }
    Ok(())
}

pub(crate) async fn search(options: &Options, database: &dyn LeadDatabase, search: &SearchArguments) -> Outcome {
    // All that was committed is to be found.
    while database.index(AT_ONCE).await? > 0 {}
    let filter = search.filter.filter();
    let page = database.search(&search.text, &filter, search.after, search.limit).await?;
    noted(options, database, &page.leads).await?;
    let rows: Vec<_> = page.leads.iter().map(|lead| options.disclosure().lead(lead)).collect();
    let next = page.next.map(|next| next.to_string());
    shown::print(options, &COLUMNS, &rows, || json!({"leads": rows, "next": next, "is_complete": page.is_complete}));
    if let (Some(next), false) = (next, options.json) {
        eprintln!("there may be more: --after {next}");
    }
    Ok(())
}

pub(crate) async fn counts(options: &Options, database: &dyn LeadDatabase) -> Outcome {
    let counts = database.counts().await?;
    let rows: Vec<_> = counts.iter().map(|(status, leads)| json!({"status": status, "leads": leads})).collect();
    let as_json = || Value::Object(counts.iter().map(|(s, leads)| (s.clone(), (*leads).into())).collect());
    shown::print(options, &["status", "leads"], &rows, as_json);
    Ok(())
}

pub(crate) async fn show(options: &Options, database: &dyn LeadDatabase, id: &Uuid) -> Outcome {
    let found = database.look_up(*id).await?;
    let lead = found.ok_or_else(|| Failure::NotFound("there is no lead and no request with this id".to_owned()))?;
    noted(options, database, std::slice::from_ref(&lead)).await?;
    let trail: Vec<_> = database.audit_trail(lead.id).await?;
    let trail: Vec<_> = trail.iter().map(|record| options.disclosure().record(record)).collect();
    let lead = options.disclosure().lead(&lead);
    if options.json {
        shown::say(json!({"lead": lead, "audit": trail}));
        return Ok(());
    }
    let members: Vec<_> = lead.as_object().into_iter().flatten().collect();
    let rows: Vec<_> = members.iter().map(|(name, value)| json!({"member": name, "value": value})).collect();
    shown::print(options, &["member", "value"], &rows, || Value::Null);
    shown::print(options, &["created_at_utc", "event", "actor", "details"], &trail, || Value::Null);
    Ok(())
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
    id: LeadId,
    to: LeadStatus,
    seen: Option<LeadStatus>,
    reason: Option<Reason>,
) -> Outcome {
    let seen = if let Some(seen) = seen {
        seen
    } else {
        let lead = database.get(id).await?.ok_or(InboxError::NotFound)?;
        lead.status.parse().map_err(|_| InboxError::UnknownStatus)?
    };
    let lead = database.transition(id, seen, to, options.actor.clone(), reason).await?;
    done(options, &lead);
    Ok(())
}

pub(crate) async fn release(
    options: &Options,
    database: &dyn LeadDatabase,
    id: LeadId,
    reason: Option<Reason>,
) -> Outcome {
    done(options, &database.release(id, options.actor.clone(), reason).await?);
    Ok(())
}

pub(crate) async fn withdraw_consent(
    options: &Options,
    database: &dyn LeadDatabase,
    id: LeadId,
    reason: Option<Reason>,
) -> Outcome {
    done(options, &database.withdraw_consent(id, options.actor.clone(), reason).await?);
    Ok(())
}

fn done(options: &Options, lead: &StoredLead) {
    let row = options.disclosure().lead(lead);
    shown::print(options, &COLUMNS, std::slice::from_ref(&row), || row.clone());
}
