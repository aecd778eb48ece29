//! The HTTP endpoint as a function: from a request to an answer, with no framework in sight.
//!
//! Every decision about a status, a header or a message is made here, once; an adapter only converts bodies.

mod answer;
#[cfg(feature = "proof")]
mod audit;
mod body;
mod events;
mod inbox;
mod problem;
mod refusals;
#[cfg(feature = "tower-service")]
#[cfg_attr(docsrs, doc(cfg(feature = "tower-service")))]
mod service;

use std::{fmt, sync::Arc, time::Duration};

use bytes::{Buf, Bytes};
use http::{
    HeaderMap, Method, Request, Response, StatusCode,
    header::{ALLOW, CONTENT_ENCODING, CONTENT_TYPE, RETRY_AFTER, WWW_AUTHENTICATE},
};
use http_body::Body;
use serde::Serialize;

use self::{
    answer::{PROBLEM_JSON, RETRY_AFTER_SECONDS, challenge, finish, or_bare, to_bytes},
    body::Unread,
    refusals::Refusals,
};
#[cfg(feature = "proof")]
#[cfg_attr(docsrs, doc(cfg(feature = "proof")))]
pub use self::{
    audit::{AuditEndpoint, audit_paths},
    problem::AuditProblem,
};
pub use self::{
    events::{EventsEndpoint, EventsEndpointBuilder, INBOUND_EVENTS_PATH},
    inbox::{InboxBody, InboxEndpoint, InboxEndpointBuilder, InterruptedSheet, inbox_paths},
    problem::{EventsProblem, InboxProblem, Problem},
};
use crate::{
    ingest::{Ingest, IngestError, Ingested},
    lead::{ConsentPolicy, Lead, LeadStatus, ParseError, Violation},
    store::StoreError,
    time,
    token::{Scope, TokenSet, Unauthorized},
};

/// Where adapters mount the endpoint.
pub const INBOUND_LEADS_PATH: &str = "/inbound/leads";

/// The answer's header that marks a retry whose lead was there already.
pub const IDEMPOTENCY_REPLAYED: &str = "idempotency-replayed";

/// `POST /inbound/leads`.
///
/// ```
/// use fastcore_leads::{Endpoint, Ingest, MemoryLeadStore, TokenSet, SAMPLE_LEAD};
/// # use http_body_util::Full;
///
/// # tokio::runtime::Builder::new_current_thread().enable_time().build()?.block_on(async {
/// let ingest = Ingest::builder(MemoryLeadStore::new()).start();
/// let endpoint = Endpoint::new(ingest, TokenSet::parse("a-token-of-32-random-characters!")?);
/// let request = http::Request::post("/inbound/leads")
///     .header("content-type", "application/json")
///     .header("authorization", "Bearer a-token-of-32-random-characters!")
///     .body(Full::<&[u8]>::from(SAMPLE_LEAD.as_bytes()))?;
/// assert_eq!(endpoint.handle(request).await.status(), 201);
/// # Ok::<(), Box<dyn std::error::Error>>(()) }).map_err(|error| error.to_string())?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone)]
pub struct Endpoint {
    shared: Arc<Shared>,
}

struct Shared {
    ingest: Ingest,
    tokens: TokenSet,
    settings: Settings,
    refusals: Arc<Refusals>,
}

#[derive(Clone)]
struct Settings {
    consent: ConsentPolicy,
    validation_status: StatusCode,
    body_timeout: Duration,
    retry_after_seconds: u32,
}

impl Endpoint {
    /// An endpoint with the contract's defaults.
    pub fn new(ingest: Ingest, tokens: TokenSet) -> Self {
        let settings = Settings {
            consent: ConsentPolicy::default(),
            validation_status: StatusCode::UNPROCESSABLE_ENTITY,
            body_timeout: body::TIMEOUT,
            retry_after_seconds: RETRY_AFTER_SECONDS,
        };
        Self { shared: Arc::new(Shared { ingest, tokens, settings, refusals: Arc::new(Refusals::new()) }) }
    }

    /// What becomes of `consent: false`. Default: recorded.
    pub fn consent_policy(self, consent: ConsentPolicy) -> Self {
        self.with(|settings| settings.consent = consent)
    }

    /// Answers a lead that is not valid with 400, as the FastAPI service's documentation says, instead of 422.
    pub fn validation_as_bad_request(self) -> Self {
        self.with(|settings| settings.validation_status = StatusCode::BAD_REQUEST)
    }

    /// How long a body may take to arrive. Default 10 s; what is not whole by then is answered 408.
    pub fn body_timeout(self, limit: Duration) -> Self {
        self.with(|settings| settings.body_timeout = limit)
    }

    /// What `Retry-After` of a 503 says, in seconds. Default 2.
    pub fn retry_after_seconds(self, seconds: u32) -> Self {
        self.with(|settings| settings.retry_after_seconds = seconds)
    }

    fn with(self, set: impl FnOnce(&mut Settings)) -> Self {
        let mut settings = self.shared.settings.clone();
        set(&mut settings);
        let (ingest, tokens) = (self.shared.ingest.clone(), self.shared.tokens.clone());
        let refusals = Arc::clone(&self.shared.refusals);
        Self { shared: Arc::new(Shared { ingest, tokens, settings, refusals }) }
    }

    /// Asks the store for a sign of life, for a readiness probe.
    ///
    /// # Errors
    /// As [`Ingest::ready`].
    pub async fn ready(&self) -> Result<(), StoreError> {
        self.shared.ingest.ready().await
    }

