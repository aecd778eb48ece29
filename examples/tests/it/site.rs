//! The site, as visitors and their browsers know it; browsers themselves are in `tests/browser`.

use std::collections::HashSet;

use fastcore_leads::testing::http::{Answer, exchange};
use serde_json::json;

use crate::{
    service::{Service, start_in_vain},
    visitor::{FORM, MESSAGE, Visitor, database_of, filled, filled_json, html, leads_in, site, ticket_in},
};

const FRAMEWORKS: [&str; 2] = ["axum", "warp"];

fn next(answer: &Answer) -> &str {
    assert_eq!(answer.status, 303, "{}", String::from_utf8_lossy(&answer.body));
    answer.header("location").unwrap()
}

#[tokio::test]
async fn a_form_becomes_a_lead_with_and_without_scripts() {
    for framework in FRAMEWORKS {
        let service = site(&["--framework", framework]);
        let visitor = Visitor::new(service.address).with("user-agent", "Mozilla/5.0 (visiteur)");
        let answer = visitor.post(&filled(&visitor.open().await)).await;
        let thanks = visitor.get(next(&answer)).await;
        assert_eq!(thanks.status, 200);
        assert!(html(&thanks).contains("Merci, votre message est bien arrivé"));

        let answer = visitor.post_json(&filled_json(&visitor.open().await)).await;
        assert_eq!(answer.status, 202);
        let reference = answer.json()["reference"].as_str().unwrap().to_owned();
        assert_eq!(answer.json()["next"], format!("/merci?ref={reference}&lang=fr"));

        let leads = leads_in(&database_of(&service)).await;
        assert_eq!(leads.len(), 2);
        for (lead, trail) in &leads {
            assert_eq!((lead.name.as_str(), lead.email.as_str()), ("Jean Dupont", "jean@example.com"));
            assert_eq!((lead.message.as_str(), lead.service.as_deref()), (MESSAGE, Some("ponts")));
            assert_eq!((lead.source.as_str(), lead.status.as_str()), ("fast-techservices.com", "received"));
            assert!(lead.consent);
            let meta = lead.meta_json.as_ref().unwrap();
            assert_eq!(meta["consent"]["locale"], "fr-FR");
            assert!(meta["user_agent_hash"].as_str().unwrap().len() > 64);
            assert_eq!(trail.len(), 1);
        }
        assert!(leads.iter().any(|(lead, _)| lead.request_id.to_string() == reference));
    }
}

#[tokio::test]
async fn one_form_is_one_lead_however_often_it_is_sent() {
    let service = site(&["--site-posts-per-minute", "1000"]);
    let visitor = Visitor::new(service.address);
    let ticket = visitor.open().await;
    let mut posts = tokio::task::JoinSet::new();
    for i in 0..16 {
        let (visitor, ticket) = (visitor.clone(), ticket.clone());
        posts.spawn(async move {
            // A script and a form post say the same, whatever line breaks they use.
            if i % 2 == 0 {
                let crlf = MESSAGE.replace('\n', "\r\n");
                let mut fields = filled(&ticket);
                fields.retain(|(name, _)| *name != "message");
                fields.push(("message", &crlf));
                visitor.post(&fields).await.status
            } else {
                visitor.post_json(&filled_json(&ticket)).await.status
            }
        });
    }
    let statuses: HashSet<u16> = posts.join_all().await.into_iter().collect();
    assert_eq!(statuses, HashSet::from([303, 202]));
    assert_eq!(leads_in(&database_of(&service)).await.len(), 1);

    // Back, another message, sent again: something new was said. Said twice, it is still one lead.
    let mut changed = filled_json(&ticket);
    changed["message"] = "Finalement il s’agit du compresseur, pas du pont.".into();
    let first = visitor.post_json(&changed).await.json();
    let second = visitor.post_json(&changed).await.json();
    assert_eq!(first, second);
    let leads = leads_in(&database_of(&service)).await;
    assert_eq!(leads.len(), 2);
    assert!(leads.iter().all(|(_, trail)| trail.len() == 1));
}

