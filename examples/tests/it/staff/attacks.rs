//! What somebody else must not be able to do: a table of attacks, each a test.

use fastcore_leads::{LeadInbox, testing::Logs};
use fastcore_leads_examples::staff::Lifetime;
use http::StatusCode;
use uuid::Uuid;

use super::{JEAN, MARIE, ONE_SITE, READER, World, all_tokens, browser::Browser, hours, token};

const WORKS: [(&str, &[(&str, &str)]); 6] = [
    ("status", &[("from", "received"), ("to", "processing")]),
    ("notes", &[("text", "lu")]),
    ("assignee", &[("from", ""), ("to", "reader")]),
    ("release", &[]),
    ("consent-withdrawal", &[]),
    ("erase", &[("sure", "true")]),
];

/// Whoever is not signed in is shown the way in, and nothing else.
async fn assert_signed_out(browser: &Browser, id: impl std::fmt::Display) {
    for target in
        ["/staff", "/staff/", "/staff/dashboard", &format!("/staff/leads/{id}"), &format!("/staff/leads/{id}/erase")]
    {
        let answer = browser.get(target).await;
        assert_eq!((answer.status, answer.bytes.len()), (StatusCode::SEE_OTHER, 0), "{target}");
        assert!(answer.location().starts_with("/staff/sign-in?next=%2Fstaff"), "{}", answer.location());
    }
    assert_eq!(browser.get("/staff/live").await.status, StatusCode::UNAUTHORIZED);
    let works = WORKS.map(|(work, fields)| (format!("/staff/leads/{id}/{work}"), fields));
    let others =
        ["/staff/search", "/staff/export", "/staff/reveal", "/staff/mask", "/staff/language", "/staff/sign-out"];
    for (target, fields) in works.into_iter().chain(others.map(|target| (target.to_owned(), &[][..]))) {
        let answer = browser.post(&target, fields).await;
        assert_eq!(answer.status, StatusCode::UNAUTHORIZED, "{target}");
        assert!(!answer.headers.contains_key("set-cookie"));
    }
}

#[tokio::test]
async fn without_a_session_there_is_nothing_to_see() {
    let world = World::new();
    let id = world.receive(|_| ()).await;
    assert_signed_out(&world.browser(), id).await;
    for made_up in ["fastcore_staff=", "fastcore_staff=x", "fastcore_staff=a.b", "fastcore_staff=é.00", "other=1"] {
        let mut browser = world.browser();
        browser.cookie = Some(made_up.to_owned());
        assert_signed_out(&browser, id).await;
    }
    assert_eq!(world.done(), []);
}

#[tokio::test]
async fn a_cookie_that_was_changed_opens_nothing() {
    let world = World::new();
    let id = world.receive(|_| ()).await;
    let marie = world.signed_in(MARIE).await;
    let cookie = marie.cookie.clone().unwrap();
    for at in ["fastcore_staff=".len(), cookie.find('.').unwrap() - 1, cookie.len() - 1] {
        let mut changed = cookie.clone().into_bytes();
        changed[at] = if changed[at] == b'0' { b'1' } else { b'0' };
        let browser = Browser { cookie: Some(String::from_utf8(changed).unwrap()), ..marie.clone() };
        assert_signed_out(&browser, id).await;
    }
}

#[tokio::test]
async fn a_stolen_cookie_is_worth_nothing_after_sign_out() {
    let world = World::new();
    let id = world.receive(|_| ()).await;
    let marie = world.signed_in(MARIE).await;
    let (thief, elsewhere) = (marie.clone(), world.signed_in(MARIE).await);
    let answer = marie.post("/staff/sign-out", &[]).await;
    assert!(answer.headers["set-cookie"].to_str().unwrap().starts_with("fastcore_staff=; Path=/staff; Max-Age=0"));
    assert_signed_out(&thief, id).await;
    assert_eq!(elsewhere.get("/staff").await.status, StatusCode::OK, "another session of the same person goes on");
}

