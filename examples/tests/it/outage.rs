//! FASTCore goes away, and the site too: no visitor is told to try again, every lead arrives, once.

use std::{
    collections::HashSet,
    net::{SocketAddr, TcpListener},
    os::unix::fs::PermissionsExt,
    path::PathBuf,
    sync::{
        Arc, Mutex,
        atomic::{AtomicU16, Ordering},
    },
    time::{Duration, Instant},
};

use fastcore_leads::testing::{TOKEN, TempDir};
use tokio::{task::JoinSet, time::sleep};

use crate::{
    service::Service,
    spool::{aside, everything, waiting},
    visitor::{Visitor, filled, filled_json, html, leads_in},
};

const PATIENCE: Duration = Duration::from_secs(60);
const VISITORS: u32 = 50;
/// How long FASTCore is away.
const OUTAGE: Duration = Duration::from_secs(60);

/// FASTCore, at one address whenever it runs, and what the site keeps.
pub(crate) struct World {
    dir: TempDir,
    address: SocketAddr,
}

impl World {
    pub(crate) fn new() -> Self {
        static TAKEN: AtomicU16 = AtomicU16::new(0);
        // Not a port that the system gives to clients: it stays free while FASTCore is away.
        let start = 20_000 + u16::try_from(std::process::id() % 4_000).unwrap();
        let next = || start + TAKEN.fetch_add(1, Ordering::Relaxed);
        let free = (0..1_000).find_map(|_| TcpListener::bind(("127.0.0.1", next())).ok());
        let address = free.expect("a port is free").local_addr().unwrap();
        Self { dir: TempDir::new(), address }
    }

    pub(crate) fn database(&self) -> PathBuf {
        self.dir.path().join("fastcore.db")
    }

    pub(crate) fn spool(&self) -> PathBuf {
        self.dir.path().join("state/spool")
    }

    pub(crate) fn fastcore(&self, options: &[&str]) -> Service {
        let url = format!("sqlite:{}", self.database().display());
        let address = self.address.to_string();
        let options = [&["--database-url", &url, "--listen", &address][..], options].concat();
        Service::start_with(&options, &[("FASTCORE_SITE_INGEST_TOKEN", TOKEN)])
    }

    pub(crate) fn site(&self, token: &str, options: &[&str]) -> Service {
        let state = self.dir.path().join("state").display().to_string();
        let base = format!("http://{}", self.address);
        let always = ["--site", "--site-min-fill-ms", "0", "--site-state", &state, "--fastcore-base-url", &base];
        let proxies = ["--trusted-proxies", "127.0.0.1"];
        let options = [&always[..], &proxies, options].concat();
        Service::start_with(&options, &[("FASTCORE_SITE_INGEST_TOKEN", token)])
    }
}

pub(crate) fn kill(mut service: Service) {
    service.signal("-KILL");
    service.wait();
}

pub(crate) async fn until(what: &str, is_so: impl AsyncFn() -> bool) {
    let end = Instant::now() + PATIENCE;
    while !is_so().await {
        assert!(Instant::now() < end, "not within {PATIENCE:?}: {what}");
        sleep(Duration::from_millis(20)).await;
    }
}

