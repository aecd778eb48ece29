//! The audit log: who did what to which lead, and when. Append-only.

use std::{borrow::Cow, fmt, str::FromStr};

use chrono::{DateTime, Utc};
use uuid::Uuid;

use crate::{
    lead::{LeadId, limits},
    text::as_text,
};

/// The event of a lead that was taken in.
pub const LEAD_RECEIVED: &str = "LEAD_RECEIVED";

/// The event of a lead that somebody works on now.
pub const LEAD_PROCESSED: &str = "LEAD_PROCESSED";
/// The event of a lead that was answered.
pub const LEAD_RESOLVED: &str = "LEAD_RESOLVED";
/// The event of a lead that went back to those that nobody works on.
pub const LEAD_RETURNED: &str = "LEAD_RETURNED";
/// The event of a lead that was put away.
pub const LEAD_ARCHIVED: &str = "LEAD_ARCHIVED";
/// The event of a lead that somebody wrote a note about. The note is with the lead, and not in the log.
pub const LEAD_NOTED: &str = "LEAD_NOTED";
/// The event of a lead that was given to somebody to see to, or to nobody in particular.
pub const LEAD_ASSIGNED: &str = "LEAD_ASSIGNED";
/// The event of a lead that was let out of quarantine.
pub const LEAD_RELEASED: &str = "LEAD_RELEASED";
/// The event of a consent that was taken back.
pub const CONSENT_WITHDRAWN: &str = "CONSENT_WITHDRAWN";
/// The event of a lead that was erased at a person's wish.
pub const LEAD_ERASED: &str = "LEAD_ERASED";
/// The event of a lead that was erased because its time was up.
pub const LEAD_PURGED: &str = "LEAD_PURGED";

/// The event of a lead that somebody was shown in clear: at most once an hour for each lead and actor.
pub const LEAD_REVEALED: &str = "LEAD_REVEALED";
/// The event of leads that somebody was handed in clear: one row for all of them, which belongs to no lead.
pub const LEADS_EXPORTED: &str = "LEADS_EXPORTED";

/// The event of a lead that nobody has worked on for longer than the service level allows.
pub const LEAD_UNANSWERED: &str = "LEAD_UNANSWERED";

/// The event of an audit row that was redacted: its details name the row, and say why.
pub const AUDIT_REDACTED: &str = "AUDIT_REDACTED";
/// The event of a log whose tree was begun anew: its details name what was signed before, and say why.
pub const AUDIT_RESTARTED: &str = "AUDIT_RESTARTED";

/// One row of the audit log, as stored. `Debug` leaves the details out.
#[derive(Clone, PartialEq)]
#[non_exhaustive]
pub struct AuditRecord {
    /// The row's own id.
    pub id: Uuid,
    /// When it happened, in microseconds.
    pub created_at: DateTime<Utc>,
    /// What happened, such as [`LEAD_RECEIVED`].
    pub event: String,
    /// Who did it. Empty in rows of the FastAPI service that named nobody.
    pub actor: String,
    /// The lead that it happened to.
    pub lead_id: Option<LeadId>,
    /// The request that caused it.
    pub request_id: Uuid,
    /// The HTTP status of the answer.
    pub status_code: Option<i32>,
    /// More about the event; of the person what [`mask_email`](crate::mask_email) leaves, and hashes.
    pub details: serde_json::Value,
}

impl AuditRecord {
    /// Puts together what a database holds.
    #[allow(clippy::too_many_arguments, reason = "one for each column")]
    pub fn new(
        id: Uuid,
        created_at: DateTime<Utc>,
        event: String,
        actor: Option<String>,
        lead_id: Option<Uuid>,
        request_id: Uuid,
        status_code: Option<i32>,
        details: Option<serde_json::Value>,
    ) -> Self {
        Self {
            id,
            created_at,
            event,
            actor: actor.unwrap_or_default(),
            lead_id: lead_id.map(LeadId::from_uuid),
            request_id,
            status_code,
            details: details.unwrap_or_default(),
        }
    }
}

impl fmt::Debug for AuditRecord {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AuditRecord")
            .field("id", &self.id)
            .field("created_at", &self.created_at)
            .field("event", &self.event)
            .field("actor", &self.actor)
            .field("lead_id", &self.lead_id)
            .field("request_id", &self.request_id)
            .field("status_code", &self.status_code)
            .finish_non_exhaustive()
    }
}

/// Who acts: the `actor` of an audit row.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Actor(Cow<'static, str>);

impl Actor {
    /// The site, by a token of the environment variable.
    pub const SITE_INGEST: Self = Self(Cow::Borrowed("site_ingest"));

    /// Whoever watches that leads are answered in time.
    pub const SERVICE_LEVEL: Self = Self(Cow::Borrowed("service_level"));

    /// Names an actor.
    ///
    /// # Errors
    /// [`InvalidActor`] where the name is empty, longer than 50 characters, or holds a control character.
    pub fn new(name: impl Into<String>) -> Result<Self, InvalidActor> {
        let name = name.into();
        let is_long = !(limits::ACTOR.min..=limits::ACTOR.max).contains(&name.chars().count());
        if is_long || name.chars().any(char::is_control) {
            return Err(InvalidActor);
        }
        Ok(Self(Cow::Owned(name)))
    }

    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Actor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for Actor {
    type Err = InvalidActor;

    fn from_str(name: &str) -> Result<Self, InvalidActor> {
        Self::new(name)
    }
}

as_text!(Actor);

impl fmt::Debug for Actor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0, f)
    }
}

/// The text cannot name an actor.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("an actor's name has 1 to 50 characters, none of them a control character")]
pub struct InvalidActor;
