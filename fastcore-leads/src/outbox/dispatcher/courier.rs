//! From deliveries to a destination.

use std::{collections::HashMap, future::pending, sync::Arc, time::Duration};

use tokio::{
    sync::watch,
    task::JoinSet,
    time::{Instant, sleep, sleep_until},
};

use super::Shared;
use crate::{
    burst, jitter,
    lead::LeadId,
    outbox::{Attempt, AttemptOutcome, Claim, Delivery, Destination, Message, Place, Settled, Settlement, Subject},
    store::{StoreError, StoreErrorKind},
};

/// How much longer than an attempt may take nobody else gets a delivery.
const MARGIN: Duration = Duration::from_secs(30);
/// How long a delivery waits that could not be sent for want of the database.
const PAUSE: Duration = Duration::from_secs(5);
/// How long what became of an attempt waits for others, so that one transaction notes them together.
const GATHER: Duration = Duration::from_millis(20);
/// How often the walk over what is due begins at the start again.
const WALK: Duration = Duration::from_secs(30);

pub(super) async fn run(
    shared: Arc<Shared>,
    destination: Destination,
    mut woken: watch::Receiver<()>,
    mut ended: watch::Receiver<bool>,
) {
    let mut courier = Courier {
        shared,
        destination: Arc::new(destination),
        under_way: JoinSet::new(),
        unsettled: Vec::new(),
        settle_at: None,
        walk: None,
        claimed_at: None,
        is_failing: false,
    };
    let (mut is_due, mut has_sequencer) = (true, true);
    loop {
        let is_ending = *ended.borrow();
        if is_ending && courier.under_way.is_empty() {
            // What cannot be noted now is sent again: it is not waited for.
            courier.settle().await;
            return;
        }
        // Many at once, also where answers come one by one: a claim is a transaction, and so is noting what became of it. While the
        // database is away, the poll tries.
        if courier.is_half_free() && !courier.is_failing {
            courier.settle().await;
        }
        let room = courier.room();
        let has_rested =
            courier.claimed_at.is_none_or(|at| at.elapsed() >= burst::REST) || !courier.shared.burst.is_on();
        // What could not be noted may be sent again, and is as good as under way.
        if is_due && !is_ending && has_rested && courier.is_half_free() && courier.unsettled.is_empty() {
            courier.claimed_at = Some(Instant::now());
            is_due = courier.claim(room).await;
        }
        let poll = jitter::around(courier.shared.poll);
        tokio::select! {
            Some(finished) = courier.under_way.join_next(), if !courier.under_way.is_empty() => {
                // What panicked is due again once its lease is over.
                courier.finished(finished.into_iter().flatten());
            }
            () = until(courier.settle_at), if courier.settle_at.is_some() => courier.settle().await,
            result = woken.changed(), if has_sequencer => {
                is_due = true;
                // It ends a moment before this does.
                has_sequencer = result.is_ok();
            }
            () = sleep(poll) => {
                is_due = true;
                courier.settle().await;
            }
            _ = ended.changed(), if !is_ending => {}
        }
    }
}

struct Courier {
    shared: Arc<Shared>,
    destination: Arc<Destination>,
    under_way: JoinSet<Vec<Settlement>>,
    /// Kept where the database is away: noted once it is back.
    unsettled: Vec<Settlement>,
    /// When they are noted at the latest.
    settle_at: Option<Instant>,
    /// How far the walk over what is due has come, and when it began.
    walk: Option<(Place, Instant)>,
    claimed_at: Option<Instant>,
    is_failing: bool,
}

impl Courier {
    fn room(&self) -> u32 {
        self.destination.slots().saturating_sub(u32::try_from(self.under_way.len()).unwrap_or(u32::MAX))
    }

    fn is_half_free(&self) -> bool {
        self.room() * 2 >= self.destination.slots()
    }

