//! The routes that read.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use chrono::{TimeDelta, Utc};
use serde_json::{Value, json};
use tokio::{
    sync::{OwnedSemaphorePermit, mpsc},
    time::timeout,
};

use super::{InboxBody, Refusal, body::Piece, query::Query};
use crate::{
    inbox::{Disclosure, InboxExt, LeadFilter, LeadPage, Sheet, SheetFormat, Tally},
    lead::LeadStatus,
    store::{LeadInbox, StoreError, StoredLead},
    time,
    token::Grant,
};

const LIST_PARAMETERS: [&str; 8] = ["status", "service", "source", "from", "to", "after", "limit", "reveal"];
const SHEET_PARAMETERS: [&str; 6] = ["status", "service", "source", "from", "to", "reveal"];
const COUNTS_PARAMETERS: [&str; 5] = ["status", "service", "source", "from", "to"];

/// How long the next page of a file waits for whoever asked to take the last: a file is of leads as they are.
const TAKEN_WITHIN: Duration = Duration::from_secs(30);
/// How many leads of a file are read at once.
const PAGE: u32 = 500;
/// How many other leads of the same address are shown with a lead.
const MAX_OTHERS: usize = 20;
/// How many of the newest of these are read: the bearer may not see each.
const LOOKED_AT: u32 = 200;
/// The days that are counted where a request does not say from when on, and the most that it may ask for.
const COUNTED_DAYS: TimeDelta = TimeDelta::days(31);
const MAX_COUNTED_DAYS: TimeDelta = TimeDelta::days(366);

/// A page of leads.
pub(super) async fn list(store: &dyn LeadInbox, grant: &Grant, query: &str) -> Result<Value, Refusal> {
    let mut query = Query::parse(query, &LIST_PARAMETERS).ok_or(Refusal::Query)?;
    let disclosure = query.disclosure(grant).ok_or(Refusal::Scope)?;
    let page = if query.narrow(grant) {
        store.page(&query.filter, query.after, query.limit()).await?
    } else {
        LeadPage::default()
    };
    note(store, grant, disclosure, &page.leads).await?;
    let leads: Vec<_> = page.leads.iter().map(|lead| disclosure.lead(lead)).collect();
    Ok(json!({"leads": leads, "next": page.next.map(|next| next.to_string())}))
}

/// A lead and its trail.
pub(super) async fn lead(store: &dyn LeadInbox, grant: &Grant, id: &str, query: &str) -> Result<Value, Refusal> {
    let query = Query::parse(query, &["reveal"]).ok_or(Refusal::Query)?;
    let disclosure = query.disclosure(grant).ok_or(Refusal::Scope)?;
    let lead = find(store, grant, id).await?;
    note(store, grant, disclosure, std::slice::from_ref(&lead)).await?;
    let trail = store.audit_trail(lead.id).await?;
    let trail: Vec<_> = trail.iter().map(|record| disclosure.record(record)).collect();
    let mut others = Vec::new();
    if lead.erased_at_utc.is_none() {
        others = store.find_by_email(&lead.email, LOOKED_AT).await?;
        others.retain(|other| other.id != lead.id && grant.allows_source(&other.source));
        others.truncate(MAX_OTHERS);
    }
    let others: Vec<_> = others
        .iter()
        .map(|other| {
            json!({
                "id": other.id.to_string(),
                "created_at_utc": time::format(other.created_at_utc),
                "status": other.status,
                "service": other.service,
                "source": other.source,
            })
        })
        .collect();
    Ok(json!({"lead": disclosure.lead(&lead), "trail": trail, "same_address": others}))
}

/// The lead with this id, or that the request of this id made, where the bearer may see it.
pub(super) async fn find(store: &dyn LeadInbox, grant: &Grant, id: &str) -> Result<StoredLead, Refusal> {
    let id = uuid::Uuid::try_parse(id).map_err(|_| Refusal::NotFound)?;
    store.look_up(id).await?.filter(|lead| grant.allows_source(&lead.source)).ok_or(Refusal::NotFound)
}

