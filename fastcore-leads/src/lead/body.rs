use serde::Serialize;

use super::{ConsentProof, Lead, LeadMeta, RequestId};
use crate::time;

/// A lead as the endpoint takes it. Members stand in the order of the contract.
#[derive(Serialize)]
struct Body<'a> {
    name: &'a str,
    email: &'a str,
    phone: Option<&'a str>,
    company: Option<&'a str>,
    service: Option<&'static str>,
    message: &'a str,
    consent: bool,
    meta: Meta<'a>,
}

#[derive(Serialize)]
struct Meta<'a> {
    source: &'a str,
    request_id: RequestId,
    ip_hash: &'a str,
    user_agent_hash: Option<&'a str>,
    timestamp_utc: String,
    consent: Option<Proof<'a>>,
    suspicion: &'a [String],
}

#[derive(Serialize)]
struct Proof<'a> {
    version: &'a str,
    locale: &'a str,
    given_at: &'a str,
}

impl Lead {
    /// Writes the lead as a request's body: [`Lead::parse`] makes the same lead of it again.
    pub fn to_body(&self) -> Vec<u8> {
        self.to_body_under(self.meta.request_id)
    }

    /// The same under another request id.
    pub(crate) fn to_body_under(&self, request_id: RequestId) -> Vec<u8> {
        // Taken apart by name: a member that is added to a lead and not written here does not compile.
        let Self { name, email, phone, company, service, message, consent, meta } = self;
        let LeadMeta { source, request_id: _, ip_hash, user_agent_hash, timestamp_utc, consent: proof, suspicion } =
            meta;
        let body = Body {
            name,
            email: email.as_str(),
            phone: phone.as_deref(),
            company: company.as_deref(),
            service: service.map(super::Service::as_str),
            message,
            consent: *consent,
            meta: Meta {
                source,
                request_id,
                ip_hash,
                user_agent_hash: user_agent_hash.as_deref(),
                timestamp_utc: time::format(*timestamp_utc),
                consent: proof.as_ref().map(|ConsentProof { version, locale, given_at }| Proof {
                    version,
                    locale,
                    given_at,
                }),
                suspicion,
            },
        };
        // Structs of text and numbers always serialise.
        serde_json::to_vec(&body).unwrap_or_default()
    }
}
