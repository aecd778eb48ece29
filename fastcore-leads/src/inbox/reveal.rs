//! What the audit log keeps of those who read.

use chrono::{DateTime, DurationRound, TimeDelta, Utc};
use serde_json::json;
use sha2::{Digest, Sha256};
use uuid::{Builder, Uuid};

use super::LeadFilter;
use crate::{
    audit::{Actor, AuditRecord, LEAD_REVEALED, LEADS_EXPORTED},
    lead::LeadId,
    store::StoredLead,
};

/// The rows of leads that are shown in clear. Of a lead that was erased there is nothing to show.
pub(super) fn of_leads(leads: &[StoredLead], actor: &Actor, now: DateTime<Utc>) -> Vec<AuditRecord> {
    let shown = leads.iter().filter(|lead| lead.erased_at_utc.is_none());
    let mut records: Vec<_> = shown
        .map(|lead| {
            let id = row_id(lead.id, actor, now);
            record(id, now, LEAD_REVEALED, actor, Some(lead.id), lead.request_id, json!({}))
        })
        .collect();
    // Two that write the same rows do not deadlock.
    records.sort_unstable_by_key(|record| record.id);
    records
}

/// The row of leads that are handed out in clear.
pub(super) fn of_export(filter: &LeadFilter, format: &str, actor: &Actor, now: DateTime<Utc>) -> AuditRecord {
    let LeadFilter { statuses, service, sources, received_from, received_before, email } = filter;
    let members = [
        ("status", !statuses.is_empty()),
        ("service", service.is_some()),
        ("source", !sources.is_empty()),
        ("from", received_from.is_some()),
        ("to", received_before.is_some()),
        ("email", email.is_some()),
    ];
    let members: Vec<_> = members.into_iter().filter(|(_, is_set)| *is_set).map(|(name, _)| name).collect();
    let details = json!({"format": format, "filter": members});
    record(Uuid::now_v7(), now, LEADS_EXPORTED, actor, None, Uuid::now_v7(), details)
}

fn record(
    id: Uuid,
    now: DateTime<Utc>,
    event: &str,
    actor: &Actor,
    lead: Option<LeadId>,
    request: Uuid,
    details: serde_json::Value,
) -> AuditRecord {
    let actor = Some(actor.as_str().to_owned());
    AuditRecord::new(id, now, event.to_owned(), actor, lead.map(LeadId::as_uuid), request, None, Some(details))
}

/// The same for a lead, an actor and an hour, so that the table's key sees to it that there is one row: a UUID of version 8 (RFC
/// 9562), which begins with the hour as one of version 7 begins with its instant.
fn row_id(lead: LeadId, actor: &Actor, now: DateTime<Utc>) -> Uuid {
    let hour = now.duration_trunc(TimeDelta::hours(1)).unwrap_or(now).timestamp_millis().to_be_bytes();
    let digest = Sha256::new().chain_update(hour).chain_update(lead.as_uuid()).chain_update(actor.as_str()).finalize();
    let mut bytes = [0; 16];
    bytes[..6].copy_from_slice(&hour[2..]);
    bytes[6..].copy_from_slice(&digest[..10]);
    Builder::from_custom_bytes(bytes).into_uuid()
}
