use super::change::event_of_move;
use crate::{
    audit::{self, AuditRecord},
    lead::LeadStatus,
};

/// What a lead's audit trail says about it: its state, rebuilt from its history.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LeadState {
    /// Where it is in its life.
    pub status: LeadStatus,
    /// Whether the person has taken the consent back.
    pub is_consent_withdrawn: bool,
    /// Whether it was erased, at a person's wish or by a purge.
    pub is_erased: bool,
}

impl LeadState {
    /// Walks a trail, oldest row first, and checks each step.
    ///
    /// # Errors
    /// [`BrokenTrail`] at the first row that cannot follow from those before.
    pub fn from_trail(trail: &[AuditRecord]) -> Result<Self, BrokenTrail> {
        let mut state = None;
        for (row, record) in trail.iter().enumerate() {
            // Whoever was shown a lead may have been shown it while it was erased, or by a clock that is behind.
            if record.event == audit::LEAD_REVEALED {
                continue;
            }
            let is_in_order = row == 0 || trail[row - 1].created_at <= record.created_at;
            let next = if is_in_order { step(state, record) } else { None };
            state = Some(next.ok_or(BrokenTrail { row })?);
        }
        state.ok_or(BrokenTrail { row: 0 })
    }
}

fn step(state: Option<LeadState>, record: &AuditRecord) -> Option<LeadState> {
    let status = |member: &str| record.details[member].as_str().and_then(|word| word.parse::<LeadStatus>().ok());
    let Some(state) = state else {
        let status = status("status").unwrap_or(LeadStatus::Received);
        let is_first = record.event == audit::LEAD_RECEIVED;
        return is_first.then_some(LeadState { status, is_consent_withdrawn: false, is_erased: false });
    };
    if state.is_erased {
        return None;
    }
    match record.event.as_str() {
        audit::LEAD_ERASED | audit::LEAD_PURGED => Some(LeadState { is_erased: true, ..state }),
        audit::CONSENT_WITHDRAWN if !state.is_consent_withdrawn => {
            Some(LeadState { is_consent_withdrawn: true, ..state })
        }
        audit::LEAD_UNANSWERED if state.status == LeadStatus::Received => Some(state),
        audit::LEAD_NOTED | audit::LEAD_ASSIGNED => Some(state),
        event => {
            let (from, to) = (status("from")?, status("to")?);
            let is_release =
                event == audit::LEAD_RELEASED && (from, to) == (LeadStatus::Quarantined, LeadStatus::Received);
            let is_allowed = is_release || event_of_move(from, to) == Some(event);
            (from == state.status && is_allowed).then_some(LeadState { status: to, ..state })
        }
    }
}

/// A trail that no lead can have: rows are missing, or were not written by this library.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("row {row} of the audit trail, counted from 0, does not follow from those before it")]
pub struct BrokenTrail {
    /// The first row that does not follow.
    pub row: usize,
}
