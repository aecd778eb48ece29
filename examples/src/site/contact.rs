use std::{fmt, ops::RangeInclusive, time::Duration};

use bytes::Bytes;
use chrono::{DateTime, Utc};
use fastcore_leads::pseudonym::Pepper;
use percent_encoding::percent_decode;
use serde::{Deserialize, Serialize};
use serde_json::value::{RawValue, to_raw_value};
use uuid::Uuid;

use super::{Kind, Problem, Ticket, clean};
use crate::web::Language;

/// What a visitor posted, as it came: no rule is applied here but those of the two formats.
#[derive(Default)]
pub(super) struct Post {
    members: Members,
    /// The fields of a form post, to be shown again.
    fields: Vec<(String, String)>,
}

/// The members of a JSON post. Their values stay as they were sent, for the core's parser to judge.
#[derive(Default, Deserialize, Serialize)]
struct Members {
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<Box<RawValue>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    email: Option<Box<RawValue>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    phone: Option<Box<RawValue>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    company: Option<Box<RawValue>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    service: Option<Box<RawValue>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    message: Option<Box<RawValue>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    consent: Option<Box<RawValue>>,
    /// The honeypot: a field that no visitor sees, under a name that no browser fills in.
    #[serde(skip_serializing)]
    suite: Option<Box<RawValue>>,
    /// Its name before.
    #[serde(skip_serializing)]
    website: Option<Box<RawValue>>,
    #[serde(skip_serializing)]
    ticket: Option<Box<RawValue>>,
    /// The language of the form.
    #[serde(skip_serializing)]
    lang: Option<Box<RawValue>>,
}

/// What the site says about a lead.
#[derive(Serialize)]
pub(super) struct Meta<'a> {
    pub(super) source: &'a str,
    pub(super) request_id: Uuid,
    pub(super) ip_hash: &'a str,
    pub(super) user_agent_hash: Option<&'a str>,
    pub(super) timestamp_utc: &'a str,
    pub(super) consent: Option<Proof<'a>>,
    pub(super) suspicion: &'a [&'static str],
}

/// The text that the visitor agreed to.
#[derive(Serialize)]
pub(super) struct Proof<'a> {
    pub(super) version: &'a str,
    pub(super) locale: &'a str,
    pub(super) given_at: &'a str,
}

impl Post {
    /// Reads a whole post, and cleans what was pasted.
    pub(super) fn read(kind: Kind, body: &Bytes) -> Result<Self, Problem> {
        let mut post = match kind {
            Kind::Json => Self::from_json(body),
            Kind::Form => Self::from_form(body),
            Kind::Other => Err(Problem::MediaType),
        }?;
        post.members.clean();
        Ok(post)
    }

    /// What can be read of a form post that did not arrive whole, or cannot be taken, to be shown again: what was written is not
    /// to be lost.
    pub(super) fn salvage(kind: Kind, body: &[u8]) -> Self {
        match kind {
            Kind::Form => {
                let mut fields: Vec<(String, String)> = Vec::new();
                for (name, value) in known_pairs(body) {
                    if fields.iter().all(|(seen, _)| *seen != name) {
                        fields.push((name, decode_lossy(value)));
                    }
                }
                Self { members: Members::default(), fields }
            }
            // The page that sent it still shows it: the ticket and the language are enough.
            Kind::Json => Self::from_json(body).unwrap_or_default(),
            Kind::Other => Self::default(),
        }
    }

    /// Nobody agrees in a visitor's name.
    pub(super) fn forget_consent(&mut self) {
        self.fields.retain(|(name, _)| name != "consent");
    }

    /// Whether the box was ticked, to be shown again.
    pub(super) fn is_ticked(&self) -> bool {
        matches!(self.field("consent"), "true" | "on")
    }

    fn from_json(body: &[u8]) -> Result<Self, Problem> {
        // serde would take the members by their place, too.
        let is_object = body.trim_ascii_start().starts_with(b"{");
        let members = serde_json::from_slice(body).ok().filter(|_| is_object).ok_or(Problem::Malformed)?;
        Ok(Self { members, fields: Vec::new() })
    }

    /// A field that was left empty is a member that is not there. A known field that comes twice is refused, as in JSON.
    fn from_form(body: &Bytes) -> Result<Self, Problem> {
        // Forms send line breaks as CR LF, scripts as LF: the same message is the same lead.
        let mut fields = Vec::new();
        for (name, value) in known_pairs(body) {
            let value = decode(value).ok_or(Problem::Malformed)?.replace("\r\n", "\n");
            if fields.iter().any(|(seen, written): &(String, String)| *seen == name && !written.is_empty()) {
                return Err(Problem::Malformed);
            }
            fields.push((name, value));
        }
        let mut post = Self { members: Members::default(), fields };
        post.members.consent = raw(&false);
        for (name, value) in post.fields.iter().filter(|(_, value)| !value.is_empty()) {
            let members = &mut post.members;
            let member = match name.as_str() {
                "name" => &mut members.name,
                "email" => &mut members.email,
                "phone" => &mut members.phone,
                "company" => &mut members.company,
                "service" => &mut members.service,
                "message" => &mut members.message,
                "consent" => &mut members.consent,
                "suite" => &mut members.suite,
                "website" => &mut members.website,
                "ticket" => &mut members.ticket,
                "lang" => &mut members.lang,
                _ => continue,
            };
            *member = match (name.as_str(), value.as_str()) {
                // A checkbox is sent where it is ticked; one without a value of its own says "on".
                ("consent", "true" | "on") => raw(&true),
                ("consent", "false") => raw(&false),
                _ => raw(value),
            };
        }
        Ok(post)
    }

