use std::fmt;

use chrono::{DateTime, SecondsFormat, Utc};
use fastcore_leads::Lead;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use uuid::Uuid;

/// A lead on its way: the body of its request. `Debug` shows nothing but the request id.
#[derive(Clone, PartialEq)]
pub struct Envelope {
    request_id: Uuid,
    body: Value,
}

impl Envelope {
    /// Writes a lead as the endpoint takes it.
    pub fn new(lead: &Lead) -> Self {
        let meta = lead.meta();
        let proof = meta
            .consent()
            .map(|proof| json!({"version": proof.version(), "locale": proof.locale(), "given_at": proof.given_at()}));
        let body = json!({
            "name": lead.name(),
            "email": lead.email().as_str(),
            "phone": lead.phone(),
            "company": lead.company(),
            "service": lead.service().map(fastcore_leads::Service::as_str),
            "message": lead.message(),
            "consent": lead.consent(),
            "meta": {
                "source": meta.source(),
                "request_id": meta.request_id().as_uuid(),
                "ip_hash": meta.ip_hash(),
                "user_agent_hash": meta.user_agent_hash(),
                "timestamp_utc": format(meta.timestamp_utc()),
                "consent": proof,
                "suspicion": meta.suspicion(),
            },
        });
        Self { request_id: meta.request_id().as_uuid(), body }
    }

    /// Reads what [`to_bytes`](Self::to_bytes) wrote.
    pub(super) fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let body: Value = serde_json::from_slice(bytes).ok()?;
        let request_id = body["meta"]["request_id"].as_str()?.parse().ok()?;
        Some(Self { request_id, body })
    }

    /// The request's body.
    pub fn to_bytes(&self) -> Vec<u8> {
        self.body.to_string().into_bytes()
    }

    /// The lead's request id.
    pub fn request_id(&self) -> Uuid {
        self.request_id
    }

    /// Whether the same visitor said the same: what FASTCore compares where a request id comes again.
    pub(super) fn has_same_content(&self, other: &Self) -> bool {
        self.content() == other.content()
    }

    /// Takes another request id, which follows from the first and from the content.
    ///
    /// A visitor who goes back, changes the message and sends again says something new under the old form's id. It is a
    /// lead of its own, and again one, however often it is sent.
    pub(super) fn move_to_another_id(&mut self) {
        let digest = Sha256::digest(json!([self.request_id, self.content()]).to_string());
        let mut bytes = [0; 16];
        bytes.copy_from_slice(&digest[..16]);
        self.request_id = uuid::Builder::from_custom_bytes(bytes).into_uuid();
        self.body["meta"]["request_id"] = self.request_id.to_string().into();
    }

    fn content(&self) -> Value {
        let mut content = self.body.clone();
        if let Value::Object(members) = &mut content {
            members.remove("meta");
        }
        content
    }
}

impl fmt::Debug for Envelope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Envelope").field("request_id", &self.request_id).finish_non_exhaustive()
    }
}

fn format(instant: DateTime<Utc>) -> String {
    instant.to_rfc3339_opts(SecondsFormat::Micros, true)
}