#[tokio::test]
async fn a_session_ends_with_its_token() {
    let world = World::new();
    let id = world.receive(|_| ()).await;
    let (marie, jean) = (world.signed_in(MARIE).await, world.signed_in(JEAN).await);
    let mut left = all_tokens();
    left.remove(0);
    world.tokens.replace(left.clone()).unwrap();
    assert_signed_out(&marie, id).await;
    assert_eq!(jean.get("/staff").await.status, StatusCode::OK);
    // Also where the token comes back.
    world.tokens.replace(all_tokens()).unwrap();
    assert_signed_out(&marie, id).await;
    left[0] = left[0].clone().expiring_at(chrono::Utc::now());
    world.tokens.replace(left.clone()).unwrap();
    assert_signed_out(&jean, id).await;
    // And is narrowed with it.
    let reader = world.signed_in(READER).await;
    left[1] = token(READER, "reader", &[fastcore_leads::Scope::Events]);
    world.tokens.replace(left).unwrap();
    assert_eq!(reader.get("/staff").await.status, StatusCode::FORBIDDEN);
}

#[tokio::test]
async fn a_session_ends_by_itself() {
    for lifetime in
        [Lifetime { idle: hours(0), ..Lifetime::default() }, Lifetime { longest: hours(0), ..Lifetime::default() }]
    {
        let world = World::lasting(lifetime);
        let id = world.receive(|_| ()).await;
        let mut marie = world.browser();
        let answer = marie.post("/staff/sign-in", &[("token", MARIE)]).await;
        let cookie = answer.headers["set-cookie"].to_str().unwrap();
        marie.cookie = Some(cookie.split(';').next().unwrap().to_owned());
        assert_signed_out(&marie, id).await;
    }
}

