//! A corpus of raw requests: axum and warp, behind the same accept loop, answer byte for byte the same.

use std::fmt::Write as _;

use fastcore_leads::{
    Endpoint, Ingest, MemoryLeadStore, TokenSet,
    lead::limits::MAX_BODY_BYTES,
    testing::{
        TOKEN, body,
        http::{Answer, Server, authorized, chunked, exchange, lead_request},
    },
};
use serde_json::{Value, json};
use warp::Filter;

use crate::{http2::exchange as exchange_h2, service::Service};

#[tokio::test]
async fn both_frameworks_answer_the_same() {
    let services = ["axum", "warp"].map(|framework| Service::start(&["--framework", framework]));
    let corpus = corpus();
    assert!(corpus.len() >= 200, "the corpus has {} requests", corpus.len());
    let mut statuses = std::collections::BTreeMap::new();
    for (name, bytes) in &corpus {
        let axum = comparable(exchange(services[0].address, bytes).await);
        let warp = comparable(exchange(services[1].address, bytes).await);
        assert_eq!(axum, warp, "{name}");
        *statuses.entry(axum.status).or_insert(0) += 1;
    }
    for status in [200, 201, 400, 401, 404, 405, 409, 413, 415, 422] {
        assert!(statuses.contains_key(&status), "no request of the corpus is answered {status}: {statuses:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn both_frameworks_answer_the_same_under_a_prefix() {
    let endpoint = || Endpoint::new(Ingest::builder(MemoryLeadStore::new()).start(), TokenSet::parse(TOKEN).unwrap());
    let router: axum::Router = axum::Router::new()
        .nest("/api/v1", fastcore_leads_axum::router(endpoint()))
        .fallback(|| async { (axum::http::StatusCode::NOT_FOUND, "not here") });
    let axum = Server::spawn(|listener| async move { axum::serve(listener, router).await.unwrap() }).await;
    let filter = warp::path!("api" / "v1" / ..).and(fastcore_leads_warp::filter(endpoint()));
    let not_here = warp::any().map(|| warp::reply::with_status("not here", warp::http::StatusCode::NOT_FOUND));
    let warp = Server::spawn(|listener| warp::serve(filter.or(not_here)).incoming(listener).run()).await;
    for (name, bytes) in corpus() {
        let text = String::from_utf8_lossy(&bytes).replacen("/inbound/leads", "/api/v1/inbound/leads", 1);
        let answers = [axum.address, warp.address].map(|address| exchange(address, text.as_bytes()));
        let [axum, warp] = answers;
        let (axum, warp) = (comparable(axum.await), comparable(warp.await));
        assert_eq!((axum.status, &axum.body), (warp.status, &warp.body), "{name}");
        if axum.status != 404 {
            assert_eq!(sorted(&axum.headers), sorted(&warp.headers), "{name}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn both_frameworks_answer_the_same_in_the_inbox() {
    const OPERATOR: &str = "a-token-of-an-operator-0123456789";
    let operators = format!("marie:read+reveal+work+erase={OPERATOR}");
    let variables = [("FASTCORE_SITE_INGEST_TOKEN", TOKEN), ("FASTCORE_OPERATOR_TOKENS", &operators)];
    let services = ["axum", "warp"].map(|framework| Service::start_with(&["--framework", framework], &variables));
    let nobody = "/staff/inbound/leads/019ab8d1-3c55-7c1e-9d5e-3f2b1a0c4d6e";
    let mut targets: Vec<String> = [
        "",
        "/",
        "?",
        "?limit=1",
        "?limit=0",
        "?x=1",
        "?status=received&status=archived",
        "?source=%00",
        "?source=a%20b&source=%C3%A9",
        "?service=ponts&from=2026-01-01",
        "?after=1_0",
        "?reveal=true",
        "?reveal=maybe",
        "?from=2026-01-01T00:00:00+01:00",
        ".csv",
        ".csv?status=received",
        ".csv?limit=1",
        ".jsonl",
        ".jsonl?to=2020-01-01",
        ".xml",
        "/counts",
        "/counts?from=2020-01-01&to=2020-02-01",
        "/counts?from=2020-01-01",
        "/search",
        "/contact-times",
        "/contact-times?status=received",
        "/1",
        "/%2e%2e",
        "//",
        "/a/b/c",
    ]
    .iter()
    .map(|rest| format!("/staff/inbound/leads{rest}"))
    .collect();
    targets.extend(
        ["", "/status", "/release", "/consent-withdrawal", "/notes", "/assignee", "/letters"]
            .map(|rest| format!("{nobody}{rest}")),
    );
    targets.extend(["export", "erase", "", "export?x"].map(|rest| format!("/staff/inbound/subjects/{rest}")));
    targets.extend(
        ["/staff", "/staff/", "/staff/inbound", "/staff/inbound/leadsx", "/staff/openapi.json"].map(str::to_owned),
    );
    let bodies = [
        "",
        "{}",
        "[]",
        "{",
        r#"{"from":"received","to":"archived"}"#,
        r#"{"email":"jean"}"#,
        r#"{"text":"called"}"#,
        r#"{"from":null,"to":"jean"}"#,
        r#"{"reason":"asked"}"#,
    ];
    let mut statuses = std::collections::BTreeMap::new();
    for target in &targets {
        for method in ["GET", "HEAD", "POST", "DELETE", "PUT", "OPTIONS"] {
            for body in if method == "POST" || method == "DELETE" { &bodies[..] } else { &bodies[..1] } {
                // Whoever is refused before the body is looked at is refused alike with any.
                let tokens: &[&str] = if body.is_empty() { &[OPERATOR, TOKEN, ""] } else { &[OPERATOR] };
                for token in tokens {
                    let request = format!(
                        "{method} {target} HTTP/1.1\r\nhost: x\r\nconnection: close\r\nauthorization: Bearer {token}\r\n\
                         content-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
                        body.len()
                    );
                    let answers = services.each_ref().map(|service| exchange(service.address, request.as_bytes()));
                    let [axum, warp] = answers;
                    let (axum, warp) = tokio::join!(axum, warp);
                    let (axum, warp) = (comparable(axum), comparable(warp));
                    assert_eq!(axum, warp, "{method} {target} {body}");
                    *statuses.entry(axum.status).or_insert(0) += 1;
                }
            }
        }
    }
    for status in [200, 400, 401, 403, 404, 405, 422] {
        assert!(statuses.contains_key(&status), "nothing is answered {status}: {statuses:?}");
    }
}

/// The two servers of their own write headers in orders of their own.
fn sorted(headers: &[(String, String)]) -> Vec<&(String, String)> {
    let mut sorted: Vec<_> = headers.iter().collect();
    sorted.sort();
    sorted
}

#[tokio::test]
async fn both_frameworks_speak_http_2() {
    let services = ["axum", "warp"].map(|framework| Service::start(&["--framework", framework]));
    let authorization = format!("Bearer {TOKEN}");
    let json = [("content-type", "application/json"), ("authorization", authorization.as_str())];
    let lead = body().to_string();
    for (method, path, headers, body) in [
        ("POST", "/inbound/leads", &json[..], lead.as_str()),
        ("POST", "/inbound/leads", &json[..], lead.as_str()),
        ("POST", "/inbound/leads", &json[..], "{}"),
        ("POST", "/inbound/leads", &json[..1], "{}"),
        ("GET", "/inbound/leads", &json[..], ""),
        ("GET", "/healthz", &[], ""),
        ("GET", "/nothing", &[], ""),
    ] {
        let axum = comparable(exchange_h2(services[0].address, method, path, headers, body).await);
        let warp = comparable(exchange_h2(services[1].address, method, path, headers, body).await);
        assert_eq!(axum, warp, "{method} {path} {body}");
    }
}

/// Without what differs from one run to the next: the date, the minted id and instant.
fn comparable(mut answer: Answer) -> Answer {
    for (name, value) in &mut answer.headers {
        if name == "date" {
            "a date".clone_into(value);
        }
    }
    if answer.status == 201 {
        let json = answer.json();
        let mut text = String::from_utf8(answer.body).unwrap();
        for (member, length) in [("leadId", 36), ("timestamp", 27)] {
            let value = json[member].as_str().unwrap();
            assert_eq!(value.len(), length);
            text = text.replace(value, member);
        }
        answer.body = text.into_bytes();
    }
    answer
}

fn corpus() -> Vec<(String, Vec<u8>)> {
    let mut corpus = Vec::new();
    let mut add = |name: String, bytes: Vec<u8>| corpus.push((name, bytes));
    members(&mut add);
    bodies(&mut add);
    heads(&mut add);
    framings(&mut add);
    corpus
}

/// Every member with values of every kind.
fn members(add: &mut impl FnMut(String, Vec<u8>)) {
    let values = [
        Value::Null,
        json!(""),
        json!(" "),
        json!("x"),
        json!("x".repeat(3000)),
        json!("a\u{0}b"),
        json!("🙂".repeat(20)),
        json!(1),
        json!(true),
        json!([]),
        json!({}),
    ];
    let pointers = [
        "name",
        "email",
        "phone",
        "company",
        "service",
        "message",
        "consent",
        "meta",
        "meta/source",
        "meta/request_id",
        "meta/ip_hash",
        "meta/user_agent_hash",
        "meta/timestamp_utc",
        "meta/consent",
        "meta/suspicion",
    ];
    for pointer in pointers {
        for value in &values {
            let mut lead = body();
            match pointer.strip_prefix("meta/") {
                Some(member) => lead["meta"][member] = value.clone(),
                None => lead[pointer] = value.clone(),
            }
            add(format!("{pointer} = {}", value.to_string().chars().take(20).collect::<String>()), lead_request(&lead));
        }
        let mut lead = body();
        match pointer.strip_prefix("meta/") {
            Some(member) => lead["meta"].as_object_mut().unwrap().remove(member),
            None => lead.as_object_mut().unwrap().remove(pointer),
        };
        add(format!("without {pointer}"), lead_request(&lead));
    }
}

/// Bodies that are no lead, and leads that come again.
fn bodies(add: &mut impl FnMut(String, Vec<u8>)) {
    let valid = body().to_string();
    for text in ["", "{", "null", "[]", "{}", "1", "\"x\"", "\u{feff}{}", "{\"name\":1,\"name\":2}", "{}x", "{'a':1}"] {
        add(format!("body {text}"), authorized(text.as_bytes()));
    }
    add("body in Latin-1".to_owned(), authorized(b"{\"name\":\"\xe9\"}"));
    add("a deep body".to_owned(), authorized(format!("{{\"x\":{}{}}}", "[".repeat(200), "]".repeat(200)).as_bytes()));
    add("an unknown member".to_owned(), authorized(valid.replacen('{', r#"{"x":[{}],"#, 1).as_bytes()));
    let lead = body();
    for _ in 0..2 {
        add("a lead, and again".to_owned(), lead_request(&lead));
    }
    let mut other = lead;
    other["name"] = "Somebody Else".into();
    add("the same request, another lead".to_owned(), lead_request(&other));
}

/// Methods, paths, versions and headers.
fn heads(add: &mut impl FnMut(String, Vec<u8>)) {
    let raw = |line: &str, headers: &[&str], body: &str| {
        let mut text = format!("{line}\r\nhost: x\r\nconnection: close\r\n");
        for header in headers {
            let _ = write!(text, "{header}\r\n");
        }
        let _ = write!(text, "content-length: {}\r\n\r\n{body}", body.len());
        text.into_bytes()
    };
    let token = format!("authorization: Bearer {TOKEN}");
    let json = "content-type: application/json";
    for method in ["GET", "HEAD", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "BREW", "post"] {
        for path in ["/inbound/leads", "/healthz", "/readyz", "/nothing"] {
            add(format!("{method} {path}"), raw(&format!("{method} {path} HTTP/1.1"), &[&token, json], ""));
        }
    }
    for path in [
        "/",
        "/inbound",
        "/inbound/",
        "/inbound/leads/",
        "//inbound/leads",
        "/inbound//leads",
        "/inbound/leads/x",
        "/Inbound/Leads",
        "/inbound/le%61ds",
        "/inbound/leads?x=y",
        "/inbound/leads?",
        "/api/inbound/leads",
        "/healthz/",
        "/readyz?x",
        "*",
        "http://x/inbound/leads",
    ] {
        add(format!("POST {path}"), raw(&format!("POST {path} HTTP/1.1"), &[&token, json], &body().to_string()));
    }
    let line = "POST /inbound/leads HTTP/1.1";
    let lead = body().to_string();
    for headers in [
        vec![],
        vec![json],
        vec![token.as_str()],
        vec![token.as_str(), token.as_str(), json],
        vec![token.as_str(), json, json],
        vec!["authorization:", json],
        vec!["authorization: Bearer", json],
        vec!["authorization: Basic eDp5", json],
        vec!["authorization: Bearer wrong-token-0123456789", json],
        vec!["Authorization: bearer a b", json],
        vec![token.as_str(), "content-type: text/plain"],
        vec![token.as_str(), "content-type:"],
        vec![token.as_str(), "CONTENT-TYPE: APPLICATION/JSON"],
        vec![token.as_str(), "content-type: application/json; charset=utf-8"],
        vec![token.as_str(), json, "content-encoding: gzip"],
        vec![token.as_str(), json, "content-encoding: identity"],
        vec![token.as_str(), json, "accept: text/html", "accept-encoding: gzip", "origin: https://x.example"],
        vec![token.as_str(), json, "x-http-method-override: DELETE"],
        vec![token.as_str(), json, "upgrade: h2c", "te: trailers"],
    ] {
        add(format!("{headers:?}"), raw(line, &headers, &lead));
    }
    let odd = format!(
        "POST /inbound/leads HTTP/1.1\r\nHOST: x\r\nConNection: close\r\nAUTHORIZATION: BEARER {TOKEN}\r\nContent-type: application/json\r\nContent-LENGTH: {}\r\n\r\n{lead}",
        lead.len()
    );
    add("odd casing".to_owned(), odd.into_bytes());
    add("HTTP/1.0".to_owned(), raw("POST /inbound/leads HTTP/1.0", &[&token, json], &body().to_string()));
    add("HTTP/1.0 GET".to_owned(), raw("GET /inbound/leads HTTP/1.0", &[], ""));
}

/// Chunked, too large, announced and not sent.
fn framings(add: &mut impl FnMut(String, Vec<u8>)) {
    let lead = body().to_string();
    for size in [1, 10, 1000] {
        add(format!("chunks of {size}"), chunked(lead.as_bytes(), size, ""));
    }
    add("chunks with a trailer".to_owned(), chunked(body().to_string().as_bytes(), 50, "x-trailer: y\r\n"));
    add("no chunk at all".to_owned(), chunked(b"", 1, ""));
    for length in [MAX_BODY_BYTES, MAX_BODY_BYTES + 1] {
        let padded = format!("{lead}{}", " ".repeat(length - lead.len()));
        add(format!("{length} bytes"), authorized(padded.as_bytes()));
        add(format!("{length} bytes in chunks"), chunked(padded.as_bytes(), 4096, ""));
    }
    let head = |headers: &str| {
        format!("POST /inbound/leads HTTP/1.1\r\nhost: x\r\nconnection: close\r\n{headers}\r\n").into_bytes()
    };
    let token = format!("authorization: Bearer {TOKEN}\r\ncontent-type: application/json\r\n");
    add("announced, without a token".to_owned(), head("expect: 100-continue\r\ncontent-length: 100\r\n"));
    add("announced too large".to_owned(), head(&format!("{token}content-length: 99999999\r\n")));
    add("no body, no length".to_owned(), head(&token));
}
