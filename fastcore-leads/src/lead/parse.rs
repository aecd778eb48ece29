//! From a request body to a [`Lead`]: every rule of the contract, every fault at once, in the order of the members.

use std::{
    borrow::Cow,
    net::{IpAddr, SocketAddr},
};

use chrono::{DateTime, Utc};
use oxilangtag::LanguageTag;

use super::{
    ConsentProof, EmailAddress, Lead, LeadMeta, RequestId, Service,
    limits::{self, Length},
    raw::{Object, Raw, RawConsent, RawLead, RawMeta},
    violation::{Violation, ViolationCode},
};
use crate::time;

/// What a service makes of `consent: false`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ConsentPolicy {
    /// Either answer is accepted and stored.
    #[default]
    Recorded,
    /// `false` is refused with [`ViolationCode::ConsentRequired`].
    Required,
}

/// Why a request body is no lead.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ParseError {
    /// Not one well-formed JSON object.
    #[error("the body is not one JSON object")]
    Malformed,
    /// An object, but members break rules: all of them, in the order of the contract's table.
    #[error("{}", .0.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"))]
    Invalid(Vec<Violation>),
}

impl Lead {
    /// Parses the body of a request.
    ///
    /// The caller bounds the body; [`limits::MAX_BODY_BYTES`] is what the endpoint takes.
    ///
    /// # Errors
    /// [`ParseError::Malformed`] where the bytes are not one JSON object in UTF-8, [`ParseError::Invalid`] with every
    /// rule that its members break.
    pub fn parse(body: &[u8], consent: ConsentPolicy) -> Result<Self, ParseError> {
        let raw = RawLead::from_json(body).map_err(|_| ParseError::Malformed)?;
        Self::from_raw(raw, consent).map_err(ParseError::Invalid)
    }

    pub(super) fn from_raw(raw: RawLead<'_>, policy: ConsentPolicy) -> Result<Self, Vec<Violation>> {
        let mut faults = Faults::default();
        let name = faults.required_text("/name", raw.name, limits::NAME);
        let email = faults.email("/email", raw.email);
        let phone = faults.optional_text("/phone", raw.phone, limits::PHONE);
        let company = faults.optional_text("/company", raw.company, limits::COMPANY);
        let service = faults.service("/service", raw.service);
        let message = faults.message("/message", raw.message);
        let consent = faults.consent("/consent", &raw.consent, policy);
        let meta = match raw.meta {
            Object::Is(meta) => faults.meta(meta),
            Object::Missing => faults.refuse("/meta", ViolationCode::Required),
            Object::Wrong => faults.refuse("/meta", ViolationCode::NotAnObject),
        };
        match (name, email, message, consent, meta) {
            (Some(name), Some(email), Some(message), Some(consent), Some(meta)) if faults.0.is_empty() => {
                Ok(Self { name, email, phone, company, service, message, consent, meta })
            }
            _ => Err(faults.0),
        }
    }
}

/// Collects violations. Each method returns the value, or `None` after it noted what is wrong with it; for an optional
/// member `None` may also mean "none", which is why the caller looks at the list in the end.
#[derive(Default)]
struct Faults(Vec<Violation>);

impl Faults {
    fn refuse<T>(&mut self, pointer: impl Into<Cow<'static, str>>, code: ViolationCode) -> Option<T> {
        self.0.push(Violation::new(pointer, code));
        None
    }

    fn meta(&mut self, raw: RawMeta<'_>) -> Option<LeadMeta> {
        let source = self.required_text("/meta/source", raw.source, limits::SOURCE);
        let request_id = self.request_id("/meta/request_id", raw.request_id);
        let ip_hash = self.ip_hash("/meta/ip_hash", raw.ip_hash);
        let user_agent_hash = self.user_agent_hash("/meta/user_agent_hash", raw.user_agent_hash);
        let timestamp_utc = self.timestamp("/meta/timestamp_utc", raw.timestamp_utc);
        let consent = match raw.consent {
            Object::Is(proof) => self.consent_proof(proof),
            Object::Missing => None,
            Object::Wrong => self.refuse("/meta/consent", ViolationCode::NotAnObject),
        };
        let suspicion = self.suspicion("/meta/suspicion", raw.suspicion);
        Some(LeadMeta {
            source: source?,
            request_id: request_id?,
            ip_hash: ip_hash?,
            user_agent_hash,
            timestamp_utc: timestamp_utc?,
            consent,
            suspicion: suspicion?,
        })
    }

