use std::borrow::Cow;

use super::{
    ConsentPolicy, Lead, ParseError,
    raw::{Object, Raw, RawConsent, RawLead, RawMeta},
};

/// A lead in Rust values, not checked yet: how a program that has no JSON makes a [`Lead`].
///
/// ```
/// use fastcore_leads::{ConsentPolicy, LeadDraft};
///
/// let lead = LeadDraft {
///     name: "Jean Dupont",
///     email: "jean@example.com",
///     message: "Mon compresseur ne démarre plus depuis hier",
///     consent: true,
///     source: "fast-techservices.com",
///     request_id: "f47ac10b-58cc-4372-a567-0e02b2c3d479",
///     ip_hash: "abc123def456",
///     timestamp_utc: "2024-01-03T10:30:45.123456Z",
///     ..LeadDraft::default()
/// }
/// .parse(ConsentPolicy::Recorded)?;
/// assert_eq!(lead.name(), "Jean Dupont");
/// # Ok::<(), fastcore_leads::ParseError>(())
/// ```
#[derive(Clone, Copy, Default)]
#[allow(missing_docs, reason = "each field is the member of the same name; the wire contract describes them")]
pub struct LeadDraft<'a> {
    pub name: &'a str,
    pub email: &'a str,
    pub phone: Option<&'a str>,
    pub company: Option<&'a str>,
    pub service: Option<&'a str>,
    pub message: &'a str,
    pub consent: bool,
    pub source: &'a str,
    pub request_id: &'a str,
    pub ip_hash: &'a str,
    pub user_agent_hash: Option<&'a str>,
    pub timestamp_utc: &'a str,
    pub consent_proof: Option<ConsentProofDraft<'a>>,
    pub suspicion: &'a [&'a str],
}

/// `meta.consent` of a [`LeadDraft`].
#[derive(Clone, Copy, Default)]
#[allow(missing_docs, reason = "each field is the member of the same name")]
pub struct ConsentProofDraft<'a> {
    pub version: &'a str,
    pub locale: &'a str,
    pub given_at: &'a str,
}

impl LeadDraft<'_> {
    /// Applies every rule that a request body is held to.
    ///
    /// # Errors
    /// [`ParseError::Invalid`] with every rule that is broken, in the order of the members; pointers are those of the JSON
    /// body.
    pub fn parse(&self, consent: ConsentPolicy) -> Result<Lead, ParseError> {
        let raw = RawLead {
            name: text(self.name),
            email: text(self.email),
            phone: optional(self.phone),
            company: optional(self.company),
            service: optional(self.service),
            message: text(self.message),
            consent: Raw::Bool(self.consent),
            meta: Object::Is(RawMeta {
                source: text(self.source),
                request_id: text(self.request_id),
                ip_hash: text(self.ip_hash),
                user_agent_hash: optional(self.user_agent_hash),
                timestamp_utc: text(self.timestamp_utc),
                consent: self.consent_proof.map_or(Object::Missing, |proof| {
                    Object::Is(RawConsent {
                        version: text(proof.version),
                        locale: text(proof.locale),
                        given_at: text(proof.given_at),
                    })
                }),
                suspicion: Raw::List(self.suspicion.iter().map(|code| text(code)).collect()),
            }),
        };
        Lead::from_raw(raw, consent).map_err(ParseError::Invalid)
    }
}

impl std::fmt::Debug for LeadDraft<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("LeadDraft").finish_non_exhaustive()
    }
}

impl std::fmt::Debug for ConsentProofDraft<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ConsentProofDraft").finish_non_exhaustive()
    }
}

fn text(value: &str) -> Raw<'_> {
    Raw::Text(Cow::Borrowed(value))
}

fn optional(value: Option<&str>) -> Raw<'_> {
    value.map_or(Raw::Missing, text)
}
