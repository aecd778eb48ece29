use std::fmt;

use bytes::Bytes;
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::{
    lead::{Lead, RequestId},
    time,
};

/// Returns the id that a lead is sent under: a UUIDv8 (RFC 9562, section 5.8) that follows from the lead's own request id, which is
/// its form's, and from what the visitor wrote.
///
/// The same form sent again is the same request, wherever the first one got to. A visitor who goes back, changes the message and
/// sends again says something new: that is another request, and again one, however often it is sent.
///
/// It is the first 16 bytes of the SHA-256 of the JSON text `["<request id>",{"company":…,"consent":…,"email":…,"message":…,
/// "name":…,"phone":…,"service":…}]`, without white space, with `null` for what is missing; version and variant are set.
pub fn request_id(lead: &Lead) -> RequestId {
    /// In the order of the alphabet, so that other languages need only sort.
    #[derive(Serialize)]
    struct Content<'a> {
        company: Option<&'a str>,
        consent: bool,
        email: &'a str,
        message: &'a str,
        name: &'a str,
        phone: Option<&'a str>,
        service: Option<&'static str>,
    }
    let form = lead.meta().request_id();
    let content = Content {
        company: lead.company(),
        consent: lead.consent(),
        email: lead.email().as_str(),
        message: lead.message(),
        name: lead.name(),
        phone: lead.phone(),
        service: lead.service().map(crate::lead::Service::as_str),
    };
    // Structs of text always serialise.
    let digest = Sha256::digest(serde_json::to_vec(&(form, content)).unwrap_or_default());
    let mut bytes = [0; 16];
    bytes.copy_from_slice(&digest[..16]);
    // Its version and variant make it neither nil nor max.
    RequestId::new(uuid::Builder::from_custom_bytes(bytes).into_uuid()).unwrap_or(form)
}

/// A lead on its way: the body of its request. `Debug` shows nothing but the request id.
#[derive(Clone, PartialEq)]
pub(super) struct Envelope {
    request_id: RequestId,
    sent_at: DateTime<Utc>,
    body: Bytes,
}

impl Envelope {
    pub(super) fn new(lead: &Lead) -> Self {
        let request_id = request_id(lead);
        let body = lead.to_body_under(request_id).into();
        Self { request_id, sent_at: lead.meta().timestamp_utc(), body }
    }

    /// Reads a body that was kept. Whether it keeps all rules is FASTCore's to say: a rule may have changed since.
    pub(super) fn from_body(body: Vec<u8>) -> Option<Self> {
        #[derive(Deserialize)]
        struct Body<'a> {
            #[serde(borrow)]
            meta: Meta<'a>,
        }
        #[derive(Deserialize)]
        struct Meta<'a> {
            request_id: RequestId,
            #[serde(borrow)]
            timestamp_utc: std::borrow::Cow<'a, str>,
        }
        let meta = serde_json::from_slice::<Body<'_>>(&body).ok()?.meta;
        let (request_id, sent_at) = (meta.request_id, time::parse(&meta.timestamp_utc)?);
        Some(Self { request_id, sent_at, body: body.into() })
    }

    pub(super) fn request_id(&self) -> RequestId {
        self.request_id
    }

    /// When the visitor sent it.
    pub(super) fn sent_at(&self) -> DateTime<Utc> {
        self.sent_at
    }

    /// The request's body.
    pub(super) fn body(&self) -> &Bytes {
        &self.body
    }
}

impl fmt::Debug for Envelope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Envelope").field("request_id", &self.request_id).finish_non_exhaustive()
    }
}
