//! What visitors paste, how slowly it comes, and in which language they are answered.

use std::time::Duration;

use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

use crate::{
    service::{Service, start_in_vain},
    visitor::{FORM, Visitor, database_of, filled, filled_json, html, leads_in, site, ticket_in},
};

#[tokio::test]
async fn what_nobody_sees_is_cleaned_and_not_complained_of() {
    let service = site(&["--site-posts-per-minute", "1000"]);
    let visitor = Visitor::new(service.address);
    let text = "Notre pont ne monte plus.";
    let more = "Venez vite, s’il vous plaît.";
    let lines = format!("{text}\n{more}");
    // A member, what was pasted, what is stored.
    let cases: Vec<(&str, String, &str)> = vec![
        ("message", format!("{text}\u{b}{more}"), &lines),
        ("message", format!("{text}\u{c}{more}"), &lines),
        ("message", format!("{text}\u{2028}{more}"), &lines),
        ("message", format!("{text}\u{85}{more}"), &lines),
        ("message", format!("{text}\r\n{more}"), &lines),
        ("message", format!("{text}\r{more}\u{1}\u{7f}"), &lines),
        ("message", format!("\u{feff}\u{a0}{text}\u{200b}\u{a0} "), text),
        ("email", "jean@example.com\u{200b}".to_owned(), "jean@example.com"),
        ("email", "\u{2068}jean@exa\u{ad}mple.com\u{2069}".to_owned(), "jean@example.com"),
        ("email", "\u{a0}jean@example.com\u{a0}".to_owned(), "jean@example.com"),
        ("phone", "\u{202d}06 12 34 56 78\u{202c}".to_owned(), "06 12 34 56 78"),
        ("phone", "06\u{a0}12\u{202f}34".to_owned(), "06 12 34"),
        ("name", "\u{200e}Jean\tDupont\u{200f}".to_owned(), "Jean Dupont"),
        ("name", "Jean\nDupont".to_owned(), "Jean Dupont"),
        ("company", "Garage\u{b}du Pont\u{200b}".to_owned(), "Garage du Pont"),
        // What has a meaning stays: a family is one emoji, and Persian needs its joiners.
        ("name", "می\u{200c}خواهم".to_owned(), "می\u{200c}خواهم"),
        ("company", "Chez 👨\u{200d}👩\u{200d}👧 et ❤\u{fe0f}".to_owned(), "Chez 👨\u{200d}👩\u{200d}👧 et ❤\u{fe0f}"),
    ];
    for (member, pasted, stored) in &cases {
        for is_json in [false, true] {
            let ticket = visitor.open().await;
            let status = if is_json {
                let mut post = filled_json(&ticket);
                post[*member] = pasted.as_str().into();
                visitor.post_json(&post).await.status
            } else {
                let mut fields = filled(&ticket);
                fields.retain(|(name, _)| name != member);
                fields.push((*member, pasted));
                visitor.post(&fields).await.status
            };
            assert!(matches!(status, 202 | 303), "{member} {pasted:?}: {status}");
            let (lead, _) = leads_in(&database_of(&service)).await.into_iter().max_by_key(|(lead, _)| lead.id).unwrap();
            let lead: Value = json!({"message": lead.message, "email": lead.email, "phone": lead.phone,
                "name": lead.name, "company": lead.company, "status": lead.status});
            assert_eq!((&lead[*member], &lead["status"]), (&json!(stored), &json!("received")), "{pasted:?}");
        }
    }
    // Another domain is another person: a joiner that has a meaning is not taken away.
    let mut fields = filled_json(&visitor.open().await);
    fields["email"] = "info@نامه\u{200c}ای.com".into();
    let refused = visitor.post_json(&fields).await;
    assert_eq!((refused.status, &refused.json()["errors"][0]["code"]), (422, &json!("email_invalid")));
    // Half an emoji, as a script cuts it at a number of UTF-16 units.
    for half in ["\\ud83d", "\\uDE97 ", "a\\\\\\ud83d\\u0041"] {
        let ticket = visitor.open().await;
        let body = filled_json(&ticket).to_string().replace("Jean Dupont", &format!("Jean {half}"));
        let answer = visitor.ask("POST", FORM, Some("application/json"), body.as_bytes()).await.unwrap();
        assert_eq!(answer.status, 202, "{half}: {:?}", String::from_utf8_lossy(&answer.body));
    }
    let names: Vec<_> = leads_in(&database_of(&service)).await.into_iter().map(|(lead, _)| lead.name).collect();
    assert!(names.contains(&"Jean a\\A".to_owned()) && names.contains(&"Jean".to_owned()), "{names:?}");
    // A whole one stays, however it is written.
    let ticket = visitor.open().await;
    let body = filled_json(&ticket).to_string().replace("Jean Dupont", "Jean \\ud83d\\ude97");
    assert_eq!(visitor.ask("POST", FORM, Some("application/json"), body.as_bytes()).await.unwrap().status, 202);
    assert!(leads_in(&database_of(&service)).await.iter().any(|(lead, _)| lead.name == "Jean 🚗"));
}

