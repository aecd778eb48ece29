//! What a person may ask for, and what the law asks for: export, erasure, purge.

use std::{collections::BTreeSet, fs, path::Path};

use chrono::DateTime;
use fastcore_leads::{
    Insertion, LeadDatabase, LeadId, NewLead, StoredLead,
    client::{Spool, SpooledLead},
    inbox::{Disclosure, Erasure, IdPrefix, InboxError, InboxExt, MAX_PAGE, Reason, Retention, Target},
};
use serde::Deserialize;
use serde_json::json;
use uuid::Uuid;

use crate::{
    dump, find,
    options::{Bound, Options, PurgeArguments},
    outcome::{Failure, Outcome, confirm},
    shown, spool,
};

pub(crate) async fn export(
    options: &Options,
    database: &dyn LeadDatabase,
    email: &str,
    output: Option<&Path>,
) -> Outcome {
    let spool = spool_of(options)?;
    let waiting = spool.as_ref().map(|spool| spool::held(spool, email)).transpose()?.map(|held| held.leads);
    if !options.reveal {
        let held = database.find_by_email(email, u32::MAX).await?.len();
        let waiting = waiting.map_or_else(String::new, |waiting| format!(", and in the spool: {}", waiting.len()));
        return Err(Failure::Refused(format!(
            "leads held on this address: {held}{waiting}; add --reveal to write them in full"
        )));
    }
    database.note_subject_exported(email, &options.actor).await?;
    let export = database.export(email).await?;
    let unwritable = |error: serde_json::Error| Failure::Failed(error.to_string());
    let mut document = serde_json::to_value(&export).map_err(unwritable)?;
    if let Some(waiting) = &waiting {
        document["spool"] = waiting.iter().map(spool::in_full).collect();
    }
    let text = serde_json::to_string_pretty(&document).map_err(unwritable)?;
    let mut file = dump::open(output)?;
    file.write_all(text.as_bytes())
        .and_then(|()| file.write_all(b"\n"))
        .and_then(|()| file.flush())
        .map_err(dump::unwritten)?;
    shown::note(format!("leads: {}", export.leads.len() + waiting.map_or(0, |waiting| waiting.len())));
    Ok(())
}

pub(crate) async fn erase(
    options: &Options,
    database: &dyn LeadDatabase,
    subject: &str,
    reason: Option<Reason>,
    yes: bool,
) -> Outcome {
    if subject.contains('@') {
        return erase_person(options, database, subject, reason, yes).await;
    }
    let prefix: IdPrefix = subject
        .parse()
        .map_err(|_| Failure::BadInput("neither a lead's id, nor its first digits, nor an email address".to_owned()))?;
    let lead = find::lead(database, prefix).await?;
    let masked = Disclosure::Masked.lead(&lead);
    let [name, email] = ["name", "email"].map(|member| shown::cell(&masked[member]));
    let received = options.zone().minute(lead.created_at_utc);
    confirm(&format!("Erase the lead of {name} ({email}), received {received}, for good?"), yes)?;
    let erased = database.erase(Target::Lead(lead.id), options.actor.clone(), reason).await?;
    if options.json {
        shown::say(json!({"erased": ids_of(&erased)}));
    } else {
        shown::say(format!("{} erased", erased.len()));
    }
    Ok(())
}

async fn erase_person(
    options: &Options,
    database: &dyn LeadDatabase,
    email: &str,
    reason: Option<Reason>,
    yes: bool,
) -> Outcome {
    let spool = spool_of(options)?;
    let mut held = database.find_by_email(email, u32::MAX).await?;
    let waiting = spool.as_ref().map(|spool| spool::held(spool, email)).transpose()?.unwrap_or_default();
    if held.is_empty() && waiting.leads.is_empty() && waiting.unreadable == 0 {
        return Err(Failure::NotFound("nothing is held on this address".to_owned()));
    }
    let in_spool = if spool.is_some() { format!(", and in the spool: {}", waiting.leads.len()) } else { String::new() };
    confirm(&format!("Leads to erase for good: {}{in_spool}. Go on?", held.len()), yes)?;
    let leads = waiting.leads.iter().filter_map(SpooledLead::lead);
    let leads: Vec<NewLead> = leads.map(|lead| NewLead::new(lead, options.actor.clone())).collect();
    // Before anything is changed.
    held.extend(leads.iter().map(StoredLead::from_new));
    if reason.as_ref().is_some_and(|reason| held.iter().any(|lead| reason.names(lead))) {
        return Err(InboxError::ReasonNamesPerson.into());
    }
    // What waits may be on its way at this moment. Stored first and erased at once, its request id is never stored again, whoever sends it.
    let mut erased = Vec::new();
    for lead in leads {
        // One by one: another lead under its request id is no reason to stop.
        if database.insert(std::slice::from_ref(&lead)).await? == [Insertion::Inserted] {
            erased.extend(database.erase(Target::Lead(lead.id()), options.actor.clone(), reason.clone()).await?);
        }
    }
    let erased_from_spool = spool.as_ref().map(|spool| spool::erase(spool, email)).transpose()?.unwrap_or_default();
    erased.extend(database.erase(Target::Email(email.to_owned()), options.actor.clone(), reason).await?);
    if options.json {
        shown::say(json!({
            "erased": ids_of(&erased),
            "erased_from_spool": erased_from_spool.erased,
            "unreadable_in_spool": erased_from_spool.unreadable,
        }));
    } else {
        let in_spool = spool
            .map_or_else(String::new, |_| format!(", of which {} waited in the spool", erased_from_spool.erased.len()));
        shown::say(format!("{} erased{in_spool}", erased.len()));
    }
    spool::complete(&erased_from_spool)
}

