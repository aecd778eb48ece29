//! What a colleague does.

use fastcore_leads::{EventsEndpoint, LeadInbox, LeadStatus, Scope, TokenSet, audit, inbox::InboxExt, outbox::Payload};
use fastcore_leads_examples::staff::StaffBody;
use futures_util::StreamExt;
use http::StatusCode;

use super::{Actor, JEAN, MARIE, READER, World, browser::Page, token};

#[tokio::test]
async fn leads_are_listed_masked_until_somebody_asks() {
    let world = World::new();
    let id = world.receive(|sent| sent["message"] = "Le pont est en panne depuis lundi".into()).await;
    let marie = world.signed_in(MARIE).await;
    let list = marie.get("/staff").await;
    assert!(list.has("J***") && !list.has("Jean Dupont") && !list.has("lundi"), "{}", list.text());
    assert_eq!(world.done(), [], "who sees masks is not noted");
    let lead = marie.get(&format!("/staff/leads/{id}")).await;
    assert!(lead.has("J***") && !lead.has("lundi"));

    for _ in 0..2 {
        let answer = marie.post(&format!("/staff/leads/{id}/reveal"), &[]).await;
        assert_eq!(answer.location(), format!("/staff/leads/{id}"));
        let lead = marie.get(&format!("/staff/leads/{id}")).await;
        assert!(lead.has("Jean Dupont") && lead.has("depuis lundi"));
    }
    assert!(!marie.get("/staff").await.has("Jean Dupont"), "that one alone");
    assert_eq!(world.done(), [(audit::LEAD_REVEALED.to_owned(), "marie".to_owned())], "once");
    assert_eq!(
        marie.post("/staff/reveal", &[("next", "/staff?status=received")]).await.location(),
        "/staff?status=received"
    );
    assert!(marie.get("/staff").await.has("Jean Dupont"));
    marie.post("/staff/mask", &[]).await;
    assert!(!marie.get("/staff").await.has("Jean Dupont"));
    assert!(!marie.get(&format!("/staff/leads/{id}")).await.has("Jean Dupont"));
    // Another session of the same person begins masked.
    assert!(!world.signed_in(MARIE).await.get(&format!("/staff/leads/{id}")).await.has("Jean Dupont"));
}

#[tokio::test]
async fn the_list_is_filtered_and_paged() {
    let world = World::new();
    let mut ids = Vec::new();
    for i in 0..120 {
        let service = if i % 2 == 0 { "ponts" } else { "cabines" };
        ids.push(world.receive(|sent| sent["service"] = service.into()).await);
    }
    let marie = world.signed_in(MARIE).await;
    let seen = async |mut target: String| {
        let mut seen = Vec::new();
        loop {
            let page = marie.get(&target).await.text();
            seen.extend(
                page.match_indices("/staff/leads/").map(|(at, found)| page[at + found.len()..][..36].to_owned()),
            );
            let Some(next) = page.find("\" rel=\"next\"") else { return seen };
            let start = page[..next].rfind("href=\"").unwrap() + "href=\"".len();
            target = page[start..next].replace("&#38;", "&");
        }
    };
    let newest: Vec<_> = ids.iter().rev().map(ToString::to_string).collect();
    assert_eq!(seen("/staff".to_owned()).await, newest);
    let even: Vec<_> = newest.iter().skip(1).step_by(2).cloned().collect();
    assert_eq!(seen("/staff?service=ponts".to_owned()).await, even);
    let today = chrono::Utc::now().with_timezone(&chrono_tz::Europe::Paris).date_naive();
    assert_eq!(seen(format!("/staff?from={}", today.pred_opt().unwrap())).await, newest);
    assert_eq!(seen("/staff?to=2020-01-01".to_owned()).await, Vec::<String>::new());
    assert_eq!(seen("/staff?status=processing".to_owned()).await, Vec::<String>::new());
    // What is no filter is none.
    assert_eq!(seen("/staff?service=x&from=soon&status=lost".to_owned()).await, newest);
}

