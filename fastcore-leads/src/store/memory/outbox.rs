use std::{
    collections::{BTreeMap, HashSet},
    time::Duration,
};

use async_trait::async_trait;
use chrono::{DateTime, TimeDelta, Utc};
use uuid::Uuid;

use super::{MemoryLeadStore, State};
use crate::{
    audit::{self, AuditRecord},
    inbox::is_same_address,
    lead::{LeadId, LeadStatus},
    outbox::{
        AuditedEvent, CheckpointDelivery, Claim, Delivery, DeliveryFilter, DeliveryRecord, DeliveryState,
        DestinationStatus, Event, EventType, MAX_EARLIER_LEADS, Place, Settled, Settlement, Subject, Subscription,
    },
    store::{LeadOutbox, StoreError, StoredLead},
    time,
};

/// Who is told of what.
#[derive(Default)]
pub(super) struct Outbox {
    /// One for each audit row that has a number; none where nobody is told of it.
    events: Vec<Option<Event>>,
    destinations: BTreeMap<String, Destination>,
    deliveries: BTreeMap<(u64, String), Row>,
}

impl State {
    /// Numbers rows, up to so many. Returns how many it numbered.
    pub(super) fn number(&mut self, limit: u32) -> u32 {
        let numbered = self.outbox.events.len();
        let rows: Vec<_> = self.audit.iter().skip(numbered).take(limit.max(1) as usize).cloned().collect();
        let events: Vec<_> = rows.iter().zip(number(numbered) + 1..).map(|(row, n)| self.event(row, n)).collect();
        self.outbox.events.extend(events);
        u32::try_from(rows.len()).unwrap_or(u32::MAX)
    }
}

impl Outbox {
    /// How many rows have a number: the first of the log.
    pub(super) fn numbered(&self) -> usize {
        self.events.len()
    }
}

#[derive(Default)]
struct Destination {
    position: u64,
    paused_at: Option<DateTime<Utc>>,
    rests_until: Option<DateTime<Utc>>,
    checkpoint: Told,
    checkpoint_claim: u32,
}

/// Which checkpoint arrived, and since when and how often a newer one has been tried.
#[derive(Default)]
struct Told {
    size: u64,
    attempts: u32,
    since: Option<DateTime<Utc>>,
}

struct Row {
    state: DeliveryState,
    due_at: DateTime<Utc>,
    attempts: u32,
    claim: u32,
    last_status: Option<u16>,
    settled_at: Option<DateTime<Utc>>,
}

#[async_trait]
impl LeadOutbox for MemoryLeadStore {
    async fn sequence(&self, limit: u32) -> Result<u32, StoreError> {
        Ok(self.lock().number(limit))
    }

    async fn events(&self, after: u64, limit: u32) -> Result<Vec<Event>, StoreError> {
        Ok(self.lock().outbox.behind(after).flatten().take(limit as usize).cloned().collect())
    }

    async fn last_sequence(&self) -> Result<u64, StoreError> {
        Ok(number(self.lock().outbox.events.len()))
    }

    async fn subscribe(&self, destination: &str) -> Result<(), StoreError> {
        let outbox = &mut self.lock().outbox;
        let position = number(outbox.events.len());
        outbox.destinations.entry(destination.to_owned()).or_insert(Destination { position, ..Destination::default() });
        Ok(())
    }

    async fn unsubscribe(&self, destination: &str) -> Result<bool, StoreError> {
        let outbox = &mut self.lock().outbox;
        outbox.deliveries.retain(|(_, name), _| name != destination);
        Ok(outbox.destinations.remove(destination).is_some())
    }