    /// Answers one request. The host has matched the path; method, token, type, size, JSON and members are checked
    /// here, in this order, and the first that fails answers.
    ///
    /// Dropping the future, as servers do when a client goes away, never leaves a lead half-written.
    pub async fn handle<B>(&self, request: Request<B>) -> Response<Bytes>
    where
        B: Body,
        B::Data: Buf,
    {
        or_bare(match self.ingest(request).await {
            Ok(ingested) => created(&ingested),
            Err(refusal) => {
                // What reached the workflow has its event and its count there.
                if !matches!(refusal, Refusal::Ingest(_)) {
                    self.shared.refusals.tell(refusal.problem(), refusal.violations());
                }
                self.refused(&refusal)
            }
        })
    }

    async fn ingest<B>(&self, request: Request<B>) -> Result<Ingested, Refusal>
    where
        B: Body,
        B::Data: Buf,
    {
        let Shared { ingest, tokens, settings, .. } = &*self.shared;
        let (head, body) = request.into_parts();
        if head.method != Method::POST {
            return Err(Refusal::Method);
        }
        let grant = tokens.authenticate(&head.headers).map_err(Refusal::Token)?;
        if !grant.allows(Scope::Ingest) {
            return Err(Refusal::Scope);
        }
        if !is_plain_json(&head.headers) {
            return Err(Refusal::MediaType);
        }
        let body = body::read(&head.headers, body, settings.body_timeout).await.map_err(Refusal::Body)?;
        let lead = Lead::parse(&body, settings.consent).map_err(Refusal::Lead)?;
        if !grant.allows_source(lead.meta().source()) {
            return Err(Refusal::Source);
        }
        ingest.ingest(lead, grant.actor().clone()).await.map_err(Refusal::Ingest)
    }

    fn refused(&self, refusal: &Refusal) -> http::Result<Response<Bytes>> {
        let settings = &self.shared.settings;
        let problem = refusal.problem();
        let status = match problem {
            Problem::ValidationError => settings.validation_status,
            other => other.status(),
        };
        let mut response = Response::builder().status(status).header(CONTENT_TYPE, PROBLEM_JSON);
        response = match refusal {
            Refusal::Method => response.header(ALLOW, "POST"),
            Refusal::Token(unauthorized) => response.header(WWW_AUTHENTICATE, challenge(*unauthorized)),
            Refusal::Ingest(IngestError::Unavailable) => response.header(RETRY_AFTER, settings.retry_after_seconds),
            _ => response,
        };
        finish(response, problem.to_json(status, refusal.violations()))
    }
}

impl fmt::Debug for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Endpoint")
            .field("ingest", &self.shared.ingest)
            .field("tokens", &self.shared.tokens)
            .finish_non_exhaustive()
    }
}

/// Why a request is not answered 201.
enum Refusal {
    Method,
    Token(Unauthorized),
    Scope,
    MediaType,
    Body(Unread),
    Lead(ParseError),
    Source,
    Ingest(IngestError),
}

impl Refusal {
    fn violations(&self) -> &[Violation] {
        match self {
            Self::Lead(ParseError::Invalid(violations)) => violations,
            _ => &[],
        }
    }

    fn problem(&self) -> Problem {
        match self {
            Self::Method => Problem::MethodNotAllowed,
            Self::Token(_) => Problem::Unauthorized,
            Self::Scope => Problem::ScopeMissing,
            Self::MediaType => Problem::UnsupportedMediaType,
            Self::Body(Unread::TooLarge) => Problem::BodyTooLarge,
            Self::Body(Unread::Truncated) | Self::Lead(ParseError::Malformed) => Problem::MalformedBody,
            Self::Body(Unread::TooSlow) => Problem::RequestTimeout,
            Self::Lead(ParseError::Invalid(_)) => Problem::ValidationError,
            Self::Source => Problem::SourceForbidden,
            Self::Ingest(IngestError::RequestIdConflict) => Problem::RequestIdConflict,
            Self::Ingest(IngestError::LeadErased) => Problem::LeadErased,
            Self::Ingest(IngestError::Unavailable) => Problem::Unavailable,
            Self::Ingest(IngestError::Internal) => Problem::Internal,
        }
    }
}

#[derive(Serialize)]
struct Created {
    #[serde(rename = "leadId")]
    lead_id: String,
    timestamp: String,
    status: &'static str,
}

fn created(ingested: &Ingested) -> http::Result<Response<Bytes>> {
    let body = Created {
        lead_id: ingested.receipt.lead_id.to_string(),
        timestamp: time::format(ingested.receipt.created_at),
        status: LeadStatus::Received.as_str(),
    };
    let mut response = Response::builder().status(StatusCode::CREATED).header(CONTENT_TYPE, "application/json");
    if ingested.replayed {
        response = response.header(IDEMPOTENCY_REPLAYED, "true");
    }
    finish(response, to_bytes(&body))
}

/// `application/json` with whatever parameters, exactly once, and not compressed.
fn is_plain_json(headers: &HeaderMap) -> bool {
    let mut types = headers.get_all(CONTENT_TYPE).iter();
    let (Some(value), None) = (types.next(), types.next()) else {
        return false;
    };
    let essence = value.as_bytes().split(|byte| *byte == b';').next().unwrap_or_default();
    essence.trim_ascii().eq_ignore_ascii_case(b"application/json")
        && headers.get_all(CONTENT_ENCODING).iter().all(|coding| coding.as_bytes().eq_ignore_ascii_case(b"identity"))
}
