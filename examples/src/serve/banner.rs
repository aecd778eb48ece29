#![allow(clippy::print_stdout, reason = "the banner is this program's output")]

use std::net::SocketAddr;

use fastcore_leads::{INBOUND_LEADS_PATH, SAMPLE_LEAD, token::TOKEN_VARIABLE};
use fastcore_leads_examples::database::Url;
use serde_json::Value;
use uuid::Uuid;

use crate::options::Options;

/// What a newcomer needs to try the service.
pub(crate) struct Banner<'a> {
    pub(crate) address: SocketAddr,
    pub(crate) options: &'a Options,
    pub(crate) token: Option<&'a str>,
    pub(crate) has_site: bool,
    pub(crate) has_endpoint: bool,
    pub(crate) has_inbox: bool,
}

impl Banner<'_> {
    pub(crate) fn print(&self) {
        let Options { framework, driver, .. } = self.options;
        println!("Listening on http://{}", self.address);
        if self.has_site {
            println!("Contact page: http://{}/", self.address);
        }
        if !self.has_endpoint {
            println!("Leads go to FASTCORE_BASE_URL; there is no database here, and no endpoint\n");
            println!("Is it ready?\n  curl -i http://{}/readyz\n", self.address);
            return;
        }
        if let Ok(url) = Url::parse(&self.options.database_url) {
            println!("Leads are kept in: {}", url.shown());
        }
        println!("Mounted in {framework:?}, stored over {driver:?}");
        if self.has_inbox {
            let staff = format!("http://{}{}", self.address, self.options.staff_path);
            println!("For the staff: {staff}, and over HTTP: {staff}{INBOUND_LEADS_PATH}");
        }
        println!("The contract: http://{}/docs\n", self.address);
        if let Some(token) = self.token {
            println!("{TOKEN_VARIABLE} is not set. A token for this run, shown only now:\n  {token}\n");
        }
        println!("Try it:\n  {}\n", self.curl());
    }

    fn curl(&self) -> String {
        let authorization = match self.token {
            Some(token) => format!("'Authorization: Bearer {token}'"),
            None => format!("\"Authorization: Bearer ${{{TOKEN_VARIABLE}%%,*}}\""),
        };
        format!(
            "curl -i http://{}{INBOUND_LEADS_PATH} -H 'Content-Type: application/json' -H {authorization} -d '{}'",
            self.address,
            sample()
        )
    }
}

/// The sample on one line, under a request id of its own: it makes a new lead also where an earlier run's is stored.
fn sample() -> String {
    let mut lead: Value = serde_json::from_str(SAMPLE_LEAD).unwrap_or_default();
    lead["meta"]["request_id"] = Uuid::now_v7().to_string().into();
    lead.to_string()
}
