//! Leads from a file, through the parser that the endpoint uses.

mod columns;
mod dates;
mod file;
mod json;
mod lines;
mod member;
mod quotes;
mod reading;
mod refused;
mod understood;
mod workbook;

use std::{cell::RefCell, collections::VecDeque, fs::File, io::BufRead, sync::Arc, time::Duration};

use fastcore_leads::{ConsentPolicy, Ingest, Lead, LeadDatabase, NewLead, StoredLead};
use indicatif::{ProgressBar, ProgressStyle};
use serde_json::{Value, json};

pub(crate) use self::{columns::mapping, member::Member};
use self::{
    lines::{Line, Lines},
    refused::Refused,
    understood::Understood,
};
use crate::{
    options::{ImportArguments, Options},
    outcome::{Failure, Outcome},
    shown,
};

/// Nobody waits for a single one of them: what a transaction costs is shared by more leads than at the endpoint.
const MAX_BATCH: usize = 1000;

/// After so many lines in a row that the database did not take, an import stops.
const PATIENCE: usize = 3;

#[derive(Default)]
struct Tally {
    received: u64,
    replayed: u64,
    unavailable_in_a_row: usize,
    is_interrupted: bool,
}

pub(crate) async fn run(options: &Options, database: Arc<dyn LeadDatabase>, import: &ImportArguments) -> Outcome {
    let understood = Understood::of(import).map_err(Failure::BadInput)?;
    if import.check {
        return check(options, &understood);
    }
    if !options.json {
        shown::note(format!("{understood}"));
    }
    let size = File::open(&import.file).and_then(|file| file.metadata()).map_or(0, |file| file.len());
    let progress = ProgressBar::new(size).with_style(bar());
    let watched = progress.clone();
    let mut lines = understood.lines(|file| watched.wrap_read(file)).map_err(Failure::BadInput)?;

    let refused = Refused::new(&import.file, import.refused.as_deref()).map_err(Failure::BadInput)?;
    let refused = RefCell::new(refused);
    let tally = RefCell::new(Tally::default());
    let under_way = RefCell::new(VecDeque::<Line>::new());
    let ingest = Ingest::builder(database)
        .deadline(Duration::from_secs(import.patience))
        .max_batch(MAX_BATCH)
        .keeping_instants()
        .start();
    let leads = std::iter::from_fn(|| {
        loop {
            if tally.borrow().is_interrupted || refused.borrow().has_failed() {
                return None;
            }
            if let Ok((line, lead)) = next_lead(&mut lines, &refused)? {
                under_way.borrow_mut().push_back(line);
                return Some(lead);
            }
        }
    });
    ingest
        .ingest_each(futures_util::stream::iter(leads), options.actor.clone(), |_, result| {
            let Some(line) = under_way.borrow_mut().pop_front() else { return };
            let mut tally = tally.borrow_mut();
            match result {
                Ok(ingested) => {
                    tally.unavailable_in_a_row = 0;
                    *(if ingested.replayed { &mut tally.replayed } else { &mut tally.received }) += 1;
                }
                Err(error) => {
                    tally.unavailable_in_a_row = if error.is_retryable() { tally.unavailable_in_a_row + 1 } else { 0 };
                    tally.is_interrupted |= tally.unavailable_in_a_row >= PATIENCE;
                    refused.borrow_mut().write(&line, &json!([{"code": error.as_str(), "detail": error.to_string()}]));
                }
            }
        })
        .await;
    ingest.shutdown().await;
    progress.finish_and_clear();
    summary(options, &understood, &tally.into_inner(), refused.into_inner(), lines.failure())
}

/// The next line as a lead; `Err` where it was refused, `None` at the end.
fn next_lead<R: BufRead>(lines: &mut Lines<R>, refused: &RefCell<Refused>) -> Option<Result<(Line, Lead), ()>> {
    let line = match lines.next()? {
        Ok(line) => line,
        Err((line, why)) => {
            refused.borrow_mut().write(&line, &json!([{"code": "malformed_body", "detail": why}]));
            return Some(Err(()));
        }
    };
    match Lead::parse(&line.body, ConsentPolicy::Recorded) {
        Ok(lead) => Some(Ok((line, lead))),
        Err(error) => {
            refused.borrow_mut().write(&line, &refused::reasons(&error));
            Some(Err(()))
        }
    }
}

