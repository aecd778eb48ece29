//! The site is killed again and again while FASTCore is away: what was confirmed arrives, once.

#![allow(clippy::print_stdout, reason = "figures of a long run")]

use std::{
    collections::HashMap,
    net::SocketAddr,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use fastcore_leads::testing::{Random, TOKEN};
use tokio::{task::JoinSet, time::sleep};

use crate::{
    outage::{World, kill, until},
    service::Service,
    spool::waiting,
    visitor::{Visitor, filled_json, leads_in},
};

/// In the short form. `./test --kills` makes 1,000.
const KILLS: usize = 30;
const VISITORS: usize = 4;

/// What the visitors share.
#[derive(Clone)]
struct Street {
    site: Arc<Mutex<SocketAddr>>,
    is_over: Arc<AtomicBool>,
    messages: Arc<AtomicUsize>,
}

impl Street {
    /// Sends one message after the other, each until it is confirmed.
    async fn visit(self, ticket: String) -> Vec<String> {
        let mut confirmed = Vec::new();
        while !self.is_over.load(Ordering::Relaxed) {
            let number = self.messages.fetch_add(1, Ordering::Relaxed);
            let message = format!("Un message pendant la panne, le numéro {number}.");
            let mut post = filled_json(&ticket);
            post["message"] = message.as_str().into();
            let body = post.to_string();
            loop {
                let visitor = Visitor::new(*self.site.lock().unwrap());
                let answer = visitor.ask("POST", crate::visitor::FORM, Some("application/json"), body.as_bytes()).await;
                match answer {
                    Ok(answer) => {
                        assert_eq!(answer.status, 202, "{}", String::from_utf8_lossy(&answer.body));
                        break confirmed.push(message);
                    }
                    // It was killed. So the visitor sends again.
                    Err(_) => sleep(Duration::from_millis(5)).await,
                }
            }
        }
        confirmed
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_site_that_is_killed_all_the_time_loses_and_doubles_nothing() {
    let kills = std::env::var("KILLS").map_or(KILLS, |kills| kills.parse().unwrap());
    let mut random = Random::from_env();
    let world = World::new();
    let start = || world.site(TOKEN, &["--site-posts-per-minute", "100000"]);
    let mut service = start();
    let ticket = Visitor::new(service.address).open().await;
    let street =
        Street { site: Arc::new(Mutex::new(service.address)), is_over: Arc::default(), messages: Arc::default() };
    let mut visitors = JoinSet::new();
    for _ in 0..VISITORS {
        visitors.spawn(street.clone().visit(ticket.clone()));
    }
    let mut replace = |service: Service, most: usize| {
        let pause = Duration::from_millis(random.below(most) as u64);
        let street = street.clone();
        async move {
            sleep(pause).await;
            kill(service);
            let service = start();
            *street.site.lock().unwrap() = service.address;
            service
        }
    };
    let started = Instant::now();
    for _ in 0..kills {
        service = replace(service, 60).await;
    }
    street.is_over.store(true, Ordering::Relaxed);
    let confirmed: Vec<String> = visitors.join_all().await.into_iter().flatten().collect();
    println!("{kills} kills in {:?}, {} leads confirmed", started.elapsed(), confirmed.len());
    assert!(confirmed.len() > kills, "somebody got through between the kills");
    assert!(waiting(&world.spool()).len() >= confirmed.len());

    // FASTCore is back, and the site is killed while it delivers, too.
    let fastcore = world.fastcore(&[]);
    for _ in 0..kills / 10 {
        service = replace(service, 400).await;
    }
    until("the spool is empty", async || waiting(&world.spool()).is_empty()).await;
    let mut arrived: HashMap<String, usize> = HashMap::new();
    for (lead, _) in leads_in(&world.database()).await {
        *arrived.entry(lead.message).or_default() += 1;
    }
    for message in &confirmed {
        assert_eq!(arrived.remove(message), Some(1), "{message}");
    }
    assert!(arrived.is_empty(), "nobody wrote {arrived:?}");
    drop((service, fastcore));
}
