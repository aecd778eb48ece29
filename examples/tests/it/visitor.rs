//! A visitor of the site, whose browser runs no scripts; or does.

use std::{net::SocketAddr, path::PathBuf};

use fastcore_leads::{
    AuditRecord, LeadInbox, LeadStatus, StoredLead,
    inbox::LeadFilter,
    testing::http::{Answer, try_exchange},
};
use fastcore_leads_store_sqlx::SqliteLeadStore;
use serde_json::{Value, json};
use url::form_urlencoded::Serializer;

use crate::service::Service;

pub(crate) const MESSAGE: &str = "Bonjour, notre pont ne monte plus depuis ce matin.\nPouvez-vous passer ?";
/// Every post of a test counts, however fast it is made.
pub(crate) const AT_ONCE: &[&str] = &["--site", "--site-min-fill-ms", "0"];

/// Starts a site with these options besides.
pub(crate) fn site(options: &[&str]) -> Service {
    Service::start(&[AT_ONCE, options].concat())
}

/// Comes from an address that a trusted proxy tells, where there is one.
#[derive(Clone)]
pub(crate) struct Visitor {
    pub(crate) site: SocketAddr,
    pub(crate) headers: Vec<(String, String)>,
}

impl Visitor {
    pub(crate) fn new(site: SocketAddr) -> Self {
        Self { site, headers: Vec::new() }
    }

    pub(crate) fn with(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    pub(crate) async fn get(&self, path: &str) -> Answer {
        self.ask("GET", path, None, b"").await.unwrap()
    }

    /// Opens the contact page: the ticket of its form.
    pub(crate) async fn open(&self) -> String {
        ticket_in(&self.get("/").await)
    }

    pub(crate) async fn post(&self, fields: &[(&str, &str)]) -> Answer {
        self.try_post(fields).await.unwrap()
    }

    /// As [`post`](Self::post), to a site that may die meanwhile.
    pub(crate) async fn try_post(&self, fields: &[(&str, &str)]) -> Result<Answer, Vec<u8>> {
        let body = Serializer::new(String::new()).extend_pairs(fields).finish();
        self.ask("POST", FORM, Some("application/x-www-form-urlencoded"), body.as_bytes()).await
    }

    pub(crate) async fn post_json(&self, body: &Value) -> Answer {
        self.ask("POST", FORM, Some("application/json"), body.to_string().as_bytes()).await.unwrap()
    }

    pub(crate) async fn ask(
        &self,
        method: &str,
        path: &str,
        kind: Option<&str>,
        body: &[u8],
    ) -> Result<Answer, Vec<u8>> {
        let mut head = format!("{method} {path} HTTP/1.1\r\nhost: {}\r\nconnection: close\r\n", self.site);
        let kind = kind.map(|kind| ("content-type".to_owned(), kind.to_owned()));
        for (name, value) in self.headers.iter().chain(&kind) {
            head.push_str(&format!("{name}: {value}\r\n"));
        }
        head.push_str(&format!("content-length: {}\r\n\r\n", body.len()));
        try_exchange(self.site, &[head.as_bytes(), body].concat()).await
    }
}

pub(crate) const FORM: &str = "/api/forms/contact";

/// A form that was filled in well.
pub(crate) fn filled(ticket: &str) -> Vec<(&str, &str)> {
    vec![
        ("ticket", ticket),
        ("name", "Jean Dupont"),
        ("email", "jean@example.com"),
        ("phone", ""),
        ("company", ""),
        ("service", "ponts"),
        ("message", MESSAGE),
        ("website", ""),
        ("consent", "true"),
    ]
}

/// The same as a script sends it.
pub(crate) fn filled_json(ticket: &str) -> Value {
    json!({
        "ticket": ticket, "name": "Jean Dupont", "email": "jean@example.com", "service": "ponts", "message": MESSAGE,
        "consent": true,
    })
}

pub(crate) fn html(answer: &Answer) -> String {
    String::from_utf8(answer.body.clone()).unwrap()
}

pub(crate) fn ticket_in(page: &Answer) -> String {
    let page = html(page);
    let (_, rest) = page.split_once("name=\"ticket\" value=\"").expect("a form with a ticket");
    rest.split('"').next().unwrap().to_owned()
}

/// The SQLite file of a service that was started without a database.
pub(crate) fn database_of(service: &Service) -> PathBuf {
    service.dir.path().join("fastcore-leads.db")
}

/// Every lead of a SQLite file, with its audit rows.
pub(crate) async fn leads_in(file: &std::path::Path) -> Vec<(StoredLead, Vec<AuditRecord>)> {
    let store = SqliteLeadStore::connect(&format!("sqlite:{}", file.display())).await.unwrap();
    // Without statuses a page leaves quarantine out.
    let filter = LeadFilter { statuses: LeadStatus::ALL.to_vec(), ..LeadFilter::default() };
    let (mut all, mut after) = (Vec::new(), None);
    loop {
        let page = store.page(&filter, after, 100).await.unwrap();
        for lead in page.leads {
            let trail = store.audit_trail(lead.id).await.unwrap();
            all.push((lead, trail));
        }
        after = page.next;
        if after.is_none() {
            return all;
        }
    }
}
