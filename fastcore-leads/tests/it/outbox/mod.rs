//! Telling others: over the reference store, with receivers that do what a test asks.

mod checkpoints;
mod guard;
mod mail;
mod signatures;
mod unanswered;
mod webhooks;

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use async_trait::async_trait;
use bytes::Bytes;
use fastcore_leads::{
    Actor, Insertion, LeadId, LeadStore, MemoryLeadStore, NewLead, Transport, bytes,
    http::{Request, Response},
    outbox::{DeliveryFilter, DeliveryState, Destination, Dispatcher, Schedule, SigningKey, Subscription, Webhook},
    serde_json::Value,
    testing::{body, parse},
    transport::Unreachable,
};

/// What a receiver answers to its how many-th request, counted from 1. None: never anything.
type Rule = dyn Fn(usize, &Request<Bytes>) -> Option<Response<Bytes>> + Send + Sync;

/// Keeps what it is sent.
#[derive(Clone)]
struct Receiver {
    requests: Arc<Mutex<Vec<Request<Bytes>>>>,
    rule: Arc<Rule>,
}

impl Receiver {
    fn new(rule: impl Fn(usize, &Request<Bytes>) -> Option<Response<Bytes>> + Send + Sync + 'static) -> Self {
        Self { requests: Arc::default(), rule: Arc::new(rule) }
    }

    fn content() -> Self {
        Self::new(|_, _| Some(answer(204)))
    }

    fn requests(&self) -> Vec<Request<Bytes>> {
        self.requests.lock().unwrap().clone()
    }

    fn bodies(&self) -> Vec<Value> {
        self.requests().iter().map(|request| fastcore_leads::serde_json::from_slice(request.body()).unwrap()).collect()
    }

    fn webhook(&self) -> Webhook {
        Webhook::new("https://crm.example/hooks", vec![key()], self.clone()).unwrap()
    }

    fn destination(&self, name: &str) -> Destination {
        Destination::webhook(subscription(name), self.webhook()).schedule(quick(20))
    }
}

#[async_trait]
impl Transport for Receiver {
    async fn send(&self, request: Request<Bytes>) -> Result<Response<Bytes>, Unreachable> {
        let number = {
            let mut requests = self.requests.lock().unwrap();
            requests.push(request.clone());
            requests.len()
        };
        match (self.rule)(number, &request) {
            Some(response) => Ok(response),
            None => std::future::pending().await,
        }
    }
}

fn answer(status: u16) -> Response<Bytes> {
    Response::builder().status(status).body(Bytes::new()).unwrap()
}

fn key() -> SigningKey {
    "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw".parse().unwrap()
}

fn subscription(name: &str) -> Subscription {
    Subscription { destination: name.to_owned(), ..Subscription::default() }
}

/// So many attempts after the first, without a pause worth the name.
fn quick(attempts: usize) -> Schedule {
    Schedule::new(vec![Duration::from_millis(1); attempts])
}

async fn receive(store: &MemoryLeadStore, vary: impl FnOnce(&mut Value)) -> LeadId {
    let mut sent = body();
    vary(&mut sent);
    let new = NewLead::new(parse(&sent), Actor::SITE_INGEST);
    let id = new.id();
    assert_eq!(store.insert(&[new]).await.unwrap(), [Insertion::Inserted]);
    id
}

fn dispatcher(store: &MemoryLeadStore, destinations: Vec<Destination>) -> Dispatcher {
    let builder = Dispatcher::builder(store.clone()).poll(Duration::from_millis(5));
    destinations.into_iter().fold(builder, fastcore_leads::outbox::DispatcherBuilder::destination).start()
}

/// Waits until a destination is known: it is told what happens from then on.
async fn known(store: &MemoryLeadStore, destinations: usize) {
    use fastcore_leads::LeadOutbox;

    until("the destinations are known", async || store.destinations().await.unwrap().len() == destinations).await;
}

async fn in_state(store: &MemoryLeadStore, state: DeliveryState) -> usize {
    use fastcore_leads::LeadOutbox;

    let filter = DeliveryFilter { state: Some(state), ..DeliveryFilter::default() };
    store.deliveries(&filter, None, 10_000).await.unwrap().len()
}

async fn until(what: &str, is_so: impl AsyncFn() -> bool) {
    for _ in 0..30_000 {
        if is_so().await {
            return;
        }
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    panic!("after 30 s it is not so that {what}");
}
