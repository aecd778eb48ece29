//! The staff's pages: what a colleague does with them, and what somebody else must not.

mod attacks;
mod browser;
mod morning;
mod service;

use std::{sync::Arc, time::Duration};

use fastcore_leads::{
    Actor, InboxEndpoint, LeadId, LeadStore, MemoryLeadStore, NewLead, Scope, Token, TokenSet,
    pseudonym::Proxies,
    testing::{body, parse},
};
use fastcore_leads_examples::staff::{Lifetime, Settings, Staff};
use serde_json::Value;

use self::browser::Browser;

pub(crate) const MARIE: &str = "a-token-of-marie-0123456789";
const JEAN: &str = "a-token-of-jean-0123456789";
/// May only read, and what is personal is masked.
const READER: &str = "a-token-of-a-reader-0123456789";
/// May do everything, with the leads of one site.
const ONE_SITE: &str = "a-token-for-one-site-0123456789";

/// The pages over a store in memory.
struct World {
    staff: Staff,
    store: MemoryLeadStore,
    tokens: TokenSet,
}

fn token(secret: &str, name: &str, scopes: &[Scope]) -> Token {
    Token::new(secret).unwrap().acting_as(Actor::new(name).unwrap()).with_scopes(scopes.iter().copied())
}

fn all_tokens() -> Vec<Token> {
    let all = [Scope::Read, Scope::Reveal, Scope::Work, Scope::Erase];
    vec![
        token(MARIE, "marie", &all),
        token(JEAN, "jean", &all),
        token(READER, "reader", &[Scope::Read]),
        token(ONE_SITE, "one site", &all).for_sources(["other.example"]),
    ]
}

impl World {
    fn new() -> Self {
        Self::lasting(Lifetime::default())
    }

    fn lasting(lifetime: Lifetime) -> Self {
        let (store, tokens) = (MemoryLeadStore::new(), TokenSet::new(all_tokens()).unwrap());
        let inbox = InboxEndpoint::new(store.clone(), tokens.clone());
        let settings = Settings {
            path: "/staff".to_owned(),
            time_zone: chrono_tz::Europe::Paris,
            lifetime,
            proxies: Proxies::default(),
        };
        let staff = Staff::new(settings, inbox, Arc::new(store.clone()), tokens.clone()).unwrap();
        Self { staff, store, tokens }
    }

    fn browser(&self) -> Browser {
        Browser::new(self.staff.clone())
    }

    async fn signed_in(&self, token: &str) -> Browser {
        let mut browser = self.browser();
        browser.sign_in(token).await;
        browser
    }

    async fn receive(&self, change: impl FnOnce(&mut Value)) -> LeadId {
        let mut sent = body();
        change(&mut sent);
        let new = NewLead::new(parse(&sent), Actor::SITE_INGEST);
        let id = new.id();
        self.store.insert(&[new]).await.unwrap();
        id
    }

    /// What the audit log says that people did: event and actor.
    fn done(&self) -> Vec<(String, String)> {
        let rows = self.store.audit_log().into_iter().filter(|row| row.actor != Actor::SITE_INGEST.as_str());
        rows.map(|row| (row.event, row.actor)).collect()
    }
}

fn hours(hours: u64) -> Duration {
    Duration::from_secs(3600 * hours)
}
