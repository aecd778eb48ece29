use std::fmt;

use chrono::{DateTime, Utc};
use serde_json::{Map, Value, json};
use uuid::Uuid;

use super::{Insertion, NewLead, Receipt};
use crate::{
    audit::Actor,
    inbox::Note,
    lead::{LeadId, Service, limits::MAX_NOTES, parse::with_line_feeds},
    time,
};

/// The member of `meta_json` that says since when the consent is withdrawn.
const WITHDRAWN: &str = "consent_withdrawn_at";
/// The member of `meta_json` that says who sees to the lead.
const ASSIGNEE: &str = "assignee";
/// The member of `meta_json` that holds what was written down about the lead.
pub(crate) const NOTES: &str = "notes";

/// A lead as a database holds it.
///
/// Wider than a [`Lead`](crate::Lead): the FastAPI service checks no minimum length and trims nothing, so its rows hold
/// one-letter names and untrimmed text. `Debug` shows nothing about the person.
#[derive(Clone, PartialEq)]
#[allow(missing_docs, reason = "each field is the column of the same name")]
pub struct StoredLead {
    pub id: LeadId,
    pub created_at_utc: DateTime<Utc>,
    pub name: String,
    pub email: String,
    pub phone: Option<String>,
    pub company: Option<String>,
    pub service: Option<String>,
    pub message: String,
    pub consent: bool,
    pub source: String,
    pub request_id: Uuid,
    pub ip_hash: String,
    pub meta_json: Option<serde_json::Value>,
    pub status: String,
    pub erased_at_utc: Option<DateTime<Utc>>,
}

impl StoredLead {
    /// The row that a new lead becomes.
    pub fn from_new(new: &NewLead) -> Self {
        let lead = new.lead();
        Self {
            id: new.id(),
            created_at_utc: new.created_at(),
            name: lead.name().to_owned(),
            email: lead.email().as_str().to_owned(),
            phone: lead.phone().map(str::to_owned),
            company: lead.company().map(str::to_owned),
            service: lead.service().map(|service| service.as_str().to_owned()),
            message: lead.message().to_owned(),
            consent: lead.consent(),
            source: lead.meta().source().to_owned(),
            request_id: lead.meta().request_id().as_uuid(),
            ip_hash: lead.meta().ip_hash().to_owned(),
            meta_json: serde_json::from_str(&new.meta_json()).ok(),
            status: lead.initial_status().as_str().to_owned(),
            erased_at_utc: None,
        }
    }

    /// What the sender of this lead was answered.
    pub fn receipt(&self) -> Receipt {
        Receipt { lead_id: self.id, created_at: self.created_at_utc }
    }

    /// What becomes of a lead whose request id this row already has: the one rule for retries.
    pub fn answer_to(&self, new: &NewLead) -> Insertion {
        if self.id == new.id() {
            // An earlier run of the same batch wrote it, and its answer was lost.
            Insertion::Inserted
        } else if self.erased_at_utc.is_some() {
            Insertion::Erased
        } else if self.has_content_of(new) {
            Insertion::Replayed(self.receipt())
        } else {
            Insertion::Conflict
        }
    }

    /// Records that the consent was taken back; `None` where there is none.
    pub(crate) fn withdraw_consent(&mut self, at: DateTime<Utc>) -> Option<()> {
        if !self.consent {
            return None;
        }
        self.consent = false;
        self.set(WITHDRAWN, time::format(at).into());
        Some(())
    }

    /// Returns who sees to the lead, if anybody was named.
    pub fn assignee(&self) -> Option<&str> {
        self.meta_json.as_ref()?.get(ASSIGNEE)?.as_str()
    }

    pub(crate) fn assign(&mut self, assignee: Option<&Actor>) {
        self.set(ASSIGNEE, assignee.map(Actor::as_str).into());
    }

    /// Keeps a note, after those that are there; `None` where there are as many as may be.
    pub(crate) fn add_note(&mut self, at: DateTime<Utc>, author: &Actor, note: &Note) -> Option<()> {
        let kept = self.meta_json.as_ref().and_then(|meta| meta.get(NOTES)).and_then(Value::as_array);
        let mut notes = kept.cloned().unwrap_or_default();
        if notes.len() >= MAX_NOTES {
            return None;
        }
        notes.push(json!({"at": time::format(at), "by": author.as_str(), "text": note.as_str()}));
        self.set(NOTES, notes.into());
        Some(())
    }

    /// What others are told of its meta: notes, and who sees to it, are for those who work with leads here.
    pub(crate) fn meta_for_others(&self) -> Option<Value> {
        let mut meta = self.meta_json.clone();
        if let Some(Value::Object(members)) = &mut meta {
            members.remove(NOTES);
            members.remove(ASSIGNEE);
        }
        meta
    }

    fn set(&mut self, member: &str, value: Value) {
        let mut meta = match self.meta_json.take() {
            Some(Value::Object(meta)) => meta,
            None | Some(Value::Null) => Map::new(),
            // Not of our making: kept as it is.
            Some(other) => Map::from_iter([("meta".to_owned(), other)]),
        };
        meta.insert(member.to_owned(), value);
        self.meta_json = Some(Value::Object(meta));
    }

    /// Empties what is personal, hashes too. What is left: ids, instants, service, source, consent, status.
    pub(crate) fn erase(&mut self, at: DateTime<Utc>) {
        for text in [&mut self.name, &mut self.email, &mut self.message, &mut self.ip_hash] {
            text.clear();
        }
        (self.phone, self.company, self.meta_json) = (None, None, None);
        self.erased_at_utc = Some(at);
    }

    /// The consent as it was sent.
    fn given_consent(&self) -> bool {
        self.consent || self.meta_json.as_ref().is_some_and(|meta| meta.get(WITHDRAWN).is_some())
    }

    /// Compares after normalisation, since the FastAPI service stored text as it came.
    fn has_content_of(&self, new: &NewLead) -> bool {
        let lead = new.lead();
        self.name.trim() == lead.name()
            && lead.email().is_stored_as(&self.email)
            && trimmed(self.phone.as_deref()) == lead.phone()
            && trimmed(self.company.as_deref()) == lead.company()
            && trimmed(self.service.as_deref()) == lead.service().map(Service::as_str)
            && with_line_feeds(self.message.trim()) == lead.message()
            && self.given_consent() == lead.consent()
    }
}

impl fmt::Debug for StoredLead {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StoredLead")
            .field("id", &self.id)
            .field("created_at_utc", &self.created_at_utc)
            .field("request_id", &self.request_id)
            .field("status", &self.status)
            .finish_non_exhaustive()
    }
}

fn trimmed(text: Option<&str>) -> Option<&str> {
    text.map(str::trim).filter(|text| !text.is_empty())
}