    /// Takes what is due, and begins to send it. Returns whether there may be more.
    async fn claim(&mut self, limit: u32) -> bool {
        let limit = if self.shared.burst.is_on() { limit.min(burst::AT_ONCE) } else { limit };
        let after = self.walk.filter(|(_, began)| began.elapsed() < WALK);
        let claim = Claim {
            destination: self.destination.name().to_owned(),
            limit,
            lease: self.destination.answers_within() + MARGIN,
            after: after.map(|(place, _)| place),
            pause: self.destination.pause(),
        };
        let claimed = self.shared.store.claim(&claim).await;
        self.notice(claimed.as_ref().err());
        let Ok(claimed) = claimed else { return false };
        if let Some(last) = claimed.iter().map(|delivery| delivery.place).max() {
            self.walk = Some((last, after.map_or_else(Instant::now, |(_, began)| began)));
        } else if after.is_some() {
            // Nothing behind the place: next time, all are looked at.
            self.walk = None;
            return false;
        }
        let is_full = claimed.len() >= limit as usize;
        self.begin(claimed).await;
        is_full
    }

    async fn begin(&mut self, claimed: Vec<Delivery>) {
        if claimed.is_empty() {
            return;
        }
        let mut subjects = HashMap::new();
        let mut sendable = Vec::new();
        match self.subjects(&claimed).await {
            Ok(found) => {
                subjects.extend(found);
                sendable = claimed;
            }
            // One row that cannot be read must not hold up the others.
            Err(error) if error.kind() == StoreErrorKind::Internal && claimed.len() > 1 => {
                for delivery in claimed {
                    match self.subjects(std::slice::from_ref(&delivery)).await {
                        Ok(found) => {
                            subjects.extend(found);
                            sendable.push(delivery);
                        }
                        Err(error) => self.put_off(&delivery, &error),
                    }
                }
            }
            Err(error) => claimed.iter().for_each(|delivery| self.put_off(delivery, &error)),
        }
        let mut messages = Vec::new();
        for delivery in sendable {
            let subject = subjects.get(&delivery.event.lead_id).cloned();
            let message = subject.map(|subject| Message { delivery: delivery.clone(), subject });
            match message.filter(Message::has_something_to_say) {
                Some(message) => messages.push(message),
                None => self.finished([settlement(&delivery, Settled::Skipped, None)]),
            }
        }
        // However late each came due.
        messages.sort_by_key(|message| message.delivery.event.sequence);
        let parts: Vec<Vec<Message>> = if self.destination.gathers() {
            Some(messages).filter(|messages| !messages.is_empty()).into_iter().collect()
        } else {
            messages.into_iter().map(|message| vec![message]).collect()
        };
        for part in parts {
            let (shared, destination) = (Arc::clone(&self.shared), Arc::clone(&self.destination));
            self.under_way.spawn(async move { attempt(&shared, &destination, &part).await });
        }
    }

    async fn subjects(&mut self, deliveries: &[Delivery]) -> Result<HashMap<LeadId, Subject>, StoreError> {
        let ids: Vec<_> = deliveries.iter().map(|delivery| delivery.event.lead_id).collect();
        let found = self.shared.store.subjects(&ids).await;
        self.notice(found.as_ref().err());
        Ok(found?.into_iter().map(|subject| (subject.lead.id, subject)).collect())
    }

    /// What cannot be read now: soon again where the database is away, by the schedule where it is the row's fault.
    fn put_off(&mut self, delivery: &Delivery, error: &StoreError) {
        let result = match error.kind() {
            StoreErrorKind::Internal => self.destination.verdict(&Attempt::failed(None), delivery.attempt),
            _ => Settled::Retry(PAUSE),
        };
        self.finished([settlement(delivery, result, None)]);
    }

    fn finished(&mut self, settlements: impl IntoIterator<Item = Settlement>) {
        self.unsettled.extend(settlements);
        if !self.unsettled.is_empty() {
            self.settle_at.get_or_insert_with(|| Instant::now() + GATHER);
        }
    }