#[tokio::test]
async fn leads_are_found_by_their_words() {
    let world = World::new();
    for i in 0..120 {
        let name = if i % 2 == 0 { "Élodie Martin" } else { "Jean Durand" };
        world.receive(|sent| sent["name"] = name.into()).await;
    }
    let suspicious = world.receive(|sent| sent["meta"]["suspicion"] = serde_json::json!(["honeypot"])).await;
    let marie = world.signed_in(MARIE).await;
    let search = async |fields: &[(&str, &str)]| marie.post("/staff/search", fields).await;
    let rows = |page: &Page| page.text().matches("<th scope=\"row\">").count();
    let first = search(&[("text", "ELOD mart")]).await;
    assert_eq!((first.status, rows(&first)), (StatusCode::OK, 50));
    assert!(first.has("É***") && !first.has("Martin"), "masked until somebody asks");
    let rest = search(&[("text", "ELOD mart"), ("after", &first.field("after"))]).await;
    assert_eq!((rows(&rest), rest.has("name=\"after\"")), (10, false));
    assert_eq!(rows(&search(&[("text", "martin durand")]).await), 0);
    // As the list is narrowed; or everywhere.
    let processing = [("text", "martin"), ("status", "processing"), ("service", "x"), ("everywhere", "true")];
    assert_eq!(rows(&search(&processing[..3]).await), 0);
    assert_eq!(rows(&search(&processing).await), 50);
    assert!(!search(&[("text", &suspicious.to_string())]).await.has(&format!("/staff/leads/{suspicious}")));
    let held_back = search(&[("text", &suspicious.to_string()), ("status", "quarantined")]).await;
    assert!(held_back.has(&format!("/staff/leads/{suspicious}")), "found by its reference");
    for none in ["", "  -", "a b c d e f g h i"] {
        let refused = search(&[("text", none)]).await;
        assert_eq!(refused.status, StatusCode::UNPROCESSABLE_ENTITY, "{none}");
        assert!(refused.has(&format!("type=\"search\" value=\"{}\"", none.trim())), "what was typed is shown again");
    }
    // Nothing to be seen at the address of a search.
    assert_eq!(marie.get("/staff/search").await.location(), "/staff");
    marie.post("/staff/reveal", &[]).await;
    assert!(search(&[("text", "martin")]).await.has("Élodie Martin"));
    assert_eq!(world.done().len(), 50, "who is shown a lead in clear is noted");
}

#[tokio::test]
async fn a_lead_is_worked_from_its_page() {
    let world = World::new();
    let id = world.receive(|_| ()).await;
    let marie = world.signed_in(MARIE).await;
    let at = |work: &str| format!("/staff/leads/{id}/{work}");
    let done = async |work: &str, fields: &[(&str, &str)]| {
        let answer = marie.post(&at(work), fields).await;
        assert_eq!(answer.status, StatusCode::SEE_OTHER, "{work}: {}", answer.text());
    };
    done("assignee", &[("from", ""), ("to", "marie")]).await;
    done("notes", &[("text", "rappeler\r\nlundi")]).await;
    done("status", &[("from", "received"), ("to", "processing"), ("reason", "appelé")]).await;
    done("consent-withdrawal", &[]).await;
    let lead = world.store.get(id).await.unwrap().unwrap();
    assert_eq!((lead.status.as_str(), lead.assignee(), lead.consent), ("processing", Some("marie"), false));
    marie.post(&at("reveal"), &[]).await;
    let page = marie.get(&format!("/staff/leads/{id}")).await;
    for shown in ["rappeler\nlundi", "Work began (In progress)", "appelé", "Assigned to marie", "Nobody was told"] {
        assert!(page.has(shown), "{shown}: {}", page.text());
    }
    // Asked twice.
    assert!(marie.post(&at("erase"), &[]).await.has("Erase for ever"));
    assert!(marie.get(&at("erase")).await.has("Erase for ever"));
    assert!(world.store.get(id).await.unwrap().unwrap().erased_at_utc.is_none());
    done("erase", &[("sure", "true"), ("reason", "par lettre")]).await;
    let page = marie.get(&format!("/staff/leads/{id}")).await;
    assert!(page.has("This enquiry was erased") && !page.has("lundi"), "{}", page.text());
    let events: Vec<_> = world.done().into_iter().map(|(event, actor)| format!("{event} {actor}")).collect();
    let expected = [
        audit::LEAD_ASSIGNED,
        audit::LEAD_NOTED,
        audit::LEAD_PROCESSED,
        audit::CONSENT_WITHDRAWN,
        audit::LEAD_REVEALED,
        audit::LEAD_ERASED,
    ];
    assert_eq!(events, expected.map(|event| format!("{event} marie")), "each once, with the name");
}

