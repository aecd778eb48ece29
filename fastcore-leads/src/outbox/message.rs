use bytes::Bytes;

use super::{Body, Delivery, Payload, Subject};

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