#[tokio::test]
async fn another_site_cannot_act_in_a_colleagues_name() {
    let world = World::new();
    let id = world.receive(|_| ()).await;
    let (marie, jean) = (world.signed_in(MARIE).await, world.signed_in(JEAN).await);
    let with = |headers: &[(&'static str, &str)]| {
        let headers = headers.iter().map(|(name, value)| (*name, (*value).to_owned())).collect();
        Browser { headers, ..marie.clone() }
    };
    let attackers = [
        with(&[("sec-fetch-site", "cross-site")]),
        with(&[("sec-fetch-site", "same-site"), ("origin", "https://evil.example")]),
        with(&[("origin", "https://evil.example"), ("host", "staff.example")]),
        with(&[("origin", "null"), ("host", "staff.example")]),
        // From the same site, but without the form's token, or with another session's.
        Browser { csrf: String::new(), ..marie.clone() },
        Browser { csrf: "00".repeat(32), ..marie.clone() },
        Browser { csrf: jean.csrf.clone(), ..marie.clone() },
    ];
    for attacker in attackers {
        for (work, fields) in WORKS {
            let answer = attacker.post(&format!("/staff/leads/{id}/{work}"), fields).await;
            assert_eq!(answer.status, StatusCode::FORBIDDEN, "{work}");
        }
        for target in ["/staff/search", "/staff/export", "/staff/reveal", "/staff/sign-out", "/staff/language"] {
            assert_eq!(attacker.post(target, &[]).await.status, StatusCode::FORBIDDEN, "{target}");
        }
    }
    // Nobody is signed in as somebody else, either.
    let answer = with(&[("sec-fetch-site", "cross-site")]).post("/staff/sign-in", &[("token", JEAN)]).await;
    assert_eq!((answer.status, answer.headers.contains_key("set-cookie")), (StatusCode::FORBIDDEN, false));
    assert_eq!(world.done(), []);
    assert_eq!(marie.get("/staff").await.status, StatusCode::OK);
}

#[tokio::test]
async fn who_may_only_read_changes_nothing() {
    let world = World::new();
    let id = world.receive(|_| ()).await;
    let reader = world.signed_in(READER).await;
    let page = reader.get(&format!("/staff/leads/{id}")).await;
    for (work, fields) in WORKS {
        let answer = reader.post(&format!("/staff/leads/{id}/{work}"), fields).await;
        assert_eq!(answer.status, StatusCode::FORBIDDEN, "{work}");
        assert!(!page.has(&format!("/{work}\"")), "{work} is not offered");
    }
    // What was asked for, but not granted.
    reader.post(&format!("/staff/leads/{id}/reveal"), &[]).await;
    reader.post("/staff/reveal", &[]).await;
    for target in ["/staff", &format!("/staff/leads/{id}")] {
        assert!(!reader.get(target).await.has("Jean Dupont"));
    }
    assert_eq!(world.done(), []);
}

#[tokio::test]
async fn a_token_of_something_else_does_not_sign_in() {
    let world = World::new();
    let mut tokens = all_tokens();
    let (poster, feed) = ("a-token-of-the-site-0123456789", "a-token-of-the-crm-0123456789");
    tokens.push(token(poster, "site", &[fastcore_leads::Scope::Ingest]));
    tokens.push(token(feed, "crm", &[fastcore_leads::Scope::Events]));
    world.tokens.replace(tokens).unwrap();
    for wrong in ["", "x", poster, feed, "a-token-of-marie-012345678"] {
        let answer = world.browser().post("/staff/sign-in", &[("token", wrong)]).await;
        assert_eq!(answer.status, StatusCode::FORBIDDEN);
        assert!(!answer.headers.contains_key("set-cookie") && (wrong.len() < 2 || !answer.has(wrong)));
    }
}

#[tokio::test]
async fn tokens_cannot_be_guessed_at_any_pace() {
    let world = World::new();
    let mut browser = world.browser();
    let mut refused = None;
    for attempt in 0..30 {
        let answer = browser.post("/staff/sign-in", &[("token", &format!("a-guess-of-a-token-{attempt}"))]).await;
        if answer.status == StatusCode::TOO_MANY_REQUESTS {
            refused = Some(answer);
            break;
        }
    }
    let refused = refused.expect("refused");
    assert!(refused.headers["retry-after"].to_str().unwrap().parse::<u64>().unwrap() > 0);
    let right = browser.post("/staff/sign-in", &[("token", MARIE)]).await;
    assert_eq!(right.status, StatusCode::TOO_MANY_REQUESTS, "not even the right one");
    // A header that no proxy wrote does not help; another address is another person.
    browser.headers.push(("x-forwarded-for", "198.51.100.7".to_owned()));
    assert_eq!(browser.post("/staff/sign-in", &[("token", MARIE)]).await.status, StatusCode::TOO_MANY_REQUESTS);
    browser.peer = [198, 51, 100, 7].into();
    browser.sign_in(MARIE).await;
}

#[tokio::test]
async fn a_sign_in_begins_a_session_of_its_own() {
    let world = World::new();
    let fixed = world.signed_in(MARIE).await;
    let mut again = fixed.clone();
    again.sign_in(MARIE).await;
    assert_ne!(again.cookie, fixed.cookie);
    assert_ne!(again.csrf, fixed.csrf);
    // TLS is spoken where the browser says so.
    let mut secure = world.browser();
    secure.headers = vec![("origin", "https://staff.example".to_owned()), ("host", "staff.example".to_owned())];
    let answer = secure.post("/staff/sign-in", &[("token", MARIE)]).await;
    assert!(answer.headers["set-cookie"].to_str().unwrap().ends_with("; Secure"));
}

#[tokio::test]
async fn nobody_is_led_elsewhere() {
    let world = World::new();
    let marie = world.signed_in(MARIE).await;
    for (peer, elsewhere) in (1..).zip([
        "https://evil.example",
        "//evil.example",
        "/\\evil.example",
        "/staff\\..\\x",
        "/staff/sign-in",
        "/staff/live",
        "/other",
        "/staff?x=\r\nset-cookie: a=b",
        "javascript:alert(1)",
        "/staffx",
    ]) {
        // From an address of its own, so that none is one too many.
        let browser = Browser { peer: [203, 0, 113, peer].into(), ..world.browser() };
        let answer = browser.post("/staff/sign-in", &[("token", MARIE), ("next", elsewhere)]).await;
        assert_eq!(answer.location(), "/staff", "{elsewhere}");
        assert_eq!(marie.post("/staff/reveal", &[("next", elsewhere)]).await.location(), "/staff", "{elsewhere}");
    }
    let lead = format!("/staff/leads/{}", Uuid::now_v7());
    assert_eq!(marie.post("/staff/mask", &[("next", &lead)]).await.location(), lead);
    // A link in a mail: the browser holds its cookie back, and is asked once more from here.
    let mut linked = marie.clone();
    (linked.cookie, linked.headers[1].1) = (None, "cross-site".to_owned());
    let onward = linked.get(&lead).await;
    assert!(onward.status == StatusCode::OK && onward.has(&format!("content=\"0; url={lead}\"")), "{}", onward.text());
}

const SCRIPT: &str = "<img src=x onerror=alert(1)>\"'><script>alert(2)</script>{{7*7}}";

#[tokio::test]
async fn nothing_that_anybody_wrote_becomes_markup() {
    let world = World::new();
    let id = world
        .receive(|sent| {
            for member in ["name", "company", "message"] {
                sent[member] = SCRIPT.into();
            }
            sent["phone"] = "<b>1234</b>".into();
            sent["meta"]["source"] = "<b>site".into();
        })
        .await;
    let marie = world.signed_in(MARIE).await;
    marie.post(&format!("/staff/leads/{id}/notes"), &[("text", SCRIPT)]).await;
    let short = &SCRIPT[..50];
    marie.post(&format!("/staff/leads/{id}/assignee"), &[("from", ""), ("to", short)]).await;
    let move_on = [("from", "received"), ("to", "processing"), ("reason", "<u>\"'><i>x</i>")];
    assert_eq!(marie.post(&format!("/staff/leads/{id}/status"), &move_on).await.status, StatusCode::SEE_OTHER);
    marie.post("/staff/reveal", &[]).await;
    let late = marie
        .post(&format!("/staff/leads/{id}/status"), &[("from", "received"), ("to", SCRIPT), ("reason", SCRIPT)])
        .await;
    let mut pages = vec![late];
    for text in [SCRIPT, "img"] {
        let fields = [("text", text), ("source", SCRIPT), ("service", SCRIPT), ("after", SCRIPT), ("from", SCRIPT)];
        pages.push(marie.post("/staff/search", &fields).await);
        pages.push(marie.post("/staff/search", &fields[..1]).await);
        pages.push(world.browser().post("/staff/search", &fields).await);
    }
    let query: String = url::form_urlencoded::byte_serialize(SCRIPT.as_bytes()).collect();
    for target in [
        "/staff".to_owned(),
        format!("/staff/leads/{id}"),
        format!("/staff/leads/{id}/erase"),
        "/staff/dashboard".to_owned(),
        format!("/staff?source={query}&from={query}&status={query}&after={query}"),
        format!("/staff/sign-in?next={query}&lang={query}"),
    ] {
        pages.push(marie.get(&target).await);
        pages.push(world.browser().get(&target).await);
    }
    for page in &pages {
        let text = page.text();
        for markup in ["<img", "<script>", "<b>", "<u>", "<i>", "onerror=alert(1)>\""] {
            let is_there = text.to_lowercase().contains(markup);
            assert!(!is_there, "{markup}: {text}");
        }
    }
    for shown in ["&#60;img src=x onerror=alert(1)&#62;", "{{7*7}}"] {
        assert!(pages.iter().any(|page| page.has(shown)), "it is shown as it was written");
    }
}

#[tokio::test]
async fn what_a_query_says_is_taken_apart_and_not_passed_on() {
    let world = World::new();
    let id = world.receive(|_| ()).await;
    let marie = world.signed_in(MARIE).await;
    for query in [
        "after=x",
        "after=1_0%27%20OR%201=1",
        "after=99999999999999999999_0",
        "status=received%26source=x",
        "limit=100000",
        "reveal=true",
        "service=ponts%26reveal=true",
        "from=0000-00-00",
        "from=9999-12-31&to=0001-01-01",
        "to=9999-12-31",
        "from=-9999-01-01",
        "source=%00",
        "x=%FF",
    ] {
        let answer = marie.get(&format!("/staff?{query}")).await;
        assert!([200, 400].contains(&answer.status.as_u16()), "{query}: {}", answer.status);
        assert!(!answer.has("Jean Dupont"), "{query}");
    }
    assert_eq!(world.done(), []);
    assert!(marie.get("/staff?after=x").await.has(&id.to_string()), "a place that is none is the start");
}

#[tokio::test]
async fn ids_cannot_be_tried_out() {
    let world = World::new();
    let id = world.receive(|_| ()).await;
    let browser = world.signed_in(ONE_SITE).await;
    let (theirs, nobodys) = (id.to_string(), Uuid::now_v7().to_string());
    for work in ["", "/erase"] {
        let [one, other] = [&theirs, &nobodys].map(|id| format!("/staff/leads/{id}{work}"));
        let (one, other) = (browser.get(&one).await, browser.get(&other).await);
        assert_eq!((one.status, one.text()), (StatusCode::NOT_FOUND, other.text()));
    }
    for (work, fields) in WORKS {
        let [one, other] = [&theirs, &nobodys].map(|id| format!("/staff/leads/{id}/{work}"));
        let (one, other) = (browser.post(&one, fields).await, browser.post(&other, fields).await);
        assert_eq!((one.status, one.text()), (StatusCode::NOT_FOUND, other.text()), "{work}");
    }
    assert!(!browser.get("/staff").await.has(&theirs));
    assert!(world.store.get(id).await.unwrap().unwrap().erased_at_utc.is_none());
}

#[tokio::test]
async fn nothing_personal_is_in_an_address_a_title_or_a_log() {
    let logs = Logs::global();
    let world = World::new();
    let id = world.receive(|sent| sent["name"] = "Zébulon Quatremer".into()).await;
    let marie = world.signed_in(MARIE).await;
    marie.post("/staff/reveal", &[]).await;
    for target in ["/staff".to_owned(), format!("/staff/leads/{id}"), format!("/staff/leads/{id}/erase")] {
        let page = marie.get(&target).await.text();
        let title = &page[page.find("<title>").unwrap()..page.find("</title>").unwrap()];
        assert!(!title.contains("Quatremer") && !title.contains("Z***"), "{title}");
        for (at, _) in page.match_indices("href=\"/") {
            let address = &page[at + 6..][..page[at + 6..].find('"').unwrap()];
            assert!(!address.contains("Quatremer") && !address.contains('@'), "{address}");
        }
    }
    marie.post(&format!("/staff/leads/{id}/notes"), &[("text", "Quatremer rappelle")]).await;
    let found = marie.post("/staff/search", &[("text", "Quatremer")]).await;
    assert!(found.has("Zébulon"), "it is found");
    world.browser().post("/staff/sign-in", &[("token", "a-token-that-is-wrong-0123456789")]).await;
    let logged = logs.lines().join("\n");
    assert!(logged.contains("signed in"), "what is logged is looked at");
    for secret in ["Quatremer", MARIE, "a-token-that-is-wrong", marie.cookie.as_ref().unwrap(), &marie.csrf] {
        assert!(!logged.contains(secret), "{secret}");
    }
    assert!(!format!("{:?}", world.staff).contains(MARIE));
}

#[tokio::test]
async fn what_is_too_much_is_refused() {
    let world = World::new();
    let id = world.receive(|_| ()).await;
    let marie = world.signed_in(MARIE).await;
    let large = "x".repeat(100_000);
    let answer = marie.post(&format!("/staff/leads/{id}/notes"), &[("text", &large)]).await;
    assert_eq!(answer.status, StatusCode::PAYLOAD_TOO_LARGE);
    assert!(answer.has("The text is too long"));
    for method in ["PUT", "DELETE", "PATCH", "OPTIONS"] {
        let answer = marie.ask(method, "/staff", String::new()).await;
        assert_eq!(
            (answer.status, answer.headers["allow"].to_str().unwrap()),
            (StatusCode::METHOD_NOT_ALLOWED, "GET, HEAD, POST")
        );
    }
    for target in ["/staff", "/staff/dashboard", &format!("/staff/leads/{id}"), "/staff/live"] {
        assert_eq!(marie.post(target, &[]).await.status, StatusCode::METHOD_NOT_ALLOWED, "{target}");
    }
    for target in ["/staff/export", "/staff/reveal", "/staff/sign-out", &format!("/staff/leads/{id}/status")] {
        assert_eq!(marie.get(target).await.status, StatusCode::METHOD_NOT_ALLOWED, "{target}");
    }
    assert_eq!(world.done(), []);
}
