use async_trait::async_trait;
use tokio::time::{Duration, Instant, sleep};
use uuid::Uuid;

#[cfg(feature = "outbox")]
use super::retention::BATCH;
use super::{
    Change, ContactTimes, Cursor, Due, Export, ExportedLead, IdPrefix, InboxError, LeadFilter, MAX_PAGE, Note,
    PurgeReport, Reason, Retention, Target, Unless, reveal,
};
use crate::{
    audit::{Actor, AuditRecord},
    lead::{LeadId, LeadStatus, RequestId},
    pace,
    sql::inbox::MAX_LOCKED,
    store::{LeadInbox, StoreError, StoreErrorKind, StoredLead},
    time,
};

/// How many leads are told apart whose ids begin alike.
const MAX_ALIKE: u32 = 5;
/// How often a change is tried that the database rolls back for others' sake.
const ATTEMPTS: u32 = 5;
/// How long it waits before it tries again, times the number of the attempt.
const BACKOFF: Duration = Duration::from_millis(10);
/// How long a purge rests between two transactions, so that ingest gets its turn: at least this, and so many times as long
/// as the last transaction took.
const REST: Duration = Duration::from_millis(10);

/// What a service does with an inbox. For every [`LeadInbox`].
#[async_trait]
pub trait InboxExt: LeadInbox {
    /// The lead with this id, or that the request of this id made: whichever an operator or a visitor has at hand.
    ///
    /// # Errors
    /// [`StoreError`] where the database does not answer.
    async fn look_up(&self, id: Uuid) -> Result<Option<StoredLead>, StoreError> {
        match (self.get(LeadId::from_uuid(id)).await?, RequestId::new(id)) {
            (None, Ok(request)) => self.find(request).await,
            (found, _) => Ok(found),
        }
    }

    /// Leads whose id, or whose request's id, begins so. There may be more than the few that are returned; one alone is the one
    /// that was meant.
    ///
    /// # Errors
    /// [`StoreError`] if the database does not answer.
    async fn find_by_prefix(&self, prefix: IdPrefix) -> Result<Vec<StoredLead>, StoreError> {
        let (first, last) = prefix.range();
        let mut leads = self.between(first, last, MAX_ALIKE).await?;
        leads.sort_by_key(|lead| std::cmp::Reverse(Cursor::at(lead)));
        leads.dedup_by_key(|lead| lead.id);
        Ok(leads)
    }

    /// How long people waited until somebody worked on their lead: of the newest leads that a filter shows, at most
    /// [`MAX_PAGE`], since what is asked for is how it is now.
    ///
    /// # Errors
    /// [`StoreError`] if the database does not answer.
    async fn contact_times(&self, filter: &LeadFilter) -> Result<ContactTimes, StoreError> {
        let leads = self.page(filter, None, MAX_PAGE).await?.leads;
        let ids: Vec<_> = leads.iter().map(|lead| lead.id).collect();
        let contacts = self.first_contacts(&ids).await?.into_iter().collect();
        Ok(ContactTimes::of(&leads, &contacts))
    }

    /// Moves a lead on, from the status that the caller saw: received, processing, resolved, archived; back from processing
    /// to received and from resolved to processing; to archived from any. Answers the lead as it is now.
    ///
    /// # Errors
    /// [`InboxError::StatusChanged`] where somebody else was quicker, [`InboxError::IllegalMove`] where a lead's life does
    /// not go that way, and the others of [`InboxError`].
    async fn transition(
        &self,
        id: LeadId,
        seen: LeadStatus,
        to: LeadStatus,
        actor: Actor,
        reason: Option<Reason>,
    ) -> Result<StoredLead, InboxError> {
        one(changed(self, &Change::transition(id, seen, to, actor, reason)).await?)
    }

    /// Takes a lead out of quarantine: it is received.
    ///
    /// # Errors
    /// [`InboxError::NotQuarantined`], and the others of [`InboxError`].
    async fn release(&self, id: LeadId, actor: Actor, reason: Option<Reason>) -> Result<StoredLead, InboxError> {
        one(changed(self, &Change::release(id, actor, reason)).await?)
    }

    /// Keeps a note with a lead. The audit log says who wrote one, and when; the note itself goes when the lead is erased.
    ///
    /// # Errors
    /// [`InboxError::TooManyNotes`], and the others of [`InboxError`].
    async fn add_note(&self, id: LeadId, note: Note, actor: Actor) -> Result<StoredLead, InboxError> {
        one(changed(self, &Change::note(id, note, actor)).await?)
    }

