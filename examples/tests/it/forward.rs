//! The way from the site to FASTCore, with a FASTCore that misbehaves in every way that a test can think of.

use std::{
    collections::HashMap,
    path::Path,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use axum::{
    Json, Router,
    body::Bytes,
    extract::State,
    http::{HeaderMap, StatusCode},
    response::{IntoResponse, Response},
    routing::post,
};
use fastcore_leads::{
    Problem,
    testing::{TOKEN, TempDir, http::Server},
};
use serde_json::{Value, json};
use tokio::time::sleep;

use crate::{
    service::Service,
    spool::{aside, waiting},
    visitor::{Visitor, filled, filled_json},
};

const PATIENCE: Duration = Duration::from_secs(60);

/// What a fake FASTCore does with a lead, by its message.
type Rule = Box<dyn Fn(&str) -> Option<Response> + Send + Sync>;

/// A FASTCore that keeps leads by their request id, unless its rule says otherwise.
#[derive(Clone)]
struct Fake {
    leads: Arc<Mutex<HashMap<String, Value>>>,
    rule: Arc<Mutex<Rule>>,
}

impl Fake {
    async fn start() -> (Self, Server) {
        async fn take(State(fake): State<Fake>, body: Bytes) -> Response {
            let lead: Value = serde_json::from_slice(&body).unwrap();
            let message = lead["message"].as_str().unwrap().to_owned();
            if let Some(answer) = (fake.rule.lock().unwrap())(&message) {
                return answer;
            }
            let id = lead["meta"]["request_id"].as_str().unwrap().to_owned();
            let mut leads = fake.leads.lock().unwrap();
            match leads.get(&id) {
                Some(there) if there["message"] != lead["message"] => return problem(Problem::RequestIdConflict),
                _ => leads.insert(id.clone(), lead),
            };
            let body = json!({"leadId": id, "timestamp": "2026-11-22T10:30:45.123456Z", "status": "received"});
            (StatusCode::CREATED, Json(body)).into_response()
        }
        let fake = Self { leads: Arc::default(), rule: Arc::new(Mutex::new(Box::new(|_| None))) };
        let router = Router::new().route("/inbound/leads", post(take)).with_state(fake.clone());
        let server = Server::spawn(|listener| async move { axum::serve(listener, router).await.unwrap() }).await;
        (fake, server)
    }

    fn when(&self, rule: impl Fn(&str) -> Option<Response> + Send + Sync + 'static) {
        *self.rule.lock().unwrap() = Box::new(rule);
    }

    fn messages(&self) -> Vec<String> {
        let leads = self.leads.lock().unwrap();
        leads.values().map(|lead| lead["message"].as_str().unwrap().to_owned()).collect()
    }
}

/// As FASTCore says it.
fn problem(problem: Problem) -> Response {
    (problem.status(), Json(json!({"ok": false, "error": problem.as_str()}))).into_response()
}

/// 503 for messages that hold a text; all do hold the empty one.
fn away_for(text: &'static str) -> impl Fn(&str) -> Option<Response> + Send + Sync + 'static {
    move |message| message.contains(text).then(|| StatusCode::SERVICE_UNAVAILABLE.into_response())
}

fn site(fastcore: &Server, state: &Path, options: &[&str], variables: &[(&str, &str)]) -> Service {
    let (base, state) = (format!("http://{}", fastcore.address), state.display().to_string());
    let always = ["--site", "--site-min-fill-ms", "0", "--site-posts-per-minute", "1000"];
    let where_to = ["--fastcore-base-url", &base, "--site-state", &state];
    let variables = [&[("FASTCORE_SITE_INGEST_TOKEN", TOKEN)], variables].concat();
    Service::start_with(&[&always[..], &where_to, options].concat(), &variables)
}

async fn until(what: &str, is_so: impl Fn() -> bool) {
    let end = Instant::now() + PATIENCE;
    while !is_so() {
        assert!(Instant::now() < end, "not within {PATIENCE:?}: {what}");
        sleep(Duration::from_millis(20)).await;
    }
}

/// Sends a message with a form of its own; answers the status.
async fn send(visitor: &Visitor, message: &str) -> u16 {
    let ticket = visitor.open().await;
    send_again(visitor, &ticket, message).await
}

async fn send_again(visitor: &Visitor, ticket: &str, message: &str) -> u16 {
    let mut lead = filled_json(ticket);
    lead["message"] = message.into();
    visitor.post_json(&lead).await.status
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_is_one_lead_whichever_way_it_came() {
    let dir = TempDir::new();
    let (fake, server) = Fake::start().await;
    let service = site(&server, dir.path(), &[], &[]);
    let visitor = Visitor::new(service.address);
    let ticket = visitor.open().await;
    let (first, second) = ("Le premier message de ce formulaire.", "Le deuxième message de ce formulaire.");
    // Both by way of the spool; the second also straight, while the first still waits.
    fake.when(away_for(""));
    assert_eq!(send_again(&visitor, &ticket, first).await, 202);
    assert_eq!(send_again(&visitor, &ticket, second).await, 202);
    fake.when(away_for("premier"));
    until("the second is delivered", || fake.messages().contains(&second.to_owned())).await;
    assert_eq!(send_again(&visitor, &ticket, second).await, 202);
    fake.when(|_| None);
    until("both are delivered", || fake.messages().len() == 2).await;
    // And committed, with an answer that never came: the repetition is the same lead.
    assert_eq!(send_again(&visitor, &ticket, first).await, 202);
    let mut messages = fake.messages();
    messages.sort();
    assert_eq!(messages, [second, first], "each once");
}

#[tokio::test(flavor = "multi_thread")]
async fn one_lead_that_fastcore_stumbles_over_keeps_no_other_back() {
    let dir = TempDir::new();
    let (fake, server) = Fake::start().await;
    let spool = dir.path().join("spool");
    std::fs::create_dir_all(&spool).unwrap();
    // Nobody can read this one; nor is this one a lead.
    std::fs::create_dir(spool.join("00000000-0000-0000-0000-000000000000.json")).unwrap();
    std::fs::write(spool.join("nonsense.json"), "nonsense").unwrap();
    fake.when(away_for(""));
    let service = site(&server, dir.path(), &[], &[]);
    let visitor = Visitor::new(service.address);
    for number in 0..5 {
        assert_eq!(send(&visitor, &format!("Un texte qui fait trébucher, numéro {number}.")).await, 202);
    }
    for number in 0..5 {
        assert_eq!(send(&visitor, &format!("Un texte comme tous les autres, numéro {number}.")).await, 202);
    }
    fake.when(away_for("trébucher"));
    until("the others are delivered", || fake.messages().len() == 5).await;
    assert_eq!(send(&visitor, "Encore un texte comme tous les autres.").await, 202);
    fake.when(|_| None);
    until("all are delivered", || fake.messages().len() == 11).await;
    assert!(spool.join("refused/unreadable/nonsense.json").exists());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_fastcore_that_asks_to_come_back_in_ages_is_asked_again() {
    let dir = TempDir::new();
    let (fake, server) = Fake::start().await;
    let dir = dir.path();
    for wait in ["18446744073709551615", "-1", "soon", ""] {
        let state = dir.join(wait);
        let service = site(&server, &state, &[], &[]);
        let visitor = Visitor::new(service.address);
        let asked = Arc::new(AtomicUsize::new(0));
        let answer = (
            StatusCode::SERVICE_UNAVAILABLE,
            HeaderMap::from_iter([("retry-after".parse().unwrap(), wait.parse().unwrap())]),
        );
        let count = Arc::clone(&asked);
        fake.when(move |_| {
            count.fetch_add(1, Ordering::Relaxed);
            Some(answer.clone().into_response())
        });
        let message = format!("Revenez dans {wait} secondes, dit-il.");
        assert_eq!(send(&visitor, &message).await, 202, "{wait}");
        // By the visitor's own post, and by the worker, which waits then as long as it is told, within reason.
        until("it was asked twice", || asked.load(Ordering::Relaxed) >= 2).await;
        if wait.len() < 10 {
            fake.when(|_| None);
            until("the lead is delivered", || fake.messages().contains(&message)).await;
        }
        assert!(
            !service.logs().contains("panicked") && !service.logs().contains("a fault while"),
            "{}",
            service.logs()
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_spool_that_cannot_be_used_turns_nobody_away_while_fastcore_answers() {
    let dir = TempDir::new();
    let (fake, server) = Fake::start().await;
    let state = dir.path().join("state");
    let service = site(&server, &state, &[], &[]);
    let visitor = Visitor::new(service.address);
    fake.when(away_for(""));
    assert_eq!(send(&visitor, "Un message pendant la panne de FASTCore.").await, 202);
    // The site makes its folder again at once where it is missing: it is put out of the way until it is not there.
    std::fs::write(state.join("file"), "no folder").unwrap();
    until("the spool is a file", || {
        let _ = std::fs::remove_dir_all(state.join("spool"));
        std::fs::rename(state.join("file"), state.join("spool")).is_ok()
    })
    .await;
    assert_eq!(send(&visitor, "Un message que personne ne peut garder.").await, 503);
    fake.when(|_| None);
    assert_eq!(send(&visitor, "Un message après la panne de FASTCore.").await, 202);
    assert_eq!(fake.messages(), ["Un message après la panne de FASTCore."]);
}

#[tokio::test(flavor = "multi_thread")]
async fn folders_that_somebody_took_away_are_made_again() {
    let dir = TempDir::new();
    let (fake, server) = Fake::start().await;
    let state = dir.path().join("state");
    let service = site(&server, &state, &[], &[]);
    let visitor = Visitor::new(service.address);
    let refused = state.join("spool/refused");
    fake.when(|_| Some(problem(Problem::ValidationError)));
    for number in 0..2 {
        assert_eq!(send(&visitor, &format!("Un message que FASTCore refuse, numéro {number}.")).await, 202);
        assert_eq!(aside(&state.join("spool")).len(), 1);
        // A person has looked at it, and took the folder away.
        until("it is taken away", || std::fs::remove_dir_all(&refused).is_ok()).await;
    }
    fake.when(away_for(""));
    assert_eq!(send(&visitor, "Un message avant le grand ménage.").await, 202);
    fake.when(|_| None);
    until("it is delivered", || fake.messages().len() == 1).await;
    fake.when(away_for(""));
    until("it is taken away", || std::fs::remove_dir_all(state.join("spool")).is_ok()).await;
    assert_eq!(send(&visitor, "Un message après le grand ménage.").await, 202);
    fake.when(|_| None);
    until("both are delivered", || fake.messages().len() == 2).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lead_that_arrived_is_kept_though_its_visitor_went_away() {
    let dir = TempDir::new();
    let (fake, server) = Fake::start().await;
    let asked = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&asked);
    fake.when(move |_| {
        count.fetch_add(1, Ordering::Relaxed);
        std::thread::sleep(Duration::from_millis(500));
        Some(StatusCode::SERVICE_UNAVAILABLE.into_response())
    });
    let mut service = site(&server, dir.path(), &[], &[]);
    let visitor = Visitor::new(service.address);
    let ticket = visitor.open().await;
    let leaving = tokio::spawn(async move { visitor.post_json(&filled_json(&ticket)).await });
    until("FASTCore is asked", || asked.load(Ordering::Relaxed) > 0).await;
    leaving.abort();
    // And the site is told to stop: it keeps the lead before it ends.
    service.signal("-TERM");
    assert!(service.wait().success());
    assert_eq!(waiting(&dir.path().join("spool")).len(), 1, "{}", service.logs());
}

#[tokio::test(flavor = "multi_thread")]
async fn leads_go_to_fastcore_and_to_nobody_between() {
    let dir = TempDir::new();
    let (fake, server) = Fake::start().await;
    let proxy = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("http://{}", proxy.local_addr().unwrap());
    let variables = ["HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"].map(|name| (name, address.as_str()));
    let service = site(&server, dir.path(), &[], &variables);
    assert_eq!(send(&Visitor::new(service.address), "Un message pour FASTCore seul.").await, 202);
    assert_eq!(fake.messages().len(), 1);
    proxy.set_nonblocking(true).unwrap();
    assert!(proxy.accept().is_err(), "nobody asked the proxy");
}

#[tokio::test]
async fn visitors_who_hold_every_connection_do_not_keep_the_site_from_itself() {
    let service = Service::start(&["--site", "--site-min-fill-ms", "0", "--max-connections", "2"]);
    let visitor = Visitor::new(service.address);
    // One connection is held by somebody who says nothing yet, the other posts.
    let _silent = tokio::net::TcpStream::connect(service.address).await.unwrap();
    let ticket = visitor.open().await;
    assert_eq!(visitor.post(&filled(&ticket)).await.status, 303);
    assert_eq!(waiting(&service.dir.path().join("fastcore-site/spool")), [] as [std::path::PathBuf; 0]);
}
