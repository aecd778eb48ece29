//! The inbox over HTTP, for the service's own staff and systems.

mod body;
mod contact;
mod query;
mod read;
mod route;
mod search;
mod work;

use std::{fmt, sync::Arc, time::Duration};

use bytes::{Buf, Bytes};
use http::{
    HeaderMap, Method, Request, Response, StatusCode,
    header::{ALLOW, CACHE_CONTROL, CONTENT_DISPOSITION, CONTENT_TYPE, RETRY_AFTER, WWW_AUTHENTICATE},
};
use http_body::Body;
use tokio::sync::Semaphore;

pub use self::{
    body::{InboxBody, InterruptedSheet},
    route::inbox_paths,
};
use self::{route::Route, search::Indexer};
use super::{
    answer::{NO_STORE, PROBLEM_JSON, RETRY_AFTER_SECONDS, challenge, finish, is_fault, or_bare, to_bytes},
    body as request_body,
    body::Unread,
    is_plain_json,
    problem::InboxProblem,
    refusals::InboxRefusals,
};
use crate::{
    inbox::{InboxError, SheetFormat},
    lead::LeadStatus,
    store::{LeadInbox, StoreError},
    token::{Grant, TokenSet, Unauthorized},
};

/// How many files of leads are sent at once; one more is answered 503.
const MAX_SHEETS: usize = 8;

/// The inbox: leads are listed, shown, counted and handed out as files; moved, released and erased.
///
/// | request | scope | answer |
/// | --- | --- | --- |
/// | `GET /inbound/leads?status&service&source&from&to&after&limit` | read | a page, newest first, and `next` |
/// | `POST /inbound/leads/search` `{"text","status","service","source","from","to","after","limit"}` | read | what is found, newest first |
/// | `GET /inbound/leads/{id}` | read | the lead, its trail, and other leads of its address |
/// | `GET /inbound/leads/counts?status&service&source&from&to` | read | numbers by status, service, source and day |
/// | `GET /inbound/leads/contact-times?service&source&from&to` | read | how long people wait until somebody works on their lead |
/// | `GET /inbound/leads.csv`, `.jsonl` | read | all that a filter shows, as a file |
/// | `POST /inbound/leads/{id}/status` `{"from","to","reason"}` | work | the lead as it is then |
/// | `POST /inbound/leads/{id}/notes` `{"text"}` | work | the lead as it is then |
/// | `POST /inbound/leads/{id}/assignee` `{"from","to","reason"}` | work | the lead as it is then |
/// | `POST /inbound/leads/{id}/release`, `/consent-withdrawal` `{"reason"}` | work | the lead as it is then |
/// | `DELETE /inbound/leads/{id}` `{"reason"}` | erase | 204, also where it was erased already |
/// | `POST /inbound/subjects/export` `{"email"}` | read, reveal | all that is held on a person |
/// | `POST /inbound/subjects/erase` `{"email","reason"}` | erase | the ids of what was erased |
///
/// `{id}` is a lead's id, or the id of its request, which the visitor was shown. What is personal is masked, unless the token has
/// [`Scope::Reveal`](crate::Scope::Reveal) and the request does not say `reveal=false`. Who is shown a lead in clear is noted in
/// its trail first, at most once an hour for each actor: give each colleague and each system a token of its own
/// ([`Token::acting_as`](crate::Token::acting_as)). The answers to changes are always masked. A token that is bound to sources
/// sees and works their leads alone; to it, others are not there.
///
/// A search is for words, or for the beginnings of words, as [`Search`](crate::inbox::Search) says, or for a reference: an id. A
/// token without [`Scope::Reveal`](crate::Scope::Reveal) searches for whole words alone, of 3 characters at least, or 6 digits. Where the answer says
/// `"is_complete": false`, leads that came before are not all found yet; where it has `next`, there may be more, however few
/// were found.
///
/// A reason may be left out, and then the body. Up to 8 files are sent at once. Days are UTC's. `from` is a part of the range, `to` is not.
///
/// ```
/// use fastcore_leads::{Actor, InboxEndpoint, Ingest, Lead, MemoryLeadStore, SAMPLE_LEAD, Scope, Token, TokenSet};
/// # use http_body_util::{BodyExt, Empty};
/// # use fastcore_leads::bytes::Bytes;
///
/// # tokio::runtime::Builder::new_current_thread().enable_time().build()?.block_on(async {
/// let store = MemoryLeadStore::new();
/// let lead = Lead::parse(SAMPLE_LEAD.as_bytes(), Default::default())?;
/// Ingest::builder(store.clone()).start().ingest(lead, Actor::SITE_INGEST).await?;
///
/// let token = Token::new("a-token-of-32-random-characters!")?.acting_as(Actor::new("marie")?).with_scopes([Scope::Read]);
/// let inbox = InboxEndpoint::new(store, TokenSet::new([token])?);
/// let request = http::Request::get("/inbound/leads?status=received")
///     .header("authorization", "Bearer a-token-of-32-random-characters!")
///     .body(Empty::<Bytes>::new())?;
/// let answer = inbox.handle(request).await;
/// assert_eq!(answer.status(), 200);
/// let page = answer.into_body().collect().await?.to_bytes();
/// assert!(String::from_utf8_lossy(&page).contains("J***"));
/// # Ok::<(), Box<dyn std::error::Error>>(()) }).map_err(|error| error.to_string())?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone)]
pub struct InboxEndpoint {
    shared: Arc<Shared>,
}