/// What an import would do, and what it understood of the file; nothing is written.
fn check(options: &Options, understood: &Understood<'_>) -> Outcome {
    const SHOWN: usize = 3;
    let mut lines = understood.lines(|file| file).map_err(Failure::BadInput)?;
    let (mut good, mut first, mut refused) = (0_u64, Vec::new(), Vec::new());
    let mut count = 0_u64;
    while let Some(line) = lines.next() {
        let parsed = line
            .map_err(|(line, why)| (line.number, json!([{"code": "malformed_body", "detail": why}])))
            .and_then(|line| {
                let lead = Lead::parse(&line.body, ConsentPolicy::Recorded);
                lead.map(|lead| (line.number, lead)).map_err(|error| (line.number, refused::reasons(&error)))
            });
        match parsed {
            Ok((number, lead)) => {
                good += 1;
                if first.len() < SHOWN {
                    first.push(shown_lead(options, number, lead));
                }
            }
            Err((number, errors)) => {
                count += 1;
                if refused.len() < SHOWN {
                    refused.push(json!({"line": number, "errors": errors}));
                }
            }
        }
    }
    if options.json {
        shown::say(
            json!({"read_as": understood.to_json(), "good": good, "refused": count, "first": first, "first_refused": refused}),
        );
    } else {
        shown::say(format!("{understood}\n{good} would be taken in, {count} refused"));
        shown::print(options, &["line", "name", "email", "phone", "message", "timestamp_utc"], &first, || Value::Null);
        shown::print(options, &["line", "errors"], &refused, || Value::Null);
    }
    match lines.failure() {
        Some(failure) => Err(Failure::BadInput(failure)),
        None if count > 0 => Err(Failure::SomeRefused(format!("lines that would be refused: {count}"))),
        None => Ok(()),
    }
}

fn shown_lead(options: &Options, number: u64, lead: Lead) -> Value {
    let new = NewLead::new(lead, options.actor.clone());
    let at = new.lead().meta().timestamp_utc().to_rfc3339();
    let mut shown = options.disclosure().lead(&StoredLead::from_new(&new));
    shown["line"] = number.into();
    shown["timestamp_utc"] = at.into();
    shown
}

fn summary(
    options: &Options,
    understood: &Understood<'_>,
    tally: &Tally,
    refused: Refused,
    failure: Option<String>,
) -> Outcome {
    let (count, path) = refused.finish();
    if options.json {
        let file = path.as_ref().ok().and_then(Option::as_ref).map(|path| path.display().to_string());
        shown::say(
            json!({"received": tally.received, "replayed": tally.replayed, "refused": count, "refused_file": file,
                   "read_as": understood.to_json()}),
        );
    } else {
        shown::say(format!("{} taken in, {} there already, {count} refused", tally.received, tally.replayed));
    }
    let path = path.map_err(|failure| Failure::Failed(format!("{failure}; the import stopped there")))?;
    if let Some(failure) = failure {
        return Err(Failure::Failed(format!("{failure}; what came before is taken in: run the import again")));
    }
    if tally.is_interrupted {
        let text = "the database takes no leads now: run the import again later, no lead is made twice";
        return Err(Failure::Failed(text.to_owned()));
    }
    match path {
        Some(path) => {
            Err(Failure::SomeRefused(format!("lines refused: {count}; see {} for the reasons", path.display())))
        }
        None => Ok(()),
    }
}

/// Hidden where standard error is no terminal.
fn bar() -> ProgressStyle {
    ProgressStyle::with_template("{bar:40} {percent}% {bytes_per_sec} {eta}")
        .unwrap_or_else(|_| ProgressStyle::default_bar())
}
