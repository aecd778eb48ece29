use chrono::{DateTime, TimeDelta, Utc};
use fastcore_leads::pseudonym::Pepper;
use sha2::{Digest, Sha256};
use uuid::Uuid;

use crate::{from_hexadecimal, hexadecimal};

const PURPOSE: &str = "ticket of a contact form";

/// What goes out with a form and comes back with its post: the request id, and when the form was shown. Signed, so that
/// nobody can choose either.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Ticket {
    request_id: Uuid,
    shown_at: DateTime<Utc>,
    text: String,
}

impl Ticket {
    /// For a form that is shown now.
    pub(super) fn issue(pepper: &Pepper) -> Self {
        Self::sign(pepper, Uuid::now_v7(), Utc::now())
    }

    /// For a post without a ticket: its content says which it is, so that its repetitions are one lead too.
    pub(super) fn of_content(pepper: &Pepper, content: &[u8], visitor: &str) -> Self {
        let digest = pepper.sign(visitor, content);
        let mut bytes = [0; 16];
        bytes.copy_from_slice(&Sha256::digest(digest)[..16]);
        Self::sign(pepper, uuid::Builder::from_custom_bytes(bytes).into_uuid(), Utc::now())
    }

    fn sign(pepper: &Pepper, request_id: Uuid, shown_at: DateTime<Utc>) -> Self {
        let signed = format!("{}.{}", request_id.simple(), shown_at.timestamp_millis());
        let signature = hexadecimal(&pepper.sign(PURPOSE, signed.as_bytes()));
        Self { request_id, shown_at, text: format!("{signed}.{signature}") }
    }

    /// Reads a ticket that came back; `None` where it is none of ours.
    pub(super) fn read(pepper: &Pepper, text: &str) -> Option<Self> {
        let (signed, signature) = text.rsplit_once('.')?;
        let signature = from_hexadecimal(signature)?;
        if !pepper.has_signed(PURPOSE, signed.as_bytes(), &signature) {
            return None;
        }
        let (request_id, shown_at) = signed.split_once('.')?;
        let shown_at = DateTime::from_timestamp_millis(shown_at.parse().ok()?)?;
        Some(Self { request_id: request_id.parse().ok()?, shown_at, text: text.to_owned() })
    }

    pub(super) fn request_id(&self) -> Uuid {
        self.request_id
    }

    /// How long ago the form was shown; nothing where clocks disagree.
    pub(super) fn age(&self, now: DateTime<Utc>) -> Option<TimeDelta> {
        Some(now - self.shown_at).filter(|age| *age >= TimeDelta::zero())
    }

    pub(super) fn as_str(&self) -> &str {
        &self.text
    }
}
