//! News as they come: server-sent events, for as long as the browser listens.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use fastcore_leads::{InboxEndpoint, token::Grant};
use futures_util::stream;
use http::{HeaderMap, HeaderValue, Response, StatusCode};
use serde::Deserialize;
use tokio::time::sleep;

use super::{Api, Pieces, StaffBody, Turn, answer};

/// Who listens at once at most: each takes a connection, and asks the database.
pub(super) const MAX_LISTENERS: usize = 100;
/// How often is looked.
const PAUSE: Duration = Duration::from_secs(2);
/// After so many looks without news a comment is sent, so that nobody between takes the connection for dead.
const QUIET: u32 = 7;

#[derive(Deserialize)]
struct Newest {
    leads: Vec<Id>,
}

#[derive(Deserialize)]
struct Id {
    id: String,
}

async fn newest(inbox: &InboxEndpoint, grant: &Grant) -> Option<String> {
    let page: Newest = Api { inbox, grant }.get("/inbound/leads?limit=1&reveal=false").await.ok()?;
    Some(page.leads.into_iter().next().map(|lead| lead.id).unwrap_or_default())
}

impl Turn<'_> {
    /// Tells the newest lead's id at the start and whenever it is another. Ends when the session does.
    pub(super) fn live(&self, headers: &HeaderMap) -> Response<StaffBody> {
        let Ok(place) = Arc::clone(&self.staff.listeners).try_acquire_owned() else {
            return answer::text(StatusCode::SERVICE_UNAVAILABLE, "too many listen\n");
        };
        let begin = (Arc::clone(self.staff), place, headers.clone(), None::<String>);
        let news = stream::unfold(begin, |(staff, place, headers, told)| async move {
            let mut quiet = 0;
            loop {
                let grant = staff.sessions.find(&headers, &staff.tokens, false)?.grant;
                let found = newest(&staff.inbox, &grant).await;
                if let Some(found) = found
                    && told.as_ref() != Some(&found)
                {
                    let event = Bytes::from(format!("event: newest\ndata: {found}\n\n"));
                    return Some((Ok(event), (staff, place, headers, Some(found))));
                }
                quiet += 1;
                if quiet >= QUIET {
                    return Some((Ok(Bytes::from_static(b":\n\n")), (staff, place, headers, told)));
                }
                tokio::select! {
                    () = sleep(PAUSE) => {}
                    () = staff.closed.cancelled() => return None,
                }
            }
        });
        let mut response = answer::pieces("text/event-stream; charset=utf-8", Pieces::new(news));
        // nginx would hold news back until a buffer is full.
        response.headers_mut().insert("x-accel-buffering", HeaderValue::from_static("no"));
        response
    }
}
