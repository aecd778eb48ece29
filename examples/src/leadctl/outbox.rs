//! Who is told of leads: what waits, what was given up, and trying it out.

use std::{path::Path, sync::Arc, time::Duration};

use fastcore_leads::{
    LeadDatabase, LeadId, StoredLead,
    chrono::Utc,
    outbox::{
        AttemptOutcome, CheckpointDelivery, Delivery, DeliveryFilter, DeliveryRecord, DeliveryState, DestinationStatus,
        Event, EventType, Message, Place, SigningKey, Subject,
    },
    uuid::Uuid,
};
use fastcore_leads_examples::destinations;
use serde_json::{Value, json};
use tokio::{signal, time::sleep};

use crate::{
    find,
    options::{DeliveryArguments, Options},
    outcome::{Failure, Outcome, confirm},
    shown,
};

/// Events of one look-up.
const PAGE: u32 = 500;
/// How often new rows are numbered between two of them.
const PASSES: usize = 16;
/// How often somebody who follows looks for more.
const POLL: Duration = Duration::from_millis(500);

/// Tells others until it is told to stop.
pub(crate) async fn dispatch(database: Arc<dyn LeadDatabase>, file: &Path) -> Outcome {
    let told = destinations::read(file).map_err(Failure::BadInput)?;
    shown::note(format!("others are told of leads until this is interrupted: {}", told.names()));
    let dispatcher = told.dispatcher(database).start();
    let mut terminate = signal::unix::signal(signal::unix::SignalKind::terminate())
        .map_err(|error| Failure::Failed(error.to_string()))?;
    tokio::select! {
        _ = signal::ctrl_c() => {}
        _ = terminate.recv() => {}
    }
    dispatcher.shutdown().await;
    Ok(())
}

/// Prints events, a line of JSON each.
pub(crate) async fn events(database: &dyn LeadDatabase, after: u64, follow: bool) -> Outcome {
    let mut after = after;
    loop {
        // Not until nothing is left: while leads come, something always is.
        let mut numbered = PAGE;
        for _ in 0..PASSES {
            if numbered >= PAGE {
                numbered = database.sequence(PAGE).await?;
            }
        }
        let events = database.events(after, PAGE).await?;
        for event in &events {
            after = event.sequence;
            shown::say(event_json(event));
        }
        match events.is_empty() {
            _ if shown::is_alone() => return Ok(()),
            true if numbered >= PAGE => {}
            true if !follow => return Ok(()),
            true => sleep(POLL).await,
            false => {}
        }
    }
}

/// How each destination stands.
pub(crate) async fn destinations(options: &Options, database: &dyn LeadDatabase) -> Outcome {
    let now = Utc::now();
    let rows: Vec<_> = database
        .destinations()
        .await?
        .into_iter()
        .map(|status| {
            json!({
                "destination": status.destination,
                "due": status.due,
                "dead": status.dead,
                "behind_seconds": status.oldest_due.map_or(0, |at| (now - at).num_seconds().max(0)),
                "paused_at": status.paused_at.map(shown::instant),
                "position": status.position,
            })
        })
        .collect();
    let columns = ["destination", "due", "dead", "behind_seconds", "paused_at", "position"];
    shown::print(options, &columns, &rows, || json!({"destinations": rows}));
    Ok(())
}

/// Lists deliveries.
pub(crate) async fn deliveries(
    options: &Options,
    database: &dyn LeadDatabase,
    list: &DeliveryArguments,
    limit: u32,
) -> Outcome {
    let filter = filter(options, database, list).await?;
    let records = database.deliveries(&filter, None, limit).await?;
    let rows: Vec<_> = records.iter().map(record_json).collect();
    let columns = ["sequence", "destination", "event", "lead_id", "state", "attempts", "last_status", "due_at"];
    shown::print(options, &columns, &rows, || json!({"deliveries": rows}));
    Ok(())
}

async fn filter(
    options: &Options,
    database: &dyn LeadDatabase,
    chosen: &DeliveryArguments,
) -> Result<DeliveryFilter, Failure> {
    let lead = match chosen.lead {
        Some(prefix) => Some(find::lead(database, prefix).await?.id),
        None => None,
    };
    Ok(chosen.filter(lead, options.zone()))
}

/// Makes deliveries due again.
pub(crate) async fn replay(
    options: &Options,
    database: &dyn LeadDatabase,
    chosen: &DeliveryArguments,
    dry_run: bool,
) -> Outcome {
    let filter = filter(options, database, chosen).await?;
    let replayed = if dry_run {
        let (mut count, mut after) = (0_u64, None::<(u64, String)>);
        loop {
            let place = after.as_ref().map(|(sequence, name)| (*sequence, name.as_str()));
            let records = database.deliveries(&filter, place, PAGE).await?;
            let Some(last) = records.last() else { break };
            after = Some((last.event.sequence, last.destination.clone()));
            count += records.iter().map(|record| u64::from(record.state != DeliveryState::Due)).sum::<u64>();
        }
        count
    } else {
        database.replay(&filter).await?
    };
    if options.json {
        shown::say(json!({"deliveries": replayed, "dry_run": dry_run}));
    } else if dry_run {
        shown::say(format!("{replayed} deliveries would be sent again"));
    } else {
        shown::say(format!("{replayed} deliveries are sent again"));
    }
    Ok(())
}

