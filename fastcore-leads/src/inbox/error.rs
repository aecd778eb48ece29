use crate::{
    lead::{LeadStatus, limits::MAX_NOTES},
    store::StoreError,
};

/// Why a change to a lead was not made. Nothing was written, but for a [`Store`](Self::Store) error whose kind says that
/// it may have been.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum InboxError {
    /// There is no such lead.
    #[error("there is no lead with this id")]
    NotFound,
    /// The lead is not in the status that the caller saw: look again, then decide again.
    #[error("the lead is {current} by now: look at it again")]
    StatusChanged {
        /// The status that it is in.
        current: LeadStatus,
    },
    /// The lead's life does not go that way.
    #[error("a lead cannot go from {from} to {to}")]
    IllegalMove {
        /// The status that it is in.
        from: LeadStatus,
        /// The status that was asked for.
        to: LeadStatus,
    },
    /// Only a lead in quarantine can be released.
    #[error("the lead is {current}, not quarantined")]
    NotQuarantined {
        /// The status that it is in.
        current: LeadStatus,
    },
    /// The lead is somebody else's than the caller saw: look again, then decide again.
    #[error("somebody else was given the lead meanwhile: look at it again")]
    AssigneeChanged,
    /// The lead has as many notes as it may have.
    #[error("the lead has {MAX_NOTES} notes, and no more are kept")]
    TooManyNotes,
    /// There is no consent to withdraw.
    #[error("the person has given no consent with this lead, or has withdrawn it already")]
    NoConsent,
    /// The lead was erased: only its tombstone is left.
    #[error("the lead was erased")]
    Erased,
    /// The reason holds something of the person; the audit log keeps reasons for ever, also after an erasure.
    #[error("the reason names the person: the audit log keeps it also after an erasure, so say it without")]
    ReasonNamesPerson,
    /// The row holds a status that this version does not know.
    #[error("the lead is in a status that this version does not know")]
    UnknownStatus,
    /// The database could not do it.
    #[error(transparent)]
    Store(#[from] StoreError),
}
