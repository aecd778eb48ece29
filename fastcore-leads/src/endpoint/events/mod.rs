//! The feed: events in the order of commits, for whoever asks.

mod cursor;
mod query;
mod tail;

use std::{collections::HashMap, fmt, sync::Arc, time::Duration};

use bytes::Bytes;
use http::{
    Method, Request, Response,
    header::{ALLOW, CONTENT_TYPE, RETRY_AFTER, WWW_AUTHENTICATE},
};
use serde::Serialize;
use tokio::{sync::Semaphore, time::Instant};

use self::{cursor::Cursor, query::Query, tail::Tail};
use super::{
    answer::{PROBLEM_JSON, RETRY_AFTER_SECONDS, challenge, finish, is_fault, or_bare, to_bytes},
    problem::EventsProblem,
    refusals::EventsRefusals,
};
use crate::{
    ingest::Commits,
    lead::LeadId,
    outbox::{Body, Event, Payload, Subject},
    store::{LeadOutbox, StoreError, StoreErrorKind},
    token::{Grant, Scope, TokenSet, Unauthorized},
};

/// Where adapters mount the feed.
pub const INBOUND_EVENTS_PATH: &str = "/inbound/events";

/// How often the database is asked for what other processes wrote.
const POLL: Duration = Duration::from_secs(1);
/// How many requests may wait at once.
const MAX_WAITING: usize = 256;
/// How many events are looked through at once where the bearer hears of some alone.
const WINDOW: usize = 500;

/// `GET /inbound/events?after=CURSOR&wait=30&limit=100`: what happened to leads, in the order of commits, for systems that no
/// webhook reaches.
///
/// An answer holds up to `limit` events (1 to 500, 100 by default) and `next`, the cursor to ask with for what comes after
/// them. Without `after` it begins at the first event. Where there is none yet, the answer waits for one, up to `wait` seconds
/// (0 to 60, 0 by default). Whoever stores `next` together with what it made of the events misses nothing: a cursor names the event
/// that it lies behind, so that a database that was put back to an earlier state is noticed (409).
///
/// A token needs [`Scope::Events`]; one that is bound to sources hears of their leads alone. An event is told with the lead as it
/// is now: of a lead that was erased, there is nothing but `lead.erased`.
///
/// ```
/// use std::sync::Arc;
/// use fastcore_leads::{Ingest, Lead, MemoryLeadStore, SAMPLE_LEAD, Token, TokenSet, endpoint::EventsEndpoint, token::Scope};
///
/// # tokio::runtime::Builder::new_current_thread().enable_time().build()?.block_on(async {
/// let store = MemoryLeadStore::new();
/// let token = Token::new("a-token-of-32-random-characters!")?.with_scopes([Scope::Events]);
/// let feed = EventsEndpoint::new(store.clone(), TokenSet::new([token])?);
///
/// let lead = Lead::parse(SAMPLE_LEAD.as_bytes(), Default::default())?;
/// Ingest::builder(store).start().ingest(lead, fastcore_leads::Actor::SITE_INGEST).await?;
/// let request = http::Request::get("/inbound/events?wait=30")
///     .header("authorization", "Bearer a-token-of-32-random-characters!")
///     .body(())?;
/// let answer = feed.handle(request).await;
/// assert_eq!(answer.status(), 200);
/// assert!(String::from_utf8_lossy(answer.body()).contains("lead.received"));
/// # Ok::<(), Box<dyn std::error::Error>>(()) }).map_err(|error| error.to_string())?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone)]
pub struct EventsEndpoint {
    shared: Arc<Shared>,
}

struct Shared {
    tail: Arc<Tail>,
    tokens: TokenSet,
    payload: Payload,
    waiting: Semaphore,
    max_waiting: usize,
    refusals: EventsRefusals,
}

impl EventsEndpoint {
    /// A feed of what a store holds, with defaults: nothing personal in it.
    pub fn new(store: impl LeadOutbox + 'static, tokens: TokenSet) -> Self {
        Self::builder(store, tokens).build()
    }

    /// Configures a feed.
    pub fn builder(store: impl LeadOutbox + 'static, tokens: TokenSet) -> EventsEndpointBuilder {
        EventsEndpointBuilder {
            store: Arc::new(store),
            tokens,
            payload: Payload::Thin,
            commits: Commits::new(),
            poll: POLL,
            max_waiting: MAX_WAITING,
        }
    }

