//! The sender's half, over a FASTCore that answers as it is told.

mod answers;
mod disk;
mod drainer;
mod spool;

use std::{
    collections::HashMap,
    path::{Path, PathBuf},
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use async_trait::async_trait;
use fastcore_leads::{
    Lead, Problem, Transport,
    bytes::Bytes,
    client::{Client, ClientBuilder, Place, Spool, SpoolOptions},
    http::{Request, Response, StatusCode, header::CONTENT_TYPE},
    serde_json::{Value, json},
    testing::{self, TOKEN, TempDir},
    transport::Unreachable,
};
use tokio::{sync::Semaphore, time::sleep};

const PATIENCE: Duration = Duration::from_secs(60);

/// What a fake FASTCore answers to a message instead of storing its lead; `Some(None)` is no answer at all.
type Rule = Box<dyn Fn(&str) -> Option<Option<Response<Bytes>>> + Send + Sync>;

/// A FASTCore that keeps leads by their request id. Clones share everything.
#[derive(Clone)]
struct Fake {
    leads: Arc<Mutex<HashMap<String, Value>>>,
    rule: Arc<Mutex<Rule>>,
    /// One permit an answer.
    gate: Arc<Semaphore>,
    asked: Arc<AtomicUsize>,
    /// How often a lead was taken that was there already.
    repeated: Arc<AtomicUsize>,
}

impl Fake {
    fn new() -> Self {
        Self {
            leads: Arc::default(),
            rule: Arc::new(Mutex::new(Box::new(|_| None))),
            gate: Arc::new(Semaphore::new(Semaphore::MAX_PERMITS)),
            asked: Arc::default(),
            repeated: Arc::default(),
        }
    }

    /// Nobody answers.
    fn away() -> Self {
        let fake = Self::new();
        fake.when(|_| Some(None));
        fake
    }

    fn when(&self, rule: impl Fn(&str) -> Option<Option<Response<Bytes>>> + Send + Sync + 'static) {
        *self.rule.lock().unwrap() = Box::new(rule);
    }

    fn is_back(&self) {
        self.when(|_| None);
    }

    fn messages(&self) -> Vec<String> {
        let leads = self.leads.lock().unwrap();
        let mut messages: Vec<_> = leads.values().map(|lead| lead["message"].as_str().unwrap().to_owned()).collect();
        messages.sort();
        messages
    }

    fn asked(&self) -> usize {
        self.asked.load(Ordering::Relaxed)
    }

    fn client(&self) -> ClientBuilder {
        Client::builder("http://fastcore.test/base/", TOKEN, self.clone()).unwrap()
    }

    fn client_on(&self, folder: &Path) -> Client {
        self.client().spool(Spool::open(folder, SpoolOptions::new()).unwrap()).start()
    }
}

#[async_trait]
impl Transport for Fake {
    async fn send(&self, request: Request<Bytes>) -> Result<Response<Bytes>, Unreachable> {
        assert_eq!(request.uri(), "http://fastcore.test/base/inbound/leads");
        assert_eq!(request.headers()["authorization"], format!("Bearer {TOKEN}"));
        assert!(!format!("{:?}", request.headers()).contains(TOKEN));
        let lead: Value = fastcore_leads::serde_json::from_slice(request.body()).unwrap();
        self.asked.fetch_add(1, Ordering::Relaxed);
        let ruled = (self.rule.lock().unwrap())(lead["message"].as_str().unwrap());
        self.gate.acquire().await.unwrap().forget();
        if let Some(answer) = ruled {
            return answer.ok_or_else(|| Unreachable::new("nobody is there"));
        }
        let id = lead["meta"]["request_id"].as_str().unwrap().to_owned();
        if self.leads.lock().unwrap().insert(id.clone(), lead).is_some() {
            self.repeated.fetch_add(1, Ordering::Relaxed);
        }
        let body = json!({"leadId": id, "timestamp": "2026-11-22T10:30:45.123456Z", "status": "received"});
        Ok(answer(StatusCode::CREATED, "application/json", &body.to_string()))
    }
}

fn answer(status: StatusCode, kind: &str, body: &str) -> Response<Bytes> {
    Response::builder().status(status).header(CONTENT_TYPE, kind).body(Bytes::copy_from_slice(body.as_bytes())).unwrap()
}

/// As FASTCore says it.
fn problem(problem: Problem) -> Response<Bytes> {
    let body = json!({"status": problem.status().as_u16(), "ok": false, "error": problem.as_str()});
    answer(problem.status(), "application/problem+json", &body.to_string())
}

fn lead(message: &str) -> Lead {
    lead_of("jean@example.com", message)
}

fn lead_of(email: &str, message: &str) -> Lead {
    let mut body = testing::body();
    body["email"] = email.into();
    body["message"] = message.into();
    testing::parse(&body)
}

/// How many files there are, in order: those that wait, those that were put aside.
fn counts(folder: &Path) -> (usize, usize) {
    let spool = Spool::open(folder, SpoolOptions::new()).unwrap();
    let places: Vec<Place> = spool
        .leads()
        .unwrap()
        .map(|lead| lead.map_or_else(|unreadable| unreadable.place, |lead| lead.place()))
        .collect();
    let waiting = places.iter().filter(|place| **place == Place::Waiting).count();
    (waiting, places.len() - waiting)
}

/// Every file below a folder.
fn files(folder: &Path) -> Vec<PathBuf> {
    let Ok(entries) = std::fs::read_dir(folder) else { return Vec::new() };
    let paths = entries.map(|entry| entry.unwrap().path());
    paths.flat_map(|path| if path.is_dir() { files(&path) } else { vec![path] }).collect()
}

async fn until(what: &str, is_so: impl Fn() -> bool) {
    let end = Instant::now() + PATIENCE;
    while !is_so() {
        assert!(Instant::now() < end, "not within {PATIENCE:?}: {what}");
        sleep(Duration::from_millis(10)).await;
    }
}

fn folder() -> (TempDir, PathBuf) {
    let dir = TempDir::new();
    let path = dir.path().join("spool");
    (dir, path)
}
