//! How long people wait until somebody works on their lead.

use std::collections::{BTreeMap, HashMap};

use chrono::Utc;
use serde_json::{Map, Value, json};

use super::{Refusal, query::Query, read::within_a_year};
use crate::{
    inbox::{Due, LeadPage, MAX_PAGE, Unless},
    lead::LeadStatus,
    store::{LeadInbox, StoreError},
    time,
    token::Grant,
};

const PARAMETERS: [&str; 4] = ["service", "source", "from", "to"];

/// Of how many leads that wait the first is looked for that the token may see.
const LOOKED_AT: u32 = 1000;

/// Of the newest leads alone: what is asked for is how it is now.
pub(super) async fn times(store: &dyn LeadInbox, grant: &Grant, query: &str) -> Result<Value, Refusal> {
    let mut query = Query::parse(query, &PARAMETERS).ok_or(Refusal::Query)?;
    within_a_year(&mut query.filter)?;
    let is_some = query.narrow(grant);
    let page = if is_some { store.page(&query.filter, None, MAX_PAGE).await? } else { LeadPage::default() };
    let ids: Vec<_> = page.leads.iter().map(|lead| lead.id).collect();
    let contacts: HashMap<_, _> = store.first_contacts(&ids).await?.into_iter().collect();
    let mut all = Waits::default();
    let mut by_service: BTreeMap<String, Waits> = BTreeMap::new();
    for lead in &page.leads {
        let wait = contacts.get(&lead.id).map(|at| (*at - lead.created_at_utc).num_seconds().max(0));
        all.add(wait);
        by_service.entry(lead.service.clone().unwrap_or_default()).or_default().add(wait);
    }
    let mut answer = all.told();
    let by_service: Map<_, _> = by_service.into_iter().map(|(service, waits)| (service, waits.told())).collect();
    answer["by_service"] = Value::Object(by_service);
    answer["oldest_received"] = oldest(store, grant).await?.into();
    Ok(answer)
}

/// When the lead came that has been received for longest, whatever the time that was asked for.
async fn oldest(store: &dyn LeadInbox, grant: &Grant) -> Result<Option<String>, StoreError> {
    let limit = if grant.is_for_some_sources() { LOOKED_AT } else { 1 };
    let due = Due {
        status: Some(LeadStatus::Received),
        before: Utc::now(),
        unless: Unless::Never,
        after: None,
        until: None,
        limit,
    };
    let waiting = store.due(&due).await?;
    Ok(waiting.iter().find(|lead| grant.allows_source(&lead.source)).map(|lead| time::format(lead.created_at_utc)))
}

/// How long leads waited, in seconds; those that nobody has worked on yet are counted alone.
#[derive(Default)]
struct Waits {
    leads: u64,
    ended: Vec<i64>,
}

impl Waits {
    fn add(&mut self, wait: Option<i64>) {
        self.leads += 1;
        self.ended.extend(wait);
    }

    fn told(mut self) -> Value {
        self.ended.sort_unstable();
        json!({
            "leads": self.leads,
            "contacted": self.ended.len(),
            "median_seconds": self.percentile(50),
            "p90_seconds": self.percentile(90),
        })
    }

    /// By the nearest rank: a wait that there was.
    fn percentile(&self, percent: usize) -> Option<i64> {
        let rank = (self.ended.len() * percent).div_ceil(100);
        self.ended.get(rank.saturating_sub(1)).copied()
    }
}
