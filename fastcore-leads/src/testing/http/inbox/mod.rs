//! The conformance suite for adapters that mount the inbox.
//!
//! [`inbox_http_conformance!`](crate::inbox_http_conformance) makes each case a test of its own, as
//! [`http_conformance!`](crate::http_conformance) does.

mod reading;
mod refusing;
mod searching;
mod working;

use serde_json::{Value, json};

pub use self::{reading::*, refusing::*, searching::*, working::*};
use super::{Answer, Server, client::ask};
use crate::{
    audit::Actor,
    endpoint::{InboxEndpoint, InboxProblem},
    lead::{LeadId, LeadStatus},
    store::{LeadInbox, LeadStore, MemoryLeadStore, NewLead},
    testing::{BoxFuture, body, parse},
    token::{Scope, Token, TokenSet},
};

/// Serves an inbox by the adapter under test.
pub type ServeInbox = fn(InboxEndpoint) -> BoxFuture<Server>;

macro_rules! cases {
    ($($name:ident)*) => {
        /// The names of all cases.
        pub const INBOX_CASES: &[&str] = &[$(stringify!($name)),*];

        /// Makes each case of the suite a test. Takes a function that serves an inbox.
        #[macro_export]
        macro_rules! inbox_http_conformance {
            ($serve:path) => {
                $(
                    #[tokio::test(flavor = "multi_thread")]
                    async fn $name() {
                        $crate::testing::http::$name($serve).await;
                    }
                )*
            };
        }
    };
}

cases! {
    a_list_is_handed_out_page_by_page
    a_lead_is_found_by_its_id_and_by_its_request
    who_may_see_all_sees_it_and_is_noted
    a_lead_is_worked_in_the_bearers_name
    notes_and_whose_a_lead_is
    other_leads_of_an_address_are_named
    an_erasure_may_be_asked_for_twice
    all_that_is_held_on_a_person_is_exported_and_erased
    leads_are_handed_out_as_files
    a_file_that_breaks_off_is_not_taken_for_whole
    a_file_whose_sender_panics_is_not_taken_for_whole
    leads_are_found_by_their_words
    a_search_that_is_none_is_refused
    a_token_of_some_sources_finds_these_alone
    leads_are_counted
    waits_are_told
    each_scope_opens_its_own_routes_alone
    a_token_of_some_sources_works_these_alone
    each_problem_of_the_inbox_can_be_reached
    no_answer_tells_more_than_the_mask
    other_paths_of_the_inbox_are_the_hosts
}

/// All scopes but the one to see all, for whom most cases are.
const CLERK: &str = "a-token-of-a-clerk-0123456789";
/// All scopes.
const CHIEF: &str = "a-token-of-a-chief-0123456789";

fn tokens() -> TokenSet {
    let named =
        |secret: &str, name: &str| Token::new(secret).expect("a token").acting_as(Actor::new(name).expect("a name"));
    let clerk = named(CLERK, "clerk").with_scopes([Scope::Read, Scope::Work, Scope::Erase]);
    TokenSet::new([clerk, named(CHIEF, "chief").with_scopes(Scope::ALL.iter().copied())]).expect("tokens")
}

async fn receive(store: &MemoryLeadStore, source: &str) -> LeadId {
    let mut sent = body();
    sent["meta"]["source"] = source.into();
    insert(store, &sent).await
}

async fn receive_suspicious(store: &MemoryLeadStore) -> LeadId {
    let mut sent = body();
    sent["meta"]["suspicion"] = json!(["honeypot"]);
    let id = insert(store, &sent).await;
    let stored = store.get(id).await.expect("get").expect("it is there");
    assert_eq!(stored.status, LeadStatus::Quarantined.as_str());
    id
}

async fn insert(store: &MemoryLeadStore, sent: &Value) -> LeadId {
    let new = NewLead::new(parse(sent), Actor::SITE_INGEST);
    let id = new.id();
    store.insert(&[new]).await.expect("stored");
    id
}

async fn get(server: &Server, target: &str, token: &str) -> Value {
    let answer = ask(server.address, "GET", target, token, None).await;
    assert_eq!(answer.status, 200, "{}", String::from_utf8_lossy(&answer.body));
    assert_eq!(answer.header("cache-control"), Some("no-store"));
    if answer.header("content-type") == Some("application/json") { answer.json() } else { Value::Null }
}

async fn post(server: &Server, target: &str, body: &Value) -> Answer {
    send(server, target, CLERK, body).await
}

async fn send(server: &Server, target: &str, token: &str, body: &Value) -> Answer {
    ask(server.address, "POST", target, token, Some(&body.to_string())).await
}

#[track_caller]
fn assert_problem(answer: &Answer, problem: InboxProblem) -> Value {
    assert_eq!(answer.status, problem.status().as_u16(), "{}", String::from_utf8_lossy(&answer.body));
    assert_eq!(answer.header("content-type"), Some("application/problem+json"));
    assert_eq!(answer.header("cache-control"), Some("no-store"));
    let json = answer.json();
    assert_eq!((&json["ok"], &json["error"]), (&Value::Bool(false), &Value::from(problem.as_str())));
    assert_eq!(json["status"], answer.status);
    json
}
