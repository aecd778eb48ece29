//! Leads that are moved, released and erased.

use serde_json::json;

use super::super::client::ask;
use super::{CHIEF, CLERK, ServeInbox, assert_problem, get, post, receive, receive_suspicious, send, tokens};
use crate::{
    audit::{LEAD_ASSIGNED, LEAD_ERASED, LEAD_NOTED, LEAD_PROCESSED, LEAD_REVEALED, LEADS_EXPORTED},
    endpoint::{InboxEndpoint, InboxProblem},
    store::{LeadInbox, MemoryLeadStore},
    testing::body,
    token::{Scope, Token, TokenSet},
};

/// With what the caller saw; and whoever comes too late is told what happened.
pub async fn a_lead_is_worked_in_the_bearers_name(serve: ServeInbox) {
    let store = MemoryLeadStore::new();
    let id = receive(&store, "site.example").await;
    let server = serve(InboxEndpoint::new(store.clone(), tokens())).await;
    let lead = format!("/inbound/leads/{id}");
    let step = json!({"from": "received", "to": "processing", "reason": "called"});
    let moved = post(&server, &format!("{lead}/status"), &step).await;
    assert_eq!((moved.status, &moved.json()["status"]), (200, &json!("processing")));
    assert_eq!(moved.json()["name"], "J***", "an answer to a change is masked");
    let late = post(&server, &format!("{lead}/status"), &step).await;
    assert_eq!(assert_problem(&late, InboxProblem::StatusChanged)["lead_status"], "processing");
    let nowhere = post(&server, &format!("{lead}/status"), &json!({"from": "processing", "to": "quarantined"})).await;
    assert_eq!(assert_problem(&nowhere, InboxProblem::IllegalMove)["lead_status"], "processing");

    let withdrawn = post(&server, &format!("{lead}/consent-withdrawal"), &json!({})).await;
    assert_eq!((withdrawn.status, &withdrawn.json()["consent"]), (200, &json!(false)));
    let released = ask(server.address, "POST", &format!("{lead}/release"), CLERK, None).await;
    assert_problem(&released, InboxProblem::NotQuarantined);
    let spam = receive_suspicious(&store).await;
    let released = ask(server.address, "POST", &format!("/inbound/leads/{spam}/release"), CLERK, None).await;
    assert_eq!((released.status, &released.json()["status"]), (200, &json!("received")));

    let trail = get(&server, &lead, CLERK).await["trail"].clone();
    assert_eq!(trail[1]["event"], LEAD_PROCESSED);
    assert_eq!((&trail[1]["actor"], &trail[1]["details"]["reason"]), (&json!("clerk"), &json!("called")));
}

/// The second time nothing is left to be done.
pub async fn an_erasure_may_be_asked_for_twice(serve: ServeInbox) {
    let store = MemoryLeadStore::new();
    let id = receive(&store, "site.example").await;
    let server = serve(InboxEndpoint::new(store.clone(), tokens())).await;
    let lead = format!("/inbound/leads/{id}");
    for _ in 0..2 {
        let answer = ask(server.address, "DELETE", &lead, CLERK, None).await;
        assert_eq!((answer.status, answer.body.as_slice()), (204, b"".as_slice()));
        assert_eq!(answer.header("cache-control"), Some("no-store"));
    }
    let trail = store.audit_trail(id).await.expect("a trail");
    assert_eq!(trail.iter().filter(|record| record.event == LEAD_ERASED).count(), 1);
    let tombstone = get(&server, &lead, CHIEF).await;
    assert_eq!((&tombstone["lead"]["name"], tombstone["lead"]["erased_at_utc"].is_string()), (&json!(""), true));
    let step = json!({"from": "received", "to": "processing"});
    assert_problem(&post(&server, &format!("{lead}/status"), &step).await, InboxProblem::LeadErased);
    assert_eq!(get(&server, "/inbound/leads", CLERK).await["leads"], json!([]));
}

