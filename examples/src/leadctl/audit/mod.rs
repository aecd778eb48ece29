//! The audit log and its proofs.

mod witness;

use std::{
    fs,
    io::{IsTerminal, Write},
    path::Path,
    sync::Arc,
};

use fastcore_leads::{
    AuditRecord, LeadDatabase,
    audit::{AUDIT_REDACTED, AUDIT_RESTARTED},
    chrono::Utc,
    inbox::{IdPrefix, Reason},
    proof::{
        Audit, AuditError, Checkpoint, Folder, FolderError, NoteKey, NoteVerifier, Receipt, ReceiptState, Report,
        SealError, SignedNote,
    },
    uuid::Uuid,
};
use fastcore_leads_examples::{keys::read_keys, seals::Seals};
use indicatif::{ProgressBar, ProgressStyle};
use serde_json::{Value, json};

pub(crate) use self::witness::witness;
use crate::{
    dump, find,
    options::{Options, VerifyArguments},
    outcome::{Failure, Outcome, confirm},
    shown,
};

/// Makes a key, or prints what those of a file are verified with.
pub(crate) fn key(name: Option<&str>, of: Option<&Path>) -> Outcome {
    if let Some(file) = of {
        for key in keys(file)? {
            shown::say(key.verifier());
            shown::say(key.cosigner());
        }
        return Ok(());
    }
    let key = NoteKey::generate(name.unwrap_or_default()).map_err(|error| Failure::BadInput(error.to_string()))?;
    shown::say(key.reveal());
    shown::note(format!("what it signs is verified with {}", key.verifier()));
    shown::note(format!("what it cosigns, as a witness, with {}", key.cosigner()));
    Ok(())
}

/// How far the log is sealed.
pub(crate) async fn status(options: &Options, database: &dyn LeadDatabase) -> Outcome {
    let (state, lag) = (database.sealed().await?, database.seal_lag().await?);
    let signed = state.checkpoint.as_deref().and_then(|note| note.parse::<SignedNote>().ok());
    let head = signed.and_then(|note| note.text().parse::<Checkpoint>().ok());
    let row = json!({
        "sealed": state.size,
        "sealed_at": state.sealed_at.map(shown::instant),
        "unsealed": lag.unsealed,
        "oldest_unsealed": lag.oldest.map(shown::instant),
        "origin": head.as_ref().map(|head| &head.origin),
        "signed": head.as_ref().map(|head| head.size),
    });
    let columns = ["origin", "sealed", "signed", "sealed_at", "unsealed", "oldest_unsealed"];
    shown::print(options, &columns, std::slice::from_ref(&row), || row.clone());
    Ok(())
}

/// Seals all there is.
pub(crate) async fn seal(database: Arc<dyn LeadDatabase>, file: &Path, publish: Option<&Path>) -> Outcome {
    let seals = Seals::read(file, publish).map_err(Failure::BadInput)?;
    let size = seals.sealer(database).seal_all().await.map_err(|error| match error {
        SealError::Store(_) | SealError::Folder(FolderError::Io { .. } | FolderError::Missing { .. }) => failed(error),
        _ => Failure::Unsound(error.to_string()),
    })?;
    shown::note(format!("{} sealed and signed", counted(size, "entry", "entries")));
    Ok(())
}

/// Goes through the whole log.
pub(crate) async fn verify(options: &Options, database: &dyn LeadDatabase, asked: &VerifyArguments) -> Outcome {
    let mut audit = Audit::new();
    if let Some(file) = &asked.known {
        audit = audit.known(read_keys::<NoteVerifier>(file).map_err(Failure::BadInput)?);
    }
    for file in &asked.against {
        audit = audit.against(note(file)?);
    }
    if let Some(folder) = &asked.published {
        audit = audit.published(Folder::at(folder));
    }
    let bar = if std::io::stderr().is_terminal() { ProgressBar::no_length() } else { ProgressBar::hidden() };
    if let Ok(style) = ProgressStyle::with_template("{bar:40} {pos} of {len} entries, {per_sec}, {eta} left") {
        bar.set_style(style);
    }
    let report = audit.run(database, |rows, all| {
        bar.set_length(all);
        bar.set_position(rows);
    });
    let report = report.await;
    bar.finish_and_clear();
    let report = report.map_err(|error| match error {
        AuditError::Store(_) | AuditError::Folder(FolderError::Io { .. } | FolderError::Missing { .. }) => {
            failed(error)
        }
        _ => Failure::Unsound(error.to_string()),
    })?;
    tell(options, &report);
    if report.is_sound() {
        return Ok(());
    }
    Err(Failure::Unsound(format!(
        "{} findings: the audit log is not as it was sealed. Change nothing; keep a copy of all of it",
        report.found
    )))
}

