//! Who may do what, and what everybody else is told.

use std::time::Duration;

use serde_json::json;
use uuid::Uuid;

use super::{
    super::{
        Answer,
        client::{ask, try_exchange},
        stores::Away,
    },
    CHIEF, CLERK, ServeInbox, assert_problem, get, post, receive, send, tokens,
};
use crate::{
    audit::Actor,
    endpoint::{InboxEndpoint, InboxProblem},
    lead::limits::MAX_NOTES,
    store::{LeadInbox, LeadStore, MemoryLeadStore, NewLead, StoreErrorKind},
    testing::{Logs, body, parse},
    time,
    token::{Scope, Token, TokenSet},
};

/// Every route with every scope; and with no token, a wrong one, and one whose time is up.
pub async fn each_scope_opens_its_own_routes_alone(serve: ServeInbox) {
    let store = MemoryLeadStore::new();
    let id = receive(&store, "site.example").await;
    let secret = |scope: Scope| format!("a-token-for-{scope}-0123456789");
    let mut all = Vec::new();
    for &scope in Scope::ALL {
        all.push(Token::new(&secret(scope)).expect("a token").with_scopes([scope]));
    }
    let (ended, reader) = ("a-token-that-has-ended-0123456789", "a-token-that-reads-all-0123456789");
    all.push(Token::new(reader).expect("a token").with_scopes([Scope::Read, Scope::Reveal]));
    let scopes = Scope::ALL.iter().copied();
    all.push(Token::new(ended).expect("a token").with_scopes(scopes).expiring_at(time::now()));
    let server = serve(InboxEndpoint::new(store, TokenSet::new(all).expect("tokens"))).await;
    let lead = |rest: &str| format!("/inbound/leads/{id}{rest}");
    let routes: [(_, _, &[Scope]); 15] = [
        ("GET", "/inbound/leads".to_owned(), &[Scope::Read]),
        ("GET", "/inbound/leads.csv".to_owned(), &[Scope::Read]),
        ("GET", "/inbound/leads.jsonl".to_owned(), &[Scope::Read]),
        ("GET", "/inbound/leads/counts".to_owned(), &[Scope::Read]),
        ("GET", "/inbound/leads/contact-times".to_owned(), &[Scope::Read]),
        ("POST", "/inbound/leads/search".to_owned(), &[Scope::Read]),
        ("GET", lead(""), &[Scope::Read]),
        ("POST", lead("/status"), &[Scope::Work]),
        ("POST", lead("/release"), &[Scope::Work]),
        ("POST", lead("/notes"), &[Scope::Work]),
        ("POST", lead("/assignee"), &[Scope::Work]),
        ("POST", lead("/consent-withdrawal"), &[Scope::Work]),
        ("POST", "/inbound/subjects/export".to_owned(), &[Scope::Read, Scope::Reveal]),
        ("POST", "/inbound/subjects/erase".to_owned(), &[Scope::Erase]),
        ("DELETE", lead(""), &[Scope::Erase]),
    ];
    for (method, target, needed) in routes {
        for &scope in Scope::ALL {
            let answer = ask(server.address, method, &target, &secret(scope), None).await;
            if needed == [scope] {
                assert!(![401, 403, 404, 405].contains(&answer.status), "{method} {target}: {}", answer.status);
            } else {
                assert_problem(&answer, InboxProblem::ScopeMissing);
            }
        }
        if needed.len() > 1 {
            let answer = ask(server.address, method, &target, reader, None).await;
            assert!(![401, 403, 404, 405].contains(&answer.status), "{method} {target}: {}", answer.status);
        }
        for wrong in [ended, "a-token-of-nobody-0123456789", ""] {
            let answer = ask(server.address, method, &target, wrong, None).await;
            assert_problem(&answer, InboxProblem::Unauthorized);
            assert!(answer.header("www-authenticate").is_some());
        }
    }
}