    fn consent_proof(&mut self, raw: RawConsent<'_>) -> Option<ConsentProof> {
        let version = self.required_text("/meta/consent/version", raw.version, limits::CONSENT_VERSION);
        let locale = self.required_text("/meta/consent/locale", raw.locale, limits::CONSENT_LOCALE);
        let locale = locale.and_then(|tag| {
            if LanguageTag::parse(tag.as_str()).is_ok() {
                Some(tag)
            } else {
                self.refuse("/meta/consent/locale", ViolationCode::LocaleInvalid)
            }
        });
        let given_at = self.required("/meta/consent/given_at", raw.given_at).and_then(|text| {
            if time::parse(&text).is_some() {
                Some(text.into_owned())
            } else {
                self.refuse("/meta/consent/given_at", ViolationCode::TimestampInvalid)
            }
        });
        Some(ConsentProof { version: version?, locale: locale?, given_at: given_at? })
    }

    fn message(&mut self, pointer: &'static str, raw: Raw<'_>) -> Option<String> {
        let text = self.required(pointer, raw)?;
        let text = with_line_feeds(&text);
        self.checked_text(pointer, &text, limits::MESSAGE, |c| !matches!(c, '\n' | '\r' | '\t') && c.is_control())
    }

    fn required_text(&mut self, pointer: &'static str, raw: Raw<'_>, length: Length) -> Option<String> {
        let text = self.required(pointer, raw)?;
        self.checked_text(pointer, &text, length, char::is_control)
    }

    fn optional_text(&mut self, pointer: &'static str, raw: Raw<'_>, length: Length) -> Option<String> {
        let text = self.optional(pointer, raw)?;
        self.checked_text(pointer, &text, length, char::is_control)
    }

    fn checked_text(
        &mut self,
        pointer: &'static str,
        text: &str,
        length: Length,
        is_refused: impl Fn(char) -> bool,
    ) -> Option<String> {
        let text = text.trim();
        let before = self.0.len();
        if text.chars().any(is_refused) {
            self.0.push(Violation::new(pointer, ViolationCode::ControlCharacter));
        }
        self.length(pointer, text, length);
        (self.0.len() == before).then(|| text.to_owned())
    }

    fn length(&mut self, pointer: impl Into<Cow<'static, str>>, text: &str, Length { min, max }: Length) {
        // A code point has one byte at least: most texts need no counting.
        if text.len() >= min * 4 && text.len() <= max {
            return;
        }
        match text.chars().count() {
            n if n < min => self.0.push(Violation::bounded(pointer, ViolationCode::TooShort, min)),
            n if n > max => self.0.push(Violation::bounded(pointer, ViolationCode::TooLong, max)),
            _ => {}
        }
    }

    fn email(&mut self, pointer: &'static str, raw: Raw<'_>) -> Option<EmailAddress> {
        let text = self.required(pointer, raw)?;
        // As `EmailStr` has it: white space around is trimmed, but a line break is never part of an address.
        let address = if text.contains(['\r', '\n']) { "" } else { text.trim() };
        EmailAddress::parse(address).ok().or_else(|| self.refuse(pointer, ViolationCode::EmailInvalid))
    }

    fn service(&mut self, pointer: &'static str, raw: Raw<'_>) -> Option<Service> {
        let text = self.optional(pointer, raw)?;
        text.parse().ok().or_else(|| self.refuse(pointer, ViolationCode::ServiceUnknown))
    }

    fn consent(&mut self, pointer: &'static str, raw: &Raw<'_>, policy: ConsentPolicy) -> Option<bool> {
        match raw {
            Raw::Bool(false) if policy == ConsentPolicy::Required => {
                self.refuse(pointer, ViolationCode::ConsentRequired)
            }
            Raw::Bool(consent) => Some(*consent),
            Raw::Missing | Raw::Null => self.refuse(pointer, ViolationCode::Required),
            _ => self.refuse(pointer, ViolationCode::NotABoolean),
        }
    }

