use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Instant,
};

use uuid::Uuid;

use crate::{
    audit::Actor,
    lead::{LeadId, RequestId, Service},
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

/// What the workflow makes of a store's outcome.
pub(super) fn conclude(new: &NewLead, insertion: Insertion) -> Result<Ingested, IngestError> {
    match insertion {
        Insertion::Inserted => Ok(Ingested { receipt: new.receipt(), replayed: false }),
        Insertion::Replayed(receipt) => Ok(Ingested { receipt, replayed: true }),
        Insertion::Conflict => Err(IngestError::RequestIdConflict),
        Insertion::Erased => Err(IngestError::LeadErased),
    }
}

/// What a log line says about a lead: nothing of the person but the masked address.
#[derive(Clone)]
pub(super) struct Entry {
    request_id: RequestId,
    email: String,
    service: Option<Service>,
    source: String,
    actor: Actor,
    started: Instant,
    /// Set by whoever tells the outcome first: the caller, or the writer in the stead of one that went away.
    is_told: Arc<AtomicBool>,
}

impl Entry {
    pub(super) fn new(new: &NewLead) -> Self {
        let lead = new.lead();
        Self {
            request_id: lead.meta().request_id(),
            email: lead.email().masked(),
            service: lead.service(),
            source: lead.meta().source().to_owned(),
            actor: new.actor().clone(),
            started: Instant::now(),
            is_told: Arc::default(),
        }
    }

    /// The one event of an ingest.
    pub(super) fn log(&self, result: Result<&Ingested, &IngestError>) {
        if self.is_told.swap(true, Ordering::Relaxed) {
            tracing::debug!(request_id = %self.request_id, is_stored = result.is_ok(), "settled after the deadline");
            return;
        }
        let outcome = match result {
            Ok(Ingested { replayed: false, .. }) => "received",
            Ok(Ingested { replayed: true, .. }) => "replayed",
            Err(error) => error.as_str(),
        };
        let lead_id = result.ok().map(|ingested| ingested.receipt.lead_id).map(LeadId::as_uuid).map(Uuid::hyphenated);
        let elapsed_us = u64::try_from(self.started.elapsed().as_micros()).unwrap_or(u64::MAX);
        macro_rules! event {
            ($level:ident) => {
                tracing::$level!(
                    outcome,
                    lead_id = lead_id.map(tracing::field::display),
                    request_id = %self.request_id,
                    email = %self.email,
                    service = self.service.map(Service::as_str),
                    source = %self.source,
                    actor = %self.actor.as_str(),
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