    /// Gives a lead to somebody to see to, or to nobody in particular. `seen` is whose it was when the caller looked.
    ///
    /// # Errors
    /// [`InboxError::AssigneeChanged`], and the others of [`InboxError`].
    async fn assign(
        &self,
        id: LeadId,
        seen: Option<Actor>,
        to: Option<Actor>,
        actor: Actor,
        reason: Option<Reason>,
    ) -> Result<StoredLead, InboxError> {
        one(changed(self, &Change::assign(id, seen, to, actor, reason)).await?)
    }

    /// Records that the person has taken the consent back: `consent` is false from now on, and `meta_json` says since when.
    /// The proof of what was agreed to stays.
    ///
    /// # Errors
    /// [`InboxError::NoConsent`], and the others of [`InboxError`].
    async fn withdraw_consent(
        &self,
        id: LeadId,
        actor: Actor,
        reason: Option<Reason>,
    ) -> Result<StoredLead, InboxError> {
        one(changed(self, &Change::withdraw_consent(id, actor, reason)).await?)
    }

    /// Erases at a person's wish (GDPR, article 17): all that is personal is emptied, hashes too; the row stays as a tombstone,
    /// so that a retry of its request is answered 410. Answers the ids; none where nothing is held on the address. An
    /// address with very many leads is erased in several transactions; after an error, erase again.
    ///
    /// # Errors
    /// [`InboxError`]: [`InboxError::Erased`] where the one lead that was asked for is erased already.
    async fn erase(&self, target: Target, actor: Actor, reason: Option<Reason>) -> Result<Vec<LeadId>, InboxError> {
        let change = Change::erase(target, actor, reason);
        let mut erased = Vec::new();
        loop {
            let rows = changed(self, &change).await?;
            erased.extend(rows.iter().map(|lead| lead.id));
            // Fewer than that: no spelling has more left.
            let is_all = !matches!(change.target(), Target::Email(_)) || rows.len() < MAX_LOCKED as usize;
            if is_all {
                return Ok(erased);
            }
        }
    }

    /// Notes that somebody is shown leads in clear: at most one row an hour for each lead and actor. To be called before they are
    /// shown.
    ///
    /// # Errors
    /// [`StoreError`] where the database does not answer: then nothing is to be shown.
    async fn note_revealed(&self, leads: &[StoredLead], actor: &Actor) -> Result<(), StoreError> {
        appended(self, &reveal::of_leads(leads, actor, time::now())).await
    }

    /// Notes that somebody is handed all leads that a filter shows in clear, in a format such as `csv`: the members that the
    /// filter has, but no value of them. To be called before.
    ///
    /// # Errors
    /// [`StoreError`] where the database does not answer: then nothing is to be handed out.
    async fn note_exported(&self, filter: &LeadFilter, format: &str, actor: &Actor) -> Result<(), StoreError> {
        appended(self, &[reveal::of_export(filter, format, actor, time::now())]).await
    }

    /// Notes that somebody is handed all that is held on a person: for each lead as one that was shown, and once for all. To be called
    /// before.
    ///
    /// # Errors
    /// [`StoreError`] where the database does not answer: then nothing is to be handed out.
    async fn note_subject_exported(&self, email: &str, actor: &Actor) -> Result<(), StoreError> {
        self.note_revealed(&self.find_by_email(email, u32::MAX).await?, actor).await?;
        let filter = LeadFilter { email: Some(email.to_owned()), ..LeadFilter::default() };
        self.note_exported(&filter, "json", actor).await
    }

    /// All that is held on an address.
    ///
    /// # Errors
    /// [`StoreError`] where the database does not answer.
    async fn export(&self, email: &str) -> Result<Export, StoreError> {
        let mut leads = Vec::new();
        for lead in self.find_by_email(email, u32::MAX).await? {
            let trail = self.audit_trail(lead.id).await?;
            leads.push(ExportedLead::new(lead, trail));
        }
        Ok(Export { email: email.trim().to_owned(), exported_at_utc: time::format(time::now()), leads })
    }

    /// What [`purge`](Self::purge) would erase now. Changes nothing.
    ///
    /// # Errors
    /// [`StoreError`] where the database does not answer.
    async fn purge_dry_run(&self, retention: Retention) -> Result<PurgeReport, StoreError> {
        let mut report = PurgeReport::default();
        for mut due in retention.due(time::now()) {
            while next_window(self, &mut due).await? {
                report.count(due.status, self.due(&due).await?.len());
            }
        }
        Ok(report)
    }

