use std::fmt;

use uuid::Uuid;

use crate::{
    outbox::Event,
    store::{LeadOutbox, StoreError},
};

/// A place in the log: behind an event. It names the event too, since a database that was put back to an earlier state gives its
/// number to another.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Cursor {
    pub(super) sequence: u64,
    audit_id: Uuid,
}

impl Cursor {
    pub(super) fn behind(event: &Event) -> Self {
        Self { sequence: event.sequence, audit_id: event.audit_id }
    }

    /// Reads what [`Display`](fmt::Display) writes, and nothing else.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let cursor = match text.split_once('-') {
            None if text == "0" => Self::default(),
            None => return None,
            Some((sequence, id)) => {
                let sequence = sequence.parse().ok().filter(|sequence| i64::try_from(*sequence).is_ok())?;
                Self { sequence, audit_id: Uuid::try_parse(id).ok()? }
            }
        };
        (cursor.to_string() == text).then_some(cursor)
    }

    /// Whether the log has this place.
    pub(super) async fn is_in(self, store: &dyn LeadOutbox) -> Result<bool, StoreError> {
        let Some(before) = self.sequence.checked_sub(1) else { return Ok(true) };
        Ok(store.events(before, 1).await?.first().map(Self::behind) == Some(self))
    }
}

impl fmt::Display for Cursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.sequence {
            0 => f.write_str("0"),
            sequence => write!(f, "{sequence}-{}", self.audit_id.simple()),
        }
    }
}
