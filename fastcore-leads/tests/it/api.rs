//! What other programs build on: values as text, clocks, streams, composing services.

use std::{
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};

use bytes::Bytes;
use chrono::{DateTime, TimeDelta, Utc};
use fastcore_leads::{
    Actor, EmailAddress, Endpoint, EventsEndpoint, INBOUND_EVENTS_PATH, INBOUND_LEADS_PATH, InboxEndpoint, Ingest,
    Lead, LeadId, LeadInbox, LeadStatus, MemoryLeadStore, RequestId, SAMPLE_LEAD, Service, TokenSet,
    inbox::Cursor,
    testing::{TOKEN, lead},
};
use futures_util::{Stream, stream};
use http::Request;
use http_body_util::Full;
use serde::{Serialize, de::DeserializeOwned};
use tokio::time::{Instant, Sleep, sleep};

use crate::scripted::Scripted;

fn same_everywhere<T>(text: &str)
where
    T: std::str::FromStr + Serialize + DeserializeOwned + PartialEq + std::fmt::Debug,
    T: for<'t> TryFrom<&'t str> + TryFrom<String>,
{
    let value: T = text.parse().unwrap_or_else(|_| panic!("{text} is not read"));
    assert_eq!(T::try_from(text).ok().as_ref(), Some(&value));
    assert_eq!(T::try_from(text.to_owned()).ok().as_ref(), Some(&value));
    let json = serde_json::to_string(&value).unwrap();
    assert_eq!(json, format!("{text:?}"));
    assert_eq!(serde_json::from_str::<T>(&json).unwrap(), value);
    assert!(serde_json::from_str::<T>("\"\"").is_err(), "nothing is no value");
}

#[test]
fn values_have_one_text_everywhere() {
    const ID: &str = "f47ac10b-58cc-4372-a567-0e02b2c3d479";
    same_everywhere::<LeadId>(ID);
    same_everywhere::<RequestId>(ID);
    same_everywhere::<LeadStatus>("quarantined");
    same_everywhere::<Service>("ponts");
    same_everywhere::<Actor>("marie");
    same_everywhere::<EmailAddress>("jean@example.com");
    same_everywhere::<Cursor>(&format!("1700000000000000_{}", ID.replace('-', "")));
    assert!("00000000-0000-0000-0000-000000000000".parse::<RequestId>().is_err(), "nil");
    assert!(RequestId::new(uuid::Uuid::max()).is_err());
    let address: EmailAddress = "jean.dupont@example.com".parse().unwrap();
    assert!(!format!("{address} {address:?}").contains("dupont"), "an address gets into no log by accident");
    let error = serde_json::from_str::<EmailAddress>("\"CANARY@\"").unwrap_err().to_string();
    assert!(!error.contains("CANARY"), "{error}");
}

/// An import keeps the instant at which a lead was received, and a test has a clock of its own.
#[tokio::test(start_paused = true)]
async fn leads_are_received_when_the_host_says() {
    let store = MemoryLeadStore::new();
    let long_ago: DateTime<Utc> = "2019-03-01T08:00:00.123456Z".parse().unwrap();
    let ingest = Ingest::builder(store.clone()).clock(move || long_ago + TimeDelta::nanoseconds(7)).start();
    let first = ingest.ingest(lead(), Actor::SITE_INGEST).await.unwrap();
    let second = ingest.ingest_at(lead(), Actor::SITE_INGEST, long_ago + TimeDelta::days(1)).await.unwrap();
    assert_eq!(first.receipt.created_at, long_ago, "in microseconds");
    assert!(first.receipt.lead_id < second.receipt.lead_id, "ids sort by when leads were received");
    let row = store.get(second.receipt.lead_id).await.unwrap().unwrap();
    assert_eq!(row.created_at_utc, long_ago + TimeDelta::days(1));
    let before_unix = "1969-12-31T23:59:59Z".parse().unwrap();
    assert!(ingest.ingest_at(lead(), Actor::SITE_INGEST, before_unix).await.is_ok());
}

/// Comes a while after it was asked for.
struct Slow(u32, Pin<Box<Sleep>>);

impl Stream for Slow {
    type Item = Lead;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Lead>> {
        std::task::ready!(self.1.as_mut().poll(context));
        if self.0 == 0 {
            return Poll::Ready(None);
        }
        self.0 -= 1;
        let next = Instant::now() + Duration::from_secs(60);
        self.1.as_mut().reset(next);
        Poll::Ready(Some(lead()))
    }
}

/// The result of a lead does not wait for the next lead.
#[tokio::test(start_paused = true)]
async fn results_are_told_while_a_stream_waits() {
    let ingest = Ingest::builder(Scripted::open()).start();
    let (began, mut told) = (Instant::now(), Vec::new());
    ingest
        .ingest_each(Slow(3, Box::pin(sleep(Duration::from_secs(60)))), Actor::SITE_INGEST, |place, result| {
            told.push((place, result.is_ok(), began.elapsed().as_secs()));
        })
        .await;
    assert_eq!(told, [(0, true, 60), (1, true, 120), (2, true, 180)]);
    let mut count = 0;
    ingest.ingest_each(stream::iter((0..500).map(|_| lead())), Actor::SITE_INGEST, |_, _| count += 1).await;
    assert_eq!(count, 500);
}

#[test]
fn a_workflow_starts_from_any_thread() {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_time().build().unwrap();
    let ingest = Ingest::builder(MemoryLeadStore::new()).start_on(runtime.handle());
    assert!(runtime.block_on(ingest.ingest(lead(), Actor::SITE_INGEST)).is_ok());
}

#[tokio::test]
async fn an_endpoint_is_a_service() {
    use tower_service::Service as _;

    let mut endpoint = Endpoint::new(Ingest::builder(MemoryLeadStore::new()).start(), TokenSet::parse(TOKEN).unwrap());
    let request = Request::post(INBOUND_LEADS_PATH)
        .header("authorization", format!("Bearer {TOKEN}"))
        .header("content-type", "application/json")
        .body(Full::new(Bytes::from_static(SAMPLE_LEAD.as_bytes())))
        .unwrap();
    let response = endpoint.call(request).await.unwrap();
    assert_eq!(response.status(), 201);
    let mut feed = EventsEndpoint::new(MemoryLeadStore::new(), TokenSet::parse(TOKEN).unwrap());
    let request = Request::get(INBOUND_EVENTS_PATH).body(()).unwrap();
    assert_eq!(feed.call(request).await.unwrap().status(), 401);
    let mut inbox = InboxEndpoint::new(MemoryLeadStore::new(), TokenSet::parse(TOKEN).unwrap());
    let request = Request::get(INBOUND_LEADS_PATH).body(Full::new(Bytes::new())).unwrap();
    assert_eq!(inbox.call(request).await.unwrap().status(), 401);
}
