//! The route that finds leads by their words. What is searched for may name a person: it comes in a body, and never in a URL.

use std::{
    pin::pin,
    sync::{
        Arc, Mutex, PoisonError, Weak,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use serde_json::{Value, json};
use tokio::{
    sync::Notify,
    time::{sleep, timeout},
};

use super::{
    Refusal,
    body::{Wanted, read},
    query::Query,
    read::{find, note},
};
use crate::{
    inbox::{Search, SearchCursor, SearchPage},
    store::{LeadInbox, StoreError},
    token::{Grant, Scope},
};

/// How many leads are entered in a step: few enough that nobody waits long for it.
const STEP: u32 = 200;
/// How many steps are made one after the other; behind more there is a rest, so many times as long as a step takes.
const AT_ONCE: u32 = 5;
const REST: u32 = 19;
/// How long a search waits for leads to be entered.
const PATIENCE: Duration = Duration::from_millis(250);
/// How often is looked for more to be entered, and how long after a search.
const PAUSE: Duration = Duration::from_secs(1);
const KEPT_UP: Duration = Duration::from_secs(60);

/// What is found, newest first.
pub(super) async fn search(
    store: &Arc<dyn LeadInbox>,
    indexer: &Indexer,
    grant: &Grant,
    body: &[u8],
) -> Result<Value, Refusal> {
    let wanted: Wanted = read(body)?;
    let (text, after) = (wanted.text.trim().to_owned(), wanted.after);
    let mut query = Query::of(wanted).ok_or(Refusal::Invalid)?;
    let disclosure = query.disclosure(grant).ok_or(Refusal::Scope)?;
    let page = if uuid::Uuid::try_parse(&text).is_ok() {
        of_one(&**store, grant, &text, &query).await?
    } else {
        // Whoever is shown nothing personal must not find it out letter by letter.
        let allowed = |search: Search| if grant.allows(Scope::Reveal) { Ok(search) } else { search.of_whole_words() };
        let search = text.parse().and_then(allowed).map_err(|_| Refusal::Invalid)?;
        if query.narrow(grant) {
            indexer.search(store, &search, &query, after).await?
        } else {
            SearchPage { is_complete: true, ..SearchPage::default() }
        }
    };
    note(&**store, grant, disclosure, &page.leads).await?;
    let leads: Vec<_> = page.leads.iter().map(|lead| disclosure.lead(lead)).collect();
    let next = page.next.map(|next| next.to_string());
    Ok(json!({"leads": leads, "next": next, "is_complete": page.is_complete}))
}

/// The lead of an id, or of the reference that a visitor was shown.
async fn of_one(store: &dyn LeadInbox, grant: &Grant, id: &str, query: &Query) -> Result<SearchPage, Refusal> {
    let leads = match find(store, grant, id).await {
        Ok(lead) if query.filter.shows(&lead) => vec![lead],
        Ok(_) | Err(Refusal::NotFound) => Vec::new(),
        Err(refusal) => return Err(refusal),
    };
    Ok(SearchPage { leads, next: None, is_complete: true })
}

/// Enters leads for as long as somebody searches, and a minute longer.
#[derive(Default)]
pub(super) struct Indexer(Arc<State>);

#[derive(Default)]
struct State {
    is_running: AtomicBool,
    /// A search waited in vain, and not all are entered since.
    is_behind: AtomicBool,
    searched_at: Mutex<Option<Instant>>,
    /// Somebody searches.
    wake: Notify,
    /// All are entered.
    entered: Notify,
}

impl Indexer {
    async fn search(
        &self,
        store: &Arc<dyn LeadInbox>,
        search: &Search,
        query: &Query,
        after: Option<SearchCursor>,
    ) -> Result<SearchPage, StoreError> {
        let mut entered = pin!(self.0.entered.notified());
        entered.as_mut().enable();
        let page = store.search(search, &query.filter, after, query.limit()).await?;
        self.keep_up(store);
        if page.is_complete {
            return Ok(page);
        }
        // What came just now is found too. Where so much comes that it takes too long, nobody waits: the page says so.
        if !self.0.is_behind.load(Ordering::Relaxed) {
            match timeout(PATIENCE, entered).await {
                Ok(()) => return store.search(search, &query.filter, after, query.limit()).await,
                Err(_) => self.0.is_behind.store(true, Ordering::Relaxed),
            }
        }
        Ok(page)
    }

    fn keep_up(&self, store: &Arc<dyn LeadInbox>) {
        let state = &self.0;
        *state.searched_at.lock().unwrap_or_else(PoisonError::into_inner) = Some(Instant::now());
        state.wake.notify_one();
        if !state.is_running.swap(true, Ordering::Relaxed) {
            tokio::spawn(State::follow(Running(Arc::clone(state)), Arc::downgrade(store)));
        }
    }
}

impl State {
    async fn follow(state: Running, store: Weak<dyn LeadInbox>) {
        let state = &state.0;
        let mut at_once = AT_ONCE;
        while state.is_wanted() {
            // Nobody else has the endpoint any more: its database may be closed.
            let Some(held) = store.upgrade() else { return };
            let started = Instant::now();
            let entered = held.index(STEP).await;
            drop(held);
            match entered {
                Ok(1..) if at_once > 0 => at_once -= 1,
                // Then those who send leads go first.
                Ok(1..) => sleep(started.elapsed() * REST).await,
                other => {
                    match other {
                        Ok(_) => {
                            state.is_behind.store(false, Ordering::Relaxed);
                            state.entered.notify_waiters();
                        }
                        Err(error) => tracing::warn!(%error, "leads were not entered into the index of their words"),
                    }
                    at_once = AT_ONCE;
                    let _ = timeout(PAUSE, state.wake.notified()).await;
                }
            }
        }
    }

    fn is_wanted(&self) -> bool {
        let searched_at = *self.searched_at.lock().unwrap_or_else(PoisonError::into_inner);
        searched_at.is_some_and(|at| at.elapsed() < KEPT_UP)
    }
}

/// However it ends, the next search begins anew.
struct Running(Arc<State>);

impl Drop for Running {
    fn drop(&mut self) {
        self.0.is_running.store(false, Ordering::Relaxed);
    }
}