    async fn fan_out(&self, subscription: &Subscription, limit: u32) -> Result<u32, StoreError> {
        let mut state = self.lock();
        let Some(position) = state.outbox.destinations.get(&subscription.destination).map(|known| known.position)
        else {
            return Ok(0);
        };
        let ahead: Vec<_> = state.outbox.behind(position).take(limit as usize).cloned().collect();
        let is_wanted =
            |event: &Event| state.lead(event.lead_id).is_some_and(|lead| subscription.wants(event.event_type, lead));
        let wanted: Vec<u64> =
            ahead.iter().flatten().filter(|event| is_wanted(event)).map(|event| event.sequence).collect();
        let outbox = &mut state.outbox;
        for sequence in wanted {
            outbox.deliveries.entry((sequence, subscription.destination.clone())).or_insert_with(Row::new);
        }
        if let Some(known) = outbox.destinations.get_mut(&subscription.destination) {
            known.position += number(ahead.len());
            // It is told of leads, whatever it was told of before.
            (known.checkpoint.attempts, known.checkpoint.since) = (0, None);
        }
        Ok(u32::try_from(ahead.len()).unwrap_or(u32::MAX))
    }

    async fn claim(&self, claim: &Claim) -> Result<Vec<Delivery>, StoreError> {
        let now = time::now();
        let outbox = &mut self.lock().outbox;
        let Some(destination) = outbox.destinations.get_mut(&claim.destination) else { return Ok(Vec::new()) };
        let rests = !claim.pause.is_zero() && destination.rests_until.is_some_and(|until| until > now);
        if destination.paused_at.is_some() || rests {
            return Ok(Vec::new());
        }
        let mut blocked = HashSet::new();
        let mut due = Vec::new();
        for ((sequence, name), row) in &outbox.deliveries {
            let Some(event) = outbox.events.get(index(*sequence)).and_then(Option::as_ref) else { continue };
            if *name != claim.destination || row.state != DeliveryState::Due {
                continue;
            }
            let place = Place { due_at: row.due_at, sequence: *sequence };
            // The oldest of a lead that is not settled stands in the way of the others.
            if blocked.insert(event.lead_id) && row.due_at <= now && claim.after.is_none_or(|after| place > after) {
                due.push((place, event.clone()));
            }
        }
        due.sort_by_key(|(place, _)| *place);
        due.truncate(claim.limit as usize);
        if !due.is_empty() && !claim.pause.is_zero() {
            destination.rests_until = Some(now + delta(claim.pause));
        }
        let taken = due.into_iter().filter_map(|(place, event)| {
            let row = outbox.deliveries.get_mut(&(place.sequence, claim.destination.clone()))?;
            row.due_at = now + delta(claim.lease);
            row.attempts += 1;
            row.claim += 1;
            let destination = claim.destination.clone();
            Some(Delivery { destination, event, attempt: row.attempts, claim: row.claim, place })
        });
        Ok(taken.collect())
    }

    async fn settle(&self, settlements: &[Settlement]) -> Result<u32, StoreError> {
        let now = time::now();
        let outbox = &mut self.lock().outbox;
        let mut counted = 0;
        for settlement in settlements {
            let key = (settlement.sequence, settlement.destination.clone());
            let Some(row) = outbox.deliveries.get_mut(&key) else { continue };
            if row.claim != settlement.claim || row.state != DeliveryState::Due {
                continue;
            }
            counted += 1;
            row.last_status = settlement.status;
            (row.state, row.settled_at) = match settlement.result {
                Settled::Delivered => (DeliveryState::Delivered, Some(now)),
                Settled::Skipped => (DeliveryState::Skipped, Some(now)),
                Settled::Dead => (DeliveryState::Dead, Some(now)),
                Settled::Retry(delay) => {
                    row.due_at = now + delta(delay);
                    (DeliveryState::Due, None)
                }
            };
        }
        Ok(counted)
    }

