use std::{collections::HashSet, sync::Arc, time::Duration};

use fastcore_leads::{
    Actor, Commits, Ingest, LeadOutbox, LeadStatus, MemoryLeadStore, bytes,
    http::Response,
    inbox::{InboxExt, Target},
    outbox::{
        DeliveryFilter, DeliveryState, Destination, Dispatcher, InvalidWebhook, Payload, SigningKey, Webhook,
        signature::verify,
    },
    serde_json::json,
    testing::{Nobody, lead},
};

use tokio::time::{Instant, sleep};

use super::{Receiver, answer, dispatcher, in_state, key, known, quick, receive, subscription, until};

#[tokio::test]
async fn a_receiver_is_told_by_requests_that_it_can_verify() {
    let (store, receiver) = (MemoryLeadStore::new(), Receiver::content());
    let private = SigningKey::generate_private_key().unwrap();
    let webhook = Webhook::new("https://crm.example/hooks", vec![key(), private.clone()], receiver.clone()).unwrap();
    let dispatcher = dispatcher(&store, vec![Destination::webhook(subscription("crm"), webhook)]);
    known(&store, 1).await;
    let id = receive(&store, |sent| sent["service"] = "ponts".into()).await;
    let marie = Actor::new("marie").unwrap();
    store.transition(id, LeadStatus::Received, LeadStatus::Processing, marie, None).await.unwrap();
    until("both arrived", async || in_state(&store, DeliveryState::Delivered).await == 2).await;
    dispatcher.shutdown().await;

    let requests = receiver.requests();
    assert_eq!(requests.len(), 2);
    for request in &requests {
        for key in [key(), private.clone()] {
            assert_eq!(verify(&[key.verifying_key()], request.headers(), request.body()), Ok(()));
        }
        assert_eq!(request.headers()["content-type"], "application/json");
    }
    let bodies = receiver.bodies();
    assert_eq!(bodies[0]["type"], "lead.received");
    let data = &bodies[0]["data"];
    assert_eq!((&data["lead_id"], &data["service"]), (&json!(id.to_string()), &json!("ponts")));
    assert_eq!((&data["sequence"], &data["earlier_leads"]), (&json!(1), &json!(0)));
    let members: HashSet<&str> = data.as_object().unwrap().keys().map(String::as_str).collect();
    let thin = ["lead_id", "request_id", "sequence", "service", "source", "status", "earlier_leads"];
    assert_eq!(members, HashSet::from(thin), "nothing personal");
    assert_eq!(bodies[1]["data"]["moved"], json!({"from": "received", "to": "processing"}));
    assert!(bodies[1]["timestamp"].as_str().unwrap().ends_with('Z'));
}

#[tokio::test]
async fn a_destination_can_ask_for_the_whole_lead() {
    let (store, receiver) = (MemoryLeadStore::new(), Receiver::content());
    let webhook = receiver.webhook().payload(Payload::Full);
    let dispatcher = dispatcher(&store, vec![Destination::webhook(subscription("crm"), webhook)]);
    known(&store, 1).await;
    receive(&store, |sent| sent["email"] = "anne@example.com".into()).await;
    until("it arrived", async || !receiver.requests().is_empty()).await;
    assert_eq!(receiver.bodies()[0]["data"]["lead"]["email"], "anne@example.com");
    dispatcher.shutdown().await;
}

#[tokio::test]
async fn what_fails_is_tried_again_under_the_same_id_and_then_given_up() {
    let store = MemoryLeadStore::new();
    let receiver = Receiver::new(|number, _| {
        Some(match number {
            1 => answer(500),
            2 => answer(302),
            _ => answer(404),
        })
    });
    let destination = Destination::webhook(subscription("crm"), receiver.webhook()).schedule(quick(4));
    let dispatcher = dispatcher(&store, vec![destination]);
    known(&store, 1).await;
    receive(&store, |_| ()).await;
    until("it is given up", async || in_state(&store, DeliveryState::Dead).await == 1).await;
    dispatcher.shutdown().await;
    let requests = receiver.requests();
    assert_eq!(requests.len(), 5, "one attempt, and four after it");
    let ids: HashSet<_> = requests.iter().map(|request| request.headers()["webhook-id"].clone()).collect();
    assert_eq!(ids.len(), 1, "the id is the same over all attempts");
    let records = store.deliveries(&DeliveryFilter::default(), None, 10).await.unwrap();
    assert_eq!((records[0].attempts, records[0].last_status), (5, Some(404)));
}