/// How many leads there are, by status, service, source and day.
pub(super) async fn counts(store: &dyn LeadInbox, grant: &Grant, query: &str) -> Result<Value, Refusal> {
    let mut query = Query::parse(query, &COUNTS_PARAMETERS).ok_or(Refusal::Query)?;
    within_a_year(&mut query.filter)?;
    let mut tallies = Vec::new();
    if query.narrow(grant) {
        tallies = store.tally(&query.filter).await?;
        if query.filter.statuses.is_empty() {
            // What is held back is no part of the list, but of what there is.
            let statuses = vec![LeadStatus::Quarantined];
            tallies.extend(store.tally(&LeadFilter { statuses, ..query.filter }).await?);
        }
    }
    Ok(json!({
        "leads": tallies.iter().map(|tally| tally.leads).sum::<u64>(),
        "by_status": summed(&tallies, |tally| tally.status.clone()),
        "by_service": summed(&tallies, |tally| tally.service.clone().unwrap_or_default()),
        "by_source": summed(&tallies, |tally| tally.source.clone()),
        "by_day": summed(&tallies, |tally| tally.day.to_string()),
    }))
}

/// Sees to it that a range of time has a beginning, which is 31 days before its end if nothing else is asked for.
pub(super) fn within_a_year(filter: &mut LeadFilter) -> Result<(), Refusal> {
    let before = filter.received_before.unwrap_or_else(Utc::now);
    let from = filter.received_from.unwrap_or(before - COUNTED_DAYS);
    if from > before || before - from > MAX_COUNTED_DAYS {
        return Err(Refusal::Query);
    }
    filter.received_from = Some(from);
    Ok(())
}

fn summed(tallies: &[Tally], key: impl Fn(&Tally) -> String) -> BTreeMap<String, u64> {
    let mut sums = BTreeMap::new();
    for tally in tallies {
        *sums.entry(key(tally)).or_default() += tally.leads;
    }
    sums
}

/// All leads that a filter shows, read while they are sent.
pub(super) async fn sheet(
    store: &Arc<dyn LeadInbox>,
    grant: &Grant,
    format: SheetFormat,
    query: &str,
    place: OwnedSemaphorePermit,
) -> Result<InboxBody, Refusal> {
    let mut query = Query::parse(query, &SHEET_PARAMETERS).ok_or(Refusal::Query)?;
    let disclosure = query.disclosure(grant).ok_or(Refusal::Scope)?;
    let mut sheet = Sheet::new(format, disclosure);
    if !query.narrow(grant) {
        return Ok(InboxBody::whole(sheet.take().into()));
    }
    // Before anything is answered: a database that is away is told of by a status.
    let first = store.page(&query.filter, None, PAGE).await?;
    if disclosure == Disclosure::Clear {
        store.note_exported(&query.filter, format.as_str(), grant.actor()).await?;
    }
    let (sender, pieces) = mpsc::channel(1);
    let store = Arc::clone(store);
    tokio::spawn(async move {
        send(store, query.filter, sheet, first, sender).await;
        drop(place);
    });
    Ok(InboxBody::pieces(pieces))
}

async fn send(
    store: Arc<dyn LeadInbox>,
    filter: LeadFilter,
    mut sheet: Sheet,
    mut page: LeadPage,
    sender: mpsc::Sender<Piece>,
) {
    loop {
        for lead in &page.leads {
            sheet.write(lead);
        }
        if !is_taken(&sender, Piece::Bytes(sheet.take().into())).await {
            return;
        }
        let Some(next) = page.next else {
            is_taken(&sender, Piece::End).await;
            return;
        };
        page = match store.page(&filter, Some(next), PAGE).await {
            Ok(page) => page,
            Err(error) => {
                tracing::error!(%error, "a file of leads was not sent to its end");
                return;
            }
        };
    }
}

/// Hands on a piece, the end too: whoever stands still must not keep others from their files.
async fn is_taken(sender: &mpsc::Sender<Piece>, piece: Piece) -> bool {
    let Ok(sent) = timeout(TAKEN_WITHIN, sender.send(piece)).await else {
        tracing::warn!("a file of leads was not sent to its end: nobody took it");
        return false;
    };
    // Otherwise whoever asked has gone away.
    sent.is_ok()
}

/// Notes who is shown leads in clear, before they are.
pub(super) async fn note(
    store: &dyn LeadInbox,
    grant: &Grant,
    disclosure: Disclosure,
    leads: &[StoredLead],
) -> Result<(), StoreError> {
    match disclosure {
        Disclosure::Masked => Ok(()),
        Disclosure::Clear => store.note_revealed(leads, grant.actor()).await,
    }
}