    async fn claim_checkpoint(
        &self,
        destination: &str,
        lease: Duration,
    ) -> Result<Option<CheckpointDelivery>, StoreError> {
        let (now, state) = (time::now(), &mut *self.lock());
        let Some((size, checkpoint)) = state.log.checkpoint() else { return Ok(None) };
        let known = state.outbox.destinations.get_mut(destination);
        let is_ready = |known: &&mut Destination| {
            known.paused_at.is_none()
                && known.rests_until.is_none_or(|until| until <= now)
                && known.checkpoint.size != size
        };
        let Some(known) = known.filter(is_ready) else { return Ok(None) };
        (known.rests_until, known.position) = (Some(now + delta(lease)), number(state.outbox.events.len()));
        known.checkpoint.attempts += 1;
        known.checkpoint.since.get_or_insert(now);
        known.checkpoint_claim += 1;
        let (attempt, claim) = (known.checkpoint.attempts, known.checkpoint_claim);
        Ok(Some(CheckpointDelivery { destination: destination.to_owned(), size, checkpoint, attempt, claim }))
    }

    async fn settle_checkpoint(
        &self,
        delivery: &CheckpointDelivery,
        has_arrived: bool,
        rest: Duration,
    ) -> Result<bool, StoreError> {
        let outbox = &mut self.lock().outbox;
        let known = outbox.destinations.get_mut(&delivery.destination);
        let Some(known) =
            known.filter(|known| known.checkpoint_claim == delivery.claim && known.checkpoint.attempts > 0)
        else {
            return Ok(false);
        };
        known.rests_until = Some(time::now() + delta(rest));
        if has_arrived {
            known.checkpoint = Told { size: delivery.size, ..Told::default() };
        }
        Ok(true)
    }

    async fn subjects(&self, ids: &[LeadId]) -> Result<Vec<Subject>, StoreError> {
        let state = self.lock();
        let leads = state.select(|lead| ids.contains(&lead.id));
        let earlier_than = |lead: &StoredLead| {
            let is_earlier = |other: &StoredLead| {
                other.erased_at_utc.is_none()
                    && other.source == lead.source
                    && other.status != LeadStatus::Quarantined.as_str()
                    && other.created_at_utc < lead.created_at_utc
                    && is_same_address(&other.email, &lead.email)
            };
            state.by_request.values().filter(|other| is_earlier(other)).count()
        };
        let subject = |lead: StoredLead| {
            let earlier_leads =
                if lead.erased_at_utc.is_some() { 0 } else { number(earlier_than(&lead)).min(MAX_EARLIER_LEADS) };
            Subject { lead, earlier_leads }
        };
        Ok(leads.into_iter().map(subject).collect())
    }

    async fn pause(&self, destination: &str, is_paused: bool) -> Result<bool, StoreError> {
        let mut state = self.lock();
        let Some(known) = state.outbox.destinations.get_mut(destination) else { return Ok(false) };
        let is_change = known.paused_at.is_some() != is_paused;
        if is_change {
            (known.paused_at, known.rests_until) = (is_paused.then(time::now), None);
        }
        Ok(is_change)
    }

    async fn destinations(&self) -> Result<Vec<DestinationStatus>, StoreError> {
        let outbox = &self.lock().outbox;
        let status = |(name, known): (&String, &Destination)| {
            let in_state = |state| {
                let theirs = outbox.deliveries.iter().filter(move |((_, of), row)| of == name && row.state == state);
                theirs.map(|((sequence, _), _)| *sequence)
            };
            let oldest = in_state(DeliveryState::Due).min();
            let oldest = oldest.and_then(|sequence| outbox.events.get(index(sequence))?.as_ref());
            DestinationStatus {
                destination: name.clone(),
                position: known.position,
                paused_at: known.paused_at,
                due: number(in_state(DeliveryState::Due).count()) + u64::from(known.checkpoint.since.is_some()),
                dead: number(in_state(DeliveryState::Dead).count()),
                oldest_due: known.checkpoint.since.or(oldest.map(|event| event.occurred_at)),
            }
        };
        Ok(outbox.destinations.iter().map(status).collect())
    }