    /// Notes what became of all attempts that ended by now.
    async fn settle(&mut self) {
        while let Some(finished) = self.under_way.try_join_next() {
            self.unsettled.extend(finished.into_iter().flatten());
        }
        // Where the database is away, with the next poll.
        self.settle_at = None;
        if self.unsettled.is_empty() {
            return;
        }
        let settled = self.shared.store.settle(&self.unsettled).await;
        self.notice(settled.as_ref().err());
        match settled {
            Ok(counted) => {
                if (counted as usize) < self.unsettled.len() {
                    tracing::warn!(
                        destination = self.destination.name(),
                        "attempts took longer than their lease, and were made by others as well"
                    );
                }
                self.unsettled.clear();
            }
            // One that cannot be noted must not hold up the others: it is due again once its lease is over.
            Err(error) if matches!(error.kind(), StoreErrorKind::Internal | StoreErrorKind::Rejected) => {
                for settlement in std::mem::take(&mut self.unsettled) {
                    if let Err(error) = self.shared.store.settle(std::slice::from_ref(&settlement)).await {
                        let (destination, sequence) = (self.destination.name(), settlement.sequence);
                        tracing::error!(destination, sequence, %error, "what became of a delivery could not be noted");
                    }
                }
            }
            Err(_) => {}
        }
    }

    fn notice(&mut self, error: Option<&StoreError>) {
        if let Some(error) = error
            && !self.is_failing
        {
            tracing::warn!(destination = self.destination.name(), %error, "deliveries wait: the database cannot be asked");
        }
        self.is_failing = error.is_some();
    }
}

async fn until(instant: Option<Instant>) {
    match instant {
        Some(instant) => sleep_until(instant).await,
        None => pending().await,
    }
}

/// Sends what goes out together, and says what became of each.
async fn attempt(shared: &Shared, destination: &Destination, messages: &[Message]) -> Vec<Settlement> {
    let started = Instant::now();
    let attempt = destination.send_all(messages).await;
    if attempt.outcome == AttemptOutcome::Gone
        && let Err(error) = shared.store.pause(destination.name(), true).await
    {
        tracing::warn!(destination = destination.name(), %error, "the destination could not be paused");
    }
    // What went out together comes due together: the pause, in which there is chance, is the same for all of one age.
    let mut verdicts = HashMap::new();
    let settled = messages.iter().map(|message| {
        let number = message.delivery.attempt;
        let verdict = *verdicts.entry(number).or_insert_with(|| destination.verdict(&attempt, number));
        shared.metrics.attempted(destination.name(), verdict, started.elapsed());
        report(destination, &message.delivery, &attempt, verdict);
        settlement(&message.delivery, verdict, attempt.status)
    });
    settled.collect()
}

fn report(destination: &Destination, delivery: &Delivery, attempt: &Attempt, verdict: Settled) {
    let (destination, status) = (destination.name(), attempt.status);
    let (sequence, event, number) = (delivery.event.sequence, delivery.event.event_type.as_str(), delivery.attempt);
    match (attempt.outcome, verdict) {
        (AttemptOutcome::Gone, _) => super::say_gone(destination),
        (_, Settled::Dead) => tracing::error!(
            destination,
            sequence,
            event,
            attempt = number,
            status,
            "a delivery was given up after its last attempt: it is kept, and can be replayed"
        ),
        (AttemptOutcome::Delivered, _) => {
            tracing::debug!(destination, sequence, event, attempt = number, status, "delivered");
        }
        (AttemptOutcome::Failed, _) => {
            tracing::warn!(destination, sequence, event, attempt = number, status, "not delivered: tried again later");
        }
    }
}

fn settlement(delivery: &Delivery, result: Settled, status: Option<u16>) -> Settlement {
    Settlement {
        destination: delivery.destination.clone(),
        sequence: delivery.event.sequence,
        claim: delivery.claim,
        result,
        status,
    }
}