/// Stops sending to a destination, or goes on.
pub(crate) async fn pause(database: &dyn LeadDatabase, destination: &str, is_paused: bool) -> Outcome {
    if database.pause(destination, is_paused).await? {
        return Ok(());
    }
    status_of(database, destination).await?;
    Err(Failure::Refused(if is_paused { "it is paused already" } else { "it is not paused" }.to_owned()))
}

/// Forgets a destination, with what waits for it.
pub(crate) async fn forget(database: &dyn LeadDatabase, destination: &str, yes: bool) -> Outcome {
    let DestinationStatus { due, dead, .. } = status_of(database, destination).await?;
    confirm(
        &format!("Deliveries to {destination} that are never made: {due} due, {dead} given up. Forget them for good?"),
        yes,
    )?;
    database.unsubscribe(destination).await?;
    Ok(())
}

async fn status_of(database: &dyn LeadDatabase, destination: &str) -> Result<DestinationStatus, Failure> {
    let known = database.destinations().await?.into_iter().find(|status| status.destination == destination);
    known.ok_or_else(|| Failure::NotFound("no destination of this name was ever told of anything".to_owned()))
}

/// Sends a sample to a destination, and says what came of it. Needs no database.
pub(crate) async fn try_out(file: &Path, name: &str) -> Outcome {
    let told = destinations::read(file).map_err(Failure::BadInput)?;
    let destination = told
        .destinations
        .iter()
        .find(|destination| destination.name() == name)
        .ok_or_else(|| Failure::NotFound(format!("{} names no destination {name:?}", file.display())))?;
    let attempt = if destination.is_of_checkpoints() {
        destination.send_checkpoint(&sample_checkpoint(name)).await
    } else {
        destination.send(&sample(name)).await
    };
    let answer = attempt.status.map_or_else(|| "no answer came".to_owned(), |status| format!("it answered {status}"));
    match attempt.outcome {
        AttemptOutcome::Delivered => {
            shown::say(format!("delivered: {answer}"));
            Ok(())
        }
        AttemptOutcome::Gone | AttemptOutcome::Failed => Err(Failure::Failed(format!(
            "not delivered: {answer}. A receiver in a private network has to be allowed, by allow_networks"
        ))),
    }
}

/// A checkpoint of no log, which nobody signed.
fn sample_checkpoint(destination: &str) -> CheckpointDelivery {
    let checkpoint = "This is a test: nobody signed this checkpoint.\n0\n".to_owned();
    CheckpointDelivery { destination: destination.to_owned(), size: 0, checkpoint, attempt: 1, claim: 1 }
}

/// A lead that nobody sent, under a sequence number that none has.
fn sample(destination: &str) -> Message {
    let now = Utc::now();
    let lead_id = LeadId::from_uuid(Uuid::now_v7());
    let event = Event {
        sequence: 0,
        audit_id: Uuid::now_v7(),
        event_type: EventType::Received,
        lead_id,
        occurred_at: now,
        from: None,
        to: None,
    };
    let delivery = Delivery {
        destination: destination.to_owned(),
        event,
        attempt: 1,
        claim: 1,
        place: Place { due_at: now, sequence: 0 },
    };
    let lead = StoredLead {
        id: lead_id,
        created_at_utc: now,
        name: "Test".to_owned(),
        email: "test@example.com".to_owned(),
        phone: None,
        company: None,
        service: None,
        message: "This is a test: nobody sent this lead.".to_owned(),
        consent: true,
        source: "test".to_owned(),
        request_id: Uuid::now_v7(),
        ip_hash: String::new(),
        meta_json: None,
        status: "received".to_owned(),
        erased_at_utc: None,
    };
    Message { delivery, subject: Subject { lead, earlier_leads: 0 } }
}

/// Makes a key. Standard output has it alone; what receivers verify with goes to standard error.
pub(crate) fn key(is_private: bool) -> Outcome {
    let key = if is_private { SigningKey::generate_private_key() } else { SigningKey::generate_secret() };
    let key = key.map_err(|error| Failure::Failed(error.to_string()))?;
    shown::say(key.reveal());
    if is_private {
        shown::note(format!("receivers verify with {}", key.verifying_key().reveal()));
    }
    Ok(())
}

fn event_json(event: &Event) -> Value {
    let mut shown = json!({
        "sequence": event.sequence,
        "type": event.event_type.as_str(),
        "timestamp": shown::instant(event.occurred_at),
        "lead_id": event.lead_id.to_string(),
    });
    if let (Some(from), Some(to)) = (&event.from, &event.to) {
        shown["moved"] = json!({"from": from, "to": to});
    }
    shown
}

fn record_json(record: &DeliveryRecord) -> Value {
    json!({
        "sequence": record.event.sequence,
        "destination": record.destination,
        "event": record.event.event_type.as_str(),
        "lead_id": record.event.lead_id.to_string(),
        "state": record.state.as_str(),
        "attempts": record.attempts,
        "last_status": record.last_status,
        "due_at": shown::instant(record.due_at),
    })
}
