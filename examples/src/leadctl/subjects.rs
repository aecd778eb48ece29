//! What a person may ask for, and what the law asks for: export, erasure, purge.

use std::path::Path;

use fastcore_leads::{
    LeadDatabase, LeadId,
    inbox::{InboxExt, Reason, Retention, Target},
};
use serde_json::json;
use uuid::Uuid;

use crate::{
    dump,
    options::{Options, PurgeArguments},
    outcome::{Failure, Outcome, confirm},
    shown,
};

pub(crate) async fn export(
    options: &Options,
    database: &dyn LeadDatabase,
    email: &str,
    output: Option<&Path>,
) -> Outcome {
    if !options.reveal {
        let held = database.find_by_email(email).await?.len();
        return Err(Failure::Refused(format!(
            "leads held on this address: {held}; add --reveal to write them in full"
        )));
    }
    let export = database.export(email).await?;
    let text = serde_json::to_string_pretty(&export).map_err(|error| Failure::Failed(error.to_string()))?;
    let mut file = dump::open(output)?;
    file.write_all(text.as_bytes())
        .and_then(|()| file.write_all(b"\n"))
        .and_then(|()| file.flush())
        .map_err(dump::unwritten)?;
    eprintln!("leads: {}", export.leads.len());
    Ok(())
}

pub(crate) async fn erase(
    options: &Options,
    database: &dyn LeadDatabase,
    subject: &str,
    reason: Option<Reason>,
    yes: bool,
) -> Outcome {
    let target = if subject.contains('@') {
        let held = database.find_by_email(subject).await?.len();
        if held == 0 {
            return Err(Failure::NotFound("nothing is held on this address".to_owned()));
        }
        confirm(&format!("Leads to erase for good: {held}. Go on?"), yes)?;
        Target::Email(subject.to_owned())
    } else {
        let id = Uuid::try_parse(subject)
            .map_err(|_| Failure::BadInput("neither a lead's id nor an email address".to_owned()))?;
        confirm("Erase this lead for good?", yes)?;
        Target::Lead(LeadId::from_uuid(id))
    };
    let erased = database.erase(target, options.actor.clone(), reason).await?;
    if options.json {
        let ids: Vec<_> = erased.iter().map(ToString::to_string).collect();
        shown::say(json!({"erased": ids}));
    } else {
        shown::say(format!("{} erased", erased.len()));
    }
    Ok(())
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
        println!(
            "{word}: {} without contact for {} days, {} in quarantine for {} days",
            report.without_contact, purge.days, report.quarantined, purge.quarantine_days
        );
        if !purge.execute && report.total() > 0 {
            shown::say("nothing was changed: add --execute to erase them");
        }
    }
    Ok(())
}