#[tokio::test]
async fn a_receiver_that_asks_for_a_pause_gets_it() {
    let store = MemoryLeadStore::new();
    let receiver = Receiver::new(|_, _| {
        Some(Response::builder().status(429).header("retry-after", "3600").body(bytes::Bytes::default()).unwrap())
    });
    let dispatcher = dispatcher(&store, vec![receiver.destination("crm")]);
    known(&store, 1).await;
    receive(&store, |_| ()).await;
    let due_in = async || {
        let records = store.deliveries(&DeliveryFilter::default(), None, 10).await.unwrap();
        records.first().filter(|record| record.last_status == Some(429)).map(|record| record.due_at)
    };
    until("it was tried", async || due_in().await.is_some()).await;
    let wait = due_in().await.unwrap() - fastcore_leads::chrono::Utc::now();
    assert!((3500..=3600).contains(&wait.num_seconds()), "{wait}");
    dispatcher.shutdown().await;
    assert_eq!(receiver.requests().len(), 1);
}

#[tokio::test]
async fn a_receiver_that_is_gone_is_paused_until_somebody_looks() {
    let store = MemoryLeadStore::new();
    let receiver = Receiver::new(|number, _| Some(answer(if number == 1 { 410 } else { 200 })));
    let dispatcher = dispatcher(&store, vec![receiver.destination("crm")]);
    known(&store, 1).await;
    receive(&store, |_| ()).await;
    let is_paused = async || store.destinations().await.unwrap()[0].paused_at.is_some();
    until("it is paused", is_paused).await;
    receive(&store, |_| ()).await;
    until("both wait", async || in_state(&store, DeliveryState::Due).await == 2).await;
    assert_eq!(receiver.requests().len(), 1);
    store.pause("crm", false).await.unwrap();
    until("both arrived", async || in_state(&store, DeliveryState::Delivered).await == 2).await;
    dispatcher.shutdown().await;
}

#[tokio::test]
async fn of_an_erased_lead_only_the_erasure_is_told() {
    let store = MemoryLeadStore::new();
    let receiver = Receiver::new(|number, _| Some(answer(if number == 1 { 410 } else { 200 })));
    let webhook = receiver.webhook().payload(Payload::Full);
    let dispatcher = dispatcher(&store, vec![Destination::webhook(subscription("crm"), webhook)]);
    known(&store, 1).await;
    let id = receive(&store, |_| ()).await;
    until("it was tried, and waits", async || store.destinations().await.unwrap()[0].paused_at.is_some()).await;
    store.erase(Target::Lead(id), Actor::new("marie").unwrap(), None).await.unwrap();
    until("both wait", async || in_state(&store, DeliveryState::Due).await == 2).await;
    store.pause("crm", false).await.unwrap();
    until("the erasure arrived", async || in_state(&store, DeliveryState::Delivered).await == 1).await;
    dispatcher.shutdown().await;
    assert_eq!(in_state(&store, DeliveryState::Skipped).await, 1, "there is nothing to be said any more");
    let told = receiver.bodies();
    assert_eq!(told.len(), 2);
    assert_eq!(told[1]["type"], "lead.erased");
    assert_eq!(told[1]["data"].get("lead"), None);
}

#[tokio::test]
async fn one_that_swallows_requests_does_not_hold_up_the_others() {
    let store = MemoryLeadStore::new();
    let (swallower, other) = (Receiver::new(|_, _| None), Receiver::content());
    let webhook = swallower.webhook().timeout(Duration::from_secs(3600));
    let silent = Destination::webhook(subscription("silent"), webhook).in_flight(4);
    let dispatcher = dispatcher(&store, vec![silent, other.destination("other")]);
    known(&store, 2).await;
    for _ in 0..50 {
        receive(&store, |_| ()).await;
    }
    until("the other has all", async || in_state(&store, DeliveryState::Delivered).await == 50).await;
    assert_eq!(swallower.requests().len(), 4, "as many as may be under way");
    drop(dispatcher);
}

#[tokio::test]
async fn destinations_can_be_replaced_while_it_runs() {
    let store = MemoryLeadStore::new();
    let (first, second) = (Receiver::content(), Receiver::content());
    let dispatcher = dispatcher(&store, vec![first.destination("first")]);
    known(&store, 1).await;
    receive(&store, |_| ()).await;
    until("the first was told", async || first.requests().len() == 1).await;
    dispatcher.replace(vec![second.destination("second")], None);
    known(&store, 2).await;
    receive(&store, |_| ()).await;
    until("the second was told", async || second.requests().len() == 1).await;
    dispatcher.shutdown().await;
    assert_eq!(first.requests().len(), 1);
}