fn tell(options: &Options, report: &Report) {
    if options.json {
        let last = report.last.as_ref();
        let last = last.map(|head| json!({"origin": head.origin, "size": head.size, "root": head.root.to_string()}));
        let findings: Vec<_> = report.findings.iter().map(ToString::to_string).collect();
        return shown::say(json!({
            "is_sound": report.is_sound(), "entries": report.rows, "checkpoints": report.checkpoints, "last_checkpoint": last,
            "redacted": report.redacted, "findings": findings, "found": report.found,
        }));
    }
    for finding in &report.findings {
        shown::say(finding);
    }
    let against = match &report.last {
        Some(last) => {
            let checkpoints = counted(report.checkpoints, "checkpoint", "checkpoints");
            format!("checked against {checkpoints}, the last one of {}", counted(last.size, "entry", "entries"))
        }
        None => "checked against no checkpoint: whoever owns the database may have computed all of it anew".to_owned(),
    };
    let entries = counted(report.rows, "entry", "entries");
    shown::say(format!("{entries}, {} of them redacted; {against}", report.redacted.len()));
}

/// Writes a receipt.
pub(crate) async fn prove(database: &dyn LeadDatabase, id: IdPrefix, output: Option<&Path>) -> Outcome {
    let lead = find::lead(database, id).await?;
    let receipt = match Receipt::of(database, lead.id).await? {
        ReceiptState::Sealed(receipt) => receipt.to_string(),
        ReceiptState::NotSealed => {
            let why = "the lead's row is not sealed yet: `leadctl audit status` says how far sealing is";
            return Err(Failure::Refused(why.to_owned()));
        }
        ReceiptState::Redacted => {
            return Err(Failure::Refused("the lead's row was redacted: nothing can be shown of it".to_owned()));
        }
    };
    let mut to = dump::open(output)?;
    to.write_all(receipt.as_bytes()).and_then(|()| to.flush()).map_err(failed)
}

/// Verifies a receipt.
pub(crate) fn check(options: &Options, file: &Path, known: &Path) -> Outcome {
    let known = read_keys::<NoteVerifier>(known).map_err(Failure::BadInput)?;
    let bad = |error: &dyn std::fmt::Display| Failure::BadInput(format!("{}: {error}", file.display()));
    let text = fs::read_to_string(file).map_err(|error| bad(&error))?;
    let receipt: Receipt = text.parse().map_err(|error| bad(&error))?;
    let head = receipt.verify(&known).map_err(|error| Failure::Unsound(format!("{}: {error}", file.display())))?;
    let row: Value = receipt.row().and_then(|row| serde_json::from_str(row).ok()).unwrap_or_default();
    if options.json {
        shown::say(json!({"origin": head.origin, "size": head.size, "index": receipt.index, "row": row}));
    } else {
        shown::say(format!("entry {} of {} in {}: {row}", receipt.index, head.size, head.origin));
    }
    Ok(())
}

/// Removes what a row says of people.
pub(crate) async fn redact(
    options: &Options,
    database: &dyn LeadDatabase,
    row: Uuid,
    reason: &Reason,
    yes: bool,
) -> Outcome {
    let row_id = row.hyphenated().to_string();
    confirm(&format!("Remove what the audit row {row_id} says of people, for ever?"), yes)?;
    let details = json!({"row_id": row_id, "reason": reason.as_str()});
    if database.redact(&row_id, &record(options, AUDIT_REDACTED, details)).await? {
        shown::note("the row was redacted");
        return Ok(());
    }
    Err(Failure::NotFound(format!("no sealed audit row has the id {row_id}")))
}

/// Begins the tree anew.
pub(crate) async fn restart(
    options: &Options,
    database: &dyn LeadDatabase,
    former: Option<&Path>,
    reason: &Reason,
    yes: bool,
) -> Outcome {
    let kept = database.sealed().await?.checkpoint.and_then(|note| note.parse().ok());
    let former = match (former, kept) {
        (Some(file), _) => Some(note(file)?),
        (None, kept) => kept,
    };
    let former = former.map(|note: SignedNote| note.text().parse::<Checkpoint>()).transpose();
    let former = former.map_err(|error| Failure::BadInput(error.to_string()))?;
    let named = former.as_ref();
    let named = named.map(|head| json!({"origin": head.origin, "size": head.size, "root": head.root.to_string()}));
    confirm("Begin the audit log's tree anew? What was signed before will not be continued.", yes)?;
    let details = json!({"former": named, "reason": reason.as_str()});
    let origin = former.as_ref().map(|head| head.origin.as_str());
    database.restart_log(origin, &record(options, AUDIT_RESTARTED, details)).await?;
    shown::note("the log was begun anew: seal it with a key of another name, and publish it to another folder");
    Ok(())
}

fn record(options: &Options, event: &str, details: Value) -> AuditRecord {
    let (id, actor) = (Uuid::now_v7(), options.actor.to_string());
    let now = Utc::now();
    AuditRecord::new(id, now, event.to_owned(), Some(actor), None, id, None, Some(details))
}

/// How many of something.
fn counted(number: u64, one: &str, many: &str) -> String {
    format!("{number} {}", if number == 1 { one } else { many })
}

fn keys(file: &Path) -> Result<Vec<NoteKey>, Failure> {
    read_keys(file).map_err(Failure::BadInput)
}

fn note(file: &Path) -> Result<SignedNote, Failure> {
    let bad = |error: &dyn std::fmt::Display| Failure::BadInput(format!("{}: {error}", file.display()));
    fs::read_to_string(file).map_err(|error| bad(&error))?.parse().map_err(|error| bad(&error))
}

#[allow(clippy::needless_pass_by_value, reason = "for map_err")]
fn failed(error: impl std::fmt::Display) -> Failure {
    Failure::Failed(error.to_string())
}
