//! The route that finds leads by their words. What is searched for may name a person: it comes in a body, and never in a URL.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    time::{Duration, Instant},
};

use serde_json::{Value, json};
use tokio::time::sleep;

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

/// How many leads are entered at once: few enough that nobody waits long for it.
const STEP: u32 = 200;
/// How long a search waits for leads to be entered.
const PATIENCE: Duration = Duration::from_millis(100);
/// How often is looked for more to be entered, and how many times after a search.
const PAUSE: Duration = Duration::from_secs(1);
const TIMES: u32 = 60;

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
        let search: Search = text.parse().map_err(|_| Refusal::Invalid)?;
        // Whoever is shown nothing personal must not find it out letter by letter.
        let search = if grant.allows(Scope::Reveal) { search } else { search.of_whole_words() };
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
pub(super) struct Indexer {
    /// How many more times is looked for leads to be entered; 0 where nobody does.
    left: Arc<AtomicU32>,
}

impl Indexer {
    async fn search(
        &self,
        store: &Arc<dyn LeadInbox>,
        search: &Search,
        query: &Query,
        after: Option<SearchCursor>,
    ) -> Result<SearchPage, StoreError> {
        let mut page = store.search(search, &query.filter, after, query.limit()).await?;
        if !page.is_complete {
            // What came just now is found too; where that fails, or takes too long, the page says so.
            let started = Instant::now();
            while started.elapsed() < PATIENCE && store.index(STEP).await.is_ok_and(|entered| entered > 0) {}
            page = store.search(search, &query.filter, after, query.limit()).await?;
        }
        self.keep_up(store);
        Ok(page)
    }

    fn keep_up(&self, store: &Arc<dyn LeadInbox>) {
        if self.left.swap(TIMES, Ordering::Relaxed) > 0 {
            return;
        }
        let (left, store) = (Arc::clone(&self.left), Arc::downgrade(store));
        tokio::spawn(async move {
            // Nobody else has the endpoint any more: its database may be closed.
            while let Some(store) = store.upgrade() {
                let started = Instant::now();
                match store.index(STEP).await {
                    // As long as it took, others have the database for themselves.
                    Ok(1..) => sleep(started.elapsed()).await,
                    entered => {
                        if let Err(error) = entered {
                            tracing::warn!(%error, "leads were not entered into the index of their words");
                        }
                        drop(store);
                        sleep(PAUSE).await;
                        if left.fetch_sub(1, Ordering::Relaxed) == 1 {
                            break;
                        }
                    }
                }
            }
        });
    }
}