#[tokio::test]
async fn a_message_that_shows_nothing_and_a_form_that_is_old_are_suspicious() {
    let service = site(&["--site-posts-per-minute", "1000"]);
    let visitor = Visitor::new(service.address);
    let nothing = ["\u{3164}".repeat(20), "\u{2800} ".repeat(20), "\u{301}\u{20dd}".repeat(20)];
    for message in &nothing {
        let ticket = visitor.open().await;
        let mut post = filled_json(&ticket);
        // The words around are not what is judged; a joiner keeps it from being trimmed to nothing.
        post["message"] = format!("\u{2800}{message}\u{2800}").into();
        assert_eq!(visitor.post_json(&post).await.status, 202, "{message:?}");
    }
    let leads = leads_in(&database_of(&service)).await;
    assert_eq!(leads.len(), nothing.len());
    for (lead, _) in leads {
        assert_eq!(
            (lead.status.as_str(), &lead.meta_json.unwrap()["suspicion"]),
            ("quarantined", &json!(["unreadable"]))
        );
    }

    // A ticket that another process showed long ago: the signature is the pepper's, the time is in it.
    let pepper = ("FASTCORE_IP_PEPPER", "a-pepper-of-some-length");
    let token = ("FASTCORE_SITE_INGEST_TOKEN", "a-token-for-tests-0123456789");
    let service = Service::start_with(&["--site", "--site-max-fill-hours", "1"], &[pepper, token]);
    let signed = format!("{}.{}", uuid::Uuid::now_v7().simple(), chrono::Utc::now().timestamp_millis() - 3_700_000);
    let pepper = fastcore_leads::pseudonym::Pepper::parse(pepper.1).unwrap();
    let signature = pepper.sign("ticket of a contact form", signed.as_bytes());
    let signature: String = signature.iter().map(|byte| format!("{byte:02x}")).collect();
    let ticket = format!("{signed}.{signature}");
    assert_eq!(Visitor::new(service.address).post(&filled(&ticket)).await.status, 303, "it is not refused");
    let (lead, _) = leads_in(&database_of(&service)).await.remove(0);
    assert_eq!(lead.meta_json.unwrap()["suspicion"], json!(["stale_ticket"]));
}

#[tokio::test]
async fn the_trap_springs_under_either_name() {
    let service = site(&["--site-posts-per-minute", "1000"]);
    let visitor = Visitor::new(service.address);
    let page = html(&visitor.get("/").await);
    for attribute in ["autocomplete=\"off\"", "data-1p-ignore", "data-lpignore=\"true\"", "tabindex=\"-1\""] {
        assert!(page.contains(attribute), "{attribute}");
    }
    for name in ["suite", "website"] {
        let ticket = visitor.open().await;
        let mut fields = filled(&ticket);
        fields.retain(|(field, _)| *field != "website");
        fields.push((name, "https://spam.example"));
        fields[1] = ("name", name);
        assert_eq!(visitor.post(&fields).await.status, 303);
    }
    let leads = leads_in(&database_of(&service)).await;
    assert!(leads.len() == 2 && leads.iter().all(|(lead, _)| lead.status == "quarantined"));
}

#[tokio::test]
async fn whatever_is_wrong_with_a_post_the_form_comes_back_filled() {
    for framework in ["axum", "warp"] {
        let service = site(&["--framework", framework, "--site-posts-per-minute", "1000"]);
        let visitor = Visitor::new(service.address);
        let ticket = visitor.open().await;
        let stranger = visitor.clone().with("origin", "https://evil.example").post(&filled(&ticket)).await;
        let mut fields = filled(&ticket);
        let long = "é".repeat(1_200_000);
        fields.push(("company", &long));
        let oversized = visitor.post(&fields).await;
        let mut twice = filled(&ticket);
        twice.push(("name", "Jean"));
        let malformed = visitor.post(&twice).await;
        for (answer, status) in [(stranger, 403), (oversized, 413), (malformed, 400)] {
            assert_eq!(answer.status, status, "{framework}");
            let page = html(&answer);
            assert!(
                page.contains("Bonjour, notre pont") && page.contains("value=\"jean@example.com\""),
                "{framework} {status}"
            );
            // Nobody else ticks the box for a visitor.
            assert_eq!(page.contains("aria-describedby=\"consent-error\" checked"), status != 403, "{status}");
        }
        assert!(leads_in(&database_of(&service)).await.is_empty());
    }
}