/// Lists what was erased.
pub(crate) async fn erasures(options: &Options, database: &dyn LeadDatabase, since: Option<Bound>) -> Outcome {
    let zone = options.zone();
    let mut after = Erasure::from(since.map_or(DateTime::UNIX_EPOCH, |since| since.start(zone)));
    let mut rows = Vec::new();
    loop {
        let page: Vec<_> = database.erased(after, MAX_PAGE).await?.iter().filter_map(Erasure::of).collect();
        let Some(last) = page.last() else { break };
        after = *last;
        rows.extend(page.iter().map(|erasure| {
            json!({"lead_id": erasure.lead_id.to_string(), "erased_at_utc": shown::instant(erasure.erased_at)})
        }));
    }
    shown::print(options, &["lead_id", "erased_at_utc"], &rows, || json!({"erasures": rows}));
    Ok(())
}

/// Erases what a list of erasures names: what a restored back-up has of it.
pub(crate) async fn erase_again(
    options: &Options,
    database: &dyn LeadDatabase,
    list: &Path,
    reason: Option<Reason>,
    yes: bool,
) -> Outcome {
    let unreadable = |why: &str| Failure::BadInput(format!("{} {why}; nothing was changed", list.display()));
    let text = fs::read_to_string(list).map_err(|error| unreadable(&format!("cannot be read: {error}")))?;
    let listed: Listed = serde_json::from_str(&text)
        .map_err(|_| unreadable("is no list of erasures, as `leadctl --json erasures` writes it"))?;
    let (mut due, mut unknown) = (Vec::new(), 0_u64);
    // Lists of several nights may name a lead twice.
    let ids: BTreeSet<Uuid> = listed.erasures.iter().map(|erasure| erasure.lead_id).collect();
    for id in &ids {
        match database.get(LeadId::from_uuid(*id)).await? {
            Some(lead) if lead.erased_at_utc.is_none() => due.push(lead.id),
            Some(_) => {}
            None => unknown += 1,
        }
    }
    confirm(&format!("Leads to erase for good: {} of {} listed. Go on?", due.len(), ids.len()), yes)?;
    for id in &due {
        database.erase(Target::Lead(*id), options.actor.clone(), reason.clone()).await?;
    }
    let already = ids.len() as u64 - due.len() as u64 - unknown;
    if options.json {
        shown::say(json!({"erased": ids_of(&due), "erased_already": already, "not_there": unknown}));
    } else {
        shown::say(format!("{} erased, {already} erased already, {unknown} not in this database", due.len()));
    }
    Ok(())
}

#[derive(Deserialize)]
struct Listed {
    erasures: Vec<ListedErasure>,
}

#[derive(Deserialize)]
struct ListedErasure {
    lead_id: Uuid,
}

fn ids_of(leads: &[LeadId]) -> Vec<String> {
    leads.iter().map(ToString::to_string).collect()
}

/// The site's spool, where a person's leads may wait; says so where it is not known.
fn spool_of(options: &Options) -> Result<Option<Spool>, Failure> {
    let spool = spool::open(options)?;
    if spool.is_none() {
        shown::note("the site's spool was not looked into: set FASTCORE_SITE_STATE where there is one");
    }
    Ok(spool)
}

pub(crate) async fn purge(options: &Options, database: &dyn LeadDatabase, purge: &PurgeArguments) -> Outcome {
    let retention = Retention { without_contact_days: Some(purge.days), quarantine_days: Some(purge.quarantine_days) };
    if purge.execute && !purge.yes {
        let due = database.purge_dry_run(retention).await?.total();
        if due > 0 {
            confirm(&format!("Leads to erase for good: {due}. Go on?"), false)?;
        }
    }
    let report = if purge.execute {
        database.purge(retention, options.actor.clone()).await?
    } else {
        database.purge_dry_run(retention).await?
    };
    let word = if purge.execute { "erased" } else { "due" };
    if options.json {
        shown::say(json!({word: {"without_contact": report.without_contact, "quarantined": report.quarantined}}));
    } else {
        shown::say(format!(
            "{word}: {} without contact for {} days, {} in quarantine for {} days",
            report.without_contact, purge.days, report.quarantined, purge.quarantine_days
        ));
        if !purge.execute && report.total() > 0 {
            shown::say("nothing was changed: add --execute to erase them");
        }
    }
    Ok(())
}