    /// The ticket that came back, where it is one of ours.
    pub(super) fn ticket(&self, pepper: &Pepper) -> Option<Ticket> {
        let named = text(self.members.ticket.as_deref());
        Ticket::read(pepper, named.as_deref().unwrap_or_else(|| self.field("ticket")))
    }

    /// What looks like a machine. None of it is proof: browsers fill in fields that nobody sees, too.
    pub(super) fn suspicion(
        &self,
        ticket: Option<&Ticket>,
        now: DateTime<Utc>,
        fill: &RangeInclusive<Duration>,
    ) -> Vec<&'static str> {
        let mut found = Vec::new();
        let is_filled = |value: &RawValue| text(Some(value)).is_none_or(|text| !text.is_empty());
        if [&self.members.suite, &self.members.website].into_iter().flatten().any(|value| is_filled(value)) {
            found.push("honeypot");
        }
        match ticket {
            None => found.push("no_ticket"),
            Some(ticket) => {
                let age = ticket.age(now).and_then(|age| age.to_std().ok());
                if age.is_some_and(|age| age < *fill.start()) {
                    found.push("too_fast");
                }
                if age.is_some_and(|age| age > *fill.end()) {
                    found.push("stale_ticket");
                }
            }
        }
        if text(self.members.message.as_deref()).is_some_and(|message| !clean::is_readable(&message)) {
            found.push("unreadable");
        }
        found
    }

    /// The language of the form that was sent.
    pub(super) fn language(&self) -> Option<Language> {
        let named = text(self.members.lang.as_deref());
        Language::of_tag(named.as_deref().unwrap_or_else(|| self.field("lang")))
    }

    pub(super) fn consents(&self) -> bool {
        self.members.consent.as_deref().is_some_and(|value| value.get() == "true")
    }

    /// What the visitor wrote, to tell posts apart by.
    pub(super) fn content(&self) -> Vec<u8> {
        serde_json::to_vec(&self.members).unwrap_or_default()
    }

    /// The body of a lead, for the core's parser.
    pub(super) fn to_lead(&self, meta: Meta<'_>) -> Vec<u8> {
        #[derive(Serialize)]
        struct Lead<'a> {
            #[serde(flatten)]
            members: &'a Members,
            meta: Meta<'a>,
        }
        serde_json::to_vec(&Lead { members: &self.members, meta }).unwrap_or_default()
    }

    /// A field of a form post as the visitor filled it in.
    pub(super) fn field(&self, name: &str) -> &str {
        self.fields.iter().find(|(field, _)| field == name).map_or("", |(_, value)| value)
    }
}

impl Members {
    fn clean(&mut self) {
        let Self {
            name,
            email,
            phone,
            company,
            service,
            message,
            consent: _,
            suite: _,
            website: _,
            ticket: _,
            lang: _,
        } = self;
        for (member, kind) in [
            (name, clean::Kind::Line),
            (email, clean::Kind::Code),
            (phone, clean::Kind::Code),
            (company, clean::Kind::Line),
            (service, clean::Kind::Code),
            (message, clean::Kind::Text),
        ] {
            let cleaned = member.as_deref().and_then(|value| clean::read_json(value.get()));
            // What is no text is left to the core's parser.
            if let Some(text) = cleaned {
                *member = raw(&clean::clean(&text, kind));
            }
        }
    }
}

impl fmt::Debug for Post {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Post").finish_non_exhaustive()
    }
}

/// The names and values of a form post (WHATWG URL, section 5.1), not decoded yet.
fn pairs(body: &[u8]) -> impl Iterator<Item = (&[u8], &[u8])> {
    body.split(|byte| *byte == b'&').filter(|pair| !pair.is_empty()).map(|pair| {
        let (name, value) = pair.split_at(pair.iter().position(|byte| *byte == b'=').unwrap_or(pair.len()));
        (name, value.strip_prefix(b"=").unwrap_or_default())
    })
}

/// Fields of the form: whatever else comes is passed over, and takes no memory.
const FIELDS: [&str; 11] =
    ["ticket", "lang", "name", "email", "phone", "company", "service", "message", "consent", "suite", "website"];

fn known_pairs(body: &[u8]) -> impl Iterator<Item = (String, &[u8])> {
    // As a percent-encoded name could be written at most.
    let longest = 3 * FIELDS.iter().map(|name| name.len()).max().unwrap_or_default();
    pairs(body).filter(move |(name, _)| name.len() <= longest).filter_map(|(name, value)| {
        let name = decode(name)?;
        FIELDS.contains(&name.as_str()).then_some((name, value))
    })
}

/// Decodes a name or a value; nothing where it is no UTF-8.
fn decode(text: &[u8]) -> Option<String> {
    String::from_utf8(decoded(text)).ok()
}

fn decode_lossy(text: &[u8]) -> String {
    String::from_utf8_lossy(&decoded(text)).into_owned()
}

fn decoded(text: &[u8]) -> Vec<u8> {
    let text: Vec<u8> = text.iter().map(|byte| if *byte == b'+' { b' ' } else { *byte }).collect();
    percent_decode(&text).collect()
}

fn raw(value: &(impl Serialize + ?Sized)) -> Option<Box<RawValue>> {
    to_raw_value(value).ok()
}

fn text(value: Option<&RawValue>) -> Option<String> {
    serde_json::from_str(value?.get()).ok()
}