    /// Erases what the rule no longer lets be kept, in small transactions with rests between, so that ingest goes on
    /// meanwhile. May be stopped and started again at any time.
    ///
    /// # Errors
    /// [`InboxError`] where the database does not answer; what was erased before stays erased. If it refuses to erase a lead, that is
    /// returned once the others are erased.
    async fn purge(&self, retention: Retention, actor: Actor) -> Result<PurgeReport, InboxError> {
        let (mut report, mut refused) = (PurgeReport::default(), None);
        for mut due in retention.due(time::now()) {
            while next_window(self, &mut due).await? {
                let started = Instant::now();
                let leads = match changed(self, &Change::purge(due, actor.clone())).await {
                    Err(InboxError::Store(error)) if error.kind() == StoreErrorKind::Rejected => {
                        refused.get_or_insert(error);
                        purge_one_by_one(self, due, &actor).await?
                    }
                    purged => purged?.len(),
                };
                report.count(due.status, leads);
                sleep(pace::rest_after(started, REST)).await;
            }
        }
        refused.map_or(Ok(report), |error| Err(error.into()))
    }
}

impl<I: LeadInbox + ?Sized> InboxExt for I {}

async fn changed<I: LeadInbox + ?Sized>(inbox: &I, change: &Change) -> Result<Vec<StoredLead>, InboxError> {
    let is_contention =
        |error: &InboxError| matches!(error, InboxError::Store(error) if error.kind() == StoreErrorKind::Contention);
    retried(|| inbox.change(change), is_contention).await
}

/// Erases what the database does not refuse. Returns how many that were.
async fn purge_one_by_one<I: LeadInbox + ?Sized>(inbox: &I, mut due: Due, actor: &Actor) -> Result<usize, InboxError> {
    let mut erased = 0;
    for lead in inbox.due(&due).await? {
        due.until = Some(Cursor::at(&lead));
        match changed(inbox, &Change::purge(due, actor.clone())).await {
            Err(InboxError::Store(error)) if error.kind() == StoreErrorKind::Rejected => {}
            purged => erased += purged?.len(),
        }
        due.after = due.until;
    }
    Ok(erased)
}

async fn appended<I: LeadInbox + ?Sized>(inbox: &I, records: &[AuditRecord]) -> Result<(), StoreError> {
    retried(|| inbox.append(records), |error: &StoreError| error.kind() == StoreErrorKind::Contention).await
}

/// Tries again what the database rolled back for others' sake.
async fn retried<T, E, F>(attempt: impl Fn() -> F, is_contention: impl Fn(&E) -> bool) -> Result<T, E>
where
    F: Future<Output = Result<T, E>>,
{
    for number in 1..ATTEMPTS {
        match attempt().await {
            Err(error) if is_contention(&error) => sleep(BACKOFF * number).await,
            result => return result,
        }
    }
    attempt().await
}

fn one(rows: Vec<StoredLead>) -> Result<StoredLead, InboxError> {
    rows.into_iter().next().ok_or(InboxError::NotFound)
}

/// Notes of a few leads that nobody has worked on since `before` that they are unanswered: of those behind a place in the order of
/// their coming. Returns how many, and the place to go on from; none where there are no more.
#[cfg(feature = "outbox")]
pub(crate) async fn note_unanswered<I: LeadInbox + ?Sized>(
    inbox: &I,
    before: chrono::DateTime<chrono::Utc>,
    after: Option<Cursor>,
) -> Result<(u64, Option<Cursor>), InboxError> {
    let status = Some(LeadStatus::Received);
    let mut due = Due { status, before, unless: Unless::Touched, after: None, until: after, limit: BATCH };
    // Where none is due, nothing is to be written either: readers do not wait for each other.
    if !next_window(inbox, &mut due).await? || inbox.due(&due).await?.is_empty() {
        return Ok((0, due.until));
    }
    let leads = changed(inbox, &Change::unanswered(due, Actor::SERVICE_LEVEL)).await?;
    Ok((u64::try_from(leads.len()).unwrap_or(u64::MAX), due.until))
}

/// Goes on to the next few leads of the status and age, whatever contact there was: a statement that looks for contact looks
/// at so many leads and no more. False where there are no more.
async fn next_window<I: LeadInbox + ?Sized>(inbox: &I, due: &mut Due) -> Result<bool, StoreError> {
    let behind = Due { after: due.until, until: None, unless: Unless::Never, ..*due };
    let last = inbox.due(&behind).await?.last().map(Cursor::at);
    (due.after, due.until) = (due.until, last);
    Ok(last.is_some())
}