/// Many dispatchers, and answers that come late: each event arrives, and once.
#[tokio::test(flavor = "multi_thread")]
async fn many_dispatchers_tell_each_event_once() {
    let (store, receiver) = (MemoryLeadStore::new(), Receiver::content());
    let dispatchers: Vec<_> = (0..3).map(|_| dispatcher(&store, vec![receiver.destination("crm")])).collect();
    known(&store, 1).await;
    for _ in 0..200 {
        receive(&store, |_| ()).await;
    }
    until("all arrived", async || in_state(&store, DeliveryState::Delivered).await == 200).await;
    for dispatcher in dispatchers {
        dispatcher.shutdown().await;
    }
    let requests = receiver.requests();
    let ids: HashSet<_> = requests.iter().map(|request| request.headers()["webhook-id"].clone()).collect();
    assert_eq!((requests.len(), ids.len()), (200, 200));
}

/// Without a poll that would find it.
#[tokio::test]
async fn a_commit_in_the_same_process_is_told_at_once() {
    let (store, receiver) = (MemoryLeadStore::new(), Receiver::content());
    let committed = Commits::new();
    let dispatcher = Dispatcher::builder(store.clone())
        .follow(Arc::clone(&committed))
        .poll(Duration::from_secs(3600))
        .destination(receiver.destination("crm"))
        .start();
    known(&store, 1).await;
    let ingest = Ingest::builder(store.clone()).followed_by(committed).start();
    ingest.ingest(lead(), Actor::SITE_INGEST).await.unwrap();
    until("it is told", async || receiver.requests().len() == 1).await;
    dispatcher.shutdown().await;
}

/// Who comes anew hears nothing of it, also where nobody has numbered it yet.
#[tokio::test]
async fn what_was_before_is_not_told() {
    let (store, receiver) = (MemoryLeadStore::new(), Receiver::content());
    for _ in 0..3 {
        receive(&store, |_| ()).await;
    }
    let dispatcher = dispatcher(&store, vec![receiver.destination("crm")]);
    known(&store, 1).await;
    let id = receive(&store, |_| ()).await;
    until("it is told", async || in_state(&store, DeliveryState::Delivered).await == 1).await;
    dispatcher.shutdown().await;
    let told: Vec<_> = receiver.bodies().iter().map(|body| body["data"]["lead_id"].clone()).collect();
    assert_eq!(told, [json!(id.to_string())]);
}

#[test]
fn a_webhook_that_cannot_be_is_refused() {
    let webhook = |url: &str| Webhook::new(url, vec![key()], Nobody).map(|_| ());
    for (url, expected) in [
        ("https://crm.example/hooks?x=1", Ok(())),
        ("http://localhost:8080/hooks", Ok(())),
        ("http://127.0.0.1:8080/hooks", Ok(())),
        ("http://[::1]:8080/hooks", Ok(())),
        ("http://crm.example/hooks", Err(InvalidWebhook::InClear)),
        ("http://localhost.example/hooks", Err(InvalidWebhook::InClear)),
        ("ftp://crm.example/hooks", Err(InvalidWebhook::Url)),
        ("/hooks", Err(InvalidWebhook::Url)),
        ("", Err(InvalidWebhook::Url)),
        ("https://user:Zk9@crm.example/hooks", Err(InvalidWebhook::Password)),
    ] {
        assert_eq!(webhook(url), expected, "{url}");
    }
    assert_eq!(Webhook::new("https://crm.example", vec![], Nobody).err(), Some(InvalidWebhook::NoKey));
    let shown = format!("{:?}", Webhook::new("https://crm.example/Zk9?token=Zk9", vec![key()], Nobody).unwrap());
    assert!(!shown.contains("Zk9"), "{shown}");
}

/// For up to a minute others are told a little each second; then, and after it, all.
#[tokio::test(start_paused = true)]
async fn in_a_burst_the_ingest_goes_first() {
    const LEADS: usize = 500;
    let (store, receiver, commits) = (MemoryLeadStore::new(), Receiver::content(), Commits::new());
    let destination = receiver.destination("crm");
    let dispatcher = Dispatcher::builder(store.clone()).follow(Arc::clone(&commits)).destination(destination).start();
    known(&store, 1).await;
    let (started, burst) = (Instant::now(), Arc::clone(&commits));
    let burst = tokio::spawn(async move {
        loop {
            burst.add(100);
            sleep(Duration::from_millis(10)).await;
        }
    });
    sleep(Duration::from_secs(1)).await;
    for _ in 0..LEADS {
        receive(&store, |_| ()).await;
    }
    sleep(Duration::from_secs(9)).await;
    let told = receiver.requests().len();
    assert!((32..=32 * 10).contains(&told), "{told} in nine seconds of a burst");
    until("all are told in the end", async || in_state(&store, DeliveryState::Delivered).await == LEADS).await;
    assert!(started.elapsed() > Duration::from_secs(12), "after {:?}", started.elapsed());
    burst.abort();
    dispatcher.shutdown().await;
}