#[tokio::test]
async fn errors_come_in_french_beside_their_fields_with_what_was_written() {
    for framework in FRAMEWORKS {
        let service = site(&["--framework", framework]);
        let visitor = Visitor::new(service.address);
        let ticket = visitor.open().await;
        let fields = [
            ("ticket", ticket.as_str()),
            ("name", "J"),
            ("email", "jean@\"><script>alert(1)</script>"),
            ("message", "trop court"),
            ("service", "cabines"),
        ];
        let answer = visitor.post(&fields).await;
        assert_eq!((answer.status, answer.header("content-type")), (422, Some("text/html; charset=utf-8")));
        let page = html(&answer);
        assert!(page.contains("<title>Erreur : Contact"));
        assert!(page.contains("3 points sont à corriger"));
        assert!(page.contains("id=\"name-error\">Complétez votre nom : il faut au moins 2 caractères.</p>"), "{page}");
        assert!(page.contains("href=\"#email\">Vérifiez votre adresse e-mail"));
        assert!(page.contains("Complétez votre message : il faut au moins 20 caractères."));
        assert!(page.contains("aria-invalid=\"true\" autofocus"), "the cursor is in the first of them");
        assert!(page.contains("value=\"cabines\" selected"));
        assert!(!page.contains("<script>alert"), "what was written is escaped");
        assert_eq!(ticket_in(&answer), ticket, "the form is the same form still");
        let corrected = visitor.post(&filled(&ticket_in(&answer))).await;
        assert!(next(&corrected).contains(&leads_in(&database_of(&service)).await[0].0.request_id.to_string()));

        let answer = visitor.post_json(&json!({"ticket": ticket, "name": 5, "consent": "oui"})).await;
        assert_eq!((answer.status, answer.header("content-type")), (422, Some("application/problem+json")));
        let errors = answer.json()["errors"].clone();
        assert_eq!(errors[0]["code"], "not_a_string");
        assert_eq!(errors[1]["pointer"], "/email");
        assert_eq!(errors[1]["detail"], "Indiquez votre adresse e-mail.");
        assert_eq!(errors[3]["code"], "not_a_boolean");
        assert_eq!(leads_in(&database_of(&service)).await.len(), 1);
    }
}

#[tokio::test]
async fn what_looks_like_a_machine_is_kept_in_quarantine_and_answered_like_everybody() {
    let service = Service::start(&["--site", "--site-min-fill-ms", "600000", "--site-posts-per-minute", "100"]);
    let visitor = Visitor::new(service.address);
    let ticket = visitor.open().await;
    let mut trapped = filled(&ticket);
    trapped.retain(|(name, _)| *name != "website");
    trapped.push(("website", "https://spam.example"));
    next(&visitor.post(&trapped).await);

    let forged = format!("{}0", &ticket[..ticket.len() - 1]);
    let forged = if forged == ticket { format!("{}1", &ticket[..ticket.len() - 1]) } else { forged };
    for ticket in ["", "nonsense", forged.as_str()] {
        let mut post = filled_json(ticket);
        post["name"] = "Sans Ticket".into();
        let first = visitor.post_json(&post).await;
        assert_eq!(first.status, 202);
        assert_eq!(visitor.post_json(&post).await.json(), first.json(), "its repetition is the same lead");
    }
    let leads = leads_in(&database_of(&service)).await;
    assert_eq!(leads.len(), 2, "the same words without a ticket are the same lead");
    for (lead, _) in leads {
        assert_eq!(lead.status, "quarantined");
        let expected = if lead.name == "Sans Ticket" { json!(["no_ticket"]) } else { json!(["honeypot", "too_fast"]) };
        assert_eq!(lead.meta_json.unwrap()["suspicion"], expected);
    }
}

#[tokio::test]
async fn a_visitor_who_posts_too_often_waits_and_nobody_else_does() {
    let service = site(&["--site-posts-per-minute", "3", "--trusted-proxies", "127.0.0.1"]);
    let visitor = |address: &str| Visitor::new(service.address).with("x-forwarded-for", address);
    let one = visitor("203.0.113.7");
    let ticket = one.open().await;
    for _ in 0..3 {
        next(&one.post(&filled(&ticket)).await);
    }
    // Whatever it writes in front, the proxy's own entry is the last.
    let refused = visitor("198.51.100.1, 203.0.113.7").post(&filled(&ticket)).await;
    assert_eq!(refused.status, 429);
    let wait: u64 = refused.header("retry-after").unwrap().parse().unwrap();
    assert!((1..=21).contains(&wait), "{wait}");
    let page = html(&refused);
    assert!(page.contains("Attendez") && page.contains("Bonjour, notre pont"), "what was written is not lost: {page}");
    let refused = one.post_json(&filled_json(&ticket)).await;
    assert_eq!((refused.status, &refused.json()["error"]), (429, &"too_many_requests".into()));
    assert!(refused.header("retry-after").is_some());
    next(&visitor("203.0.113.8").post(&filled(&ticket)).await);
    // A household has one /64.
    for host in ["2001:db8:1:1::1", "[2001:db8:1:1:ffff::2]:443", "2001:db8:1:1::3"] {
        next(&visitor(host).post(&filled(&ticket)).await);
    }
    assert_eq!(visitor("2001:db8:1:1::4").post(&filled(&ticket)).await.status, 429);
    next(&visitor("2001:db8:1:2::4").post(&filled(&ticket)).await);
}