    async fn deliveries(
        &self,
        filter: &DeliveryFilter,
        after: Option<(u64, &str)>,
        limit: u32,
    ) -> Result<Vec<DeliveryRecord>, StoreError> {
        let outbox = &self.lock().outbox;
        let shown = outbox
            .deliveries
            .iter()
            .filter(|((sequence, name), _)| after.is_none_or(|place| (*sequence, name.as_str()) > place));
        let records = shown.filter_map(|((sequence, name), row)| {
            let event = outbox.events.get(index(*sequence))?.clone()?;
            let destination = name.clone();
            let is_shown = filter.shows(&destination, &event, row.state);
            let (state, attempts, due_at, last_status) = (row.state, row.attempts, row.due_at, row.last_status);
            is_shown.then_some(DeliveryRecord { destination, event, state, attempts, due_at, last_status })
        });
        Ok(records.take(limit as usize).collect())
    }

    async fn replay(&self, filter: &DeliveryFilter) -> Result<u64, StoreError> {
        let outbox = &mut self.lock().outbox;
        let mut replayed = 0;
        for ((sequence, name), row) in &mut outbox.deliveries {
            let Some(event) = outbox.events.get(index(*sequence)).and_then(Option::as_ref) else { continue };
            if row.state != DeliveryState::Due && filter.shows(name, event, row.state) {
                (row.state, row.due_at, row.attempts, row.settled_at) = (DeliveryState::Due, time::now(), 0, None);
                replayed += 1;
            }
        }
        Ok(replayed)
    }

    async fn forget_delivered(&self, before: DateTime<Utc>) -> Result<u64, StoreError> {
        let deliveries = &mut self.lock().outbox.deliveries;
        let count = deliveries.len();
        let is_done = |row: &Row| matches!(row.state, DeliveryState::Delivered | DeliveryState::Skipped);
        deliveries.retain(|_, row| !(is_done(row) && row.settled_at.is_some_and(|at| at < before)));
        Ok(number(count - deliveries.len()))
    }
}

impl Outbox {
    fn behind(&self, sequence: u64) -> impl Iterator<Item = &Option<Event>> {
        self.events.iter().skip(usize::try_from(sequence).unwrap_or(usize::MAX))
    }
}

impl Row {
    fn new() -> Self {
        let state = DeliveryState::Due;
        Self { state, due_at: time::now(), attempts: 0, claim: 0, last_status: None, settled_at: None }
    }
}

impl State {
    fn lead(&self, id: LeadId) -> Option<&StoredLead> {
        self.requests.get(&id.as_uuid()).and_then(|request| self.by_request.get(request))
    }

    fn event(&self, record: &AuditRecord, sequence: u64) -> Option<Event> {
        let detail = |record: &AuditRecord, member: &str| record.details[member].as_str().map(str::to_owned);
        let lead_id = record.lead_id?;
        let id: Uuid = lead_id.as_uuid();
        let came_to_quarantine = |first: &AuditRecord| {
            first.event == audit::LEAD_RECEIVED
                && detail(first, "status").as_deref() == Some(LeadStatus::Quarantined.as_str())
        };
        let was_released = self.trail(id).any(|later| later.event == audit::LEAD_RELEASED);
        let audited = AuditedEvent {
            created_at: record.created_at,
            event: record.event.clone(),
            lead_id: Some(id),
            status: detail(record, "status"),
            from: detail(record, "from"),
            to: detail(record, "to"),
            is_held_back: self.trail(id).any(came_to_quarantine) && !was_released,
        };
        let event_type = EventType::of(&audited)?;
        let has_moved = event_type.is_move();
        let (from, to) = (audited.from.filter(|_| has_moved), audited.to.filter(|_| has_moved));
        let (audit_id, occurred_at) = (record.id, record.created_at);
        Some(Event { sequence, audit_id, event_type, lead_id, occurred_at, from, to })
    }
}

fn number(count: usize) -> u64 {
    u64::try_from(count).unwrap_or(u64::MAX)
}

/// Where the event of a sequence number stands.
fn index(sequence: u64) -> usize {
    usize::try_from(sequence).unwrap_or(usize::MAX).wrapping_sub(1)
}

fn delta(duration: Duration) -> TimeDelta {
    TimeDelta::from_std(duration).unwrap_or(TimeDelta::MAX)
}