/// To it, other leads are not there.
pub async fn a_token_of_some_sources_works_these_alone(serve: ServeInbox) {
    let store = MemoryLeadStore::new();
    let (ours, other) = (receive(&store, "ours.example").await, receive(&store, "other.example").await);
    let other_request = store.get(other).await.expect("get").expect("it is there").request_id;
    let token = Token::new(CHIEF).expect("a token").with_scopes(Scope::ALL.iter().copied());
    let tokens = TokenSet::new([token.for_sources(["ours.example"])]).expect("a token");
    let server = serve(InboxEndpoint::new(store, tokens)).await;
    let page = get(&server, "/inbound/leads", CHIEF).await;
    assert_eq!((page["leads"].as_array().map(Vec::len), &page["leads"][0]["id"]), (Some(1), &json!(ours.to_string())));
    assert_eq!(get(&server, "/inbound/leads?source=other.example", CHIEF).await["leads"], json!([]));
    assert_eq!(get(&server, "/inbound/leads/counts?source=other.example", CHIEF).await["leads"], 0);
    assert_eq!(get(&server, "/inbound/leads/counts", CHIEF).await["leads"], 1);
    let file = ask(server.address, "GET", "/inbound/leads.jsonl?source=other.example", CHIEF, None).await;
    assert_eq!((file.status, file.body.len()), (200, 0));
    for (method, rest, body) in [
        ("GET", "", None),
        ("DELETE", "", None),
        ("POST", "/release", None),
        ("POST", "/consent-withdrawal", None),
        ("POST", "/status", Some(r#"{"from":"received","to":"archived"}"#)),
    ] {
        for id in [other.as_uuid(), other_request] {
            let answer = ask(server.address, method, &format!("/inbound/leads/{id}{rest}"), CHIEF, body).await;
            assert_problem(&answer, InboxProblem::LeadNotFound);
        }
    }
    let file = ask(server.address, "GET", "/inbound/leads.csv", CHIEF, None).await;
    let text = String::from_utf8(file.body).expect("UTF-8");
    assert!(text.contains(&ours.to_string()) && !text.contains(&other.to_string()));
    let email = json!({"email": body()["email"]});
    for target in ["/inbound/subjects/export", "/inbound/subjects/erase"] {
        assert_problem(&send(&server, target, CHIEF, &email).await, InboxProblem::SourceForbidden);
    }
}

/// Unknown, repeated, out of range, or nothing that a database could be asked for.
const INVALID_QUERIES: [&str; 11] = [
    "limit=0",
    "limit=+5",
    "limit=1001",
    "x=1",
    "status=lost",
    "from=soon",
    "from=2026-1-1",
    "limit=1&limit=2",
    "q",
    "source=%00",
    "source=%FF",
];

/// Each row of the table of errors.
pub async fn each_problem_of_the_inbox_can_be_reached(serve: ServeInbox) {
    let mut reached = Vec::new();
    let mut reach = |answer: &Answer, problem: InboxProblem| {
        assert_problem(answer, problem);
        reached.push(problem);
    };
    let store = MemoryLeadStore::new();
    let id = receive(&store, "site.example").await;
    let strange = receive(&store, "site.example").await;
    let server = serve(InboxEndpoint::new(store.clone(), tokens())).await;
    let at = server.address;
    let (lead, status) = (format!("/inbound/leads/{id}"), format!("/inbound/leads/{id}/status"));
    let long = format!("after={}", "9".repeat(300));
    let many: Vec<_> = (0..21).map(|i| format!("source={i}")).collect();
    for query in INVALID_QUERIES.into_iter().chain([long.as_str(), &many.join("&")]) {
        reach(&ask(at, "GET", &format!("/inbound/leads?{query}"), CLERK, None).await, InboxProblem::InvalidQuery);
    }
    reach(&ask(at, "DELETE", &format!("{lead}?x=1"), CLERK, None).await, InboxProblem::InvalidQuery);
    reach(&ask(at, "POST", &status, CLERK, Some("{")).await, InboxProblem::MalformedBody);
    reach(&ask(at, "POST", &status, CLERK, None).await, InboxProblem::MalformedBody);
    reach(&ask(at, "GET", "/inbound/leads", "", None).await, InboxProblem::Unauthorized);
    reach(&post(&server, "/inbound/subjects/export", &json!({})).await, InboxProblem::ScopeMissing);
    let nobody = Uuid::now_v7();
    reach(&ask(at, "GET", &format!("/inbound/leads/{nobody}"), CLERK, None).await, InboxProblem::LeadNotFound);
    for (target, allow) in [("/inbound/leads", "GET"), (&lead, "GET, DELETE"), (&status, "POST")] {
        let answer = ask(at, "PUT", target, CLERK, None).await;
        reach(&answer, InboxProblem::MethodNotAllowed);
        assert_eq!(answer.header("allow"), Some(allow));
    }
    let illegal = json!({"from": "received", "to": "resolved"});
    reach(&post(&server, &status, &illegal).await, InboxProblem::IllegalMove);
    reach(&post(&server, &status, &json!({"from": "resolved", "to": "processing"})).await, InboxProblem::StatusChanged);
    reach(&post(&server, &format!("{lead}/release"), &json!({})).await, InboxProblem::NotQuarantined);
    assert_eq!(post(&server, &format!("{lead}/consent-withdrawal"), &json!({})).await.status, 200);
    reach(&post(&server, &format!("{lead}/consent-withdrawal"), &json!({})).await, InboxProblem::NoConsent);
    let large = json!({"reason": "x".repeat(40_000)});
    reach(&post(&server, &format!("{lead}/release"), &large).await, InboxProblem::BodyTooLarge);
    let plain = format!(
        "POST {status} HTTP/1.1\r\nhost: x\r\nconnection: close\r\nauthorization: Bearer {CLERK}\r\n\
         content-type: text/plain\r\ncontent-length: 2\r\n\r\n{{}}"
    );
    reach(&try_exchange(at, plain.as_bytes()).await.expect("an answer"), InboxProblem::UnsupportedMediaType);
    for wrong in [json!({}), json!({"from": "received", "to": "lost"}), json!({"from": 1, "to": 2, "x": 3})] {
        reach(&post(&server, &status, &wrong).await, InboxProblem::ValidationError);
    }
    // The members' values in a row are no object, and neither is anything else.
    let twice = r#"{"from":"received","to":"archived","to":"resolved"}"#;
    for wrong in [r#"["received","archived"]"#, "[]", "1", "null", twice] {
        reach(&ask(at, "POST", &status, CLERK, Some(wrong)).await, InboxProblem::MalformedBody);
        reach(&ask(at, "DELETE", &lead, CLERK, Some(wrong)).await, InboxProblem::MalformedBody);
    }
    for email in ["nobody", "a\u{0}@example.com"] {
        let answer = post(&server, "/inbound/subjects/erase", &json!({ "email": email })).await;
        reach(&answer, InboxProblem::ValidationError);
    }
    let name = json!({"from": "received", "to": "archived", "reason": format!("{} called", body()["name"].as_str().expect("a name"))});
    reach(&post(&server, &status, &name).await, InboxProblem::ReasonNamesPerson);
    let note = json!({"text": "called"});
    for _ in 0..MAX_NOTES {
        assert_eq!(post(&server, &format!("{lead}/notes"), &note).await.status, 200);
    }
    reach(&post(&server, &format!("{lead}/notes"), &note).await, InboxProblem::TooManyNotes);
    let assignment = json!({"from": "jean", "to": null});
    reach(&post(&server, &format!("{lead}/assignee"), &assignment).await, InboxProblem::AssigneeChanged);
    assert_eq!(ask(at, "DELETE", &lead, CLERK, None).await.status, 204);
    reach(&post(&server, &format!("{lead}/release"), &json!({})).await, InboxProblem::LeadErased);

    store.set_status(strange, "lost");
    let moves = json!({"from": "received", "to": "archived"});
    reach(&post(&server, &format!("/inbound/leads/{strange}/status"), &moves).await, InboxProblem::UnknownStatus);
    let bound =
        Token::new(CHIEF).expect("a token").with_scopes([Scope::Read, Scope::Reveal]).for_sources(["site.example"]);
    let bound = serve(InboxEndpoint::new(store, TokenSet::new([bound]).expect("a token"))).await;
    let email = json!({"email": "a@example.com"});
    let answer = send(&bound, "/inbound/subjects/export", CHIEF, &email).await;
    reach(&answer, InboxProblem::SourceForbidden);

    let builder = InboxEndpoint::builder(MemoryLeadStore::new(), tokens()).body_timeout(Duration::from_millis(50));
    let impatient = serve(builder.build()).await;
    let cut = format!(
        "POST {status} HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {CLERK}\r\ncontent-type: application/json\r\n\
         content-length: 20\r\n\r\n{{"
    );
    reach(&try_exchange(impatient.address, cut.as_bytes()).await.expect("an answer"), InboxProblem::RequestTimeout);
    for (kind, problem) in
        [(StoreErrorKind::Internal, InboxProblem::Internal), (StoreErrorKind::TimedOut, InboxProblem::Unavailable)]
    {
        let away = serve(InboxEndpoint::new(Away(kind), tokens())).await;
        for (method, target) in [("GET", "/inbound/leads"), ("GET", "/inbound/leads.csv"), ("DELETE", lead.as_str())] {
            let answer = ask(away.address, method, target, CLERK, None).await;
            reach(&answer, problem);
            assert_eq!(answer.header("retry-after").is_some(), problem == InboxProblem::Unavailable);
        }
    }
    for problem in InboxProblem::ALL {
        assert!(reached.contains(problem), "{problem:?} was not reached");
    }
}

/// A canary in every member, through every route, and in what is refused; and none in the log.
pub async fn no_answer_tells_more_than_the_mask(serve: ServeInbox) {
    const CANARY: &str = "CANARY-7f3a";
    let logs = Logs::global();
    let store = MemoryLeadStore::new();
    let mut sent = body();
    sent["email"] = format!("x.{CANARY}@example.com").into();
    for member in ["name", "phone", "company", "message"] {
        sent[member] = format!("+33 {CANARY}, et voici.").into();
    }
    sent["phone"] = "+33 1 23 45 67 89".into();
    sent["meta"]["ip_hash"] = format!("hash-{CANARY}").into();
    sent["meta"]["user_agent_hash"] = format!("hash-{CANARY}").into();
    let new = NewLead::new(parse(&sent), Actor::SITE_INGEST);
    let id = new.id();
    store.insert(&[new]).await.expect("stored");
    let lead = format!("/inbound/leads/{id}");
    let server = serve(InboxEndpoint::new(store, tokens())).await;
    let at = server.address;
    let moves = json!({"from": "received", "to": "processing"});
    let mut answers = Vec::new();
    for target in ["/inbound/leads", "/inbound/leads.csv", "/inbound/leads.jsonl", "/inbound/leads/counts", &lead] {
        answers.push(ask(at, "GET", target, CLERK, None).await);
    }
    for (target, body) in [
        (format!("{lead}/status"), moves.clone()),
        (format!("{lead}/status"), moves),
        (format!("{lead}/consent-withdrawal"), json!({})),
        (format!("{lead}/release"), json!({ "reason": CANARY })),
        (format!("{lead}/status"), json!({"from": CANARY, "to": CANARY})),
        (format!("{lead}/status"), json!({ CANARY: CANARY })),
        ("/inbound/leads/search".to_owned(), json!({ "text": CANARY })),
        ("/inbound/leads/search".to_owned(), json!({"text": CANARY, CANARY: CANARY})),
        ("/inbound/subjects/export".to_owned(), json!({"email": format!("x.{CANARY}@example.com")})),
        ("/inbound/subjects/erase".to_owned(), json!({"email": format!("x.{CANARY}@example.com")})),
    ] {
        answers.push(post(&server, &target, &body).await);
    }
    answers.push(ask(at, "GET", &format!("/inbound/leads?{CANARY}={CANARY}"), CLERK, None).await);
    answers.push(ask(at, "GET", &format!("/inbound/leads/{CANARY}"), CLERK, None).await);
    answers.push(ask(at, "GET", "/inbound/leads", &format!("{CANARY}-0123456789"), None).await);
    for answer in answers {
        let shown = format!("{:?} {}", answer.headers, String::from_utf8_lossy(&answer.body));
        assert!(!shown.contains(CANARY), "{shown}");
    }
    let lines = logs.lines();
    assert!(lines.iter().any(|line| line.contains("request to the inbox refused")), "refusals were logged");
    let told = lines.iter().find(|line| [CANARY, CLERK, CHIEF].iter().any(|secret| line.contains(secret)));
    assert_eq!(told, None);
}

/// Neither 401 nor 405: whatever the host says of a path that it does not know.
pub async fn other_paths_of_the_inbox_are_the_hosts(serve: ServeInbox) {
    let server = serve(InboxEndpoint::new(MemoryLeadStore::new(), tokens())).await;
    let id = Uuid::now_v7();
    let below = format!("/inbound/leads/{id}/letters");
    for path in
        ["/", "/inbound", "/inbound/leads/", "/inbound/leads.xml", "/inbound/subjects", "/INBOUND/LEADS", &below]
    {
        let answer = ask(server.address, "GET", path, CLERK, None).await;
        assert_eq!((answer.status, answer.header("www-authenticate")), (404, None), "{path}");
        assert_ne!(answer.header("content-type"), Some("application/problem+json"), "{path}");
    }
}
