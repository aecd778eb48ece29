use bytes::Bytes;
use sha2::{Digest, Sha256};

use super::{Body, CheckpointDelivery, Delivery, Payload, Subject, body::CheckpointBody};
use crate::text::hexadecimal;

/// An event with the lead as it is when it is sent.
#[derive(Clone, Debug)]
pub struct Message {
    /// What is sent, and which attempt it is.
    pub delivery: Delivery,
    /// The lead.
    pub subject: Subject,
}

impl Message {
    /// The id of the event, the same over all attempts: `evt_...`.
    pub fn id(&self) -> String {
        self.delivery.event.id()
    }

    /// Whether there is something to be said: of a lead that was erased, only that.
    pub fn has_something_to_say(&self) -> bool {
        self.subject.is_told(self.delivery.event.event_type)
    }

    /// The body of a webhook's request.
    pub fn to_json(&self, payload: Payload) -> Bytes {
        let body = Body::of(&self.delivery.event, &self.subject, payload);
        // Structs of texts and numbers always serialise.
        serde_json::to_vec(&body).unwrap_or_default().into()
    }
}

impl CheckpointDelivery {
    /// The id of the checkpoint, the same over all attempts and whoever signed it besides: `chk_...`.
    pub fn id(&self) -> String {
        let signed = self.checkpoint.split("\n\n").next().unwrap_or_default();
        format!("chk_{}", hexadecimal(&Sha256::digest(signed)[..16]))
    }

    /// The body of a webhook's request.
    pub fn to_json(&self) -> Bytes {
        serde_json::to_vec(&CheckpointBody::of(self)).unwrap_or_default().into()
    }
}
