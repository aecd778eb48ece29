use chrono::{DateTime, TimeDelta, Utc};
use serde_json::{Value, json};
use uuid::Uuid;

use super::{Due, InboxError, Note, Reason};
use crate::{
    audit::{self, Actor, AuditRecord},
    lead::{LeadId, LeadStatus},
    store::StoredLead,
    time,
};

/// A change to leads: which, what, by whom, why. What becomes of each row is decided here, for every store.
#[derive(Clone, Debug)]
pub struct Change {
    target: Target,
    action: Action,
    actor: Actor,
    reason: Option<Reason>,
}

/// Which leads a change is for. A store locks them while it is decided on.
#[derive(Clone, PartialEq, Eq)]
pub enum Target {
    /// This one.
    Lead(LeadId),
    /// All from this address, in any case.
    Email(String),
    /// Those that are due. A lead that somebody else has locked is passed over.
    Due(Due),
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Action {
    Move { seen: LeadStatus, to: LeadStatus },
    Release,
    Note(Note),
    Assign { seen: Option<Actor>, to: Option<Actor> },
    WithdrawConsent,
    Erase,
    Purge,
    Unanswered,
}

/// What a change makes of one lead: to be written together, or not at all.
#[derive(Clone, Debug, PartialEq)]
pub struct Rewrite {
    /// The row, with its new values.
    pub row: StoredLead,
    /// Its audit row.
    pub audit: AuditRecord,
}

impl Change {
    /// From the status that the caller saw to another.
    pub fn transition(id: LeadId, seen: LeadStatus, to: LeadStatus, actor: Actor, reason: Option<Reason>) -> Self {
        Self { target: Target::Lead(id), action: Action::Move { seen, to }, actor, reason }
    }

    /// Out of quarantine.
    pub fn release(id: LeadId, actor: Actor, reason: Option<Reason>) -> Self {
        Self { target: Target::Lead(id), action: Action::Release, actor, reason }
    }

    /// The person takes the consent back. What was agreed to, and when, stays on record.
    pub fn withdraw_consent(id: LeadId, actor: Actor, reason: Option<Reason>) -> Self {
        Self { target: Target::Lead(id), action: Action::WithdrawConsent, actor, reason }
    }

    /// Keeps a note with a lead.
    pub fn note(id: LeadId, note: Note, actor: Actor) -> Self {
        Self { target: Target::Lead(id), action: Action::Note(note), actor, reason: None }
    }

    /// Gives a lead to somebody to see to, or to nobody in particular. `seen` is whose it was when the caller looked.
    pub fn assign(id: LeadId, seen: Option<Actor>, to: Option<Actor>, actor: Actor, reason: Option<Reason>) -> Self {
        Self { target: Target::Lead(id), action: Action::Assign { seen, to }, actor, reason }
    }

    /// Empties all that is personal; the row stays as a tombstone.
    pub fn erase(target: Target, actor: Actor, reason: Option<Reason>) -> Self {
        Self { target, action: Action::Erase, actor, reason }
    }

    /// Erases what is due.
    pub fn purge(due: Due, actor: Actor) -> Self {
        Self { target: Target::Due(due), action: Action::Purge, actor, reason: None }
    }

    /// Notes of leads that are due that nobody has worked on them. It changes nothing but the trail.
    pub fn unanswered(due: Due, actor: Actor) -> Self {
        Self { target: Target::Due(due), action: Action::Unanswered, actor, reason: None }
    }

    /// Whether what it writes over must not be found in the database's file afterwards.
    pub fn is_erasure(&self) -> bool {
        matches!(self.action, Action::Erase | Action::Purge)
    }

    /// Whether it writes to the leads themselves, and not to their trails alone.
    pub(crate) fn rewrites_leads(&self) -> bool {
        self.action != Action::Unanswered
    }

    /// Which leads it is for.
    pub fn target(&self) -> &Target {
        &self.target
    }

    /// Decides on the rows that a store has locked. `audited` says when each lead's last audit row was written: the new
    /// one comes later, whatever the clocks of two machines say.
    ///
    /// # Errors
    /// [`InboxError`] where the change is not possible: then nothing is to be written, for none of the rows.
    pub fn decide(
        &self,
        rows: Vec<StoredLead>,
        audited: impl Fn(Uuid) -> Option<DateTime<Utc>>,
    ) -> Result<Vec<Rewrite>, InboxError> {
        if rows.is_empty() && matches!(self.target, Target::Lead(_)) {
            return Err(InboxError::NotFound);
        }
        let now = time::now();
        let last_audited = |row: &StoredLead| audited(row.id.as_uuid());
        rows.into_iter()
            // Who waited for a lock may have been told of leads that another process has noted meanwhile.
            .filter(|row| !self.is_noted(last_audited(row)))
            .map(|row| {
                let earliest = last_audited(&row).map(|last| last + TimeDelta::microseconds(1));
                let at = earliest.map_or(now, |earliest| earliest.max(now));
                self.rewrite(row, at)
            })
            .collect()
    }

