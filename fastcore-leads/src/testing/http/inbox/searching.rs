//! Leads that are found by their words.

use serde_json::{Value, json};

use super::{CHIEF, CLERK, ServeInbox, assert_problem, insert, receive, receive_suspicious, send, tokens};
use crate::{
    audit::{Actor, LEAD_REVEALED},
    endpoint::{InboxEndpoint, InboxProblem},
    lead::LeadId,
    store::{LeadInbox, MemoryLeadStore},
    testing::{body, http::Server},
    token::{Scope, Token, TokenSet},
};

const SEARCH: &str = "/inbound/leads/search";

/// By what a token may see: in clear and noted, or masked and by whole words; as the filter says; page by page.
pub async fn leads_are_found_by_their_words(serve: ServeInbox) {
    let store = MemoryLeadStore::new();
    let mut expected = Vec::new();
    for name in ["Élodie Martin", "Élodie Durand", "Jean Martin"] {
        let mut sent = body();
        sent["name"] = name.into();
        expected.insert(0, insert(&store, &sent).await);
    }
    let held_back = receive_suspicious(&store).await;
    let server = serve(InboxEndpoint::new(store.clone(), tokens())).await;
    let found = async |token: &str, sent: Value| ids(&search(&server, token, &sent).await);
    assert_eq!(found(CHIEF, json!({"text": "elod"})).await, expected[1..]);
    assert_eq!(found(CHIEF, json!({"text": "MARTIN elo"})).await, expected[2..]);
    assert_eq!(found(CHIEF, json!({"text": "lodie"})).await, []);
    // Who is shown nothing personal does not find it out letter by letter.
    assert_eq!(found(CLERK, json!({"text": "elod"})).await, []);
    assert_eq!(found(CLERK, json!({"text": "élodie"})).await, expected[1..]);
    let masked = search(&server, CLERK, &json!({"text": "martin"})).await;
    assert!(masked["leads"].as_array().expect("a list").iter().all(|lead| lead["email"] == "jea***"), "{masked}");
    assert_eq!((&masked["next"], &masked["is_complete"]), (&Value::Null, &json!(true)));
    for (id, is_noted) in expected.iter().zip([false, true, true]) {
        let trail = store.audit_trail(*id).await.expect("audit_trail");
        assert_eq!(trail.iter().any(|record| record.event == LEAD_REVEALED), is_noted);
    }
    assert_eq!(found(CLERK, json!({"text": "martin", "status": ["archived"]})).await, []);
    assert_eq!(found(CLERK, json!({"text": "martin", "to": "2020-01-01"})).await, []);
    assert_eq!(found(CLERK, json!({"text": "martin", "source": ["nobody.example"]})).await, []);
    let lead = store.get(held_back).await.expect("get").expect("it is there");
    let name = lead.name.split(' ').next().expect("a name").to_owned();
    assert!(!found(CHIEF, json!({ "text": name })).await.contains(&held_back));
    assert_eq!(found(CHIEF, json!({"text": name, "status": ["quarantined"]})).await, [held_back]);
    let lead = store.get(expected[0]).await.expect("get").expect("it is there");
    for id in [lead.id.to_string(), format!(" {} ", lead.request_id)] {
        assert_eq!(found(CLERK, json!({"text": id})).await, expected[..1]);
    }
    assert_eq!(found(CLERK, json!({"text": uuid::Uuid::now_v7().to_string()})).await, []);
    let (mut seen, mut after) = (Vec::new(), Value::Null);
    loop {
        let page = search(&server, CLERK, &json!({"text": "martin", "limit": 1, "after": after})).await;
        seen.extend(ids(&page));
        if page["next"].is_null() {
            break;
        }
        after = page["next"].clone();
    }
    assert_eq!(seen, [expected[0], expected[2]]);
}

/// Each for its own reason; and what was searched for is in no answer.
pub async fn a_search_that_is_none_is_refused(serve: ServeInbox) {
    let server = serve(InboxEndpoint::new(MemoryLeadStore::new(), tokens())).await;
    for (sent, problem) in [
        (json!({"text": "dupont", "reveal": true}), InboxProblem::ScopeMissing),
        (json!({"text": "dupont a b c d e f g h"}), InboxProblem::ValidationError),
        (json!({"text": "dupont", "from": "soon"}), InboxProblem::ValidationError),
        (json!({"text": "dupont", "after": "99999999999999999999"}), InboxProblem::ValidationError),
        (json!({"text": "dupont", "after": "-1"}), InboxProblem::ValidationError),
        (json!({"text": "-"}), InboxProblem::ValidationError),
        // No pair of digits of a number, and no initial, is told to whoever is not shown it.
        (json!({"text": "06"}), InboxProblem::ValidationError),
        (json!({"text": "J du"}), InboxProblem::ValidationError),
        (json!(["dupont"]), InboxProblem::MalformedBody),
    ] {
        let answer = send(&server, SEARCH, CLERK, &sent).await;
        assert_problem(&answer, problem);
        assert!(!String::from_utf8_lossy(&answer.body).contains("dupont"), "the answer shows it");
    }
    let answer = send(&server, &format!("{SEARCH}?limit=1"), CLERK, &json!({"text": "dupont"})).await;
    assert_problem(&answer, InboxProblem::InvalidQuery);
}

/// Others are not there, whatever is asked for.
pub async fn a_token_of_some_sources_finds_these_alone(serve: ServeInbox) {
    let store = MemoryLeadStore::new();
    let ours = receive(&store, "ours.example").await;
    let theirs = receive(&store, "theirs.example").await;
    let secret = "a-token-of-one-source-0123456789";
    let token = Token::new(secret).expect("a token").acting_as(Actor::new("paul").expect("a name"));
    let token = token.with_scopes([Scope::Read, Scope::Reveal]).for_sources(["ours.example"]);
    let server = serve(InboxEndpoint::new(store.clone(), TokenSet::new([token]).expect("tokens"))).await;
    let name = store.get(theirs).await.expect("get").expect("it is there").name;
    for (sent, expected) in [
        (json!({ "text": name }), vec![ours]),
        (json!({"text": name, "source": ["theirs.example"]}), vec![]),
        (json!({"text": theirs.to_string()}), vec![]),
        (json!({"text": ours.to_string()}), vec![ours]),
    ] {
        assert_eq!(ids(&search(&server, secret, &sent).await), expected);
    }
}

async fn search(server: &Server, token: &str, sent: &Value) -> Value {
    let answer = send(server, SEARCH, token, sent).await;
    assert_eq!(answer.status, 200, "{}", String::from_utf8_lossy(&answer.body));
    assert_eq!(answer.header("cache-control"), Some("no-store"));
    answer.json()
}

fn ids(page: &Value) -> Vec<LeadId> {
    let leads = page["leads"].as_array().expect("a list");
    leads.iter().map(|lead| lead["id"].as_str().expect("an id").parse().expect("an id")).collect()
}
