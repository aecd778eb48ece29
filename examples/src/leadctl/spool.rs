//! Leads that wait on this disk for FASTCore: the site's spool.

use std::path::PathBuf;

use fastcore_leads::{
    client::{Spool, SpoolErasure, SpoolKeys, SpoolOptions, SpooledLead, Unreadable},
    inbox::IdPrefix,
    mask_email,
};
use serde_json::{Value, json};

use crate::{
    options::{Options, SpoolCommand},
    outcome::{Failure, Outcome, confirm},
    shown,
};

const COLUMNS: [&str; 4] = ["request_id", "place", "sent_at", "email"];

pub(crate) fn run(options: &Options, command: &SpoolCommand) -> Outcome {
    let spool = open(options)?.ok_or_else(|| {
        Failure::BadInput(
            "FASTCORE_SITE_STATE is not set: give --site-state, the folder that the spool is in".to_owned(),
        )
    })?;
    match command {
        SpoolCommand::List { limit } => list(options, &spool, *limit as usize),
        SpoolCommand::Find { email } => find(options, &spool, email),
        SpoolCommand::Show { request_id } => show(options, &spool, *request_id),
        SpoolCommand::Erase { email, yes } => {
            let held = held(&spool, email)?;
            if held.leads.is_empty() && held.unreadable == 0 {
                return Err(Failure::NotFound("nothing is held on this address in the spool".to_owned()));
            }
            confirm(&format!("Leads to erase from the spool for good: {}. Go on?", held.leads.len()), *yes)?;
            let erasure = erase(&spool, email)?;
            if options.json {
                shown::say(json!({"erased": erasure.erased, "unreadable": erasure.unreadable}));
            } else {
                shown::say(format!("{} erased", erasure.erased.len()));
            }
            complete(&erasure)
        }
        SpoolCommand::Retry { request_id } => {
            let chosen = request_id.map(|prefix| of_prefix(&spool, prefix)).transpose()?;
            let waiting = spool.retry(chosen.map(|lead| lead.request_id())).map_err(failed)?;
            if waiting == 0 && request_id.is_some() {
                return Err(Failure::NotFound("this lead was not put aside, or it cannot be read".to_owned()));
            }
            shown::say(if options.json {
                json!({"waiting": waiting}).to_string()
            } else {
                format!("{waiting} wait again")
            });
            Ok(())
        }
    }
}

/// The spool of the site's folder, where that is known; its folder stays as it is.
pub(crate) fn open(options: &Options) -> Result<Option<Spool>, Failure> {
    let Some(state) = &options.site_state else { return Ok(None) };
    let folder: PathBuf = state.join("spool");
    if !folder.is_dir() {
        return Err(Failure::BadInput(format!("{} is not there: is FASTCORE_SITE_STATE right?", folder.display())));
    }
    let mut spool = SpoolOptions::new();
    if let Some(path) = &options.site_spool_keys {
        let keys = SpoolKeys::from_file(path);
        spool = spool.keys(keys.map_err(|error| Failure::BadInput(format!("{}: {error}", path.display())))?);
    }
    let opened = Spool::open(&folder, spool);
    opened.map(Some).map_err(|error| Failure::Failed(format!("{}: {error}", folder.display())))
}

/// Says so where something could not be read: the person may be there still.
pub(crate) fn complete(erasure: &SpoolErasure) -> Outcome {
    if erasure.unreadable == 0 {
        return Ok(());
    }
    Err(Failure::Failed(format!(
        "files of the spool that cannot be read, and may be of this address: {}; give their key with --site-spool-keys and erase again, \
         or look at them and delete them",
        erasure.unreadable
    )))
}

/// Leads of an address, and how many files cannot be read.
#[derive(Default)]
pub(crate) struct Held {
    pub(crate) leads: Vec<SpooledLead>,
    pub(crate) unreadable: usize,
}

