use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use tokio::time::Instant;
use uuid::Uuid;

use super::{metrics::Metrics, queue::Answer};
use crate::{
    lead::{LeadId, LeadStatus, Service},
    store::{Insertion, NewLead, Receipt},
};

/// A lead that is committed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ingested {
    /// Its id and instant; for a retry, those of the first time.
    pub receipt: Receipt,
    /// Whether this was a retry: the lead was there already.
    pub replayed: bool,
}

/// Why a lead was not taken in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
#[non_exhaustive]
pub enum IngestError {
    /// The request id belongs to a lead with other content. Do not retry.
    #[error("the request id belongs to another lead: send a new lead under a new request id")]
    RequestIdConflict,
    /// The request id belongs to a lead that was erased at a person's wish. Do not retry.
    #[error("the lead of this request id was erased: do not send it again")]
    LeadErased,
    /// The store is down or too slow, the queue is full, or the service is shutting down. Retry with the same request id.
    #[error("leads cannot be stored now: try again with the same request id")]
    Unavailable,
    /// A fault of ours; retrying will not help until it is mended.
    #[error("the lead could not be stored because of a fault in the service")]
    Internal,
}

impl IngestError {
    /// Whether trying again can succeed. With the same request id it is always safe.
    pub const fn is_retryable(self) -> bool {
        matches!(self, Self::Unavailable)
    }

    /// The word for logs and metrics, and the `error` of an answer.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::RequestIdConflict => "request_id_conflict",
            Self::LeadErased => "lead_erased",
            Self::Unavailable => "unavailable",
            Self::Internal => "internal",
        }
    }
}

/// All that [`name`] answers.
#[cfg(feature = "metrics")]
pub(super) const NAMES: [&str; 7] = [
    RECEIVED,
    QUARANTINED,
    REPLAYED,
    IngestError::RequestIdConflict.as_str(),
    IngestError::LeadErased.as_str(),
    IngestError::Unavailable.as_str(),
    IngestError::Internal.as_str(),
];
const RECEIVED: &str = "received";
const QUARANTINED: &str = "quarantined";
const REPLAYED: &str = "replayed";

/// The word for an outcome in logs and metrics.
fn name(result: Result<&Ingested, &IngestError>, status: LeadStatus) -> &'static str {
    match result {
        Ok(Ingested { replayed: false, .. }) if status == LeadStatus::Quarantined => QUARANTINED,
        Ok(Ingested { replayed: false, .. }) => RECEIVED,
        Ok(Ingested { replayed: true, .. }) => REPLAYED,
        Err(error) => error.as_str(),
    }
}

/// What the workflow makes of a store's outcome.
pub(super) fn conclude(new: &NewLead, insertion: Insertion) -> Result<Ingested, IngestError> {
    match insertion {
        Insertion::Inserted => Ok(Ingested { receipt: new.receipt(), replayed: false }),
        Insertion::Replayed(receipt) => Ok(Ingested { receipt, replayed: true }),
        Insertion::Conflict => Err(IngestError::RequestIdConflict),
        Insertion::Erased => Err(IngestError::LeadErased),
    }
}

/// What there is to tell about a lead, by the caller or by the writer in the stead of one that went away.
pub(super) struct Submission {
    new: NewLead,
    started: Instant,
    metrics: Arc<Metrics>,
    is_told: AtomicBool,
}

impl Submission {
    pub(super) fn new(new: NewLead, metrics: &Arc<Metrics>) -> Arc<Self> {
        let is_told = AtomicBool::new(false);
        Arc::new(Self { new, started: Instant::now(), metrics: Arc::clone(metrics), is_told })
    }

    pub(super) fn new_lead(&self) -> &NewLead {
        &self.new
    }

    /// The one event of an ingest, with nothing of the person but the masked address, and its metrics.
    pub(super) fn log(&self, answer: Answer) {
        let result = answer.result.as_ref();
        let lead = self.new.lead();
        let request_id = lead.meta().request_id();
        if self.is_told.swap(true, Ordering::Relaxed) {
            tracing::debug!(%request_id, is_stored = result.is_ok(), "settled after the deadline");
            return;
        }
        let elapsed = answer.at.saturating_duration_since(self.started);
        let outcome = name(result, lead.initial_status());
        self.metrics.settled(outcome, elapsed);
        let lead_id = result.ok().map(|ingested| ingested.receipt.lead_id).map(LeadId::as_uuid).map(Uuid::hyphenated);
        let elapsed_us = u64::try_from(elapsed.as_micros()).unwrap_or(u64::MAX);
        macro_rules! event {
            ($level:ident) => {
                tracing::$level!(
                    outcome,
                    lead_id = lead_id.map(tracing::field::display),
                    %request_id,
                    email = %lead.email().masked(),
                    service = lead.service().map(Service::as_str),
                    source = %lead.meta().source(),
                    actor = %self.new.actor().as_str(),
                    elapsed_us,
                    "lead ingest"
                )
            };
        }
        match result {
            Ok(_) | Err(IngestError::RequestIdConflict | IngestError::LeadErased) => event!(info),
            Err(IngestError::Unavailable) => event!(warn),
            Err(IngestError::Internal) => event!(error),
        }
    }
}