    /// Returns how many requests wait for an event just now.
    pub fn waiting(&self) -> usize {
        self.shared.max_waiting - self.shared.waiting.available_permits()
    }

    /// Answers whoever waits at once, and lets nobody wait any more: for a service that is about to stop.
    pub fn close(&self) {
        self.shared.tail.close();
    }

    /// Answers one request. The host has matched the path; method, token, scope and query are checked here, in this order,
    /// and the first that fails answers. The body is not looked at.
    pub async fn handle<B>(&self, request: Request<B>) -> Response<Bytes> {
        let (head, _) = request.into_parts();
        or_bare(match self.page(&head).await {
            Ok(page) => finish(Response::builder().header(CONTENT_TYPE, "application/json"), page),
            Err(refusal) => {
                let problem = refusal.problem();
                self.shared.refusals.tell(problem, refusal.store_error());
                let mut response = Response::builder().status(problem.status()).header(CONTENT_TYPE, PROBLEM_JSON);
                response = match (problem, &refusal) {
                    (_, Refusal::Token(unauthorized)) => response.header(WWW_AUTHENTICATE, challenge(*unauthorized)),
                    (EventsProblem::MethodNotAllowed, _) => response.header(ALLOW, "GET"),
                    (EventsProblem::Unavailable, _) => response.header(RETRY_AFTER, RETRY_AFTER_SECONDS),
                    _ => response,
                };
                finish(response, problem.to_json())
            }
        })
    }

    async fn page(&self, head: &http::request::Parts) -> Result<Bytes, Refusal> {
        let Shared { tail, tokens, waiting, .. } = &*self.shared;
        if head.method != Method::GET {
            return Err(Refusal::Method);
        }
        let grant = tokens.authenticate(&head.headers).map_err(Refusal::Token)?;
        if !grant.allows(Scope::Events) {
            return Err(Refusal::Scope);
        }
        let Query { after, wait, limit } = Query::parse(head.uri.query().unwrap_or_default()).ok_or(Refusal::Query)?;
        let until = Instant::now() + wait;
        let mut last = tail.look().await?;
        if !after.is_in(&*tail.store).await? {
            return Err(Refusal::CursorUnknown);
        }
        let (mut next, mut place) = (after, None);
        loop {
            let page = self.read(&grant, next, limit).await?;
            if !page.events.is_empty() || Instant::now() >= until || tail.is_closing() {
                return Ok(page.to_json(self.shared.payload));
            }
            // Of what was looked at, the bearer is told nothing.
            next = page.next;
            if place.is_none() {
                place = Some(waiting.try_acquire().map_err(|_| Refusal::Busy)?);
            }
            if page.has_more {
                continue;
            }
            match tail.wait(last, until).await? {
                Some(reached) => last = reached,
                None => return Ok(page.to_json(self.shared.payload)),
            }
        }
    }

    /// Events behind a place that the bearer is told of.
    async fn read(&self, grant: &Grant, after: Cursor, limit: u32) -> Result<Page, StoreError> {
        let store = &self.shared.tail.store;
        let limit = limit as usize;
        // Whoever hears of some sources may have to look through many events of others.
        let window = if grant.is_for_some_sources() { WINDOW } else { limit };
        let events = store.events(after.sequence, u32::try_from(window).unwrap_or(u32::MAX)).await?;
        let has_more = events.len() >= window;
        let next = events.last().map_or(after, Cursor::behind);
        let subjects = subjects(&**store, &events).await?;
        let told = events.into_iter().filter_map(|event| {
            let subject = subjects.get(&event.lead_id)?;
            let is_told = grant.allows_source(&subject.lead.source) && subject.is_told(event.event_type);
            is_told.then(|| (event, Arc::clone(subject)))
        });
        let mut told: Vec<_> = told.collect();
        if told.len() <= limit {
            return Ok(Page { events: told, next, has_more });
        }
        told.truncate(limit);
        let next = told.last().map_or(after, |(event, _)| Cursor::behind(event));
        Ok(Page { events: told, next, has_more: true })
    }
}