    /// Whether a lead has been touched since it was due, its last audit row says so.
    fn is_noted(&self, last_audited: Option<DateTime<Utc>>) -> bool {
        match (&self.action, &self.target) {
            (Action::Unanswered, Target::Due(due)) => last_audited.is_some_and(|last| last >= due.before),
            _ => false,
        }
    }

    fn rewrite(&self, mut row: StoredLead, at: DateTime<Utc>) -> Result<Rewrite, InboxError> {
        if row.erased_at_utc.is_some() {
            return Err(InboxError::Erased);
        }
        if self.reason.as_ref().is_some_and(|reason| reason.names(&row)) {
            return Err(InboxError::ReasonNamesPerson);
        }
        // Whatever the status is, a person can be erased.
        let current = || row.status.parse::<LeadStatus>().map_err(|_| InboxError::UnknownStatus);
        let mut details = json!({});
        let event = match &self.action {
            &Action::Move { seen, to } => {
                let current = current()?;
                if current != seen {
                    return Err(InboxError::StatusChanged { current });
                }
                let event = event_of_move(current, to).ok_or(InboxError::IllegalMove { from: current, to })?;
                details = moved(current, to);
                to.as_str().clone_into(&mut row.status);
                event
            }
            Action::Release => {
                let current = current()?;
                if current != LeadStatus::Quarantined {
                    return Err(InboxError::NotQuarantined { current });
                }
                details = moved(current, LeadStatus::Received);
                LeadStatus::Received.as_str().clone_into(&mut row.status);
                audit::LEAD_RELEASED
            }
            Action::Note(note) => {
                row.add_note(at, &self.actor, note).ok_or(InboxError::TooManyNotes)?;
                audit::LEAD_NOTED
            }
            Action::Assign { seen, to } => {
                if row.assignee() != seen.as_ref().map(Actor::as_str) {
                    return Err(InboxError::AssigneeChanged);
                }
                row.assign(to.as_ref());
                details = json!({"assignee": to.as_ref().map(Actor::as_str)});
                audit::LEAD_ASSIGNED
            }
            Action::WithdrawConsent => {
                row.withdraw_consent(at).ok_or(InboxError::NoConsent)?;
                audit::CONSENT_WITHDRAWN
            }
            Action::Erase => {
                row.erase(at);
                audit::LEAD_ERASED
            }
            Action::Purge => {
                row.erase(at);
                audit::LEAD_PURGED
            }
            Action::Unanswered => audit::LEAD_UNANSWERED,
        };
        if let (Some(reason), Value::Object(members)) = (&self.reason, &mut details) {
            members.insert("reason".to_owned(), reason.as_str().into());
        }
        let audit = AuditRecord::new(
            Uuid::now_v7(),
            at,
            event.to_owned(),
            Some(self.actor.as_str().to_owned()),
            Some(row.id.as_uuid()),
            row.request_id,
            None,
            Some(details),
        );
        Ok(Rewrite { row, audit })
    }
}

fn moved(from: LeadStatus, to: LeadStatus) -> Value {
    json!({"from": from.as_str(), "to": to.as_str()})
}

impl LeadStatus {
    /// Returns where a lead in this status can be moved to, in the order of [`ALL`](Self::ALL). To leave quarantine for good, a lead is
    /// [released](super::InboxExt::release).
    ///
    /// ```
    /// use fastcore_leads::LeadStatus::{Archived, Processing, Received};
    ///
    /// assert!(Received.moves().eq([Processing, Archived]));
    /// assert_eq!(Archived.moves().count(), 0);
    /// ```
    pub fn moves(self) -> impl Iterator<Item = Self> {
        Self::ALL.iter().copied().filter(move |to| event_of_move(self, *to).is_some())
    }
}

/// The life of a lead: the event of a move that is allowed.
pub(super) fn event_of_move(from: LeadStatus, to: LeadStatus) -> Option<&'static str> {
    use LeadStatus::{Archived, Processing, Received, Resolved};

    match (from, to) {
        (Received | Resolved, Processing) => Some(audit::LEAD_PROCESSED),
        (Processing, Resolved) => Some(audit::LEAD_RESOLVED),
        (Processing, Received) => Some(audit::LEAD_RETURNED),
        (from, Archived) if from != Archived => Some(audit::LEAD_ARCHIVED),
        _ => None,
    }
}

impl std::fmt::Debug for Target {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Lead(id) => f.debug_tuple("Lead").field(id).finish(),
            Self::Email(_) => f.write_str("Email(..)"),
            Self::Due(due) => f.debug_tuple("Due").field(due).finish(),
        }
    }
}
