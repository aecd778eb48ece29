use serde_json::{Map, Value, json};

use crate::{
    audit::AuditRecord,
    mask::mask_email,
    store::{NOTES, StoredLead},
    time,
};

/// What is known to be nobody's, of a lead's `meta_json` and an audit row's details.
const HARMLESS: [&str; 13] = [
    "assignee",
    "consent",
    "consent_withdrawn_at",
    "email",
    "filter",
    "format",
    "from",
    "reason",
    "service",
    "status",
    "suspicion",
    "timestamp_utc",
    "to",
];

/// How much of a person is shown to whoever reads leads.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Disclosure {
    /// Enough to recognise a case by: first letters, and how long a message is.
    #[default]
    Masked,
    /// Everything that is stored.
    Clear,
}

impl Disclosure {
    /// Returns a lead as JSON, its members named as the columns are.
    pub fn lead(self, lead: &StoredLead) -> Value {
        let text = |text: &str| if self == Self::Clear { text.to_owned() } else { masked(text) };
        json!({
            "id": lead.id.to_string(),
            "created_at_utc": time::format(lead.created_at_utc),
            "status": lead.status,
            "name": text(&lead.name),
            "email": self.email(&lead.email),
            "phone": lead.phone.as_deref().map(text),
            "company": lead.company.as_deref().map(text),
            "service": lead.service,
            "message": self.message(&lead.message),
            "consent": lead.consent,
            "source": lead.source,
            "request_id": lead.request_id.to_string(),
            "ip_hash": text(&lead.ip_hash),
            "meta_json": lead.meta_json.clone().map(|meta| self.members(meta)),
            "erased_at_utc": lead.erased_at_utc.map(time::format),
        })
    }

    /// Returns an audit row as JSON.
    pub fn record(self, record: &AuditRecord) -> Value {
        json!({
            "id": record.id.to_string(),
            "created_at_utc": time::format(record.created_at),
            "event": record.event,
            "actor": record.actor,
            "details": self.members(record.details.clone()),
        })
    }

    fn email(self, email: &str) -> String {
        match self {
            Self::Masked if !email.is_empty() => mask_email(email),
            _ => email.to_owned(),
        }
    }

    fn message(self, message: &str) -> String {
        match self {
            Self::Masked => format!("({} characters)", message.chars().count()),
            Self::Clear => message.to_owned(),
        }
    }

    /// Who wrote a note, and when, is nobody's secret. What is no note of ours may be anything.
    fn note(self, mut note: Value) -> Value {
        let is_ours = note.as_object().is_some_and(|members| members.keys().eq(["at", "by", "text"]));
        match note["text"].as_str().map(|text| self.message(text)) {
            Some(text) if is_ours => {
                note["text"] = text.into();
                note
            }
            _ => masked("*").into(),
        }
    }

    /// Members that are nobody's stay as they are.
    fn members(self, value: Value) -> Value {
        let Value::Object(members) = value else {
            return if self == Self::Clear { value } else { Value::Null };
        };
        let shown = members.into_iter().map(|(name, value)| {
            let is_shown = self == Self::Clear || HARMLESS.contains(&name.as_str()) || value.is_null();
            let value = match value {
                value if is_shown => value,
                Value::Array(notes) if name == NOTES => notes.into_iter().map(|note| self.note(note)).collect(),
                value => masked(value.as_str().unwrap_or("*")).into(),
            };
            (name, value)
        });
        Value::Object(shown.collect::<Map<_, _>>())
    }
}

fn masked(text: &str) -> String {
    text.chars().next().map_or_else(String::new, |first| format!("{first}***"))
}
