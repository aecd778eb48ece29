use std::{collections::HashSet, sync::atomic::Ordering, time::Duration};

use fastcore_leads::{
    Problem,
    client::{Delivery, Spool, SpoolOptions},
    http::{HeaderValue, StatusCode},
};

use super::{Fake, answer, counts, folder, lead, problem, until};

#[tokio::test(flavor = "multi_thread")]
async fn two_clients_on_one_folder_deliver_each_lead_once() {
    const LEADS: usize = 200;
    let (_dir, folder) = folder();
    let fake = Fake::away();
    let clients = [fake.client_on(&folder), fake.client_on(&folder)];
    for number in 0..LEADS {
        clients[number % 2].deliver(&lead(&format!("Un message, le numéro {number} de tous."))).await.unwrap();
    }
    assert_eq!(counts(&folder), (LEADS, 0));
    fake.is_back();
    // Tries that fail, for each lead at most one round's.
    until("the spool is empty", || counts(&folder) == (0, 0)).await;
    let sent: HashSet<String> = fake.messages().into_iter().collect();
    assert_eq!((sent.len(), fake.repeated.load(Ordering::Relaxed)), (LEADS, 0), "nobody did the work twice");
    // The one that delivers goes away: the other takes over.
    let [first, second] = clients;
    for (gone, left) in [(first, &second)] {
        drop(gone);
        fake.when(|_| Some(None));
        left.deliver(&lead("Un message après le départ de l’autre.")).await.unwrap();
        fake.is_back();
        until("it is delivered", || fake.messages().len() == LEADS + 1).await;
    }
}