/// Opens the form, sends it until an answer comes, as a browser's user does whose connection breaks.
async fn visit(site: Arc<Mutex<SocketAddr>>, number: u32) -> String {
    let now = || {
        let address = *site.lock().unwrap();
        Visitor::new(address).with("x-forwarded-for", &format!("203.0.113.{number}"))
    };
    let end = Instant::now() + PATIENCE;
    let mut ticket = None;
    loop {
        assert!(Instant::now() < end, "visitor {number} got no answer");
        let visitor = now();
        if ticket.is_none() {
            let page = visitor.ask("GET", "/", None, b"").await;
            ticket = page.ok().map(|page| crate::visitor::ticket_in(&page));
        }
        if let Some(ticket) = &ticket {
            let email = format!("visiteur{number}@example.com");
            let mut fields = filled(ticket);
            fields.retain(|(name, _)| *name != "email");
            fields.push(("email", &email));
            if let Ok(answer) = visitor.try_post(&fields).await {
                assert_eq!(answer.status, 303, "visitor {number}: {}", String::from_utf8_lossy(&answer.body));
                return email;
            }
        }
        sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test]
async fn fifty_visitors_send_while_fastcore_is_away_for_a_minute_and_the_site_is_killed() {
    let world = World::new();
    kill(world.fastcore(&[]));
    let mut service = world.site(TOKEN, &[]);
    let site = Arc::new(Mutex::new(service.address));
    let started = Instant::now();
    let mut visitors = JoinSet::new();
    for number in 1..=VISITORS {
        sleep((started + OUTAGE * number / VISITORS).saturating_duration_since(Instant::now())).await;
        visitors.spawn(visit(Arc::clone(&site), number));
        if number % 20 == 0 {
            // While this visitor's post may be under way.
            kill(service);
            service = world.site(TOKEN, &[]);
            *site.lock().unwrap() = service.address;
        }
    }
    let sent: HashSet<String> = visitors.join_all().await.into_iter().collect();
    assert_eq!(sent.len(), VISITORS as usize);
    assert!(started.elapsed() >= OUTAGE);
    assert!(leads_in(&world.database()).await.is_empty());
    assert_eq!(waiting(&world.spool()).len(), VISITORS as usize);

    let fastcore = world.fastcore(&[]);
    until("the spool is empty", async || waiting(&world.spool()).is_empty()).await;
    let leads = leads_in(&world.database()).await;
    let arrived: HashSet<String> = leads.iter().map(|(lead, _)| lead.email.clone()).collect();
    assert_eq!((leads.len(), arrived), (VISITORS as usize, sent));
    for (lead, trail) in &leads {
        assert_eq!((trail.len(), lead.status.as_str()), (1, "received"));
    }
    // And the way is free again: the next one does not go by the spool.
    let answer = Visitor::new(service.address);
    until("leads go straight to FASTCore", async || {
        let ticket = answer.open().await;
        let mut fields = filled(&ticket);
        fields[1] = ("name", "Après la panne");
        assert_eq!(answer.post(&fields).await.status, 303);
        let leads = leads_in(&world.database()).await;
        leads.iter().any(|(lead, _)| lead.name == "Après la panne")
    })
    .await;
    for logs in [service.logs(), fastcore.logs()] {
        assert!(!logs.contains("visiteur1@") && !logs.contains("203.0.113."), "{logs}");
    }
}

#[tokio::test]
async fn the_same_form_during_an_outage_is_one_file_and_another_message_is_another() {
    let world = World::new();
    let service = world.site(TOKEN, &["--site-spool-capacity", "2"]);
    let visitor = Visitor::new(service.address);
    let ticket = visitor.open().await;
    let first = visitor.post(&filled(&ticket)).await;
    assert_eq!(visitor.post(&filled(&ticket)).await, first);
    assert_eq!(waiting(&world.spool()).len(), 1);
    let mut changed = filled(&ticket);
    changed[6] = ("message", "En fait, c’est le compresseur qui ne marche plus.");
    let second = visitor.post(&changed).await;
    assert_eq!(second.status, 303);
    assert_ne!(second.header("location"), first.header("location"));
    assert_eq!(visitor.post(&changed).await, second);
    assert_eq!(waiting(&world.spool()).len(), 2);
    for path in everything(&world.spool()) {
        let mode = path.metadata().unwrap().permissions().mode() & 0o777;
        assert_eq!(mode, if path.is_dir() { 0o700 } else { 0o600 }, "{}", path.display());
    }

    // Nothing is promised that cannot be kept: the spool holds two.
    let third = visitor.post(&filled(&visitor.open().await)).await;
    assert_eq!(third.status, 503);
    assert!(html(&third).contains("dans quelques minutes") && html(&third).contains("Bonjour, notre pont"));

    let _fastcore = world.fastcore(&[]);
    until("the spool is empty", async || waiting(&world.spool()).is_empty()).await;
    assert_eq!(leads_in(&world.database()).await.len(), 2);
}

#[tokio::test]
async fn a_site_with_a_wrong_token_keeps_its_leads_until_it_has_the_right_one() {
    let world = World::new();
    let _fastcore = world.fastcore(&[]);
    let service = world.site("another-token-0123456789", &[]);
    let visitor = Visitor::new(service.address);
    assert_eq!(visitor.post(&filled(&visitor.open().await)).await.status, 303);
    assert_eq!(waiting(&world.spool()).len(), 1);
    assert!(service.logs().contains("check the base URL, the token and its sources"), "{}", service.logs());
    drop(service);
    let _site = world.site(TOKEN, &[]);
    until("the spool is empty", async || waiting(&world.spool()).is_empty()).await;
    assert_eq!(leads_in(&world.database()).await.len(), 1);
}

#[tokio::test]
async fn what_fastcore_refuses_for_good_is_kept_for_a_person() {
    let world = World::new();
    let _fastcore = world.fastcore(&["--require-consent"]);
    let service = world.site(TOKEN, &[]);
    let visitor = Visitor::new(service.address);
    let ticket = visitor.open().await;
    let mut fields = filled(&ticket);
    fields.retain(|(name, _)| *name != "consent");
    assert_eq!(visitor.post(&fields).await.status, 303);
    assert_eq!((waiting(&world.spool()).len(), aside(&world.spool()).len()), (0, 1));
    let metrics = String::from_utf8(visitor.get("/metrics").await.body).unwrap();
    assert!(metrics.contains("fastcore_site_spool_refused_leads 1"), "{metrics}");
}

#[tokio::test]
async fn who_is_erased_while_fastcore_is_away_does_not_come_back_with_it() {
    let world = World::new();
    kill(world.fastcore(&[]));
    let service = world.site(TOKEN, &[]);
    let visitor = Visitor::new(service.address);
    let form = visitor.open().await;
    assert_eq!(visitor.post(&filled(&form)).await.status, 303);
    let email = filled("").iter().find(|(name, _)| *name == "email").unwrap().1;
    let erased = std::process::Command::new(env!("CARGO_BIN_EXE_leadctl"))
        .args(["erase", email, "--yes", "--database-url", &format!("sqlite:{}", world.database().display())])
        .env("FASTCORE_SITE_STATE", world.dir.path().join("state"))
        .output()
        .unwrap();
    assert!(String::from_utf8_lossy(&erased.stdout).contains("1 erased, of which 1 waited in the spool"), "{erased:?}");
    let fastcore = world.fastcore(&[]);
    // The site delivers again: who comes next gets through, and nobody else.
    let ticket = visitor.open().await;
    let mut other = filled(&ticket);
    other[1] = ("name", "Quelqu’un d’autre");
    assert_eq!(visitor.post(&other).await.status, 303);
    until("the next one is there", async || leads_in(&world.database()).await.len() == 1).await;
    assert_eq!(leads_in(&world.database()).await[0].0.name, "Quelqu’un d’autre");
    // And who sends that very form again is not made anew: it has a tombstone.
    assert_eq!(visitor.post(&filled(&form)).await.status, 303);
    assert_eq!(leads_in(&world.database()).await.len(), 1);
    assert!(waiting(&world.spool()).is_empty());
    drop(fastcore);
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn a_full_disk_is_told_and_what_was_confirmed_arrives() {
    let world = World::new();
    kill(world.fastcore(&[]));
    let state = world.dir.path().join("state");
    std::fs::create_dir_all(&state).unwrap();
    let (folder, base) = (state.display().to_string(), format!("http://{}", world.address));
    let service = Service::start_on_small_disk(
        128,
        &state,
        &[
            "--site-min-fill-ms",
            "0",
            "--site-posts-per-minute",
            "1000",
            "--site-state",
            &folder,
            "--fastcore-base-url",
            &base,
        ],
        &[("FASTCORE_SITE_INGEST_TOKEN", TOKEN)],
    );
    let visitor = Visitor::new(service.address);
    let ticket = visitor.open().await;
    let mut confirmed = HashSet::new();
    let mut refused = 0;
    for number in 0..100 {
        let message = format!("Un message sur un disque bientôt plein, numéro {number}.");
        let mut post = filled_json(&ticket);
        post["message"] = message.as_str().into();
        let answer = visitor.post_json(&post).await;
        match answer.status {
            202 => drop(confirmed.insert(message)),
            503 => {
                let told = answer.json()["detail"].as_str().unwrap().to_owned();
                assert!(told.contains("dans quelques minutes"), "{told}");
                refused += 1;
            }
            status => panic!("{status}"),
        }
    }
    assert!(confirmed.len() > 5 && refused > 5, "{} and {refused}: the disk was full after a while", confirmed.len());
    let seen = PathBuf::from(format!("/proc/{}/root{folder}/spool", service.id()));
    assert!(
        everything(&seen).iter().all(|path| path.extension().is_none_or(|kind| kind != "draft")),
        "no half is left"
    );
    assert!(service.logs().contains("look at the disk"), "{}", service.logs());

    let _fastcore = world.fastcore(&[]);
    until("all are delivered", async || waiting(&seen).is_empty()).await;
    let arrived: HashSet<String> =
        leads_in(&world.database()).await.into_iter().map(|(lead, _)| lead.message).collect();
    assert!(arrived.is_superset(&confirmed));
    // Room came with it.
    assert_eq!(visitor.post(&filled(&visitor.open().await)).await.status, 303);
}