struct Shared {
    store: Arc<dyn LeadInbox>,
    tokens: TokenSet,
    body_timeout: Duration,
    sheets: Arc<Semaphore>,
    indexer: Indexer,
    refusals: InboxRefusals,
}

impl InboxEndpoint {
    /// The inbox of a store, with defaults.
    pub fn new(store: impl LeadInbox + 'static, tokens: TokenSet) -> Self {
        Self::builder(store, tokens).build()
    }

    /// Configures an inbox.
    pub fn builder(store: impl LeadInbox + 'static, tokens: TokenSet) -> InboxEndpointBuilder {
        InboxEndpointBuilder { store: Arc::new(store), tokens, body_timeout: request_body::TIMEOUT }
    }

    /// Whether a path is one of [`inbox_paths`]: any other is the host's.
    pub fn serves(path: &str) -> bool {
        Route::of(path).is_some()
    }

    /// Answers one request. Path, method, token, scope, size, type, query and body are checked in this order, and the first that
    /// fails answers; a path that is not of [`inbox_paths`] is answered as a lead that is not there.
    pub async fn handle<B>(&self, request: Request<B>) -> Response<InboxBody>
    where
        B: Body,
        B::Data: Buf,
    {
        self.answered(None, request).await
    }

    /// Answers one request of somebody whose token was checked before, such as for a session of a web page: as
    /// [`handle`](Self::handle), but for the `Authorization` header, which is not looked at. Ask
    /// [`TokenSet::renew`] before each request whether the token is still good.
    pub async fn handle_as<B>(&self, grant: &Grant, request: Request<B>) -> Response<InboxBody>
    where
        B: Body,
        B::Data: Buf,
    {
        self.answered(Some(grant), request).await
    }

    async fn answered<B>(&self, grant: Option<&Grant>, request: Request<B>) -> Response<InboxBody>
    where
        B: Body,
        B::Data: Buf,
    {
        let answered = match self.answer(grant, request).await {
            Ok(answered) => answered.into_response(),
            Err(refusal) => {
                let problem = refusal.problem();
                self.shared.refusals.tell(problem, refusal.store_error());
                refusal.into_response().map(|response| response.map(InboxBody::whole))
            }
        };
        answered.unwrap_or_else(|error| or_bare(Err(error)).map(InboxBody::whole))
    }

    async fn answer<B>(&self, grant: Option<&Grant>, request: Request<B>) -> Result<Answered, Refusal>
    where
        B: Body,
        B::Data: Buf,
    {
        let (head, body) = request.into_parts();
        let (route, id) = Route::of(head.uri.path()).ok_or(Refusal::NotFound)?;
        if !route.takes(&head.method) {
            return Err(Refusal::Method(route));
        }
        let grant = match grant {
            Some(grant) => grant.clone(),
            None => self.shared.tokens.authenticate(&head.headers).map_err(Refusal::Token)?,
        };
        if !route.scopes(&head.method).iter().all(|scope| grant.allows(*scope)) {
            return Err(Refusal::Scope);
        }
        let query = head.uri.query().unwrap_or_default();
        if head.method == Method::GET {
            return self.read(&grant, route, id, query).await;
        }
        let body = self.body(&head.headers, body).await?;
        if !query.is_empty() {
            return Err(Refusal::Query);
        }
        // A server drops this where the client goes away: what was begun is carried out to its end all the same.
        let (endpoint, id) = (self.clone(), id.to_owned());
        let work = tokio::spawn(async move { endpoint.work(&grant, route, &id, &body).await });
        work.await.unwrap_or(Err(Refusal::Panicked))
    }