#[tokio::test]
async fn a_lock_that_was_left_behind_is_taken_over() {
    let (_dir, folder) = folder();
    let fake = Fake::away();
    let client = fake.client_on(&folder);
    client.deliver(&lead("Un message qui attend son heure.")).await.unwrap();
    drop(client);
    let lock = folder.join("drainer.lock");
    fake.is_back();
    // Not touched for long; or touched just now, but no process holds it.
    for (owner, age) in [("somebody who died", 3600), ("somebody who died locked", 0)] {
        std::fs::write(&lock, owner).unwrap();
        let touched = std::time::SystemTime::now() - Duration::from_secs(age);
        std::fs::File::options().write(true).open(&lock).unwrap().set_modified(touched).unwrap();
        fake.when(|_| Some(None));
        let client = fake.client_on(&folder);
        let message = format!("Un message qui attend, {owner}.");
        client.deliver(&lead(&message)).await.unwrap();
        fake.is_back();
        until("it is delivered", || fake.messages().contains(&message)).await;
    }
    // Held by somebody who lives, as in another language: it is waited for.
    std::fs::write(&lock, "somebody who lives").unwrap();
    fake.when(|_| Some(None));
    let client = fake.client_on(&folder);
    client.deliver(&lead("Un message que l’autre enverra.")).await.unwrap();
    fake.is_back();
    let asked = fake.asked();
    tokio::time::sleep(Duration::from_secs(2)).await;
    assert_eq!(fake.asked(), asked);
    assert!(counts(&folder).0 >= 1);
    std::fs::remove_file(&lock).unwrap();
    until("it is delivered", || counts(&folder).0 == 0).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lead_that_fastcore_always_stumbles_over_is_put_aside_once_others_got_through() {
    let (_dir, folder) = folder();
    let fake = Fake::new();
    fake.when(|_| Some(Some(problem(Problem::Internal))));
    let spool = Spool::open(&folder, SpoolOptions::new()).unwrap();
    let client =
        fake.client().spool(spool).aside_after(Duration::ZERO).longest_pause(Duration::from_millis(50)).start();
    assert!(matches!(client.deliver(&lead("Un texte qui fait trébucher.")).await, Ok(Delivery::Spooled { .. })));
    // While no other gets through, the fault may be FASTCore's alone.
    until("it was tried often", || fake.asked() > 7).await;
    assert_eq!(counts(&folder), (1, 0));
    fake.when(|message| message.contains("trébucher").then(|| Some(problem(Problem::Internal))));
    let is_stored = client.deliver(&lead("Un texte comme les autres.")).await.unwrap();
    assert!(matches!(is_stored, Delivery::Delivered { .. }));
    until("it is put aside", || counts(&folder) == (0, 1)).await;
    assert!(folder.join("refused/failing").exists());
    fake.is_back();
    assert_eq!(client.spool().unwrap().retry(None).unwrap(), 1);
    until("all are delivered", || fake.messages().len() == 2).await;
}

#[tokio::test]
async fn leads_that_always_fail_do_not_keep_back_those_that_failed_once() {
    for poison in [problem(Problem::Internal), answer(StatusCode::FORBIDDEN, "text/html", "<h1>Forbidden</h1>")] {
        let (_dir, folder) = folder();
        let fake = Fake::away();
        let spool = Spool::open(&folder, SpoolOptions::new()).unwrap();
        let client = fake.client().spool(spool).longest_pause(Duration::from_millis(20)).start();
        for number in 0..7 {
            client.deliver(&lead(&format!("Le texte numéro {number} de la panne."))).await.unwrap();
        }
        let asked = fake.asked();
        until("each was tried", || fake.asked() > asked + 40).await;
        // FASTCore is back, and has a fault with the three that the drainer asks it to take first, whichever they are.
        let poisoned = std::sync::Mutex::new(Vec::new());
        let (status, kind, body) = (poison.status(), poison.headers()["content-type"].clone(), poison.into_body());
        fake.when(move |message| {
            let mut poisoned = poisoned.lock().unwrap();
            if poisoned.len() < 3 && !poisoned.contains(&message.to_owned()) {
                poisoned.push(message.to_owned());
            }
            let text = std::str::from_utf8(&body).unwrap();
            poisoned.contains(&message.to_owned()).then(|| Some(answer(status, kind.to_str().unwrap(), text)))
        });
        until("the others are delivered", || fake.messages().len() == 4).await;
        until("those three wait", || counts(&folder) == (3, 0)).await;
    }
}

#[tokio::test]
async fn a_fault_after_an_outage_is_no_reason_to_put_a_lead_aside() {
    let (_dir, folder) = folder();
    let fake = Fake::away();
    let spool = Spool::open(&folder, SpoolOptions::new()).unwrap();
    let client =
        fake.client().spool(spool).aside_after(Duration::ZERO).longest_pause(Duration::from_millis(20)).start();
    client.deliver(&lead("Un texte qui fait trébucher une fois.")).await.unwrap();
    client.deliver(&lead("Un texte comme tous les autres.")).await.unwrap();
    // Tried often, and in vain: that was nobody's fault but the outage's.
    let asked = fake.asked();
    until("both were tried often", || fake.asked() > asked + 40).await;
    let stumbles = std::sync::atomic::AtomicUsize::new(3);
    fake.when(move |message| {
        let once = |left: usize| left.checked_sub(1);
        let is_stumbling =
            message.contains("trébucher") && stumbles.fetch_update(Ordering::Relaxed, Ordering::Relaxed, once).is_ok();
        is_stumbling.then(|| Some(problem(Problem::Internal)))
    });
    until("both are delivered", || fake.messages().len() == 2).await;
    assert_eq!(counts(&folder), (0, 0));
}

#[tokio::test]
async fn while_fastcore_is_away_callers_do_not_wait_for_it() {
    let (_dir, folder) = folder();
    let fake = Fake::away();
    let client = fake.client_on(&folder);
    let mut wait = answer(StatusCode::SERVICE_UNAVAILABLE, "", "");
    wait.headers_mut().insert("retry-after", HeaderValue::from_static("60"));
    fake.when(move |_| Some(Some(wait.clone())));
    client.deliver(&lead("Le premier message de la panne.")).await.unwrap();
    until("the drainer has asked too", || fake.asked() >= 2).await;
    let asked = fake.asked();
    for number in 0..20 {
        client.deliver(&lead(&format!("Un message de la panne, numéro {number}."))).await.unwrap();
    }
    // But for the one that looks whether it is back, now and then.
    assert!(fake.asked() < asked + 10, "{} asked after {asked}", fake.asked());
    assert_eq!(counts(&folder), (21, 0));
}
