use chrono::{DateTime, TimeDelta, Utc};

use super::Cursor;
use crate::{
    audit::{LEAD_PROCESSED, LEAD_RESOLVED},
    lead::LeadStatus,
};

/// How long leads are kept. What is older is erased by [`InboxExt::purge`](super::InboxExt::purge): the row stays as a
/// tombstone, so that a late retry does not bring the person back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Retention {
    /// Leads without contact for so many days. Contact is the lead itself, a move to processing or resolved, and a later
    /// lead from the same address that is not in quarantine. A lead counts from when it was received; one that was taken in with
    /// [`IngestBuilder::keeping_instants`](crate::IngestBuilder::keeping_instants), as `leadctl import` does, from when its sender says that it
    /// came: of an archive, much may be due at once. None: kept.
    pub without_contact_days: Option<u32>,
    /// Leads in quarantine, from the day that they came. None: kept.
    pub quarantine_days: Option<u32>,
}

impl Default for Retention {
    /// Three years, the usual figure for prospects of the CNIL, the French data-protection authority ("référentiel
    /// relatif aux traitements ... de gestion des activités commerciales"); 30 days in quarantine.
    fn default() -> Self {
        Self { without_contact_days: Some(3 * 365), quarantine_days: Some(30) }
    }
}

impl Retention {
    /// What is due at an instant, status by status.
    pub(super) fn due(self, now: DateTime<Utc>) -> Vec<Due> {
        // So long ago that there is no such instant: nothing is due.
        let before = |days: u32| now.checked_sub_signed(TimeDelta::days(i64::from(days)));
        let statuses = LeadStatus::ALL.iter().copied().map(Some).chain([None]);
        statuses
            .filter_map(|status| {
                let (days, unless) = match status {
                    Some(LeadStatus::Quarantined) => (self.quarantine_days?, Unless::Never),
                    _ => (self.without_contact_days?, Unless::Contact),
                };
                Some(Due { status, before: before(days)?, unless, after: None, until: None, limit: BATCH })
            })
            .collect()
    }
}

/// Leads of a transaction: few enough that nobody waits long for its locks.
pub(super) const BATCH: u32 = 100;

/// The events that are contact.
pub(crate) const CONTACTS: [&str; 2] = [LEAD_PROCESSED, LEAD_RESOLVED];

/// Leads of one status that are due, in the order of their coming.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Due {
    /// Of this status; none: of any that this version does not know.
    pub status: Option<LeadStatus>,
    /// Taken in before this instant.
    pub before: DateTime<Utc>,
    /// What since then keeps a lead from being one of them.
    pub unless: Unless,
    /// Only those behind this place.
    pub after: Option<Cursor>,
    /// Only those up to this place, it included.
    pub until: Option<Cursor>,
    /// So many are looked at, at most; of those, the ones that something keeps are left out.
    pub limit: u32,
}

impl Due {
    /// Whether a lead in this status is one of them.
    pub(crate) fn reaches(&self, status: &str) -> bool {
        status.parse::<LeadStatus>().ok() == self.status
    }
}

/// What keeps a lead from being due.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unless {
    /// Nothing.
    Never,
    /// Contact: a move to processing or resolved, or a later lead from the same address that is not in quarantine.
    Contact,
    /// Anything that was audited, or that it was audited as [unanswered](crate::audit::LEAD_UNANSWERED) whenever.
    Touched,
}

/// What a purge did, or would do.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PurgeReport {
    /// Leads without contact.
    pub without_contact: u64,
    /// Leads in quarantine.
    pub quarantined: u64,
}

impl PurgeReport {
    /// All together.
    pub fn total(&self) -> u64 {
        self.without_contact + self.quarantined
    }

    pub(super) fn count(&mut self, status: Option<LeadStatus>, leads: usize) {
        let leads = u64::try_from(leads).unwrap_or(u64::MAX);
        match status {
            Some(LeadStatus::Quarantined) => self.quarantined += leads,
            _ => self.without_contact += leads,
        }
    }
}
