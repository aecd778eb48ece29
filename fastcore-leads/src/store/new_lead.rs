use std::sync::Arc;

use chrono::{DateTime, Utc};
use serde::Serialize;
use uuid::{NoContext, Timestamp, Uuid};

use super::Receipt;
use crate::{
    audit::Actor,
    lead::{Lead, LeadId, LeadStatus, Service},
    time,
};

/// A lead on its way into a store: parsed, with its ids and its instant minted. Cheap to clone.
#[derive(Clone, Debug)]
pub struct NewLead {
    id: LeadId,
    audit_id: Uuid,
    created_at: DateTime<Utc>,
    actor: Actor,
    lead: Arc<Lead>,
}

impl NewLead {
    /// Mints the ids (UUIDv7) and the instant (now, in microseconds).
    pub fn new(lead: Lead, actor: Actor) -> Self {
        let (id, audit_id) = (LeadId::from_uuid(Uuid::now_v7()), Uuid::now_v7());
        Self { id, audit_id, created_at: time::now(), actor, lead: Arc::new(lead) }
    }

    /// As [`new`](Self::new), for a lead that was received at another instant, as by the system that it is imported from: the
    /// instant of both rows, in microseconds, and the one that the ids sort by.
    pub fn received_at(lead: Lead, actor: Actor, instant: DateTime<Utc>) -> Self {
        let created_at = time::to_micros(instant);
        let mint = || match u64::try_from(created_at.timestamp()) {
            Ok(seconds) => Uuid::new_v7(Timestamp::from_unix(NoContext, seconds, created_at.timestamp_subsec_nanos())),
            // Before 1970.
            Err(_) => Uuid::now_v7(),
        };
        Self { id: LeadId::from_uuid(mint()), audit_id: mint(), created_at, actor, lead: Arc::new(lead) }
    }

    /// The lead's id.
    pub fn id(&self) -> LeadId {
        self.id
    }

    /// The id of its audit row.
    pub fn audit_id(&self) -> Uuid {
        self.audit_id
    }

    /// The instant of both rows.
    pub fn created_at(&self) -> DateTime<Utc> {
        self.created_at
    }

    /// Who sent it.
    pub fn actor(&self) -> &Actor {
        &self.actor
    }

    /// The lead itself.
    pub fn lead(&self) -> &Lead {
        &self.lead
    }

    /// What its sender gets once it is committed.
    pub fn receipt(&self) -> Receipt {
        Receipt { lead_id: self.id, created_at: self.created_at }
    }

    /// The column `meta_json`.
    pub fn meta_json(&self) -> String {
        let meta = self.lead.meta();
        to_json(&MetaJson {
            user_agent_hash: meta.user_agent_hash(),
            timestamp_utc: time::format(meta.timestamp_utc()),
            consent: meta.consent().map(|proof| ConsentJson {
                version: proof.version(),
                locale: proof.locale(),
                given_at: proof.given_at(),
            }),
            suspicion: meta.suspicion(),
        })
    }

    /// The audit row's column `details_json`: nothing of the person but the masked address. Says where the lead's life
    /// begins where it is in quarantine.
    pub fn audit_details_json(&self) -> String {
        to_json(&DetailsJson {
            email: self.lead.email().masked(),
            service: self.lead.service().map(Service::as_str),
            ip_hash: self.lead.meta().ip_hash(),
            status: Some(self.lead.initial_status()).filter(|s| *s != LeadStatus::Received).map(LeadStatus::as_str),
        })
    }
}

#[derive(Serialize)]
struct MetaJson<'a> {
    user_agent_hash: Option<&'a str>,
    timestamp_utc: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    consent: Option<ConsentJson<'a>>,
    #[serde(skip_serializing_if = "<[String]>::is_empty")]
    suspicion: &'a [String],
}

#[derive(Serialize)]
struct ConsentJson<'a> {
    version: &'a str,
    locale: &'a str,
    given_at: &'a str,
}

#[derive(Serialize)]
struct DetailsJson<'a> {
    email: String,
    service: Option<&'static str>,
    ip_hash: &'a str,
    /// Where the lead's life begins, if elsewhere than usual.
    #[serde(skip_serializing_if = "Option::is_none")]
    status: Option<&'static str>,
}

/// Structs of text always serialise.
fn to_json(value: &impl Serialize) -> String {
    serde_json::to_string(value).unwrap_or_default()
}
