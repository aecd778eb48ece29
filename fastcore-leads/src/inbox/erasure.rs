use chrono::{DateTime, Utc};
use uuid::Uuid;

use crate::{lead::LeadId, store::StoredLead};

/// That a lead was erased, at a person's wish or by a purge: a place in the order of erasures, too.
///
/// A back-up that is restored has leads that were erased since. What was erased is listed by
/// [`LeadInbox::erased`](crate::LeadInbox::erased), to be erased again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Erasure {
    /// When.
    pub erased_at: DateTime<Utc>,
    /// Which lead.
    pub lead_id: LeadId,
}

impl Erasure {
    /// The place in front of all erasures at an instant and later.
    pub fn from(instant: DateTime<Utc>) -> Self {
        Self { erased_at: instant, lead_id: LeadId::from_uuid(Uuid::nil()) }
    }

    /// The erasure of a lead; none where it is not erased.
    pub fn of(lead: &StoredLead) -> Option<Self> {
        Some(Self { erased_at: lead.erased_at_utc?, lead_id: lead.id })
    }
}