#[tokio::test]
async fn nobody_else_can_post_in_a_visitors_name() {
    let service = site(&["--site-origins", "https://fast-techservices.com", "--site-posts-per-minute", "100"]);
    let visitor = Visitor::new(service.address);
    let ticket = visitor.open().await;
    let own = format!("http://{}", service.address);
    let cases: [(&[(&str, &str)], u16); 9] = [
        (&[], 303),
        (&[("sec-fetch-site", "same-origin")], 303),
        (&[("sec-fetch-site", "none")], 303),
        (&[("origin", &own)], 303),
        (&[("sec-fetch-site", "cross-site"), ("origin", "https://fast-techservices.com")], 303),
        (&[("sec-fetch-site", "cross-site")], 403),
        (&[("sec-fetch-site", "same-site"), ("origin", &own)], 403),
        (&[("origin", "https://evil.example")], 403),
        (&[("origin", "null")], 403),
    ];
    for (headers, status) in cases {
        let visitor = headers.iter().fold(visitor.clone(), |visitor, (name, value)| visitor.with(name, value));
        assert_eq!(visitor.post(&filled(&ticket)).await.status, status, "{headers:?}");
        let expected = if status == 303 { 202 } else { 403 };
        assert_eq!(visitor.post_json(&filled_json(&ticket)).await.status, expected, "{headers:?}");
    }
    assert_eq!(leads_in(&database_of(&service)).await.len(), 1);
    let options = visitor.ask("OPTIONS", FORM, None, b"").await.unwrap();
    assert_eq!(options.status, 405);
    assert!(options.headers.iter().all(|(name, _)| !name.starts_with("access-control")));
}

#[tokio::test]
async fn every_answer_carries_the_security_headers_and_pages_hold_no_script_of_their_own() {
    for framework in FRAMEWORKS {
        let service = site(&["--framework", framework]);
        let visitor = Visitor::new(service.address);
        let mut answers = Vec::new();
        for path in ["/", "/merci", "/merci?ref=x", "/assets/site.css", "/assets/site.js", "/favicon.ico", FORM] {
            answers.push(visitor.get(path).await);
        }
        answers.push(visitor.post(&[("name", "x")]).await);
        answers.push(visitor.post(&filled(&visitor.open().await)).await);
        answers.push(visitor.post_json(&json!({})).await);
        for answer in &answers {
            let policy = answer.header("content-security-policy").unwrap();
            assert!(policy.contains("default-src 'none'") && policy.contains("form-action 'self'"), "{policy}");
            assert!(policy.contains("frame-ancestors 'none'") && !policy.contains("unsafe"), "{policy}");
            assert_eq!(answer.header("x-content-type-options"), Some("nosniff"));
            assert_eq!(answer.header("referrer-policy"), Some("same-origin"));
            assert_eq!(answer.header("cross-origin-opener-policy"), Some("same-origin"));
            assert!(answer.header("cache-control").is_some());
            let text = String::from_utf8_lossy(&answer.body).into_owned();
            if answer.header("content-type").unwrap().starts_with("text/html") {
                assert!(!text.contains("style=") && !text.contains("onclick") && !text.contains("<style"));
                assert_eq!(text.matches("<script").count(), text.matches("<script src=\"/assets/site.js?v=").count());
            }
        }
        // Kept for the way back, so that the form shows its ticket again; `no-store` would lose it.
        assert_eq!(answers[0].header("cache-control"), Some("private, no-cache"));
    }
}