    async fn read(&self, grant: &Grant, route: Route, id: &str, query: &str) -> Result<Answered, Refusal> {
        let store = &self.shared.store;
        Ok(Answered::Json(match route {
            Route::Sheet(format) => {
                let place = Arc::clone(&self.shared.sheets).try_acquire_owned().map_err(|_| Refusal::Busy)?;
                return Ok(Answered::Sheet(format, read::sheet(store, grant, format, query, place).await?));
            }
            Route::Counts => read::counts(&**store, grant, query).await?,
            Route::ContactTimes => contact::times(&**store, grant, query).await?,
            Route::Lead => read::lead(&**store, grant, id, query).await?,
            _ => read::list(&**store, grant, query).await?,
        }))
    }

    async fn work(&self, grant: &Grant, route: Route, id: &str, body: &[u8]) -> Result<Answered, Refusal> {
        let store = &*self.shared.store;
        Ok(Answered::Json(match route {
            Route::Search => search::search(&self.shared.store, &self.shared.indexer, grant, body).await?,
            Route::Lead => {
                work::erase(store, grant, id, body).await?;
                return Ok(Answered::Nothing);
            }
            Route::ExportSubject => work::export_subject(store, grant, body).await?,
            Route::EraseSubject => work::erase_subject(store, grant, body).await?,
            _ => work::change(store, grant, route, id, body).await?,
        }))
    }

    /// What was sent; that may be nothing, which needs no type.
    async fn body<B>(&self, headers: &HeaderMap, body: B) -> Result<Bytes, Refusal>
    where
        B: Body,
        B::Data: Buf,
    {
        let body = request_body::read(headers, body, self.shared.body_timeout).await.map_err(Refusal::Body)?;
        if body.is_empty() || is_plain_json(headers) { Ok(body) } else { Err(Refusal::MediaType) }
    }
}

impl fmt::Debug for InboxEndpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("InboxEndpoint").field("tokens", &self.shared.tokens).finish_non_exhaustive()
    }
}

/// Settings of an [`InboxEndpoint`].
pub struct InboxEndpointBuilder {
    store: Arc<dyn LeadInbox>,
    tokens: TokenSet,
    body_timeout: Duration,
}

impl InboxEndpointBuilder {
    /// How long a body may take to arrive. Default 10 s; what is not whole by then is answered 408.
    pub fn body_timeout(self, body_timeout: Duration) -> Self {
        Self { body_timeout, ..self }
    }

    /// The inbox.
    pub fn build(self) -> InboxEndpoint {
        let Self { store, tokens, body_timeout } = self;
        let (sheets, indexer) = (Arc::new(Semaphore::new(MAX_SHEETS)), Indexer::default());
        let refusals = InboxRefusals::default();
        InboxEndpoint { shared: Arc::new(Shared { store, tokens, body_timeout, sheets, indexer, refusals }) }
    }
}

impl fmt::Debug for InboxEndpointBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("InboxEndpointBuilder").field("tokens", &self.tokens).finish_non_exhaustive()
    }
}

enum Answered {
    Json(serde_json::Value),
    Sheet(SheetFormat, InboxBody),
    Nothing,
}

impl Answered {
    fn into_response(self) -> http::Result<Response<InboxBody>> {
        let response = Response::builder();
        match self {
            Self::Json(value) => {
                let response = response.header(CONTENT_TYPE, "application/json");
                Ok(finish(response, to_bytes(&value))?.map(InboxBody::whole))
            }
            Self::Sheet(format, body) => response
                .header(CONTENT_TYPE, format.media_type())
                .header(CONTENT_DISPOSITION, format!("attachment; filename=\"leads.{format}\""))
                .header(CACHE_CONTROL, NO_STORE)
                .body(body),
            // A length there would be against RFC 9110, section 8.6.
            Self::Nothing => response
                .status(StatusCode::NO_CONTENT)
                .header(CACHE_CONTROL, NO_STORE)
                .body(InboxBody::whole(Bytes::new())),
        }
    }
}