pub(crate) fn held(spool: &Spool, email: &str) -> Result<Held, Failure> {
    let mut held = Held { leads: Vec::new(), unreadable: 0 };
    for lead in spool.leads().map_err(failed)? {
        match lead {
            Ok(lead) if lead.is_of(email) => held.leads.push(lead),
            Ok(_) => {}
            Err(Unreadable { .. }) => held.unreadable += 1,
        }
    }
    if held.unreadable > 0 {
        shown::note(format!(
            "files of the spool that cannot be read, which may be of this address too: {}",
            held.unreadable
        ));
    }
    Ok(held)
}

/// Erases an address from the spool. What was on its way may be in FASTCore afterwards.
pub(crate) fn erase(spool: &Spool, email: &str) -> Result<SpoolErasure, Failure> {
    spool.erase(email).map_err(failed)
}

/// A lead of the spool, in full.
pub(crate) fn in_full(lead: &SpooledLead) -> Value {
    let mut row = row(lead, true);
    row["body"] = serde_json::from_slice(lead.body()).unwrap_or_default();
    row
}

fn list(options: &Options, spool: &Spool, limit: usize) -> Outcome {
    let mut rows = Vec::new();
    let mut leads = 0;
    for lead in spool.leads().map_err(failed)? {
        leads += 1;
        if rows.len() < limit {
            rows.push(match lead {
                Ok(lead) => row(&lead, options.reveal),
                Err(unreadable) => json!({"file": unreadable.file, "request_id": unreadable.file,
                    "place": format!("{}, cannot be read", unreadable.place)}),
            });
        }
    }
    shown::print(options, &COLUMNS, &rows, || json!({"leads": rows, "count": leads}));
    if !options.json {
        shown::note(format!("leads: {leads}{}", if leads > rows.len() { "; add --limit to see more" } else { "" }));
    }
    Ok(())
}

fn find(options: &Options, spool: &Spool, email: &str) -> Outcome {
    let held = held(spool, email)?;
    if held.leads.is_empty() {
        return Err(Failure::NotFound("nothing is held on this address in the spool".to_owned()));
    }
    let rows: Vec<_> = held.leads.iter().map(|lead| row(lead, options.reveal)).collect();
    shown::print(options, &COLUMNS, &rows, || json!({"leads": rows, "unreadable": held.unreadable}));
    Ok(())
}

/// The one lead of the spool whose request id begins so.
fn of_prefix(spool: &Spool, prefix: IdPrefix) -> Result<SpooledLead, Failure> {
    let (first, last) = prefix.range();
    let leads = spool.leads().map_err(failed)?.filter_map(Result::ok);
    let mut leads = leads.filter(|lead| (first..=last).contains(&lead.request_id().as_uuid()));
    let none = || Failure::NotFound("no lead whose request id begins so is in the spool".to_owned());
    let lead = leads.next().ok_or_else(none)?;
    match leads.find(|other| other.request_id() != lead.request_id()) {
        None => Ok(lead),
        Some(other) => {
            let ids = format!("{} or {}", lead.request_id(), other.request_id());
            Err(Failure::BadInput(format!("several leads begin so: say more digits, of {ids}")))
        }
    }
}

fn show(options: &Options, spool: &Spool, prefix: IdPrefix) -> Outcome {
    let lead = of_prefix(spool, prefix)?;
    let shown = if options.reveal { in_full(&lead) } else { row(&lead, false) };
    let members: Vec<_> = shown.as_object().into_iter().flatten().collect();
    let rows: Vec<_> = members.iter().map(|(name, value)| json!({"member": name, "value": value})).collect();
    shown::print(options, &["member", "value"], &rows, || shown.clone());
    Ok(())
}

fn row(lead: &SpooledLead, reveal: bool) -> Value {
    json!({
        "request_id": lead.request_id().to_string(),
        "place": lead.place().to_string(),
        "sent_at": shown::instant(lead.sent_at()),
        "email": if reveal { lead.email().to_owned() } else { mask_email(lead.email()) },
    })
}

#[allow(clippy::needless_pass_by_value, reason = "for map_err")]
fn failed(error: std::io::Error) -> Failure {
    if error.kind() == std::io::ErrorKind::TimedOut {
        return Failure::Failed("whoever delivers the spool's leads does not let go of it; try again".to_owned());
    }
    Failure::Failed(format!("the spool: {error}"))
}
