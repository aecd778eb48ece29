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
    /// Writes a lead as the endpoint takes it, under a request id that follows from the lead's own, which is its form's, and
    /// from its content.
    ///
    /// The same form sent again is the same request, wherever the first one got to. A visitor who goes back, changes the
    /// message and sends again says something new: that is another request, and again one, however often it is sent.
    pub fn new(lead: &Lead) -> Self {
        let meta = lead.meta();
        let proof = meta
            .consent()
            .map(|proof| json!({"version": proof.version(), "locale": proof.locale(), "given_at": proof.given_at()}));
        let content = json!({
            "name": lead.name(),
            "email": lead.email().as_str(),
            "phone": lead.phone(),
            "company": lead.company(),
            "service": lead.service().map(fastcore_leads::Service::as_str),
            "message": lead.message(),
            "consent": lead.consent(),
        });
        let request_id = id_of(meta.request_id().as_uuid(), &content);
        let mut body = content;
        body["meta"] = json!({
            "source": meta.source(),
            "request_id": request_id,
            "ip_hash": meta.ip_hash(),
            "user_agent_hash": meta.user_agent_hash(),
            "timestamp_utc": format(meta.timestamp_utc()),
            "consent": proof,
            "suspicion": meta.suspicion(),
        });
        Self { request_id, body }
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
}

impl fmt::Debug for Envelope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Envelope").field("request_id", &self.request_id).finish_non_exhaustive()
    }
}

/// A UUIDv8 (RFC 9562, section 5.8).
fn id_of(form: Uuid, content: &Value) -> Uuid {
    let digest = Sha256::digest(json!([form, content]).to_string());
    let mut bytes = [0; 16];
    bytes.copy_from_slice(&digest[..16]);
    uuid::Builder::from_custom_bytes(bytes).into_uuid()
}

fn format(instant: DateTime<Utc>) -> String {
    instant.to_rfc3339_opts(SecondsFormat::Micros, true)
}
