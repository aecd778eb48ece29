//! A million leads, and those who work with them over HTTP: how long a page, a filter and a lead take, and what twenty people at
//! work cost the ingest.

use std::{
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use fastcore_leads::{
    LeadInbox,
    testing::{
        http::{Answer, exchange},
        postgres::Cluster,
    },
};
use fastcore_leads_store_sqlx::{PgLeadStore, SqliteLeadStore};
use serde_json::{Value, json};
use tokio::{task::JoinSet, time::sleep};

use crate::{
    candidates::{CANDIDATES, Candidate, block_on},
    load::Load,
    process::{OPERATOR_TOKEN, Service},
    report::median,
};

const LEADS: u32 = 1_000_000;
const PEOPLE: usize = 20;
/// How long a person looks at what is there before the next click: somebody who reads it, and somebody who does nothing else.
const THINKING: [Duration; 2] = [Duration::from_secs(5), Duration::from_secs(1)];
const REQUESTS: usize = 300;

pub(crate) fn measure(cluster: &Cluster, seconds: Duration, rounds: usize) {
    for name in ["sqlx-axum", "sqlite"] {
        let candidate = CANDIDATES.iter().find(|candidate| candidate.name == name).expect("it is listed");
        let place = candidate.place(cluster);
        drop(Service::start(candidate, &place));
        eprintln!("{name}: filling the table takes a minute");
        fill(candidate, cluster, &place.url);
        let service = Service::start(candidate, &place);
        println!("\n| {name}: {LEADS} leads | p50 | p99 | longest |\n| --- | ---: | ---: | ---: |");
        read(service.address());
        println!(
            "\n| {name}: ingest at 16 connections beside {PEOPLE} people | leads/s alone | beside them | ratio |\n| --- | ---: | ---: | ---: |"
        );
        beside_people(service.address(), seconds, rounds);
    }
}

/// Leads over three years, of all kinds, the newest of today, as an older version left them: nobody is told of them. Names and companies are rare, some words are everybody's.
fn fill(candidate: &Candidate, cluster: &Cluster, url: &str) {
    if candidate.name != "sqlite" {
        cluster.psql(
            url,
            &format!(
                "INSERT INTO lead_inbox (id, created_at_utc, name, email, phone, company, message, ip_hash, request_id, status, service)
                 SELECT gen_random_uuid(), now() - ({LEADS} - i) * interval '94 seconds', 'Jean Nom' || i % 5000, 'jean' || i || '@example.com',
                        '+336' || (10000000 + i), 'Garage ' || i % 1000,
                        'Bonjour, mon compresseur ne démarre plus depuis hier, merci de me rappeler au plus vite, réf ' || i * 7,
                        'abc123def456', gen_random_uuid(),
                        (ARRAY['received', 'processing', 'resolved', 'archived'])[1 + i % 4],
                        (ARRAY['ponts', 'cabines', 'compresseurs', 'diagnostic', 'autre'])[1 + i % 5]
                   FROM generate_series(1, {LEADS}) AS i;
                 INSERT INTO audit_log (id, created_at_utc, event, actor, lead_id, request_id, status_code, details_json, written_in)
                 SELECT gen_random_uuid(), created_at_utc, 'LEAD_RECEIVED', 'site_ingest', id, request_id, 201, '{{}}', 0
                   FROM lead_inbox"
            ),
        );
        cluster.psql(url, "VACUUM ANALYZE");
        block_on(async { index(&PgLeadStore::connect(url).await.expect("it opens")).await });
        let size = "SELECT pg_size_pretty(pg_total_relation_size('lead_search')) || ' beside ' ||
                           pg_size_pretty(pg_total_relation_size('lead_inbox'))";
        println!("index of words: {}", cluster.psql(url, size));
        cluster.psql(url, "VACUUM ANALYZE");
        cluster.psql(url, "CHECKPOINT");
        return;
    }
    let id = "lower(hex(randomblob(4)) || '-' || hex(randomblob(2)) || '-4' || substr(hex(randomblob(2)), 2) || '-8' || \
              substr(hex(randomblob(2)), 2) || '-' || hex(randomblob(6)))";
    let leads = format!(
        "INSERT INTO lead_inbox (id, created_at_utc, name, email, phone, company, message, ip_hash, request_id, status, service)
         WITH RECURSIVE numbers (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM numbers WHERE i < {LEADS})
         SELECT {id}, strftime('%Y-%m-%dT%H:%M:%S.000000Z', 'now', '-' || (({LEADS} - i) * 94) || ' seconds'), 'Jean Nom' || (i % 5000),
                'jean' || i || '@example.com', '+336' || (10000000 + i), 'Garage ' || (i % 1000),
                'Bonjour, mon compresseur ne démarre plus depuis hier, merci de me rappeler au plus vite, réf ' || (i * 7),
                'abc123def456', {id},
                CASE i % 4 WHEN 0 THEN 'received' WHEN 1 THEN 'processing' WHEN 2 THEN 'resolved' ELSE 'archived' END,
                CASE i % 5 WHEN 0 THEN 'ponts' WHEN 1 THEN 'cabines' WHEN 2 THEN 'compresseurs' WHEN 3 THEN 'diagnostic' ELSE 'autre' END
           FROM numbers"
    );
    let audit = format!(
        "INSERT INTO audit_log (id, created_at_utc, event, actor, lead_id, request_id, status_code, details_json)
         SELECT {id}, created_at_utc, 'LEAD_RECEIVED', 'site_ingest', id, request_id, 201, '{{}}' FROM lead_inbox"
    );
    block_on(async {
        let store = SqliteLeadStore::connect(url).await.expect("the file opens");
        let told = "UPDATE lead_sequencer SET mark = (SELECT id FROM audit_log ORDER BY rowid DESC LIMIT 1)".to_owned();
        for statement in [leads, audit, told] {
            sqlx::query(sqlx::AssertSqlSafe(statement)).execute(store.pool()).await.expect("it is filled");
        }
        index(&store).await;
    });
}

/// Enters all leads into the index of their words, as the service does behind a search.
async fn index(store: &impl LeadInbox) {
    let started = Instant::now();
    while store.index(200).await.expect("index") > 0 {}
    println!("\n{LEADS} leads entered into the index of words in {:.0?}", started.elapsed());
}

fn read(address: SocketAddr) {
    block_on(async {
        let (mut after, mut ids) = (String::new(), Vec::new());
        for _ in 0..300 {
            let page = get(address, &format!("/staff/inbound/leads?limit=1000&reveal=false{after}")).await;
            let leads = page["leads"].as_array().expect("leads");
            ids.push(leads[leads.len() / 2]["id"].as_str().expect("an id").to_owned());
            after = format!("&after={}", page["next"].as_str().expect("a next page"));
        }
        let lists = [
            ("the first page", String::new()),
            ("a page behind 300,000 leads", after),
            ("a page of a status and a service", "&status=received&service=ponts".to_owned()),
            ("a page of a month a year ago", {
                let day = |days| (chrono::Utc::now() - chrono::TimeDelta::days(days)).date_naive();
                format!("&from={}&to={}", day(395), day(365))
            }),
        ];
        for (what, query) in lists {
            let target = format!("/staff/inbound/leads?reveal=false{query}");
            print_times(what, &times(address, |_| target.clone()).await);
        }
        let lead = |reveal: bool| {
            let ids = ids.clone();
            move |i: usize| format!("/staff/inbound/leads/{}?reveal={reveal}", ids[i % ids.len()])
        };
        print_times("a lead", &times(address, lead(false)).await);
        print_times("a lead in clear, noted", &times(address, lead(true)).await);
        for (what, wanted) in [
            ("a telephone number", json!({"text": "06 10 77 77 77"})),
            ("a name", json!({"text": "nom4711"})),
            ("a name and a company", json!({"text": "nom711 garage 711"})),
            ("a word of every lead", json!({"text": "bonjour"})),
            ("the beginning of one", json!({"text": "comp"})),
            ("two letters, and a rare word", json!({"text": "me nom711"})),
            ("a word that is in none", json!({"text": "elevator"})),
            ("a word of every lead, of none that is shown", json!({"text": "bonjour", "source": ["elsewhere"]})),
        ] {
            let target = "/staff/inbound/leads/search";
            let body = merged(wanted, &json!({"reveal": false})).to_string();
            let mut found = Vec::new();
            let times = times_of(async |_| {
                let (status, answer) = ask(address, "POST", target, &body).await;
                assert_eq!(status, 200, "{answer}");
                let count = answer["leads"].as_array().map_or(0, Vec::len);
                found.push((count, answer["next"].is_null()));
            })
            .await;
            let (leads, is_all) = found[0];
            print_times(
                &format!("search: {what} ({leads} found{})", if is_all { "" } else { ", and more to search" }),
                &times,
            );
        }
        print_times("counts of 31 days", &times(address, |_| "/staff/inbound/leads/counts".to_owned()).await);
        let desk = Desk::open(address).await;
        for (what, target) in
            [("the list", ""), ("the list of a service", "?service=ponts"), ("the dashboard", "/dashboard")]
        {
            print_times(&format!("page: {what}"), &times_of(async |_| drop(desk.get(target).await)).await);
        }
        let lead = times_of(async |i| drop(desk.get(&format!("/leads/{}", ids[i % ids.len()])).await)).await;
        print_times("page: a lead, masked", &lead);
        let found = times_of(async |i| drop(desk.post("/search", &format!("text=nom{}", 100 + i)).await)).await;
        print_times("page: a search for a name", &found);
    });
}

/// A browser that is signed in.
struct Desk {
    address: SocketAddr,
    cookie: String,
    csrf: String,
}

impl Desk {
    async fn open(address: SocketAddr) -> Self {
        let mut desk = Self { address, cookie: String::new(), csrf: String::new() };
        let signed_in = desk.ask("POST", "/sign-in", &format!("token={OPERATOR_TOKEN}")).await;
        let cookie = signed_in.header("set-cookie").and_then(|cookie| cookie.split(';').next());
        desk.cookie.push_str(cookie.expect("a session"));
        let list = desk.get("").await;
        let csrf = list.split("name=\"csrf\" value=\"").nth(1).and_then(|rest| rest.split('"').next());
        desk.csrf.push_str(csrf.expect("a form"));
        desk
    }

    async fn get(&self, target: &str) -> String {
        let answer = self.ask("GET", target, "").await;
        assert_eq!(answer.status, 200, "{target}");
        String::from_utf8_lossy(&answer.body).into_owned()
    }

    /// Sends a form. Its status is left to the caller: somebody else may have been quicker.
    async fn post(&self, target: &str, form: &str) -> Answer {
        self.ask("POST", target, &format!("csrf={}&{form}", self.csrf)).await
    }

    async fn ask(&self, method: &str, target: &str, form: &str) -> Answer {
        let Self { address, cookie, .. } = self;
        let request = format!(
            "{method} /staff{target} HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\ncookie: {cookie}\r\n\
             origin: http://{address}\r\ncontent-type: application/x-www-form-urlencoded\r\ncontent-length: {}\r\n\r\n{form}",
            form.len()
        );
        exchange(*address, request.as_bytes()).await
    }
}

fn merged(mut one: Value, other: &Value) -> Value {
    for (member, value) in other.as_object().expect("an object") {
        one[member] = value.clone();
    }
    one
}

async fn times(address: SocketAddr, target: impl Fn(usize) -> String) -> Vec<Duration> {
    times_of(async |i| drop(get(address, &target(i)).await)).await
}

async fn times_of(mut ask: impl AsyncFnMut(usize)) -> Vec<Duration> {
    let mut times = Vec::new();
    for i in 0..REQUESTS {
        let started = Instant::now();
        ask(i).await;
        times.push(started.elapsed());
    }
    times.sort_unstable();
    times
}

fn print_times(what: &str, times: &[Duration]) {
    let at = |share: f64| times[((times.len() - 1) as f64 * share) as usize];
    println!("| {what} | {:.1?} | {:.1?} | {:.1?} |", at(0.5), at(0.99), at(1.0));
}

fn beside_people(address: SocketAddr, seconds: Duration, rounds: usize) {
    let load = || Load { connections: 16, warm_up: Duration::from_secs(1), seconds }.run(address).per_second;
    let mut alone = Vec::new();
    let mut beside = THINKING.map(|_| Vec::new());
    for _ in 0..rounds {
        alone.push(load());
        for (thinking, rates) in THINKING.into_iter().zip(&mut beside) {
            let is_over = Arc::new(AtomicBool::new(false));
            let people = thread::spawn({
                let is_over = Arc::clone(&is_over);
                move || block_on(work(address, thinking, is_over))
            });
            rates.push(load());
            is_over.store(true, Ordering::Relaxed);
            people.join().expect("they could work");
        }
    }
    let alone = median(&mut alone);
    for (thinking, rates) in THINKING.into_iter().zip(&mut beside) {
        let beside = median(rates);
        println!(
            "| a click each {thinking:?}, medians of {rounds} rounds | {alone:.0} | {beside:.0} | {:.2} |",
            beside / alone
        );
    }
}

/// Each looks at the list in a browser, opens a lead, takes it on where nobody has, searches, and looks at the list again; at any
/// moment some do the one, and some the other.
async fn work(address: SocketAddr, thinking: Duration, is_over: Arc<AtomicBool>) {
    let desk = Arc::new(Desk::open(address).await);
    let first = desk.get("?status=received").await;
    let mut people = JoinSet::new();
    for person in 0..PEOPLE {
        let (desk, is_over) = (Arc::clone(&desk), Arc::clone(&is_over));
        let mut id = lead_of(&first, person);
        people.spawn(async move {
            sleep(thinking / PEOPLE as u32 * person as u32).await;
            for step in person.. {
                if is_over.load(Ordering::Relaxed) {
                    break;
                }
                match step % 4 {
                    0 => id = lead_of(&desk.get("?status=received").await, person),
                    1 => drop(desk.get(&format!("/leads/{id}")).await),
                    2 => {
                        let moved = desk.post(&format!("/leads/{id}/status"), "from=received&to=processing").await;
                        assert!([303, 409].contains(&moved.status), "{}", moved.status);
                    }
                    _ => {
                        let found = desk.post("/search", &format!("text=jean+nom{}", 100 * person + 11)).await;
                        assert_eq!(found.status, 200);
                    }
                }
                sleep(thinking).await;
            }
        });
    }
    people.join_all().await;
}

/// The id of a lead on the list.
fn lead_of(list: &str, place: usize) -> String {
    let id = list.split("/staff/leads/").nth(place + 1).and_then(|rest| rest.get(..36));
    id.expect("a lead").to_owned()
}

async fn get(address: SocketAddr, target: &str) -> Value {
    let (status, body) = ask(address, "GET", target, "").await;
    assert_eq!(status, 200, "{target}");
    body
}

async fn ask(address: SocketAddr, method: &str, target: &str, body: &str) -> (u16, Value) {
    let request = format!(
        "{method} {target} HTTP/1.1\r\nhost: x\r\nconnection: close\r\nauthorization: Bearer {OPERATOR_TOKEN}\r\n\
         content-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    );
    let answer = exchange(address, request.as_bytes()).await;
    (answer.status, answer.json())
}