#[tokio::test]
async fn quarantine_cannot_be_overlooked() {
    let world = World::new();
    let marie = world.signed_in(MARIE).await;
    assert!(!marie.get("/staff").await.has("alarming"));
    let id = world.receive(|sent| sent["meta"]["suspicion"] = serde_json::json!(["honeypot"])).await;
    let list = marie.get("/staff").await;
    assert!(list.has("class=\"alarming\"") && !list.has(&id.to_string()));
    assert!(marie.get("/staff/dashboard").await.has("Quarantine (1)"));
    let quarantine = marie.get("/staff?status=quarantined").await;
    assert!(quarantine.has(&id.to_string()) && quarantine.has("nobody was told of them"));
    assert!(marie.get(&format!("/staff/leads/{id}")).await.has("<code>honeypot</code>"));
    let answer = marie.post(&format!("/staff/leads/{id}/release"), &[]).await;
    assert_eq!(answer.status, StatusCode::SEE_OTHER);
    assert!(marie.get("/staff").await.has(&id.to_string()));
}

/// The second is told what happened meanwhile, and loses nothing that was typed.
#[tokio::test]
async fn two_people_on_one_lead() {
    let world = World::new();
    let id = world.receive(|_| ()).await;
    let (marie, jean) = (world.signed_in(MARIE).await, world.signed_in(JEAN).await);
    let page = jean.get(&format!("/staff/leads/{id}")).await;
    let (seen, from) = (page.field("seen"), page.field("from"));
    let marie_takes = [("from", "received"), ("to", "processing"), ("reason", "au téléphone")];
    assert_eq!(marie.post(&format!("/staff/leads/{id}/status"), &marie_takes).await.status, StatusCode::SEE_OTHER);
    marie.post(&format!("/staff/leads/{id}/assignee"), &[("from", ""), ("to", "marie")]).await;

    let typed = [("from", from.as_str()), ("to", "archived"), ("reason", "un doublon"), ("seen", seen.as_str())];
    let refused = jean.post(&format!("/staff/leads/{id}/status"), &typed).await;
    assert_eq!(refused.status, StatusCode::CONFLICT);
    let text = refused.text();
    let told = &text[text.find("Somebody was quicker").expect("why")..text.find("</div>").unwrap()];
    assert!(told.contains("Work began (In progress), by marie (au téléphone)"), "{told}");
    assert!(told.contains("Assigned to marie, by marie"), "{told}");
    assert!(!told.contains("Received"), "not what jean had seen: {told}");
    assert!(refused.has("value=\"un doublon\""), "{text}");
    assert_eq!(world.store.get(id).await.unwrap().unwrap().status, "processing");

    let typed = [("from", ""), ("to", "jean"), ("seen", seen.as_str())];
    let refused = jean.post(&format!("/staff/leads/{id}/assignee"), &typed).await;
    assert_eq!(refused.status, StatusCode::CONFLICT);
    assert!(refused.has("id=\"to\" name=\"to\" value=\"jean\""), "{}", refused.text());
    // A note does not stand in the way of another.
    let note = jean.post(&format!("/staff/leads/{id}/notes"), &[("text", "vu"), ("seen", seen.as_str())]).await;
    assert_eq!(note.status, StatusCode::SEE_OTHER);
    let long = "x".repeat(1001);
    let refused = jean.post(&format!("/staff/leads/{id}/notes"), &[("text", &long)]).await;
    assert_eq!(refused.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert!(refused.has(&long), "a note that is too long is not lost");
    let reason = [("from", "processing"), ("to", "resolved"), ("reason", "Jean Dupont a payé")];
    let refused = jean.post(&format!("/staff/leads/{id}/status"), &reason).await;
    assert_eq!(refused.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert!(refused.has("names the person") && refused.has("value=\"Jean Dupont a payé\""));
}

#[tokio::test]
async fn a_file_for_excel_in_every_country() {
    let world = World::new();
    world.receive(|sent| sent["name"] = "Zoë; \"Ć\"\tDupont".replace('\t', " ").into()).await;
    world.receive(|sent| sent["company"] = "=HYPERLINK(\"http://evil\")".into()).await;
    let marie = world.signed_in(MARIE).await;
    let file = marie.post("/staff/export", &[("reveal", "true")]).await;
    assert_eq!(file.headers["content-disposition"], "attachment; filename=\"leads.csv\"");
    assert_eq!(&file.bytes[..2], [0xFF, 0xFE]);
    let units: Vec<_> = file.bytes[2..].chunks(2).map(|pair| u16::from_le_bytes([pair[0], pair[1]])).collect();
    let text = String::from_utf16(&units).unwrap();
    let rows: Vec<_> = text.lines().collect();
    assert_eq!(rows.len(), 3);
    assert!(rows[0].starts_with("\"id\"\t\"created_at_utc\"\t"), "{}", rows[0]);
    assert!(rows[1].contains("\t\"'=HYPERLINK(\"\"http://evil\"\")\"\t"), "{}", rows[1]);
    assert!(rows[2].contains("\t\"Zoë; \"\"Ć\"\" Dupont\"\t"), "{}", rows[2]);
    assert_eq!(world.done(), [(audit::LEADS_EXPORTED.to_owned(), "marie".to_owned())]);
    // Masked, it is not noted.
    let masked = marie.post("/staff/export", &[("reveal", "false"), ("service", "ponts")]).await;
    assert_eq!(masked.status, StatusCode::OK);
    assert_eq!(world.done().len(), 1);
    let reader = world.signed_in(READER).await;
    assert_eq!(reader.post("/staff/export", &[("reveal", "true")]).await.status, StatusCode::FORBIDDEN);
}

#[tokio::test]
async fn the_dashboard_draws_what_its_tables_say() {
    let world = World::new();
    for service in ["ponts", "ponts", "cabines"] {
        let id = world.receive(|sent| sent["service"] = service.into()).await;
        if service == "cabines" {
            let marie = Actor::new("marie").unwrap();
            let step = (LeadStatus::Received, LeadStatus::Processing);
            world.store.transition(id, step.0, step.1, marie, None).await.unwrap();
        }
    }
    let page = world.signed_in(READER).await.get("/staff/dashboard").await.text();
    assert_eq!(page.matches("<svg role=\"img\"").count(), 3);
    assert_eq!(page.matches("<table>").count(), 3);
    for shown in [
        "<dt>Enquiries received</dt><dd>3</dd>",
        "<dt>Seen to</dt><dd>1</dd>",
        "<dt>Median wait</dt><dd>0 min</dd>",
        "<tr><th scope=\"row\">Vehicle lifts</th><td>2</td></tr>",
        "<tr><th scope=\"row\">Spray booths</th><td>0 min (1/1)</td></tr>",
        "<tr><th scope=\"row\">Vehicle lifts</th><td>– (0/2)</td></tr>",
    ] {
        assert!(page.contains(shown), "{shown}: {page}");
    }
}

/// Until the session ends.
#[tokio::test]
async fn new_leads_are_told_as_they_come() {
    let world = World::new();
    let marie = world.signed_in(MARIE).await;
    let (status, headers, body) = marie.begin("GET", "/staff/live", String::new()).await;
    assert_eq!(
        (status, headers["content-type"].to_str().unwrap()),
        (StatusCode::OK, "text/event-stream; charset=utf-8")
    );
    let StaffBody::Pieces(mut news) = body else { panic!("a stream") };
    let mut next = async || {
        loop {
            let piece = news.next().await?.unwrap();
            let text = String::from_utf8(piece.to_vec()).unwrap();
            // Comments keep the connection alive.
            if !text.starts_with(':') {
                return Some(text);
            }
        }
    };
    assert_eq!(next().await.unwrap(), "event: newest\ndata: \n\n");
    let id = world.receive(|_| ()).await;
    assert_eq!(next().await.unwrap(), format!("event: newest\ndata: {id}\n\n"));
    marie.post("/staff/sign-out", &[]).await;
    assert_eq!(next().await, None);

    let again = world.signed_in(MARIE).await;
    let StaffBody::Pieces(mut news) = again.begin("GET", "/staff/live", String::new()).await.2 else {
        panic!("a stream")
    };
    news.next().await.unwrap().unwrap();
    world.staff.close();
    assert!(news.next().await.is_none(), "a stop waits for nobody who listens");
}

#[tokio::test]
async fn each_speaks_their_own_language() {
    let world = World::new();
    let mut marie = world.signed_in(MARIE).await;
    assert!(marie.get("/staff").await.has("<html lang=\"en\">"));
    assert_eq!(marie.post("/staff/language", &[("next", "/staff/dashboard")]).await.location(), "/staff/dashboard");
    assert!(marie.get("/staff/dashboard").await.has("Tableau de bord"));
    marie.cookie = None;
    assert!(marie.get("/staff/sign-in?lang=fr").await.has("Votre jeton"));
    marie.headers[0].1 = "fr-CH, en;q=0.5".to_owned();
    assert!(marie.get("/staff/sign-in").await.has("Votre jeton"));
}

/// Also where the page has no field for it any more, or nobody is signed in.
#[tokio::test]
async fn what_was_typed_is_shown_again() {
    let world = World::new();
    let (id, gone) = (world.receive(|_| ()).await, world.receive(|_| ()).await);
    let (marie, jean) = (world.signed_in(MARIE).await, world.signed_in(JEAN).await);
    let marie = &marie;
    let post = async |id: &str, work: &str, fields: &[(&str, &str)]| {
        marie.post(&format!("/staff/leads/{id}/{work}"), fields).await
    };
    let (id, gone) = (id.to_string(), gone.to_string());
    post(&id, "status", &[("from", "received"), ("to", "archived")]).await;
    let late = post(&id, "status", &[("from", "received"), ("to", "processing"), ("reason", "un devis")]).await;
    assert_eq!(late.status, StatusCode::CONFLICT);
    assert!(late.has("un devis"), "there is nowhere to go from archived: {}", late.text());
    post(&gone, "erase", &[("sure", "true")]).await;
    let late = post(&gone, "notes", &[("text", "rappeler lundi")]).await;
    assert_eq!(late.status, StatusCode::GONE);
    assert!(late.has("rappeler lundi"), "{}", late.text());

    jean.post("/staff/sign-out", &[]).await;
    let late = jean.post(&format!("/staff/leads/{id}/notes"), &[("text", "rappeler mardi")]).await;
    assert_eq!(late.status, StatusCode::UNAUTHORIZED);
    assert!(late.has("rappeler mardi"), "{}", late.text());
    assert_eq!(late.field("next"), format!("/staff/leads/{id}"));
}

/// They are for those who work with leads here.
#[tokio::test]
async fn notes_and_whose_a_lead_is_are_told_to_nobody() {
    let world = World::new();
    let id = world.receive(|_| ()).await;
    let marie = world.signed_in(MARIE).await;
    marie.post(&format!("/staff/leads/{id}/notes"), &[("text", "un secret de la maison")]).await;
    marie.post(&format!("/staff/leads/{id}/assignee"), &[("from", ""), ("to", "quelqu'une")]).await;
    assert!(marie.get(&format!("/staff/leads/{id}")).await.has("Assigned to quelqu"));
    marie.post(&format!("/staff/leads/{id}/assignee"), &[("from", "quelqu'une"), ("to", "")]).await;
    assert!(marie.get(&format!("/staff/leads/{id}")).await.has("Assigned to nobody"));
    marie.post(&format!("/staff/leads/{id}/assignee"), &[("from", ""), ("to", "quelqu'une")]).await;
    let tokens = TokenSet::new([token(READER, "crm", &[Scope::Events])]).unwrap();
    let feed = EventsEndpoint::builder(world.store.clone(), tokens).payload(Payload::Full).build();
    let request = http::Request::get("/inbound/events?after=0").header("authorization", format!("Bearer {READER}"));
    let told = feed.handle(request.body(()).unwrap()).await;
    let text = String::from_utf8(told.into_body().to_vec()).unwrap();
    assert!(text.contains("Jean Dupont") && !text.contains("secret") && !text.contains("quelqu"), "{text}");
}