    fn request_id(&mut self, pointer: &'static str, raw: Raw<'_>) -> Option<RequestId> {
        let text = self.required(pointer, raw)?;
        text.parse().ok().or_else(|| self.refuse(pointer, ViolationCode::UuidInvalid))
    }

    fn ip_hash(&mut self, pointer: &'static str, raw: Raw<'_>) -> Option<String> {
        let hash = self.required(pointer, raw)?;
        let hash = self.hash(pointer, hash)?;
        if is_address(&hash) {
            return self.refuse(pointer, ViolationCode::IpAddress);
        }
        Some(hash)
    }

    fn user_agent_hash(&mut self, pointer: &'static str, raw: Raw<'_>) -> Option<String> {
        let hash = self.optional(pointer, raw)?;
        self.hash(pointer, hash)
    }

    fn hash(&mut self, pointer: &'static str, hash: Cow<'_, str>) -> Option<String> {
        let before = self.0.len();
        if hash.chars().any(char::is_control) {
            self.0.push(Violation::new(pointer, ViolationCode::ControlCharacter));
        } else if !hash.bytes().all(|byte| byte.is_ascii_graphic()) {
            self.0.push(Violation::new(pointer, ViolationCode::HashInvalid));
        }
        self.length(pointer, &hash, limits::HASH);
        (self.0.len() == before).then(|| hash.into_owned())
    }

    fn timestamp(&mut self, pointer: &'static str, raw: Raw<'_>) -> Option<DateTime<Utc>> {
        let text = self.required(pointer, raw)?;
        time::parse(&text).or_else(|| self.refuse(pointer, ViolationCode::TimestampInvalid))
    }

    fn suspicion(&mut self, pointer: &'static str, raw: Raw<'_>) -> Option<Vec<String>> {
        let items = match raw {
            Raw::Missing | Raw::Null => return Some(Vec::new()),
            Raw::List(items) => items,
            _ => return self.refuse(pointer, ViolationCode::NotAList),
        };
        if items.len() > limits::MAX_SUSPICION_CODES {
            self.0.push(Violation::bounded(pointer, ViolationCode::TooMany, limits::MAX_SUSPICION_CODES));
            return None;
        }
        let codes: Vec<_> = items
            .into_iter()
            .enumerate()
            .map(|(i, item)| self.suspicion_code(format!("{pointer}/{i}"), item))
            .collect();
        codes.into_iter().collect()
    }

    fn suspicion_code(&mut self, pointer: String, raw: Raw<'_>) -> Option<String> {
        let Raw::Text(code) = raw else {
            return self.refuse(pointer, ViolationCode::NotAString);
        };
        let before = self.0.len();
        if !code.bytes().all(|byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'_')) {
            self.0.push(Violation::new(pointer.clone(), ViolationCode::SuspicionInvalid));
        }
        self.length(pointer, &code, limits::SUSPICION_CODE);
        (self.0.len() == before).then(|| code.into_owned())
    }

    fn required<'a>(&mut self, pointer: &'static str, raw: Raw<'a>) -> Option<Cow<'a, str>> {
        match raw {
            Raw::Text(text) => Some(text),
            Raw::Missing | Raw::Null => self.refuse(pointer, ViolationCode::Required),
            _ => self.refuse(pointer, ViolationCode::NotAString),
        }
    }

    fn optional<'a>(&mut self, pointer: &'static str, raw: Raw<'a>) -> Option<Cow<'a, str>> {
        match raw {
            Raw::Text(text) if text.trim().is_empty() => None,
            Raw::Text(text) => Some(text),
            Raw::Missing | Raw::Null => None,
            _ => self.refuse(pointer, ViolationCode::NotAString),
        }
    }
}

/// Line breaks as the contract counts, compares and stores them: CR LF and CR become LF.
pub(crate) fn with_line_feeds(text: &str) -> Cow<'_, str> {
    if text.contains('\r') { text.replace("\r\n", "\n").replace('\r', "\n").into() } else { text.into() }
}

/// Whether a "hash" is an address in clear, in one of the spellings that proxies and log lines use.
fn is_address(text: &str) -> bool {
    let bare = text.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(text);
    let bare = bare.split(['%', '/']).next().unwrap_or(bare);
    bare.parse::<IpAddr>().is_ok() || text.parse::<SocketAddr>().is_ok()
}