#[tokio::test]
async fn what_is_no_post_of_the_form_is_refused_by_its_kind() {
    for framework in FRAMEWORKS {
        let service = site(&["--framework", framework, "--site-posts-per-minute", "100"]);
        let visitor = Visitor::new(service.address);
        let form = Some("application/x-www-form-urlencoded");
        let (large, huge) = ("a".repeat(33_000), "a".repeat(600_000));
        let cases = [
            ("GET", FORM, None, "", 303),
            ("HEAD", FORM, None, "", 303),
            ("POST", FORM, form, "name=Je%FF%FEan", 400),
            ("POST", FORM, form, "name=%E9", 400),
            ("PUT", FORM, form, "name=x", 405),
            ("POST", "/", form, "name=x", 405),
            ("DELETE", "/merci", None, "", 405),
            ("POST", "/assets/site.js", None, "", 405),
            ("HEAD", "/", None, "", 200),
            ("POST", FORM, None, "name=x", 415),
            ("POST", FORM, Some("text/plain"), "{}", 415),
            ("POST", FORM, Some("multipart/form-data; boundary=x"), "--x--", 415),
            ("POST", FORM, form, &huge, 413),
            ("POST", FORM, Some("application/json"), &large, 413),
            ("POST", FORM, form, "name=a&name=b", 400),
            ("POST", FORM, Some("application/json"), "[\"Jean\"]", 400),
            ("POST", FORM, Some("application/json"), "{\"name\":\"a\",\"name\":\"b\"}", 400),
            ("POST", FORM, Some("application/json"), "{\"name\":\"\\ud800\"}", 422),
            ("POST", FORM, Some("application/json"), "{", 400),
            ("GET", "/site.css", None, "", 404),
        ];
        for (method, path, kind, body, status) in cases {
            let answer = visitor.ask(method, path, kind, body.as_bytes()).await.unwrap();
            assert_eq!(answer.status, status, "{framework} {method} {path} {kind:?}");
            assert_eq!(answer.header("allow").is_some(), status == 405, "{framework} {method} {path}");
        }
        assert!(leads_in(&database_of(&service)).await.is_empty());
    }
}

#[tokio::test]
async fn a_message_that_is_much_too_long_is_shown_again() {
    let service = site(&[]);
    let visitor = Visitor::new(service.address);
    let ticket = visitor.open().await;
    let message = "é".repeat(20_000);
    let mut fields = filled(&ticket);
    fields[6] = ("message", &message);
    let answer = visitor.post(&fields).await;
    assert_eq!(answer.status, 422);
    assert!(html(&answer).contains(&message) && html(&answer).contains("2000 caractères au plus"));
    assert_eq!(ticket_in(&answer), ticket);
}

#[tokio::test]
async fn consent_is_what_was_ticked_and_nothing_else() {
    let service = site(&[]);
    let visitor = Visitor::new(service.address);
    for (value, status) in [("true", 303), ("on", 303), ("false", 303), ("yes", 422), ("1", 422)] {
        let ticket = visitor.open().await;
        let mut fields = filled(&ticket);
        fields.retain(|(name, _)| *name != "consent");
        fields.push(("consent", value));
        assert_eq!(visitor.post(&fields).await.status, status, "{value}");
    }
    let consents = leads_in(&database_of(&service)).await.into_iter().filter(|(lead, _)| lead.consent).count();
    assert_eq!(consents, 2);
}

#[tokio::test]
async fn a_source_that_no_lead_could_have_is_refused_at_start() {
    for source in ["", "   ", &"a".repeat(51), "a\nb"] {
        let (status, log) = start_in_vain(&["--site", "--site-source", source], &[]);
        assert_eq!(status.code(), Some(2), "{source:?}: {log}");
        assert!(log.contains("--site-source"), "{log}");
    }
}

#[tokio::test]
async fn a_site_that_requires_consent_asks_for_it() {
    let service = site(&["--require-consent"]);
    let visitor = Visitor::new(service.address);
    let ticket = visitor.open().await;
    let mut fields = filled(&ticket);
    fields.retain(|(name, _)| *name != "consent");
    let answer = visitor.post(&fields).await;
    assert_eq!(answer.status, 422);
    assert!(html(&answer).contains("Cochez cette case"));
    let open = site(&[]);
    let visitor = Visitor::new(open.address);
    let ticket = visitor.open().await;
    let mut fields = filled(&ticket);
    fields.retain(|(name, _)| *name != "consent");
    next(&visitor.post(&fields).await);
    let (lead, _) = leads_in(&database_of(&open)).await.remove(0);
    assert!(!lead.consent && lead.meta_json.unwrap().get("consent").is_none_or(serde_json::Value::is_null));
}

#[tokio::test]
async fn the_site_is_on_where_nothing_is_set_and_off_where_a_service_is() {
    let trial = Service::start_with(&[], &[]);
    assert!(trial.banner.contains(&format!("Contact page: http://{}/", trial.address)));
    let visitor = Visitor::new(trial.address);
    next(&visitor.post(&filled(&visitor.open().await)).await);
    assert!(trial.dir.path().join("fastcore-site/pepper").is_file());
    for (options, has_site) in [(&["--site=false"][..], false), (&["--site"][..], true)] {
        let service = Service::start(options);
        let page = exchange(service.address, b"GET / HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n").await;
        assert_eq!(page.status == 200, has_site);
        assert_eq!(service.dir.path().join("fastcore-site").exists(), has_site);
    }
    let token = ("FASTCORE_SITE_INGEST_TOKEN", "a-token-of-somebody-else");
    let service = Service::start_with(&[], &[token]);
    let page = exchange(service.address, b"GET / HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n").await;
    assert_eq!(page.status, 404);
}