/// In a body, never in a URL.
pub async fn all_that_is_held_on_a_person_is_exported_and_erased(serve: ServeInbox) {
    let store = MemoryLeadStore::new();
    let ids = [receive(&store, "a.example").await, receive(&store, "b.example").await];
    let server = serve(InboxEndpoint::new(store.clone(), tokens())).await;
    let email = json!({"email": body()["email"].as_str().expect("an address").to_uppercase()});
    let exported = send(&server, "/inbound/subjects/export", CHIEF, &email).await;
    assert_eq!((exported.status, exported.json()["leads"].as_array().map(Vec::len)), (200, Some(2)));
    assert_eq!(exported.json()["leads"][0]["message"], body()["message"]);
    let noted: Vec<_> = store.audit_log().into_iter().filter(|row| row.actor == "chief").collect();
    let events: Vec<_> = noted.iter().map(|row| row.event.as_str()).collect();
    assert_eq!(events, [LEAD_REVEALED, LEAD_REVEALED, LEADS_EXPORTED]);
    assert_eq!(noted[2].details, json!({"format": "json", "filter": ["email"]}), "and not the address");
    assert_problem(&post(&server, "/inbound/subjects/export", &email).await, InboxProblem::ScopeMissing);
    let erased = post(&server, "/inbound/subjects/erase", &email).await;
    let expected: Vec<_> = ids.iter().map(ToString::to_string).collect();
    assert_eq!((erased.status, erased.json()), (200, json!({ "erased": expected })));
    let again = post(&server, "/inbound/subjects/erase", &email).await;
    assert_eq!((again.status, again.json()), (200, json!({"erased": []})));
}

/// The note is masked where the message is.
pub async fn notes_and_whose_a_lead_is(serve: ServeInbox) {
    let store = MemoryLeadStore::new();
    let id = receive(&store, "site.example").await;
    let server = serve(InboxEndpoint::new(store.clone(), tokens())).await;
    let lead = format!("/inbound/leads/{id}");
    let noted = post(&server, &format!("{lead}/notes"), &json!({"text": " Jean rappelle\nlundi "})).await;
    assert_eq!((noted.status, &noted.json()["meta_json"]["notes"][0]["text"]), (200, &json!("(19 characters)")));
    let (to_jean, to_nobody) = (json!({"from": null, "to": "jean"}), json!({"from": "jean", "to": null}));
    let given = post(&server, &format!("{lead}/assignee"), &to_jean).await;
    assert_eq!((given.status, &given.json()["meta_json"]["assignee"]), (200, &json!("jean")));
    let late = post(&server, &format!("{lead}/assignee"), &to_jean).await;
    assert_problem(&late, InboxProblem::AssigneeChanged);
    assert_eq!(post(&server, &format!("{lead}/assignee"), &to_nobody).await.status, 200);
    for wrong in [json!({"from": null}), json!({"to": "jean"}), json!({"from": null, "to": ""})] {
        assert_problem(&post(&server, &format!("{lead}/assignee"), &wrong).await, InboxProblem::ValidationError);
    }
    for wrong in [json!({}), json!({"text": " "}), json!({"text": "\u{7}"}), json!({"text": "x".repeat(1001)})] {
        assert_problem(&post(&server, &format!("{lead}/notes"), &wrong).await, InboxProblem::ValidationError);
    }
    let shown = get(&server, &lead, CHIEF).await;
    assert_eq!(shown["lead"]["meta_json"]["notes"][0]["text"], "Jean rappelle\nlundi");
    let events: Vec<_> = (1..4).map(|row| shown["trail"][row]["event"].clone()).collect();
    assert_eq!(events, [LEAD_NOTED, LEAD_ASSIGNED, LEAD_ASSIGNED]);
}

/// Those alone that the token may see, and of a tombstone none.
pub async fn other_leads_of_an_address_are_named(serve: ServeInbox) {
    let store = MemoryLeadStore::new();
    let ids = [receive(&store, "site.example").await, receive(&store, "other.example").await];
    let one_source = Token::new("a-token-for-one-site-0123456789").expect("a token").with_scopes([Scope::Read]);
    let some = TokenSet::new([one_source.for_sources(["site.example"])]).expect("tokens");
    let server = serve(InboxEndpoint::new(store.clone(), tokens())).await;
    let lead = format!("/inbound/leads/{}", ids[0]);
    let others = get(&server, &lead, CLERK).await["same_address"].clone();
    assert_eq!((others[0]["id"].as_str(), &others[1]), (Some(ids[1].to_string().as_str()), &json!(null)));
    assert_eq!(others[0].as_object().map(serde_json::Map::len), Some(5), "nothing of the person");
    let narrow = serve(InboxEndpoint::new(store.clone(), some)).await;
    let seen = get(&narrow, &lead, "a-token-for-one-site-0123456789").await;
    assert_eq!(seen["same_address"], json!([]));
    assert_eq!(ask(server.address, "DELETE", &lead, CLERK, None).await.status, 204);
    assert_eq!(get(&server, &lead, CHIEF).await["same_address"], json!([]));
}
