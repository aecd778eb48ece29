//! Whether leads are answered in time.

use std::{sync::Arc, time::Duration};

use chrono::{DateTime, TimeDelta, Utc};
use tokio::{
    sync::watch,
    time::{Instant, sleep},
};
use uuid::Uuid;

use super::Shared;
use crate::{
    inbox::{Cursor, Due, InboxError, ServiceLevel, Unless, note_unanswered},
    jitter,
    lead::LeadStatus,
    pace,
    store::StoreError,
    time,
};

/// It looks once in so many polls.
const POLLS: u32 = 15;
/// How often it begins at the start again: a lead may have gone back to those that nobody works on.
const WALK: Duration = Duration::from_secs(10 * 60);
/// How long it rests between two steps at least.
const REST: Duration = Duration::from_millis(10);
/// Leads that came so much earlier than those that are due now are not looked at: whoever begins to use a service level is not told
/// of years.
const OLDEST: TimeDelta = TimeDelta::days(30);

pub(super) async fn run(shared: Arc<Shared>, level: Option<ServiceLevel>, mut ended: watch::Receiver<bool>) {
    let mut watch = Watch { shared, level, walk: None, is_failing: false };
    if watch.level.is_some() {
        // From the start: an alarm on an increase does not see a series that begins with its first event.
        watch.shared.metrics.unanswered(0);
    }
    while !*ended.borrow() {
        watch.look(&ended).await;
        let rest = jitter::around(watch.shared.poll * POLLS);
        tokio::select! {
            () = sleep(rest) => {}
            _ = ended.wait_for(|is_ended| *is_ended) => return,
        }
    }
}

struct Watch {
    shared: Arc<Shared>,
    level: Option<ServiceLevel>,
    /// How far the walk over those that wait has come, and when it began.
    walk: Option<(Option<Cursor>, Instant)>,
    is_failing: bool,
}

impl Watch {
    async fn look(&mut self, ended: &watch::Receiver<bool>) {
        let now = time::now();
        let result = match self.note(now, ended).await {
            Ok(()) => self.measure(now).await.map_err(InboxError::from),
            Err(error) => Err(error),
        };
        if let Err(error) = &result
            && !self.is_failing
        {
            tracing::warn!(%error, "it is not known which leads are unanswered: tried again");
        }
        self.is_failing = result.is_err();
    }

    /// Notes of leads that have waited for too long that they are unanswered.
    async fn note(&mut self, now: DateTime<Utc>, ended: &watch::Receiver<bool>) -> Result<(), InboxError> {
        let Some(before) = self.level.as_ref().and_then(|level| level.overdue_before(now)) else { return Ok(()) };
        let oldest = before.checked_sub_signed(OLDEST).map(|created_at| Cursor { created_at, id: Uuid::nil() });
        let going_on = self.walk.filter(|(_, begun)| begun.elapsed() < WALK);
        let (after, begun) = going_on.unwrap_or_else(|| (oldest, Instant::now()));
        self.walk = Some((after, begun));
        let mut all = 0;
        while !*ended.borrow() {
            let asked = Instant::now();
            let after = self.walk.and_then(|(place, _)| place);
            let (noted, reached) = note_unanswered(&*self.shared.store, before, after).await?;
            self.shared.metrics.unanswered(noted);
            all += noted;
            let Some(reached) = reached else { break };
            self.walk = Some((Some(reached), begun));
            sleep(pace::rest_after(asked, REST)).await;
        }
        if all > 0 {
            tracing::info!(leads = all, "leads are unanswered for longer than the service level allows");
        }
        Ok(())
    }

    async fn measure(&self, now: DateTime<Utc>) -> Result<(), StoreError> {
        let status = Some(LeadStatus::Received);
        let first = Due { status, before: now, unless: Unless::Never, after: None, until: None, limit: 1 };
        let oldest = self.shared.store.due(&first).await?.first().map(|lead| lead.created_at_utc);
        self.shared.metrics.oldest_unanswered(oldest);
        Ok(())
    }
}
