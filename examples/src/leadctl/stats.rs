//! How leads fare.

use std::collections::BTreeMap;

use chrono::{DateTime, Days, NaiveDate, Utc};
use fastcore_leads::{
    LeadDatabase, LeadStatus, StoreError,
    inbox::{InboxExt, LeadFilter, MAX_PAGE},
};
use serde_json::{Map, Value, json};

use crate::{
    options::{Options, StatsArguments},
    outcome::{Failure, Outcome},
    shown::{self, bars, duration},
    zone::Zone,
};

/// Ten years, a day at a time.
const MAX_DAYS: usize = 3660;

pub(crate) async fn run(options: &Options, database: &dyn LeadDatabase, stats: &StatsArguments) -> Outcome {
    let zone = options.zone();
    let mut filter = stats.filter.filter(zone);
    let today = zone.wall(Utc::now()).date();
    let first = today.checked_sub_days(Days::new(u64::from(stats.days) - 1)).unwrap_or(today);
    let from = *filter.received_from.get_or_insert(zone.start_of(first));
    let tonight = zone.start_of(today.succ_opt().unwrap_or(today));
    let until = filter.received_before.map_or(tonight, |before| before.min(tonight));
    let days = days(zone, from, until)?;
    // Waits are of leads that somebody could have answered; the counts show the quarantine, too.
    let waits = database.contact_times(&filter).await?;
    if filter.statuses.is_empty() {
        filter.statuses = LeadStatus::ALL.to_vec();
    }
    let counted = Counted::of(database, &filter, days).await?;
    if options.json {
        let by_service: Map<_, _> =
            waits.by_service.iter().map(|(service, waits)| (service.clone(), waits.to_json())).collect();
        shown::say(json!({
            "leads": counted.leads,
            "time_zone": zone.to_string(),
            "by_day": object(&counted.by_day),
            "by_status": object(&counted.by_status),
            "by_source": object(&counted.by_source),
            "by_service": object(&counted.by_service),
            "time_to_first_contact": {"all": waits.all.to_json(), "by_service": by_service},
        }));
        return Ok(());
    }
    shown::say(format!("{} leads since {} (days of {zone})\n", counted.leads, zone.minute(from)));
    for (label, counts) in [
        ("by day", rows(&counted.by_day)),
        ("by status", rows(&counted.by_status)),
        ("by source", rows(&counted.by_source)),
        ("by service", rows(&counted.by_service)),
    ] {
        shown::say(bars(label, &counts));
    }
    let waited: Vec<_> = std::iter::once(("all", &waits.all))
        .chain(waits.by_service.iter().map(|(service, waits)| (if service.is_empty() { "-" } else { service }, waits)))
        .map(|(service, waits)| {
            let wait = |percent| waits.percentile(percent).map(duration);
            json!({"service": service, "leads": waits.leads, "contacted": waits.contacted(), "half within": wait(50),
                   "nine of ten within": wait(90)})
        })
        .collect();
    let newest = if waits.all.leads >= u64::from(MAX_PAGE) { ", of the newest leads" } else { "" };
    shown::say(format!("time to first contact{newest}"));
    let columns = ["service", "leads", "contacted", "half within", "nine of ten within"];
    shown::print(options, &columns, &waited, || Value::Null);
    Ok(())
}

/// A day, and the instants that it begins and ends with.
type Day = (NaiveDate, DateTime<Utc>, DateTime<Utc>);

/// The days from one instant to another, as the clocks of a zone have them. The first and the last may be parts of one.
fn days(zone: Zone, from: DateTime<Utc>, until: DateTime<Utc>) -> Result<Vec<Day>, Failure> {
    let first = zone.wall(from).date();
    let days = first.iter_days().map(|day| {
        let next = day.succ_opt().map_or(until, |next| zone.start_of(next));
        (day, zone.start_of(day).max(from), next.min(until))
    });
    let days: Vec<_> = days.take_while(|(_, start, _)| *start < until).take(MAX_DAYS + 1).collect();
    if days.len() > MAX_DAYS {
        return Err(Failure::BadInput(format!("stats looks at {MAX_DAYS} days at most: say --from or --to")));
    }
    Ok(days)
}

#[derive(Default)]
struct Counted {
    leads: u64,
    by_day: BTreeMap<NaiveDate, u64>,
    by_status: BTreeMap<String, u64>,
    by_source: BTreeMap<String, u64>,
    by_service: BTreeMap<String, u64>,
}

impl Counted {
    /// A day without leads is counted, too.
    async fn of(database: &dyn LeadDatabase, filter: &LeadFilter, days: Vec<Day>) -> Result<Self, StoreError> {
        let mut counted = Self::default();
        for (day, start, end) in days {
            counted.by_day.insert(day, 0);
            let filter = LeadFilter { received_from: Some(start), received_before: Some(end), ..filter.clone() };
            for tally in database.tally(&filter).await? {
                counted.add(day, &tally.status, &tally.source, tally.service.as_deref().unwrap_or("-"), tally.leads);
            }
        }
        Ok(counted)
    }

    fn add(&mut self, day: NaiveDate, status: &str, source: &str, service: &str, leads: u64) {
        self.leads += leads;
        *self.by_day.entry(day).or_default() += leads;
        for (counts, name) in
            [(&mut self.by_status, status), (&mut self.by_source, source), (&mut self.by_service, service)]
        {
            *counts.entry(name.to_owned()).or_default() += leads;
        }
    }
}

fn rows<K: ToString>(counts: &BTreeMap<K, u64>) -> Vec<(String, u64)> {
    counts.iter().map(|(name, leads)| (shown::cell(&name.to_string().into()), *leads)).collect()
}

fn object<K: ToString>(counts: &BTreeMap<K, u64>) -> Value {
    Value::Object(counts.iter().map(|(name, leads)| (name.to_string(), (*leads).into())).collect())
}
