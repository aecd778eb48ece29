//! How long people wait until somebody works on their lead.

use chrono::Utc;
use serde_json::{Map, Value};

use super::{Refusal, query::Query, read::within_a_year};
use crate::{
    inbox::{ContactTimes, Due, InboxExt, Unless},
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
    let times = if is_some { store.contact_times(&query.filter).await? } else { ContactTimes::default() };
    let mut answer = times.all.to_json();
    let by_service: Map<_, _> =
        times.by_service.iter().map(|(service, waits)| (service.clone(), waits.to_json())).collect();
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