/// Why a request is not answered 2xx.
enum Refusal {
    Method(Route),
    Token(Unauthorized),
    Scope,
    /// Not for a token that is bound to sources.
    Source,
    Query,
    NotFound,
    MediaType,
    Body(Unread),
    Malformed,
    /// JSON, but not the members of this route.
    Invalid,
    /// As many files are sent as may be.
    Busy,
    Panicked,
    Inbox(InboxError),
}

impl From<InboxError> for Refusal {
    fn from(error: InboxError) -> Self {
        Self::Inbox(error)
    }
}

impl From<StoreError> for Refusal {
    fn from(error: StoreError) -> Self {
        Self::Inbox(error.into())
    }
}

impl Refusal {
    fn store_error(&self) -> Option<&StoreError> {
        if let Self::Inbox(InboxError::Store(error)) = self { Some(error) } else { None }
    }

    fn lead_status(&self) -> Option<LeadStatus> {
        match self {
            Self::Inbox(
                InboxError::StatusChanged { current }
                | InboxError::NotQuarantined { current }
                | InboxError::IllegalMove { from: current, .. },
            ) => Some(*current),
            _ => None,
        }
    }

    fn problem(&self) -> InboxProblem {
        match self {
            Self::Method(_) => InboxProblem::MethodNotAllowed,
            Self::Token(_) => InboxProblem::Unauthorized,
            Self::Scope => InboxProblem::ScopeMissing,
            Self::Source => InboxProblem::SourceForbidden,
            Self::Query => InboxProblem::InvalidQuery,
            Self::NotFound | Self::Inbox(InboxError::NotFound) => InboxProblem::LeadNotFound,
            Self::MediaType => InboxProblem::UnsupportedMediaType,
            Self::Body(Unread::TooLarge) => InboxProblem::BodyTooLarge,
            Self::Body(Unread::TooSlow) => InboxProblem::RequestTimeout,
            Self::Body(Unread::Truncated) | Self::Malformed => InboxProblem::MalformedBody,
            Self::Invalid => InboxProblem::ValidationError,
            Self::Busy => InboxProblem::Unavailable,
            Self::Panicked => InboxProblem::Internal,
            Self::Inbox(InboxError::StatusChanged { .. }) => InboxProblem::StatusChanged,
            Self::Inbox(InboxError::IllegalMove { .. }) => InboxProblem::IllegalMove,
            Self::Inbox(InboxError::NotQuarantined { .. }) => InboxProblem::NotQuarantined,
            Self::Inbox(InboxError::AssigneeChanged) => InboxProblem::AssigneeChanged,
            Self::Inbox(InboxError::TooManyNotes) => InboxProblem::TooManyNotes,
            Self::Inbox(InboxError::NoConsent) => InboxProblem::NoConsent,
            Self::Inbox(InboxError::UnknownStatus) => InboxProblem::UnknownStatus,
            Self::Inbox(InboxError::Erased) => InboxProblem::LeadErased,
            Self::Inbox(InboxError::ReasonNamesPerson) => InboxProblem::ReasonNamesPerson,
            Self::Inbox(InboxError::Store(error)) if is_fault(error) => InboxProblem::Internal,
            Self::Inbox(InboxError::Store(_)) => InboxProblem::Unavailable,
        }
    }

    fn into_response(self) -> http::Result<Response<Bytes>> {
        let problem = self.problem();
        let mut response = Response::builder().status(problem.status()).header(CONTENT_TYPE, PROBLEM_JSON);
        response = match (&self, problem) {
            (Self::Method(route), _) => response.header(ALLOW, route.methods()),
            (Self::Token(unauthorized), _) => response.header(WWW_AUTHENTICATE, challenge(*unauthorized)),
            (_, InboxProblem::Unavailable) => response.header(RETRY_AFTER, RETRY_AFTER_SECONDS),
            _ => response,
        };
        finish(response, problem.to_json(self.lead_status()))
    }
}
