//! Leads from a file, through the parser that the endpoint uses.

mod lines;
mod refused;

use std::{cell::RefCell, collections::VecDeque, fs::File, io::BufReader, sync::Arc};

use fastcore_leads::{Ingest, Lead, LeadDatabase, inbox::SheetFormat};
use indicatif::{ProgressBar, ProgressStyle};
use serde_json::json;

use self::{
    lines::{Line, Lines},
    refused::Refused,
};
use crate::{
    options::{ImportArguments, Options},
    outcome::{Failure, Outcome},
    shown,
};

/// The members of the endpoint's body: the name of the column, and the way to the member.
pub(crate) const MEMBERS: &[(&str, &[&str])] = &[
    ("name", &["name"]),
    ("email", &["email"]),
    ("phone", &["phone"]),
    ("company", &["company"]),
    ("service", &["service"]),
    ("message", &["message"]),
    ("consent", &["consent"]),
    ("source", &["meta", "source"]),
    ("request_id", &["meta", "request_id"]),
    ("ip_hash", &["meta", "ip_hash"]),
    ("user_agent_hash", &["meta", "user_agent_hash"]),
    ("timestamp_utc", &["meta", "timestamp_utc"]),
    ("consent.version", &["meta", "consent", "version"]),
    ("consent.locale", &["meta", "consent", "locale"]),
    ("consent.given_at", &["meta", "consent", "given_at"]),
    ("suspicion", &["meta", "suspicion"]),
];

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
    let name = import.file.display();
    let unreadable = |error: std::io::Error| Failure::BadInput(format!("{name} cannot be read: {error}"));
    let format = import.format.or_else(|| by_ending(import)).ok_or_else(|| {
        Failure::BadInput(format!("{name} ends neither in .csv nor in .jsonl: say --format csv or --format jsonl"))
    })?;
    let file = File::open(&import.file).map_err(unreadable)?;
    let size = file.metadata().map_err(unreadable)?.len();
    let progress = ProgressBar::new(size).with_style(bar());
    let reader = BufReader::with_capacity(256 * 1024, progress.wrap_read(file));
    let mut lines = Lines::open(reader, format).map_err(Failure::BadInput)?;

    let refused = Refused::new(&import.file, import.refused.as_deref()).map_err(Failure::BadInput)?;
    let refused = RefCell::new(refused);
    let tally = RefCell::new(Tally::default());
    let under_way = RefCell::new(VecDeque::<Line>::new());
    let ingest = Ingest::builder(database).start();
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
    summary(options, &tally.into_inner(), refused.into_inner(), lines.failure())
}

/// The next line as a lead; `Err` where it was refused, `None` at the end.
fn next_lead<R: std::io::BufRead>(
    lines: &mut Lines<R>,
    refused: &RefCell<Refused>,
) -> Option<Result<(Line, Lead), ()>> {
    let line = match lines.next()? {
        Ok(line) => line,
        Err((line, why)) => {
            refused.borrow_mut().write(&line, &json!([{"code": "malformed_body", "detail": why}]));
            return Some(Err(()));
        }
    };
    match Lead::parse(&line.body, fastcore_leads::ConsentPolicy::Recorded) {
        Ok(lead) => Some(Ok((line, lead))),
        Err(error) => {
            refused.borrow_mut().write(&line, &refused::reasons(&error));
            Some(Err(()))
        }
    }
}

fn summary(options: &Options, tally: &Tally, refused: Refused, failure: Option<String>) -> Outcome {
    let (count, path) = refused.finish();
    if options.json {
        let file = path.as_ref().ok().and_then(Option::as_ref).map(|path| path.display().to_string());
        shown::say(
            json!({"received": tally.received, "replayed": tally.replayed, "refused": count, "refused_file": file}),
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

fn by_ending(import: &ImportArguments) -> Option<SheetFormat> {
    match import.file.extension()?.to_str()?.to_ascii_lowercase().as_str() {
        "csv" => Some(SheetFormat::Csv),
        "jsonl" | "ndjson" | "json" => Some(SheetFormat::Jsonl),
        _ => None,
    }
}

/// Hidden where standard error is no terminal.
fn bar() -> ProgressStyle {
    ProgressStyle::with_template("{bar:40} {percent}% {bytes_per_sec} {eta}")
        .unwrap_or_else(|_| ProgressStyle::default_bar())
}
