use fastcore_leads::{
    ConsentPolicy, Lead, Problem, RequestId,
    client::{AsideReason, Client, ClientError, Delivery, Place, Spool, SpoolOptions, request_id},
    contract,
    http::StatusCode,
    serde_json::{self, Value, json},
    testing::{self, TOKEN},
};

use super::{Fake, answer, counts, folder, lead, problem};

const MESSAGE: &str = "Notre pont élévateur ne monte plus.";

/// What is to become of a lead.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Fate {
    Delivered,
    Waits,
    Aside(AsideReason),
}

#[tokio::test]
async fn an_answer_is_believed_only_if_it_is_fastcores() {
    use Fate::{Aside, Delivered, Waits};
    let html = |status: u16| answer(StatusCode::from_u16(status).unwrap(), "text/html", "<h1>Blocked</h1>");
    let json = |status: u16, body: &str| answer(StatusCode::from_u16(status).unwrap(), "application/json", body);
    let conflict = Aside(AsideReason::Conflict);
    let invalid = Aside(AsideReason::Invalid);
    let id = "0199b8a6-7c3f-7aaa-8bbb-0123456789ab";
    let mut cases = vec![
        (json(201, &json!({"leadId": id}).to_string()), Delivered),
        // Whoever answers so has stored nothing.
        (json(201, "{}"), Waits),
        (json(201, r#"{"leadId":"no uuid"}"#), Waits),
        (json(201, r#"{"ok":true}"#), Waits),
        (html(201), Waits),
        (json(200, &json!({"leadId": id}).to_string()), Waits),
        (answer(StatusCode::GONE, "", ""), Waits),
        (json(400, r#"{"ok":false,"error":"validation_error"}"#), invalid),
        (json(409, r#"{"ok":false,"error":"lead_erased"}"#), Waits),
        (json(410, r#"{"ok":false,"error":"request_id_conflict"}"#), Waits),
        (json(422, r#"{"detail":[{"loc":["body","name"]}]}"#), Waits),
        (json(410, r#"{"error":410}"#), Waits),
    ];
    cases.extend(
        [200, 204, 301, 302, 400, 401, 403, 404, 405, 409, 410, 413, 415, 418, 422, 429, 500, 502, 503, 504]
            .map(|status| (html(status), Waits)),
    );
    cases.extend(Problem::ALL.iter().map(|one| {
        let fate = match one {
            Problem::LeadErased => Delivered,
            Problem::RequestIdConflict => conflict,
            Problem::MalformedBody
            | Problem::BodyTooLarge
            | Problem::UnsupportedMediaType
            | Problem::ValidationError => invalid,
            _ => Waits,
        };
        (problem(*one), fate)
    }));
    for (answer, fate) in cases {
        let (_dir, folder) = folder();
        let fake = Fake::new();
        let said = answer.clone();
        fake.when(move |_| Some(Some(said.clone())));
        let client = fake.client_on(&folder);
        let delivery = client.deliver(&lead(MESSAGE)).await.unwrap();
        drop(client);
        let shown = format!("{} {:?}", answer.status(), answer.body());
        assert_eq!(matches!(delivery, Delivery::Delivered { .. }), fate == Delivered, "{shown}");
        let spool = Spool::open(&folder, SpoolOptions::new()).unwrap();
        let places: Vec<Place> = spool.leads().unwrap().map(|lead| lead.unwrap().place()).collect();
        let expected = match fate {
            Delivered => vec![],
            Waits => vec![Place::Waiting],
            Aside(reason) => vec![Place::Aside(reason)],
        };
        assert_eq!(places, expected, "{shown}");
    }
}

#[tokio::test]
async fn what_answers_in_fastcores_place_is_told_of_and_a_lead_says_nothing() {
    let (_dir, folder) = folder();
    let fake = Fake::new();
    fake.when(|_| Some(Some(answer(StatusCode::FORBIDDEN, "text/html; charset=utf-8", "<h1>jean@example.com</h1>"))));
    // Of this process: a subscriber of one thread now and then misses what is said while another is installed.
    let lines = || {
        let of_client = |line: &String| line.contains("fastcore_leads::client");
        testing::Logs::global().lines().into_iter().filter(of_client).collect::<Vec<_>>().join("\n")
    };
    lines();
    let client = fake.client_on(&folder);
    client.deliver(&lead(MESSAGE)).await.unwrap();
    super::until("it is told of, now or at the next attempt", || {
        lines().contains("status=403") && lines().contains("a web page")
    })
    .await;
    let logs = lines();
    assert!(!logs.contains("jean") && !logs.contains(TOKEN) && !logs.contains("pont"), "{logs}");
}

#[tokio::test]
async fn without_a_disk_a_lead_is_stored_or_told_to_be_sent_again() {
    let fake = Fake::away();
    let client = fake.client().start();
    assert!(client.deliver(&lead(MESSAGE)).await.is_err());
    assert!(client.deliver(&lead(MESSAGE)).await.is_err());
    assert_eq!(fake.asked(), 2, "each is tried");
    fake.is_back();
    assert!(matches!(client.deliver(&lead(MESSAGE)).await, Ok(Delivery::Delivered { lead_id: Some(_), .. })));
    assert!(client.spool().is_none());
}

#[tokio::test]
async fn a_caller_that_goes_away_does_not_stop_a_delivery() {
    let (_dir, folder) = folder();
    let fake = Fake::away();
    let gate = std::sync::Arc::clone(&fake.gate);
    gate.forget_permits(usize::MAX);
    let client = fake.client_on(&folder);
    let leaving = client.clone();
    let call = tokio::spawn(async move { leaving.deliver(&lead(MESSAGE)).await });
    super::until("FASTCore is asked", || fake.asked() == 1).await;
    call.abort();
    let finished = tokio::spawn({
        let client = client.clone();
        async move { client.finish().await }
    });
    gate.add_permits(1);
    finished.await.unwrap();
    assert_eq!(counts(&folder), (1, 0));
}

#[test]
fn a_request_id_follows_from_the_form_and_from_what_was_written() {
    let mut body = testing::body();
    body["meta"]["request_id"] = "f47ac10b-58cc-4372-a567-0e02b2c3d479".into();
    body["phone"] = json!(null);
    body["message"] = "Un \"pont\" \\ élévateur\tet\n\u{2028}autre chose 🚗".into();
    let one = testing::parse(&body);
    // Known to other languages too: whoever derives another id makes a second lead of the same form.
    assert_eq!(request_id(&one).to_string(), "097f465e-e26e-8d15-a175-d5699a6b8837");
    body["meta"]["timestamp_utc"] = "2026-01-01T00:00:00Z".into();
    body["meta"]["ip_hash"] = "another".into();
    assert_eq!(request_id(&testing::parse(&body)), request_id(&one), "a retry is the same request");
    let mut seen = vec![request_id(&one)];
    for (member, value) in [
        ("name", json!("Jeanne Dupont")),
        ("email", json!("jeanne@example.com")),
        ("phone", json!("0102030405")),
        ("company", json!("Garage du Pont")),
        ("service", json!("autre")),
        ("message", json!("Tout autre chose, cette fois-ci.")),
        ("consent", json!(false)),
    ] {
        let mut other = body.clone();
        other[member] = value;
        let id = request_id(&testing::parse(&other));
        assert!(!seen.contains(&id), "{member}");
        seen.push(id);
    }
    body["meta"]["request_id"] = "f47ac10b-58cc-4372-a567-0e02b2c3d478".into();
    assert!(!seen.contains(&request_id(&testing::parse(&body))));
    assert!(RequestId::new(seen[0].as_uuid()).is_ok_and(|id| id.as_uuid().get_version_num() == 8));
}

#[test]
fn a_client_needs_the_address_of_a_web_service_and_a_token_that_a_header_can_carry() {
    let build = |url: &str, token: &str| Client::builder(url, token, Fake::new()).map(drop);
    for url in ["https://fastcore.example.com", "http://127.0.0.1:8000/", "http://[::1]:8000/base"] {
        assert_eq!(build(url, TOKEN), Ok(()), "{url}");
    }
    for url in ["", "fastcore.example.com", "ftp://fastcore.example.com", "/leads", "http://", "http://u:pass@host"] {
        let error = build(url, TOKEN).unwrap_err();
        assert_eq!(error, ClientError::BaseUrl, "{url}");
        assert!(!error.to_string().contains("pass"));
    }
    assert_eq!(build("http://host", "a\ntoken"), Err(ClientError::Token));
}

#[test]
fn a_lead_that_is_written_as_a_body_is_the_same_lead_when_it_is_read() {
    let vectors = contract::VECTORS.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    let leads: Vec<Lead> = vectors
        .filter_map(|vector| Lead::parse(vector["body"].to_string().as_bytes(), ConsentPolicy::Recorded).ok())
        .collect();
    assert!(leads.len() > 100, "{}", leads.len());
    for lead in leads {
        let read = Lead::parse(&lead.to_body(), ConsentPolicy::Recorded);
        assert!(read.is_ok_and(|read| read == lead), "{}", String::from_utf8_lossy(&lead.to_body()));
    }
}
