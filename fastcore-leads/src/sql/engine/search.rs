//! How leads are found by their words, and how those are entered.

use std::{collections::HashMap, time::Duration};

use tokio::time::Instant;
use uuid::Uuid;

use super::{Session, ask};
use crate::{
    inbox::{LeadFilter, Search, SearchCursor, SearchPage, page_size},
    sql::{
        inbox::Dialect,
        search::{BUCKET, Progress, Searched, bucket_of},
        sqlite::read_id,
    },
    store::{StoreError, StoredLead},
};

/// Nobody waits longer for a search, but for its last statement: then what was found is answered, and where to go on.
const PATIENCE: Duration = Duration::from_millis(25);
/// How many leads with these words are looked at next.
const CANDIDATES: u32 = 256;
/// In how many buckets a word is looked for at once, if it is in none of the last.
const MAX_BUCKETS: u64 = 64;

/// One step of the index, in a transaction. Returns how many rows were looked at.
pub(super) async fn index<S: Session>(session: &mut S, dialect: Dialect, limit: u32) -> Result<u32, StoreError> {
    let limit = limit.max(1);
    let progress: Vec<Progress> = ask(session, dialect.lock_search()).await?;
    // Somebody else is at it.
    let Some((last_place, position, older_after)) = progress.into_iter().next() else { return Ok(0) };
    let (leads, looked_at, mut progress) = if let Some(after) = older_after {
        let leads = session.leads(dialect.older_leads(&after, limit)).await?;
        let is_all = leads.len() < limit as usize;
        let older_after = leads.last().filter(|_| !is_all).map(|lead| lead.id.to_string());
        // However few there are, there may be events.
        let looked_at = leads.len().max(1);
        (leads, looked_at, (last_place, position, older_after))
    } else {
        let told: Vec<(i64, Option<String>)> = ask(session, dialect.told_leads(position, limit)).await?;
        let Some((last, _)) = told.last() else { return Ok(0) };
        let progress = (last_place, *last, None);
        (told_leads(session, dialect, &told).await?, told.len(), progress)
    };
    let leads: Vec<_> = leads.into_iter().filter(|lead| lead.erased_at_utc.is_none()).collect();
    if !leads.is_empty() {
        for statement in dialect.enter(&leads, last_place) {
            session.write(statement).await?;
        }
        progress.0 = last_place + leads.len() as u64;
    }
    session.write(dialect.note_searched(&progress)).await?;
    Ok(u32::try_from(looked_at).unwrap_or(u32::MAX))
}

/// The leads that events tell of, in the order of the events.
async fn told_leads<S: Session>(
    session: &mut S,
    dialect: Dialect,
    told: &[(i64, Option<String>)],
) -> Result<Vec<StoredLead>, StoreError> {
    // Whoever wrote the row, it must not stand in the way of the others.
    let ids: Vec<Uuid> = told.iter().filter_map(|(_, id)| read_id(id.as_deref()?).ok()).collect();
    Ok(in_order(session.leads(dialect.leads_by_id(&ids)).await?, &ids))
}

/// Leads in the order of ids, each once.
fn in_order(leads: Vec<StoredLead>, ids: &[Uuid]) -> Vec<StoredLead> {
    let mut leads: HashMap<Uuid, StoredLead> = leads.into_iter().map(|lead| (lead.id.as_uuid(), lead)).collect();
    ids.iter().filter_map(|id| leads.remove(id)).collect()
}

/// Looks for leads, bucket by bucket.
pub(super) async fn search<S: Session>(
    session: &mut S,
    dialect: Dialect,
    search: Search,
    filter: LeadFilter,
    after: Option<SearchCursor>,
    limit: u32,
) -> Result<SearchPage, StoreError> {
    let started = Instant::now();
    let limit = page_size(limit) as usize;
    let searched: Vec<Searched> = ask(session, dialect.searched()).await?;
    let Some((last_place, is_complete, _)) = searched.into_iter().next() else { return Ok(SearchPage::default()) };
    let mut before = after.map_or(last_place + 1, |after| after.0.min(last_place + 1));
    let (mut leads, mut width) = (Vec::new(), 1);
    let top = before;
    // Places count from 1.
    while before > 1 {
        // However slow all is, each search gets on.
        if before < top && (leads.len() >= limit || started.elapsed() > PATIENCE) {
            return Ok(SearchPage { leads, next: Some(SearchCursor(before)), is_complete });
        }
        let newest = bucket_of(before - 1);
        let oldest = (newest + 1).saturating_sub(width);
        let candidates: Vec<(u64, String)> =
            ask(session, dialect.found(&search, oldest..=newest, before, CANDIDATES)).await?;
        let is_all = candidates.len() < CANDIDATES as usize;
        before = match candidates.last() {
            Some((place, _)) if !is_all => *place,
            _ => oldest * BUCKET,
        };
        width = if is_all { (width * 4).min(MAX_BUCKETS) } else { 1 };
        let places = candidates
            .iter()
            .map(|(place, id)| Ok((read_id(id)?, *place)))
            .collect::<Result<Vec<(Uuid, u64)>, StoreError>>()?;
        if places.is_empty() {
            continue;
        }
        let ids: Vec<Uuid> = places.iter().map(|(id, _)| *id).collect();
        for lead in in_order(session.leads(dialect.shown(&ids, &filter)).await?, &ids) {
            if leads.len() == limit {
                // It is the first of the next page.
                let place = places.iter().find(|(id, _)| *id == lead.id.as_uuid()).map_or(before, |(_, place)| *place);
                return Ok(SearchPage { leads, next: Some(SearchCursor(place + 1)), is_complete });
            }
            leads.push(lead);
        }
    }
    Ok(SearchPage { leads, next: None, is_complete })
}