/// The leads of events.
async fn subjects(store: &dyn LeadOutbox, events: &[Event]) -> Result<HashMap<LeadId, Arc<Subject>>, StoreError> {
    let mut ids: Vec<_> = events.iter().map(|event| event.lead_id).collect();
    ids.sort_unstable_by_key(|id| id.as_uuid());
    ids.dedup();
    if ids.is_empty() {
        return Ok(HashMap::new());
    }
    let found = match store.subjects(&ids).await {
        Err(error) if error.kind() == StoreErrorKind::Internal => {
            // One row that cannot be read must not hold up the others; but where none can be, for want of a right or of a table,
            // nobody may be led past them.
            store.subjects(&[]).await?;
            let mut found = Vec::new();
            for id in ids {
                match store.subjects(&[id]).await {
                    Err(error) if error.kind() == StoreErrorKind::Internal => {
                        tracing::error!(lead_id = %id, %error, "events of a lead that cannot be read are left out");
                    }
                    one => found.extend(one?),
                }
            }
            found
        }
        found => found?,
    };
    Ok(found.into_iter().map(|subject| (subject.lead.id, Arc::new(subject))).collect())
}

impl fmt::Debug for EventsEndpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EventsEndpoint")
            .field("tokens", &self.shared.tokens)
            .field("payload", &self.shared.payload)
            .finish_non_exhaustive()
    }
}

/// Settings of an [`EventsEndpoint`].
pub struct EventsEndpointBuilder {
    store: Arc<dyn LeadOutbox>,
    tokens: TokenSet,
    payload: Payload,
    commits: Arc<Commits>,
    poll: Duration,
    max_waiting: usize,
}

impl EventsEndpointBuilder {
    /// How much of a lead the bearers of all tokens are told. Default: [`Payload::Thin`].
    pub fn payload(self, payload: Payload) -> Self {
        Self { payload, ..self }
    }

    /// Follows an ingest in the same process, by [`IngestBuilder::followed_by`](crate::IngestBuilder::followed_by): those who wait do
    /// not wait for the next poll.
    pub fn follow(self, commits: Arc<Commits>) -> Self {
        Self { commits, ..self }
    }

    /// How often the database is asked while somebody waits, half as often or half as often again by chance. Default: 1 s.
    pub fn poll(self, poll: Duration) -> Self {
        Self { poll, ..self }
    }

    /// How many requests may wait at once; one more is answered 503. Default: 256.
    pub fn max_waiting(self, max_waiting: usize) -> Self {
        Self { max_waiting, ..self }
    }

    /// The feed.
    pub fn build(self) -> EventsEndpoint {
        let max_waiting = self.max_waiting.min(Semaphore::MAX_PERMITS);
        EventsEndpoint {
            shared: Arc::new(Shared {
                tail: Tail::new(self.store, self.commits, self.poll),
                tokens: self.tokens,
                payload: self.payload,
                waiting: Semaphore::new(max_waiting),
                max_waiting,
                refusals: EventsRefusals::default(),
            }),
        }
    }
}

impl fmt::Debug for EventsEndpointBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EventsEndpointBuilder").field("payload", &self.payload).finish_non_exhaustive()
    }
}

/// Events that a bearer is told of, each with its lead.
struct Page {
    events: Vec<(Event, Arc<Subject>)>,
    next: Cursor,
    has_more: bool,
}

impl Page {
    fn to_json(&self, payload: Payload) -> Bytes {
        let mut events = Vec::with_capacity(self.events.len());
        for (event, subject) in &self.events {
            events.push(Item { id: event.id(), body: Body::of(event, subject, payload) });
        }
        to_bytes(&Answer { events, next: self.next.to_string(), more: self.has_more })
    }
}

#[derive(Serialize)]
struct Answer<'a> {
    events: Vec<Item<'a>>,
    next: String,
    more: bool,
}

#[derive(Serialize)]
struct Item<'a> {
    id: String,
    #[serde(flatten)]
    body: Body<'a>,
}

/// Why a request is not answered 200.
enum Refusal {
    Method,
    Token(Unauthorized),
    Scope,
    Query,
    CursorUnknown,
    /// As many wait as may.
    Busy,
    Store(StoreError),
}

impl From<StoreError> for Refusal {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

impl Refusal {
    fn store_error(&self) -> Option<&StoreError> {
        if let Self::Store(error) = self { Some(error) } else { None }
    }

    fn problem(&self) -> EventsProblem {
        match self {
            Self::Method => EventsProblem::MethodNotAllowed,
            Self::Token(_) => EventsProblem::Unauthorized,
            Self::Scope => EventsProblem::ScopeMissing,
            Self::Query => EventsProblem::InvalidQuery,
            Self::CursorUnknown => EventsProblem::CursorUnknown,
            Self::Busy => EventsProblem::Unavailable,
            Self::Store(error) if is_fault(error) => EventsProblem::Internal,
            Self::Store(_) => EventsProblem::Unavailable,
        }
    }
}
