use std::{
    collections::HashSet,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use fastcore_leads::{
    LeadOutbox, MemoryLeadStore, bytes, http,
    outbox::{AUDIT_CHECKPOINT, Destination, signature::verify},
    proof::{Checkpoint, Sealer},
    serde_json::{self, Value, json},
    testing::log,
};

use super::{Receiver, answer, dispatcher, key, known, quick, receive, until};

/// Receivers of checkpoints hear of no lead, those of leads of no checkpoint.
#[tokio::test]
async fn checkpoints_go_to_those_who_want_them() {
    let (store, crm, archive) = (MemoryLeadStore::new(), Receiver::content(), Receiver::content());
    let to_archive = Destination::checkpoints("archive", archive.webhook()).at_most_every(Duration::ZERO);
    let dispatcher = dispatcher(&store, vec![crm.destination("crm"), to_archive]);
    known(&store, 2).await;
    let signed_by = log::key();
    let seal = || Sealer::builder(store.clone(), signed_by.clone()).seal_all();
    for size in 1..=3 {
        receive(&store, |_| ()).await;
        assert_eq!(seal().await.unwrap(), size);
        until("it arrived", async || archive.requests().len() as u64 == size).await;
    }
    until("the leads arrived", async || crm.requests().len() == 3).await;
    dispatcher.shutdown().await;
    assert!(crm.bodies().iter().all(|body| body["type"] == "lead.received"));
    let mut ids = HashSet::new();
    for (request, size) in archive.requests().iter().zip(1..) {
        assert_eq!(verify(&[key().verifying_key()], request.headers(), request.body()), Ok(()));
        let body: Value = serde_json::from_slice(request.body()).unwrap();
        assert_eq!((&body["type"], &body["data"]["size"]), (&json!(AUDIT_CHECKPOINT), &json!(size)));
        let note = body["data"]["checkpoint"].as_str().unwrap().parse().unwrap();
        assert_eq!(Checkpoint::open(&note, &[signed_by.verifier()]).unwrap().size, size);
        let id = request.headers()["webhook-id"].to_str().unwrap();
        assert!(id.starts_with("chk_") && ids.insert(id.to_owned()), "{id}");
    }
}

/// A schedule has an end, checkpoints have none: the last one is sent once the receiver is back, however long that takes.
#[tokio::test]
async fn a_checkpoint_is_never_given_up_and_a_newer_one_takes_its_place() {
    let (store, signed_by) = (MemoryLeadStore::new(), log::key());
    let is_away = Arc::new(AtomicBool::new(true));
    let away = Arc::clone(&is_away);
    let receiver = Receiver::new(move |_, _| Some(answer(if away.load(Ordering::SeqCst) { 500 } else { 204 })));
    let archive = Destination::checkpoints("archive", receiver.webhook()).schedule(quick(2));
    let dispatcher = dispatcher(&store, vec![archive]);
    let seal = || Sealer::builder(store.clone(), signed_by.clone()).seal_all();
    receive(&store, |_| ()).await;
    seal().await.unwrap();
    until("it was tried often", async || receiver.requests().len() > 6).await;
    let ids = |requests: &[http::Request<bytes::Bytes>]| -> HashSet<String> {
        requests.iter().map(|request| request.headers()["webhook-id"].to_str().unwrap().to_owned()).collect()
    };
    assert_eq!(ids(&receiver.requests()).len(), 1, "the same id over all attempts");
    receive(&store, |_| ()).await;
    seal().await.unwrap();
    is_away.store(false, Ordering::SeqCst);
    let status = async || store.destinations().await.unwrap().remove(0);
    until("it arrived", async || status().await.due == 0).await;
    dispatcher.shutdown().await;
    assert_eq!(receiver.bodies().last().unwrap()["data"]["size"], 2);
    assert_eq!(ids(&receiver.requests()).len(), 2);
}

#[tokio::test]
async fn a_receiver_that_wants_no_more_checkpoints_gets_none() {
    let (store, receiver) = (MemoryLeadStore::new(), Receiver::new(|_, _| Some(answer(410))));
    let archive = Destination::checkpoints("archive", receiver.webhook()).schedule(quick(2));
    let dispatcher = dispatcher(&store, vec![archive]);
    receive(&store, |_| ()).await;
    Sealer::builder(store.clone(), log::key()).seal_all().await.unwrap();
    let status = async || store.destinations().await.unwrap();
    until("it is paused", async || status().await.iter().any(|status| status.paused_at.is_some())).await;
    dispatcher.shutdown().await;
    assert_eq!(receiver.requests().len(), 1);
}