#[tokio::test]
async fn a_post_that_comes_too_slowly_comes_back_filled() {
    let service = site(&[]);
    let ticket = Visitor::new(service.address).open().await;
    let body = format!("ticket={ticket}&name=Jean+Dupont&email=jean%40example.com&message=Bonjour%2C+notre+pont");
    let mut connection = TcpStream::connect(service.address).await.unwrap();
    let head = format!(
        "POST {FORM} HTTP/1.1\r\nhost: {}\r\ncontent-type: application/x-www-form-urlencoded\r\ncontent-length: {}\r\n\r\n",
        service.address,
        body.len() + 100
    );
    connection.write_all(head.as_bytes()).await.unwrap();
    connection.write_all(body.as_bytes()).await.unwrap();
    // And nothing more.
    let mut answer = Vec::new();
    let read = tokio::time::timeout(Duration::from_secs(60), connection.read_to_end(&mut answer)).await;
    assert!(read.is_ok(), "no answer");
    let answer = String::from_utf8_lossy(&answer);
    assert!(answer.starts_with("HTTP/1.1 408") && answer.contains("Bonjour, notre pont"), "{answer}");
    assert!(answer.contains("value=\"jean@example.com\"") && answer.contains(&ticket), "{answer}");
}

#[tokio::test]
async fn a_visitor_is_answered_in_french_or_english() {
    let service = site(&["--site-posts-per-minute", "1000"]);
    let visitor = |accept: &str| Visitor::new(service.address).with("accept-language", accept);
    for (accept, title) in [
        ("", "Contactez-nous"),
        ("de", "Contactez-nous"),
        ("en", "Contact us"),
        ("en-GB,en;q=0.9", "Contact us"),
        ("de, en;q=0.5, fr;q=0.4", "Contact us"),
        ("fr;q=0.9, en;q=0.8", "Contactez-nous"),
        ("en;q=nonsense,fr;q=0.1", "Contact us"),
        ("fr;q=0, en;q=0", "Contactez-nous"),
    ] {
        let page = visitor(accept).get("/").await;
        assert!(html(&page).contains(&format!("<h1>{title}</h1>")), "{accept}");
        assert_eq!(page.header("vary"), Some("accept-language"));
    }
    // The link says more than the browser, and every answer stays in the language of the form.
    let page = visitor("fr").get("/?lang=en").await;
    assert!(html(&page).contains("<html lang=\"en\">") && html(&page).contains("href=\"/?lang=fr\""));
    let ticket = ticket_in(&page);
    let mut fields = filled(&ticket);
    fields.push(("lang", "en"));
    fields[1] = ("name", "J");
    let wrong = html(&visitor("fr").post(&fields).await);
    assert!(wrong.contains("Complete your name: at least 2 characters are needed."), "{wrong}");
    fields[1] = ("name", "John");
    let next = visitor("fr").post(&fields).await.header("location").unwrap().to_owned();
    let thanks = html(&visitor("fr").get(&next).await);
    assert!(thanks.contains("Thank you, your message has arrived") && thanks.contains("/?lang=en"), "{thanks}");
    let mut post = filled_json(&visitor("fr").open().await);
    post["lang"] = "en".into();
    let stranger = visitor("fr").with("origin", "https://evil.example").post_json(&post).await.json();
    assert_eq!(
        stranger["detail"],
        "This message was not sent from our site. Read it again, then send it from this form."
    );
    post["email"] = "nobody".into();
    let problem = visitor("fr").post_json(&post).await.json();
    assert_eq!(problem["errors"][0]["detail"], "Check your email address: it must be of the form name@example.com.");
    let (lead, _) = leads_in(&database_of(&service)).await.remove(0);
    assert_eq!(lead.meta_json.unwrap()["consent"]["locale"], "en");
}

#[tokio::test]
async fn what_is_promised_is_for_the_operator_to_say() {
    let dir = fastcore_leads::testing::TempDir::new();
    let file = dir.path().join("wordings.json");
    let wordings = json!({"fr": {"promise": "Réponse sous un jour ouvré.", "privacy": "Nos <règles> à nous."}});
    std::fs::write(&file, wordings.to_string()).unwrap();
    let plain = site(&[]);
    let set = site(&["--site-wordings", file.to_str().unwrap()]);
    let mut versions = Vec::new();
    for service in [&plain, &set] {
        let visitor = Visitor::new(service.address);
        assert_eq!(visitor.post(&filled(&visitor.open().await)).await.status, 303);
        let (lead, _) = leads_in(&database_of(service)).await.remove(0);
        versions.push(lead.meta_json.unwrap()["consent"]["version"].as_str().unwrap().to_owned());
    }
    assert_ne!(versions[0], versions[1], "another text is another version");
    let page = html(&Visitor::new(set.address).get("/").await);
    assert!(page.contains("Réponse sous un jour ouvré.") && page.contains("Nos &#60;règles&#62; à nous."), "{page}");
    let thanks = html(&Visitor::new(set.address).get("/merci").await);
    assert!(thanks.contains("Réponse sous un jour ouvré."));
    assert!(html(&Visitor::new(set.address).get("/?lang=en").await).contains("as soon as possible"));
    for bad in ["{", r#"{"de": {}}"#, r#"{"fr": {"promesse": "x"}}"#] {
        std::fs::write(&file, bad).unwrap();
        let (status, log) = start_in_vain(&["--site", "--site-wordings", file.to_str().unwrap()], &[]);
        assert!(status.code() == Some(2) && log.contains("promise"), "{bad}: {log}");
    }
}
